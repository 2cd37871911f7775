//! Whether the cases cover the rules, and say so truthfully.

use std::collections::BTreeSet;

use irgw_core::Rule;
use irgw_tests::{Case, Requirements, Skips, folder, gaps};
use libtest_mimic::Trial;

use crate::environments::ensure;

/// `others` are the names of all other trials.
pub(crate) fn trials(
    cases: &[Case],
    skips: &Skips,
    others: &BTreeSet<String>,
) -> Result<Vec<Trial>, irgw_tests::Error> {
    let requirements = Requirements::read(&folder().join("requirements.toml"))?;
    let missing = gaps(&requirements, cases, skips, others);
    // The authorization server and the file transfer have cases of their own when they are there.
    let later = |rule: &&Rule| {
        ["OA-", "SFTP-", "PGP-", "FILE-", "IRD-"].iter().any(|prefix| rule.id().starts_with(prefix))
    };
    let described = requirements.rules();
    let undescribed: Vec<_> =
        Rule::ALL.iter().filter(|rule| !later(rule) && !described.contains(rule)).copied().collect();
    let untold: Vec<String> = cases
        .iter()
        .filter(|case| case.text.title.trim().is_empty() || case.text.title.ends_with('.'))
        .map(|case| case.name.clone())
        .collect();
    Ok(vec![
        Trial::test("coverage::every_rule_has_a_sentence", move || {
            ensure(undescribed.is_empty(), || format!("no sentence in requirements.toml: {undescribed:?}"))
        }),
        Trial::test("coverage::every_rule_has_an_accepted_and_a_refused_case", move || {
            ensure(missing.is_empty(), || missing.join("\n"))
        }),
        Trial::test("coverage::every_case_says_what_it_shows", move || {
            ensure(untold.is_empty(), || format!("no title, or one that ends in a full stop: {untold:?}"))
        }),
    ])
}
