//! Which rule is shown by how many cases, and how they came out: made of the results, never written by hand.

use irgw_core::Rule;

use super::{Outcome, Report};
use crate::expect::Shows;
use crate::{Requirements, Skips};

/// A rule's line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Covered {
    pub(crate) rule: Rule,
    /// Cases that show what the rule allows.
    pub(crate) accepted: usize,
    /// Cases that show what it forbids.
    pub(crate) refused: usize,
    pub(crate) passed: usize,
    /// Failed, or reached the backing service.
    pub(crate) failed: usize,
    /// Skipped, not runnable remotely, for another environment.
    pub(crate) not_tried: usize,
    /// Why there is no case of one kind.
    pub(crate) reasons: Vec<String>,
}

impl Report {
    /// The table, in the profile's order.
    pub(crate) fn coverage(&self, requirements: &Requirements, skips: &Skips) -> Vec<Covered> {
        let rules = requirements.rules();
        rules.into_iter().map(|rule| self.covered(rule, skips)).collect()
    }

    fn covered(&self, rule: Rule, skips: &Skips) -> Covered {
        let results: Vec<_> = self.results.iter().filter(|result| result.rule == rule).collect();
        let shown = |shows| results.iter().filter(|result| result.shows == Some(shows)).count();
        let passed = results.iter().filter(|result| matches!(result.outcome, Outcome::Passed { .. })).count();
        let failed = results.iter().filter(|result| !result.outcome.wrong().is_empty()).count();
        let reasons = [Shows::Accepted, Shows::Refused]
            .into_iter()
            .filter_map(|shows| Some(format!("no {} case: {}", shows.name(), skips.reason_of(rule, shows)?)));
        Covered {
            rule,
            accepted: shown(Shows::Accepted),
            refused: shown(Shows::Refused),
            passed,
            failed,
            not_tried: results.len() - passed - failed,
            reasons: reasons.collect(),
        }
    }
}
