//! `irgw key ssh …`: the key that authenticates the gateway at providers' servers (SFTP-2).

use std::io::Write;

use clap::{Subcommand, ValueEnum};
use irgw_core::UnixTime;
use irgw_sftp::ssh::{Curve, PrivateKey};

use super::held::{self, Export, Import, PlaceOfKey};
use crate::commands::CommandError;
use crate::commands::listing::FormArgs;
use crate::config::FilesConfig;
use crate::transfer::keys::{Key, Kind};

pub(super) const EXAMPLES: &str = "\
Examples:
  The first key, and the line that providers add to their authorized_keys:
    irgw key ssh generate --config irgw.toml
    irgw key ssh export --config irgw.toml
  Its successor: announced first, used when all providers have it.
    irgw key ssh generate --next --config irgw.toml
    irgw key ssh export --next --config irgw.toml
    irgw key ssh rotate --config irgw.toml

Keys are in the folder that `keys` of [files] names, encrypted with its passphrase; list and export need no passphrase.";

#[derive(Debug, Clone, Subcommand)]
pub(super) enum SshCommand {
    /// Make a key: the first one, or with --next its successor
    Generate {
        /// Its kind; rsa3072 is for providers that cannot take ECDSA (SFTP-2)
        #[arg(long, value_name = "CURVE", default_value = "p256")]
        curve: CurveOrRsa,
        #[command(flatten)]
        place: PlaceOfKey,
    },
    /// Take in a key that ssh-keygen made: ECDSA, or RSA of 2048 to 8192 bits, in the OpenSSH format
    Import(Import),
    /// Print the public half, as a line of authorized_keys
    Export(Export),
    /// Use the next key from now on
    Rotate,
    /// List the keys: live, next, old
    List {
        #[command(flatten)]
        form: FormArgs,
    },
}

/// What `--curve` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CurveOrRsa {
    P256,
    P384,
    P521,
    Rsa3072,
}

/// Does what the command says.
///
/// # Errors
/// What the key folder refuses.
pub(super) fn run(
    command: &SshCommand,
    files: &FilesConfig,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    match command {
        SshCommand::Generate { curve, place } => held::add(files, Kind::Ssh, *place, now, out, |_| {
            let made = match curve {
                CurveOrRsa::P256 => PrivateKey::generate(Curve::P256),
                CurveOrRsa::P384 => PrivateKey::generate(Curve::P384),
                CurveOrRsa::P521 => PrivateKey::generate(Curve::P521),
                CurveOrRsa::Rsa3072 => PrivateKey::generate_rsa(),
            };
            made.map(Key::Ssh).map_err(CommandError::caused)
        }),
        SshCommand::Import(import) => held::import(import, files, Kind::Ssh, now, out),
        SshCommand::Export(export) => held::export(*export, files, Kind::Ssh, out),
        SshCommand::Rotate => held::rotate(files, Kind::Ssh, now, out),
        SshCommand::List { form } => held::list(form, files, Kind::Ssh, out),
    }
}
