//! What a run found: as a table for a terminal, as Markdown for docs/benchmarks.md, as JSON for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::load::Counted;
use super::statistics::Spread;

/// Everything that one run found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// What is measured, and what it is measured beside.
    pub(super) columns: [&'static str; 2],
    /// Where and with what: name and value.
    pub(super) setting: Vec<(&'static str, String)>,
    pub(super) figures: Vec<Figure>,
}

/// One thing that was measured on the gateway, and on the other server where that makes sense.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Figure {
    pub(super) what: &'static str,
    pub(super) unit: &'static str,
    pub(super) gateway: Option<Spread>,
    pub(super) other: Option<Spread>,
    pub(super) target: Option<Target>,
}

/// What the figure is held to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Target {
    /// The gateway's median at least so many times the other's.
    TimesOther(f64),
    /// The gateway's median at most so many times the other's.
    AtMostTimesOther(f64),
    /// The gateway's median below this.
    Below(f64),
}

impl Figure {
    /// The gateway's median over the other's.
    fn ratio(&self) -> Option<f64> {
        let (gateway, other) = (self.gateway?, self.other?);
        (other.median > 0.0).then(|| gateway.median / other.median)
    }

    /// Whether the target is met; `None` without one, or where a server was not measured.
    fn is_met(&self) -> Option<bool> {
        match self.target? {
            Target::TimesOther(times) => Some(self.ratio()? >= times),
            Target::AtMostTimesOther(times) => Some(self.ratio()? <= times),
            Target::Below(limit) => Some(self.gateway?.median < limit),
        }
    }

    fn cells(&self) -> [String; 5] {
        let spread =
            |spread: Option<Spread>| spread.map_or("–".into(), |spread| spread_text(spread, self.unit));
        let ratio = self.ratio().map_or("–".into(), |ratio| format!("{ratio:.2}"));
        let target = match (self.target, self.is_met()) {
            (None, _) => String::new(),
            (Some(target), met) => {
                let verdict = match met {
                    Some(true) => "met",
                    Some(false) => "MISSED",
                    None => "not measured",
                };
                format!("{}: {verdict}", target_text(target, self.unit))
            }
        };
        [self.what.into(), spread(self.gateway), spread(self.other), ratio, target]
    }
}

/// A figure of what was done per second, which has the target, one of its CPU time and one of the cores it kept busy.
pub(super) fn rates(
    [what, cpu]: [&'static str; 2],
    gateway: &[Counted],
    other: &[Counted],
    target: Option<Target>,
) -> Vec<Figure> {
    let figure = |what, unit, of: fn(&Counted) -> f64, target| {
        let spread = |counted: &[Counted]| Spread::of(counted.iter().map(of).collect());
        Figure { what, unit, gateway: spread(gateway), other: spread(other), target }
    };
    vec![
        figure(what, "/s", |one| one.per_second, target),
        figure(cpu, "µs", |one| one.cpu_us, None),
        figure("  cores that it kept busy", "", |one| one.cores, None),
    ]
}

fn target_text(target: Target, unit: &str) -> String {
    match target {
        Target::TimesOther(times) => format!("≥ {times} ×"),
        Target::AtMostTimesOther(times) => format!("≤ {times} ×"),
        Target::Below(limit) => format!("< {limit} {unit}"),
    }
}

/// `14.2 (13.9 to 14.6) µs`; the bounds are left out where they are all the same.
fn spread_text(spread: Spread, unit: &str) -> String {
    let number = |value: f64| match value {
        _ if value >= 1000.0 => thousands(value),
        _ if value >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.1}"),
    };
    let [median, least, greatest] = [spread.median, spread.least, spread.greatest].map(number);
    match least == greatest {
        true => format!("{median} {unit}"),
        false => format!("{median} ({least} to {greatest}) {unit}"),
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Report {
    fn headings(&self) -> [&'static str; 5] {
        let [gateway, other] = self.columns;
        ["", gateway, other, "ratio", "target"]
    }

    /// Aligned columns.
    pub(super) fn table(&self) -> String {
        let rows: Vec<[String; 5]> = std::iter::once(self.headings().map(String::from))
            .chain(self.figures.iter().map(Figure::cells))
            .collect();
        let widths: [usize; 5] = std::array::from_fn(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        });
        let mut text = String::new();
        for (name, value) in &self.setting {
            writeln!(text, "{name:>12}  {value}").expect("a string takes all");
        }
        text.push('\n');
        for row in &rows {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())
                .expect("a string takes all");
        }
        text
    }

    /// Two Markdown tables: the setting and the figures.
    pub(super) fn markdown(&self) -> String {
        let mut text = String::from("| | |\n|---|---|\n");
        for (name, value) in &self.setting {
            writeln!(text, "| {name} | {value} |").expect("a string takes all");
        }
        writeln!(text, "\n| {} |\n|---|---|---|---|---|", self.headings().join(" | "))
            .expect("a string takes all");
        for figure in &self.figures {
            writeln!(text, "| {} |", figure.cells().join(" | ")).expect("a string takes all");
        }
        text
    }

    /// One JSON object, with the ratios and verdicts worked out.
    pub(super) fn json(&self) -> serde_json::Value {
        let figure = |figure: &Figure| {
            let mut value = serde_json::to_value(figure).unwrap_or_default();
            if let Some(object) = value.as_object_mut() {
                object.insert("ratio".into(), figure.ratio().into());
                object.insert("met".into(), figure.is_met().into());
            }
            value
        };
        let setting: serde_json::Map<_, _> =
            self.setting.iter().map(|(name, value)| ((*name).into(), value.clone().into())).collect();
        serde_json::json!({ "columns": self.columns, "setting": setting, "figures": self.figures.iter().map(figure).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [&str; 2] = ["gateway", "HAProxy"];

    fn figure(gateway: f64, other: f64, target: Target) -> Figure {
        let spread = |median| Spread { median, least: median, greatest: median };
        let (gateway, other) = (Some(spread(gateway)), Some(spread(other)));
        Figure { what: "requests", unit: "/s", gateway, other, target: Some(target) }
    }

    #[test]
    fn a_missed_target_is_said() {
        assert_eq!(figure(30.0, 10.0, Target::TimesOther(3.0)).is_met(), Some(true));
        assert_eq!(figure(29.0, 10.0, Target::TimesOther(3.0)).is_met(), Some(false));
        assert_eq!(figure(11.0, 10.0, Target::AtMostTimesOther(1.0)).is_met(), Some(false));
        assert_eq!(figure(40.0, 10.0, Target::Below(40.0)).is_met(), Some(false));
        let report = Report {
            columns: COLUMNS,
            setting: vec![],
            figures: vec![figure(29.0, 10.0, Target::TimesOther(3.0))],
        };
        assert!(report.table().contains("≥ 3 ×: MISSED"), "{}", report.table());
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        let figure = Figure { other: None, ..figure(30.0, 0.0, Target::TimesOther(3.0)) };
        assert_eq!(figure.is_met(), None);
        assert!(figure.cells().concat().contains("not measured"));
    }

    #[test]
    fn the_three_forms_agree() {
        let report = Report {
            columns: COLUMNS,
            setting: vec![("machine", "one".into())],
            figures: vec![figure(21_000.0, 7000.0, Target::TimesOther(3.0))],
        };
        assert!(report.markdown().contains("| requests | 21,000 /s | 7,000 /s | 3.00 | ≥ 3 ×: met |"));
        assert_eq!(report.json().pointer("/figures/0/ratio").and_then(serde_json::Value::as_f64), Some(3.0));
        assert_eq!(
            report.json().pointer("/setting/machine").and_then(serde_json::Value::as_str),
            Some("one")
        );
    }
}
