//! Whether each crate packs, and builds alone from what was packed.

use std::collections::BTreeMap;
use std::fs;

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
    // The packages share what is built of others' crates; without a folder given, each would build it anew.
    package.env("CARGO_TARGET_DIR", &workspace.target_directory);
    // The workspace's own level, which packages do not have: most of what they need is built already.
    package.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    if release.tree.changes.is_empty() {
        run::check(package.args(names(workspace)))?;
    } else {
        run::check(package.args(names(workspace)).arg("--allow-dirty"))?;
    }
    let folder = workspace.target_directory.join("package");
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

/// `-p` and the name of every crate that is published.
pub(super) fn names(workspace: &Workspace) -> impl Iterator<Item = &str> {
    workspace.published().flat_map(|package| ["--package", package.name.as_str()])
}
