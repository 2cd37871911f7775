//! What can go wrong in a task.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};

/// Why a task did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot {verb} {path}")]
    Path {
        /// What was being done.
        verb: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot start `{program}`")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// A program failed.
    #[error("`{command}` failed ({status}){said}")]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said, after a line break; empty where that is on the terminal already.
        said: String,
    },
    /// A program's output is not what this task reads.
    #[error("cannot read what {what} says")]
    Output {
        /// Whose output.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// A step of the benchmark could not be done.
    #[error("cannot {doing}")]
    Step {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A server that the benchmark started did not answer in time, or not as it should.
    #[error("{server} {complaint}")]
    Server {
        /// Which server.
        server: &'static str,
        /// What is wrong with it, with what it said.
        complaint: String,
    },
    /// No case fits what was asked for.
    #[error("no case of tests/cases fits {only:?}; name a rule such as M2M-6, or a part of a case's path")]
    NothingToTry {
        /// What was asked for.
        only: String,
    },
    /// No attack fits what was asked for.
    #[error(
        "no attack fits {only:?}; name an id such as B13, a section such as B, or a part of a case's or a trial's name"
    )]
    NoAttack {
        /// What was asked for.
        only: String,
    },
    /// What the task was given cannot be used.
    #[error("{0}")]
    Input(String),
    /// Checks found something; it is on the terminal already.
    #[error("{count} findings of {check}")]
    Findings {
        /// Which checks.
        check: &'static str,
        /// How many.
        count: usize,
    },
}

impl Error {
    /// For `map_err`: an I/O error at `path`.
    pub(crate) fn at(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Path { verb, path: path.into(), source }
    }

    /// For `map_err`: any error while `doing` a step.
    pub(crate) fn step<E>(doing: &'static str) -> impl FnOnce(E) -> Error
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |source| Error::Step { doing, source: source.into() }
    }
}

/// Prints the error and what it comes from, in one line, and gives the exit code: 2 for what cannot be used, otherwise 1.
pub fn explain(error: &Error) -> ExitCode {
    eprintln!("error: {}", chain(error));
    if matches!(error, Error::Input(_)) { ExitCode::from(2) } else { ExitCode::FAILURE }
}

/// The error and what it comes from, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    line
}
