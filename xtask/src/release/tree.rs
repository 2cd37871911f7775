//! The checkout that a release is made of: which commit, and whether anything in it differs from that commit.

use std::path::Path;
use std::process::Command;

use super::outcome::Outcome;
use crate::{Error, run};

/// What git says of the checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tree {
    /// The commit's id.
    pub(super) commit: String,
    /// When it was made, in seconds since the Unix epoch: `SOURCE_DATE_EPOCH` of all that is built.
    pub(super) epoch: u64,
    /// Files that are changed, or not tracked and not ignored.
    pub(super) changes: Vec<String>,
    /// The tags of releases (`v0.1.0`) at the commit.
    pub(super) tags: Vec<String>,
    /// The newest release's tag in its past, the commit's own left out: what a change of the interface is measured against.
    pub(super) baseline: Option<String>,
}

impl Tree {
    /// Asks git about the checkout whose root is `root`.
    pub(super) fn read(root: &Path) -> Result<Tree, Error> {
        let top = git(root, &["rev-parse", "--show-toplevel"])?;
        let same = |one: &Path, other: &Path| one.canonicalize().ok() == other.canonicalize().ok();
        if !same(Path::new(top.trim()), root) {
            return Err(Error::Input(format!("{} is no git checkout of its own", root.display())));
        }
        let head = git(root, &["log", "-1", "--format=%H %ct"])?;
        let (commit, epoch) = head.trim().split_once(' ').unwrap_or_default();
        let lines = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let tags = lines(git(root, &["tag", "--points-at", "HEAD", "--list", "v[0-9]*"])?);
        let past =
            lines(git(root, &["tag", "--merged", "HEAD", "--list", "v[0-9]*", "--sort=-version:refname"])?);
        Ok(Tree {
            commit: commit.into(),
            epoch: epoch.parse().unwrap_or_default(),
            changes: lines(git(root, &["status", "--porcelain"])?),
            baseline: past.into_iter().find(|tag| !tags.contains(tag)),
            tags,
        })
    }

    /// The step: nothing differs from the commit, and its tag, if it has one, is the version's.
    pub(super) fn check(&self, version: &str) -> Outcome {
        let short = self.commit.get(..12).unwrap_or(&self.commit);
        if !self.changes.is_empty() {
            let count = self.changes.len();
            let said = format!(
                "{count} changes are not in the commit {short}, so what is built is no release (--allow-dirty)"
            );
            return Outcome::skipped(said).with(self.changes.clone());
        }
        match self.tags.iter().find(|tag| **tag != format!("v{version}")) {
            Some(tag) => {
                Outcome::failed(format!("the commit {short} is tagged {tag}, but the version is {version}"))
            }
            None => Outcome::passed(format!("the commit {short}, without changes")),
        }
    }
}

/// What git writes; the checkout's folder is not looked for above `root`.
fn git(root: &Path, arguments: &[&str]) -> Result<String, Error> {
    run::read(Command::new("git").arg("-C").arg(root).args(arguments))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::outcome::Verdict;
    use super::*;

    #[test]
    fn a_checkout_says_its_commit_its_changes_and_what_came_before() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let git = |arguments: &[&str]| {
            let who = ["-c", "user.name=a", "-c", "user.email=a@example"];
            git(root, &[&who, arguments].concat()).unwrap()
        };
        git(&["init", "--quiet"]);
        for tag in ["v0.9.0", "v0.10.0", "v1.0.0", "other"] {
            git(&["commit", "--quiet", "--allow-empty", "-m", tag]);
            git(&["tag", tag]);
        }
        git(&["tag", "v1.1.0"]);
        let tree = Tree::read(root).unwrap();
        assert_eq!((tree.commit.len(), tree.tags.as_slice()), (40, &["v1.1.0".to_owned()][..]));
        assert_eq!(tree.baseline.as_deref(), Some("v1.0.0"));
        assert_eq!(tree.check("1.1.0").verdict, Verdict::Passed);
        assert_eq!(tree.check("1.2.0").verdict, Verdict::Failed);

        fs::write(root.join("new"), "").unwrap();
        let tree = Tree::read(root).unwrap();
        assert_eq!(tree.changes, ["?? new"]);
        assert_eq!(tree.check("1.1.0").verdict, Verdict::Skipped);

        fs::create_dir(root.join("below")).unwrap();
        assert!(matches!(Tree::read(&root.join("below")), Err(Error::Input(_))));
    }

    #[test]
    fn a_folder_without_a_checkout_is_an_error() {
        assert!(Tree::read(tempfile::tempdir().unwrap().path()).is_err());
    }
}
