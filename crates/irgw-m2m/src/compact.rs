//! The compact form of a JWS: three parts of canonical base64url (RFC 7515 §7.1, M2M-2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Error, Part};

/// The longest token that is looked at, in bytes.
///
/// A token of this profile has about 600; the longest key adds 700. What is longer is refused before a byte of it is
/// decoded.
pub const TOKEN_LIMIT_BYTES: usize = 16 * 1024;

/// A compact JWS cut into its parts and decoded.
pub(crate) struct Compact<'a> {
    /// The first two parts with the dot between them: what is signed (RFC 7515 §5.2).
    pub(crate) signing_input: &'a [u8],
    /// The header's bytes.
    pub(crate) header: Vec<u8>,
    /// The payload's bytes.
    pub(crate) payload: Vec<u8>,
    /// The signature's bytes.
    pub(crate) signature: Vec<u8>,
}

impl<'a> Compact<'a> {
    /// Takes a token apart.
    ///
    /// Each part has exactly one spelling: no padding, no whitespace, no letter of the other alphabet, and no bit set
    /// after the last byte. So one signature belongs to one text, and a remembered token cannot come back in another.
    pub(crate) fn parse(token: &'a str) -> Result<Compact<'a>, Error> {
        if token.len() > TOKEN_LIMIT_BYTES {
            return Err(Error::TooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Error::Parts)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Error::Parts)?;
        if header.is_empty() || payload.is_empty() || signature.is_empty() || payload.contains('.') {
            return Err(Error::Parts);
        }
        Ok(Compact {
            signing_input: signing_input.as_bytes(),
            header: decode(Part::Header, header)?,
            payload: decode(Part::Payload, payload)?,
            signature: decode(Part::Signature, signature)?,
        })
    }
}

/// Puts a signing input together: header and payload in base64url with a dot between them.
pub(crate) fn signing_input(header: &str, payload: &[u8]) -> String {
    let mut text = URL_SAFE_NO_PAD.encode(header);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut text);
    text
}

/// Adds the signature to its signing input.
pub(crate) fn with_signature(mut signing_input: String, signature: &[u8]) -> String {
    signing_input.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut signing_input);
    signing_input
}

fn decode(part: Part, text: &str) -> Result<Vec<u8>, Error> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Base64url(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_non_empty_parts_and_no_other_number_b09() {
        assert!(Compact::parse("e30.e30.AA").is_ok());
        for token in
            ["", ".", "..", "e30", "e30.e30", "e30.e30.", ".e30.AA", "e30..AA", "e30.e30.AA.AA", "a.b.c.d.e"]
        {
            assert_eq!(Compact::parse(token).map(drop), Err(Error::Parts), "{token}");
        }
    }

    #[test]
    fn base64url_has_one_spelling_b09() {
        for token in [
            "e30=.e30.AA",
            "e30.e30.AA==",
            "e30.e30.AB",
            "e3 0.e30.AA",
            "e30.e30.A+8A",
            "e30.e30.A/8A",
            "e30.e30\n.AA",
            "e30.e30.A",
        ] {
            assert!(matches!(Compact::parse(token), Err(Error::Base64url(_))), "{token}");
        }
    }

    #[test]
    fn length_is_judged_before_anything_else_b10() {
        let fits = "A".repeat(TOKEN_LIMIT_BYTES - 5);
        assert!(!matches!(Compact::parse(&format!("e30.{fits}.")), Err(Error::TooLong)));
        assert_eq!(Compact::parse(&"!".repeat(TOKEN_LIMIT_BYTES + 1)).map(drop), Err(Error::TooLong));
    }
}
