//! Checks that no compiler makes: layers between crates, text, documents.
//!
//! Each check is one small function from what it reads to [`Finding`]s, and a test shows it finding something.

mod documents;
mod graph;
mod layers;
mod purity;
mod text;

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{Error, run};

/// One place where a check is not met.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// A file below the workspace's root, or a crate's name.
    pub place: String,
    /// The line in it, from 1, where there is one.
    pub line: Option<usize>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Finding {
    fn new(place: &str, line: impl Into<Option<usize>>, message: impl Into<String>) -> Finding {
        Finding { place: place.into(), line: line.into(), message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.place, self.message),
            None => write!(f, "{}: {}", self.place, self.message),
        }
    }
}

/// A file of the repository: its path below the root, with `/`, and its text.
#[derive(Debug, Clone)]
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    fn find(&self, line: impl Into<Option<usize>>, message: impl Into<String>) -> Finding {
        Finding::new(&self.path, line, message)
    }
}

/// Makes every check and prints what was found.
pub(crate) fn run() -> Result<(), Error> {
    let root = run::root();
    let graph = graph::Graph::read()?;
    let sources = sources(root)?;
    let mut findings = layers::check(&graph);
    findings.extend(sources.iter().flat_map(text::check));
    findings.extend(sources.iter().flat_map(purity::check));
    findings.extend(documents::check(&sources));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        return Err(Error::Findings { check: "tidy", count: findings.len() });
    }
    println!("tidy: {} crates, {} files: nothing found", graph.members().count(), sources.len());
    Ok(())
}

/// The text files that are tracked, or would be after `git add`.
fn sources(root: &Path) -> Result<Vec<Source>, Error> {
    let listed = run::read(Command::new("git").current_dir(root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let mut sources = Vec::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        let file = root.join(path);
        // A file that was removed and not yet committed is still listed; a symbolic link is another file's text.
        let Ok(true) = fs::symlink_metadata(&file).map(|metadata| metadata.is_file()) else { continue };
        let bytes = fs::read(&file).map_err(Error::at("read", &file))?;
        if let Ok(text) = String::from_utf8(bytes) {
            sources.push(Source { path: path.into(), text });
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources.dedup_by(|one, other| one.path == other.path);
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finding_reads_like_a_compilers_message() {
        assert_eq!(Finding::new("a.rs", 3, "no").to_string(), "a.rs:3: no");
        assert_eq!(Finding::new("irgw-core", None, "no").to_string(), "irgw-core: no");
    }
}
