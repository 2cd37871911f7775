//! What was found: one line each, with what to do where it is not good.

use std::io::Write;

use irgw_core::Rule;
use serde::Serialize;

use crate::commands::CommandError;

/// Everything that was found, in the order in which it was looked at.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Finding>);

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// What it is about.
    what: &'static str,
    good: bool,
    /// The rule that asks for it.
    rule: Rule,
    /// What was found.
    found: String,
    /// What to do, where it is not good.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

impl Report {
    /// It is as it must be.
    pub(super) fn good(&mut self, what: &'static str, rule: Rule, found: impl Into<String>) {
        self.0.push(Finding { what, good: true, rule, found: found.into(), advice: None });
    }

    /// It is not, and this is to be done.
    pub(super) fn bad(
        &mut self,
        what: &'static str,
        rule: Rule,
        found: impl Into<String>,
        advice: &'static str,
    ) {
        self.0.push(Finding { what, good: false, rule, found: found.into(), advice: Some(advice) });
    }

    /// Writes it down.
    ///
    /// # Errors
    /// When nobody takes it.
    pub(super) fn print(&self, json: bool, out: &mut impl Write) -> Result<(), CommandError> {
        if json {
            writeln!(out, "{}", serde_json::to_string_pretty(&self.0).map_err(CommandError::unusable)?)?;
            return Ok(());
        }
        for Finding { what, good, rule, found, advice } in &self.0 {
            let outcome = if *good { "good" } else { "BAD" };
            let advice = advice.map(|advice| format!("; {advice}")).unwrap_or_default();
            writeln!(out, "{outcome:<5} {what:<20} {rule:<6} {found}{advice}")?;
        }
        Ok(())
    }

    /// Whether all of it is good.
    ///
    /// # Errors
    /// How much is not, with the first rule that asks for it.
    pub(super) fn verdict(&self) -> Result<(), CommandError> {
        let mut bad = self.0.iter().filter(|finding| !finding.good);
        let Some(first) = bad.next() else { return Ok(()) };
        let (bad, all) = (1 + bad.count(), self.0.len());
        Err(CommandError::refused(first.rule, format_args!("{bad} of {all} findings are bad")))
    }
}
