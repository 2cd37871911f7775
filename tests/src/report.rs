//! What was tried, what was expected and what came of it: as JSON for machines, as Markdown for people.

use std::fmt::Write;
use std::path::Path;

use irgw_core::{Environment, Rule};
use serde::Serialize;

use crate::expect::Shows;
use crate::{Error, Requirements};

/// The result of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Where the cases ran: the cloud listener's address.
    pub target: String,
    /// Whose rules held.
    pub environment: Environment,
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
    /// What was done.
    pub tried: String,
    /// What was expected.
    pub expected: String,
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

impl Report {
    /// Puts results together.
    pub(crate) fn new(target: String, environment: Environment, mut results: Vec<CaseResult>) -> Report {
        results.sort_by(|a, b| (a.rule, &a.name).cmp(&(b.rule, &b.name)));
        let mut counts = Counts::default();
        for result in &results {
            let count = match result.outcome {
                Outcome::Passed { .. } => &mut counts.passed,
                Outcome::Failed { .. } => &mut counts.failed,
                Outcome::Skipped { .. } => &mut counts.skipped,
                Outcome::NotRunnableRemotely { .. } => &mut counts.not_runnable_remotely,
                Outcome::OtherEnvironment => &mut counts.other_environment,
            };
            *count += 1;
        }
        Report { target, environment, counts, results }
    }

    /// Whether no case failed. Nothing is said about those that did not run.
    pub fn is_clean(&self) -> bool {
        self.counts.failed == 0
    }

    /// The report as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and numbers serialise")
    }

    /// The report as Markdown: the counts, the failures in full, then every rule with its cases.
    pub fn to_markdown(&self, requirements: &Requirements) -> String {
        let mut text = format!("# Conformance of {} ({})\n\n", self.target, self.environment);
        let counts = self.counts;
        let _ = writeln!(text, "| passed | failed | skipped | not runnable remotely | other environment |");
        let _ = writeln!(text, "|--:|--:|--:|--:|--:|");
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |\n",
            counts.passed,
            counts.failed,
            counts.skipped,
            counts.not_runnable_remotely,
            counts.other_environment
        );
        let failed = self.results.iter().filter_map(|result| match &result.outcome {
            Outcome::Failed { came, wrong } => Some((result, came, wrong)),
            _ => None,
        });
        let failed = failed.collect::<Vec<_>>();
        if !failed.is_empty() {
            text.push_str("## Failed\n\n");
        }
        for (result, came, wrong) in failed {
            let _ = writeln!(text, "### {}: {}\n\n{}.\n", result.rule, result.name, result.title);
            let _ = writeln!(
                text,
                "- tried: {}\n- expected: {}\n- came back: {}",
                cell(&result.tried),
                cell(&result.expected),
                cell(came)
            );
            for difference in wrong {
                let _ = writeln!(text, "- **{}**", cell(difference));
            }
            text.push('\n');
        }
        for section in requirements.sections() {
            let _ = writeln!(text, "## {}\n", section.title);
            for (rule, sentence) in &section.rules {
                let _ = writeln!(
                    text,
                    "### {rule}\n\n{sentence}\n\n| case | attacks | expected | came back | |\n|---|---|---|---|---|"
                );
                for result in self.results.iter().filter(|result| result.rule == *rule) {
                    let (came, word) = result.outcome.in_words();
                    let attacks = result.attacks.join(" ");
                    let _ = writeln!(
                        text,
                        "| {} | {attacks} | {} | {} | {word} |",
                        result.name,
                        cell(&result.expected),
                        cell(&came)
                    );
                }
                text.push('\n');
            }
        }
        text
    }

    /// One line a case that did not pass, then the counts.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for result in &self.results {
            match &result.outcome {
                Outcome::Failed { wrong, .. } => {
                    let _ = writeln!(text, "FAILED  {} {}: {}", result.rule, result.name, wrong.join("; "));
                }
                Outcome::Skipped { reason } => {
                    let _ = writeln!(text, "SKIPPED: {} {}: {reason}", result.rule, result.name);
                }
                _ => {}
            }
        }
        let Counts { passed, failed, skipped, not_runnable_remotely, other_environment } = self.counts;
        let _ = writeln!(
            text,
            "{}: {passed} passed, {failed} failed, {skipped} skipped, {not_runnable_remotely} not runnable remotely, \
             {other_environment} for another environment",
            self.target
        );
        text
    }

    /// Writes `conformance.json` and `conformance.md` into a folder, which is made if need be.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path, requirements: &Requirements) -> Result<(), Error> {
        std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
        for (name, text) in
            [("conformance.json", self.to_json()), ("conformance.md", self.to_markdown(requirements))]
        {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(Error::file(&path))?;
        }
        Ok(())
    }
}

impl Outcome {
    fn in_words(&self) -> (String, &'static str) {
        match self {
            Outcome::Passed { came } => (came.clone(), "passed"),
            Outcome::Failed { came, .. } => (came.clone(), "**failed**"),
            Outcome::Skipped { reason } => (reason.clone(), "skipped"),
            Outcome::NotRunnableRemotely { reason } => (reason.clone(), "not runnable remotely"),
            Outcome::OtherEnvironment => (String::new(), "other environment"),
        }
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

/// A text that can stand in a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\r', '\n'], " ")
}
