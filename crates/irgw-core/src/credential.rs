//! What one request presents.

use std::fmt;

use crate::{Peer, UnixTime};

/// What one request presents to an [`crate::Authenticator`].
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The far end of the connection.
    pub peer: &'a Peer,
    /// The Authorization field.
    pub credential: Credential<'a>,
    /// The time of the judgement.
    pub now: UnixTime,
}

/// The Authorization field of a request, parsed once (RFC 9110 §11.6.2; M2M-1 for the bare JWT).
///
/// `Debug` shows the kind and the length: a token is good until it expires, whoever reads it in a log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// No field, or an empty one.
    None,
    /// `Bearer` and a token (RFC 6750 §2.1). The token is not yet checked.
    Bearer(&'a str),
    /// One bare word with dots in it: a JWT without a scheme (M2M-1). The token is not yet checked.
    Jwt(&'a str),
    /// Anything else: another scheme, or bytes that no scheme has.
    Other,
    /// More than one field. Never read further: two parties could disagree on which one counts.
    Many,
}

impl<'a> Credential<'a> {
    /// Parses all Authorization fields of a request.
    ///
    /// ```
    /// # use irgw_core::Credential;
    /// assert_eq!(Credential::parse([b"eyJh.eyJz.c2ln".as_slice()]), Credential::Jwt("eyJh.eyJz.c2ln"));
    /// assert_eq!(Credential::parse([b"Basic dTpw".as_slice()]), Credential::Other);
    /// assert_eq!(Credential::parse([]), Credential::None);
    /// ```
    pub fn parse(fields: impl IntoIterator<Item = &'a [u8]>) -> Credential<'a> {
        let mut fields = fields.into_iter();
        let Some(field) = fields.next() else { return Credential::None };
        if fields.next().is_some() {
            return Credential::Many;
        }
        let Ok(text) = std::str::from_utf8(field) else { return Credential::Other };
        if text.is_empty() {
            return Credential::None;
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Credential::Other;
        }
        match text.split_once(' ') {
            None if text.contains('.') => Credential::Jwt(text),
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                let token = token.trim_start_matches(' ');
                if token.is_empty() || token.contains(' ') {
                    Credential::Other
                } else {
                    Credential::Bearer(token)
                }
            }
            _ => Credential::Other,
        }
    }
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credential::None => f.write_str("None"),
            Credential::Bearer(token) => write!(f, "Bearer({} bytes)", token.len()),
            Credential::Jwt(token) => write!(f, "Jwt({} bytes)", token.len()),
            Credential::Other => f.write_str("Other"),
            Credential::Many => f.write_str("Many"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Channel, Origin};

    fn parse(field: &str) -> Credential<'_> {
        Credential::parse([field.as_bytes()])
    }

    #[test]
    fn bearer_scheme_is_case_insensitive_and_takes_one_token() {
        assert_eq!(parse("bearer  abc"), Credential::Bearer("abc"));
        assert_eq!(parse("Bearer"), Credential::Other);
        assert_eq!(parse("Bearer "), Credential::Other);
        assert_eq!(parse("Bearer a b"), Credential::Other);
    }

    #[test]
    fn nothing_understood_is_other_and_never_absent() {
        for field in ["M2M a.b.c", "a.b.c ", "a.b.c,d.e.f g", "a\tb", "opaque", "Bearer\ta.b.c"] {
            assert_eq!(parse(field), Credential::Other, "{field:?}");
        }
        assert_eq!(Credential::parse([b"\xff.\xff".as_slice()]), Credential::Other);
    }

    #[test]
    fn token_is_not_printed_g01() {
        let origin = Origin::new(([192, 0, 2, 7], 5000).into(), Channel::Cloud);
        let peer = Peer::anonymous(origin);
        let now = UnixTime::since_unix_epoch(std::time::Duration::ZERO);
        for (field, shown) in [("Bearer c.an.ary", "Bearer(8 bytes)"), ("c.an.ary", "Jwt(8 bytes)")] {
            let credential = parse(field);
            assert_eq!(format!("{credential:?}"), shown);
            let presented = Presented { peer: &peer, credential, now };
            assert!(!format!("{presented:#?}").contains("c.an.ary"));
        }
    }

    #[test]
    fn two_fields_are_many_even_when_equal() {
        assert_eq!(Credential::parse([b"a.b.c".as_slice(), b"a.b.c"]), Credential::Many);
    }
}
