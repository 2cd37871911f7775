//! `cargo xtask ci`: everything that must pass before a change is merged.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

use crate::{Error, run, tidy};

/// Everything that must pass before a change is merged.
///
/// The steps, in order: fmt, clippy, doc, tidy, deny, test. The first that fails ends the run. `.ci/run` installs the
/// tools that some tests and the step `deny` need, then calls this; without them those print SKIPPED and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these steps
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Step {
    /// The code is formatted
    Fmt,
    /// Clippy has no warnings, tests and benches included
    Clippy,
    /// Rustdoc has no warnings
    Doc,
    /// `cargo xtask tidy`
    Tidy,
    /// Advisories, licences, bans and sources, by cargo-deny
    Deny,
    /// The README's test command
    Test,
}

/// The README's one command that passes all tests.
pub(crate) const TEST: [&str; 2] = ["test", "--workspace"];

/// The last step is the tests, so that their summary is the last thing on the terminal.
const STEPS: [Step; 6] = [Step::Fmt, Step::Clippy, Step::Doc, Step::Tidy, Step::Deny, Step::Test];

impl Args {
    pub(crate) fn run(&self) -> Result<(), Error> {
        let started = Instant::now();
        for step in STEPS.into_iter().filter(|step| self.only.is_empty() || self.only.contains(step)) {
            println!("── {step:?} ── {:.0?} so far", started.elapsed());
            step.run()?;
        }
        Ok(())
    }
}

impl Step {
    fn run(self) -> Result<(), Error> {
        match self {
            Step::Fmt => run::check(run::cargo().args(["fmt", "--all", "--", "--check"])),
            Step::Clippy => {
                let lint = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
                run::check(run::cargo().args(lint))
            }
            Step::Doc => {
                let mut doc = run::cargo();
                doc.args(["doc", "--workspace", "--no-deps", "--quiet"]);
                run::check(doc.env("RUSTDOCFLAGS", "-D warnings"))
            }
            Step::Tidy => tidy::run(),
            Step::Deny => deny(),
            Step::Test => run::check(run::cargo().args(TEST)),
        }
    }
}

/// The folder that cargo-deny keeps RustSec's database in: the name ends in a digest of its address.
const DATABASE: &str = "advisory-db-3157b0e258782691";

/// cargo-deny over deny.toml. Its advisory database is fetched by nobody: it comes as a git bundle beside the
/// workspace; where there is none, advisories are skipped and the other checks are made.
fn deny() -> Result<(), Error> {
    if run::find("cargo-deny").is_none() {
        println!("SKIPPED: cargo-deny is not installed: cargo install cargo-deny --locked");
        return Ok(());
    }
    let mut deny = run::cargo();
    // Some wrappers of deny.toml are crates that are not in every build.
    deny.args(["deny", "--offline", "--locked", "--all-features", "check", "--allow", "unused-wrapper"]);
    deny.args(["bans", "licenses", "sources"]);
    let bundle = run::root().join("../shared/data/advisory-db.bundle");
    match bundle.is_file() {
        true => {
            unpack(&bundle, &database())?;
            deny.arg("advisories");
        }
        false => println!("SKIPPED: advisories: no database at ../shared/data/advisory-db.bundle"),
    }
    run::check(&mut deny)
}

/// Where `[advisories] db-path` of deny.toml is.
fn database() -> PathBuf {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    cargo_home.or_else(home).unwrap_or_default().join("advisory-dbs").join(DATABASE)
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

    #[test]
    fn tests_come_last() {
        assert_eq!(STEPS.last(), Some(&Step::Test));
    }
}
