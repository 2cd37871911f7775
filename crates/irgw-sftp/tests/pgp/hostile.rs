//! Well-formed messages that must not be accepted (F03, F05 to F07, F09).

use std::io::Write;
use std::sync::LazyLock;
use std::time::Duration;

use irgw_core::UnixTime;
use irgw_sftp::pgp::{CertFault, Compression, DecryptFault, KeyFault, Limits, OwnKey, PartnerCert};
use openpgp::cert::prelude::*;
use openpgp::crypto::SessionKey;
use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::{Literal, Marker, Packet};
use openpgp::policy::StandardPolicy;
use openpgp::serialize::Serialize;
use openpgp::serialize::stream::{Compressor, Encryptor, LiteralWriter, Message, Recipient, Signer};
use openpgp::types::{
    CompressionAlgorithm, DataFormat, HashAlgorithm, ReasonForRevocation, SignatureType, SymmetricAlgorithm,
};
use proptest::prelude::*;
use sequoia_openpgp as openpgp;

use crate::support::{
    DAY, after, bare, before, enrolled, key, noise, now, open, open_at, seal, system, verify,
};

const POLICY: &StandardPolicy<'_> = &StandardPolicy::new();

struct Parties {
    ours: OwnKey,
    theirs: OwnKey,
}

fn parties() -> Parties {
    Parties { ours: key("IR"), theirs: key("DSP") }
}

impl Parties {
    fn open(&self, message: &[u8]) -> Result<Vec<u8>, DecryptFault> {
        open(std::slice::from_ref(&self.theirs), &[enrolled(&self.ours)], message)
    }

    /// Whatever `inside` writes, encrypted to them.
    fn encrypted(&self, cipher: SymmetricAlgorithm, inside: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut plaintext = Vec::new();
        inside(&mut plaintext);
        to(&self.theirs, cipher, &plaintext)
    }
}

fn to(recipient: &OwnKey, cipher: SymmetricAlgorithm, packets: &[u8]) -> Vec<u8> {
    let cert = bare(recipient);
    let keys = cert.keys().with_policy(POLICY, system(now())).for_transport_encryption();
    let mut message = Vec::new();
    let mut encryptor = Encryptor::for_recipients(Message::new(&mut message), keys.map(Recipient::from))
        .symmetric_algo(cipher)
        .build()
        .unwrap();
    encryptor.write_all(packets).unwrap();
    encryptor.finalize().unwrap();
    message
}

const AES: SymmetricAlgorithm = SymmetricAlgorithm::AES256;

fn signing(key: &OwnKey) -> openpgp::crypto::KeyPair {
    let cert = bare(key);
    let at = system(now());
    let key = cert.keys().with_policy(POLICY, at).for_signing().secret().next().unwrap();
    key.key().clone().into_keypair().unwrap()
}

/// How a signature is made.
struct Signing {
    typ: SignatureType,
    hash: HashAlgorithm,
    at: UnixTime,
    intended: Option<Cert>,
}

fn usual() -> Signing {
    Signing { typ: SignatureType::Binary, hash: HashAlgorithm::SHA256, at: now(), intended: None }
}

/// One-pass packets, a literal and signatures.
fn signed(by: &[&OwnKey], how: &Signing, data: &[u8]) -> Vec<u8> {
    let mut packets = Vec::new();
    let message = Message::new(&mut packets);
    let mut signer = Signer::with_template(message, signing(by[0]), SignatureBuilder::new(how.typ)).unwrap();
    for other in &by[1..] {
        signer = signer.add_signer(signing(other)).unwrap();
    }
    if let Some(intended) = &how.intended {
        signer = signer.add_intended_recipient(intended);
    }
    let message = signer.hash_algo(how.hash).unwrap().creation_time(system(how.at)).build().unwrap();
    let mut message = LiteralWriter::new(message).build().unwrap();
    message.write_all(data).unwrap();
    message.finalize().unwrap();
    packets
}

fn literal(data: &[u8]) -> Packet {
    let mut literal = Literal::new(DataFormat::Binary);
    literal.set_body(data.to_vec());
    literal.into()
}

fn compressed(algorithm: CompressionAlgorithm, packets: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut message = Compressor::new(Message::new(&mut bytes)).algo(algorithm).build().unwrap();
    message.write_all(packets).unwrap();
    message.finalize().unwrap();
    bytes
}

/// The first packet of a message to an elliptic-curve key: its session key. Its length takes one octet.
fn session_key(message: &[u8]) -> &[u8] {
    assert!(message[0] == 0xc1 && message[1] < 192);
    &message[..2 + usize::from(message[1])]
}

#[test]
fn message_made_like_this_is_accepted_when_nothing_is_wrong() {
    let parties = parties();
    let inside = signed(&[&parties.ours], &usual(), b"data");
    assert_eq!(parties.open(&to(&parties.theirs, AES, &inside)).as_deref(), Ok(&b"data"[..]));
    let inside = compressed(CompressionAlgorithm::BZip2, &inside);
    assert_eq!(parties.open(&to(&parties.theirs, AES, &inside)).as_deref(), Ok(&b"data"[..]));
}

/// F08: the file is what the caller opens it into; the name and the date inside are nobody's word.
#[test]
fn name_and_date_inside_name_nothing() {
    let parties = parties();
    for name in ["../../etc/passwd", "/etc/passwd", "_CONSOLE", "a\\b"] {
        let mut packets = Vec::new();
        let message = Message::new(&mut packets);
        let signer = Signer::with_template(
            message,
            signing(&parties.ours),
            SignatureBuilder::new(SignatureType::Binary),
        );
        let signer = signer.unwrap().hash_algo(HashAlgorithm::SHA256).unwrap();
        let message = signer.creation_time(system(now())).build().unwrap();
        let literal = LiteralWriter::new(message).filename(name).unwrap();
        let mut message = literal.date(std::time::SystemTime::UNIX_EPOCH).unwrap().build().unwrap();
        message.write_all(b"data").unwrap();
        message.finalize().unwrap();
        let opened = parties.open(&to(&parties.theirs, AES, &packets));
        assert_eq!(opened.as_deref(), Ok(&b"data"[..]), "{name}");
    }
}

#[test]
fn unsigned_message_is_refused() {
    let parties = parties();
    let message = parties.encrypted(AES, |packets| literal(b"data").serialize(packets).unwrap());
    assert_eq!(parties.open(&message), Err(DecryptFault::Unsigned));
}

#[test]
fn message_in_the_clear_is_refused() {
    let parties = parties();
    let inside = signed(&[&parties.ours], &usual(), b"data");
    assert_eq!(parties.open(&inside), Err(DecryptFault::NotEncrypted));
    let inside = compressed(CompressionAlgorithm::Zlib, &inside);
    assert_eq!(parties.open(&inside), Err(DecryptFault::NotEncrypted));
}

#[test]
fn data_without_integrity_protection_are_refused() {
    let parties = parties();
    let message = seal(&enrolled(&parties.theirs), &parties.ours, Compression::None, b"data");
    // The container (type 18) becomes the old one (type 9), without the version octet: how EFAIL takes the
    // protection away.
    let head = session_key(&message);
    assert_eq!(parties.open(&[head, &[0xc9, 32], &noise(32)].concat()), Err(DecryptFault::NoIntegrity));
    // GnuPG's own authenticated encryption (type 20).
    assert_eq!(parties.open(&[head, &[0xd4, 32], &noise(32)].concat()), Err(DecryptFault::Unsupported(20)));
    // A version of the container that nobody knows.
    assert_eq!(
        parties.open(&[head, &[0xd2, 32, 9], &noise(31)].concat()),
        Err(DecryptFault::Unsupported(18))
    );
}

#[test]
fn message_to_a_passphrase_is_not_for_us() {
    let parties = parties();
    let mut message = Vec::new();
    let mut encryptor = Encryptor::with_passwords(Message::new(&mut message), ["secret"]).build().unwrap();
    encryptor.write_all(&signed(&[&parties.ours], &usual(), b"data")).unwrap();
    encryptor.finalize().unwrap();
    assert_eq!(parties.open(&message), Err(DecryptFault::NotForUs));
}

#[test]
fn message_without_a_session_key_is_not_for_us() {
    let parties = parties();
    let mut message = Vec::new();
    let key = SessionKey::new(32).unwrap();
    let mut encryptor =
        Encryptor::with_session_key(Message::new(&mut message), AES, key).unwrap().build().unwrap();
    encryptor.write_all(&signed(&[&parties.ours], &usual(), b"data")).unwrap();
    encryptor.finalize().unwrap();
    assert_eq!(parties.open(&message), Err(DecryptFault::NotForUs));
}

#[test]
fn other_ciphers_than_aes_256_are_refused() {
    let parties = parties();
    for cipher in [SymmetricAlgorithm::AES128, SymmetricAlgorithm::Twofish, SymmetricAlgorithm::Camellia256] {
        let inside = signed(&[&parties.ours], &usual(), b"data");
        let message = to(&parties.theirs, cipher, &inside);
        assert_eq!(parties.open(&message), Err(DecryptFault::Cipher(cipher.to_string())));
    }
}

#[test]
fn weak_hashes_are_refused() {
    let parties = parties();
    for hash in [HashAlgorithm::SHA1, HashAlgorithm::SHA224] {
        let how = Signing { hash, ..usual() };
        // Sequoia declines to make some of them: then nothing is shown.
        let message =
            Signer::new(Message::new(std::io::sink()), signing(&parties.ours)).unwrap().hash_algo(hash);
        if message.is_err() {
            continue;
        }
        let message = to(&parties.theirs, AES, &signed(&[&parties.ours], &how, b"data"));
        assert_eq!(parties.open(&message), Err(DecryptFault::Hash(hash.to_string())));
    }
    for hash in [HashAlgorithm::SHA384, HashAlgorithm::SHA512] {
        let how = Signing { hash, ..usual() };
        let message = to(&parties.theirs, AES, &signed(&[&parties.ours], &how, b"data"));
        assert_eq!(parties.open(&message).as_deref(), Ok(&b"data"[..]));
    }
}

#[test]
fn text_signature_is_refused() {
    let parties = parties();
    let how = Signing { typ: SignatureType::Text, ..usual() };
    let message = to(&parties.theirs, AES, &signed(&[&parties.ours], &how, b"a\r\nb\n"));
    assert_eq!(parties.open(&message), Err(DecryptFault::SignatureType));
}

#[test]
fn signer_who_is_not_enrolled_is_refused() {
    let (parties, stranger) = (parties(), key("IR"));
    let message = to(&parties.theirs, AES, &signed(&[&stranger], &usual(), b"data"));
    let fault = parties.open(&message).unwrap_err();
    let signing_key = openpgp::crypto::Signer::public(&signing(&stranger)).fingerprint().to_hex();
    assert_eq!(fault, DecryptFault::UnknownSigner(signing_key));
}

#[test]
fn every_signature_must_be_good() {
    let (parties, second, stranger) = (parties(), key("IR"), key("stranger"));
    let both = to(&parties.theirs, AES, &signed(&[&parties.ours, &second], &usual(), b"data"));
    let signers = [enrolled(&parties.ours), enrolled(&second)];
    assert_eq!(open(std::slice::from_ref(&parties.theirs), &signers, &both).as_deref(), Ok(&b"data"[..]));

    for by in [[&parties.ours, &stranger], [&stranger, &parties.ours]] {
        let message = to(&parties.theirs, AES, &signed(&by, &usual(), b"data"));
        assert!(matches!(parties.open(&message), Err(DecryptFault::UnknownSigner(_))));
    }
}

#[test]
fn signature_over_other_data_is_refused() {
    let parties = parties();
    let mut inside = signed(&[&parties.ours], &usual(), b"pay 100");
    let at = inside.windows(7).position(|bytes| bytes == b"pay 100").unwrap();
    inside[at + 4] = b'9';
    assert_eq!(parties.open(&to(&parties.theirs, AES, &inside)), Err(DecryptFault::BadSignature));
}

#[test]
fn more_than_one_literal_is_refused() {
    let parties = parties();
    let good = signed(&[&parties.ours], &usual(), b"data");
    let mut extra = Vec::new();
    literal(b"extra").serialize(&mut extra).unwrap();
    let behind = parties.open(&to(&parties.theirs, AES, &[&good[..], &extra].concat()));
    assert_eq!(behind, Err(DecryptFault::SeveralLiterals));
    let in_front = parties.open(&to(&parties.theirs, AES, &[&extra[..], &good].concat()));
    assert!(matches!(
        in_front,
        Err(DecryptFault::Malformed | DecryptFault::Modified | DecryptFault::SeveralLiterals)
    ));
    let twice = parties.open(&to(&parties.theirs, AES, &[&good[..], &good].concat()));
    assert!(twice.is_err());
    // Beside the encrypted data.
    let message = to(&parties.theirs, AES, &good);
    assert!(parties.open(&[&message[..], &extra].concat()).is_err());
    assert_eq!(parties.open(&[&extra[..], &message].concat()), Err(DecryptFault::NotEncrypted));
}

#[test]
fn file_that_was_meant_for_another_is_refused() {
    let (parties, other) = (parties(), key("other"));
    // The other took our signed file out of its envelope, and sends it on in a new one.
    let how = Signing { intended: Some(bare(&other)), ..usual() };
    let message = to(&parties.theirs, AES, &signed(&[&parties.ours], &how, b"for the other"));
    assert_eq!(parties.open(&message), Err(DecryptFault::NotIntended));
    let how = Signing { intended: Some(bare(&parties.theirs)), ..usual() };
    let message = to(&parties.theirs, AES, &signed(&[&parties.ours], &how, b"for you"));
    assert_eq!(parties.open(&message).as_deref(), Ok(&b"for you"[..]));
}

#[test]
fn expired_signer_is_refused_though_the_signature_is_older() {
    let parties = parties();
    let message = seal(&enrolled(&parties.theirs), &parties.ours, Compression::None, b"data");
    let later = after(now(), 365 * DAY);
    let fault = open_at(later, std::slice::from_ref(&parties.theirs), &[enrolled(&parties.ours)], &message)
        .unwrap_err();
    let DecryptFault::Signer(error) = fault else { panic!("{fault:?}") };
    assert_eq!(error.fingerprint, Some(parties.ours.fingerprint()));
    assert!(matches!(error.faults[..], [CertFault::Key { fault: KeyFault::Expired { .. }, .. }]));
}

/// The signer's certificate with a revocation of its primary key, dated at a time.
fn revoked(signer: &OwnKey, reason: ReasonForRevocation, at: UnixTime) -> PartnerCert {
    let cert = bare(signer);
    let mut primary = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let revocation = CertRevocationBuilder::new()
        .set_signature_creation_time(system(at))
        .unwrap()
        .set_reason_for_revocation(reason, b"")
        .unwrap()
        .build(&mut primary, &cert, None)
        .unwrap();
    let cert = cert.insert_packets([Packet::from(revocation)]).unwrap().0;
    let mut bytes = Vec::new();
    cert.strip_secret_key_material().serialize(&mut bytes).unwrap();
    enrolled(signer).merge(&bytes).unwrap()
}

#[test]
fn revoked_signer_is_refused_whatever_date_the_signature_has() {
    let parties = parties();
    for reason in [ReasonForRevocation::KeyCompromised, ReasonForRevocation::KeySuperseded] {
        let signer = revoked(&parties.ours, reason, before(now(), Duration::from_secs(3600)));
        for at in [now(), before(now(), DAY - Duration::from_secs(60))] {
            let how = Signing { at, ..usual() };
            let message = to(&parties.theirs, AES, &signed(&[&parties.ours], &how, b"data"));
            let fault = open(std::slice::from_ref(&parties.theirs), std::slice::from_ref(&signer), &message)
                .unwrap_err();
            let DecryptFault::Signer(error) = fault else { panic!("{fault:?}") };
            assert!(
                matches!(error.faults[..], [CertFault::Key { fault: KeyFault::Revoked { .. }, .. }]),
                "{error}"
            );
        }
    }
}

#[test]
fn nested_messages_are_refused() {
    let parties = parties();
    let good = signed(&[&parties.ours], &usual(), b"data");
    let twice = compressed(CompressionAlgorithm::Zlib, &compressed(CompressionAlgorithm::Zip, &good));
    assert_eq!(parties.open(&to(&parties.theirs, AES, &twice)), Err(DecryptFault::Nested));
    let inner = to(&parties.theirs, AES, &good);
    assert_eq!(parties.open(&to(&parties.theirs, AES, &inner)), Err(DecryptFault::Nested));
}

#[test]
fn quine_of_compressed_packets_is_refused() {
    let parties = parties();
    let mut bytes = signed(&[&parties.ours], &usual(), b"data");
    for _ in 0..200 {
        bytes = compressed(CompressionAlgorithm::Zip, &bytes);
    }
    assert_eq!(parties.open(&to(&parties.theirs, AES, &bytes)), Err(DecryptFault::Nested));
}

#[test]
fn bombs_are_refused() {
    let parties = parties();
    let zeros = signed(&[&parties.ours], &usual(), &vec![0; 32 << 20]);
    for algorithm in [CompressionAlgorithm::Zip, CompressionAlgorithm::Zlib, CompressionAlgorithm::BZip2] {
        let bomb = to(&parties.theirs, AES, &compressed(algorithm, &zeros));
        assert!(bomb.len() < 1 << 20);
        assert_eq!(parties.open(&bomb), Err(DecryptFault::Ratio { limit: 100 }), "{algorithm}");
        let small = Limits { bytes: 5 << 20, ratio: u64::MAX };
        let keys = [parties.theirs.clone()];
        let fault = verify(now(), &keys, &[enrolled(&parties.ours)], &small, &bomb).err();
        assert_eq!(fault, Some(DecryptFault::TooLarge { limit: 5 << 20 }), "{algorithm}");
    }
}

#[test]
fn limit_of_bytes_is_exact() {
    let parties = parties();
    let message = seal(&enrolled(&parties.theirs), &parties.ours, Compression::None, &noise(1000));
    let at = |bytes| {
        let (keys, signers) = ([parties.theirs.clone()], [enrolled(&parties.ours)]);
        verify(now(), &keys, &signers, &Limits { bytes, ratio: 100 }, &message).err()
    };
    assert_eq!(at(1000), None);
    assert_eq!(at(999), Some(DecryptFault::TooLarge { limit: 999 }));
}

#[test]
fn floods_of_packets_are_refused() {
    let parties = parties();
    let mut marker = Vec::new();
    Packet::from(Marker::default()).serialize(&mut marker).unwrap();
    let good = signed(&[&parties.ours], &usual(), b"data");
    let flood = marker.repeat(100_000);

    let inside = to(&parties.theirs, AES, &[&flood[..], &good].concat());
    assert_eq!(parties.open(&inside), Err(DecryptFault::TooManyPackets));
    let packed = compressed(CompressionAlgorithm::Zlib, &[&flood[..], &good].concat());
    assert_eq!(parties.open(&to(&parties.theirs, AES, &packed)), Err(DecryptFault::TooManyPackets));
    let message = to(&parties.theirs, AES, &good);
    assert_eq!(parties.open(&[&flood[..], &message].concat()), Err(DecryptFault::TooManyPackets));
    // A hundred thousand session keys for somebody else, behind which ours stands.
    let other = to(&key("other"), AES, &good);
    assert_eq!(
        parties.open(&[&session_key(&other).repeat(100_000)[..], &message].concat()),
        Err(DecryptFault::TooManyPackets)
    );
    let many: Vec<&OwnKey> = vec![&parties.ours; 9];
    let message = to(&parties.theirs, AES, &signed(&many, &usual(), b"data"));
    assert_eq!(parties.open(&message), Err(DecryptFault::TooManyPackets));
    let message = to(&parties.theirs, AES, &signed(&many[..8], &usual(), b"data"));
    assert_eq!(parties.open(&message).as_deref(), Ok(&b"data"[..]));
}

#[test]
fn encrypted_data_of_any_shortness_are_refused() {
    // Sequoia 2.4.2 panics where the modification detection code is cut off.
    let parties = parties();
    let message = to(&parties.theirs, AES, &noise(100));
    let head = session_key(&message).len();
    for length in 0..120_u8 {
        let body = &message[head + 2..];
        let body = &body[..usize::from(length).min(body.len())];
        let whole = [&message[..head], &[0xd2, u8::try_from(body.len()).unwrap()], body].concat();
        assert!(parties.open(&whole).is_err(), "{length}");
        // The same in chunks of one byte, and cut off in a longer packet.
        let chunks: Vec<u8> = body.iter().flat_map(|byte| [0xe0, *byte]).collect();
        let chunks = [&message[..head], &[0xd2], &chunks, &[0]].concat();
        assert!(parties.open(&chunks).is_err(), "{length} in chunks");
        let cut_off = [&message[..head], &[0xd2, 0xff, 0, 0, 1, 0], body].concat();
        assert!(parties.open(&cut_off).is_err(), "{length} cut off");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_encrypted_packets_are_refused(
        packets in proptest::collection::vec((0_u8..64, proptest::collection::vec(any::<u8>(), 0..190)), 0..8),
    ) {
        let inside: Vec<u8> = packets
            .into_iter()
            .flat_map(|(tag, body)| [vec![0xc0 | tag, u8::try_from(body.len()).unwrap()], body].concat())
            .collect();
        prop_assert!(PARTIES.open(&to(&PARTIES.theirs, AES, &inside)).is_err());
    }

    #[test]
    fn damage_below_the_encryption_is_refused(at in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<bool>()) {
        let mut inside = signed(&[&PARTIES.ours], &usual(), b"wages of everybody");
        let at = at.index(inside.len());
        if cut {
            inside.truncate(at);
        } else {
            inside[at] ^= 1 << bit;
        }
        let opened = PARTIES.open(&to(&PARTIES.theirs, AES, &inside));
        // What the signature does not cover (the literal's name and date, its own unhashed part) may change; the
        // file may not.
        prop_assert!(opened.is_err() || opened.as_deref() == Ok(&b"wages of everybody"[..]), "{opened:?}");
    }
}

static PARTIES: LazyLock<Parties> = LazyLock::new(parties);
