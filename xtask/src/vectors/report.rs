//! What was judged and what came of it, by group: for people and for machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::case::{Judged, Outcome};
use super::differences::{Differences, Unused};

/// A run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) suites: Vec<Suite>,
    /// Files that were looked for and not found.
    pub(super) absent: Vec<PathBuf>,
}

/// Vectors of one source.
#[derive(Debug, Serialize)]
pub(super) struct Suite {
    pub(super) name: &'static str,
    files: Vec<PathBuf>,
    pub(super) total: Counts,
    /// Without the groups of x509-limbo that hold what the CA/Browser Forum asks of public authorities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outside_webpki: Option<Counts>,
    groups: BTreeMap<String, Counts>,
    /// What is not as expected, in the vectors' order.
    differences: Vec<Difference>,
    /// Entries of the list whose cases no longer differ.
    pub(super) stale: Vec<String>,
    /// Entries of the list whose cases are not there.
    pub(super) unknown: Vec<String>,
}

/// How many cases came out how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) cases: usize,
    pub(super) right: usize,
    pub(super) wrongly_accepted: usize,
    pub(super) wrongly_refused: usize,
    /// Of those wrongly accepted and refused: how many have a reason in the list.
    pub(super) explained: usize,
    pub(super) skipped: usize,
    pub(super) crashed: usize,
    pub(super) hung: usize,
}

/// A case that did not come out as expected.
#[derive(Debug, Serialize)]
struct Difference {
    id: String,
    expected: &'static str,
    got: &'static str,
    context: Option<String>,
    /// Why that is wanted.
    reason: Option<String>,
}

impl Suite {
    /// Counts what was judged, and looks up what differs.
    pub(super) fn new(
        name: &'static str,
        files: Vec<PathBuf>,
        cases: &[Judged],
        list: &Differences,
    ) -> Suite {
        let (mut total, mut outside_webpki) = (Counts::default(), Counts::default());
        let mut groups: BTreeMap<String, Counts> = BTreeMap::new();
        let mut differences = Vec::new();
        for case in cases {
            let reason = list.reason(case);
            let group = groups.entry(case.group().to_owned()).or_default();
            let counts = [Some(&mut total), Some(group), (!is_webpki(case)).then_some(&mut outside_webpki)];
            counts.into_iter().flatten().for_each(|counts| counts.add(case, reason.is_some()));
            if !case.is_right() {
                differences.push(Difference {
                    id: case.id.clone(),
                    expected: case.expected.name(),
                    got: case.outcome.name(),
                    context: case.outcome.context().map(str::to_owned),
                    reason: reason.map(str::to_owned),
                });
            }
        }
        let outside_webpki = (outside_webpki != total).then_some(outside_webpki);
        let Unused { stale, unknown } = list.unused(cases);
        Suite { name, files, total, outside_webpki, groups, differences, stale, unknown }
    }

    /// The same, of cases that the list was not made for: what it explains is explained, and what it lacks is no fault.
    pub(super) fn of_another_set(self) -> Suite {
        Suite { stale: Vec::new(), unknown: Vec::new(), ..self }
    }

    /// Whether everything that differs is wanted.
    pub(super) fn is_clean(&self) -> bool {
        let Counts { wrongly_accepted, wrongly_refused, explained, crashed, hung, .. } = self.total;
        wrongly_accepted + wrongly_refused == explained && crashed + hung == 0 && self.stale.is_empty()
    }
}

fn is_webpki(case: &Judged) -> bool {
    case.id.starts_with("webpki::")
}

impl Counts {
    fn add(&mut self, case: &Judged, is_explained: bool) {
        self.cases += 1;
        self.right += usize::from(case.is_right());
        self.wrongly_accepted += usize::from(case.is_wrongly_accepted());
        self.wrongly_refused += usize::from(case.is_wrongly_refused());
        self.explained += usize::from(is_explained);
        self.skipped += usize::from(matches!(case.outcome, Outcome::Skipped(_)));
        self.crashed += usize::from(matches!(case.outcome, Outcome::Crashed(_)));
        self.hung += usize::from(case.outcome == Outcome::Hung);
    }
}

impl Report {
    /// Whether nothing differs without a reason, and no reason without a difference.
    pub(super) fn is_clean(&self) -> bool {
        self.suites.iter().all(Suite::is_clean)
    }

    /// For machines.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("counts and texts can be written")
    }

    /// For people.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        for suite in &self.suites {
            text.push_str(&suite.to_text());
        }
        for path in &self.absent {
            text.push_str(&format!("SKIPPED: there is no {}\n", path.display()));
        }
        text
    }
}

impl Suite {
    /// For people.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("a text can be written to");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{}", self.name)?;
        for path in &self.files {
            writeln!(text, "  {}", path.display())?;
        }
        let rows = self.groups.iter().map(|(name, counts)| (name.as_str(), counts));
        let ends = self.outside_webpki.iter().map(|counts| ("all but webpki", counts));
        let rows: Vec<_> = rows.chain(ends).chain([("all", &self.total)]).collect();
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        write!(text, "  {:width$}", "group")?;
        for (heading, width) in COLUMNS {
            write!(text, "  {heading:>width$}")?;
        }
        writeln!(text)?;
        for (name, counts) in rows {
            write!(text, "  {name:width$}")?;
            for ((_, width), number) in COLUMNS.into_iter().zip(counts.cells()) {
                write!(text, "  {number:>width$}")?;
            }
            writeln!(text)?;
        }
        for Difference { id, expected, got, context, .. } in self.unexplained() {
            let context = context.as_ref().map(|context| format!(": {context}")).unwrap_or_default();
            writeln!(text, "  {id}: expected {expected}, {got}{context}")?;
        }
        for entry in &self.stale {
            writeln!(
                text,
                "  {entry}: is listed as a difference, and no longer differs: take it off the list"
            )?;
        }
        if !self.unknown.is_empty() {
            writeln!(text, "  {} entries of the list name no case of these", self.unknown.len())?;
        }
        Ok(())
    }

    /// Skipped cases among them.
    fn unexplained(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| difference.reason.is_none())
    }
}

const COLUMNS: [(&str, usize); 8] = [
    ("cases", 5),
    ("right", 5),
    ("wrongly accepted", 16),
    ("wrongly refused", 15),
    ("explained", 9),
    ("skipped", 7),
    ("crashed", 7),
    ("hung", 4),
];

impl Counts {
    fn cells(&self) -> [usize; COLUMNS.len()] {
        let Counts { cases, right, wrongly_accepted, wrongly_refused, explained, skipped, crashed, hung } =
            *self;
        [cases, right, wrongly_accepted, wrongly_refused, explained, skipped, crashed, hung]
    }
}
