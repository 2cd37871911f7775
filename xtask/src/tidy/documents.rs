//! Whether the documents are there, and whether what they point at is.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Source};

/// Every check of this module.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let checks = [required, crate_readmes, changelog, links];
    checks.iter().flat_map(|check| check(sources)).collect()
}

const REQUIRED: [&str; 10] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "docs/five-minutes.md",
    "docs/operating.md",
    "docs/providers.md",
    "docs/security.md",
    "docs/wire.md",
];

/// The documents that a newcomer looks for.
fn required(sources: &[Source]) -> Vec<Finding> {
    let absent = REQUIRED.into_iter().filter(|name| !sources.iter().any(|source| source.path == *name));
    absent.map(|name| Finding::new(name, None, "is missing")).collect()
}

/// Every crate has a README.
fn crate_readmes(sources: &[Source]) -> Vec<Finding> {
    let manifests = sources.iter().filter_map(|source| source.path.strip_suffix("/Cargo.toml"));
    let crates = manifests.filter(|folder| folder.starts_with("crates/") && !folder.ends_with("/fuzz"));
    crates
        .map(|folder| format!("{folder}/README.md"))
        .filter(|readme| !sources.iter().any(|source| source.path == *readme))
        .map(|readme| Finding::new(&readme, None, "is missing"))
        .collect()
}

/// What changed since the last release has its place.
fn changelog(sources: &[Source]) -> Vec<Finding> {
    let is_head = |line: &str| line.starts_with("## ") && line.to_ascii_lowercase().contains("unreleased");
    let changelogs = sources.iter().filter(|source| source.path == "CHANGELOG.md");
    changelogs
        .filter(|source| !source.text.lines().any(is_head))
        .map(|source| source.find(None, "needs a section `## Unreleased`"))
        .collect()
}

/// Links between files of the repository lead somewhere, to the heading if they name one.
fn links(sources: &[Source]) -> Vec<Finding> {
    let files: BTreeMap<&str, &Source> =
        sources.iter().map(|source| (source.path.as_str(), source)).collect();
    let folders: BTreeSet<&str> = files.keys().flat_map(|path| parents(path)).collect();
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".md")) {
        for (number, target) in targets(source) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { Some(source.path.clone()) } else { resolve(&source.path, path) };
            let Some(path) = path else {
                findings
                    .push(source.find(number, format!("the link `{target}` leads out of the repository")));
                continue;
            };
            match files.get(path.as_str()) {
                None if folders.contains(path.as_str()) => {}
                None => findings.push(source.find(number, format!("the link `{target}` leads nowhere"))),
                Some(file)
                    if heading.is_empty() || !path.ends_with(".md") || headings(file).contains(heading) => {}
                Some(_) => findings
                    .push(source.find(number, format!("the link `{target}` names no heading of {path}"))),
            }
        }
    }
    findings
}

/// The targets of a document's links that are not addresses, outside code.
fn targets(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    prose(source).flat_map(|(number, line)| {
        // Code between backticks is every second piece; a link's text may hold code, its target does not.
        let ends = line.match_indices("](").filter(move |(at, _)| {
            line.get(..*at).is_some_and(|before| before.matches('`').count() % 2 == 0)
        });
        let found = ends.filter_map(|(at, open)| line.get(at + open.len()..)?.split([')', ' ']).next());
        let local = found
            .filter(|target| !target.contains("://") && !target.starts_with("mailto:") && !target.is_empty());
        local.map(move |target| (number, target)).collect::<Vec<_>>()
    })
}

/// The anchors of a document's headings, as GitHub and GitLab make them.
fn headings(source: &Source) -> BTreeSet<String> {
    let heads = prose(source).filter_map(|(_, line)| {
        let text = line.trim_start_matches('#');
        (text.len() < line.len()).then(|| text.strip_prefix(' ')).flatten()
    });
    let mut anchors = BTreeSet::new();
    for head in heads {
        let kept = head.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase();
        let repeats = (1..).map(|n| format!("{anchor}-{n}")).find(|name| !anchors.contains(name));
        match (anchors.contains(&anchor), repeats) {
            (true, Some(name)) => anchors.insert(name),
            _ => anchors.insert(anchor),
        };
    }
    anchors
}

/// A document's lines outside fenced code.
fn prose(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    source.lines().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// `target` as seen from the file at `from`; `None` above the root.
fn resolve(from: &str, target: &str) -> Option<String> {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The folders above a path.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at)).chain([""])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(check: fn(&[Source]) -> Vec<Finding>, files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> =
            files.iter().map(|(path, text)| Source { path: (*path).into(), text: (*text).into() }).collect();
        check(&files).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn missing_documents_are_found() {
        assert_eq!(found(required, &[("README.md", "")]).len(), REQUIRED.len() - 1);
    }

    #[test]
    fn a_crate_without_a_readme_is_found() {
        let found = found(crate_readmes, &[("crates/a/Cargo.toml", ""), ("crates/a/fuzz/Cargo.toml", "")]);
        assert_eq!(found, ["crates/a/README.md: is missing"]);
    }

    #[test]
    fn a_changelog_without_a_place_for_news_is_found() {
        assert_eq!(found(changelog, &[("CHANGELOG.md", "## 0.1.0\n")]).len(), 1);
        assert_eq!(found(changelog, &[("CHANGELOG.md", "## [Unreleased]\n")]).len(), 0);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let files = [
            ("docs/a.md", "See [b](b.md), [c](../c.md#one-idea) and [d](../src).\n"),
            ("c.md", "# One idea!\n"),
            ("src/lib.rs", ""),
        ];
        assert_eq!(found(links, &files), ["docs/a.md:1: the link `b.md` leads nowhere"]);
    }

    #[test]
    fn a_link_to_a_heading_that_is_not_there_is_found() {
        let files = [("a.md", "# Here\n[x](#here) [y](#there)\n")];
        assert_eq!(found(links, &files), ["a.md:2: the link `#there` names no heading of a.md"]);
    }

    #[test]
    fn a_link_out_of_the_repository_is_found() {
        assert_eq!(found(links, &[("a.md", "[x](../other/b.md)\n")]).len(), 1);
    }

    #[test]
    fn code_and_addresses_are_not_links() {
        let text = "[x](https://example.nz/a) `[y](no.md)`\n```\n[z](no.md)\n```\n";
        assert_eq!(found(links, &[("a.md", text)]), Vec::<String>::new());
    }

    #[test]
    fn repeated_headings_get_numbers() {
        let files = [("a.md", "# One\n## One\n[x](#one-1)\n")];
        assert_eq!(found(links, &files), Vec::<String>::new());
    }
}
