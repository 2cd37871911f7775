//! What came of the attacks: as text, JSON and JUnit.

use std::fmt::{self, Write};

use irgw_core::Environment;
use serde::Serialize;

use crate::Target;
use crate::report::{CaseResult, Suite, Test, UNWATCHED, Verdict as Judged, written};

/// The result of a run.
#[derive(Debug, Clone, Serialize)]
pub struct AttackReport {
    /// The cloud listener's address.
    pub target: String,
    /// Whose rules held.
    pub environment: Environment,
    /// Whether the backing service says what has reached it.
    pub backing_is_watched: bool,
    /// How many attacks came out how.
    pub counts: AttackCounts,
    /// Requests that reached the backing service and that no audit record admits; none.
    pub unadmitted: Vec<String>,
    /// Every attack, in the order of its id.
    pub attacks: Vec<AttackResult>,
    /// Every case that was looked at.
    pub cases: Vec<CaseResult>,
    /// Every trial.
    pub trials: Vec<TrialResult>,
}

/// How many attacks came out how; they are never added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct AttackCounts {
    /// Tried, and survived.
    pub survived: usize,
    /// Tried, and not survived.
    pub failed: usize,
    /// A refusal reached the backing service.
    pub reached: usize,
    /// Nothing of it can be tried at this target.
    pub not_runnable_remotely: usize,
    /// Covered by tests that this run does not make.
    pub elsewhere_alone: usize,
    /// Covered by nothing.
    pub not_covered: usize,
}

/// How an attack came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All that could be tried was survived.
    Survived,
    /// Something came out otherwise.
    Failed,
    /// The backing service saw what was refused, or was to be.
    Reached,
    /// Nothing of it can be tried at this target.
    NotRunnableRemotely,
    /// Tests that this run does not make carry its id, or something else holds it.
    ElsewhereAlone,
    /// Nothing carries its id.
    NotCovered,
}

/// An attack, and what came of it.
#[derive(Debug, Clone, Serialize)]
pub struct AttackResult {
    /// Its id.
    pub id: String,
    /// What it is.
    pub sentence: String,
    /// How it came out.
    pub verdict: Verdict,
    /// Cases and trials that came out as they should.
    pub passed: usize,
    /// Those that did not.
    pub failed: usize,
    /// Those that were not tried here.
    pub not_tried: usize,
    /// Why they were not.
    pub reasons: Vec<String>,
    /// The cases that carry its id.
    pub cases: Vec<String>,
    /// The trials.
    pub trials: Vec<String>,
    /// The tests of the workspace that do.
    pub elsewhere: Vec<String>,
    /// What holds it where no test can show it.
    pub held: Option<String>,
}

/// A trial, and what came of it.
#[derive(Debug, Clone, Serialize)]
pub struct TrialResult {
    /// Its name.
    pub name: &'static str,
    /// Its attacks.
    pub attacks: &'static [&'static str],
    /// What was done.
    pub title: &'static str,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How it came out.
    #[serde(flatten)]
    pub outcome: TrialOutcome,
}

/// How a trial came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum TrialOutcome {
    /// As it must.
    Survived {
        /// What was seen.
        came: String,
    },
    /// Otherwise.
    Failed {
        /// What was seen.
        wrong: String,
    },
    /// It cannot be tried here.
    NotRunnable {
        /// Why.
        reason: String,
    },
}

impl AttackReport {
    pub(super) fn new(
        target: &Target,
        attacks: Vec<AttackResult>,
        cases: Vec<CaseResult>,
        trials: Vec<TrialResult>,
        unadmitted: Vec<String>,
    ) -> AttackReport {
        let mut counts = AttackCounts::default();
        for attack in &attacks {
            *match attack.verdict {
                Verdict::Survived => &mut counts.survived,
                Verdict::Failed => &mut counts.failed,
                Verdict::Reached => &mut counts.reached,
                Verdict::NotRunnableRemotely => &mut counts.not_runnable_remotely,
                Verdict::ElsewhereAlone => &mut counts.elsewhere_alone,
                Verdict::NotCovered => &mut counts.not_covered,
            } += 1;
        }
        AttackReport {
            target: target.cloud().authority.clone(),
            environment: target.environment(),
            backing_is_watched: target.backing().is_watched(),
            counts,
            unadmitted,
            attacks,
            cases,
            trials,
        }
    }

    /// Whether every attack that was tried was survived, and nothing that was refused reached the backing service.
    pub fn is_clean(&self) -> bool {
        self.counts.failed == 0 && self.counts.reached == 0 && self.unadmitted.is_empty()
    }

    /// The report as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and numbers serialise")
    }

    /// A table with a line for each attack, whatever failed below its line, then the counts.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for attack in &self.attacks {
            let (id, verdict) = (&attack.id, attack.verdict.name());
            let _ = writeln!(text, "{id}  {verdict:<27}  {}", attack.evidence());
            for wrong in self.wrong(attack) {
                let _ = writeln!(text, "     {wrong}");
            }
        }
        for seen in &self.unadmitted {
            let _ = writeln!(text, "REACHED THE BACKING SERVICE, and no audit record admits it: {seen}");
        }
        if !self.backing_is_watched {
            let _ = writeln!(text, "{UNWATCHED}");
        }
        let _ = writeln!(text, "{}: {}", self.target, self.counts);
        text
    }

    /// What went wrong with an attack, a line each.
    pub(super) fn wrong(&self, attack: &AttackResult) -> Vec<String> {
        let cases = self.cases.iter().filter(|case| attack.cases.contains(&case.name));
        let cases = cases.flat_map(|case| {
            case.outcome
                .wrong()
                .into_iter()
                .map(|wrong| format!("{} {}: {wrong}", case.outcome.name(), case.name))
        });
        let trials = self.trials.iter().filter(|trial| attack.trials.iter().any(|name| name == trial.name));
        let trials = trials.filter_map(|trial| match &trial.outcome {
            TrialOutcome::Failed { wrong } => Some(format!("failed {}: {wrong}", trial.name)),
            _ => None,
        });
        cases.chain(trials).collect()
    }

    /// The report as JUnit XML: a suite for each section, a test for each attack.
    pub fn to_junit(&self) -> String {
        let mut suites: Vec<Suite> = Vec::new();
        for attack in &self.attacks {
            let section: String = attack.id.chars().take(1).collect();
            let verdict = match attack.verdict {
                Verdict::Survived => Judged::Passed,
                Verdict::Failed => Judged::Failed("failed", self.wrong(attack)),
                Verdict::Reached => Judged::Failed("reached-the-backing-service", self.wrong(attack)),
                Verdict::NotRunnableRemotely | Verdict::ElsewhereAlone | Verdict::NotCovered => {
                    Judged::Skipped(format!("{}: {}", attack.verdict.name(), attack.evidence()))
                }
            };
            let test = Test {
                name: format!("{} {}", attack.id, attack.sentence),
                milliseconds: self.milliseconds(attack),
                verdict,
                told: attack.evidence(),
            };
            match suites.last_mut().filter(|suite| suite.name == section) {
                Some(suite) => suite.tests.push(test),
                None => suites.push(Suite { name: section, tests: vec![test] }),
            }
        }
        let judged = match self.unadmitted.is_empty() {
            true => Judged::Passed,
            false => Judged::Failed("reached-the-backing-service", self.unadmitted.clone()),
        };
        let name = "nothing reached the backing service without an admission".into();
        let last = Test { name, milliseconds: 0, verdict: judged, told: String::new() };
        if self.backing_is_watched {
            suites.push(Suite { name: "backing service".into(), tests: vec![last] });
        }
        written(&format!("Attacks on {} ({})", self.target, self.environment), &suites)
    }

    fn milliseconds(&self, attack: &AttackResult) -> u64 {
        let cases =
            self.cases.iter().filter(|case| attack.cases.contains(&case.name)).map(|case| case.duration_ms);
        let trials = self.trials.iter().filter(|trial| attack.trials.iter().any(|name| name == trial.name));
        cases.chain(trials.map(|trial| trial.duration_ms)).sum()
    }
}

impl AttackResult {
    /// What the verdict rests on, in a line.
    pub fn evidence(&self) -> String {
        let mut parts = Vec::new();
        if !self.cases.is_empty() || !self.trials.is_empty() {
            let (passed, failed) = (self.passed, self.failed);
            let all = self.cases.len() + self.trials.len();
            parts.push(match failed {
                0 => format!("{passed} of {all} tried here"),
                _ => format!("{passed} of {all} tried here and {failed} failed"),
            });
        }
        if self.not_tried > 0 {
            parts.push(format!("{} not: {}", self.not_tried, self.reasons.join(", ")));
        }
        if !self.elsewhere.is_empty() {
            parts.push(format!("tests: {}", self.elsewhere.join(" ")));
        }
        parts.extend(self.held.as_ref().map(|held| format!("held by: {held}")));
        parts.join("; ")
    }
}

impl Verdict {
    /// One word or few.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Survived => "survived",
            Verdict::Failed => "failed",
            Verdict::Reached => "reached the backing service",
            Verdict::NotRunnableRemotely => "not runnable remotely",
            Verdict::ElsewhereAlone => "covered by the tests alone",
            Verdict::NotCovered => "not covered",
        }
    }
}

impl AttackCounts {
    /// Each with its name.
    pub(super) fn named(&self) -> [(&'static str, usize); 6] {
        [
            (Verdict::Survived.name(), self.survived),
            (Verdict::Failed.name(), self.failed),
            (Verdict::Reached.name(), self.reached),
            (Verdict::NotRunnableRemotely.name(), self.not_runnable_remotely),
            (Verdict::ElsewhereAlone.name(), self.elsewhere_alone),
            (Verdict::NotCovered.name(), self.not_covered),
        ]
    }
}

impl fmt::Display for AttackCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.named().map(|(name, count)| format!("{count} {name}"));
        f.write_str(&parts.join(", "))
    }
}
