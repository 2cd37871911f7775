//! The report of a release: a table for the terminal, JSON and Markdown for a file.

use std::path::Path;
use std::time::Duration;
use std::{fmt, fs};

use serde::Serialize;

use super::outcome::{Outcome, Verdict};
use crate::Error;

/// What was done, and what it came to.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) version: String,
    pub(super) commit: String,
    /// The compiler, as it names itself.
    pub(super) rustc: String,
    /// Whether this run was to publish.
    pub(super) publish: bool,
    pub(super) steps: Vec<Row>,
}

/// A step that was done.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) step: String,
    #[serde(flatten)]
    pub(super) outcome: Outcome,
    pub(super) seconds: u64,
}

impl Row {
    pub(super) fn new(step: &str, outcome: Outcome, took: Duration) -> Row {
        Row { step: step.into(), outcome, seconds: took.as_secs_f64().round() as u64 }
    }
}

/// One line for the terminal.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { step, outcome, seconds } = self;
        write!(f, "{:8} {step:10} {seconds:>5} s  {}", word(outcome.verdict), outcome.said)
    }
}

impl Report {
    /// How many steps ended so.
    pub(super) fn count(&self, verdict: Verdict) -> usize {
        self.steps.iter().filter(|row| row.outcome.verdict == verdict).count()
    }

    pub(super) fn json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("texts and numbers are JSON");
        format!("{json}\n")
    }

    pub(super) fn markdown(&self) -> String {
        let mode = if self.publish { "to be published" } else { "dry run: nothing was published" };
        let mut text =
            format!("# irgw {}\n\nCommit {}, {}; {mode}.\n\n", self.version, self.commit, self.rustc);
        text.push_str("| step | result | s | |\n|---|---|--:|---|\n");
        for Row { step, outcome, seconds } in &self.steps {
            let said = cell(&outcome.said);
            text.push_str(&format!("| {step} | {} | {seconds} | {said} |\n", word(outcome.verdict)));
        }
        for Row { step, outcome, .. } in self.steps.iter().filter(|row| !row.outcome.details.is_empty()) {
            text.push_str(&format!("\n## {step}\n\n```text\n{}\n```\n", outcome.details.join("\n")));
        }
        text
    }

    pub(super) fn summary(&self) -> String {
        let count = |verdict| self.count(verdict);
        let (passed, failed, skipped) =
            (count(Verdict::Passed), count(Verdict::Failed), count(Verdict::Skipped));
        format!("irgw {}: {passed} passed, {failed} failed, {skipped} skipped", self.version)
    }

    /// Writes `release.json` and `release.md` into the folder.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        for (name, text) in [("release.json", self.json()), ("release.md", self.markdown())] {
            let path = folder.join(name);
            fs::write(&path, text).map_err(Error::at("write", &path))?;
        }
        Ok(())
    }
}

/// A skip must not look like a pass from afar.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "FAILED",
        Verdict::Skipped => "SKIPPED",
    }
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let row = |step, outcome| Row::new(step, outcome, Duration::from_millis(1_600));
        Report {
            version: "1.2.0".into(),
            commit: "0a".into(),
            rustc: "rustc 1.95.0".into(),
            publish: false,
            steps: vec![
                row("tree", Outcome::passed("good")),
                row("deny", Outcome::failed("a | b").with(vec!["one".into(), "two".into()])),
                row("semver", Outcome::skipped("no tool")),
            ],
        }
    }

    #[test]
    fn each_form_tells_the_three_verdicts_apart() {
        let report = report();
        let markdown = report.markdown();
        assert!(markdown.contains("| deny | FAILED | 2 | a \\| b |\n"), "{markdown}");
        assert!(markdown.contains("| semver | SKIPPED | 2 | no tool |\n"), "{markdown}");
        assert!(markdown.ends_with("## deny\n\n```text\none\ntwo\n```\n"), "{markdown}");
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json["steps"][2]["verdict"], "skipped");
        assert_eq!(json["steps"][0]["said"], "good");
        assert_eq!(report.summary(), "irgw 1.2.0: 1 passed, 1 failed, 1 skipped");
        assert_eq!(report.steps[2].to_string(), "SKIPPED  semver         2 s  no tool");
    }
}
