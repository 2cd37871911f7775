//! An intake at its boundary: encrypted files in a folder in, whole sets in another out (FILE-4, E06, E07, E11).
#![cfg(all(unix, feature = "pgp"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml allows these in tests, which clippy takes for functions marked #[test] alone"
)]

mod arrivals;
mod gnupg;
mod inbox;
mod orders;
mod samples;
mod support;

/// Says what was not tested. Not by println: libtest keeps what a passing test prints.
fn skipped(reason: &str) {
    use std::io::Write as _;
    let _ = std::io::stderr().write_all(format!("SKIPPED: {reason}\n").as_bytes());
}
