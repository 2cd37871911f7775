//! The report as one page for people: the counts, the coverage, what failed, what was not tried, then every rule with its cases.

use std::collections::BTreeMap;

use super::page::{Cell, Page};
use super::{CaseResult, Outcome, Report, Reproduction};
use crate::{Requirements, Skips};

impl Report {
    /// The page.
    pub fn to_html(&self, requirements: &Requirements, skips: &Skips) -> String {
        let mut page = Page::new(
            &format!("Conformance of {} ({})", self.target, self.environment),
            "Each case sends what it says to the gateway and compares the answer, the audit record and what reached the \
             backing service with what its rule asks for. A case that was not tried has not passed.",
        );
        page.section("counts", "Counts");
        let counts = self.counts.named();
        let rows: Vec<_> =
            counts.into_iter().map(|(name, count)| vec![Cell::outcome(name), Cell::text(count)]).collect();
        page.table("How the cases came out", &["outcome", "cases"], &rows);
        page.paragraph(match self.backing_is_watched {
            true => "What reached the backing service is known from its own log.",
            false => "What reached the backing service is not known: dev.json names no sample_log that can be read here.",
        });
        page.section("coverage", "Coverage");
        self.coverage_table(&mut page, requirements, skips);
        page.section("failed", "Failed");
        self.failures(&mut page);
        page.section("not-tried", "Not tried");
        self.not_tried(&mut page);
        page.section("by-hand", "By hand");
        page.paragraph(
            "The lines under “curl” are for a shell in the folder of dev.json, with irgw, curl and jq on the PATH. What a case \
             changes in a certificate or a token only the runner can make; it saves them on demand. Any case runs by itself:",
        );
        page.verbatim("cargo xtask conformance --identity dev.json --only NAME-OF-THE-CASE");
        for section in requirements.sections() {
            let first = section.rules.first().map(|(rule, _)| rule.to_string()).unwrap_or_default();
            page.section(&format!("section-{first}"), section.title);
            for (rule, sentence) in &section.rules {
                page.heading(&rule.to_string(), &rule.to_string());
                page.paragraph(sentence);
                let results = self.results.iter().filter(|result| result.rule == *rule);
                let rows: Vec<_> = results.map(row).collect();
                if !rows.is_empty() {
                    page.table(&format!("Cases of {rule}"), &COLUMNS, &rows);
                }
            }
        }
        page.finish()
    }

    fn coverage_table(&self, page: &mut Page, requirements: &Requirements, skips: &Skips) {
        let rows = self.coverage(requirements, skips).into_iter().map(|covered| {
            let rule = covered.rule.to_string();
            let counts =
                [covered.accepted, covered.refused, covered.passed, covered.failed, covered.not_tried];
            let mut row = vec![Cell::link(&rule, &rule)];
            row.extend(counts.into_iter().map(Cell::text));
            row.push(Cell::lines(covered.reasons));
            row
        });
        let columns =
            ["rule", "accepted cases", "refused cases", "passed", "failed", "not tried", "why none"];
        page.table("Cases of each rule", &columns, &rows.collect::<Vec<_>>());
    }

    fn failures(&self, page: &mut Page) {
        let failed = self.results.iter().filter(|result| !result.outcome.wrong().is_empty());
        let rows = failed.map(|result| {
            vec![
                Cell::link(&result.rule.to_string(), &result.name),
                Cell::text(&result.title),
                Cell::outcome(result.outcome.name()),
                Cell::lines(result.outcome.wrong()),
            ]
        });
        let rows: Vec<_> = rows.collect();
        match rows.is_empty() {
            true => page.paragraph("No case failed."),
            false => page.table("What was wrong", &["case", "fact", "outcome", "differences"], &rows),
        }
    }

    fn not_tried(&self, page: &mut Page) {
        let mut reasons = BTreeMap::<(&str, &str), Vec<&str>>::new();
        for result in &self.results {
            if matches!(
                result.outcome,
                Outcome::Skipped { .. } | Outcome::NotRunnableRemotely { .. } | Outcome::OtherEnvironment
            ) {
                let key = (result.outcome.name(), result.outcome.came());
                reasons.entry(key).or_default().push(&result.name);
            }
        }
        let rows = reasons.into_iter().map(|((name, reason), cases)| {
            let count = format!("{} cases", cases.len());
            vec![Cell::outcome(name), Cell::text(reason), Cell::folded(&count, &cases.join("\n"))]
        });
        let rows: Vec<_> = rows.collect();
        match rows.is_empty() {
            true => page.paragraph("Every case was tried."),
            false => {
                page.table("Cases that were not tried, by reason", &["outcome", "reason", "cases"], &rows)
            }
        }
    }
}

const COLUMNS: [&str; 7] = ["case", "sent", "expected", "came back", "ms", "outcome", "by hand"];

fn row(result: &CaseResult) -> Vec<Cell> {
    let sent = result.sent.iter().map(|fact| format!("{}: {}", fact.what, shortened(&fact.how)));
    let attacks = result.attacks.join(" ");
    let name = [result.name.as_str(), &result.title, &attacks];
    let came = [result.outcome.came().to_owned()].into_iter().chain(result.outcome.wrong());
    vec![
        Cell::lines(name.into_iter().filter(|text| !text.is_empty())),
        Cell::lines(sent),
        Cell::text(&result.expected),
        Cell::lines(came),
        Cell::text(result.duration_ms),
        Cell::outcome(result.outcome.name()),
        match &result.reproduce {
            Reproduction::Curl { lines } => Cell::folded("curl", &lines.join("\n")),
            Reproduction::Runner { why } => Cell::text(format_args!("by the runner: {why}")),
        },
    ]
}

/// The beginning of what is long.
fn shortened(text: &str) -> String {
    const LONG: usize = 400;
    let mut out: String = text.chars().take(LONG).collect();
    if text.chars().nth(LONG).is_some() {
        out.push_str(" …");
    }
    out
}
