//! Secrets that must be read again, sealed for the database: private keys, and keys of one-time passwords (C29).

use std::fmt;

use irgw_core::Secret;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::Unavailable;

/// Seals with AES-256-GCM under one key, which is kept outside the database. A copy of the database alone opens nothing.
pub struct Vault(LessSafeKey);

impl Vault {
    /// With this key.
    pub fn new(key: &[u8; 32]) -> Vault {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("the key has the length of the algorithm's");
        Vault(LessSafeKey::new(key))
    }

    /// Seals `secret`: a random nonce of 12 bytes, the ciphertext, the tag. It opens only for the same `what`, which says
    /// whose it is, so that no row's secret can be put in another's place.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn seal(&self, what: &str, secret: &[u8]) -> Result<Vec<u8>, Unavailable> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new()
            .fill(&mut nonce)
            .map_err(|_| Unavailable::new("the system gives no random numbers"))?;
        let mut text = secret.to_vec();
        let sealed = self.0.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(what.as_bytes()),
            &mut text,
        );
        sealed.map_err(|_| Unavailable::new("the secret is too long to be sealed"))?;
        Ok([&nonce[..], &text].concat())
    }

    /// Opens what [`Vault::seal`] made; `None`: with another key, for something else, or it was changed.
    pub fn open(&self, what: &str, sealed: &[u8]) -> Option<Secret<Vec<u8>>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = zeroize::Zeroizing::new(text.to_vec());
        let opened = self.0.open_in_place(nonce, Aad::from(what.as_bytes()), &mut text).ok()?;
        Some(Secret::new(opened.to_vec()))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_for_the_same_thing_alone() {
        let vault = Vault::new(&[7; 32]);
        let sealed = vault.seal("totp a", b"secret").unwrap();
        assert_eq!(vault.open("totp a", &sealed).unwrap().expose(), b"secret");
        assert!(vault.open("totp b", &sealed).is_none());
        assert!(Vault::new(&[8; 32]).open("totp a", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(vault.open("totp a", &changed).is_none());
            assert!(vault.open("totp a", &sealed[..at]).is_none());
        }
        assert_ne!(vault.seal("totp a", b"secret").unwrap(), sealed);
    }
}
