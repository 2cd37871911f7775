//! The attacks as one page for people: the counts, then every section's table, then the trials.

use super::Attacks;
use super::report::{AttackReport, AttackResult, TrialOutcome};
use crate::report::page::{Cell, Page};

impl AttackReport {
    /// The page.
    pub fn to_html(&self, attacks: &Attacks) -> String {
        let mut page = Page::new(
            &format!("Attacks on {} ({})", self.target, self.environment),
            "Each attack is carried out by the cases and trials that carry its id. What cannot be tried at this target says so, with \
             the tests that show it elsewhere; it has not been survived here.",
        );
        page.section("counts", "Counts");
        let counts = self.counts.named();
        let rows: Vec<_> =
            counts.into_iter().map(|(name, count)| vec![Cell::outcome(name), Cell::text(count)]).collect();
        page.table("How the attacks came out", &["outcome", "attacks"], &rows);
        page.section("backing", "What reached the backing service");
        self.backing(&mut page);
        for section in attacks.sections() {
            let of_it = self.attacks.iter().filter(|attack| attack.id.starts_with(&section.id));
            let rows: Vec<_> = of_it.map(|attack| self.row(attack)).collect();
            if rows.is_empty() {
                continue;
            }
            page.section(&format!("section-{}", section.id), &format!("{}. {}", section.id, section.title));
            let columns = [
                "attack",
                "what is tried, and what must come of it",
                "outcome",
                "evidence",
                "cases and trials",
                "tests elsewhere",
            ];
            page.table(&format!("Attacks of section {}", section.id), &columns, &rows);
        }
        page.section("trials", "Trials");
        self.trials(&mut page);
        page.paragraph(
            "Each case's request and how to send it by hand are in the report of cargo xtask conformance.",
        );
        page.finish()
    }

    fn backing(&self, page: &mut Page) {
        if !self.backing_is_watched {
            page.paragraph("Not known: dev.json names no sample_log that can be read here.");
        } else if self.unadmitted.is_empty() {
            page.paragraph("Every request that the backing service saw is one that an audit record admits.");
        } else {
            let rows: Vec<_> = self.unadmitted.iter().map(|seen| vec![Cell::text(seen)]).collect();
            page.table("Requests that nothing admitted", &["request"], &rows);
        }
    }

    fn row(&self, attack: &AttackResult) -> Vec<Cell> {
        let names: Vec<_> = attack.cases.iter().chain(&attack.trials).map(String::as_str).collect();
        let folded = |what: &str, names: &[&str]| match names {
            [] => Cell::text("none"),
            names => Cell::folded(&format!("{} {what}", names.len()), &names.join("\n")),
        };
        let tried = match attack.cases.is_empty() && attack.trials.is_empty() {
            true => String::new(),
            false => format!(
                "{} came out as they must, {} did not, {} were not tried",
                attack.passed, attack.failed, attack.not_tried
            ),
        };
        let evidence = [tried].into_iter().chain(attack.reasons.iter().cloned()).chain(attack.held.clone());
        let evidence = evidence.chain(self.wrong(attack)).filter(|line| !line.is_empty());
        let elsewhere: Vec<_> = attack.elsewhere.iter().map(String::as_str).collect();
        vec![
            Cell::text(&attack.id),
            Cell::text(&attack.sentence),
            Cell::outcome(attack.verdict.name()),
            Cell::lines(evidence),
            folded("here", &names),
            folded("tests", &elsewhere),
        ]
    }

    fn trials(&self, page: &mut Page) {
        let rows = self.trials.iter().map(|trial| {
            let (name, told) = match &trial.outcome {
                TrialOutcome::Survived { came } => ("survived", came),
                TrialOutcome::Failed { wrong } => ("failed", wrong),
                TrialOutcome::NotRunnable { reason } => ("not runnable here", reason),
            };
            vec![
                Cell::text(trial.name),
                Cell::text(trial.attacks.join(" ")),
                Cell::text(trial.title),
                Cell::outcome(name),
                Cell::text(told),
                Cell::text(trial.duration_ms),
            ]
        });
        let columns = ["trial", "attacks", "what is done", "outcome", "what came of it", "ms"];
        page.table("Attacks that are more than one request", &columns, &rows.collect::<Vec<_>>());
    }
}
