//! Feeds any text to everything that reads a token: `cargo fuzz run jose` in `crates/irgw-m2m`.
#![no_main]

#[path = "../jose.rs"]
mod jose;

libfuzzer_sys::fuzz_target!(|token: &str| jose::read(token));
