//! Messages between two of us.

use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;

use irgw_sftp::pgp::{
    Algorithm, Compression, Container, DecryptFault, EncryptError, Limits, OwnKey, PartnerCert, Quarantine,
    Terms, decrypt, encrypt,
};

use crate::support::{DAY, YEAR, after, before, enrolled, key, noise, now, open, open_at, seal, verify};

#[test]
fn message_comes_back_as_it_was() {
    let (ours, theirs) = (key("IR"), key("DSP"));
    for compression in [Compression::None, Compression::Zip, Compression::Zlib] {
        for length in [0, 1, 511, 512, 513, 65_536, (1 << 20) - 1, 1 << 20, (2 << 20) + 1, 5_000_001] {
            let data = noise(length);
            let message = seal(&enrolled(&theirs), &ours, compression, &data);
            let opened = open(std::slice::from_ref(&theirs), &[enrolled(&ours)], &message);
            assert!(opened.as_ref() == Ok(&data), "{compression:?} {length}: {:?}", opened.err());
        }
    }
}

#[test]
fn rsa_message_comes_back_and_tells_its_signer() {
    let ours = OwnKey::generate("IR", Algorithm::Rsa3072, before(now(), DAY), YEAR).unwrap();
    let theirs = OwnKey::generate("DSP", Algorithm::Rsa3072, before(now(), DAY), YEAR).unwrap();
    let message = seal(&enrolled(&theirs), &ours, Compression::None, b"wages");
    let (verified, _folder) =
        verify(now(), &[theirs], &[enrolled(&ours)], &Limits::default(), &message).unwrap();
    assert_eq!(verified.signer(), &ours.fingerprint());
    assert_ne!(verified.key(), &ours.fingerprint());
    assert_eq!(verified.signed_at(), now());
    assert_eq!(verified.bytes(), 5);
}

#[test]
fn every_recipient_reads_the_message() {
    let (ours, one, other) = (key("IR"), key("one"), key("other"));
    let mut message =
        encrypt(&[&enrolled(&one), &enrolled(&other)], &ours, Compression::Zlib, now(), Vec::new()).unwrap();
    message.write_all(b"to both").unwrap();
    let message = message.finish().unwrap();
    for key in [one, other] {
        assert_eq!(open(&[key], &[enrolled(&ours)], &message).as_deref(), Ok(&b"to both"[..]));
    }
    let stranger = open(&[key("stranger")], &[enrolled(&ours)], &message);
    assert_eq!(stranger, Err(DecryptFault::NotForUs));
}

#[test]
fn seipd2_is_used_where_every_recipient_takes_it() {
    let (ours, theirs) = (key("IR"), key("DSP"));
    let terms = Terms { container: Container::Seipd2, ..Terms::default() };
    let modern = PartnerCert::enrol(&theirs.certificate(), now(), terms).unwrap();
    let message = seal(&modern, &ours, Compression::None, b"modern");
    assert_eq!(
        open(std::slice::from_ref(&theirs), &[enrolled(&ours)], &message).as_deref(),
        Ok(&b"modern"[..])
    );
    assert_eq!(container_version(&message), 2);
    assert_eq!(container_version(&seal(&enrolled(&theirs), &ours, Compression::None, b"")), 1);

    let other = key("other");
    let message = encrypt(&[&modern, &enrolled(&other)], &ours, Compression::None, now(), Vec::new());
    assert_eq!(container_version(&message.unwrap().finish().unwrap()), 1);
}

/// The version octet of the packet of type 18.
fn container_version(message: &[u8]) -> u8 {
    use sequoia_openpgp::{Packet, PacketPile, parse::Parse};
    let pile = PacketPile::from_bytes(message).unwrap();
    let container = pile.children().find_map(|packet| match packet {
        Packet::SEIP(seip) => Some(seip.version()),
        _ => None,
    });
    container.unwrap()
}

#[test]
fn file_of_yesterday_is_read_with_the_key_before() {
    let (ours, old, new) = (key("IR"), key("DSP"), key("DSP"));
    let message = seal(&enrolled(&old), &ours, Compression::None, b"yesterday");
    let keys = [new, old];
    assert_eq!(open(&keys, &[enrolled(&ours)], &message).as_deref(), Ok(&b"yesterday"[..]));
    // Also when the old key has expired, and only its signer is asked to be live.
    let later = after(now(), YEAR);
    let signer = OwnKey::generate("IR", Algorithm::Curve25519, before(now(), DAY), 3 * YEAR).unwrap();
    let message = seal(&enrolled(&keys[1]), &signer, Compression::None, b"late");
    assert_eq!(open_at(later, &keys, &[enrolled(&signer)], &message).as_deref(), Ok(&b"late"[..]));
}

#[test]
fn expired_keys_neither_sign_nor_are_encrypted_to() {
    let (ours, theirs) = (key("IR"), key("DSP"));
    let partner = enrolled(&theirs);
    let last_second = after(before(now(), DAY + std::time::Duration::from_secs(1)), YEAR);
    let attempt =
        |to: &PartnerCert, by: &OwnKey, at| encrypt(&[to], by, Compression::None, at, Vec::new()).err();
    assert_eq!(attempt(&partner, &ours, last_second), None);
    let next = after(last_second, std::time::Duration::from_secs(1));
    assert!(matches!(attempt(&partner, &ours, next), Some(EncryptError::Signer(_))));
    let lasting = OwnKey::generate("IR", Algorithm::Curve25519, now(), 2 * YEAR).unwrap();
    let refused = attempt(&partner, &lasting, next).unwrap().to_string();
    assert!(refused.contains("(DSP)") && refused.contains("expired on 2027-05-27T20:26:40Z"), "{refused}");
}

#[test]
fn message_needs_recipients() {
    let refused = encrypt(&[], &key("IR"), Compression::None, now(), Vec::new()).err();
    assert_eq!(refused, Some(EncryptError::Recipients));
}

#[test]
fn unfinished_message_is_refused() {
    let (ours, theirs) = (key("IR"), key("DSP"));
    let sink = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    struct Sink(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut message =
        encrypt(&[&enrolled(&theirs)], &ours, Compression::None, now(), Sink(sink.clone())).unwrap();
    message.write_all(&noise(10 << 20)).unwrap();
    drop(message);
    let bytes = sink.lock().unwrap().clone();
    assert!(bytes.len() > 4 << 20);
    assert!(open(&[theirs], &[enrolled(&ours)], &bytes).is_err());
}

#[test]
fn full_disk_is_told() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (ours, theirs) = (key("IR"), key("DSP"));
    let at_once = encrypt(&[&enrolled(&theirs)], &ours, Compression::None, now(), Full(10));
    assert_eq!(at_once.err(), Some(EncryptError::Sink(io::ErrorKind::StorageFull)));
    let mut message = encrypt(&[&enrolled(&theirs)], &ours, Compression::None, now(), Full(100_000)).unwrap();
    let error = message.write_all(&noise(10 << 20)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    let message = encrypt(&[&enrolled(&theirs)], &ours, Compression::None, now(), Full(200)).unwrap();
    assert_eq!(message.finish().err(), Some(EncryptError::Sink(io::ErrorKind::StorageFull)));
}

#[test]
fn lost_connection_is_told_apart_from_a_cut_off_message() {
    struct Lost<'a>(&'a [u8]);
    impl Read for Lost<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::ErrorKind::ConnectionReset.into()),
                read => Ok(read),
            }
        }
    }
    let (ours, theirs) = (key("IR"), key("DSP"));
    let message = seal(&enrolled(&theirs), &ours, Compression::None, &noise(100_000));
    let folder = tempfile::tempdir().unwrap();
    let keys = [theirs];
    for length in [10, 50_000, 99_000] {
        let quarantine = Quarantine::create_in(folder.path()).unwrap();
        let part = Lost(&message[..length]);
        let result = decrypt(&keys, &[enrolled(&ours)], now(), &Limits::default(), part, quarantine);
        assert_eq!(result.err(), Some(DecryptFault::Source(io::ErrorKind::ConnectionReset)), "{length}");
        let cut_off = open(&keys, &[enrolled(&ours)], &message[..length]).err();
        let told = matches!(cut_off, Some(DecryptFault::Truncated | DecryptFault::Modified));
        assert!(told, "{length}: {cut_off:?}");
    }
}

#[test]
fn file_gets_its_name_once_and_is_nobody_elses() {
    let (ours, theirs) = (key("IR"), key("DSP"));
    let message = seal(&enrolled(&theirs), &ours, Compression::None, b"control");
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("CONTROL.xml");
    let keys = [theirs];
    let release = || {
        let quarantine = Quarantine::create_in(folder.path()).unwrap();
        let signers = [enrolled(&ours)];
        decrypt(&keys, &signers, now(), &Limits::default(), &message[..], quarantine).unwrap()
    };
    let verified = release();
    assert!(!name.exists());
    verified.publish(&name).unwrap();
    assert_eq!(std::fs::read(&name).unwrap(), b"control");
    assert_eq!(std::fs::metadata(&name).unwrap().permissions().mode() & 0o777, 0o600);

    std::fs::write(&name, b"an earlier one").unwrap();
    assert_eq!(release().publish(&name).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&name).unwrap(), b"an earlier one");
    drop(release());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_clock_may_be_five_minutes_ahead() {
    let (ours, theirs) = (key("IR"), key("DSP"));
    let message = seal(&enrolled(&theirs), &ours, Compression::None, b"");
    let at = |seconds| {
        let time = before(now(), std::time::Duration::from_secs(seconds));
        open_at(time, std::slice::from_ref(&theirs), &[enrolled(&ours)], &message)
    };
    assert_eq!(at(300), Ok(vec![]));
    assert_eq!(at(301), Err(DecryptFault::BadSignature));
}

#[test]
fn everything_moves_between_threads() {
    fn moves<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    moves::<irgw_sftp::pgp::Encryptor<Vec<u8>>>();
    moves::<Quarantine>();
    moves::<irgw_sftp::pgp::Verified>();
    is_shared::<OwnKey>();
    is_shared::<PartnerCert>();
}
