//! The conformance cases of the gateway's profile, and what runs them.
//!
//! A case is a TOML file under `tests/cases`, named after the fact that it shows. The same file is a named test of
//! `cargo test` and a check of `cargo xtask conformance` against any gateway that comes with a `dev.json`.
//!
//! ```text
//! cases/m2m/iat-before-certificate.toml ──► Case ──► recipes: certificate, token, ClientHello, request
//!                                                       │
//!            dev.json ──► Target ──────────────────►  run: one connection ──► what came back, audit records
//!                                                       │
//!  answers.toml, requirements.toml ───────────────►  judge ──► Report: JSON, a page, Markdown, JUnit
//! ```
//!
//! The certificates and tokens are made here, by code that shares nothing with the gateway's, so that a mistake in one is
//! not hidden by the same mistake in the other. A target is judged by what it answers, by what its backing service saw and
//! by its audit log; nothing looks inside.
//!
//! ```no_run
//! use irgw_tests::{Case, Requirements, Selection, Skips, Target, folder, run};
//!
//! let target = Target::remote("dev.json".as_ref(), Some("https://gateway.example:4046"))?;
//! let cases = Case::read_all(&folder().join("cases"))?;
//! let skips = Skips::read(&folder().join("skips.toml"))?;
//! let report = run(&target, &cases, &skips, &Selection { only: Some("M2M-6".into()), progress: None });
//! print!("{}", report.to_text());
//! assert!(report.is_clean());
//! # Ok::<(), irgw_tests::Error>(())
//! ```

mod case;
mod document;
mod expect;
mod requirements;

mod dev;
mod expiry;
mod local;
mod run;
mod target;

pub mod attack;

mod browser;
mod certificate;
mod hello;
mod oauth;
mod prelude;
mod token;
mod transfer;

mod der;
mod key;
mod template;

mod answer;
mod audit;
mod backing;
mod exchange;
pub mod h2;

mod judge;
mod published;
mod records;
mod report;
mod told;

pub mod scan;

mod error;
mod words;

pub use browser::authorise;
pub use case::{Case, CaseText, Given, Request, Row, Tls};
pub use certificate::{CertificateRecipe, Changes, Issuer};
pub use dev::{
    Batch, Client, ClientCa, Customer, Dev, GatewayPgp, Listener, Listeners, OAuth, Operator, PgpKey,
    Provider, Service, SftpServer, Signing,
};
pub use document::{Block, Page};
pub use error::Error;
pub use exchange::Session;
pub use expect::{Expect, Handshake, Location, Reason, Seen, Shows};
pub use hello::HelloRecipe;
pub use local::{CLOCK, Local, Process, Program, free_port, new_folder};
pub use oauth::{Done, OAuthRecipe, Step};
pub use report::{CaseResult, Counts, Fact, Outcome, Report, Reproduction};
pub use requirements::{Requirements, Section, Skips, gaps};
pub use run::{Selection, attempt, run};
pub use target::Target;
pub use token::{SignatureRecipe, TokenRecipe};
pub use transfer::{
    Again, By, FileServerRecipe, KeyFolderRecipe, MessageRecipe, SetRecipe, SshRecipe, ZipRecipe,
};

/// Where this package keeps its data: `cases`, `configurations`, `requirements.toml`, `skips.toml`.
pub fn folder() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
}
