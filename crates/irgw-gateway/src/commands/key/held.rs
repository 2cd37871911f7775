//! What the commands for both kinds of transfer keys have in common: adding, showing, rotating, listing.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use irgw_core::{Secret, UnixTime};
use irgw_sftp::pgp::CERT_LIMIT_BYTES;
use serde_json::json;

use crate::bounded::{self, Readers};
use crate::commands::CommandError;
use crate::commands::listing::{FormArgs, List, rfc3339};
use crate::config::FilesConfig;
use crate::transfer::keys::{self, Key, KeyFolder, KeysError, Kind, Place, State};
use crate::transfer::one_line_of;

/// What a new key is to be.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct PlaceOfKey {
    /// Announce it as the successor of the live key, which stays in use until rotate
    #[arg(long)]
    next: bool,
    /// Announce it instead of the key that is announced, which is kept as an old one
    #[arg(long, requires = "next")]
    replace: bool,
}

impl PlaceOfKey {
    fn place(self) -> Place {
        match (self.next, self.replace) {
            (false, _) => Place::Live,
            (true, false) => Place::Next,
            (true, true) => Place::NextInstead,
        }
    }
}

/// A key that was made elsewhere.
#[derive(Debug, Clone, Args)]
pub(super) struct Import {
    /// The file that holds the secret key, 0600
    file: PathBuf,
    /// The file that holds what the key is protected with, one line, 0600; left out: not protected, or with the passphrase of the
    /// key folder
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    place: PlaceOfKey,
}

/// Which public half is shown.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Export {
    /// That of the next key, which providers are given before it is used
    #[arg(long)]
    next: bool,
}

/// Adds the key that `make` makes, and says what comes next.
pub(super) fn add(
    files: &FilesConfig,
    kind: Kind,
    place: PlaceOfKey,
    now: UnixTime,
    out: &mut impl Write,
    make: impl FnOnce(&Secret<String>) -> Result<Key, CommandError>,
) -> Result<(), CommandError> {
    let passphrase = keys::passphrase(files).map_err(CommandError::unusable)?;
    let mut change = KeyFolder::at(&files.keys.value).change()?;
    let place = place.place();
    change.expect_room(kind, place)?;
    let held = change.add(&make(&passphrase)?, place, &passphrase, now)?;
    writeln!(out, "{}", held.fingerprint)?;
    let word = kind.word();
    match place {
        Place::Live => {
            writeln!(out, "is the live {kind} key ({})", held.algorithm)?;
            writeln!(out, "give providers its public half: irgw key {word} export")?;
        }
        Place::Next | Place::NextInstead => {
            writeln!(out, "is the next {kind} key ({})", held.algorithm)?;
            writeln!(out, "give providers its public half: irgw key {word} export --next")?;
            writeln!(out, "and when all of them have it: irgw key {word} rotate")?;
        }
    }
    Ok(())
}

/// Adds a key out of a file.
pub(super) fn import(
    import: &Import,
    files: &FilesConfig,
    kind: Kind,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    add(files, kind, import.place, now, out, |folders| {
        // What it is protected with was chosen elsewhere, and may be short.
        let given = import.passphrase_file.as_deref().map(one_line_of).transpose();
        let given = given.map_err(CommandError::unusable)?;
        read_key(kind, &import.file, given.as_ref().unwrap_or(folders), given.is_some())
    })
}

fn read_key(
    kind: Kind,
    path: &Path,
    passphrase: &Secret<String>,
    was_given: bool,
) -> Result<Key, CommandError> {
    let shown = path.display();
    let bytes = bounded::read(path, 2 * CERT_LIMIT_BYTES as u64, Readers::Nobody).map(Secret::new);
    let bytes =
        bytes.map_err(|error| CommandError::unusable(format_args!("cannot read {shown}: {error}")))?;
    Key::import(kind, bytes.expose(), Some(passphrase)).map_err(|fault| match fault.rule() {
        Some(rule) => CommandError::refused(rule, &fault).about(path),
        None if fault.is_locked() && !was_given => CommandError::unusable(format_args!(
            "{shown} is protected by another passphrase than the key folder's; name the file that holds it: --passphrase-file"
        )),
        None => CommandError::unusable(&fault).about(path),
    })
}

/// Writes a public half.
pub(super) fn export(
    export: Export,
    files: &FilesConfig,
    kind: Kind,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let manifest = KeyFolder::at(&files.keys.value).manifest()?;
    let keys = manifest.of(kind);
    let (state, key) = if export.next { (State::Next, keys.next()) } else { (State::Live, keys.live()) };
    let key = key.ok_or(KeysError::Missing { kind, state })?;
    writeln!(out, "{}", key.public)?;
    Ok(())
}

/// Lets the next key become live.
pub(super) fn rotate(
    files: &FilesConfig,
    kind: Kind,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let passphrase = keys::passphrase(files).map_err(CommandError::unusable)?;
    let mut change = KeyFolder::at(&files.keys.value).change()?;
    change.rotate(kind, &passphrase, now)?;
    for (state, key) in change.manifest().of(kind).keys() {
        match (state, kind) {
            (State::Live, _) => writeln!(out, "{} is live", key.fingerprint)?,
            (State::Old, Kind::Ssh) if key.since == now.as_secs() => {
                writeln!(out, "{} is not used any more: providers may take it away", key.fingerprint)?;
            }
            (State::Old, Kind::Pgp) if key.since == now.as_secs() => {
                writeln!(
                    out,
                    "{} signs no more, and goes on decrypting what was encrypted to it",
                    key.fingerprint
                )?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Lists the keys of a kind.
pub(super) fn list(
    form: &FormArgs,
    files: &FilesConfig,
    kind: Kind,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let manifest = KeyFolder::at(&files.keys.value).manifest()?;
    let time = |seconds| rfc3339(UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
    let rows = manifest.of(kind).keys().map(|(state, key)| {
        vec![
            json!(state.word()),
            json!(key.fingerprint),
            json!(key.algorithm),
            json!(time(key.since)),
            json!(key.expires.map(time)),
        ]
    });
    let columns = &["state", "fingerprint", "algorithm", "since", "expires"];
    let name = format!("{}_keys", kind.word());
    form.write(&[List { name: &name, columns, rows: rows.collect(), next: None }], out)
}

impl From<KeysError> for CommandError {
    fn from(error: KeysError) -> CommandError {
        match error.rule() {
            Some(rule) => CommandError::refused(rule, error),
            None => CommandError::unusable(error),
        }
    }
}
