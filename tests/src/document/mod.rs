//! What a document tells its reader to type, what it says comes of it, and what of that is left out, with the reason.
//!
//! ````text
//! <!-- given: server -->             tests/documents/server.sh is run first: what the page takes for granted
//! <!-- not run: needs systemd -->    the commands below are not run, for this reason
//! ```sh
//! irgw provider list                 commands, for a POSIX shell
//! ```
//! ```text
//! ID  NAME …                         what they print; … is anything, and on a line of its own any lines
//! ```
//! ````

mod shown;

use std::path::Path;

use crate::Error;
use shown::fits;

/// A document's commands, in their order.
#[derive(Debug)]
pub struct Page {
    /// All of it.
    pub text: String,
    /// The blocks of commands.
    pub blocks: Vec<Block>,
}

/// A fenced block of commands.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// The number of the line that opens it.
    pub line: usize,
    /// The commands.
    pub commands: String,
    /// Names of scripts in `tests/documents` that make what it takes for granted.
    pub given: Vec<String>,
    /// Why it is not run.
    pub excuse: Option<String>,
    /// What the document says it prints.
    shown: Option<String>,
}

impl Block {
    /// Whether what was printed is what the document shows, if it shows anything.
    ///
    /// # Errors
    /// What the document shows.
    pub fn check(&self, printed: &str) -> Result<(), &str> {
        match &self.shown {
            Some(shown) if !fits(shown, printed) => Err(shown),
            _ => Ok(()),
        }
    }
}

impl Page {
    /// Reads a document.
    ///
    /// # Errors
    /// When it cannot be read; a remark with nothing to remark on, or commands in a form that would be passed over.
    pub fn read(path: &Path) -> Result<Page, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        Page::parse(&text).map_err(|problem| Error::content(path, problem))
    }

    /// Finds the commands in a document's text.
    ///
    /// # Errors
    /// A remark with nothing to remark on, or commands in a form that would be passed over.
    fn parse(text: &str) -> Result<Page, String> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut remarks: Vec<(usize, Remark)> = Vec::new();
        // Whether nothing but empty lines stands between the last block and here.
        let mut next_to_block = false;
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        while let Some((number, line)) = lines.next() {
            if let Some(remark) = Remark::parse(line) {
                remarks.push((number, remark.map_err(|problem| format!("line {number}: {problem}"))?));
                next_to_block = false;
            } else if let Some(kind) = line.trim_start().strip_prefix("```") {
                let indent = line.len() - line.trim_start().len();
                let end = format!("{}```", " ".repeat(indent));
                let content: Vec<&str> =
                    lines.by_ref().map(|(_, line)| line).take_while(|line| *line != end).collect();
                let content = content.iter().map(|line| format!("{line}\n")).collect::<String>();
                match (kind, blocks.last_mut()) {
                    ("sh", _) if indent == 0 => {
                        blocks.push(Block::new(number, content, &mut remarks)?);
                        next_to_block = true;
                        continue;
                    }
                    ("sh" | "bash" | "shell" | "console" | "zsh", _) => {
                        return Err(format!("line {number}: commands stand in ```sh, not indented"));
                    }
                    ("text", Some(block)) if next_to_block => block.shown = Some(content),
                    _ => {}
                }
                next_to_block = false;
            } else if !line.trim().is_empty() {
                if let Some((number, _)) = remarks.first() {
                    return Err(format!("line {number}: the remark stands before no commands"));
                }
                next_to_block = false;
            }
        }
        match remarks.first() {
            Some((number, _)) => Err(format!("line {number}: the remark stands before no commands")),
            None => Ok(Page { text: text.to_owned(), blocks }),
        }
    }
}

impl Block {
    fn new(line: usize, commands: String, remarks: &mut Vec<(usize, Remark)>) -> Result<Block, String> {
        let mut block = Block { line, commands, given: Vec::new(), excuse: None, shown: None };
        for (number, remark) in remarks.drain(..) {
            match remark {
                Remark::Given(name) => block.given.push(name),
                Remark::NotRun(_) if block.excuse.is_some() => {
                    return Err(format!("line {number}: one reason is enough"));
                }
                Remark::NotRun(reason) => block.excuse = Some(reason),
            }
        }
        Ok(block)
    }
}

/// What a document says of its next commands to whoever reads its source.
#[derive(Debug)]
enum Remark {
    NotRun(String),
    Given(String),
}

impl Remark {
    fn parse(line: &str) -> Option<Result<Remark, String>> {
        let text = line.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim();
        let (word, rest) = text.split_once(':')?;
        let rest = rest.trim().to_owned();
        let remark: fn(String) -> Remark = match word {
            "not run" => Remark::NotRun,
            "given" => Remark::Given,
            _ => return None,
        };
        Some(if rest.is_empty() { Err(format!("`{word}` says nothing")) } else { Ok(remark(rest)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        Page::parse(text).unwrap_err()
    }

    #[test]
    fn commands_come_in_their_order_with_what_is_said_of_them() {
        let text = "# A\n\n```sh\none\ntwo\n```\n\n```text\n1\n```\n\n<!-- given: dev -->\n<!-- not run: needs a moon -->\n```sh\nfly\n```\n";
        let page = Page::parse(text).unwrap();
        let [first, second] = page.blocks.as_slice() else { panic!("{page:?}") };
        assert_eq!((first.line, first.commands.as_str(), &first.excuse), (3, "one\ntwo\n", &None));
        assert_eq!((first.check("1\n"), first.check("2\n")), (Ok(()), Err("1\n")));
        assert_eq!(
            (second.excuse.as_deref(), second.given.as_slice()),
            (Some("needs a moon"), &["dev".into()][..])
        );
        assert_eq!(second.check("anything"), Ok(()));
    }

    #[test]
    fn a_picture_further_down_is_not_what_commands_print() {
        let page = Page::parse("```sh\none\n```\nThe picture:\n\n```text\na -> b\n```\n").unwrap();
        assert_eq!(page.blocks.first().unwrap().check("1\n"), Ok(()));
    }

    #[test]
    fn excuse_that_excuses_nothing_is_refused() {
        let before_prose = "<!-- not run: needs a moon -->\nProse.\n```sh\nfly\n```\n";
        assert_eq!(problem(before_prose), "line 1: the remark stands before no commands");
        assert_eq!(problem("Prose.\n<!-- given: dev -->\n"), "line 2: the remark stands before no commands");
        assert_eq!(problem("<!-- not run: -->\n```sh\nfly\n```\n"), "line 1: `not run` says nothing");
        let twice = "<!-- not run: a -->\n<!-- not run: b -->\n```sh\nfly\n```\n";
        assert_eq!(problem(twice), "line 2: one reason is enough");
    }

    #[test]
    fn commands_that_would_be_passed_over_are_refused() {
        assert!(problem("- do:\n\n  ```sh\n  one\n  ```\n").starts_with("line 3: "));
        assert!(problem("```console\n$ one\n```\n").starts_with("line 1: "));
    }

    #[test]
    fn other_comments_and_other_fences_are_left_alone() {
        let page = Page::parse("<!-- a word to editors -->\n```toml\na = 1\n```\n```sh\none\n```\n").unwrap();
        assert_eq!(page.blocks.len(), 1);
    }
}
