//! `[files]`: file transfer, its keys, its spool and its pace (PGP-3, SFTP-4).

use std::time::Duration;

use super::file::Number;
use toml::Spanned;

use super::source::Source;
use super::{FilesConfig, Located, Problem, file};
use crate::transfer::{DeliveryConfig, PassphraseSource, Pauses};

pub(super) fn files(source: &Source<'_>, files: &Spanned<file::Files>) -> Result<FilesConfig, Problem> {
    let table = files.get_ref();
    Ok(FilesConfig {
        keys: source.path(&table.keys, "files.keys"),
        passphrase: passphrase(source, files)?,
        spool: source.path(&table.spool, "files.spool"),
        received: table.received.as_ref().map(|path| source.path(path, "files.received")),
        fetch_every: Duration::from_secs(source.number(
            &table.fetch_seconds,
            "files.fetch_seconds",
            1..=86_400,
            300,
        )?),
        delivery: delivery(source, table)?,
    })
}

fn delivery(source: &Source<'_>, table: &file::Files) -> Result<DeliveryConfig, Problem> {
    let number = |setting: &Option<Number>, name, range, usual| source.number(setting, name, range, usual);
    let first = number(&table.retry_seconds, "files.retry_seconds", 1..=3600, 5)?;
    let longest =
        number(&table.longest_retry_seconds, "files.longest_retry_seconds", first..=86_400, 900.max(first))?;
    let alarm_after = number(&table.alarm_after, "files.alarm_after", 1..=1000, 5)?;
    Ok(DeliveryConfig {
        at_once: usize::try_from(number(&table.deliveries, "files.deliveries", 1..=256, 16)?).unwrap_or(16),
        lease: Duration::from_secs(number(&table.lease_seconds, "files.lease_seconds", 1..=600, 15)?),
        pauses: Pauses { first: Duration::from_secs(first), longest: Duration::from_secs(longest) },
        alarm_after: u32::try_from(alarm_after).unwrap_or(5),
    })
}

fn passphrase(
    source: &Source<'_>,
    files: &Spanned<file::Files>,
) -> Result<Located<PassphraseSource>, Problem> {
    let table = files.get_ref();
    match (&table.passphrase_file, &table.passphrase_env, &table.passphrase_credential) {
        (Some(path), None, None) => {
            let path = source.path(path, "files.passphrase_file");
            Ok(path.with(PassphraseSource::File(path.value.clone())))
        }
        (None, Some(name), None) => {
            let name = source.locate(name, "files.passphrase_env");
            let is_name = |name: &str| {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                name.bytes().all(plain) && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
            };
            if !is_name(&name.value) {
                return Err(name.problem("this is no name of an environment variable; A-Z, a-z, 0-9 and _ are allowed in it"));
            }
            Ok(name.with(PassphraseSource::Env(name.value.clone())))
        }
        (None, None, Some(name)) => {
            let name = source.locate(name, "files.passphrase_credential");
            let is_file_name = !["", ".", ".."].contains(&name.value.as_str()) && !name.value.contains(['/', '\0']);
            if !is_file_name {
                return Err(name.problem("this is no name of a credential; a file name is, as in LoadCredential=NAME:FILE"));
            }
            Ok(name.with(PassphraseSource::Credential(name.value.clone())))
        }
        _ => Err(Problem {
            place: Some(source.place(files.span(), "files")),
            message: "needs one of `passphrase_file`, `passphrase_env` and `passphrase_credential`, which say where the \
                      passphrase of the keys comes from"
                .into(),
        }),
    }
}
