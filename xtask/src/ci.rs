//! `cargo xtask ci`: everything that must pass before a change is merged.

use std::time::Instant;

use crate::{Error, deny, run, tidy};

/// Everything that must pass before a change is merged.
///
/// The steps, in order: fmt, clippy, doc, tidy, deny, test. The first that fails ends the run. `.ci/run` installs the
/// tools that some tests and the step `deny` need, then calls this; without them those print SKIPPED and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these steps
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Step {
    /// The code is formatted
    Fmt,
    /// Clippy has no warnings, tests and benches included
    Clippy,
    /// Rustdoc has no warnings
    Doc,
    /// `cargo xtask tidy`
    Tidy,
    /// Advisories, licences, bans and sources, by cargo-deny
    Deny,
    /// The README's test command
    Test,
}

/// The README's one command that passes all tests.
pub(crate) const TEST: [&str; 2] = ["test", "--workspace"];

/// The last step is the tests, so that their summary is the last thing on the terminal.
const STEPS: [Step; 6] = [Step::Fmt, Step::Clippy, Step::Doc, Step::Tidy, Step::Deny, Step::Test];

impl Args {
    pub(crate) fn run(&self) -> Result<(), Error> {
        let started = Instant::now();
        for step in STEPS.into_iter().filter(|step| self.only.is_empty() || self.only.contains(step)) {
            println!("── {step:?} ── {:.0?} so far", started.elapsed());
            step.run()?;
        }
        Ok(())
    }
}

impl Step {
    fn run(self) -> Result<(), Error> {
        match self {
            Step::Fmt => run::check(run::cargo().args(["fmt", "--all", "--", "--check"])),
            Step::Clippy => {
                let lint = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
                run::check(run::cargo().args(lint))
            }
            Step::Doc => {
                let mut doc = run::cargo();
                doc.args(["doc", "--workspace", "--no-deps", "--quiet"]);
                run::check(doc.env("RUSTDOCFLAGS", "-D warnings"))
            }
            Step::Tidy => tidy::run(),
            Step::Deny => {
                deny::check()?.iter().for_each(|skipped| println!("SKIPPED: {skipped}"));
                Ok(())
            }
            Step::Test => run::check(run::cargo().args(TEST)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_come_last() {
        assert_eq!(STEPS.last(), Some(&Step::Test));
    }
}
