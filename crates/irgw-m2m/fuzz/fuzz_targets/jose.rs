//! Everything that reads a token, on arbitrary text.

#![no_main]

#[path = "../jose.rs"]
mod jose;

libfuzzer_sys::fuzz_target!(|token: &str| jose::read(token));
