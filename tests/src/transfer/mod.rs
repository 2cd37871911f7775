//! File transfer: sets for the demo provider, connections to its file server, enrolments and key folders, and what came of them.
//!
//! ```toml
//! [given.set]          # a small set: put into the demo provider's inbox, submitted to the gateway, or fetched by it
//! [given.file_server]  # an enrolment of a file server; with a set, where that is delivered
//! [given.ssh]          # a connection to the demo provider's file server
//! [given.key_folder]   # a copy of the gateway's key folder, and `irgw check`
//! ```
//!
//! Sets, messages, certificates and connections are made here, by the libraries and not by irgw-sftp, so that a mistake in it is not
//! hidden by the same mistake in the runner.

mod archive;
mod certificate;
mod command;
mod delivered;
mod demo;
mod end;
mod file_server;
mod intake;
mod key_folder;
mod ledger;
mod message;
mod names;
mod set;
mod sftp_step;
mod ssh;
mod ssh_algorithm;

use crate::case::Case;
use crate::dev::{Dev, SftpServer};
use crate::expect::Shows;
use crate::judge::{Wrong, fits, named};
use crate::key::fill;
use crate::report::Outcome;
use crate::run::fill_in_row;
use crate::template::{Values, to_hex};
use crate::{Error, Reason};

pub use archive::ZipRecipe;
pub(crate) use demo::Demo;
pub use file_server::FileServerRecipe;
pub use key_folder::KeyFolderRecipe;
pub use message::MessageRecipe;
pub use set::{Again, By, SetRecipe};
pub use ssh::SshRecipe;

/// What came of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upshot {
    /// Whether it went through.
    pub(crate) shows: Shows,
    /// The rule that refused it; `None` where nobody is told a rule, as at the other end of a connection.
    pub(crate) rule: Option<String>,
    /// What was told, in one line.
    pub(crate) told: String,
}

impl Upshot {
    fn accepted(told: impl Into<String>) -> Upshot {
        Upshot { shows: Shows::Accepted, rule: None, told: told.into() }
    }

    fn refused(rule: Option<String>, told: impl Into<String>) -> Upshot {
        Upshot { shows: Shows::Refused, rule, told: told.into() }
    }
}

/// Connects to the demo provider's file server, which `dev.json` names.
pub(crate) fn connect(
    dev: &Dev,
    case: &Case,
    recipe: &SshRecipe,
    values: &mut Values,
) -> Result<Outcome, Error> {
    let mut unique = [0; 8];
    fill(&mut unique);
    values.set("unique", to_hex(&unique));
    fill_in_row(&case.text.rows, values)?;
    let upshot = recipe.connect(server(dev)?, values)?;
    judge(case, upshot, values)
}

/// The demo provider's file server.
pub(crate) fn server(dev: &Dev) -> Result<&SftpServer, Error> {
    let server = dev.providers.first().and_then(|provider| provider.sftp.as_ref());
    server.ok_or_else(|| Error::recipe("providers[0] has no file server"))
}

/// Whether the gateway says where it keeps what it fetches from the demo provider, and the provider's outbox is here.
pub(crate) fn is_fetched_here(dev: &Dev) -> bool {
    server(dev).is_ok_and(|server| server.received.is_some() && server.outbox.is_dir())
}

/// Does what needs folders of the gateway or of the demo provider.
pub(crate) fn transfer(demo: &Demo, case: &Case, values: &mut Values) -> Result<Outcome, Error> {
    let given = &case.text.given;
    let number = demo.number();
    demo.describe(values, number, given.file_server.is_some());
    fill_in_row(&case.text.rows, values)?;
    let set = given.set.as_ref().map(|set| set.filled_in(values)).transpose()?;
    let upshot = match (&set, &given.file_server, &given.key_folder) {
        (Some(set), None, None) => set.transfer(demo, number, values)?,
        (None, Some(server), None) => server.enrol(demo, number, values)?.0,
        (Some(set), Some(server), None) if set.by != By::Outbox => {
            match server.enrol(demo, number, values)? {
                (refused @ Upshot { shows: Shows::Refused, .. }, _) => refused,
                (_, reader) => {
                    let accepted = case.text.expect.shows() == Some(Shows::Accepted);
                    server.deliver(demo, number, set, &reader, accepted, values)?
                }
            }
        }
        (None, None, Some(folder)) => folder.check(demo, number, values)?,
        _ => {
            return Err(Error::recipe(
                "a case has a set, a file server or both, or else a key folder; who fetches is not enrolled anew",
            ));
        }
    };
    judge(case, upshot, values)
}

/// Compares what came of it with what is expected.
fn judge(case: &Case, upshot: Upshot, values: &Values) -> Result<Outcome, Error> {
    let expect = &case.text.expect;
    let mut wrong = Wrong::default();
    if expect.shows() != Some(upshot.shows) {
        wrong.add(format!("it was {}", upshot.shows.name()));
    }
    let reason = expect.reason.clone().unwrap_or(Reason::Rule(case.text.rule));
    if let (Shows::Refused, Some(rule)) = (upshot.shows, &upshot.rule)
        && !fits(&reason, rule)
    {
        wrong.add(format!("the rule that refused is {rule:?}, not {}", named(&reason)));
    }
    for held in &expect.holds {
        if !upshot.told.contains(&values.text(held)?) {
            wrong.add(format!("{held:?} was not told"));
        }
    }
    for lacked in &expect.lacks {
        if upshot.told.contains(&values.text(lacked)?) {
            wrong.add(format!("{lacked:?} was told"));
        }
    }
    let wrong = Vec::from(wrong);
    let rule = upshot.rule.map(|rule| format!(" by {rule}")).unwrap_or_default();
    let came = format!("{}{rule}: {}", upshot.shows.name(), upshot.told);
    Ok(if wrong.is_empty() { Outcome::Passed { came } } else { Outcome::Failed { came, wrong } })
}
