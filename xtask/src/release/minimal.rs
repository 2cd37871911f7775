//! Whether the crates build with the oldest versions that their manifests admit.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use super::outcome::Outcome;
use super::{Release, packages, say};
use crate::{Error, run};

/// The step, in a copy of the commit: every direct dependency at its lower bound, what those depend on as new as they admit.
///
/// The resolver's option for it is unstable, so it is asked for as a nightly cargo would be (`RUSTC_BOOTSTRAP`); what it chooses is
/// then built by the stable one.
pub(super) fn check(release: &Release) -> Result<Outcome, Error> {
    let root = &release.workspace.workspace_root;
    let target = release.workspace.target_directory.join("minimal-versions");
    let copy = target.join("tree");
    match fs::remove_dir_all(&copy) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::at("remove", &copy)(error));
        }
        _ => {}
    }
    unpack_commit(root, &copy)?;
    let mut update = run::cargo();
    update.env("RUSTC_BOOTSTRAP", "1").current_dir(&copy);
    run::read(update.args(["update", "--quiet", "-Z", "direct-minimal-versions"]))?;
    say("checking with the oldest versions that are admitted");
    let mut check = run::cargo();
    check.env("CARGO_TARGET_DIR", &target).current_dir(&copy);
    check
        .args(["check", "--locked", "--all-features", "--all-targets"])
        .args(packages::names(&release.workspace));
    run::check(&mut check)?;
    let count = release.workspace.published().count();
    Ok(Outcome::passed(format!(
        "{count} crates, their tests and benches build with every direct dependency at its lower bound"
    )))
}

/// Copies what the commit holds into a new folder.
fn unpack_commit(root: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(Error::at("create", to))?;
    let mut archive = Command::new("git");
    archive.arg("-C").arg(root).args(["archive", "HEAD"]).stdout(Stdio::piped());
    let mut archive = archive.spawn().map_err(|source| Error::Start { program: "git".into(), source })?;
    let tar = archive.stdout.take().expect("its output is a pipe");
    let unpacked = run::read_from(Command::new("tar").arg("-x").arg("-C").arg(to), tar.into());
    archive.wait().map_err(Error::step("wait for git archive"))?;
    unpacked.map(drop)
}
