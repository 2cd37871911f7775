//! `cargo xtask fuzz`: every crate's fuzz targets, for a bounded time.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Error, run};

/// Runs the fuzz targets of every crate for a bounded time.
///
/// Needs cargo-fuzz (`cargo install cargo-fuzz --locked`); a nightly toolchain is not needed. The committed corpora
/// are run by the ordinary tests as well, on stable and without cargo-fuzz.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long each target runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Only this target
    #[arg(long)]
    target: Option<String>,
}

impl Args {
    pub(crate) fn run(&self) -> Result<(), Error> {
        if run::find("cargo-fuzz").is_none() {
            println!("SKIPPED: cargo-fuzz is not installed: cargo install cargo-fuzz --locked");
            return Ok(());
        }
        for (folder, target) in targets(&run::root().join("crates"))? {
            if self.target.as_ref().is_some_and(|only| *only != target) {
                continue;
            }
            println!("fuzz: {target}, {} s", self.seconds);
            let mut cargo = run::cargo();
            // cargo-fuzz asks for sanitizer flags that stable hides.
            cargo.env("RUSTC_BOOTSTRAP", "1").current_dir(&folder).args(["fuzz", "run", &target, "--"]);
            cargo
                .arg(format!("-max_total_time={}", self.seconds))
                .args(["-rss_limit_mb=2048", "-timeout=10"]);
            run::check(&mut cargo)?;
        }
        Ok(())
    }
}

/// Each crate with a `fuzz/` folder, and the names of its targets: the programs of that folder's manifest.
fn targets(crates: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let entries = || fs::read_dir(crates)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>();
    let mut folders = entries().map_err(Error::at("read", crates))?;
    folders.sort();
    let mut targets = Vec::new();
    for folder in folders {
        let manifest = folder.join("fuzz/Cargo.toml");
        if !manifest.is_file() {
            continue;
        }
        let text = fs::read_to_string(&manifest).map_err(Error::at("read", &manifest))?;
        let manifest: Manifest =
            toml::from_str(&text).map_err(Error::step("read a fuzz target's manifest"))?;
        targets.extend(manifest.bin.into_iter().map(|bin| (folder.clone(), bin.name)));
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
    use super::*;

    #[test]
    fn targets_are_the_programs_of_each_fuzz_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("one/fuzz")).unwrap();
        fs::create_dir_all(folder.path().join("two/src")).unwrap();
        let manifest = "[package]\nname = \"one-fuzz\"\n[[bin]]\nname = \"jose\"\npath = \"jose.rs\"\n";
        fs::write(folder.path().join("one/fuzz/Cargo.toml"), manifest).unwrap();
        assert_eq!(targets(folder.path()).unwrap(), [(folder.path().join("one"), "jose".to_owned())]);
    }
}
