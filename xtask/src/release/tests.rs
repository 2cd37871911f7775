//! What cannot be used is refused before anything is done, and nothing is published beside a failure.

use std::time::Duration;

use clap::Parser;

use super::*;
use crate::Cli;

#[derive(Debug, Parser)]
struct Alone {
    #[command(flatten)]
    args: Args,
}

fn args(words: &[&str]) -> Args {
    Alone::try_parse_from([&["release"], words].concat()).unwrap().args
}

fn release() -> Release {
    let tree = Tree { commit: "0".repeat(40), epoch: 0, changes: vec![], tags: vec![], baseline: None };
    Release {
        workspace: workspace::fixture(&["a 1.0.0:"]),
        tree,
        rustc: String::new(),
        folder: PathBuf::new(),
        stage: Stage::Publication,
    }
}

fn report(rows: &[(Step, Outcome)]) -> Report {
    let rows = rows.iter().map(|(step, outcome)| Row::new(&step.name(), outcome.clone(), Duration::ZERO));
    Report {
        version: "1.0.0".into(),
        commit: String::new(),
        rustc: String::new(),
        publish: true,
        steps: rows.collect(),
    }
}

#[test]
fn publishing_takes_a_flag_and_the_whole_of_a_clean_tree() {
    assert!(!args(&[]).publish);
    for words in [["--publish", "--dry-run"], ["--publish", "--allow-dirty"], ["--without", "semver"]] {
        assert!(Alone::try_parse_from([&["release"], &words[..]].concat()).is_err(), "{words:?}");
    }
    assert!(Alone::try_parse_from(["release", "--publish", "--only", "deny"]).is_err());
}

#[test]
fn nothing_is_published_beside_a_failure_or_a_skip_that_nobody_accepted() {
    let failed = report(&[(Step::Deny, Outcome::failed("a")), (Step::Semver, Outcome::skipped("b"))]);
    let outcome = args(&["--publish", "--without", "deny,semver"]).publish(&release(), &failed).unwrap();
    assert_eq!(outcome, Outcome::failed("nothing was published: deny did not pass"));

    let skipped = report(&[(Step::Deny, Outcome::passed("a")), (Step::Semver, Outcome::skipped("b"))]);
    let outcome = args(&["--publish", "--without", "deny"]).publish(&release(), &skipped).unwrap();
    assert_eq!(outcome, Outcome::failed("nothing was published: semver did not pass"));
}

#[test]
fn unknown_step_is_one_line() {
    let line = Cli::complaint(["cargo xtask", "release", "--only", "tree,cheks"]);
    assert!(line.starts_with("error: invalid value 'cheks' for '--only <STEP>'"), "{line}");
    assert!(!line.contains('\n') && line.contains("checksums"), "{line}");
}

#[test]
fn publishing_is_the_last_step() {
    assert_eq!(Step::value_variants().last(), Some(&Step::Publish));
}
