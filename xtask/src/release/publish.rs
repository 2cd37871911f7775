//! Publishing: one crate after the other in the order of their dependencies, and on from where it stopped.

use std::path::Path;
use std::process::Command;

use super::outcome::Outcome;
use super::workspace::{Package, Workspace};
use super::{Release, packages, say};
use crate::{Error, run};

/// The step without `--publish`: the order, what is there already, and `cargo publish --dry-run` of the rest, all together, since the
/// later ones need the earlier ones.
pub(super) fn rehearse(release: &Release) -> Result<Outcome, Error> {
    let workspace = &release.workspace;
    let order = match workspace.in_order() {
        Ok(order) => order,
        Err(circle) => return Ok(Outcome::failed(circular(&circle))),
    };
    let registry = Registry::usual();
    let mut details = Vec::new();
    for package in &order {
        let state = if registry.has(package)? { "published already" } else { "not published yet" };
        details.push(format!("{} {}: {state}", package.name, package.version));
    }
    let mut publish = run::cargo();
    // What is published was built from its package by the step `packages`.
    publish.current_dir(&workspace.workspace_root).args(["publish", "--dry-run", "--locked", "--no-verify"]);
    if !release.tree.changes.is_empty() {
        publish.arg("--allow-dirty");
    }
    run::check(publish.args(packages::names(workspace)))?;
    Ok(Outcome::passed(format!("{} crates would be published, in this order; nothing was", order.len()))
        .with(details))
}

/// The step with `--publish`, after all others have passed.
pub(super) fn publish(workspace: &Workspace, registry: &Registry) -> Result<Outcome, Error> {
    let order = match workspace.in_order() {
        Ok(order) => order,
        Err(circle) => return Ok(Outcome::failed(circular(&circle))),
    };
    let mut details = Vec::new();
    for package in &order {
        let what = format!("{} {}", package.name, package.version);
        if registry.has(package)? {
            details.push(format!("{what}: was there already"));
            continue;
        }
        say(&format!("publishing {what}"));
        // Cargo waits until the registry's index has it, so that the next one finds it.
        if let Err(error) = registry.publish(workspace, package) {
            details.push(format!("{what}: {}", crate::error::chain(&error)));
            let done = details.len() - 1;
            let said = format!(
                "{what} could not be published; {done} of {} are. Run this again to go on",
                order.len()
            );
            return Ok(Outcome::failed(said).with(details));
        }
        details.push(format!("{what}: published"));
    }
    Ok(Outcome::passed(format!("{} crates are published", order.len())).with(details))
}

fn circular(names: &[&str]) -> String {
    format!("no order of publishing: {} depend on each other in a circle", names.join(", "))
}

/// Where crates are published.
#[derive(Debug, Clone)]
pub(super) struct Registry {
    /// As cargo's configuration names it.
    name: String,
    /// Cargo's configuration and its credentials come from these, beside its own files.
    variables: Vec<(String, String)>,
}

impl Registry {
    /// crates.io, with the token of `cargo login` or of `CARGO_REGISTRY_TOKEN`.
    pub(super) fn usual() -> Registry {
        Registry { name: "crates-io".into(), variables: Vec::new() }
    }

    /// Whether the version is there.
    fn has(&self, package: &Package) -> Result<bool, Error> {
        let exact = format!("{}@{}", package.name, package.version);
        // Asked from elsewhere: within the workspace cargo would show the workspace's own.
        let elsewhere = tempfile::tempdir().map_err(Error::step("make an empty folder"))?;
        match run::read(self.cargo(elsewhere.path(), "info").args(["--quiet", &exact])) {
            Ok(_) => Ok(true),
            Err(Error::Failed { said, .. }) if said.contains("could not find") => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn publish(&self, workspace: &Workspace, package: &Package) -> Result<(), Error> {
        let mut publish = self.cargo(&workspace.workspace_root, "publish");
        run::check(publish.args(["--locked", "--no-verify", "--package", &package.name]))
    }

    /// A command of cargo's in a folder, for this registry.
    fn cargo(&self, folder: &Path, command: &str) -> Command {
        let mut cargo = run::cargo();
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        cargo.current_dir(folder).envs(variables).args([command, "--registry", &self.name]);
        cargo
    }
}

#[cfg(test)]
mod tests;
