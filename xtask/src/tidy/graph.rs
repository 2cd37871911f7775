//! Who depends on whom, read from `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{Error, run};

/// The resolved packages of the workspace, with every feature of its members switched on.
///
/// Features are unified over the whole workspace, so a tree may be shown larger than the crate alone would build it,
/// never smaller.
#[derive(Debug, Deserialize)]
pub(super) struct Graph {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

/// A package, of the workspace or not.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    id: String,
    pub(super) name: String,
    manifest_path: String,
    #[serde(default)]
    pub(super) description: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

/// Which dependencies to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    /// What is built into the crate, and what builds it.
    Normal,
    /// Those, and what only its tests need.
    Everything,
}

impl Graph {
    /// Asks cargo.
    pub(super) fn read() -> Result<Graph, Error> {
        let text = run::read(run::cargo().args(["metadata", "--format-version", "1", "--all-features"]))?;
        Graph::parse(&text)
    }

    pub(super) fn parse(text: &str) -> Result<Graph, Error> {
        serde_json::from_str(text).map_err(|source| Error::Output { what: "cargo metadata", source })
    }

    /// The workspace's own packages.
    pub(super) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The members that are published crates: those below `crates/`.
    pub(super) fn crates(&self) -> impl Iterator<Item = &Package> {
        self.members().filter(|package| package.manifest_path.contains("/crates/"))
    }

    /// The packages that `package` names in its manifest.
    pub(super) fn direct(&self, package: &Package, follow: Follow) -> Vec<&Package> {
        self.edges(&package.id, follow).filter_map(|id| self.package(id)).collect()
    }

    /// All packages that are built for `package`, each with the chain of names that leads to it.
    pub(super) fn tree(&self, package: &Package) -> BTreeMap<&str, String> {
        let mut chains = BTreeMap::new();
        let mut waiting = vec![(package.id.as_str(), package.name.clone())];
        let mut seen = BTreeSet::from([package.id.as_str()]);
        while let Some((id, chain)) = waiting.pop() {
            for next in self.edges(id, Follow::Normal) {
                let Some(found) = self.package(next) else { continue };
                if seen.insert(next) {
                    let chain = format!("{chain} → {}", found.name);
                    chains.entry(found.name.as_str()).or_insert_with(|| chain.clone());
                    waiting.push((next, chain));
                }
            }
        }
        chains
    }

    fn package(&self, id: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.id == id)
    }

    fn edges<'a>(&'a self, id: &str, follow: Follow) -> impl Iterator<Item = &'a str> {
        let node = self.resolve.nodes.iter().find(|node| node.id == id);
        let edges = node.map(|node| node.deps.as_slice()).unwrap_or_default();
        let followed = move |edge: &&Edge| {
            follow == Follow::Everything
                || edge.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev"))
        };
        edges.iter().filter(followed).map(|edge| edge.pkg.as_str())
    }
}

/// A graph out of `name: dependency, dependency` lines, for tests; `dev` before a dependency makes it a test's.
#[cfg(test)]
pub(super) fn fixture(lines: &[&str]) -> Graph {
    use serde_json::json;

    let mut names = BTreeSet::new();
    let mut nodes = Vec::new();
    for line in lines {
        let (name, rest) = line.split_once(':').unwrap();
        names.insert(name);
        let mut deps = Vec::new();
        for word in rest.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let (kind, on) = match word.strip_prefix("dev ") {
                Some(on) => (Some("dev"), on),
                None => (None, word),
            };
            names.insert(on);
            deps.push(json!({ "pkg": on, "dep_kinds": [{ "kind": kind }] }));
        }
        nodes.push(json!({ "id": name, "deps": deps }));
    }
    let own: Vec<_> = lines.iter().map(|line| line.split_once(':').unwrap().0).collect();
    let packages: Vec<_> = names
        .iter()
        .map(|name| {
            let manifest = match own.contains(name) && name.starts_with("irgw-") {
                true => format!("/w/crates/{name}/Cargo.toml"),
                false => format!("/registry/{name}/Cargo.toml"),
            };
            json!({ "id": name, "name": name, "manifest_path": manifest, "description": "one" })
        })
        .collect();
    let graph = json!({ "packages": packages, "workspace_members": own, "resolve": { "nodes": nodes } });
    Graph::parse(&graph.to_string()).unwrap()
}

#[cfg(test)]
impl Graph {
    pub(super) fn without_descriptions(mut self) -> Graph {
        self.packages.iter_mut().for_each(|package| package.description = None);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tree_follows_what_is_built_and_not_what_only_tests_need() {
        let graph = fixture(&["irgw-m2m: ring, dev tokio", "ring: cc"]);
        let m2m = graph.crates().next().unwrap();
        let tree = graph.tree(m2m);
        assert_eq!(tree.get("cc").map(String::as_str), Some("irgw-m2m → ring → cc"));
        assert!(!tree.contains_key("tokio"));
        assert_eq!(graph.direct(m2m, Follow::Everything).len(), 2);
    }

    #[test]
    fn output_that_is_not_metadata_is_an_error() {
        assert!(matches!(Graph::parse("{}"), Err(Error::Output { .. })));
    }
}
