//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{Error, bench, ci, conformance, fuzz, scan, tidy};

/// The project's own tasks.
///
/// A step whose tool or data is absent prints SKIPPED and why; it never counts as passed.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Everything that must pass before a change is merged: what `.ci/run` calls after installing tools
    Ci(ci::Args),
    /// Checks that no compiler makes: layers between crates, text, documents
    Tidy,
    /// Tries the cases of tests/cases against a running gateway
    Conformance(conformance::Args),
    /// Runs the scanners of others against a gateway: sslyze, testssl.sh, ssh-audit, Schemathesis, HTTP/2 frames
    Scan(scan::Args),
    /// Measures speed and memory
    Bench(bench::Args),
    /// Runs the fuzz targets of every crate for a bounded time
    Fuzz(fuzz::Args),
}

impl Cli {
    /// Does the task.
    ///
    /// # Errors
    ///
    /// When the task could not be done, or found something wrong.
    pub fn run(self) -> Result<ExitCode, Error> {
        match self.task {
            Task::Conformance(args) => return Ok(args.run()),
            Task::Scan(args) => return Ok(args.run()),
            Task::Ci(args) => args.run(),
            Task::Tidy => tidy::run(),
            Task::Bench(args) => args.run(),
            Task::Fuzz(args) => args.run(),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}
