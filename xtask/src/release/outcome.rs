//! What a step came to.

use serde::Serialize;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// It was done, and nothing is wrong.
    Passed,
    /// Something is wrong.
    Failed,
    /// It was not done, or not whole; it never counts as passed.
    Skipped,
}

/// How a step ended, and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    /// One line: the figures of a pass, what is wrong, or why it was skipped.
    pub(super) said: String,
    /// What belongs to it, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) details: Vec<String>,
}

impl Outcome {
    pub(super) fn passed(said: impl Into<String>) -> Outcome {
        Outcome { verdict: Verdict::Passed, said: said.into(), details: Vec::new() }
    }

    pub(super) fn failed(said: impl Into<String>) -> Outcome {
        Outcome { verdict: Verdict::Failed, said: said.into(), details: Vec::new() }
    }

    pub(super) fn skipped(said: impl Into<String>) -> Outcome {
        Outcome { verdict: Verdict::Skipped, said: said.into(), details: Vec::new() }
    }

    /// Passed with `said`, unless something was found wrong.
    pub(super) fn unless(wrong: Vec<String>, said: impl Into<String>) -> Outcome {
        match wrong.as_slice() {
            [] => Outcome::passed(said),
            [one] => Outcome::failed(one.as_str()),
            [first, ..] => {
                let more = wrong.len() - 1;
                Outcome::failed(format!("{first}; and {more} more")).with(wrong)
            }
        }
    }

    /// The same with details.
    pub(super) fn with(mut self, details: Vec<String>) -> Outcome {
        self.details = details;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_wrong_is_a_failure() {
        assert_eq!(Outcome::unless(vec![], "good"), Outcome::passed("good"));
        assert_eq!(Outcome::unless(vec!["a".into()], "good"), Outcome::failed("a"));
        let two = Outcome::unless(vec!["a".into(), "b".into()], "good");
        assert_eq!((two.verdict, two.said.as_str()), (Verdict::Failed, "a; and 1 more"));
        assert_eq!(two.details, ["a", "b"]);
    }
}
