//! What the text of a file must and must not hold, whatever it says.

use super::{Finding, Source};

/// Every check of this module.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let checks = [
        opening_sentence,
        length,
        short_main,
        machine_paths,
        unfinished,
        exceptions_have_reasons,
        lints_shared,
        keys,
    ];
    checks.iter().flat_map(|check| check(source)).collect()
}

/// Lines of a Rust file past which it holds more than one idea.
const FILE_LIMIT_LINES: usize = 600;
const MAIN_LIMIT_LINES: usize = 40;

/// A Rust file's first line says what it is.
fn opening_sentence(source: &Source) -> Vec<Finding> {
    if !is_rust(source) {
        return vec![];
    }
    let first = source.text.lines().next().unwrap_or_default();
    let paragraph = source.text.lines().map_while(|line| line.strip_prefix("//! "));
    match (first.starts_with("//! "), paragraph.last()) {
        (true, Some(end)) if end.ends_with(['.', ':']) => vec![],
        (true, _) => {
            vec![source.find(1, "the opening `//!` paragraph must be a sentence that ends in a full stop")]
        }
        (false, _) => vec![source.find(1, "must open with one `//!` sentence that says what the file is")],
    }
}

/// A Rust file is one idea.
fn length(source: &Source) -> Vec<Finding> {
    let lines = source.text.lines().count();
    if !is_rust(source) || lines <= FILE_LIMIT_LINES {
        return vec![];
    }
    vec![source.find(None, format!("has {lines} lines; split it by subject below {FILE_LIMIT_LINES}"))]
}

/// A program's `main.rs` only calls its library, so that tests can link everything.
fn short_main(source: &Source) -> Vec<Finding> {
    let lines = source.text.lines().count();
    if !source.path.ends_with("src/main.rs") || lines <= MAIN_LIMIT_LINES {
        return vec![];
    }
    vec![source.find(
        None,
        format!("has {lines} lines; move what it does into the library, below {MAIN_LIMIT_LINES}"),
    )]
}

/// Nothing names a folder that is on one person's machine only.
fn machine_paths(source: &Source) -> Vec<Finding> {
    // Put together here, so that this file does not find itself.
    const FOLDERS: [&str; 5] = [
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("C:\\Us", "ers"),
    ];
    let starts_path = |line: &str, folder: &str| {
        line.match_indices(folder).any(|(at, _)| {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '}'))
        })
    };
    let named = source.lines().filter_map(|(number, line)| {
        let folder = FOLDERS.iter().find(|folder| starts_path(line, folder))?;
        Some(source.find(number, format!("names a folder of one machine ({folder}…)")))
    });
    named.collect()
}

/// Nothing is left for later.
fn unfinished(source: &Source) -> Vec<Finding> {
    const MARKS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    const MACROS: [&str; 2] = [concat!("unimple", "mented!("), concat!("to", "do!(")];
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !["rs", "toml", "md", "sh", "run", "sql"].contains(&extension(source)) {
        return vec![];
    }
    let marked = source.lines().filter_map(|(number, line)| {
        let mark = line.split(|c| !is_word(c)).find(|word| MARKS.contains(word));
        let mark = mark.or_else(|| MACROS.into_iter().find(|name| is_rust(source) && line.contains(name)))?;
        Some(source.find(number, format!("`{mark}`: finish it, or open an issue")))
    });
    marked.collect()
}

/// Every lint that is switched off says why, in `reason = "…"` or in a comment on its line.
fn exceptions_have_reasons(source: &Source) -> Vec<Finding> {
    if !is_rust(source) {
        return vec![];
    }
    let mut findings = Vec::new();
    let mut lines = source.lines();
    while let Some((number, line)) = lines.next() {
        let start = line.trim_start();
        if !["#[allow(", "#![allow(", "#[expect(", "#![expect("].iter().any(|open| start.starts_with(open)) {
            continue;
        }
        let mut attribute = line.to_owned();
        while !attribute.contains(")]") {
            let Some((_, more)) = lines.next() else { break };
            attribute.push_str(more);
        }
        if !attribute.contains("reason =") && !attribute.contains("//") {
            findings.push(source.find(number, "an exception says why: add `reason = \"…\"`"));
        }
    }
    findings
}

/// Every member takes the workspace's lints.
fn lints_shared(source: &Source) -> Vec<Finding> {
    // Fuzz targets are workspaces of their own, built by cargo-fuzz.
    let own = source.path.ends_with("/Cargo.toml") && !source.path.contains("/fuzz/");
    if !own || source.text.contains("[lints]\nworkspace = true") {
        return vec![];
    }
    vec![source.find(None, "must have `[lints]` with `workspace = true`")]
}

/// Keys are made at run time, never committed.
fn keys(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut before = "";
    for (number, line) in source.lines() {
        let is_head = before.contains("-----BEGIN ") && before.contains("PRIVATE KEY-----");
        let text = line.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\\'));
        let is_base64 = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='));
        if is_head && is_base64 && text.len() >= 40 {
            findings.push(source.find(number, "holds a private key; make keys at run time"));
        }
        before = line;
    }
    findings
}

fn is_rust(source: &Source) -> bool {
    extension(source) == "rs"
}

/// What follows the last `.` of the file's name, or the whole name.
fn extension(source: &Source) -> &str {
    let name = source.path.rsplit('/').next().unwrap_or_default();
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that `check` finds in a file.
    fn found(check: fn(&Source) -> Vec<Finding>, path: &str, text: &str) -> Vec<Option<usize>> {
        let source = Source { path: path.into(), text: text.into() };
        check(&source).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_good_file_has_no_findings() {
        let text = "//! One idea.\n\n#[allow(dead_code, reason = \"a fixture\")]\nfn one() {}\n";
        assert_eq!(found(check, "src/one.rs", text), []);
    }

    #[test]
    fn a_rust_file_opens_with_a_sentence() {
        assert_eq!(found(opening_sentence, "a.rs", "use std::io;\n"), [Some(1)]);
        assert_eq!(found(opening_sentence, "a.rs", ""), [Some(1)]);
        assert_eq!(found(opening_sentence, "a.rs", "//! x\n"), [Some(1)]);
        assert_eq!(found(opening_sentence, "a.rs", "//! Two lines,\n//! one sentence.\n\nuse a;"), []);
        assert_eq!(found(opening_sentence, "a.md", "text"), []);
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(found(length, "a.rs", &"\n".repeat(FILE_LIMIT_LINES)), []);
        assert_eq!(found(length, "a.rs", &"\n".repeat(FILE_LIMIT_LINES + 1)), [None]);
    }

    #[test]
    fn a_long_main_is_found() {
        assert_eq!(found(short_main, "a/src/main.rs", &"\n".repeat(MAIN_LIMIT_LINES + 1)), [None]);
        assert_eq!(found(short_main, "a/src/lib.rs", &"\n".repeat(MAIN_LIMIT_LINES + 1)), []);
    }

    #[test]
    fn a_folder_of_one_machine_is_found() {
        let text = format!("ok\nsee {}me/ann/notes\n", "/ho");
        assert_eq!(found(machine_paths, "a.md", &text), [Some(2)]);
        let text = format!("`https://example.nz{}me/page` and a crates{}rk/ folder", "/ho", "/wo");
        assert_eq!(found(machine_paths, "a.md", &text), []);
    }

    #[test]
    fn what_is_left_for_later_is_found() {
        let text = format!("one\n// TO{}: later\n", "DO");
        assert_eq!(found(unfinished, "a.rs", &text), [Some(2)]);
        assert_eq!(found(unfinished, "a.rs", &format!("    to{}!()", "do")), [Some(1)]);
        assert_eq!(found(unfinished, "a.sh", "mktemp -d /tmp/a.XXXXXX"), []);
        assert_eq!(found(unfinished, "Cargo.toml", "todo = \"warn\""), []);
    }

    #[test]
    fn an_exception_without_a_reason_is_found() {
        assert_eq!(found(exceptions_have_reasons, "a.rs", "    #[allow(dead_code)]\n"), [Some(1)]);
        assert_eq!(found(exceptions_have_reasons, "a.rs", "#![expect(\n    dead_code,\n)]\n"), [Some(1)]);
        assert_eq!(found(exceptions_have_reasons, "a.rs", "#[allow(dead_code)] // a fixture\n"), []);
        assert_eq!(
            found(exceptions_have_reasons, "a.rs", "#[expect(\n    dead_code,\n    reason = \"x\"\n)]\n"),
            []
        );
    }

    #[test]
    fn a_member_without_the_shared_lints_is_found() {
        assert_eq!(found(lints_shared, "crates/a/Cargo.toml", "[package]\n"), [None]);
        assert_eq!(found(lints_shared, "crates/a/Cargo.toml", "[lints]\nworkspace = true\n"), []);
        assert_eq!(found(lints_shared, "crates/a/fuzz/Cargo.toml", "[package]\n"), []);
    }

    #[test]
    fn a_private_key_is_found() {
        let head = "-----BEGIN PRIVATE KEY-----";
        assert_eq!(found(keys, "a.pem", &format!("{head}\n{}\n", "A".repeat(64))), [Some(2)]);
        assert_eq!(found(keys, "a.rs", &format!("let begins = \"{head}\";\nlet x = 1;\n")), []);
    }
}
