//! The browser's cookie: a random name, drawn anew at every login, so that nobody can plant one (C21).

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};
use irgw_core::Secret;

use crate::Unavailable;
use crate::opaque::{Digest, SECRET_CHARS, draw};

/// A browser, known by its cookie.
#[derive(Debug)]
pub(super) struct Browser {
    cookie: Secret<String>,
    is_new: bool,
}

impl Browser {
    /// The one that sent these fields; a new one where there is no cookie, more than one, or one that is none of ours.
    pub(super) fn of(headers: &HeaderMap) -> Result<Browser, Unavailable> {
        match cookie(headers, NAME) {
            Some(cookie) if is_cookie(&cookie) => Ok(Browser { cookie: Secret::new(cookie), is_new: false }),
            _ => Browser::renewed(),
        }
    }

    /// The same browser under a new name.
    pub(super) fn renewed() -> Result<Browser, Unavailable> {
        Ok(Browser { cookie: draw(SECRET_CHARS)?, is_new: true })
    }

    /// What is known of it.
    pub(super) fn digest(&self) -> Digest {
        Digest::of(self.cookie.expose())
    }

    /// Whether it came without a name, so that nobody can have logged in.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// The field that gives it its name; `None` when it has it.
    pub(super) fn set_cookie(&self) -> Option<HeaderValue> {
        let field = format!("{NAME}={}; Path=/; Secure; HttpOnly; SameSite=Lax", self.cookie.expose());
        let mut field = HeaderValue::from_str(&field).ok()?;
        field.set_sensitive(true);
        self.is_new.then_some(field)
    }
}

/// A cookie's value, if there is exactly one of this name. Other sites of the domain may have set others, with whatever
/// bytes: they are not looked at.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let fields = headers.get_all(COOKIE).iter();
    let pairs = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    let mut values = pairs.filter_map(|pair| {
        let start = pair.iter().position(|byte| !b" \t".contains(byte))?;
        pair.get(start..)?.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
    });
    match (values.next(), values.next()) {
        (Some(value), None) => str::from_utf8(value.trim_ascii_end()).ok().map(str::to_owned),
        _ => None,
    }
}

fn is_cookie(text: &str) -> bool {
    text.len() == SECRET_CHARS
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The prefix makes browsers refuse it from other hosts and without TLS (RFC 6265bis §4.1.3.2).
const NAME: &str = "__Host-irgw";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_cookies_do_not_hide_ours() {
        let ours = draw(SECRET_CHARS).unwrap();
        let browser = |field: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_bytes(field).unwrap());
            Browser::of(&headers).unwrap().digest()
        };
        let ours = ours.expose();
        for field in [format!("{NAME}={ours}"), format!("pref=M\u{101}ori; {NAME}={ours}; a=b")] {
            assert_eq!(browser(field.as_bytes()), Digest::of(ours));
        }
        for field in
            [format!("{NAME}={ours}; {NAME}={ours}"), format!("x{NAME}={ours}"), format!("{NAME}={ours}x")]
        {
            assert_ne!(browser(field.as_bytes()), Digest::of(ours));
        }
    }
}
