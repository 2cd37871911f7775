//! How many crates come with irgw-m2m, which internal services link alone (M2M-11).

use std::collections::BTreeSet;

use super::outcome::Outcome;
use super::workspace::Workspace;
use crate::{Error, run};

const CRATE: &str = "irgw-m2m";

/// How many crates may come with it, its own and what only builds it included. A change that needs more raises this, and says in
/// its commit what for; which crates must never come, `cargo xtask tidy` and deny.toml say by name.
const LIMIT: usize = 80;

/// The step: `cargo tree -p irgw-m2m -e normal`.
pub(super) fn check(workspace: &Workspace) -> Result<Outcome, Error> {
    let tree = |more: &[&str]| {
        let ask = ["tree", "--locked", "--package", CRATE, "--edges", "normal", "--prefix", "none"];
        let text = run::read(run::cargo().current_dir(&workspace.workspace_root).args(ask).args(more))?;
        Ok::<_, Error>(count(&text))
    };
    let (all, least, linked) =
        (tree(&[])?, tree(&["--no-default-features"])?, tree(&["--edges", "normal,no-proc-macro"])?);
    let said =
        format!("{all} crates with {CRATE}, {linked} of them linked; {least} without ES512; at most {LIMIT}");
    Ok(if all > LIMIT { Outcome::failed(said) } else { Outcome::passed(said) })
}

/// The different `name version` of `cargo tree --prefix none`.
fn count(text: &str) -> usize {
    let first_two = |line: &str| {
        let mut words = line.split(' ');
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    text.lines().filter_map(first_two).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_counts_once_and_its_versions_apart() {
        assert_eq!(count("a v1.0.0 (/w/a)\nb v1.0.0\nb v2.0.0\nb v1.0.0 (*)\n"), 3);
    }
}
