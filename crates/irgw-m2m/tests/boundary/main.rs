//! The crate at its boundary: bytes and the time in, a verdict out.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml allows these in tests, which clippy takes for functions marked #[test] alone"
)]

mod authenticator;
mod claims;
mod corpus;
mod der;
mod enrolment;
mod form;
mod identity;
mod inspection;
mod jsonwebtoken_interop;
mod openssl;
mod parties;
mod properties;
mod published_samples;
mod signing;

/// Says what was not tested. Not by println: libtest keeps what a passing test prints.
fn skipped(reason: &str) {
    use std::io::Write as _;
    let _ = std::io::stderr().write_all(format!("SKIPPED: {reason}\n").as_bytes());
}
