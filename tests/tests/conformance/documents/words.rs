//! Whether every command of `irgw` that a document names, run or not, is one that there is, with options that it has.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory};
use irgw_gateway::cli::Cli;
use libtest_mimic::Trial;

use crate::environments::ensure;

pub(super) fn trial(pages: Vec<(String, String)>) -> Trial {
    Trial::test("documents::every_command_that_is_named_exists", move || {
        let mut irgw = Cli::command();
        irgw.build();
        let mut wrong = Vec::new();
        for (name, text) in &pages {
            for (line, words) in mentions(text) {
                wrong.extend(fault(&irgw, &words).map(|fault| format!("{name}:{line}: {fault}")));
            }
        }
        ensure(wrong.is_empty(), || wrong.join("\n"))
    })
}

/// The words behind each `irgw` in code, until the command ends.
fn mentions(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let (mut fenced, mut begun) = (false, String::new());
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if let (true, Some(part)) = (fenced, line.strip_suffix('\\')) {
            begun.push_str(part);
            continue;
        }
        let whole = std::mem::take(&mut begun) + line;
        // Code between backticks is every second piece.
        let spans: Vec<&str> =
            if fenced { vec![whole.as_str()] } else { whole.split('`').skip(1).step_by(2).collect() };
        for span in spans {
            let commands = span.split(['|', ';', '&', '(', ')', '#', '>', '<', '`']);
            let words = commands.map(|command| command.split_whitespace().map(str::to_owned));
            let named = words.filter_map(|mut words| {
                words.by_ref().any(|word| word == "irgw" || word.ends_with("/irgw")).then_some(words)
            });
            found.extend(named.map(|words| (index + 1, words.collect())));
        }
    }
    found
}

/// What of it there is not.
fn fault(irgw: &Command, words: &[String]) -> Option<String> {
    let (mut command, mut path) = (irgw, "irgw".to_owned());
    for word in words {
        let is_name = word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-');
        match command.find_subcommand(word) {
            Some(next) => (command, path) = (next, format!("{path} {word}")),
            None if is_name && command.has_subcommands() => return Some(format!("{path} has no {word}")),
            None => break,
        }
    }
    let options: BTreeSet<String> = command
        .get_arguments()
        .flat_map(|argument| argument.get_long_and_visible_aliases().unwrap_or_default())
        .map(|name| format!("--{name}"))
        .collect();
    let named = words.iter().filter_map(|word| word.split('=').next());
    let unknown = named.filter(|word| word.len() > 2 && word.starts_with("--") && !options.contains(*word));
    unknown.map(|word| format!("{path} has no {word}")).next()
}
