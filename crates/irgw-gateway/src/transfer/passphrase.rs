//! Where the passphrase of the gateway's own keys comes from: never the configuration itself (PGP-3).

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use irgw_core::Secret;

use crate::bounded::{self, Readers};

/// A secret source of the passphrase. It names the source; the passphrase itself is never in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassphraseSource {
    /// A file of one line, readable by its owner alone.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// The name of a systemd credential: a file in `$CREDENTIALS_DIRECTORY` (systemd.exec(5), `LoadCredential=`).
    Credential(String),
}

impl PassphraseSource {
    /// Reads the passphrase: one line of 16 to 1024 characters. `environment` looks a variable up.
    ///
    /// # Errors
    /// One line that says what is wrong with the source and what to do; it repeats nothing of the passphrase.
    pub(crate) fn read(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Secret<String>, String> {
        let passphrase = match self {
            PassphraseSource::File(path) => one_line_of(path),
            PassphraseSource::Env(name) => environment(name)
                .ok_or_else(|| format!("the environment variable {name} is not set; it is to hold the passphrase"))
                .and_then(|value| {
                    one_line(value.into_encoded_bytes())
                        .map_err(|wrong| format!("the environment variable {name}: {wrong}"))
                }),
            PassphraseSource::Credential(name) => environment("CREDENTIALS_DIRECTORY")
                .ok_or_else(|| {
                    format!(
                        "CREDENTIALS_DIRECTORY is not set; systemd sets it where the unit has LoadCredential={name}:FILE, and \
                         for a command: systemd-run --pipe --wait -p LoadCredential={name}:FILE irgw …"
                    )
                })
                .and_then(|directory| read_file(&Path::new(&directory).join(name), Readers::ListedUsers)),
        }?;
        if passphrase.expose().chars().count() < SHORTEST_CHARS {
            return Err("the passphrase has fewer than 16 characters; make one: openssl rand -hex 32".into());
        }
        Ok(passphrase)
    }
}

/// Reads a file of one line that nobody else can read.
///
/// # Errors
/// One line that says what is wrong with it.
pub(crate) fn one_line_of(path: &Path) -> Result<Secret<String>, String> {
    read_file(path, Readers::Nobody)
}

fn read_file(path: &Path, readers: Readers) -> Result<Secret<String>, String> {
    let shown = path.display();
    let bytes = bounded::read(path, LIMIT_BYTES + 2, readers).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            format!("there is no {shown}; make it: (umask 077; openssl rand -hex 32 > {shown})")
        }
        _ => format!("cannot read {shown}: {error}"),
    })?;
    one_line(bytes).map_err(|wrong| format!("{shown}: {wrong}"))
}

/// The line, without its end.
fn one_line(bytes: Vec<u8>) -> Result<Secret<String>, &'static str> {
    let bytes = Secret::new(bytes);
    let text = str::from_utf8(bytes.expose()).map_err(|_| "the passphrase is not UTF-8 text")?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || line.contains(char::is_control) {
        return Err("the passphrase is one line, without control characters, and not an empty one");
    }
    if line.len() as u64 > LIMIT_BYTES {
        return Err("the passphrase has more than 1024 bytes");
    }
    Ok(Secret::new(line.to_owned()))
}

const SHORTEST_CHARS: usize = 16;

const LIMIT_BYTES: u64 = 1024;

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const GOOD: &str = "tahi rua toru whā rima";

    fn in_file(content: &str, mode: u32) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        PassphraseSource::File(path).read(|_| None).map(|secret| secret.expose().clone())
    }

    #[test]
    fn file_is_one_line_for_its_owner_alone() {
        for end in ["", "\n", "\r\n"] {
            assert_eq!(in_file(&format!("{GOOD}{end}"), 0o600).as_deref(), Ok(GOOD));
        }
        let refused = in_file(GOOD, 0o640).unwrap_err();
        assert!(refused.contains("run: chmod 600 "), "{refused}");
        for (content, said) in [
            ("one\ntwo of them together", "one line"),
            ("0123456789abcde", "fewer than 16 characters"),
            ("", "not an empty one"),
            (&"x".repeat(1_025), "more than 1024 bytes"),
        ] {
            let refused = in_file(content, 0o600).unwrap_err();
            assert!(refused.contains(said), "{refused}");
            assert!(content.is_empty() || !refused.contains(content), "{refused}");
        }
        assert!(in_file("0123456789abcdef", 0o600).is_ok());
        assert!(in_file(&"x".repeat(1_024), 0o600).is_ok());
    }

    #[test]
    fn variable_is_read_by_its_name() {
        let source = PassphraseSource::Env("IRGW_PASSPHRASE".into());
        let set = |name: &str| (name == "IRGW_PASSPHRASE").then(|| GOOD.into());
        assert_eq!(source.read(set).unwrap().expose(), GOOD);
        let refused = source.read(|_| None).unwrap_err();
        assert!(refused.contains("IRGW_PASSPHRASE is not set"), "{refused}");
    }

    /// systemd gives a service's user access by an access list, which shows as the group's bits.
    #[test]
    fn credential_is_a_file_in_systemds_directory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("irgw");
        fs::write(&path, GOOD).unwrap();
        let source = PassphraseSource::Credential("irgw".into());
        let read = || {
            let directory = folder.path().as_os_str();
            source.read(|name| (name == "CREDENTIALS_DIRECTORY").then(|| directory.into()))
        };
        for (mode, readable) in [(0o400, true), (0o440, true), (0o444, false), (0o460, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(read().is_ok(), readable, "{mode:o}");
        }
        let refused = source.read(|_| None).unwrap_err();
        assert!(refused.contains("LoadCredential=irgw:"), "{refused}");
    }
}
