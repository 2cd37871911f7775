//! The commands of the documents, run as a reader would, each page in a folder of its own; and the errors that docs/wire.md explains.

mod reader;
mod wire;
mod words;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use irgw_tests::{Block, Case, Page, folder};
use libtest_mimic::{Completion, Failed, Trial};

use crate::environments::{ensure, installed};
use crate::{Result, skipped};
use reader::Reader;

/// Programs of others that pages use, each of which a reader may lack.
const OTHERS: [&str; 10] =
    ["curl", "gpg", "jq", "openssl", "pg_dump", "python3", "sftp", "sqlite3", "ssh-keygen", "ssh-keyscan"];

/// One trial a page with commands that are run, and those for what holds of all of them. `cases` show what the gateway refuses.
pub(crate) fn trials(cases: &[Case]) -> Vec<Trial> {
    let root = root();
    let mut trials = wire::trials(&root, cases);
    let (mut given, mut pages) = (BTreeSet::new(), Vec::new());
    for path in paths(&root) {
        let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
        let trial = format!("documents::{name}");
        let page = match Page::read(&path) {
            Ok(page) => page,
            Err(error) => {
                trials.push(Trial::test(trial, move || Err(error.to_string().into())));
                continue;
            }
        };
        pages.push((name.clone(), page.text.clone()));
        given.extend(page.blocks.iter().flat_map(|block| block.given.clone()));
        if page.blocks.iter().any(|block| block.excuse.is_none()) {
            trials.push(Trial::ignorable_test(trial, move || read(&name, &page)));
        }
    }
    trials.push(words::trial(pages));
    trials.push(Trial::test("documents::whatever_is_prepared_is_given", move || {
        let prepared = prepared()?;
        ensure(prepared == given, || format!("prepared {prepared:?}, given {given:?}"))
    }));
    trials
}

/// Runs a page's commands, block by block.
fn read(name: &str, page: &Page) -> Result {
    let run: Vec<&Block> = page.blocks.iter().filter(|block| block.excuse.is_none()).collect();
    let uses = |program: &str| {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        run.iter().any(|block| block.commands.split(|c| !is_word(c)).any(|word| word == program))
    };
    if let Some(program) = OTHERS.iter().find(|program| uses(program) && installed(program).is_none()) {
        return Ok(skipped(&format!("{name} uses {program}, which is not installed")));
    }
    let mut reader = Reader::new()?;
    for block in run {
        for given in &block.given {
            let path = folder().join("documents").join(given).with_extension("sh");
            let commands = std::fs::read_to_string(&path)
                .map_err(|error| format!("{name}:{}: given {given}: {error}", block.line))?;
            reader.run(&commands).map_err(|told| failed(name, block, &told))?;
        }
        let printed = reader.run(&block.commands).map_err(|told| failed(name, block, &told))?;
        block.check(&printed).map_err(|shown| {
            Failed::from(format!("{name}:{}: shown:\n{shown}\nprinted:\n{printed}", block.line))
        })?;
    }
    Ok(Completion::Completed)
}

fn failed(name: &str, block: &Block, told: &str) -> Failed {
    format!("{name}:{}:\n{}\n{told}", block.line, block.commands).into()
}

/// The names of the scripts that make what pages take for granted.
fn prepared() -> std::result::Result<BTreeSet<String>, Failed> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder().join("documents"))? {
        let path = entry?.path();
        if path.extension() == Some("sh".as_ref()) {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    Ok(names)
}

/// README.md and what is in docs; and the crates' own pages.
fn paths(root: &Path) -> Vec<PathBuf> {
    let within = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let crates = within(root.join("crates")).into_iter().map(|folder| folder.join("README.md"));
    let mut paths: Vec<PathBuf> = within(root.join("docs"))
        .into_iter()
        .chain(crates)
        .chain([root.join("README.md"), root.join("SECURITY.md")])
        .filter(|path| path.extension() == Some("md".as_ref()) && path.is_file())
        .collect();
    paths.sort();
    paths
}

/// The workspace's folder.
fn root() -> PathBuf {
    folder().parent().unwrap_or(folder()).to_owned()
}
