//! The OpenPGP keys of a provider's end: its own, and Inland Revenue's certificates (PGP-1, PGP-3).

use std::path::{Path, PathBuf};

use irgw_core::{Rule, Secret, UnixTime};
use irgw_sftp::pgp::{CERT_LIMIT_BYTES, CertFault, OwnKey, PartnerCert, Protection, Terms};

use crate::bounded::{self, Readers};
use crate::commands::CommandError;
use crate::transfer::one_line_of;

/// Whose keys open files, and whose signatures count.
#[derive(Debug, clap::Args)]
pub(super) struct KeyArgs {
    /// Our secret key, 0600: gpg --export-secret-keys --armor. After a rotation, give the old one too
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// The file that holds the keys' passphrase, one line, 0600; without a passphrase the keys are taken to be unprotected
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_env")]
    passphrase_file: Option<PathBuf>,
    /// The environment variable that holds the keys' passphrase
    #[arg(long, value_name = "VAR")]
    passphrase_env: Option<String>,
    /// Inland Revenue's certificate. While it changes its key, give both
    #[arg(long, value_name = "FILE", required = true)]
    signer: Vec<PathBuf>,
}

impl KeyArgs {
    /// Our keys, open.
    ///
    /// # Errors
    /// When a file or the passphrase cannot be used.
    pub(super) fn own_keys(&self) -> Result<Vec<OwnKey>, CommandError> {
        let passphrase = self.passphrase()?;
        let protection = passphrase.as_ref().map_or(Protection::Unprotected, Protection::Passphrase);
        let open = |path: &PathBuf| {
            let bytes = Secret::new(read(path, Readers::Nobody)?);
            OwnKey::from_bytes(bytes.expose(), protection)
                .map_err(|error| CommandError::refused(error.rule(), error).about(path))
        };
        self.key.iter().map(open).collect()
    }

    /// The certificates whose signatures count.
    ///
    /// # Errors
    /// When a file cannot be used, or no certificate in it can.
    pub(super) fn signers(&self, now: UnixTime) -> Result<Vec<PartnerCert>, CommandError> {
        let enrol = |path: &PathBuf| {
            let bytes = read(path, Readers::Anybody)?;
            let enrolled = match PartnerCert::enrol(&bytes, now, Terms::default()) {
                // Nothing is encrypted to the signer here.
                Err(error) if error.faults == [CertFault::NoEncryptionKey] => match error.fingerprint.clone()
                {
                    Some(fingerprint) => PartnerCert::restore(&bytes, &fingerprint, Terms::default()),
                    None => Err(error),
                },
                enrolled => enrolled,
            };
            enrolled.map_err(|error| CommandError::refused(Rule::Pgp1, error).about(path))
        };
        self.signer.iter().map(enrol).collect()
    }

    fn passphrase(&self) -> Result<Option<Secret<String>>, CommandError> {
        if let Some(path) = &self.passphrase_file {
            return one_line_of(path).map(Some).map_err(CommandError::unusable);
        }
        let Some(name) = &self.passphrase_env else { return Ok(None) };
        match std::env::var(name) {
            Ok(passphrase) => Ok(Some(Secret::new(passphrase))),
            Err(_) => Err(CommandError::unusable(format_args!(
                "the environment variable {name} is not set; it is to hold the passphrase"
            ))),
        }
    }
}

fn read(path: &Path, readers: Readers) -> Result<Vec<u8>, CommandError> {
    bounded::read(path, CERT_LIMIT_BYTES as u64, readers)
        .map_err(|error| CommandError::unusable(error).about(path))
}
