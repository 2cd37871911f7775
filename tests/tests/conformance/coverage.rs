//! Whether the cases cover the rules, and say so truthfully.

use std::collections::BTreeSet;

use irgw_core::{Channel, Rule};
use irgw_tests::{Case, Requirements, Skips, folder, gaps};
use libtest_mimic::Trial;

use crate::environments::ensure;

/// The service table that a gateway has by itself.
const SERVICES: &str = include_str!("../../../crates/irgw-gateway/src/services.toml");

/// `others` are the names of all other trials.
pub(crate) fn trials(
    cases: &[Case],
    skips: &Skips,
    others: &BTreeSet<String>,
) -> Result<Vec<Trial>, irgw_tests::Error> {
    let requirements = Requirements::read(&folder().join("requirements.toml"))?;
    let missing = gaps(&requirements, cases, skips, others);
    let untried = untried_paths(cases);
    let described = requirements.rules();
    let undescribed: Vec<_> = Rule::ALL.iter().filter(|rule| !described.contains(rule)).copied().collect();
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
        Trial::test("coverage::every_path_of_every_service_has_a_case", move || {
            ensure(untried.is_empty(), || format!("no case in services or environments: {untried:?}"))
        }),
        Trial::test("coverage::every_case_says_what_it_shows", move || {
            ensure(untold.is_empty(), || format!("no title, or one that ends in a full stop: {untold:?}"))
        }),
    ])
}

/// The paths of the service table under which no case of the services asks for anything (D13).
fn untried_paths(cases: &[Case]) -> Vec<String> {
    let table: toml::Table = SERVICES.parse().expect("the gateway itself reads it");
    let rows = table.get("service").and_then(toml::Value::as_array).into_iter().flatten();
    let paths = |channel: &str| -> Vec<String> {
        let lists = rows.clone().filter_map(|row| row.get(channel)?.as_array());
        lists.flatten().filter_map(|path| path.as_str().map(str::to_owned)).collect()
    };
    let (cloud, desktop) = (paths("cloud"), paths("desktop"));
    let tried: BTreeSet<&String> = cases
        .iter()
        .filter(|case| ["services/", "environments/"].iter().any(|area| case.name.starts_with(area)))
        .filter_map(|case| {
            let path = case.text.given.request.path.to_ascii_lowercase();
            let known = if case.text.given.channel == Some(Channel::Desktop) { &desktop } else { &cloud };
            known.iter().filter(|prefix| path.starts_with(prefix.as_str())).max_by_key(|prefix| prefix.len())
        })
        .collect();
    cloud.iter().chain(&desktop).filter(|path| !tried.contains(path)).cloned().collect()
}
