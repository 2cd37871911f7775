//! Control files, on arbitrary bytes.

#![no_main]

#[path = "../fileset.rs"]
#[allow(dead_code, reason = "each target uses one check")]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::control_file(data));
