//! Whether the versions are in step: of the crates, of what they require of each other, and of Cargo.lock.

use super::outcome::Outcome;
use super::workspace::Workspace;
use crate::run;

/// The step.
pub(super) fn check(workspace: &Workspace) -> Outcome {
    let mut wrong = mismatches(workspace);
    let locked = ["metadata", "--locked", "--format-version", "1"];
    if let Err(error) = run::read(run::cargo().current_dir(&workspace.workspace_root).args(locked)) {
        wrong.push(format!("Cargo.lock is not up to date: {}", crate::error::chain(&error)));
    }
    let count = workspace.published().count();
    Outcome::unless(
        wrong,
        format!("{count} crates at {}, each asks for just that of the others", workspace.version()),
    )
}

/// Every published crate has one version, asks for exactly that of the others, and knows none that is not published.
fn mismatches(workspace: &Workspace) -> Vec<String> {
    let version = workspace.version();
    let mut wrong = Vec::new();
    for package in workspace.published() {
        if package.version != version {
            wrong.push(format!("{} is at {}, others at {version}", package.name, package.version));
        }
        for own in package.own() {
            let known = workspace.packages.iter().find(|other| other.name == own.name);
            if known.is_some_and(|other| !other.is_published()) {
                wrong.push(format!("{} depends on {}, which is not published", package.name, own.name));
            } else if own.req != format!("^{version}") {
                wrong.push(format!(
                    "{} asks for {} {} instead of ^{version}",
                    package.name, own.name, own.req
                ));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::super::workspace::fixture;
    use super::*;

    #[test]
    fn versions_in_step_have_nothing_wrong() {
        let workspace = fixture(&["a 1.0.0:", "b 1.0.0: a ^1.0.0", "private c 2.0.0: a ^0.9.0"]);
        assert_eq!(mismatches(&workspace), Vec::<String>::new());
    }

    #[test]
    fn what_is_out_of_step_is_named() {
        let workspace =
            fixture(&["a 1.0.0:", "b 1.0.1: a ^0.9.0, c ^1.0.0, d *", "private c 1.0.0:", "d 1.0.0:"]);
        let wrong = [
            "b is at 1.0.1, others at 1.0.0",
            "b asks for a ^0.9.0 instead of ^1.0.0",
            "b depends on c, which is not published",
            "b asks for d * instead of ^1.0.0",
        ];
        assert_eq!(mismatches(&workspace), wrong);
    }
}
