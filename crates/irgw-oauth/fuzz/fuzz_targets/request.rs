//! The authorization server, on arbitrary requests.

#![no_main]

#[path = "../checks.rs"]
mod checks;
#[path = "../state.rs"]
mod state;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::request(data));
