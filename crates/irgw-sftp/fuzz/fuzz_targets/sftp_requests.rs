//! Our SFTP server, on arbitrary bytes of a client.

#![no_main]

#[path = "../sftp.rs"]
#[allow(dead_code, reason = "each target uses one check")]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::sftp_requests(data));
