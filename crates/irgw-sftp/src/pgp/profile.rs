//! Which algorithms the profile takes: Sequoia's policy, made stricter (PGP-1).

use irgw_core::UnixTime;
use openpgp::cert::prelude::*;
use openpgp::packet::{Packet, Signature, Tag, key};
use openpgp::policy::{AsymmetricAlgorithm, HashAlgoSecurity, Policy, StandardPolicy};
use openpgp::types::{AEADAlgorithm, HashAlgorithm, SignatureType, SymmetricAlgorithm};
use sequoia_openpgp as openpgp;

use super::time::system_time;

/// Whether signatures over SHA-1 that bind a certificate together are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sha1Bindings {
    /// They are not.
    Refused,
    /// They are, by an exception of this certificate's.
    Taken,
}

/// The policy at a time.
///
/// Revocations are taken whatever their hash: a weak signature must not keep a key alive that its owner has given
/// up. A message's own signature needs SHA-256 or better without exception.
#[derive(Debug)]
pub(super) struct Profile {
    standard: StandardPolicy<'static>,
    sha1: Sha1Bindings,
}

impl Profile {
    pub(super) fn new(now: UnixTime, sha1: Sha1Bindings) -> Profile {
        let mut standard = StandardPolicy::at(system_time(now));
        for hash in [HashAlgorithm::MD5, HashAlgorithm::RipeMD, HashAlgorithm::SHA1, HashAlgorithm::SHA224] {
            standard.reject_hash(hash);
        }
        if sha1 == Sha1Bindings::Taken {
            standard.accept_hash_property(HashAlgorithm::SHA1, HashAlgoSecurity::SecondPreImageResistance);
        }
        for algorithm in [
            AsymmetricAlgorithm::RSA1024,
            AsymmetricAlgorithm::DSA1024,
            AsymmetricAlgorithm::DSA2048,
            AsymmetricAlgorithm::DSA3072,
            AsymmetricAlgorithm::DSA4096,
            AsymmetricAlgorithm::ElGamal1024,
            AsymmetricAlgorithm::ElGamal2048,
            AsymmetricAlgorithm::ElGamal3072,
            AsymmetricAlgorithm::ElGamal4096,
        ] {
            standard.reject_asymmetric_algo(algorithm);
        }
        Profile { standard, sha1 }
    }

    /// Whether this policy takes bindings over SHA-1.
    pub(super) fn sha1(&self) -> Sha1Bindings {
        self.sha1
    }
}

impl Policy for Profile {
    fn signature(&self, signature: &Signature, security: HashAlgoSecurity) -> openpgp::Result<()> {
        match signature.typ() {
            SignatureType::KeyRevocation
            | SignatureType::SubkeyRevocation
            | SignatureType::CertificationRevocation => Ok(()),
            _ => self.standard.signature(signature, security),
        }
    }

    fn key(&self, key: &ValidErasedKeyAmalgamation<'_, key::PublicParts>) -> openpgp::Result<()> {
        self.standard.key(key)
    }

    fn symmetric_algorithm(&self, algorithm: SymmetricAlgorithm) -> openpgp::Result<()> {
        self.standard.symmetric_algorithm(algorithm)
    }

    fn aead_algorithm(&self, algorithm: AEADAlgorithm) -> openpgp::Result<()> {
        self.standard.aead_algorithm(algorithm)
    }

    fn packet(&self, packet: &Packet) -> openpgp::Result<()> {
        // Data without integrity protection are refused where the refusal can say so.
        if packet.tag() == Tag::SED || packet.tag() == Tag::AED {
            return Ok(());
        }
        self.standard.packet(packet)
    }
}

/// A policy that takes every signature: it finds out what a refused certificate would have rested on, for the
/// refusal's words.
#[derive(Debug)]
pub(super) struct Lenient;

impl Policy for Lenient {
    fn signature(&self, _: &Signature, _: HashAlgoSecurity) -> openpgp::Result<()> {
        Ok(())
    }

    fn key(&self, _: &ValidErasedKeyAmalgamation<'_, key::PublicParts>) -> openpgp::Result<()> {
        Ok(())
    }
}

/// Whether a message may be signed over the hash.
pub(super) fn is_strong(hash: HashAlgorithm) -> bool {
    matches!(
        hash,
        HashAlgorithm::SHA256
            | HashAlgorithm::SHA384
            | HashAlgorithm::SHA512
            | HashAlgorithm::SHA3_256
            | HashAlgorithm::SHA3_512
    )
}
