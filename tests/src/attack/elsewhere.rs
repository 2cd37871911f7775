//! Which tests of the workspace carry an attack's id: read off the comments above them, so that the list cannot fall behind.
//!
//! A test file whose opening `//!` names an id carries it as a whole; a function whose `///` names one carries it by its name. Ids may
//! be a range, `A05 to A10`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::Error;

/// The names of tests, by the ids that they carry: `crates/irgw-tls/tests/path.rs` or `…/path.rs::setting_decides`.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere(BTreeMap<String, BTreeSet<String>>);

impl Elsewhere {
    /// Reads every Rust file of `crates` and of the conformance trials below the workspace's folder.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read(workspace: &Path) -> Result<Elsewhere, Error> {
        let mut files = Vec::new();
        for folder in ["crates", "tests/tests"] {
            collect(&workspace.join(folder), &mut files)?;
        }
        let mut elsewhere = Elsewhere::default();
        for path in files {
            let text = std::fs::read_to_string(&path).map_err(Error::file(&path))?;
            let name = path.strip_prefix(workspace).unwrap_or(&path).to_string_lossy().into_owned();
            elsewhere.note(&name, &text);
        }
        Ok(elsewhere)
    }

    /// The tests that carry an id, in the order of their names.
    pub fn tests(&self, id: &str) -> Vec<&str> {
        self.0.get(id).into_iter().flatten().map(String::as_str).collect()
    }

    fn note(&mut self, name: &str, text: &str) {
        // In a library's own file tests stand below the code, whose comments name ids for other reasons.
        let is_tests = name.contains("/tests/") || name.ends_with("tests.rs");
        let mut below = is_tests;
        let mut ids = BTreeSet::new();
        for line in text.lines().map(str::trim) {
            below |= line.starts_with("mod tests") || line == "#[cfg(test)]";
            if let Some(comment) = line.strip_prefix("//!") {
                let whole = if is_tests { named(comment) } else { BTreeSet::new() };
                self.add(whole, name);
            } else if let Some(comment) = line.strip_prefix("///") {
                ids.extend(named(comment));
            } else if let Some(function) = function(line) {
                let ids = std::mem::take(&mut ids);
                if below {
                    self.add(ids, &format!("{name}::{function}"));
                }
            } else if !line.starts_with("#[") {
                ids.clear();
            }
        }
    }

    fn add(&mut self, ids: BTreeSet<String>, test: &str) {
        for id in ids {
            self.0.entry(id).or_default().insert(test.to_owned());
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in std::fs::read_dir(folder).map_err(Error::file(folder))? {
        let path = entry.map_err(Error::file(folder))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The function that a line begins.
fn function(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let is_declaration =
        before.split_whitespace().all(|word| matches!(word, "pub" | "pub(crate)" | "pub(super)" | "async"));
    let name = after.split(['(', '<']).next()?;
    (is_declaration && !name.is_empty()).then_some(name)
}

/// The ids in a comment, ranges written out.
fn named(comment: &str) -> BTreeSet<String> {
    let words: Vec<&str> =
        comment.split(|one: char| !one.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut ids: BTreeSet<String> =
        words.iter().filter_map(|word| id(word)).map(|(letter, number)| written(letter, number)).collect();
    for window in words.windows(3) {
        if let [first, "to", last] = window
            && let (Some((letter, from)), Some((other, to))) = (id(first), id(last))
            && letter == other
        {
            ids.extend((from..=to).map(|number| written(letter, number)));
        }
    }
    ids
}

fn id(word: &str) -> Option<(char, u8)> {
    let letter = word.chars().next().filter(|letter| ('A'..='G').contains(letter))?;
    let number = word.get(1..).filter(|number| number.len() == 2)?;
    Some((letter, number.parse().ok()?))
}

fn written(letter: char, number: u8) -> String {
    format!("{letter}{number:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_functions_and_ranges_are_found() {
        let mut elsewhere = Elsewhere::default();
        elsewhere.note(
            "crates/a/tests/path.rs",
            "//! Paths (TLS-4; A05 to A07, B01).\n\n/// C01, of D2.\n#[test]\nfn one_is_refused() {}\n\n/// D02 stands above a constant.\nconst X: u8 = 1;\nfn other() {}\n",
        );
        elsewhere.note(
            "crates/a/src/lib.rs",
            "//! A05.\n/// C01.\npub fn code() {}\nmod tests {\n/// C01.\n#[test]\nfn two() {}\n}\n",
        );
        assert_eq!(elsewhere.tests("A06"), ["crates/a/tests/path.rs"]);
        assert_eq!(elsewhere.tests("B01"), ["crates/a/tests/path.rs"]);
        assert_eq!(
            elsewhere.tests("C01"),
            ["crates/a/src/lib.rs::two", "crates/a/tests/path.rs::one_is_refused"]
        );
        assert!(elsewhere.tests("D02").is_empty());
    }
}
