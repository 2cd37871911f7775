//! The intake of an OpenPGP message, on arbitrary bytes.

#![no_main]

#[path = "../pgp.rs"]
#[allow(dead_code, reason = "each target uses one check")]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::pgp_message(data));
