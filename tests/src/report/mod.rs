//! What was tried, what was expected and what came of it: as JSON and JUnit for machines, as a page and Markdown for people.

mod coverage;
mod curl;
mod html;
mod junit;
mod markdown;
pub(crate) mod page;
mod sent;
pub(crate) mod xml;

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::path::Path;

use irgw_core::{Environment, Rule};
use serde::Serialize;

use crate::case::Case;
use crate::dev::Dev;
use crate::expect::Shows;
use crate::{Error, Requirements, Skips, words};

pub use curl::Reproduction;
pub(crate) use junit::{Suite, Test, Verdict, written};
pub use sent::Fact;

/// Said where [`Report::backing_is_watched`] is false.
pub(crate) const UNWATCHED: &str =
    "NOT KNOWN: what reaches the backing service; dev.json names no sample_log that is here";

/// The result of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Where the cases ran: the cloud listener's address.
    pub target: String,
    /// Whose rules held.
    pub environment: Environment,
    /// Whether the backing service says what has reached it.
    pub backing_is_watched: bool,
    /// How many of each outcome.
    pub counts: Counts,
    /// Every case, in the order of its rule and name.
    pub results: Vec<CaseResult>,
}

/// How many cases came out how. They are never added up: a case that did not run has not passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// As expected.
    pub passed: usize,
    /// Not as expected.
    pub failed: usize,
    /// Refused or to be refused, and the backing service has seen it all the same.
    pub reached: usize,
    /// Left out, each with its reason.
    pub skipped: usize,
    /// Needs the clock or the configuration, which only a local run controls.
    pub not_runnable_remotely: usize,
    /// For another environment than the target's.
    pub other_environment: usize,
}

/// One case's result.
#[derive(Debug, Clone, Serialize)]
pub struct CaseResult {
    /// The case.
    pub name: String,
    /// The rule that it tests.
    pub rule: Rule,
    /// The fact that it shows.
    pub title: String,
    /// The attacks that it carries out.
    pub attacks: Vec<String>,
    /// What it shows of its rule; nothing where it lets the target choose.
    pub shows: Option<Shows>,
    /// What was done.
    pub tried: String,
    /// The same in full: credentials, request, what happened before.
    pub sent: Vec<Fact>,
    /// How to do it by hand.
    pub reproduce: Reproduction,
    /// What was expected.
    pub expected: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How a case came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// As expected.
    Passed {
        /// What came back.
        came: String,
    },
    /// Not as expected.
    Failed {
        /// What came back.
        came: String,
        /// Every difference.
        wrong: Vec<String>,
    },
    /// Refused or to be refused, and the backing service has seen it all the same.
    Reached {
        /// What came back.
        came: String,
        /// What the backing service saw.
        seen: Vec<String>,
        /// Every other difference.
        wrong: Vec<String>,
    },
    /// Left out.
    Skipped {
        /// Why.
        reason: String,
    },
    /// Needs what only a local run controls.
    NotRunnableRemotely {
        /// What.
        reason: String,
    },
    /// For another environment.
    OtherEnvironment,
}

impl CaseResult {
    pub(crate) fn new(dev: &Dev, case: &Case, outcome: Outcome, took: std::time::Duration) -> CaseResult {
        CaseResult {
            name: case.name.clone(),
            rule: case.text.rule,
            title: case.text.title.clone(),
            attacks: case.text.attacks.clone(),
            shows: case.text.expect.shows(),
            tried: words::tried(case),
            sent: sent::facts(case),
            reproduce: curl::reproduction(dev, case),
            expected: words::expected(case),
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            outcome,
        }
    }
}

impl Report {
    /// Puts results together.
    pub(crate) fn new(
        target: String,
        environment: Environment,
        backing_is_watched: bool,
        mut results: Vec<CaseResult>,
    ) -> Report {
        results.sort_by(|a, b| (a.rule, &a.name).cmp(&(b.rule, &b.name)));
        let mut counts = Counts::default();
        for result in &results {
            let count = match result.outcome {
                Outcome::Passed { .. } => &mut counts.passed,
                Outcome::Failed { .. } => &mut counts.failed,
                Outcome::Reached { .. } => &mut counts.reached,
                Outcome::Skipped { .. } => &mut counts.skipped,
                Outcome::NotRunnableRemotely { .. } => &mut counts.not_runnable_remotely,
                Outcome::OtherEnvironment => &mut counts.other_environment,
            };
            *count += 1;
        }
        Report { target, environment, backing_is_watched, counts, results }
    }

    /// Whether no case failed, and no refusal reached the backing service. Nothing is said about those that did not run.
    pub fn is_clean(&self) -> bool {
        self.counts.failed == 0 && self.counts.reached == 0
    }

    /// The report as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and numbers serialise")
    }

    /// One line a case that did not pass, then the counts.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for result in &self.results {
            match &result.outcome {
                Outcome::Failed { wrong, .. } => {
                    let _ = writeln!(text, "FAILED  {} {}: {}", result.rule, result.name, wrong.join("; "));
                }
                Outcome::Reached { seen, wrong, .. } => {
                    let (rule, name, what) = (result.rule, &result.name, seen.join(", "));
                    let _ = writeln!(text, "REACHED THE BACKING SERVICE  {rule} {name}: {what}");
                    let _ = wrong.iter().try_for_each(|one| writeln!(text, "  and {one}"));
                }
                Outcome::Skipped { reason } => {
                    let _ = writeln!(text, "SKIPPED: {} {}: {reason}", result.rule, result.name);
                }
                _ => {}
            }
        }
        let mut reasons = BTreeMap::<&str, usize>::new();
        for result in &self.results {
            if let Outcome::NotRunnableRemotely { reason } = &result.outcome {
                *reasons.entry(reason).or_default() += 1;
            }
        }
        for (reason, count) in reasons {
            let _ = writeln!(text, "NOT RUNNABLE REMOTELY: {count} cases: {reason}");
        }
        if !self.backing_is_watched {
            let _ = writeln!(text, "{UNWATCHED}");
        }
        let _ = writeln!(text, "{}: {}", self.target, self.counts);
        text
    }

    /// Writes `conformance.json`, `.md`, `.html` and `.xml` (JUnit) into a folder, which is made if need be.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path, requirements: &Requirements, skips: &Skips) -> Result<(), Error> {
        std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
        for (name, text) in [
            ("conformance.json", self.to_json()),
            ("conformance.md", self.to_markdown(requirements)),
            ("conformance.html", self.to_html(requirements, skips)),
            ("conformance.xml", self.to_junit()),
        ] {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(Error::file(&path))?;
        }
        Ok(())
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { passed, failed, reached, skipped, not_runnable_remotely, other_environment } = self;
        write!(
            f,
            "{passed} passed, {failed} failed, {reached} reached the backing service, {skipped} skipped, "
        )?;
        write!(
            f,
            "{not_runnable_remotely} not runnable remotely, {other_environment} for another environment"
        )
    }
}

impl Counts {
    /// Each with its name.
    pub(crate) fn named(&self) -> [(&'static str, usize); 6] {
        [
            ("passed", self.passed),
            ("failed", self.failed),
            ("reached the backing service", self.reached),
            ("skipped", self.skipped),
            ("not runnable remotely", self.not_runnable_remotely),
            ("other environment", self.other_environment),
        ]
    }
}

impl Outcome {
    /// One word or few.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Outcome::Passed { .. } => "passed",
            Outcome::Failed { .. } => "failed",
            Outcome::Reached { .. } => "reached the backing service",
            Outcome::Skipped { .. } => "skipped",
            Outcome::NotRunnableRemotely { .. } => "not runnable remotely",
            Outcome::OtherEnvironment => "other environment",
        }
    }

    /// What came back, or why nothing was tried.
    pub(crate) fn came(&self) -> &str {
        match self {
            Outcome::Passed { came } | Outcome::Failed { came, .. } | Outcome::Reached { came, .. } => came,
            Outcome::Skipped { reason } | Outcome::NotRunnableRemotely { reason } => reason,
            Outcome::OtherEnvironment => "",
        }
    }

    /// Every difference, where there are any.
    pub(crate) fn wrong(&self) -> Vec<String> {
        match self {
            Outcome::Failed { wrong, .. } => wrong.clone(),
            Outcome::Reached { seen, wrong, .. } => {
                let seen = seen.iter().map(|seen| format!("the backing service saw {seen}"));
                seen.chain(wrong.iter().cloned()).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Serialize for Shows {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Shows {
    /// `accepted`, `refused`.
    pub const fn name(self) -> &'static str {
        match self {
            Shows::Accepted => "accepted",
            Shows::Refused => "refused",
        }
    }
}
