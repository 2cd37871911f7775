//! OpenPGP at its boundary: certificates, messages, and programs that we did not write (PGP-1 to PGP-3).
#![cfg(feature = "pgp")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "clippy.toml allows these in tests, which clippy takes for functions marked #[test] alone"
)]

mod certificates;
mod damage;
mod gnupg;
mod hostile;
mod messages;
mod sop;
mod support;
