//! RSA with a secret key, blinded (RUSTSEC-2023-0071, "Marvin").

use getrandom::SysRng;
use openpgp::crypto::mpi::{Ciphertext, MPI, PublicKey, SecretKeyMaterial, Signature};
use openpgp::crypto::{Decryptor, SessionKey, Signer};
use openpgp::packet::Key;
use openpgp::packet::key::{PublicParts, UnspecifiedRole};
use openpgp::types::HashAlgorithm;
use rsa::rand_core::UnwrapErr;
use rsa::traits::PublicKeyParts;
use rsa::{BoxedUint, Pkcs1v15Encrypt, Pkcs1v15Sign, RsaPrivateKey};
use sequoia_openpgp as openpgp;

/// An RSA key that signs and decrypts with blinding: the time that it takes says nothing about the numbers.
///
/// Nothing of it prints; the secret numbers are wiped when it is dropped.
#[derive(Clone)]
pub(super) struct BlindedRsa {
    public: Key<PublicParts, UnspecifiedRole>,
    secret: RsaPrivateKey,
}

impl BlindedRsa {
    /// Puts the key together. None: these numbers are no RSA key, or too large a one.
    pub(super) fn new(
        public: &Key<PublicParts, UnspecifiedRole>,
        secret: &SecretKeyMaterial,
    ) -> Option<BlindedRsa> {
        let (PublicKey::RSA { e, n }, SecretKeyMaterial::RSA { d, p, q, .. }) = (public.mpis(), secret)
        else {
            return None;
        };
        if !(2048..=4096).contains(&n.bits()) {
            return None;
        }
        let bits = u32::try_from(n.value().len()).ok()?.checked_mul(8)?;
        let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, bits).ok();
        let exponent = BoxedUint::from_be_slice(e.value(), 64).ok()?;
        let primes = vec![number(p.value())?, number(q.value())?];
        let secret = RsaPrivateKey::from_components(number(n.value())?, exponent, number(d.value())?, primes);
        Some(BlindedRsa { public: public.clone(), secret: secret.ok()? })
    }
}

impl Signer for BlindedRsa {
    fn public(&self) -> &Key<PublicParts, UnspecifiedRole> {
        &self.public
    }

    fn sign(&mut self, hash: HashAlgorithm, digest: &[u8]) -> openpgp::Result<Signature> {
        let padding = Pkcs1v15Sign { hash_len: Some(digest.len()), prefix: hash.oid()?.into() };
        let signature = self.secret.sign_with_rng(&mut randomness()?, padding, digest)?;
        Ok(Signature::RSA { s: MPI::new(&signature) })
    }
}

impl Decryptor for BlindedRsa {
    fn public(&self) -> &Key<PublicParts, UnspecifiedRole> {
        &self.public
    }

    fn decrypt(&mut self, ciphertext: &Ciphertext, _: Option<usize>) -> openpgp::Result<SessionKey> {
        let Ciphertext::RSA { c } = ciphertext else {
            return Err(openpgp::Error::InvalidArgument("not encrypted to an RSA key".into()).into());
        };
        let c = c.value_padded(self.secret.size())?;
        Ok(self.secret.decrypt_blinded(&mut randomness()?, Pkcs1v15Encrypt, &c)?.into())
    }
}

/// The system's randomness. What the generator cannot say it panics at, so it is asked first.
fn randomness() -> openpgp::Result<UnwrapErr<SysRng>> {
    getrandom::fill(&mut [0])?;
    Ok(UnwrapErr(SysRng))
}

#[cfg(test)]
mod tests {
    use openpgp::packet::key::{Key4, PrimaryRole};

    use super::*;

    #[test]
    fn blinded_key_signs_and_decrypts_as_the_library_expects() {
        let made: Key4<_, PrimaryRole> = Key4::generate_rsa(2048).unwrap();
        let pair = Key::from(made).into_keypair().unwrap();
        let mut blinded = pair.secret().map(|numbers| BlindedRsa::new(pair.public(), numbers)).unwrap();

        let digest = [7; 32];
        let signature = blinded.sign(HashAlgorithm::SHA256, &digest).unwrap();
        pair.public().verify(&signature, HashAlgorithm::SHA256, &digest).unwrap();
        assert!(pair.public().verify(&signature, HashAlgorithm::SHA256, &[8; 32]).is_err());

        let secret = SessionKey::from(vec![9; 35]);
        let ciphertext = pair.public().encrypt(&secret).unwrap();
        assert!(blinded.decrypt(&ciphertext, None).unwrap() == secret);
    }

    #[test]
    fn numbers_of_two_keys_are_no_key() {
        let key = || Key::from(Key4::<_, PrimaryRole>::generate_rsa(2048).unwrap()).into_keypair().unwrap();
        let (one, other) = (key(), key());
        assert!(one.secret().map(|numbers| BlindedRsa::new(other.public(), numbers)).is_none());
    }
}
