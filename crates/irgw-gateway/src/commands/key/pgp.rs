//! `irgw key pgp …`: the key that signs files for providers, and those that decrypt theirs (PGP-1, PGP-3).

use std::io::Write;

use clap::{Subcommand, ValueEnum};
use irgw_core::{UnixTime, is_hidden};
use irgw_sftp::pgp::{Algorithm, OwnKey};

use super::held::{self, Export, Import, PlaceOfKey};
use super::lifetime::Lifetime;
use crate::commands::CommandError;
use crate::commands::listing::FormArgs;
use crate::config::FilesConfig;
use crate::transfer::keys::{Key, Kind};

pub(super) const EXAMPLES: &str = "\
Examples:
  The first key, and the certificate that providers import:
    irgw key pgp generate --user-id 'Inland Revenue <transfer@example.govt.nz>' --config irgw.toml
    irgw key pgp export --config irgw.toml > inland-revenue.asc
  Its successor: announced first, used when all providers have it. The old key goes on decrypting.
    irgw key pgp generate --user-id 'Inland Revenue <transfer@example.govt.nz>' --next --config irgw.toml
    irgw key pgp export --next --config irgw.toml > inland-revenue-next.asc
    irgw key pgp rotate --config irgw.toml

Keys are in the folder that `keys` of [files] names, protected by its passphrase; list and export need no passphrase.";

#[derive(Debug, Clone, Subcommand)]
pub(super) enum PgpCommand {
    /// Make a key: the first one, or with --next its successor
    Generate {
        /// Whose it is, as providers see it: a name and an address in <>
        #[arg(long, value_name = "NAME", value_parser = user_id)]
        user_id: String,
        /// Its kind; curve25519 is smaller and faster, and not read by every provider's software
        #[arg(long, default_value = "rsa3072")]
        algorithm: KeyAlgorithm,
        /// How long it is valid: a number of d(ays), w(eeks), m(onths) or y(ears), up to 20y
        #[arg(long, value_name = "TIME", default_value = "2y")]
        expires: Lifetime,
        #[command(flatten)]
        place: PlaceOfKey,
    },
    /// Take in a secret key that gpg --export-secret-keys wrote
    Import(Import),
    /// Print the public certificate, armoured
    Export(Export),
    /// Sign with the next key from now on; the old one goes on decrypting
    Rotate,
    /// List the keys: live, next, old
    List {
        #[command(flatten)]
        form: FormArgs,
    },
}

/// What `--algorithm` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum KeyAlgorithm {
    Rsa3072,
    Curve25519,
}

/// Does what the command says.
///
/// # Errors
/// What the key folder refuses.
pub(super) fn run(
    command: &PgpCommand,
    files: &FilesConfig,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    match command {
        PgpCommand::Generate { user_id, algorithm, expires, place } => {
            held::add(files, Kind::Pgp, *place, now, out, |_| {
                let algorithm = match algorithm {
                    KeyAlgorithm::Rsa3072 => Algorithm::Rsa3072,
                    KeyAlgorithm::Curve25519 => Algorithm::Curve25519,
                };
                let made = OwnKey::generate(user_id, algorithm, now, expires.duration());
                made.map(Key::Pgp).map_err(CommandError::caused)
            })
        }
        PgpCommand::Import(import) => held::import(import, files, Kind::Pgp, now, out),
        PgpCommand::Export(export) => held::export(*export, files, Kind::Pgp, out),
        PgpCommand::Rotate => held::rotate(files, Kind::Pgp, now, out),
        PgpCommand::List { form } => held::list(form, files, Kind::Pgp, out),
    }
}

/// What is written into the certificate for ever.
fn user_id(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.len() > 256 || text.contains(is_hidden) {
        return Err(
            "a name of 1 to 256 bytes is allowed, in one line: 'Inland Revenue <transfer@example.govt.nz>'"
                .into(),
        );
    }
    Ok(text.to_owned())
}
