//! `irgw receive serve|watch|status`: the provider's end of file transfer (SFTP-1, SFTP-2, PGP-2, FILE-4).

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use irgw_core::Clock;
use irgw_sftp::intake::{Quarantined, Released, Status, Waiting};
use serde_json::json;

use super::CommandError;
use super::listing::{FormArgs, List, rfc3339};
use serve::ServeArgs;
use watch::WatchArgs;

mod hook;
mod keys;
mod serve;
mod watch;

/// The arguments of `irgw receive`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReceiveArgs {
    #[command(subcommand)]
    command: ReceiveCommand,
}

const EXAMPLES: &str = "\
A provider hosts the file server; Inland Revenue connects to it and puts encrypted files there. So two things run:
  1. a file server: OpenSSH's, or
       irgw receive serve --listen 0.0.0.0:22 --root /srv/ird/files --host-key host.key --user ird --client-key ird.pub
  2. for each feed, what opens the files and puts sets together:
       irgw receive watch /srv/ird/files/inbox --state /srv/ird/tds --feed tds --platform 1500131086 --environment PRD \\
         --key ours.asc --passphrase-file ours.pass --signer ird.asc --hook /usr/local/bin/take-in
A set appears in /srv/ird/tds/released, as a folder, when all of it is there and right; what is not is in quarantine:
       irgw receive status --state /srv/ird/tds";

#[derive(Debug, clap::Subcommand)]
enum ReceiveCommand {
    /// Serve a folder by SFTP to Inland Revenue alone
    Serve(ServeArgs),
    /// Open what arrives in a folder, and release whole sets
    Watch(Box<WatchArgs>),
    /// Say which sets wait, and for what, which were released, and what is in quarantine
    Status {
        /// The state folder of irgw receive watch
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
        /// List at most so many released sets, the latest first, and so many files in quarantine
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u16,
        #[command(flatten)]
        form: FormArgs,
    },
}

impl ReceiveArgs {
    /// Whether the command goes on until it is stopped.
    pub(crate) fn goes_on(&self) -> bool {
        match &self.command {
            ReceiveCommand::Serve(_) => true,
            ReceiveCommand::Watch(args) => !args.once,
            ReceiveCommand::Status { .. } => false,
        }
    }
}

/// Does what the command says.
///
/// # Errors
/// What cannot be used, and what was refused.
pub(crate) fn run(
    args: &ReceiveArgs,
    clock: &(impl Clock + Clone),
    out: &mut impl Write,
) -> Result<(), CommandError> {
    match &args.command {
        ReceiveCommand::Serve(args) => serve::run(args, Arc::new(clock.clone()), out),
        ReceiveCommand::Watch(args) => watch::run(args, clock, out),
        ReceiveCommand::Status { state, limit, form } => {
            let status = Status::read(state, usize::from(*limit)).map_err(CommandError::unusable)?;
            write_status(&status, form, out)
        }
    }
}

fn write_status(status: &Status, form: &FormArgs, out: &mut impl Write) -> Result<(), CommandError> {
    let Status { is_watched, waiting, unclaimed, released, quarantined } = status;
    let waiting = waiting.iter().map(|Waiting { set, arrived, missing }| {
        vec![json!(set.to_string()), json!(arrived.len()), json!(missing)]
    });
    let released = released.iter().map(|Released { set, at, files, is_announced }| {
        vec![json!(set.to_string()), json!(rfc3339(*at)), json!(files), json!(is_announced)]
    });
    let quarantined = quarantined.iter().map(|Quarantined { name, at, set, reason }| {
        let set = set.map(|set| set.to_string());
        vec![json!(name), json!(rfc3339(*at)), json!(set), json!(reason.rule), json!(reason.why)]
    });
    let list = |name, columns, rows| List { name, columns, rows, next: None };
    let lists = [
        list("watch", &["at work"][..], vec![vec![json!(is_watched)]]),
        list("waiting_sets", &["set", "arrived", "missing"], waiting.collect()),
        list(
            "zips_without_a_control_file",
            &["name"],
            unclaimed.iter().map(|name| vec![json!(name)]).collect(),
        ),
        list("released_sets", &["set", "released", "files", "announced"], released.collect()),
        list("files_in_quarantine", &["name", "since", "set", "rule", "reason"], quarantined.collect()),
    ];
    form.write(&lists, out)
}

#[cfg(test)]
mod tests;
