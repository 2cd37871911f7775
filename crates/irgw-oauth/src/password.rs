//! Passwords: Argon2id, and the same work for an account that is not there (OA-18, C24, C25).

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use irgw_core::Secret;

use crate::Unavailable;

/// A password may not be longer, in bytes: hashing is not to be made dear by its input.
pub const PASSWORD_LIMIT_BYTES: usize = 256;

/// How hard a password is to guess: OWASP's first choice for Argon2id, 19 MiB, two passes.
fn argon2id() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).expect("the parameters are within Argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Hashes a password, to a PHC string with a salt of its own.
///
/// # Errors
/// When the password is longer than [`PASSWORD_LIMIT_BYTES`], or the operating system gives no randomness.
pub fn hash(password: &Secret<String>) -> Result<String, Unavailable> {
    let password = password.expose().as_bytes();
    if password.len() > PASSWORD_LIMIT_BYTES {
        return Err(Unavailable::new(format!("a password has {PASSWORD_LIMIT_BYTES} bytes at most")));
    }
    let hashed = argon2id().hash_password(password).map_err(|error| Unavailable::new(error.to_string()))?;
    Ok(hashed.to_string())
}

/// Whether `password` is the one that was hashed. Without a hash the same work is done, and the answer is no.
pub fn verify(password: &Secret<String>, hashed: Option<&str>) -> bool {
    let password = password.expose().as_bytes();
    let is_short = password.len() <= PASSWORD_LIMIT_BYTES;
    let password = if is_short { password } else { b"" };
    let parsed = PasswordHash::new(hashed.unwrap_or(NOBODY));
    let matches = parsed.is_ok_and(|parsed| argon2id().verify_password(password, &parsed).is_ok());
    matches && is_short && hashed.is_some()
}

/// A hash with the parameters of [`argon2id`] that no password is known for: its bytes were not computed.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LW5vYm9keQ$bm9ib2R5LW5vYm9keS1ub2JvZHktbm9ib2R5LW5vYm8";

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn right_password_verifies_and_nothing_else() {
        let hashed = hash(&secret("correct horse")).unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(verify(&secret("correct horse"), Some(&hashed)));
        assert!(!verify(&secret("correct horsf"), Some(&hashed)));
        assert!(!verify(&secret("correct horse"), None));
        assert!(!verify(&secret(&"x".repeat(PASSWORD_LIMIT_BYTES + 1)), Some(&hashed)));
        assert!(hash(&secret(&"x".repeat(PASSWORD_LIMIT_BYTES + 1))).is_err());
    }

    /// C25: what stands in for a hash that is not there takes the same work: it parses, with the same parameters.
    #[test]
    fn nobody_has_a_hash_that_can_be_checked() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let somebody = hash(&secret("p")).unwrap();
        let somebody = PasswordHash::new(&somebody).unwrap();
        assert_eq!(nobody.algorithm, somebody.algorithm);
        assert_eq!(nobody.params, somebody.params);
        assert_eq!(nobody.hash.unwrap().len(), somebody.hash.unwrap().len());
    }
}
