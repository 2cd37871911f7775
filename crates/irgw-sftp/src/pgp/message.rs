//! What a message that comes must be, packet by packet and as a whole (PGP-1, PGP-2).

use std::sync::Arc;

use irgw_core::UnixTime;
use openpgp::crypto::SessionKey;
use openpgp::packet::{PKESK, Packet, SKESK, Signature, Tag};
use openpgp::parse::PacketParser;
use openpgp::parse::stream::{
    DecryptionHelper, MessageLayer, MessageStructure, VerificationError, VerificationHelper,
    VerificationResult,
};
use openpgp::types::{SignatureType, SymmetricAlgorithm};
use openpgp::{Cert, KeyHandle};
use sequoia_openpgp as openpgp;

use super::decrypt::is_end_of_file;
use super::profile::is_strong;
use super::quarantine::Signed;
use super::source::Meter;
use super::time::unix_time;
use super::{DecryptFault, OwnKey, PartnerCert, judge};

/// The most packets of a message: one to the most recipients, with the most signatures, has fewer.
pub(super) const PACKET_LIMIT: usize = 128;
/// The most signatures of a message.
const SIGNATURE_LIMIT: usize = 8;
/// The most bytes before the encrypted data: there the encrypted session keys stand, each of a few hundred bytes.
/// With what a buffer may have read ahead it is less than [`super::source::BEGINNING_BYTES`].
const HEAD_LIMIT_BYTES: u64 = 256 * 1024;
/// The most tries to open session keys whose recipient is not named.
const ANONYMOUS_LIMIT: usize = 16;

/// What is found out about a message while it streams. It outlives the library's reader, which swallows its helper
/// when it fails.
#[derive(Default)]
pub(super) struct Findings {
    /// Why the message is refused.
    pub(super) fault: Option<DecryptFault>,
    /// By whom it is signed, when all of it has verified.
    pub(super) signed: Option<Signed>,
    packets: usize,
    signatures: usize,
    compressed: bool,
    encrypted: bool,
    literal: bool,
    recipient: Option<openpgp::Fingerprint>,
}

/// Sequoia's helper: it is shown each packet, asked for keys, and shown the verified structure at the end.
pub(super) struct Judge<'a> {
    pub(super) keys: &'a [OwnKey],
    pub(super) signers: &'a [PartnerCert],
    pub(super) now: UnixTime,
    pub(super) meter: Arc<Meter>,
    pub(super) findings: &'a mut Findings,
}

impl Judge<'_> {
    /// Notes the fault, and stops the library with an error that is not looked at.
    fn refuse<T>(&mut self, fault: DecryptFault) -> openpgp::Result<T> {
        self.findings.fault.get_or_insert(fault);
        Err(openpgp::Error::InvalidOperation("refused".into()).into())
    }

    fn packet(&mut self, packet: &Packet, depth: isize) -> Result<(), DecryptFault> {
        let findings = &mut *self.findings;
        findings.packets += 1;
        if findings.packets > PACKET_LIMIT {
            return Err(DecryptFault::TooManyPackets);
        }
        if !findings.encrypted && self.meter.bytes() > HEAD_LIMIT_BYTES + READ_AHEAD_BYTES {
            return Err(DecryptFault::TooManyPackets);
        }
        match packet {
            Packet::Unknown(unknown) if unknown.error().chain().any(is_end_of_file) => {
                Err(DecryptFault::Truncated)
            }
            Packet::Unknown(unknown) => Err(match unknown.tag() {
                Tag::SED => DecryptFault::NoIntegrity,
                Tag::Signature => DecryptFault::BadSignature,
                tag => DecryptFault::Unsupported(tag.into()),
            }),
            Packet::PKESK(_) | Packet::SKESK(_) if depth > 0 => Err(DecryptFault::Nested),
            Packet::SEIP(_) if findings.encrypted => Err(DecryptFault::Nested),
            Packet::SEIP(_) => {
                findings.encrypted = true;
                Ok(())
            }
            Packet::CompressedData(_) | Packet::Literal(_) | Packet::OnePassSig(_) | Packet::Signature(_)
                if !findings.encrypted =>
            {
                Err(DecryptFault::NotEncrypted)
            }
            Packet::CompressedData(_) if findings.compressed => Err(DecryptFault::Nested),
            Packet::CompressedData(_) => {
                findings.compressed = true;
                Ok(())
            }
            Packet::Literal(_) if findings.literal => Err(DecryptFault::SeveralLiterals),
            Packet::Literal(_) => {
                findings.literal = true;
                Ok(())
            }
            Packet::OnePassSig(_) | Packet::Signature(_) => {
                findings.signatures += 1;
                // Each signature is announced by a one-pass packet, or, in the old form, is not.
                if findings.signatures > 2 * SIGNATURE_LIMIT {
                    return Err(DecryptFault::TooManyPackets);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn structure(&self, structure: &MessageStructure<'_>) -> Result<Signed, DecryptFault> {
        let mut groups = Vec::new();
        for layer in structure.iter() {
            match layer {
                MessageLayer::Encryption { sym_algo, .. } if *sym_algo != SymmetricAlgorithm::AES256 => {
                    return Err(DecryptFault::Cipher(sym_algo.to_string()));
                }
                MessageLayer::Encryption { .. } | MessageLayer::Compression { .. } => {}
                MessageLayer::SignatureGroup { results } => groups.push(results),
            }
        }
        match groups[..] {
            [] => Err(DecryptFault::Unsigned),
            [results] => self.signatures(results),
            // A signature over signatures, or before and after: nobody needs it, and programs disagree on what it
            // covers.
            _ => Err(DecryptFault::Nested),
        }
    }

    /// Every signature must be good: one that is not says that something is wrong, whatever the others say.
    fn signatures(&self, results: &[VerificationResult<'_>]) -> Result<Signed, DecryptFault> {
        let mut signed =
            results.iter().map(|result| self.signature(result)).collect::<Result<Vec<_>, _>>()?;
        if signed.is_empty() { Err(DecryptFault::Unsigned) } else { Ok(signed.swap_remove(0)) }
    }

    fn signature(&self, result: &VerificationResult<'_>) -> Result<Signed, DecryptFault> {
        let good = match result {
            Ok(good) => good,
            Err(error) => return Err(self.bad_signature(error)),
        };
        self.form(good.sig)?;
        // Sequoia asks whether the key was good when the signature says that it was made. Whoever stole a key that
        // is revoked now writes any time into it, so the key must be good now as well.
        let (signer, key) = (good.ka.cert().fingerprint(), good.ka.key().fingerprint());
        self.live(&signer, &key)?;
        let at = good.sig.signature_creation_time().ok_or(DecryptFault::BadSignature)?;
        Ok(Signed { signer: signer.into(), key: key.into(), at: unix_time(at) })
    }

    fn form(&self, signature: &Signature) -> Result<(), DecryptFault> {
        if signature.typ() != SignatureType::Binary {
            return Err(DecryptFault::SignatureType);
        }
        if !is_strong(signature.hash_algo()) {
            return Err(DecryptFault::Hash(signature.hash_algo().to_string()));
        }
        let mut intended = signature.intended_recipients().peekable();
        let recipient = self.findings.recipient.as_ref();
        if intended.peek().is_some() && !intended.any(|intended| Some(intended) == recipient) {
            return Err(DecryptFault::NotIntended);
        }
        Ok(())
    }

    fn live(&self, signer: &openpgp::Fingerprint, key: &openpgp::Fingerprint) -> Result<(), DecryptFault> {
        let enrolled = self.signers.iter().find(|enrolled| enrolled.cert().fingerprint() == *signer);
        let enrolled = enrolled.ok_or_else(|| DecryptFault::UnknownSigner(signer.to_hex()))?;
        let profile = enrolled.profile(self.now);
        judge::fit_key(enrolled.cert(), &profile, self.now, key).map(drop).map_err(DecryptFault::Signer)
    }

    fn bad_signature(&self, error: &VerificationError<'_>) -> DecryptFault {
        let (signature, cert) = match error {
            VerificationError::MissingKey { sig } => {
                let issuer =
                    sig.get_issuers().first().map_or_else(|| "an unnamed key".into(), KeyHandle::to_hex);
                return DecryptFault::UnknownSigner(issuer);
            }
            VerificationError::UnboundKey { sig, cert, .. } => (sig, *cert),
            VerificationError::BadKey { sig, ka, .. } => (sig, ka.cert()),
            VerificationError::BadSignature { sig, ka, .. } => {
                return self
                    .form(sig)
                    .and_then(|()| self.live(&ka.cert().fingerprint(), &ka.key().fingerprint()))
                    .err()
                    .unwrap_or(DecryptFault::BadSignature);
            }
            _ => return DecryptFault::BadSignature,
        };
        // The key could not be used when the signature was made: say why, if that is still so.
        let handles = signature.get_issuers();
        let key = cert.keys().key_handles(handles.iter()).next().map(|key| key.key().fingerprint());
        key.and_then(|key| self.live(&cert.fingerprint(), &key).err()).unwrap_or(DecryptFault::BadSignature)
    }
}

/// What a buffer may have read ahead of the packet that is looked at.
const READ_AHEAD_BYTES: u64 = 64 * 1024;

impl VerificationHelper for Judge<'_> {
    fn inspect(&mut self, parser: &PacketParser<'_>) -> openpgp::Result<()> {
        match self.packet(&parser.packet, parser.recursion_depth()) {
            Ok(()) => Ok(()),
            Err(fault) => self.refuse(fault),
        }
    }

    fn get_certs(&mut self, _: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(self.signers.iter().map(|signer| signer.cert().clone()).collect())
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        match self.structure(&structure) {
            Ok(signed) => {
                self.findings.signed = Some(signed);
                Ok(())
            }
            Err(fault) => self.refuse(fault),
        }
    }
}

impl DecryptionHelper for Judge<'_> {
    fn decrypt(
        &mut self,
        session_keys: &[PKESK],
        _: &[SKESK],
        algorithm: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        let (mut known, mut anonymous) = (false, 0);
        for session_key in session_keys {
            let recipient = session_key.recipient();
            for key in self.keys {
                for mut decryptor in key.decryptors(recipient.as_ref()) {
                    known |= recipient.is_some();
                    if recipient.is_none() {
                        anonymous += 1;
                        if anonymous > ANONYMOUS_LIMIT {
                            return self.refuse(DecryptFault::NotForUs);
                        }
                    }
                    let Some((cipher, secret)) = session_key.decrypt(&mut *decryptor, algorithm) else {
                        continue;
                    };
                    let Some(cipher) = algorithm.or(cipher) else { continue };
                    if cipher != SymmetricAlgorithm::AES256 {
                        return self.refuse(DecryptFault::Cipher(cipher.to_string()));
                    }
                    if decrypt(Some(cipher), &secret) {
                        self.findings.recipient = Some(key.cert().fingerprint());
                        return Ok(Some(key.cert().clone()));
                    }
                }
            }
        }
        self.refuse(if known { DecryptFault::SessionKey } else { DecryptFault::NotForUs })
    }
}
