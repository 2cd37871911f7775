//! The cases as named tests, and the tests against software that this project did not write.
//!
//! `cargo test -p irgw-tests -- m2m/exp` runs what has that in its name. The gateway under test is this binary itself, started
//! again as `irgw`; `IRGW_BIN=PATH` names another one.

mod attacks;
mod backing;
mod browser;
mod changes;
mod command_line;
mod connections;
mod coverage;
mod curl;
mod deliveries;
mod documents;
mod enrolment;
mod environments;
mod fetching;
mod files;
mod floods;
mod forwarding;
mod kills;
mod obstacles;
mod opener;
mod operator;
mod peers;
mod pooling;
mod postgres;
mod races;
mod refresh;
mod scan;
mod sdk;
mod sending;
mod sets;
mod shell;
mod sshd;
mod stalling;
mod submissions;
mod tools;

use std::process::ExitCode;
use std::sync::Arc;

use irgw_tests::{CLOCK, Case, Outcome, Skips, attempt, folder};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use environments::{Environments, RUN_THE_GATEWAY};

/// What a trial comes to: done, or not done and why.
type Result<T = Completion> = std::result::Result<T, Failed>;

fn main() -> ExitCode {
    if std::env::var_os(RUN_THE_GATEWAY).is_some() {
        return match std::env::var(CLOCK).ok().and_then(|seconds| seconds.parse().ok()) {
            Some(seconds) => environments::serve_at(seconds),
            None => irgw_gateway::cli::main(),
        };
    }
    let mut arguments = Arguments::from_args();
    // Most of a trial's time goes by in waiting for the audit log's next batch.
    arguments.test_threads.get_or_insert(8);
    let environments = Arc::new(Environments::default());
    let trials = match trials(&environments) {
        Ok(trials) => trials,
        Err(error) => vec![Trial::test("cases::can_be_read", move || Err(error.to_string().into()))],
    };
    let conclusion = libtest_mimic::run(&arguments, trials);
    let panics = environments.panics();
    // Stops the gateways; a static or an exit would leave them running.
    drop(environments);
    if !panics.is_empty() {
        say(&format!("FAILED: gateways have panicked (D20)\n{}", panics.join("\n")));
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

fn trials(environments: &Arc<Environments>) -> std::result::Result<Vec<Trial>, irgw_tests::Error> {
    let cases = Case::read_all(&folder().join("cases"))?;
    let skips = Arc::new(Skips::read(&folder().join("skips.toml"))?);
    let mut trials = Vec::new();
    for environment in irgw_core::Environment::ALL.iter().copied() {
        let cases = cases.iter().filter(|case| case.text.environments.contains(&environment));
        // nextest runs each trial in a process of its own, which would start a gateway for each.
        if std::env::var_os("NEXTEST").is_some() {
            let (cases, environments, skips) =
                (cases.cloned().collect::<Vec<_>>(), environments.clone(), skips.clone());
            let name = format!("{environment}::all_cases");
            trials.push(Trial::test(name, move || all(&environments, environment, &cases, &skips)));
            continue;
        }
        trials.extend(cases.cloned().map(|case| {
            let (environments, skips) = (environments.clone(), skips.clone());
            let name = format!("{environment}::{}", case.name);
            Trial::ignorable_test(name, move || one(&environments, environment, &case, &skips))
        }));
    }
    for more in [
        attacks::trials,
        browser::trials,
        changes::trials,
        command_line::trials,
        connections::trials,
        curl::trials,
        deliveries::trials,
        enrolment::trials,
        fetching::trials,
        files::trials,
        floods::trials,
        forwarding::trials,
        kills::trials,
        obstacles::trials,
        operator::trials,
        peers::trials,
        pooling::trials,
        postgres::trials,
        races::trials,
        scan::trials,
        sdk::trials,
        shell::trials,
        stalling::trials,
        submissions::trials,
    ] {
        trials.extend(more(environments));
    }
    trials.extend(documents::trials(&cases));
    let names = trials.iter().map(|trial| trial.name().to_owned()).collect();
    trials.extend(coverage::trials(&cases, &skips, &names)?);
    Ok(trials)
}

fn one(
    environments: &Environments,
    environment: irgw_core::Environment,
    case: &Case,
    skips: &Skips,
) -> Result {
    let target = environments.target(environment)?;
    let result = attempt(&target, case, skips);
    match result.outcome {
        Outcome::Passed { .. } => Ok(Completion::Completed),
        Outcome::Skipped { reason } => Ok(skipped(&reason)),
        // Another binary has no clock that can be set.
        Outcome::NotRunnableRemotely { reason } if std::env::var_os("IRGW_BIN").is_some() => {
            Ok(skipped(&reason))
        }
        Outcome::Failed { came, wrong } => {
            let wrong = wrong.join("\n  ");
            Err(format!("{}: {}\n  came back: {came}\n  {wrong}", case.text.rule, case.text.title).into())
        }
        Outcome::Reached { seen, wrong, .. } => {
            let (rule, title) = (case.text.rule, &case.text.title);
            Err(format!(
                "{rule}: {title}\n  it reached the backing service: {seen:?}\n  {}",
                wrong.join("\n  ")
            )
            .into())
        }
        other => Err(format!("a local run must run every case, and this came out as {other:?}").into()),
    }
}

fn all(
    environments: &Environments,
    environment: irgw_core::Environment,
    cases: &[Case],
    skips: &Skips,
) -> std::result::Result<(), Failed> {
    let target = environments.target(environment)?;
    let report = irgw_tests::run(&target, cases, skips, &irgw_tests::Selection::default());
    if report.is_clean() { Ok(()) } else { Err(report.to_text().into()) }
}

/// Says why something was not done; it does not count as passed.
fn skipped(reason: &str) -> Completion {
    say(&format!("SKIPPED: {reason}"));
    Completion::ignored_with(reason)
}

#[expect(
    clippy::print_stderr,
    reason = "whoever reads a test run must see what was not tested, and what panicked"
)]
fn say(line: &str) {
    eprintln!("{line}");
}
