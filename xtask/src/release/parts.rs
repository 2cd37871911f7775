//! The crates that a program is made of: which are linked into it, which only build it, and who needs whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Error, run};

/// A crate's name and version, which tell it apart: all come from one registry or are our own.
pub(super) type Key = (String, String);

/// A crate of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Whether it is in the program, or only builds it (a build script's, a procedural macro).
    pub(super) linked: bool,
    /// What it needs directly.
    pub(super) needs: BTreeSet<Key>,
    pub(super) about: About,
}

/// What a manifest and Cargo.lock say of a crate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct About {
    name: String,
    version: String,
    pub(super) license: Option<String>,
    pub(super) description: Option<String>,
    pub(super) repository: Option<String>,
    pub(super) manifest_path: PathBuf,
    /// SHA-256 of the package at the registry; `None` of our own.
    #[serde(skip)]
    pub(super) checksum: Option<String>,
}

/// The parts of the program in `package` for a target, with its own features, and the package itself.
pub(super) fn of(root: &Path, package: &str, triple: &str) -> Result<(Key, BTreeMap<Key, Part>), Error> {
    let tree = |edges| {
        let ask = ["tree", "--locked", "--package", package, "--target", triple, "--edges", edges];
        run::read(run::cargo().current_dir(root).args(ask).args(["--prefix", "depth", "--format", "\t{p}"]))
    };
    let built = edges(&tree("normal,build")?);
    let linked = edges(&tree("normal,no-proc-macro")?);
    let mut about = abouts(root)?;
    let part = |(key, needs): (Key, _)| {
        let about = about.remove(&key).unwrap_or_default();
        (key.clone(), Part { linked: linked.contains_key(&key), needs, about })
    };
    let parts: BTreeMap<Key, Part> = built.into_iter().map(part).collect();
    let own = parts.keys().find(|(name, _)| name == package).cloned().unwrap_or_default();
    Ok((own, parts))
}

/// Who needs whom, from lines `DEPTH\tNAME vVERSION …`; a crate's children stand below its first mention.
fn edges(tree: &str) -> BTreeMap<Key, BTreeSet<Key>> {
    let mut edges: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
    let mut above: Vec<Key> = Vec::new();
    for line in tree.lines() {
        let Some((depth, package)) = line.split_once('\t') else { continue };
        let mut words = package.split(' ');
        let (Ok(depth), Some(name), Some(version)) = (depth.parse(), words.next(), words.next()) else {
            continue;
        };
        let key = (name.to_owned(), version.trim_start_matches('v').to_owned());
        above.truncate(depth);
        if let Some(parent) = above.last() {
            edges.entry(parent.clone()).or_default().insert(key.clone());
        }
        edges.entry(key.clone()).or_default();
        above.push(key);
    }
    edges
}

/// What is known of every crate in Cargo.lock.
fn abouts(root: &Path) -> Result<BTreeMap<Key, About>, Error> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<About>,
    }
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Locked>,
    }
    #[derive(Deserialize)]
    struct Locked {
        name: String,
        version: String,
        checksum: Option<String>,
    }
    let text =
        run::read(run::cargo().current_dir(root).args(["metadata", "--locked", "--format-version", "1"]))?;
    let metadata: Metadata =
        serde_json::from_str(&text).map_err(|source| Error::Output { what: "cargo metadata", source })?;
    let path = root.join("Cargo.lock");
    let text = fs::read_to_string(&path).map_err(Error::at("read", &path))?;
    let lock: Lock = toml::from_str(&text).map_err(Error::step("read Cargo.lock"))?;
    let mut sums: BTreeMap<Key, Option<String>> =
        lock.package.into_iter().map(|locked| ((locked.name, locked.version), locked.checksum)).collect();
    let about = |mut about: About| {
        let key = (about.name.clone(), about.version.clone());
        about.checksum = sums.remove(&key).flatten();
        (key, about)
    };
    Ok(metadata.packages.into_iter().map(about).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_come_from_the_depth_of_lines() {
        let tree = "0\ta v1.0.0 (/w/a)\n1\tb v1.0.0\n2\tc v1.0.0 (proc-macro)\n1\tc v1.0.0 (proc-macro) (*)\n1\td v2.0.0\n";
        let edges = edges(tree);
        let of = |name: &str| {
            let found = edges.iter().find(|((known, _), _)| known == name).unwrap().1;
            found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of("a"), ["b", "c", "d"]);
        assert_eq!(of("b"), ["c"]);
        assert_eq!(of("c"), [""; 0]);
        assert!(edges.contains_key(&("d".into(), "2.0.0".into())));
    }

    #[test]
    fn the_gateway_is_made_of_linked_crates_and_of_builders() {
        let (own, parts) = of(run::root(), "irgw-gateway", "x86_64-unknown-linux-gnu").unwrap();
        let find = |name: &str| parts.iter().find(|((known, _), _)| known == name).unwrap().1;
        assert!(find("ring").linked && !find("serde_derive").linked && !find("cc").linked);
        assert!(find("ring").about.checksum.is_some() && find("irgw-core").about.checksum.is_none());
        // What the tests of the gateway need, and no more, is in no program.
        assert!(parts.keys().all(|(name, _)| name != "proptest"));
        assert!(parts[&own].needs.iter().any(|(name, _)| name == "irgw-store"));
    }
}
