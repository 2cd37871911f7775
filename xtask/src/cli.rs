//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{Error, attack, bench, ci, conformance, fuzz, release, scan, tidy, vectors};

/// The project's own tasks.
///
/// A step whose tool or data is absent prints SKIPPED and why; it never counts as passed.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    task: Task,
}

// A sentence here would stand in `--help` instead of all that the arguments' own page says.
#[derive(Debug, Subcommand)]
enum Task {
    Ci(ci::Args),
    /// Checks that no compiler makes: layers between crates, text, documents
    Tidy,
    Conformance(conformance::Args),
    Attack(attack::Args),
    Vectors(vectors::Args),
    Scan(scan::Args),
    Bench(bench::Args),
    Fuzz(fuzz::Args),
    Release(release::Args),
}

impl Cli {
    /// Reads the arguments of this process. What cannot be used is one line, and exit code 2.
    ///
    /// # Errors
    ///
    /// The exit code, where there is nothing left to do: after `--help` too.
    pub fn from_arguments() -> Result<Cli, ExitCode> {
        Cli::try_parse().map_err(|error| match error.use_stderr() {
            true => {
                eprintln!("{}", one_line(&error));
                ExitCode::from(2)
            }
            // A closed pipe is no failure of `--help`.
            false => error.print().map_or(ExitCode::SUCCESS, |()| ExitCode::SUCCESS),
        })
    }

    #[cfg(test)]
    pub(crate) fn complaint<const N: usize>(arguments: [&str; N]) -> String {
        one_line(&Cli::try_parse_from(arguments).unwrap_err())
    }

    /// Does the task.
    ///
    /// # Errors
    ///
    /// When the task could not be done, or found something wrong.
    pub fn run(self) -> Result<ExitCode, Error> {
        match self.task {
            Task::Conformance(args) => return Ok(args.run()),
            Task::Attack(args) => return Ok(args.run()),
            Task::Vectors(args) => return args.run(),
            Task::Fuzz(args) => return args.run(),
            Task::Release(args) => return Ok(args.run()),
            Task::Scan(args) => return Ok(args.run()),
            Task::Ci(args) => args.run(),
            Task::Tidy => tidy::run(),
            Task::Bench(args) => args.run(),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What clap says in a paragraph, up to how the command is used.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let said = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let said = said.filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    format!("{}; see --help", said.collect::<Vec<_>>().join(" "))
}
