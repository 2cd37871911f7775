//! Opaque tokens: what is drawn at random and handed out, and the digest that is kept of it (C29).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use irgw_core::Secret;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::Unavailable;

/// SHA-256 of an opaque token. It is all that is kept of one.
///
/// No salt and no slow hash: what is hashed has 192 bits of randomness or more, and cannot be guessed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of a token that somebody presents.
    pub fn of(token: &str) -> Digest {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Digest(bytes)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// The length of an authorization code in characters: 450 bits (OA-8).
pub const CODE_CHARS: usize = 100;
/// The length of a refresh token in characters (OA-12): 300 bits.
pub const REFRESH_TOKEN_CHARS: usize = 50;
/// The length of a client secret, a session's cookie and a form's token in characters: 258 bits.
pub const SECRET_CHARS: usize = 43;
/// The length of an access token's `jti` and a token family's name in characters: 132 bits.
pub const NAME_CHARS: usize = 22;

/// Draws so many characters of `A-Z a-z 0-9 - _`, each of six random bits. They are unreserved in URLs and forms, so that
/// nobody's encoding changes them (OA-9).
///
/// # Errors
/// When the operating system gives no randomness.
pub fn draw(chars: usize) -> Result<Secret<String>, Unavailable> {
    let mut bytes = Zeroizing::new(vec![0; (chars * 6).div_ceil(8)]);
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Unavailable::new("the system gives no random numbers"))?;
    let mut text = URL_SAFE_NO_PAD.encode(&*bytes);
    text.truncate(chars);
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_text_is_as_long_as_asked_and_never_the_same() {
        for chars in [CODE_CHARS, REFRESH_TOKEN_CHARS, SECRET_CHARS, NAME_CHARS, 1] {
            assert_eq!(draw(chars).unwrap().expose().len(), chars);
        }
        let (one, two) = (draw(NAME_CHARS).unwrap(), draw(NAME_CHARS).unwrap());
        assert_ne!(one.expose(), two.expose());
        assert!(one.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
    }
}
