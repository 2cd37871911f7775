//! The project's own tasks, as `cargo xtask <command>`; one module a command.
//!
//! ```text
//!   ci ──► tidy            layers, text, documents: what a compiler cannot say
//!      └─► deny            advisories, licences, bans, sources
//!   conformance            the cases of tests/ against any running gateway
//!   scan                   the scanners of others against a gateway
//!   bench                  the gateway beside HAProxy and oidc-provider; verification; look-ups
//!   fuzz                   the fuzz targets of every crate, for a bounded time
//! ```
//!
//! A step whose tool or data is absent prints `SKIPPED:` and why; it never counts as passed.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its terminal")]

mod bench;
mod ci;
mod cli;
mod conformance;
mod error;
mod fuzz;
mod run;
mod scan;
pub mod tidy;

pub use cli::Cli;
pub use error::{Error, explain};
