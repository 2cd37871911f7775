//! File sets at the module's boundary: names, bytes and the time in, what may be released out.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml allows these in tests, which clippy takes for functions marked #[test] alone"
)]

mod archive;
mod assembly;
mod building;
mod corpus;
mod hostile_zip;
mod made;
mod samples;

/// Says what was not tested. Not by println: libtest keeps what a passing test prints.
fn skipped(reason: &str) {
    use std::io::Write as _;
    let _ = std::io::stderr().write_all(format!("SKIPPED: {reason}\n").as_bytes());
}
