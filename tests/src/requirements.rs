//! The rules in plain sentences, and whether the cases cover them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use irgw_core::Rule;
use serde::Deserialize;

use crate::Error;
use crate::case::Case;
use crate::expect::Shows;

/// `requirements.toml`: every rule of the profile's sections that the cases cover, each in one sentence.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirements {
    section: Vec<SectionText>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SectionText {
    title: String,
    rules: BTreeMap<String, String>,
}

/// A section of the profile.
#[derive(Debug, Clone)]
pub struct Section<'a> {
    /// Its heading.
    pub title: &'a str,
    /// Its rules in order, each with its sentence.
    pub rules: Vec<(Rule, &'a str)>,
}

impl Requirements {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or names a rule that there is not.
    pub fn read(path: &Path) -> Result<Requirements, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        let requirements: Requirements =
            toml::from_str(&text).map_err(|error| Error::content(path, error))?;
        for id in requirements.section.iter().flat_map(|section| section.rules.keys()) {
            id.parse::<Rule>().map_err(|_| Error::content(path, format_args!("there is no rule {id}")))?;
        }
        Ok(requirements)
    }

    /// The sections, each with its rules in the profile's order.
    pub fn sections(&self) -> Vec<Section<'_>> {
        self.section
            .iter()
            .map(|text| {
                let sentence = |rule: &Rule| Some((*rule, text.rules.get(rule.id())?.as_str()));
                Section { title: &text.title, rules: Rule::ALL.iter().filter_map(sentence).collect() }
            })
            .collect()
    }

    /// Every rule that has a sentence.
    pub fn rules(&self) -> BTreeSet<Rule> {
        self.sections().iter().flat_map(|section| section.rules.iter().map(|(rule, _)| *rule)).collect()
    }
}

/// `skips.toml`: what is left out, each with its reason.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skips {
    /// Cases that do not run.
    #[serde(default)]
    case: Vec<SkippedCase>,
    /// Rules without a case of one kind.
    #[serde(default)]
    rule: Vec<SkippedRule>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SkippedCase {
    name: String,
    reason: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SkippedRule {
    rule: Rule,
    shows: Shows,
    reason: String,
    /// The trial of `tests/conformance` that shows it instead.
    #[serde(default)]
    trial: Option<String>,
}

impl Skips {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> Result<Skips, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        toml::from_str(&text).map_err(|error| Error::content(path, error))
    }

    /// Why a case does not run, if it does not.
    pub fn reason(&self, case: &str) -> Option<&str> {
        self.case.iter().find(|skip| skip.name == case).map(|skip| skip.reason.as_str())
    }

    /// Why a rule has no case of one kind, with the trial that shows it instead.
    pub fn reason_of(&self, rule: Rule, shows: Shows) -> Option<String> {
        let skip = self.rule.iter().find(|skip| (skip.rule, skip.shows) == (rule, shows))?;
        let trial = skip.trial.as_ref().map(|trial| format!("; instead {trial}")).unwrap_or_default();
        Some(format!("{}{trial}", skip.reason))
    }
}

/// What is wrong with the coverage: a rule without an accepted or without a refused case and no skip that says why; a skip
/// that matches nothing, that nothing needs any more, or whose trial is none of `trials`.
pub fn gaps(
    requirements: &Requirements,
    cases: &[Case],
    skips: &Skips,
    trials: &BTreeSet<String>,
) -> Vec<String> {
    let mut gaps = Vec::new();
    let running = cases.iter().filter(|case| skips.reason(&case.name).is_none());
    let shown: BTreeSet<_> =
        running.filter_map(|case| Some((case.text.rule, case.text.expect.shows()?))).collect();
    for rule in requirements.rules() {
        for shows in [Shows::Accepted, Shows::Refused] {
            let skip = skips.rule.iter().find(|skip| (skip.rule, skip.shows) == (rule, shows));
            match (shown.contains(&(rule, shows)), skip) {
                (false, None) => {
                    gaps.push(format!("{rule} has no {} case, and no skip says why", shows.name()))
                }
                (true, Some(_)) => {
                    gaps.push(format!("the skip of {rule} {} is not needed: there is a case", shows.name()))
                }
                _ => {}
            }
        }
    }
    for case in cases.iter().filter(|case| !requirements.rules().contains(&case.text.rule)) {
        gaps.push(format!(
            "{} tests {}, which has no sentence in requirements.toml",
            case.name, case.text.rule
        ));
    }
    for skip in skips.case.iter().filter(|skip| !cases.iter().any(|case| case.name == skip.name)) {
        gaps.push(format!("the skip of {} matches no case", skip.name));
    }
    let reasons =
        skips.case.iter().map(|skip| &skip.reason).chain(skips.rule.iter().map(|skip| &skip.reason));
    if reasons.into_iter().any(|reason| reason.trim().is_empty()) {
        gaps.push("a skip has no reason".into());
    }
    for skip in skips.rule.iter().filter(|skip| !requirements.rules().contains(&skip.rule)) {
        gaps.push(format!("the skip of {} matches no rule", skip.rule));
    }
    let named = skips.rule.iter().filter_map(|skip| skip.trial.as_ref());
    for trial in named.filter(|trial| !trials.contains(*trial)) {
        gaps.push(format!("a skip names the trial {trial}, which there is not"));
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skip_that_names_no_trial_is_a_gap() {
        let requirements: Requirements = toml::from_str("section = []").unwrap();
        let skip = "[[rule]]\nrule = \"CN-1\"\nshows = \"refused\"\nreason = \"later\"\ntrial = \"a::b\"";
        let skips: Skips = toml::from_str(skip).unwrap();
        let named = |trials: BTreeSet<String>| {
            gaps(&requirements, &[], &skips, &trials).iter().any(|gap| gap.contains("a::b"))
        };
        assert!(named(BTreeSet::new()));
        assert!(!named(BTreeSet::from(["a::b".to_owned()])));
    }
}
