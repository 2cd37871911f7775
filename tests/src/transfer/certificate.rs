//! OpenPGP certificates that a provider might hand in, good ones and others (PGP-1).

use std::time::Duration;

use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::cert::{CertBuilder, CertRevocationBuilder, CipherSuite};
use openpgp::packet::key::{Key4, PrimaryRole, SubordinateRole};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::{Key, Packet, UserID};
use openpgp::serialize::SerializeInto;
use openpgp::types::{HashAlgorithm, KeyFlags, ReasonForRevocation, SignatureType};

use super::demo::Demo;
use super::message::days_ago;
use crate::Error;

/// A certificate, and the key that reads what is encrypted to it.
pub(super) struct Made {
    pub(super) bytes: Vec<u8>,
    pub(super) key: Cert,
}

/// Makes a certificate: `provider`'s own, of the kind `curve25519`, `p256`, `p384`, `p521`, `rsa-2048`, `version-6`, `ends-soon`; or a bad one: `expired`,
/// `revoked`, `of-tomorrow`, `for-signing-only`, `for-storage-only`, `rsa-1024`, `secret-key`, `two-at-once`, `no-certificate`.
pub(super) fn make(demo: &Demo, kind: &str) -> Result<Made, Error> {
    if kind == "provider" {
        let bytes = std::fs::read(&demo.certificate).map_err(Error::file(&demo.certificate))?;
        return Ok(Made { bytes, key: demo.key.clone() });
    }
    let key = key(kind)?;
    let armored = |cert: &Cert| cert.armored().to_vec().map_err(Error::recipe);
    let bytes = match kind {
        "secret-key" => key.as_tsk().armored().to_vec().map_err(Error::recipe)?,
        "two-at-once" => {
            let binary = |cert: &Cert| cert.to_vec().map_err(Error::recipe);
            [binary(&key)?, binary(&demo.stranger)?].concat()
        }
        "no-certificate" => b"-----BEGIN CERTIFICATE-----\n".to_vec(),
        _ => armored(&key)?,
    };
    Ok(Made { bytes, key })
}

fn key(kind: &str) -> Result<Cert, Error> {
    let transport = KeyFlags::empty().set_transport_encryption();
    let storage = KeyFlags::empty().set_storage_encryption();
    let builder = || {
        let builder =
            CertBuilder::new().add_userid("A provider <sftp@example.nz>").set_creation_time(days_ago(30));
        builder.set_cipher_suite(CipherSuite::Cv25519)
    };
    let reading = || builder().add_subkey(transport.clone(), None, None);
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let builder = match kind {
        "curve25519" | "secret-key" | "two-at-once" | "no-certificate" | "revoked" => reading(),
        "p256" => reading().set_cipher_suite(CipherSuite::P256),
        "p384" => reading().set_cipher_suite(CipherSuite::P384),
        "p521" => reading().set_cipher_suite(CipherSuite::P521),
        "rsa-2048" => reading().set_cipher_suite(CipherSuite::RSA2k),
        "version-6" => reading().set_profile(openpgp::Profile::RFC9580).map_err(Error::recipe)?,
        "ends-soon" => reading().set_validity_period(days(40)),
        "expired" => reading().set_validity_period(days(10)),
        "of-tomorrow" => reading().set_creation_time(std::time::SystemTime::now() + days(1)),
        "for-signing-only" => builder().add_signing_subkey(),
        "for-storage-only" => builder().add_subkey(storage, None, None),
        "rsa-1024" => return rsa_1024().map_err(Error::recipe),
        _ => return Err(Error::recipe(format_args!("no certificate is called {kind:?}"))),
    };
    let (cert, _) = builder.generate().map_err(Error::recipe)?;
    if kind == "revoked" { revoked(cert).map_err(Error::recipe) } else { Ok(cert) }
}

fn revoked(cert: Cert) -> openpgp::Result<Cert> {
    let mut primary = cert.primary_key().key().clone().parts_into_secret()?.into_keypair()?;
    let revocation = CertRevocationBuilder::new()
        .set_signature_creation_time(days_ago(1))?
        .set_reason_for_revocation(ReasonForRevocation::KeyCompromised, b"")?
        .build(&mut primary, &cert, None)?;
    Ok(cert.insert_packets([Packet::from(revocation)])?.0)
}

/// What the builder does not make.
fn rsa_1024() -> openpgp::Result<Cert> {
    let primary: Key<_, PrimaryRole> = Key4::generate_rsa(1024)?.into();
    let mut signer = primary.clone().into_keypair()?;
    let cert = Cert::try_from(vec![Packet::SecretKey(primary)])?;
    let user = UserID::from("A provider <sftp@example.nz>");
    let binding = SignatureBuilder::new(SignatureType::PositiveCertification)
        .set_hash_algo(HashAlgorithm::SHA256)
        .set_key_flags(KeyFlags::empty().set_certification())?;
    let binding = user.bind(&mut signer, &cert, binding)?;
    let cert = cert.insert_packets([Packet::from(user), binding.into()])?.0;
    let subkey: Key<_, SubordinateRole> = Key4::generate_rsa(1024)?.into();
    let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
        .set_hash_algo(HashAlgorithm::SHA256)
        .set_key_flags(KeyFlags::empty().set_transport_encryption())?;
    let binding = subkey.bind(&mut signer, &cert, binding)?;
    Ok(cert.insert_packets([Packet::SecretSubkey(subkey), binding.into()])?.0)
}
