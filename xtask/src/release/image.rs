//! Whether a linter of others finds nothing in the Dockerfile.

use std::path::Path;
use std::process::Command;

use super::Release;
use super::outcome::Outcome;
use crate::{Error, run};

const DOCKERFILE: &str = "crates/irgw-gateway/packaging/Dockerfile";

/// The linters that are tried, in order, with what to call them with before the file.
const LINTERS: [(&str, &[&str]); 2] =
    [("hadolint", &["--no-color"]), ("tally", &["lint", "--no-color", "--fail-level", "info"])];

/// The step: the first linter that is installed. No image is built.
pub(super) fn check(release: &Release) -> Result<Outcome, Error> {
    lint(&release.workspace.workspace_root.join(DOCKERFILE))
}

fn lint(file: &Path) -> Result<Outcome, Error> {
    let Some((linter, arguments)) = LINTERS.iter().find(|(linter, _)| run::find(linter).is_some()) else {
        return Ok(Outcome::skipped("no linter for Dockerfiles: pip install tally-cli, or hadolint"));
    };
    let output = Command::new(linter).args(*arguments).arg(file).output();
    let output = output.map_err(|source| Error::Start { program: (*linter).into(), source })?;
    let written = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&written).lines().map(str::to_owned).collect();
    Ok(match output.status.success() {
        true => Outcome::passed(format!("{linter} finds nothing in {DOCKERFILE}; no image was built")),
        false => Outcome::failed(format!("{linter} finds something in {DOCKERFILE}")).with(said),
    })
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Verdict;
    use super::*;

    #[test]
    fn an_image_that_runs_as_root_fails() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("Dockerfile");
        std::fs::write(&file, "FROM debian\nRUN cd /tmp\nMAINTAINER a\nUSER root\n").unwrap();
        let outcome = lint(&file).unwrap();
        match outcome.verdict {
            Verdict::Skipped => println!("SKIPPED: {}", outcome.said),
            verdict => assert_eq!(verdict, Verdict::Failed, "{outcome:?}"),
        }
    }
}
