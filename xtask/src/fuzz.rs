//! `cargo xtask fuzz`: the fuzz targets of every member, for a bounded time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::{Error, run};

/// Runs the fuzz targets of every member of the workspace for a bounded time, one after the other.
///
/// Needs cargo-fuzz (`cargo install cargo-fuzz --locked`) and a C++ compiler; a nightly toolchain is not needed. A target begins
/// with its committed corpus, which the ordinary tests run as well. What it learns, what it says and what makes it
/// fail are under target/fuzz. The exit code is 0 when nothing was found, 1 when something was, 2 when there is no such target.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask fuzz --seconds 60
  cargo xtask fuzz --target jose --seconds 3600
  cargo xtask fuzz --sanitizer none --json       faster: all of our code is safe Rust")]
pub(crate) struct Args {
    /// How long each target runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Only this target
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// What watches memory
    #[arg(long, value_name = "NAME", default_value = "address", value_parser = ["address", "none"])]
    sanitizer: String,
    /// Print what came of it as JSON
    #[arg(long)]
    json: bool,
}

/// What came of one target.
#[derive(Debug, Serialize)]
struct Run {
    target: String,
    seconds: u64,
    /// `None`: it was found wanting before it said.
    executions: Option<u64>,
    /// Inputs that make it fail, hang, or take too much memory.
    findings: Vec<PathBuf>,
}

impl Args {
    pub(crate) fn run(&self) -> Result<ExitCode, Error> {
        let all = targets(run::root())?;
        let chosen: Vec<_> = all
            .iter()
            .filter(|target| self.target.as_ref().is_none_or(|only| *only == target.name))
            .collect();
        if chosen.is_empty() {
            let names: Vec<_> = all.iter().map(|target| target.name.as_str()).collect();
            let asked = self.target.as_deref().unwrap_or_default();
            return Err(Error::Input(format!(
                "there is no target {asked:?}; there are: {}",
                names.join(", ")
            )));
        }
        if run::find("cargo-fuzz").is_none() {
            println!("SKIPPED: cargo-fuzz is not installed: cargo install cargo-fuzz --locked");
            return Ok(ExitCode::SUCCESS);
        }
        let mut runs = Vec::new();
        for target in chosen {
            eprintln!("{}: built, then run for {} s", target.name, self.seconds);
            target.build(&self.sanitizer)?;
            runs.push(target.fuzz(&self.sanitizer, self.seconds)?);
        }
        match self.json {
            true => {
                println!("{}", serde_json::to_string_pretty(&runs).expect("counts and names can be written"))
            }
            false => print!("{}", text(&runs)),
        }
        let is_clean = runs.iter().all(|run| run.findings.is_empty());
        Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn text(runs: &[Run]) -> String {
    let mut text = format!("{:20}{:>10}{:>14}{:>10}\n", "target", "seconds", "executions", "findings");
    for Run { target, seconds, executions, findings } in runs {
        let executions = executions.map_or_else(|| "?".to_owned(), |number| number.to_string());
        text.push_str(&format!("{target:20}{seconds:>10}{executions:>14}{:>10}\n", findings.len()));
    }
    for input in runs.iter().flat_map(|run| &run.findings) {
        text.push_str(&format!("{}\n", input.display()));
    }
    text
}

/// A program of a member's fuzz folder.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    /// The member's folder.
    member: PathBuf,
    name: String,
}

impl Target {
    fn build(&self, sanitizer: &str) -> Result<(), Error> {
        // The versions that are tested, as far as the main workspace has them.
        let lock = self.member.join("fuzz/Cargo.lock");
        if !lock.exists() {
            fs::copy(run::root().join("Cargo.lock"), &lock).map_err(Error::at("write", &lock))?;
        }
        run::check(self.cargo("build", sanitizer).arg(&self.name))
    }

    fn fuzz(&self, sanitizer: &str, seconds: u32) -> Result<Run, Error> {
        let place = folder().join("work").join(&self.name);
        let [learnt, found] = ["corpus", "findings"].map(|name| place.join(name));
        for folder in [&learnt, &found] {
            fs::create_dir_all(folder).map_err(Error::at("make", folder))?;
        }
        let before = files(&found)?;
        let path = place.join("log");
        let log = File::create(&path).map_err(Error::at("write", &path))?;
        let mut fuzz = self.cargo("run", sanitizer);
        // What is learnt goes into the first corpus.
        fuzz.arg(&self.name).arg(&learnt).arg(self.member.join("fuzz/corpus").join(&self.name)).arg("--");
        fuzz.arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", found.display()))
            .args(["-rss_limit_mb=2048", "-timeout=20", "-print_final_stats=1"]);
        let started = Instant::now();
        let status = fuzz.stdout(log.try_clone().map_err(Error::at("write", &path))?).stderr(log).status();
        let status = status.map_err(|source| Error::Start { program: "cargo fuzz".into(), source })?;
        let seconds = started.elapsed().as_secs();
        let mut findings = files(&found)?;
        findings.retain(|input| !before.contains(input));
        let said = fs::read(&path).map_err(Error::at("read", &path))?;
        let said = String::from_utf8_lossy(&said);
        if !status.success() && findings.is_empty() {
            // It did not begin, or ended in another way than by an input.
            let end: Vec<_> = said.lines().rev().take(20).collect();
            let said = end.iter().rev().fold(String::new(), |said, line| said + "\n" + line);
            return Err(Error::Failed { command: run::line(&fuzz), status, said });
        }
        Ok(Run { target: self.name.clone(), seconds, executions: executions(&said), findings })
    }

    fn cargo(&self, step: &str, sanitizer: &str) -> std::process::Command {
        let mut cargo = run::cargo();
        // cargo-fuzz asks for sanitizer flags that stable hides; one folder, so that dependencies are built once for all.
        cargo.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", folder()).current_dir(&self.member);
        cargo.args(["fuzz", step, "--sanitizer", sanitizer]);
        cargo
    }
}

/// Where all targets are built and leave what they learn.
fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| run::root().join("target")).join("fuzz")
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut files: Vec<PathBuf> = entries.map_err(Error::at("read", folder))?;
    files.sort();
    Ok(files)
}

/// How many inputs libFuzzer says that it has tried.
fn executions(said: &str) -> Option<u64> {
    let number = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    number.trim().parse().ok()
}

/// The targets of each member with a `fuzz/` folder: the programs of that folder's manifest.
fn targets(root: &Path) -> Result<Vec<Target>, Error> {
    let mut members = files(&root.join("crates"))?;
    members.push(root.join("tests"));
    let mut targets = Vec::new();
    for member in members {
        let manifest = member.join("fuzz/Cargo.toml");
        if !manifest.is_file() {
            continue;
        }
        let text = fs::read_to_string(&manifest).map_err(Error::at("read", &manifest))?;
        let manifest: Manifest =
            toml::from_str(&text).map_err(Error::step("read a fuzz target's manifest"))?;
        targets.extend(manifest.bin.into_iter().map(|bin| Target { member: member.clone(), name: bin.name }));
    }
    Ok(targets)
}

/// What is read of a `fuzz/Cargo.toml`.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    bin: Vec<Bin>,
}

#[derive(Deserialize)]
struct Bin {
    name: String,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn targets_are_the_programs_of_each_fuzz_folder() {
        let folder = tempfile::tempdir().unwrap();
        let member = folder.path().join("crates/one");
        fs::create_dir_all(member.join("fuzz")).unwrap();
        fs::create_dir_all(folder.path().join("crates/two/src")).unwrap();
        let manifest = "[package]\nname = \"one-fuzz\"\n[[bin]]\nname = \"jose\"\npath = \"jose.rs\"\n";
        fs::write(member.join("fuzz/Cargo.toml"), manifest).unwrap();
        assert_eq!(targets(folder.path()).unwrap(), [Target { member, name: "jose".to_owned() }]);
    }

    /// A target's name finds it, and its work, without its member's.
    #[test]
    fn every_target_has_a_name_of_its_own_and_a_corpus() {
        let targets = targets(run::root()).unwrap();
        let names: BTreeSet<_> = targets.iter().map(|target| &target.name).collect();
        assert_eq!(names.len(), targets.len());
        for Target { member, name } in &targets {
            assert!(files(&member.join("fuzz/corpus").join(name)).unwrap().len() >= 4, "{name}");
        }
    }

    #[test]
    fn misspelt_target_is_one_line_and_2() {
        let args = Args { seconds: 1, target: Some("josé".into()), sanitizer: "none".into(), json: false };
        let error = args.run().unwrap_err();
        assert!(error.to_string().starts_with("there is no target \"josé\"; there are: "), "{error}");
        assert_eq!(format!("{:?}", crate::explain(&error)), format!("{:?}", ExitCode::from(2)));
    }

    #[test]
    fn executions_are_read_off_the_last_statistics() {
        let said = "#7\tDONE\nstat::number_of_executed_units: 123456\nstat::new_units_added:          7\n";
        assert_eq!((executions(said), executions("INFO: seed")), (Some(123_456), None));
    }
}
