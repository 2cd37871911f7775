//! Certificates that partners hand in (F01, F02, F04), and keys that come from elsewhere.

use std::time::Duration;

use irgw_core::UnixTime;
use irgw_sftp::pgp::{
    Algorithm, CERT_LIMIT_BYTES, CertError, CertFault, KeyFault, OwnKey, PartnerCert, Protection, Role,
    Terms, Warning,
};
use openpgp::cert::prelude::*;
use openpgp::packet::Packet;
use openpgp::packet::signature::SignatureBuilder;
use openpgp::serialize::{Serialize, SerializeInto};
use openpgp::types::{Curve, KeyFlags, ReasonForRevocation, SignatureType};
use proptest::prelude::*;
use sequoia_openpgp as openpgp;

use crate::support::{DAY, YEAR, after, bare, before, enrolled, key, now, system};

/// A certificate in the making: a primary key that was made a year ago and does not expire.
fn builder() -> CertBuilder<'static> {
    CertBuilder::new()
        .set_creation_time(system(before(now(), YEAR)))
        .set_cipher_suite(CipherSuite::Cv25519)
        .add_userid("Kiwi Payroll <sftp@example.co.nz>")
}

fn encryption() -> KeyFlags {
    KeyFlags::empty().set_transport_encryption().set_storage_encryption()
}

fn made(builder: CertBuilder<'static>) -> Cert {
    builder.generate().unwrap().0
}

fn public(cert: &Cert) -> Vec<u8> {
    let mut bytes = Vec::new();
    cert.serialize(&mut bytes).unwrap();
    bytes
}

fn enrol(cert: &Cert) -> Result<PartnerCert, CertError> {
    PartnerCert::enrol(&public(cert), now(), Terms::default())
}

/// The one fault of one key.
fn fault(cert: &Cert) -> (Role, KeyFault) {
    let error = enrol(cert).unwrap_err();
    assert_eq!(error.fingerprint.as_ref().map(ToString::to_string), Some(cert.fingerprint().to_hex()));
    match &error.faults[..] {
        [CertFault::Key { role, fault, .. }] => (*role, fault.clone()),
        faults => panic!("{faults:?}"),
    }
}

/// The certificate with another subkey, bound at a time and valid for so long from then.
fn with_subkey(cert: Cert, made: UnixTime, valid_for: Option<Duration>) -> Cert {
    let mut subkey = openpgp::packet::key::Key4::<_, openpgp::packet::key::SubordinateRole>::generate_ecc(
        false,
        Curve::Cv25519,
    )
    .unwrap();
    subkey.set_creation_time(system(made)).unwrap();
    let subkey = openpgp::packet::Key::from(subkey);
    let mut primary = primary_key(&cert);
    let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
        .set_signature_creation_time(system(made))
        .unwrap()
        .set_key_flags(encryption())
        .unwrap()
        .set_key_validity_period(valid_for)
        .unwrap();
    let binding = subkey.bind(&mut primary, &cert, binding).unwrap();
    cert.insert_packets([Packet::from(subkey), binding.into()]).unwrap().0
}

fn primary_key(cert: &Cert) -> openpgp::crypto::KeyPair {
    cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap()
}

/// The subkeys' fingerprints, the oldest first.
fn subkeys(cert: &Cert) -> Vec<String> {
    let mut keys: Vec<_> = cert.keys().subkeys().map(|key| key.key().clone()).collect();
    keys.sort_by_key(|key| key.creation_time());
    keys.iter().map(|key| key.fingerprint().to_hex()).collect()
}

fn revoke_subkey(cert: Cert, fingerprint: &str, at: UnixTime) -> Cert {
    let subkey = cert.keys().subkeys().find(|key| key.key().fingerprint().to_hex() == fingerprint).unwrap();
    let revocation = SubkeyRevocationBuilder::new()
        .set_signature_creation_time(system(at))
        .unwrap()
        .set_reason_for_revocation(ReasonForRevocation::KeyCompromised, b"laptop stolen")
        .unwrap()
        .build(&mut primary_key(&cert), &cert, subkey.key(), None)
        .unwrap();
    cert.insert_packets([Packet::from(revocation)]).unwrap().0
}

fn revoke(cert: Cert, at: UnixTime) -> Cert {
    let revocation = CertRevocationBuilder::new()
        .set_signature_creation_time(system(at))
        .unwrap()
        .set_reason_for_revocation(ReasonForRevocation::KeyRetired, b"")
        .unwrap()
        .build(&mut primary_key(&cert), &cert, None)
        .unwrap();
    cert.insert_packets([Packet::from(revocation)]).unwrap().0
}

#[test]
fn rsa_and_elliptic_curve_certificates_are_accepted() {
    use CipherSuite::{Cv25519, P256, P384, P521, RSA2k};
    for suite in [RSA2k, Cv25519, P256, P384, P521] {
        let cert = made(builder().set_cipher_suite(suite).add_subkey(encryption(), None, None));
        let partner = enrol(&cert).unwrap();
        assert_eq!(partner.fingerprint().to_string(), cert.fingerprint().to_hex());
        assert_eq!(partner.encryption_key(now()).unwrap().to_string(), subkeys(&cert)[0]);
        assert_eq!(partner.user_id().as_deref(), Some("Kiwi Payroll <sftp@example.co.nz>"));
        let armoured = PartnerCert::enrol(&cert.armored().to_vec().unwrap(), now(), Terms::default());
        assert_eq!(armoured.unwrap(), partner);
    }
}

#[test]
fn version_6_certificate_is_accepted() {
    let builder = builder().set_profile(openpgp::Profile::RFC9580).unwrap();
    let cert = made(builder.add_subkey(encryption(), None, None));
    assert_eq!(enrol(&cert).unwrap().fingerprint().as_bytes().len(), 32);
}

#[test]
fn expired_certificate_is_refused_from_the_second_on() {
    let cert = made(builder().set_validity_period(YEAR).add_subkey(encryption(), None, None));
    assert_eq!(fault(&cert), (Role::Primary, KeyFault::Expired { since: now() }));
    let second = Duration::from_secs(1);
    assert!(PartnerCert::enrol(&public(&cert), before(now(), second), Terms::default()).is_ok());
}

#[test]
fn certificate_of_tomorrow_is_refused() {
    let tomorrow = after(now(), DAY);
    let cert = made(builder().set_creation_time(system(tomorrow)).add_subkey(encryption(), None, None));
    assert_eq!(fault(&cert), (Role::Primary, KeyFault::NotYetValid { from: tomorrow }));
}

#[test]
fn revoked_certificate_is_refused() {
    let since = before(now(), DAY);
    let cert = revoke(made(builder().add_subkey(encryption(), None, None)), since);
    let reason = "key is retired and no longer used";
    assert_eq!(fault(&cert), (Role::Primary, KeyFault::Revoked { since, reason }));
}

#[test]
fn certificate_without_an_encryption_key_is_refused() {
    let cert = made(builder().add_signing_subkey());
    let error = enrol(&cert).unwrap_err();
    assert_eq!(error.faults, [CertFault::NoEncryptionKey]);
    let told = error.to_string();
    assert!(told.contains(&cert.fingerprint().to_hex()) && told.contains("Kiwi Payroll"), "{told}");
    // A key for files at rest is not one for what is sent.
    let at_rest = KeyFlags::empty().set_storage_encryption();
    let cert = made(builder().add_subkey(at_rest, None, None));
    assert_eq!(enrol(&cert).unwrap_err().faults, [CertFault::NoEncryptionKey]);
}

#[test]
fn newest_live_subkey_is_encrypted_to() {
    let oldest = made(builder().add_subkey(encryption(), None, None));
    let old = subkeys(&oldest)[0].clone();
    let cert = with_subkey(oldest, before(now(), DAY), Some(2 * DAY));
    let new = subkeys(&cert)[1].clone();
    let partner = enrol(&cert).unwrap();
    let chosen = |at| partner.encryption_key(at).unwrap().to_string();
    assert_eq!(chosen(now()), new);
    assert_eq!(chosen(before(now(), 2 * DAY)), old);
    assert_eq!(chosen(after(now(), DAY)), old);

    let cert = revoke_subkey(cert, &new, before(now(), Duration::from_secs(60)));
    assert_eq!(enrol(&cert).unwrap().encryption_key(now()).unwrap().to_string(), old);
}

#[test]
fn every_bad_encryption_subkey_is_named() {
    let cert = made(builder().add_signing_subkey());
    let cert = with_subkey(cert, before(now(), 20 * DAY), Some(10 * DAY));
    let cert = with_subkey(cert, before(now(), 5 * DAY), None);
    let cert = with_subkey(cert, after(now(), DAY), None);
    let [_, expired, stolen, ahead] = &subkeys(&cert)[..] else { panic!() };
    let (stolen, since) = (stolen.clone(), before(now(), DAY));
    let cert = revoke_subkey(cert, &stolen, since);
    let mut faults: Vec<_> = enrol(&cert)
        .unwrap_err()
        .faults
        .into_iter()
        .map(|fault| match fault {
            CertFault::Key { key, role: Role::Subkey, fault } => (key.to_string(), fault),
            fault => panic!("{fault:?}"),
        })
        .collect();
    let mut expected = vec![
        (expired.clone(), KeyFault::Expired { since: before(now(), 10 * DAY) }),
        (stolen, KeyFault::Revoked { since, reason: "key material has been compromised" }),
        (ahead.clone(), KeyFault::NotYetValid { from: after(now(), DAY) }),
    ];
    faults.sort_by(|one, other| one.0.cmp(&other.0));
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(faults, expected);
}

#[test]
fn subkey_of_another_certificate_is_not_used() {
    let victim = made(builder().add_subkey(encryption(), None, None));
    let stolen: Vec<Packet> = victim
        .keys()
        .subkeys()
        .flat_map(|key| {
            [Packet::from(key.key().clone()), key.self_signatures().next().unwrap().clone().into()]
        })
        .collect();
    let cert = made(builder()).insert_packets(stolen).unwrap().0;
    // Sequoia drops a subkey whose binding was not made by this primary key, so nothing is left to encrypt to.
    let error = enrol(&cert).unwrap_err();
    assert!(
        matches!(
            error.faults[..],
            [CertFault::NoEncryptionKey] | [CertFault::Key { fault: KeyFault::Unbound, .. }]
        ),
        "{error}"
    );
}

#[test]
fn secret_key_is_refused_with_what_to_do() {
    let secret = key("DSP").to_armored(Protection::Unprotected).unwrap();
    let error = PartnerCert::enrol(secret.expose(), now(), Terms::default()).unwrap_err();
    assert_eq!(error.faults, [CertFault::SecretKey]);
    assert!(error.to_string().contains("delete this copy, make a new key"), "{error}");
}

#[test]
fn what_is_not_one_certificate_is_refused() {
    let one = public(&made(builder().add_subkey(encryption(), None, None)));
    let two = [one.clone(), public(&made(builder()))].concat();
    // RFC 4880 §5.5.2: time, days of validity, algorithm, modulus, exponent.
    let body = [&[3, 0x40, 0, 0, 0, 0, 0, 1, 0x08, 0][..], &[0xc3; 256], &[0, 17, 1, 0, 1]].concat();
    let version_3 = [&[0x99, 0x01, 0x0f][..], &body].concat();
    let cases: [(&[u8], CertFault); 6] = [
        (b"", CertFault::Malformed),
        (b"ssh-ed25519 AAAA", CertFault::Malformed),
        (&one[..40], CertFault::Malformed),
        (&two, CertFault::Several),
        (&version_3, CertFault::Version(3)),
        (&vec![0x99; CERT_LIMIT_BYTES + 1], CertFault::TooLarge),
    ];
    for (bytes, fault) in cases {
        let refused = PartnerCert::enrol(bytes, now(), Terms::default()).unwrap_err();
        assert_eq!(refused.faults, [fault]);
    }
}

#[test]
fn lookalike_is_not_the_pinned_certificate() {
    let (theirs, lookalike) = (key("Kiwi Payroll"), key("Kiwi Payroll"));
    let pinned = theirs.fingerprint();
    let stored = enrolled(&theirs).to_bytes();
    assert_eq!(PartnerCert::restore(&stored, &pinned, Terms::default()), Ok(enrolled(&theirs)));
    let refused = PartnerCert::restore(&lookalike.certificate(), &pinned, Terms::default()).unwrap_err();
    assert_eq!(refused.faults, [CertFault::NotThePinned { pinned }]);
    assert!(enrolled(&theirs).merge(&lookalike.certificate()).is_err());
}

#[test]
fn expired_certificate_is_restored_and_refused_at_use() {
    let theirs = key("DSP");
    let later = after(now(), YEAR);
    let restored =
        PartnerCert::restore(&theirs.certificate(), &theirs.fingerprint(), Terms::default()).unwrap();
    assert!(restored.encryption_key(now()).is_ok());
    assert!(restored.encryption_key(later).is_err());
}

#[test]
fn old_copy_does_not_undo_a_revocation() {
    let cert = made(builder().add_subkey(encryption(), None, None));
    let partner = enrol(&cert).unwrap();
    let old = public(&cert);
    let revoked = partner.merge(&public(&revoke(cert, before(now(), DAY)))).unwrap();
    assert!(revoked.encryption_key(now()).is_err());
    assert!(revoked.merge(&old).unwrap().encryption_key(now()).is_err());
}

#[test]
fn later_expiry_is_taken_in() {
    // Sequoia dates the new binding by the clock.
    let today = UnixTime::now();
    let lasting = builder().set_creation_time(system(before(today, YEAR))).set_validity_period(YEAR + DAY);
    let cert = made(lasting.add_subkey(encryption(), 3 * YEAR, None));
    let partner = PartnerCert::enrol(&public(&cert), today, Terms::default()).unwrap();
    let renewal = cert
        .primary_key()
        .with_policy(&openpgp::policy::StandardPolicy::new(), system(today))
        .unwrap()
        .set_expiration_time(&mut primary_key(&cert), Some(system(after(today, YEAR))))
        .unwrap();
    let renewed = partner.merge(&public(&cert.insert_packets(renewal).unwrap().0)).unwrap();
    let next_week = after(today, 7 * DAY);
    assert!(partner.encryption_key(next_week).is_err());
    assert!(renewed.encryption_key(next_week).is_ok());
}

#[test]
fn expiry_is_announced() {
    let cert =
        made(builder().set_validity_period(YEAR + 10 * DAY).add_subkey(encryption(), YEAR + 5 * DAY, None));
    let partner = enrol(&cert).unwrap();
    assert_eq!(partner.warnings(now(), 4 * DAY), []);
    let ends = after(now(), 5 * DAY);
    let warnings = partner.warnings(now(), 5 * DAY);
    assert!(
        matches!(&warnings[..], [Warning::Expires { role: Role::Subkey, at, .. }] if *at == ends),
        "{warnings:?}"
    );
    let warnings = partner.warnings(now(), 30 * DAY);
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].to_string().starts_with("primary key "), "{}", warnings[0]);
    assert!(warnings[0].to_string().ends_with(" expires on 2026-06-07T20:26:40Z"), "{}", warnings[0]);
}

#[test]
fn offline_primary_key_is_no_hindrance() {
    let ours = key("IR");
    let cert = bare(&ours);
    // The primary key's secret part is taken away, as it is by `gpg --export-secret-subkeys`.
    let packets: Vec<Packet> = cert
        .into_tsk()
        .into_packets()
        .map(|packet| match packet {
            Packet::SecretKey(key) => Packet::PublicKey(key.take_secret().0),
            packet => packet,
        })
        .collect();
    let cert = Cert::from_packets(packets.into_iter()).unwrap();
    let mut bytes = Vec::new();
    cert.as_tsk().emit_secret_key_stubs(true).serialize(&mut bytes).unwrap();
    let offline = OwnKey::from_bytes(&bytes, Protection::Unprotected).unwrap();
    let message = crate::support::seal(&enrolled(&ours), &offline, Default::default(), b"data");
    assert_eq!(crate::support::open(&[offline], &[enrolled(&ours)], &message).as_deref(), Ok(&b"data"[..]));
}

#[test]
fn generated_rsa_key_has_3072_bits() {
    let ours = OwnKey::generate("IR", Algorithm::default(), before(now(), DAY), YEAR).unwrap();
    for key in bare(&ours).keys() {
        assert_eq!(key.key().mpis().bits(), Some(3072));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_are_no_certificate_and_no_key(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(PartnerCert::enrol(&bytes, now(), Terms::default()).is_err());
        prop_assert!(OwnKey::from_bytes(&bytes, Protection::Unprotected).is_err());
    }

    #[test]
    fn damaged_certificate_is_refused_or_the_same_key(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut bytes = CERT.0.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(partner) = PartnerCert::enrol(&bytes, now(), Terms::default()) {
            prop_assert_eq!(partner.encryption_key(now()), CERT.1.encryption_key(now()));
        }
    }
}

static CERT: std::sync::LazyLock<(Vec<u8>, PartnerCert)> = std::sync::LazyLock::new(|| {
    let cert = made(builder().add_signing_subkey().add_subkey(encryption(), None, None));
    (public(&cert), enrol(&cert).unwrap())
});
