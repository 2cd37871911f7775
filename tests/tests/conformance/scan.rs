//! The scanners of others, as trials; what they find and what stands is in scan.toml. testssl.sh takes minutes, so it is left to
//! `cargo xtask scan`.

use std::sync::Arc;

use irgw_core::Environment;
use irgw_tests::folder;
use irgw_tests::scan::{Explanations, Scanner, Surface};
use libtest_mimic::{Completion, Trial};

use crate::environments::{Environments, ensure};
use crate::{Result, skipped};

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |scanner: Scanner| {
        let environments = environments.clone();
        let name = format!("scan::{}_finds_nothing_unexplained", scanner.name().replace('-', "_"));
        Trial::ignorable_test(name, move || finds_nothing_unexplained(&environments, scanner))
    };
    [Scanner::SshAudit, Scanner::Http2, Scanner::Schemathesis, Scanner::Sslyze].map(trial).into()
}

fn finds_nothing_unexplained(environments: &Environments, scanner: Scanner) -> Result {
    if scanner.program().is_none() {
        return Ok(skipped(&format!("{} is not installed ({})", scanner.name(), scanner.to_install())));
    }
    // Of its own: hundreds of requests from one address meet the rate limit, also of the trials beside it.
    let local = environments.another(Environment::Test)?;
    let findings = scanner.scan(&Surface::of_local(&local)?)?;
    let scanned = Explanations::read(&folder().join("scan.toml"))?.judge(scanner, findings);
    ensure(scanned.wrong().is_empty(), || scanned.wrong().join("\n"))?;
    // D20.
    let log = std::fs::read_to_string(local.folder().join("dev.log"))?;
    ensure(!log.contains("panicked at"), || log.clone())?;
    Ok(Completion::Completed)
}
