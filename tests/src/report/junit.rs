//! Results as JUnit XML, as CI systems read it.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::xml::escaped;
use super::{Outcome, Report};

/// Tests that belong together.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) tests: Vec<Test>,
}

/// One test.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) name: String,
    pub(crate) milliseconds: u64,
    pub(crate) verdict: Verdict,
    /// What else there is to say.
    pub(crate) told: String,
}

/// How it came out.
#[derive(Debug)]
pub(crate) enum Verdict {
    Passed,
    /// The kind of failure, and what was wrong.
    Failed(&'static str, Vec<String>),
    /// Not tried, and why.
    Skipped(String),
}

/// The document.
pub(crate) fn written(name: &str, suites: &[Suite]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all = suites.iter().flat_map(|suite| &suite.tests);
    let _ = writeln!(out, "<testsuites name=\"{}\"{}>", escaped(name), counted(all));
    for suite in suites {
        let _ =
            writeln!(out, "  <testsuite name=\"{}\"{}>", escaped(&suite.name), counted(suite.tests.iter()));
        for test in &suite.tests {
            one(&mut out, &suite.name, test);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn one(out: &mut String, suite: &str, test: &Test) {
    let (suite, name) = (escaped(suite), escaped(&test.name));
    let seconds = seconds(test.milliseconds);
    let _ = writeln!(out, "    <testcase classname=\"{suite}\" name=\"{name}\" time=\"{seconds}\">");
    match &test.verdict {
        Verdict::Passed => {}
        Verdict::Failed(kind, wrong) => {
            let (first, all) = (wrong.first().map_or("", String::as_str), wrong.join("\n"));
            let (first, all) = (escaped(first), escaped(&all));
            let _ = writeln!(out, "      <failure type=\"{kind}\" message=\"{first}\">{all}</failure>");
        }
        Verdict::Skipped(why) => {
            let _ = writeln!(out, "      <skipped message=\"{}\"/>", escaped(why));
        }
    }
    if !test.told.is_empty() {
        let _ = writeln!(out, "      <system-out>{}</system-out>", escaped(&test.told));
    }
    out.push_str("    </testcase>\n");
}

/// The attributes that count tests.
fn counted<'a>(tests: impl Iterator<Item = &'a Test>) -> String {
    let (mut all, mut failed, mut skipped, mut milliseconds) = (0_u32, 0_u32, 0_u32, 0);
    for test in tests {
        all += 1;
        failed += u32::from(matches!(test.verdict, Verdict::Failed(..)));
        skipped += u32::from(matches!(test.verdict, Verdict::Skipped(_)));
        milliseconds += test.milliseconds;
    }
    let seconds = seconds(milliseconds);
    format!(" tests=\"{all}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" time=\"{seconds}\"")
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

impl Report {
    /// The report as JUnit XML: a suite for each rule. What was not tried is skipped, with its reason.
    pub fn to_junit(&self) -> String {
        let mut suites = BTreeMap::<_, Vec<Test>>::new();
        for result in &self.results {
            let verdict = match &result.outcome {
                Outcome::Passed { .. } => Verdict::Passed,
                Outcome::Failed { .. } => Verdict::Failed("failed", result.outcome.wrong()),
                Outcome::Reached { .. } => {
                    Verdict::Failed("reached-the-backing-service", result.outcome.wrong())
                }
                Outcome::Skipped { reason } => Verdict::Skipped(reason.clone()),
                Outcome::NotRunnableRemotely { reason } => {
                    Verdict::Skipped(format!("not runnable remotely: {reason}"))
                }
                Outcome::OtherEnvironment => Verdict::Skipped("for another environment".into()),
            };
            let (title, tried, expected) = (&result.title, &result.tried, &result.expected);
            let came = result.outcome.came();
            suites.entry(result.rule).or_default().push(Test {
                name: result.name.clone(),
                milliseconds: result.duration_ms,
                verdict,
                told: format!("{title}\ntried: {tried}\nexpected: {expected}\ncame back: {came}"),
            });
        }
        let suite = |(rule, tests): (irgw_core::Rule, _)| Suite { name: rule.to_string(), tests };
        let suites: Vec<_> = suites.into_iter().map(suite).collect();
        written(&format!("Conformance of {} ({})", self.target, self.environment), &suites)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_and_skips_are_counted_and_escaped() {
        let test = |name: &str, verdict| Test {
            name: name.into(),
            milliseconds: 1500,
            verdict,
            told: "a\u{0}b".into(),
        };
        let suite = Suite {
            name: "TLS-1".into(),
            tests: vec![
                test("good", Verdict::Passed),
                test("bad", Verdict::Failed("failed", vec!["<200> & \u{1b}".into(), "more".into()])),
                test("left", Verdict::Skipped("needs \"a clock\"".into())),
            ],
        };
        let text = written("a", &[suite]);
        assert!(
            text.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"4.500\""),
            "{text}"
        );
        assert!(
            text.contains("message=\"&lt;200&gt; &amp; \\u{1b}\">&lt;200&gt; &amp; \\u{1b}\nmore</failure>"),
            "{text}"
        );
        assert!(text.contains("<skipped message=\"needs &quot;a clock&quot;\"/>"), "{text}");
        assert!(!text.contains('\u{0}') && !text.contains('\u{1b}'), "{text}");
    }
}
