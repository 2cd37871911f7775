//! Whether the version says what changed in the interfaces since the last release.

use std::io;

use super::outcome::Outcome;
use super::{Release, packages, say};
use crate::{Error, run};

/// The step: cargo-semver-checks against the newest release before this one, as the checkout's tags have it.
pub(super) fn check(release: &Release) -> Result<Outcome, Error> {
    let Some(baseline) = &release.tree.baseline else {
        return Ok(Outcome::skipped(
            "there is no release yet to compare with: no tag v[0-9]* before this commit",
        ));
    };
    if run::find("cargo-semver-checks").is_none() {
        return Ok(Outcome::skipped(
            "cargo-semver-checks is not installed: cargo install cargo-semver-checks --locked",
        ));
    }
    say(&format!("comparing the interfaces with {baseline}"));
    let mut check = run::cargo();
    check.current_dir(&release.workspace.workspace_root).args(["semver-checks", "--baseline-rev", baseline]);
    run::check(check.args(packages::names(&release.workspace)).stdout(io::stderr()))?;
    Ok(Outcome::passed(format!(
        "{} is enough for what changed since {baseline}",
        release.workspace.version()
    )))
}
