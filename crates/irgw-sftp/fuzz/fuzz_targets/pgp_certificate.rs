//! The enrolment of an OpenPGP certificate, on arbitrary bytes.

#![no_main]

#[path = "../pgp.rs"]
#[allow(dead_code, reason = "each target uses one check")]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::pgp_certificate(data));
