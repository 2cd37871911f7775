//! The project's own tasks, as `cargo xtask <command>`; one module a command.
//!
//! ```text
//!   ci ──► tidy            layers, text, documents: what a compiler cannot say
//!      └─► deny            advisories, licences, bans, sources
//!   conformance            the cases of tests/ against any running gateway
//!   attack                 the attacks of tests/attacks.toml on any running gateway
//!   vectors                x509-limbo and Wycheproof through irgw-tls and irgw-m2m
//!   scan                   the scanners of others against a gateway
//!   bench                  the gateway beside HAProxy and oidc-provider; verification; look-ups
//!   fuzz                   the fuzz targets of every crate, for a bounded time
//!   release                what a release needs: checks, packages, static programs, bill of materials, publishing
//! ```
//!
//! A step whose tool or data is absent prints `SKIPPED:` and why; it never counts as passed.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its terminal")]

mod attack;
mod bench;
mod ci;
mod cli;
mod conformance;
mod deny;
mod error;
mod fuzz;
mod judged;
mod release;
mod run;
mod scan;
pub mod tidy;
mod vectors;

pub use cli::Cli;
pub use error::{Error, explain};
