//! `irgw key …`: the gateway's own keys, for access tokens, SSH and OpenPGP.

mod held;
mod lifetime;
mod pgp;
mod ssh;
#[cfg(test)]
mod tests;
mod token;

use std::io::Write;

use clap::{Args, Subcommand};
use irgw_core::UnixTime;

use super::{CommandError, PlaceArgs};

/// The gateway's own keys, for access tokens, SSH and OpenPGP: make, announce, rotate, list
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct KeyArgs {
    /// Which gateway's keys.
    #[command(flatten)]
    pub place: PlaceArgs,
    #[command(subcommand)]
    command: KeyCommand,
}

const EXAMPLES: &str = "\
Examples, for the keys that access tokens are signed with:
  The first key, and each one after it:
    irgw key rotate --dir DIR
  Somebody else may know the key: sign with another one now, and refuse all tokens of the old ones.
    irgw key rotate --end-old --dir DIR

The examples for file transfer are in irgw key ssh --help and irgw key pgp --help.

Keys for access tokens are kept sealed in the store; the key of the seal is the file that `vault` of [oauth] names. Those for file
transfer are in the folder that `keys` of [files] names, protected by its passphrase.
A change is in force on running gateways within a second.";

#[derive(Debug, Clone, Subcommand)]
enum KeyCommand {
    #[command(flatten)]
    Token(token::TokenKeyCommand),
    /// The key that authenticates the gateway at providers' SFTP servers
    #[command(after_help = ssh::EXAMPLES)]
    Ssh {
        #[command(subcommand)]
        command: ssh::SshCommand,
    },
    /// The key that signs files for providers, and those that decrypt theirs
    #[command(after_help = pgp::EXAMPLES)]
    Pgp {
        #[command(subcommand)]
        command: pgp::PgpCommand,
    },
}

/// Does what the command says, wholly or not at all, and writes what the operator is to know.
///
/// # Errors
/// When the gateway's state cannot be used, and what it or the profile refuses.
pub(crate) fn run(args: &KeyArgs, now: UnixTime, out: &mut impl Write) -> Result<(), CommandError> {
    match &args.command {
        KeyCommand::Token(command) => {
            let (store, environment) = args.place.store()?;
            token::run(command, &store, environment, || args.place.vault(&store), now, out)
        }
        KeyCommand::Ssh { command } => ssh::run(command, &args.place.files()?, now, out),
        KeyCommand::Pgp { command } => pgp::run(command, &args.place.files()?, now, out),
    }
}
