//! Advisories, licences, bans and sources: cargo-deny over deny.toml.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use crate::{Error, run};

/// Makes the checks, and says what was skipped and why. The advisory database is fetched by nobody: it comes as a git bundle beside
/// the workspace; where there is none, advisories are skipped and the other checks are made.
pub(crate) fn check() -> Result<Option<String>, Error> {
    if run::find("cargo-deny").is_none() {
        return Ok(Some("cargo-deny is not installed: cargo install cargo-deny --locked".into()));
    }
    let mut deny = run::cargo();
    // Some wrappers of deny.toml are crates that are not in every build.
    deny.args(["deny", "--offline", "--locked", "--all-features", "check", "--allow", "unused-wrapper"]);
    deny.args(["bans", "licenses", "sources"]);
    let bundle = run::root().join("../shared/data/advisory-db.bundle");
    let skipped = match bundle.is_file() {
        true => {
            unpack(&bundle, &database())?;
            deny.arg("advisories");
            None
        }
        false => Some("advisories: no database at ../shared/data/advisory-db.bundle".into()),
    };
    // Its summary is for people; standard output may be a report's.
    run::check(deny.stdout(io::stderr()))?;
    Ok(skipped)
}

/// The folder that cargo-deny keeps RustSec's database in: the name ends in a digest of its address.
const DATABASE: &str = "advisory-db-3157b0e258782691";

/// Where `[advisories] db-path` of deny.toml is.
fn database() -> PathBuf {
    run::cargo_home().join("advisory-dbs").join(DATABASE)
}

/// Clones the bundle; where that was done from this one or a newer, nothing.
fn unpack(bundle: &Path, to: &Path) -> Result<(), Error> {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let newest = modified(bundle).map_err(Error::at("read", bundle))?;
    match modified(to) {
        Ok(unpacked) if unpacked >= newest => return Ok(()),
        Ok(_) => fs::remove_dir_all(to).map_err(Error::at("remove", to))?,
        Err(_) => {}
    }
    // A bundle's HEAD may name a branch that is not in it, so the first branch is asked for by name.
    let heads = run::read(Command::new("git").args(["bundle", "list-heads"]).arg(bundle))?;
    let branch =
        heads.lines().find_map(|line| line.split_once("refs/heads/")).map_or("main", |(_, branch)| branch);
    run::check(Command::new("git").args(["clone", "--quiet", "--branch", branch]).args([bundle, to]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_bundle_takes_the_place_of_what_was_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let (source, bundle, to) =
            (folder.path().join("source"), folder.path().join("bundle"), folder.path().join("to"));
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=a", "-c", "user.email=a@example"]).arg("-C").arg(&source);
            run::read(git.args(arguments)).unwrap()
        };
        fs::create_dir(&source).unwrap();
        git(&["init", "--quiet", "--initial-branch", "main"]);
        for subject in ["first", "second"] {
            git(&["commit", "--quiet", "--allow-empty", "-m", subject]);
            git(&["bundle", "create", "--quiet", bundle.to_str().unwrap(), "main"]);
            // Later than whatever was unpacked before, however coarse the clock is.
            let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
            fs::File::options().write(true).open(&bundle).unwrap().set_modified(later).unwrap();
            unpack(&bundle, &to).unwrap();
            let log = run::read(Command::new("git").arg("-C").arg(&to).args(["log", "-1", "--format=%s"]));
            assert_eq!(log.unwrap().trim(), subject);
        }
        fs::File::options().write(true).open(&bundle).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        fs::write(to.join("kept"), "").unwrap();
        unpack(&bundle, &to).unwrap();
        assert!(to.join("kept").exists());
    }
}
