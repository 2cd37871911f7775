//! Whether CHANGELOG.md says what is new in the version.

use std::fs;

use time::Date;
use time::macros::format_description;

use super::outcome::Outcome;
use super::workspace::Workspace;
use crate::Error;

/// What is asked of the changelog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The news may still stand under `Unreleased`.
    Rehearsal,
    /// The version has its own section, with its date, and nothing is left under `Unreleased`.
    Publication,
}

/// The step.
pub(super) fn check(workspace: &Workspace, stage: Stage) -> Result<Outcome, Error> {
    let path = workspace.workspace_root.join("CHANGELOG.md");
    let text = fs::read_to_string(&path).map_err(Error::at("read", &path))?;
    Ok(judge(&text, workspace.version(), stage))
}

fn judge(text: &str, version: &str, stage: Stage) -> Outcome {
    let sections = sections(text);
    let unreleased = sections.iter().find(|section| section.name.eq_ignore_ascii_case("unreleased"));
    let waiting = unreleased.map_or(0, |section| section.entries);
    let Some(own) = sections.iter().find(|section| section.name == version) else {
        return match (waiting, stage) {
            (0, _) => Outcome::failed(format!("CHANGELOG.md says nothing about {version}")),
            (_, Stage::Rehearsal) => Outcome::passed(format!(
                "{waiting} entries under `Unreleased`; publishing wants them under `## {version} - YYYY-MM-DD`"
            )),
            (_, Stage::Publication) => Outcome::failed(format!(
                "CHANGELOG.md has no section `## {version} - YYYY-MM-DD`; its {waiting} entries stand under `Unreleased`"
            )),
        };
    };
    let form = format_description!("[year]-[month]-[day]");
    if Date::parse(own.date, form).is_err() {
        return Outcome::failed(format!(
            "the section of {version} in CHANGELOG.md needs its date: `## {version} - YYYY-MM-DD`"
        ));
    }
    match (own.entries, waiting) {
        (0, _) => Outcome::failed(format!("the section of {version} in CHANGELOG.md has no entry")),
        (entries, 0) => Outcome::passed(format!("{entries} entries for {version} of {}", own.date)),
        (_, waiting) => Outcome::failed(format!(
            "{version} has its section in CHANGELOG.md, but {waiting} entries stand under `Unreleased`"
        )),
    }
}

/// `## NAME - DATE`, and how many entries are in it.
#[derive(Debug)]
struct Section<'a> {
    name: &'a str,
    date: &'a str,
    entries: usize,
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("## ") {
            let (name, date) = head.split_once(" - ").unwrap_or((head, ""));
            let name = name.trim().trim_start_matches('[').trim_end_matches(']');
            sections.push(Section { name, date: date.trim(), entries: 0 });
        } else if let (Some(section), true) = (sections.last_mut(), line.starts_with("- ")) {
            section.entries += 1;
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Verdict::{self, Failed, Passed};
    use super::*;

    fn verdicts(text: &str) -> [Verdict; 2] {
        [Stage::Rehearsal, Stage::Publication].map(|stage| judge(text, "1.2.0", stage).verdict)
    }

    #[test]
    fn a_rehearsal_may_have_its_news_under_unreleased() {
        assert_eq!(
            verdicts("## Unreleased\n### Added\n- a\n\n## 1.1.0 - 2026-01-31\n- b\n"),
            [Passed, Failed]
        );
    }

    #[test]
    fn a_version_has_a_section_with_a_date_and_an_entry() {
        assert_eq!(verdicts("## [Unreleased]\n\n## [1.2.0] - 2026-02-28\n- a\n"), [Passed; 2]);
        assert_eq!(verdicts("## Unreleased\n\n## 1.2.0\n- a\n"), [Failed; 2]);
        assert_eq!(verdicts("## Unreleased\n\n## 1.2.0 - 2026-02-29\n- a\n"), [Failed; 2]);
        assert_eq!(verdicts("## Unreleased\n\n## 1.2.0 - 2026-02-28\n"), [Failed; 2]);
    }

    #[test]
    fn nothing_is_left_behind() {
        assert_eq!(verdicts("## Unreleased\n- b\n\n## 1.2.0 - 2026-02-28\n- a\n"), [Failed; 2]);
        assert_eq!(verdicts("## Unreleased\n\n## 1.1.0 - 2026-02-28\n- a\n"), [Failed; 2]);
    }
}
