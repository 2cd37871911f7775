//! Registered clients: who they are, their secrets, and where an answer may be sent (OA-2, OA-4, C01, C03).

use std::fmt;
use std::sync::Arc;

use irgw_core::{ClientId, ClientKind, ProviderId};
use subtle::ConstantTimeEq;
use url::{Host, Url};

use crate::opaque::Digest;
use crate::signing::Algorithm;

/// A registered client of one environment, as the registry holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// Whose it is (GW-2).
    pub provider: ProviderId,
    /// What customers read beside its name: who provides it.
    pub provider_name: String,
    /// What customers read on the consent page.
    pub name: String,
    /// Cloud or native.
    pub kind: ClientKind,
    /// Where answers may be sent.
    pub redirect_uris: Vec<RedirectUri>,
    /// The digests of its secrets: one, or two while it changes them (OA-2).
    pub secrets: Vec<Digest>,
    /// What its access tokens are signed with (OA-10).
    pub algorithm: Algorithm,
}

impl Client {
    /// Whether `secret` is one of its secrets; all are compared, each in constant time.
    pub fn knows(&self, secret: &str) -> bool {
        let presented = Digest::of(secret);
        let found = self.secrets.iter().map(|known| known.0.ct_eq(&presented.0));
        found.fold(subtle::Choice::from(0), |any, one| any | one).into()
    }

    /// Whether an answer may be sent to `uri`, as it was written (OA-4).
    pub fn redirects_to(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|registered| registered.admits(uri))
    }
}

/// Registered clients, in memory.
pub trait Clients: fmt::Debug + Send + Sync + 'static {
    /// The client of this id in the environment that is served; neither one that was disabled nor another environment's.
    fn client(&self, id: &str) -> Option<Arc<Client>>;
}

/// A redirect URI that was checked when it was registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    /// Any port will do: a loopback address that was registered without one (RFC 8252 §7.3).
    port: Port,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    AsWritten,
    Any,
}

/// A redirect URI may not be longer, in bytes.
pub const REDIRECT_URI_LIMIT_BYTES: usize = 1024;

impl RedirectUri {
    /// Checks a URI for registration: `https` for a cloud client; for a native one also a loopback address over `http`,
    /// or a private-use scheme in reverse-domain form (RFC 8252 §7, C03).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn register(text: &str, kind: ClientKind) -> Result<RedirectUri, RedirectUriFault> {
        if text.len() > REDIRECT_URI_LIMIT_BYTES {
            return Err(RedirectUriFault::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}*".contains(&byte)) {
            return Err(RedirectUriFault::Characters);
        }
        if text.contains('#') {
            return Err(RedirectUriFault::Fragment);
        }
        let url = Url::parse(text).map_err(|_| RedirectUriFault::NoUri)?;
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
            return Err(RedirectUriFault::UserInfo);
        }
        // What a parser would change, two programs read as two things.
        if url.as_str() != text && url.as_str() != format!("{text}/") {
            return Err(RedirectUriFault::NotNormal);
        }
        let mut port = Port::AsWritten;
        match (url.scheme(), kind) {
            ("https", _) => {}
            ("http", ClientKind::Native) => {
                let loopback = match url.host() {
                    Some(Host::Ipv4(address)) => address.is_loopback() && address.octets() == [127, 0, 0, 1],
                    Some(Host::Ipv6(address)) => address.is_loopback(),
                    Some(Host::Domain(name)) => name == "localhost",
                    None => false,
                };
                if !loopback {
                    return Err(RedirectUriFault::PlainHttp);
                }
                if url.port().is_none() && !matches!(url.host(), Some(Host::Domain(_))) {
                    port = Port::Any;
                }
            }
            (scheme, ClientKind::Native) if is_private_use(scheme) => {}
            _ => return Err(RedirectUriFault::Scheme),
        }
        Ok(RedirectUri { text: text.to_owned(), port })
    }

    /// What was registered.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `presented` is this URI: the same bytes (RFC 3986 §6.2.1), the port of a loopback address that was
    /// registered without one aside. Nothing is parsed or normalised.
    pub fn admits(&self, presented: &str) -> bool {
        if presented == self.text {
            return true;
        }
        if self.port == Port::AsWritten {
            return false;
        }
        let Some((authority, path)) = split_loopback(&self.text) else { return false };
        let Some(rest) = presented.strip_prefix(authority).and_then(|rest| rest.strip_prefix(':')) else {
            return false;
        };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (port, rest) = rest.split_at(digits);
        let is_port = !port.starts_with('0') && port.parse::<u16>().is_ok();
        is_port && rest == path
    }
}

/// The scheme and address of a loopback URI, and what follows them.
fn split_loopback(text: &str) -> Option<(&str, &str)> {
    ["http://127.0.0.1", "http://[::1]"]
        .into_iter()
        .find(|prefix| text.starts_with(prefix))
        .map(|prefix| text.split_at(prefix.len()))
}

/// RFC 8252 §7.1: a domain name of the application's maker, reversed.
fn is_private_use(scheme: &str) -> bool {
    scheme.split('.').count() >= 2
        && scheme.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

/// Why a redirect URI cannot be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectUriFault {
    /// More than [`REDIRECT_URI_LIMIT_BYTES`].
    #[error("it is longer than {REDIRECT_URI_LIMIT_BYTES} bytes")]
    TooLong,
    /// Not printable ASCII, or a character that is not allowed in a URI or means something else elsewhere.
    #[error("only printable ASCII is allowed, without space, wildcard, backslash, quotes or brackets")]
    Characters,
    /// `#…` (RFC 6749 §3.1.2).
    #[error("a fragment is not allowed")]
    Fragment,
    /// No absolute URI.
    #[error("it is no absolute URI")]
    NoUri,
    /// `user@…`.
    #[error("a user name is not allowed")]
    UserInfo,
    /// A parser would write it otherwise: upper case in the host, `..`, a default port, an escape.
    #[error("write it in its normal form: lower-case host, no default port, no dot segments")]
    NotNormal,
    /// `http` to another machine.
    #[error("http is allowed for a native client's loopback address only")]
    PlainHttp,
    /// Another scheme.
    #[error("allowed are https and, for native clients, loopback http or a scheme like nz.example.app")]
    Scheme,
}

#[cfg(test)]
mod tests;
