//! The workspace's own packages, and the order in which they can be published.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Error, run};

/// What `cargo metadata --no-deps` says of a workspace.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Workspace {
    pub(super) packages: Vec<Package>,
    pub(super) target_directory: PathBuf,
    pub(super) workspace_root: PathBuf,
}

/// A member.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// The registries that it may be published to; `None` is any, and none at all makes it private.
    publish: Option<Vec<String>>,
    pub(super) dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

/// A dependency as the manifest has it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// The requirement, `^0.1.0`; `*` where there is none.
    pub(super) req: String,
    /// Where it is, if it is a path.
    pub(super) path: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Workspace {
    /// Asks cargo about the workspace at `root`.
    pub(super) fn read(root: &Path) -> Result<Workspace, Error> {
        let ask = ["metadata", "--no-deps", "--format-version", "1"];
        let text = run::read(run::cargo().current_dir(root).args(ask))?;
        serde_json::from_str(&text).map_err(|source| Error::Output { what: "cargo metadata", source })
    }

    /// The members that are published, each after those that it depends on; the names in a circle where there is one.
    pub(super) fn in_order(&self) -> Result<Vec<&Package>, Vec<&str>> {
        let mut waiting: Vec<&Package> =
            self.packages.iter().filter(|package| package.is_published()).collect();
        waiting.sort_by(|one, other| one.name.cmp(&other.name));
        let mut ordered: Vec<&Package> = Vec::new();
        while !waiting.is_empty() {
            let is_free = |package: &Package| {
                package.own().all(|own| !waiting.iter().any(|other| other.name == own.name))
            };
            let (free, rest): (Vec<&Package>, Vec<&Package>) =
                waiting.iter().partition(|package| is_free(package));
            if free.is_empty() {
                return Err(rest.into_iter().map(|package| package.name.as_str()).collect());
            }
            ordered.extend(free);
            waiting = rest;
        }
        Ok(ordered)
    }

    /// The members that are published, by name.
    pub(super) fn published(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.is_published())
    }

    /// The programs of the members that are published, with their packages.
    pub(super) fn programs<'a>(&'a self) -> Vec<(&'a Package, &'a str)> {
        let is_program = |target: &&Target| target.kind.iter().any(|kind| kind == "bin");
        let of = |package: &'a Package| {
            package.targets.iter().filter(is_program).map(move |target| (package, target.name.as_str()))
        };
        self.published().flat_map(of).collect()
    }

    /// The version that the published members have in common; of different ones, which `versions` finds, the first.
    pub(super) fn version(&self) -> &str {
        self.published().next().map_or("0.0.0", |package| &package.version)
    }
}

impl Package {
    /// Whether it may be published.
    pub(super) fn is_published(&self) -> bool {
        self.publish.as_ref().is_none_or(|registries| !registries.is_empty())
    }

    /// The other members that it depends on, for its tests too: all of them stand in what is published.
    pub(super) fn own(&self) -> impl Iterator<Item = &Dependency> {
        self.dependencies
            .iter()
            .filter(|dependency| dependency.path.is_some() && dependency.name != self.name)
    }
}

/// A workspace out of `name version: dependency requirement, …` lines; `private` before a name keeps it from being published.
#[cfg(test)]
pub(super) fn fixture(lines: &[&str]) -> Workspace {
    use serde_json::json;

    let packages: Vec<_> = lines
        .iter()
        .map(|line| {
            let (head, rest) = line.split_once(':').unwrap();
            let (publish, head) = match head.strip_prefix("private ") {
                Some(head) => (json!([]), head),
                None => (json!(null), head),
            };
            let (name, version) = head.split_once(' ').unwrap();
            let dependencies: Vec<_> = rest
                .split(',')
                .filter_map(|word| word.trim().split_once(' '))
                .map(|(name, req)| json!({ "name": name, "req": req, "path": format!("/w/{name}") }))
                .collect();
            json!({ "name": name, "version": version, "publish": publish, "dependencies": dependencies,
                "targets": [{ "name": name, "kind": ["lib"] }] })
        })
        .collect();
    let workspace = json!({ "packages": packages, "target_directory": "/t", "workspace_root": "/w" });
    serde_json::from_value(workspace).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'a>(packages: &[&'a Package]) -> Vec<&'a str> {
        packages.iter().map(|package| package.name.as_str()).collect()
    }

    #[test]
    fn a_crate_comes_after_those_that_it_depends_on() {
        let workspace =
            fixture(&["a 1.0.0: c ^1.0.0", "b 1.0.0:", "c 1.0.0: b ^1.0.0", "private tests 1.0.0: a ^1.0.0"]);
        assert_eq!(names(&workspace.in_order().unwrap()), ["b", "c", "a"]);
    }

    #[test]
    fn a_circle_has_no_order() {
        let workspace = fixture(&["a 1.0.0: b ^1.0.0", "b 1.0.0: a ^1.0.0", "c 1.0.0:"]);
        assert_eq!(workspace.in_order().unwrap_err(), ["a", "b"]);
    }
}
