//! Whether each crate packs, and builds alone from what was packed.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::outcome::Outcome;
use super::workspace::Workspace;
use super::{Release, say};
use crate::{Error, run};

/// The largest package that crates.io takes, bytes.
const LIMIT_BYTES: u64 = 10 << 20;

/// The step: `cargo package` of all crates together. Cargo unpacks each one, replaces paths by versions, takes those that are not
/// published yet from a registry of its own, and builds it.
pub(super) fn check(release: &Release) -> Result<Outcome, Error> {
    let workspace = &release.workspace;
    say("packing every crate and building it from its package");
    let mut package = run::cargo();
    package.current_dir(&workspace.workspace_root).args(["package", "--locked"]);
    let target = target(release)?;
    package.env("CARGO_TARGET_DIR", &target);
    // Nobody looks into them.
    package.env("CARGO_PROFILE_DEV_DEBUG", "none");
    if release.tree.changes.is_empty() {
        run::check(package.args(names(workspace)))?;
    } else {
        run::check(package.args(names(workspace)).arg("--allow-dirty"))?;
    }
    let folder = target.join("package");
    let mut packed = BTreeMap::new();
    for member in workspace.published() {
        let file = folder.join(format!("{}-{}.crate", member.name, member.version));
        let bytes = fs::metadata(&file).map_err(Error::at("read", &file))?.len();
        packed.insert(member.name.as_str(), bytes);
    }
    let details = packed.iter().map(|(name, bytes)| format!("{name} {} KiB", bytes.div_ceil(1024))).collect();
    let large = packed.iter().filter(|(_, bytes)| **bytes > LIMIT_BYTES);
    let wrong =
        large.map(|(name, bytes)| format!("{name} has {bytes} bytes, more than {LIMIT_BYTES}")).collect();
    Ok(Outcome::unless(wrong, format!("{} crates pack, and each builds from its package", packed.len()))
        .with(details))
}

/// The folder that this checkout's packages are built in, and no other: cargo takes a packed crate that it has seen there, in this
/// version, for one that never changes. What others were built in goes.
fn target(release: &Release) -> Result<PathBuf, Error> {
    let folder = release.workspace.target_directory.join("packages");
    fs::create_dir_all(&folder).map_err(Error::at("create", &folder))?;
    let commit = &release.tree.commit;
    let name = match release.tree.changes.is_empty() {
        true => commit.clone(),
        false => format!("{commit}-{}", std::process::id()),
    };
    for other in fs::read_dir(&folder).map_err(Error::at("read", &folder))?.flatten() {
        if other.file_name() != *name {
            fs::remove_dir_all(other.path()).map_err(Error::at("remove", &other.path()))?;
        }
    }
    Ok(folder.join(name))
}

/// `-p` and the name of every crate that is published.
pub(super) fn names(workspace: &Workspace) -> impl Iterator<Item = &str> {
    workspace.published().flat_map(|package| ["--package", package.name.as_str()])
}
