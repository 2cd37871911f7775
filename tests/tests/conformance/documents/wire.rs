//! Whether docs/wire.md has every refusal in a service's words, as the gateway has it, and a row for every rule that refuses.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use irgw_core::{Barrier, Class, Rule, TokenFault};
use irgw_gateway::{Denial, Dialect};
use irgw_tests::{Case, Handshake, Reason};
use libtest_mimic::{Failed, Trial};

use crate::environments::ensure;

const DIALECTS: [Dialect; 6] =
    [Dialect::Suite, Dialect::Income, Dialect::Bill, Dialect::Tds, Dialect::Calculators, Dialect::Soap];

/// Every denial, by the name that the page gives it.
const DENIALS: [(&str, Denial); 13] = [
    ("no token", Denial::NoToken),
    ("form", bad(TokenFault::Malformed)),
    ("times", bad(TokenFault::Times)),
    ("credential", bad(TokenFault::UnknownCredential)),
    ("signature", bad(TokenFault::Signature)),
    ("algorithm", bad(TokenFault::Algorithm)),
    ("kind", barred(Barrier::Service)),
    ("owner", barred(Barrier::Owner)),
    ("logon", barred(Barrier::Logon)),
    ("client", barred(Barrier::Client)),
    ("provider", barred(Barrier::Provider)),
    ("grant", Denial::Certificate),
    ("prohibited", Denial::TokenProhibited),
];

const fn bad(fault: TokenFault) -> Denial {
    Denial::Judged(Class::BadToken(fault))
}

const fn barred(barrier: Barrier) -> Denial {
    Denial::Judged(Class::NotPermitted(barrier))
}

pub(super) fn trials(root: &Path, cases: &[Case]) -> Vec<Trial> {
    let page = root.join("docs/wire.md");
    let refusing: BTreeSet<Rule> = cases.iter().flat_map(refuses_by).collect();
    let trial = |name: &str, body: fn(&Page, &BTreeSet<Rule>) -> Result<(), Failed>| {
        let (page, refusing) = (page.clone(), refusing.clone());
        Trial::test(format!("documents::wire::{name}"), move || body(&Page::read(&page)?, &refusing))
    };
    vec![
        trial("every_answer_in_a_dialect_is_there", |page, _| every_answer(page)),
        trial("every_denial_is_explained", |page, _| every_denial(page)),
        trial("every_rule_that_refuses_is_explained", every_rule),
    ]
}

/// The rows of "In a service's words" are the gateway's own answers, each with the denials that it is the answer to.
fn every_answer(page: &Page) -> Result<(), Failed> {
    let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
    for dialect in DIALECTS {
        for (name, denial) in DENIALS {
            let answer = dialect.answer(denial);
            let (status, code, message) = (answer.status.as_u16(), answer.code, answer.message);
            let kind = if answer.kind.is_empty() { "–" } else { answer.kind };
            let row = format!("| {} | {status} | {code} | {kind} | {message} | ", dialect.name());
            match rows.iter_mut().find(|(known, _)| *known == row) {
                Some((_, denials)) => denials.push(name),
                None => rows.push((row, vec![name])),
            }
        }
    }
    let rows: Vec<String> =
        rows.iter().map(|(row, denials)| format!("{row}{} |", denials.join(", "))).collect();
    let there = page.rows("In a service's words")?;
    ensure(there == rows, || format!("{}: the rows are\n{}", page.path.display(), rows.join("\n")))
}

/// Every denial has its row.
fn every_denial(page: &Page) -> Result<(), Failed> {
    let rows = page.rows("Causes")?;
    let explained: Vec<_> = rows.iter().filter_map(|row| first_cell(row)).collect();
    let denials: Vec<_> = DENIALS.iter().map(|(name, _)| *name).collect();
    ensure(explained == denials, || format!("explained: {explained:?}, denials: {denials:?}"))
}

/// Every rule by which a case is refused has its row, and every row is of rules that there are, none of them twice.
fn every_rule(page: &Page, refusing: &BTreeSet<Rule>) -> Result<(), Failed> {
    let mut explained = BTreeSet::new();
    for row in page.rows("By rule")? {
        for id in first_cell(&row).unwrap_or_default().split(", ") {
            let rule = id.parse().map_err(|_| format!("there is no rule {id}"))?;
            ensure(explained.insert(rule), || format!("{id} is explained twice"))?;
        }
    }
    let missing: Vec<_> = refusing.difference(&explained).collect();
    ensure(missing.is_empty(), || format!("{} says nothing of {missing:?}", page.path.display()))
}

/// The rules by which a case shows that the gateway refuses a connection or a request.
fn refuses_by(case: &Case) -> Vec<Rule> {
    let expect = &case.text.expect;
    let refuses =
        expect.handshake == Some(Handshake::Refused) || expect.status.is_some_and(|status| status >= 400);
    match &expect.reason {
        _ if !refuses => Vec::new(),
        None => vec![case.text.rule],
        Some(Reason::Rule(rule)) => vec![*rule],
        Some(Reason::Any(rules)) => rules.clone(),
    }
}

struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    fn read(path: &Path) -> Result<Page, Failed> {
        Ok(Page { path: path.to_owned(), text: std::fs::read_to_string(path)? })
    }

    /// The rows of the table below a heading, without its head.
    fn rows(&self, heading: &str) -> Result<Vec<String>, Failed> {
        let heading = format!("## {heading}");
        let mut lines = self.text.lines();
        lines.find(|line| *line == heading).ok_or_else(|| format!("there is no `{heading}`"))?;
        let table = lines.take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with('|'));
        Ok(table.skip(2).map(str::to_owned).collect())
    }
}

fn first_cell(row: &str) -> Option<&str> {
    row.strip_prefix("| ")?.split(" |").next()
}
