//! A secret key of this party's: it signs what leaves and decrypts what comes (PGP-3).

use std::fmt;
use std::time::Duration;

use irgw_core::{Secret, UnixTime};
use openpgp::cert::prelude::*;
use openpgp::crypto::{Decryptor, KeyPair, Password, Signer};
use openpgp::packet::key::{PublicParts, SecretKeyMaterial, SecretParts, UnspecifiedRole};
use openpgp::packet::{Key, Packet};
use openpgp::parse::Parse;
use openpgp::serialize::SerializeInto;
use openpgp::types::{Features, KeyFlags};
use openpgp::{Cert, KeyHandle};
use sequoia_openpgp as openpgp;

use super::cert::CERT_LIMIT_BYTES;
use super::judge::{self, Purpose, refused};
use super::profile::{Profile, Sha1Bindings};
use super::rsa::BlindedRsa;
use super::time::system_time;
use super::{CertError, CertFault, Fingerprint, KeyError};

/// A secret key with its certificate, open for use.
///
/// After a rotation several are held: [`super::decrypt`] takes them all, so that yesterday's file can still be
/// read, and
/// [`super::encrypt`] takes the one that signs. The secret numbers are kept encrypted in memory between uses and nothing of
/// them prints.
#[derive(Clone)]
pub struct OwnKey {
    cert: Cert,
}

/// How a secret key is kept outside the process.
#[derive(Debug, Clone, Copy)]
pub enum Protection<'a> {
    /// Encrypted with a passphrase, which comes from a secret source and not from a configuration file (PGP-3).
    Passphrase(&'a Secret<String>),
    /// Not encrypted: for tests and demonstrations.
    Unprotected,
}

/// Which kind of key to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// RSA with 3072 bits: what every partner's software reads. Takes seconds to make.
    #[default]
    Rsa3072,
    /// Ed25519 and X25519 in the form that GnuPG 2.2 reads (RFC 9580's version 4 keys with the legacy identifiers).
    Curve25519,
}

impl OwnKey {
    /// Makes a key: a primary key that certifies, a subkey that signs and one that decrypts, all valid for so long
    /// from now.
    ///
    /// Its certificate announces SEIPD version 1 alone, so that partners send what GnuPG 2.2 reads too. Randomness
    /// comes from the system.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when there is no randomness, or the times are beyond what OpenPGP can write (2106).
    pub fn generate(
        user_id: &str,
        algorithm: Algorithm,
        now: UnixTime,
        valid_for: Duration,
    ) -> Result<OwnKey, KeyError> {
        let suite = match algorithm {
            Algorithm::Rsa3072 => CipherSuite::RSA3k,
            Algorithm::Curve25519 => CipherSuite::Cv25519,
        };
        let both = KeyFlags::empty().set_transport_encryption().set_storage_encryption();
        let builder = CertBuilder::new()
            .set_creation_time(system_time(now))
            .set_validity_period(valid_for)
            .set_cipher_suite(suite)
            .set_features(Features::empty().set_seipdv1())
            .map_err(|_| KeyError::Failed)?
            .add_userid(user_id)
            .add_signing_subkey()
            .add_subkey(both, None, None);
        let (cert, _) = builder.generate().map_err(|_| KeyError::Failed)?;
        Ok(OwnKey { cert })
    }

    /// Reads and opens a secret key, binary or armoured.
    ///
    /// Parts that are kept elsewhere (GnuPG's offline primary key, a smart card) are left alone. Whether the key is
    /// still valid is not asked: an expired one still decrypts, and signing asks each time.
    ///
    /// # Errors
    /// When the bytes are not one secret key, are protected otherwise than said, the passphrase does not fit, or
    /// nothing in it decrypts.
    pub fn from_bytes(bytes: &[u8], protection: Protection<'_>) -> Result<OwnKey, KeyError> {
        if bytes.len() > CERT_LIMIT_BYTES {
            return Err(KeyError::TooLarge);
        }
        let mut certs = CertParser::from_bytes(bytes).map_err(|_| KeyError::Malformed)?;
        let cert = certs.next().and_then(Result::ok).filter(Cert::is_tsk).ok_or(KeyError::Malformed)?;
        if certs.next().is_some() {
            return Err(KeyError::Several);
        }
        let mut opened = Vec::new();
        for key in cert.keys().secret() {
            let open = match (key.key().secret(), protection) {
                (SecretKeyMaterial::Unencrypted(_), Protection::Unprotected) => continue,
                (SecretKeyMaterial::Unencrypted(_), Protection::Passphrase(_)) => {
                    return Err(KeyError::Unprotected);
                }
                (SecretKeyMaterial::Encrypted(elsewhere), _) if !elsewhere.s2k().is_supported() => continue,
                (SecretKeyMaterial::Encrypted(_), Protection::Unprotected) => return Err(KeyError::Locked),
                (SecretKeyMaterial::Encrypted(_), Protection::Passphrase(passphrase)) => key
                    .key()
                    .clone()
                    .decrypt_secret(&password(passphrase))
                    .map_err(|_| KeyError::Passphrase)?,
            };
            opened.push(packet(open, key.primary()));
        }
        let (cert, _) = cert.insert_packets(opened).map_err(|_| KeyError::Malformed)?;
        let key = OwnKey { cert };
        key.check()?;
        Ok(key)
    }

    /// The secret key, armoured, as it is kept: what [`OwnKey::from_bytes`] and `gpg --import` read.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when there is no randomness to protect it with.
    pub fn to_armored(&self, protection: Protection<'_>) -> Result<Secret<Vec<u8>>, KeyError> {
        let cert = match protection {
            Protection::Unprotected => self.cert.clone(),
            Protection::Passphrase(passphrase) => {
                let mut closed = Vec::new();
                for key in self.cert.keys().unencrypted_secret() {
                    let secret = key.key().clone().encrypt_secret(&password(passphrase));
                    closed.push(packet(secret.map_err(|_| KeyError::Failed)?, key.primary()));
                }
                self.cert.clone().insert_packets(closed).map_err(|_| KeyError::Failed)?.0
            }
        };
        cert.as_tsk().armored().to_vec().map(Secret::new).map_err(|_| KeyError::Failed)
    }

    /// The public certificate, armoured: what the other party enrols.
    pub fn certificate(&self) -> Vec<u8> {
        let public = self.cert.clone().strip_secret_key_material();
        public.armored().to_vec().expect("a certificate in memory can be written to memory")
    }

    /// The certificate's fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        self.cert.fingerprint().into()
    }

    /// The key that signs now: the newest live signing key with a secret part.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn signer(&self, now: UnixTime) -> Result<Box<dyn Signer + Send + Sync>, CertError> {
        let profile = Profile::new(now, Sha1Bindings::Refused);
        let keys = judge::fit_keys(&self.cert, &profile, now, Purpose::Signing)?;
        keys.iter()
            .find_map(|key| Some(unlocked(key.key())?.into_signer()))
            .ok_or_else(|| refused(&self.cert, vec![CertFault::NoSigningKey]))
    }

    /// The keys that could open what is encrypted to `recipient`, or to a recipient that is not named.
    pub(super) fn decryptors(&self, recipient: Option<&KeyHandle>) -> Vec<Box<dyn Decryptor>> {
        self.decryption_keys()
            .filter(|key| recipient.is_none_or(|recipient| key.key().key_handle().aliases(recipient)))
            .filter_map(|key| Some(unlocked(key.key())?.into_decryptor()))
            .collect()
    }

    pub(super) fn cert(&self) -> &Cert {
        &self.cert
    }

    /// What is meant for encryption, of whatever time: a key that signs does not decrypt.
    fn decryption_keys(&self) -> impl Iterator<Item = ErasedKeyAmalgamation<'_, PublicParts>> {
        self.cert
            .keys()
            .filter(|key| key.key().has_unencrypted_secret() && judge::is_meant_for(key, Purpose::Encryption))
    }

    fn check(&self) -> Result<(), KeyError> {
        if self.decryption_keys().next().is_none() {
            return Err(KeyError::NoDecryptionKey);
        }
        let mut secret = self.cert.keys().filter(|key| key.key().has_unencrypted_secret());
        if secret.any(|key| key.key().pk_algo().for_encryption() && unlocked(key.key()).is_none()) {
            return Err(KeyError::Rsa);
        }
        Ok(())
    }
}

impl fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnKey({})", self.fingerprint())
    }
}

/// A key pair, ready for use.
enum Unlocked {
    Rsa(BlindedRsa),
    Curve(KeyPair),
}

impl Unlocked {
    fn into_signer(self) -> Box<dyn Signer + Send + Sync> {
        match self {
            Unlocked::Rsa(key) => Box::new(key),
            Unlocked::Curve(key) => Box::new(key),
        }
    }

    fn into_decryptor(self) -> Box<dyn Decryptor> {
        match self {
            Unlocked::Rsa(key) => Box::new(key),
            Unlocked::Curve(key) => Box::new(key),
        }
    }
}

fn unlocked(key: &Key<PublicParts, UnspecifiedRole>) -> Option<Unlocked> {
    let (public, secret) = key.clone().take_secret();
    let Some(SecretKeyMaterial::Unencrypted(secret)) = secret else { return None };
    if let openpgp::crypto::mpi::PublicKey::RSA { .. } = public.mpis() {
        return secret.map(|numbers| BlindedRsa::new(&public, numbers)).map(Unlocked::Rsa);
    }
    KeyPair::new(public, secret).ok().map(Unlocked::Curve)
}

fn packet(key: Key<SecretParts, UnspecifiedRole>, primary: bool) -> Packet {
    if primary {
        Packet::SecretKey(key.role_into_primary())
    } else {
        Packet::SecretSubkey(key.role_into_subordinate())
    }
}

fn password(passphrase: &Secret<String>) -> Password {
    Password::from(passphrase.expose().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(1_780_000_000))
    }

    fn key() -> OwnKey {
        let year = Duration::from_secs(365 * 24 * 3600);
        OwnKey::generate("IR <ir@example.govt.nz>", Algorithm::Curve25519, now(), year).unwrap()
    }

    #[test]
    fn secret_key_opens_with_its_passphrase_alone() {
        let (key, right) = (key(), Secret::new(String::from("right")));
        let kept = key.to_armored(Protection::Passphrase(&right)).unwrap();
        let read = |protection| OwnKey::from_bytes(kept.expose(), protection).map(|key| key.fingerprint());
        assert_eq!(read(Protection::Passphrase(&right)), Ok(key.fingerprint()));
        let wrong = Secret::new(String::from("wrong"));
        assert_eq!(read(Protection::Passphrase(&wrong)), Err(KeyError::Passphrase));
        assert_eq!(read(Protection::Unprotected), Err(KeyError::Locked));
        let bare = key.to_armored(Protection::Unprotected).unwrap();
        let refused = OwnKey::from_bytes(bare.expose(), Protection::Passphrase(&right));
        assert_eq!(refused.err(), Some(KeyError::Unprotected));
    }

    #[test]
    fn certificate_holds_no_secret_and_is_no_key() {
        let key = key();
        let public = OwnKey::from_bytes(&key.certificate(), Protection::Unprotected);
        assert_eq!(public.err(), Some(KeyError::Malformed));
        assert!(!Cert::from_bytes(&key.certificate()).unwrap().is_tsk());
    }

    #[test]
    fn key_does_not_print() {
        let key = key();
        assert_eq!(format!("{key:?}"), format!("OwnKey({})", key.fingerprint()));
    }

    #[test]
    fn expired_key_signs_no_more_and_still_decrypts() {
        let key = key();
        let later = UnixTime::since_unix_epoch(Duration::from_secs(1_780_000_000 + 366 * 24 * 3600));
        assert!(key.signer(now()).is_ok());
        let refusal = key.signer(later).err().unwrap().to_string();
        assert!(refusal.contains("expired on 2027-05-28T"), "{refusal}");
        assert_eq!(key.decryptors(None).len(), 1);
    }
}
