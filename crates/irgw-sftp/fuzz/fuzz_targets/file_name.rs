//! The grammar of file names, on arbitrary bytes.

#![no_main]

#[path = "../fileset.rs"]
#[allow(dead_code, reason = "each target uses one check")]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::file_name(data));
