//! A key folder: what is refused, what is kept, what a stop halfway leaves.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use irgw_core::{Rule, Secret, UnixTime};
use irgw_sftp::pgp::{self, Algorithm, Compression, OwnKey, PartnerCert, Quarantine, Terms};
use irgw_sftp::ssh::{Curve, PrivateKey};

use super::*;

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000 + seconds))
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn passphrase() -> Secret<String> {
    secret("kererū in the pūriri")
}

fn ssh() -> Key {
    Key::Ssh(PrivateKey::generate(Curve::P256).unwrap())
}

fn pgp() -> Key {
    let year = Duration::from_secs(365 * 86_400);
    Key::Pgp(OwnKey::generate("IR <ir@example.govt.nz>", Algorithm::Curve25519, at(0), year).unwrap())
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    /// One with a live key of each kind.
    fn with_keys() -> (Folder, Key, Key) {
        let (folder, ssh, pgp) = (Folder::new(), ssh(), pgp());
        let mut change = folder.keys().change().unwrap();
        change.add(&ssh, Place::Live, &passphrase(), at(0)).unwrap();
        change.add(&pgp, Place::Live, &passphrase(), at(0)).unwrap();
        drop(change);
        (folder, ssh, pgp)
    }

    fn keys(&self) -> KeyFolder {
        KeyFolder::at(self.0.path().join("keys"))
    }

    fn open(&self) -> Result<TransferKeys, KeysError> {
        self.keys().open(&passphrase())
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn keys_are_kept_protected_and_opened_again() {
    let (folder, ssh, pgp) = Folder::with_keys();
    let path = folder.keys().path().to_owned();
    assert_eq!(mode(&path), 0o700);
    for entry in fs::read_dir(&path).unwrap() {
        let file = entry.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        if file.extension().unwrap() == "key" {
            let kind = if file.to_string_lossy().contains("ssh-") { Kind::Ssh } else { Kind::Pgp };
            let without = Key::import(kind, &fs::read(&file).unwrap(), None).unwrap_err();
            assert!(without.is_locked(), "{without}");
        }
    }
    let keys = folder.open().unwrap();
    assert_eq!(keys.live_ssh().fingerprint().to_string(), ssh.fingerprint());
    assert_eq!(keys.signing_pgp().fingerprint().to_string(), pgp.fingerprint());
    assert_eq!(keys.signing_ends(), Some(at(365 * 86_400)));
}

#[test]
fn wrong_passphrase_opens_nothing_and_adds_nothing() {
    let (folder, ..) = Folder::with_keys();
    let wrong = secret("kea in the kōwhai tree");
    let locked = |error: KeysError| matches!(error, KeysError::Key { fault, .. } if fault.is_locked());
    assert!(locked(folder.keys().open(&wrong).unwrap_err()));
    let mut change = folder.keys().change().unwrap();
    assert!(locked(change.add(&ssh(), Place::Next, &wrong, at(1)).unwrap_err()));
    drop(change);
    assert!(folder.keys().manifest().unwrap().ssh.next().is_none());
}

/// PGP-3, F11.
#[test]
fn what_others_can_read_is_refused_with_its_chmod() {
    let (folder, ..) = Folder::with_keys();
    let path = folder.keys().path().to_owned();
    let files = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|file| !file.ends_with("keys.lock")).collect();
    assert_eq!(files.len(), 3);
    for (file, wanted) in files.iter().map(|file| (file, 0o600)).chain([(&path, 0o700)]) {
        for opened in [0o640, 0o604, 0o620] {
            set_mode(file, opened | wanted);
            let refused = folder.open().unwrap_err();
            assert_eq!(
                refused,
                KeysError::Exposed { path: file.clone(), mode: opened | wanted, wanted },
                "{refused}"
            );
            assert_eq!(refused.rule(), Some(Rule::Pgp3));
            assert!(refused.to_string().contains(&format!("run: chmod {wanted:o} {}", file.display())));
        }
        set_mode(file, wanted);
    }
    set_mode(&path, 0o755);
    assert!(matches!(folder.keys().change(), Err(KeysError::Exposed { wanted: 0o700, .. })));
    set_mode(&path, 0o700);
    folder.open().unwrap();
}

/// F12: whoever has the announced key may use it, and yesterday's file is read after a rotation.
#[test]
fn all_held_keys_decrypt_and_the_live_one_signs() {
    let (folder, _, first) = Folder::with_keys();
    let second = pgp();
    let sent_to = |key: &Key, folder: &Folder| {
        let Key::Pgp(key) = key else { panic!("an OpenPGP key") };
        let cert = PartnerCert::enrol(&key.certificate(), at(0), Terms::default()).unwrap();
        let partner =
            OwnKey::generate("DSP", Algorithm::Curve25519, at(0), Duration::from_secs(86_400)).unwrap();
        let message =
            pgp::encrypt(&[&cert], &partner, Compression::None, at(1), Vec::new()).unwrap().finish().unwrap();
        let signer = PartnerCert::enrol(&partner.certificate(), at(0), Terms::default()).unwrap();
        let quarantine = Quarantine::create_in(folder.0.path()).unwrap();
        let keys = folder.open().unwrap();
        pgp::decrypt(
            keys.decrypting_pgp(),
            &[signer],
            at(1),
            &pgp::Limits::default(),
            &message[..],
            quarantine,
        )
        .is_ok()
    };
    assert!(sent_to(&first, &folder) && !sent_to(&second, &folder));
    folder.keys().change().unwrap().add(&second, Place::Next, &passphrase(), at(1)).unwrap();
    assert!(sent_to(&first, &folder) && sent_to(&second, &folder));
    assert_eq!(folder.open().unwrap().signing_pgp().fingerprint().to_string(), first.fingerprint());
    folder.keys().change().unwrap().rotate(Kind::Pgp, &passphrase(), at(2)).unwrap();
    assert!(sent_to(&first, &folder) && sent_to(&second, &folder));
    assert_eq!(folder.open().unwrap().signing_pgp().fingerprint().to_string(), second.fingerprint());
}

#[test]
fn key_takes_a_free_place_alone() {
    let folder = Folder::new();
    let mut change = folder.keys().change().unwrap();
    let (first, second, third) = (ssh(), ssh(), ssh());
    let mut add = |key: &Key, place| change.add(key, place, &passphrase(), at(1)).map(drop);
    let missing = |state| Err(KeysError::Missing { kind: Kind::Ssh, state });
    assert_eq!(add(&first, Place::Next), missing(State::Live));
    add(&first, Place::Live).unwrap();
    let taken =
        |key: &Key, state| Err(KeysError::Taken { kind: Kind::Ssh, state, fingerprint: key.fingerprint() });
    assert_eq!(add(&second, Place::Live), taken(&first, State::Live));
    let held = Err(KeysError::Held { fingerprint: first.fingerprint(), state: State::Live });
    assert_eq!(add(&first, Place::Next), held);
    add(&second, Place::Next).unwrap();
    assert_eq!(add(&third, Place::Next), taken(&second, State::Next));
    add(&third, Place::NextInstead).unwrap();
    change.rotate(Kind::Ssh, &passphrase(), at(2)).unwrap();
    assert_eq!(change.rotate(Kind::Ssh, &passphrase(), at(3)), missing(State::Next));
    let keys = change.manifest().ssh.keys().map(|(state, key)| (state, key.fingerprint.clone()));
    let expected = [(State::Live, &third), (State::Old, &first), (State::Old, &second)]
        .map(|(state, key)| (state, key.fingerprint()));
    assert_eq!(keys.collect::<Vec<_>>(), expected);
}

#[test]
fn second_change_at_once_is_refused() {
    let (folder, ..) = Folder::with_keys();
    let first = folder.keys().change().unwrap();
    assert_eq!(folder.keys().change().err(), Some(KeysError::Busy { path: folder.keys().path().to_owned() }));
    folder.open().expect("reading waits for nobody");
    drop(first);
    folder.keys().change().unwrap();
}

/// Wherever a change stops, the keys are those before it or those after it.
#[test]
fn change_that_stops_halfway_leaves_the_old_keys() {
    let (folder, first, _) = Folder::with_keys();
    let path = folder.keys().path().to_owned();
    let live = |folder: &Folder| folder.open().unwrap().live_ssh().fingerprint().to_string();
    // What is in the way of the last step stands for the machine's stopping before it.
    let obstacle = path.join("keys.new");
    fs::create_dir(&obstacle).unwrap();
    let second = ssh();
    let mut change = folder.keys().change().unwrap();
    let stopped = change.add(&second, Place::Next, &passphrase(), at(1)).unwrap_err();
    assert!(matches!(stopped, KeysError::File { .. }), "{stopped}");
    assert!(change.manifest().ssh.next().is_none());
    drop(change);
    assert!(
        path.join(folder::file_name(Kind::Ssh, &second.fingerprint())).exists(),
        "the key was written before"
    );
    assert_eq!(live(&folder), first.fingerprint());
    fs::remove_dir(&obstacle).unwrap();

    // Half a file that was being written is no obstacle, and the same key can be added again.
    fs::write(&obstacle, b"{ \"version\"").unwrap();
    assert_eq!(live(&folder), first.fingerprint());
    folder.keys().change().unwrap().add(&second, Place::Next, &passphrase(), at(1)).unwrap();

    fs::create_dir(&obstacle).unwrap();
    assert!(folder.keys().change().unwrap().rotate(Kind::Ssh, &passphrase(), at(2)).is_err());
    assert_eq!(live(&folder), first.fingerprint());
    fs::remove_dir(&obstacle).unwrap();
    let before = fs::read(path.join("keys.json")).unwrap();
    folder.keys().change().unwrap().rotate(Kind::Ssh, &passphrase(), at(2)).unwrap();
    assert_eq!(live(&folder), second.fingerprint());

    // All of the new state was written, and not yet renamed.
    fs::rename(path.join("keys.json"), &obstacle).unwrap();
    private(&path.join("keys.json"), &before);
    assert_eq!(live(&folder), first.fingerprint());
    folder.keys().change().unwrap().rotate(Kind::Ssh, &passphrase(), at(3)).unwrap();
    assert_eq!(live(&folder), second.fingerprint());
}

/// Several commands and a gateway at once: each change is made whole and once, and whoever reads finds a live key.
#[test]
fn changes_and_readers_at_once_lose_nothing() {
    const WRITERS: usize = 3;
    const ROUNDS: usize = 3;
    let folder = Folder::new();
    let keys = folder.keys();
    keys.change().unwrap().add(&ssh(), Place::Live, &passphrase(), at(0)).unwrap();
    let change = || loop {
        match keys.change() {
            Err(KeysError::Busy { .. }) => std::thread::yield_now(),
            change => return change.unwrap(),
        }
    };
    std::thread::scope(|scope| {
        let write = || {
            for _ in 0..ROUNDS {
                change().add(&ssh(), Place::NextInstead, &passphrase(), at(1)).unwrap();
                match change().rotate(Kind::Ssh, &passphrase(), at(2)) {
                    // Another one has rotated it.
                    Ok(()) | Err(KeysError::Missing { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write)).collect();
        while writers.iter().any(|writer| !writer.is_finished()) {
            let manifest = keys.manifest().unwrap();
            keys.open_key(Kind::Ssh, manifest.ssh.live().unwrap(), &passphrase()).unwrap();
        }
    });
    let manifest = keys.manifest().unwrap();
    assert_eq!(manifest.ssh.keys().count(), 1 + WRITERS * ROUNDS);
    assert!(manifest.ssh.next().is_none());
}

#[test]
fn damage_is_refused_and_not_repaired() {
    let (folder, ssh, pgp) = Folder::with_keys();
    let path = folder.keys().path().to_owned();
    let manifest = path.join("keys.json");
    let whole = fs::read(&manifest).unwrap();
    fs::remove_file(&manifest).unwrap();
    let lost = folder.open().unwrap_err();
    assert!(lost.to_string().contains("it is gone, and there are keys"), "{lost}");
    assert_eq!(folder.keys().change().err(), Some(lost));
    private(&manifest, &whole[..whole.len() / 2]);
    assert!(matches!(folder.open(), Err(KeysError::Manifest { .. })));
    private(&manifest, &whole);

    let file = |key: &Key| path.join(folder::file_name(key.kind(), &key.fingerprint()));
    let other = Folder::with_keys();
    for (ours, theirs) in [(&ssh, &other.1), (&pgp, &other.2)] {
        let good = fs::read(file(ours)).unwrap();
        let exchanged = other.0.keys().path().join(folder::file_name(theirs.kind(), &theirs.fingerprint()));
        private(&file(ours), &fs::read(exchanged).unwrap());
        let refused = folder.open().unwrap_err();
        assert_eq!(refused, KeysError::Mismatch { path: file(ours), found: theirs.fingerprint() });
        private(&file(ours), b"");
        assert!(matches!(folder.open(), Err(KeysError::Key { .. })));
        private(&file(ours), &good);
    }
    folder.open().unwrap();
}

fn private(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap();
    set_mode(path, 0o600);
}

/// PGP-3: a key that somebody puts there without protection.
#[test]
fn unprotected_key_in_the_folder_is_refused() {
    let (folder, ssh, pgp) = Folder::with_keys();
    let path = folder.keys().path().to_owned();
    for key in [&ssh, &pgp] {
        let bare = match key {
            Key::Ssh(key) => key.to_openssh(None).unwrap().expose().clone().into_bytes(),
            Key::Pgp(key) => key.to_armored(pgp::Protection::Unprotected).unwrap().expose().clone(),
        };
        let file = path.join(folder::file_name(key.kind(), &key.fingerprint()));
        let good = fs::read(&file).unwrap();
        private(&file, &bare);
        let refused = folder.open().unwrap_err();
        assert!(matches!(&refused, KeysError::Key { fault: KeyFault::Unprotected, .. }), "{refused}");
        private(&file, &good);
    }
}

/// PGP-1: what cannot sign any more does not become live.
#[test]
fn expired_key_does_not_become_live() {
    let (folder, ..) = Folder::with_keys();
    let day = Duration::from_secs(86_400);
    let short = Key::Pgp(OwnKey::generate("IR", Algorithm::Curve25519, at(0), day).unwrap());
    let mut change = folder.keys().change().unwrap();
    let before = change.manifest().clone();
    let refused = change.add(&short, Place::Next, &passphrase(), at(86_400)).unwrap_err();
    assert!(refused.to_string().contains("expired on 2027-01-16T08:00:00Z"), "{refused}");
    assert_eq!(refused.rule(), Some(Rule::Pgp1));
    assert_eq!(*change.manifest(), before);
    change.add(&short, Place::Next, &passphrase(), at(86_399)).unwrap();
    assert_eq!(change.rotate(Kind::Pgp, &passphrase(), at(86_400)).unwrap_err(), refused);
    change.rotate(Kind::Pgp, &passphrase(), at(86_399)).unwrap();
}

/// What root would write into the service's folder, the service could not read: nothing is written.
#[test]
fn folder_of_another_user_is_refused() {
    let folder = Folder::new();
    let path = folder.keys().path().to_owned();
    fs::create_dir(&path).unwrap();
    set_mode(&path, 0o700);
    if std::os::unix::fs::chown(&path, Some(65_534), None).is_err() {
        println!("SKIPPED: only root can give a folder away");
        return;
    }
    let refused = folder.keys().change().unwrap_err();
    assert!(matches!(refused, KeysError::NotOurs { owner: 65_534, we: 0, .. }), "{refused}");
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
}

#[test]
fn folder_without_keys_says_what_to_do() {
    let folder = Folder::new();
    let refused = folder.keys().manifest().unwrap_err();
    assert_eq!(refused, KeysError::Absent { path: folder.keys().path().to_owned() });
    drop(folder.keys().change().unwrap());
    assert_eq!(folder.keys().manifest(), Ok(Manifest::default()));
    let refused = folder.open().unwrap_err().to_string();
    assert_eq!(refused, "there is no live SSH key; make one: irgw key ssh generate");
}
