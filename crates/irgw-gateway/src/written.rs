//! What the server writes, looked at before it starts; nothing is made or changed.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use irgw_store::Database;

use crate::config::{Config, Located, Problem};
use crate::handle::causes;
use crate::material;

/// Whether the store, the audit log and the spool can be opened, or made: in a folder that is there, or a server's database.
///
/// Whether a file can be made in the folder is not asked: it is the server's user who will, and need not be this one.
///
/// # Errors
/// A problem with the setting that names the file.
pub(crate) fn check(config: &Config) -> Result<(), Problem> {
    if let Database::File(path) = &config.store.value {
        folder(&config.store.with(path.clone()))?;
    }
    if let Some(files) = &config.files {
        spool(&files.spool)?;
    }
    material::database(config)?.look().map_err(|error| config.store.problem(causes(&error)))?;
    folder(&config.audit)?;
    let file = &config.audit.value;
    match OpenOptions::new().read(true).append(true).open(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(config.audit.problem(format_args!("cannot write {}: {error}", file.display())))
        }
        _ => Ok(()),
    }
}

/// The spool holds what customers' files say: nobody else may look into it.
fn spool(spool: &Located<PathBuf>) -> Result<(), Problem> {
    let path = spool.value.display();
    match fs::metadata(&spool.value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => folder(spool),
        Err(error) => Err(spool.problem(format_args!("the folder {path} cannot be used: {error}"))),
        Ok(metadata) if !metadata.is_dir() => {
            Err(spool.problem(format_args!("{path} is no folder; name one")))
        }
        Ok(metadata) if metadata.mode() & 0o077 != 0 => {
            let mode = metadata.mode() & 0o777;
            Err(spool
                .problem(format_args!("others have access to it (mode {mode:04o}); run: chmod 700 {path}")))
        }
        Ok(_) => Ok(()),
    }
}

fn folder(file: &Located<PathBuf>) -> Result<(), Problem> {
    let folder = match file.value.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(file.problem(format_args!("{} is no folder; name a file in one", folder.display()))),
        Err(error) => {
            let folder = folder.display();
            Err(file.problem(format_args!("the folder {folder} cannot be used: {error}; make it")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    use irgw_store::Store;

    const GOOD: &str = r#"environment = "mock"
[store]
url = "sqlite:STORE"
[audit]
file = "AUDIT"
[identity]
key = "identity.key"
issuer = "x"
[[listener]]
channel = "cloud"
listen = "127.0.0.1:0"
certificate = "server.crt"
key = "server.key"
allow = ["127.0.0.0/8"]
[upstream.main]
url = "http://127.0.0.1:9000"
[services]
table = "published"
upstream = "main"
"#;

    /// What is said about these files, in a folder that holds some.
    fn said(store: &str, audit: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, mode: u32, content: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        fs::create_dir(folder.path().join("folder")).unwrap();
        fs::set_permissions(folder.path().join("folder"), fs::Permissions::from_mode(0o700)).unwrap();
        file("text", 0o600, b"no database");
        file("exposed", 0o644, b"");
        file("empty", 0o600, b"");
        drop(Store::open(&folder.path().join("good.sqlite")).unwrap());
        let mut foreign = fs::read(folder.path().join("good.sqlite")).unwrap();
        foreign[68..72].copy_from_slice(&[0; 4]);
        file("foreign.sqlite", 0o600, &foreign);
        foreign[60..72].copy_from_slice(b"\0\0\x7f\0\0\0\0\0irgw");
        file("newer.sqlite", 0o600, &foreign);
        let names = || {
            let mut names: Vec<_> =
                fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let before = names();
        let text = GOOD.replace("STORE", store).replace("AUDIT", audit);
        let config = Config::parse(&folder.path().join("irgw.toml"), &text).unwrap();
        let checked = check(&config).map_err(|problem| problem.to_string());
        assert_eq!(names(), before, "something was made");
        // What is refused here does not start either, and the other way round.
        let opened = config.store.value.open().map(drop);
        assert!(checked.is_ok() || audit != "new.jsonl" || opened.is_err(), "{checked:?}");
        assert!(checked.is_err() || opened.is_ok(), "{opened:?}");
        checked
    }

    #[test]
    fn files_that_can_be_written_or_made_are_good() {
        for (store, audit) in
            [("new.sqlite", "new.jsonl"), ("good.sqlite", "text"), ("empty", "folder/new.jsonl")]
        {
            assert_eq!(said(store, audit), Ok(()), "{store} {audit}");
        }
    }

    #[test]
    fn stores_that_serve_refuses_are_refused() {
        for (store, words) in [
            ("absent/irgw.sqlite", "absent cannot be used"),
            ("text/irgw.sqlite", "text is no folder"),
            ("exposed", "chmod 600"),
            ("folder", "is not a file"),
            ("text", "text is not a database of irgw"),
            ("foreign.sqlite", "is not a database of irgw"),
            ("newer.sqlite", "use a newer irgw"),
        ] {
            let text = said(store, "new.jsonl").unwrap_err();
            assert!(text.contains("irgw.toml:3: store.url: ") && text.contains(words), "{text}");
        }
    }

    #[test]
    fn spool_that_others_can_look_into_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let place = crate::config::Place { file: folder.path().into(), line: 1, key: "files.spool".into() };
        let look = |name: &str| spool(&Located { value: folder.path().join(name), place: place.clone() });
        fs::create_dir(folder.path().join("good")).unwrap();
        fs::write(folder.path().join("file"), b"").unwrap();
        let chmod = |mode| {
            fs::set_permissions(folder.path().join("good"), fs::Permissions::from_mode(mode)).unwrap();
            look("good").map_err(|problem| problem.message)
        };
        assert!(chmod(0o750).unwrap_err().contains("run: chmod 700 "));
        assert_eq!(chmod(0o700), Ok(()));
        assert_eq!(look("made-at-start"), Ok(()));
        assert!(look("file").unwrap_err().message.contains("is no folder"));
        assert!(look("absent/spool").unwrap_err().message.contains("absent cannot be used"));
    }

    #[test]
    fn audit_logs_that_serve_refuses_are_refused() {
        for (audit, words) in [("absent/audit.jsonl", "absent cannot be used"), ("folder", "Is a directory")]
        {
            let text = said("new.sqlite", audit).unwrap_err();
            assert!(text.contains("irgw.toml:5: audit.file: ") && text.contains(words), "{text}");
        }
    }
}
