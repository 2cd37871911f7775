//! Who presents a request to the token, introspection or revocation endpoint (OA-2, OA-9, OA-17, C15).

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::request::Parts;
use irgw_core::ClientKind;

use super::{AuthorizationServer, Noted};
use crate::form::Form;
use crate::opaque::Digest;
use crate::registration::Client;

/// What a native client must show: it cannot keep a secret, so its secret proves nothing (OA-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Natives {
    /// Its id is enough.
    MayOmitSecret,
    /// As every other client: who asks about tokens must authenticate (RFC 7662 §2.1).
    ShowSecret,
}

/// Why a client is not who it says it is; each endpoint has words of its own for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unauthenticated {
    /// Neither a header nor a client id in the body.
    Nothing,
    /// A client id in the body, of a client that must authenticate, and nothing more.
    NoSecret,
    /// A header that holds no credentials, or credentials in two places at once.
    Malformed,
    /// No such client.
    Client,
    /// A wrong secret.
    Secret,
}

impl AuthorizationServer {
    /// Authenticates a request's client.
    pub(super) fn client(
        &self,
        head: &Parts,
        form: &Form,
        natives: Natives,
        noted: &mut Noted,
    ) -> Result<Arc<Client>, Unauthenticated> {
        let mut fields = head.headers.get_all(AUTHORIZATION).iter();
        let named = (form.find("client_id"), form.find("client_secret"));
        let client = match (fields.next(), fields.next(), named) {
            (Some(_), Some(_), _) | (Some(_), None, (_, Some(_))) => return Err(Unauthenticated::Malformed),
            (Some(field), None, (id, None)) => {
                let pair = field.to_str().ok().and_then(basic).ok_or(Unauthenticated::Malformed)?;
                let client = self.by_pair(&pair)?;
                // Said again beside the header, it must be the same (RFC 6749 §2.3).
                if id.is_some_and(|id| id != client.id.as_str()) {
                    return Err(Unauthenticated::Malformed);
                }
                client
            }
            (None, _, (Some(id), Some(secret))) => self.by_secret(id, secret)?,
            (None, _, (Some(id), None)) => match self.state.clients.client(id) {
                Some(client) if client.kind == ClientKind::Native && natives == Natives::MayOmitSecret => {
                    client
                }
                Some(_) => return Err(Unauthenticated::NoSecret),
                None => return Err(Unauthenticated::Client),
            },
            (None, _, (None, _)) => return Err(Unauthenticated::Nothing),
        };
        noted.client = Some(client.id.clone());
        Ok(client)
    }

    /// Both readings of a Basic pair: as it is (IR's), and form-encoded (RFC 6749 §2.3.1).
    fn by_pair(&self, (id, secret): &(String, String)) -> Result<Arc<Client>, Unauthenticated> {
        let plain = self.by_secret(id, secret);
        match (&plain, decoded(id), decoded(secret)) {
            (Err(_), Some(id), Some(secret)) => self.by_secret(&id, &secret).or(plain),
            _ => plain,
        }
    }

    fn by_secret(&self, id: &str, secret: &str) -> Result<Arc<Client>, Unauthenticated> {
        let Some(client) = self.state.clients.client(id) else {
            // The same work as for a client that is there.
            let _ = Digest::of(secret);
            return Err(Unauthenticated::Client);
        };
        if client.knows(secret) { Ok(client) } else { Err(Unauthenticated::Secret) }
    }
}

/// `Basic` credentials (RFC 7617 §2): the id is everything before the first colon.
fn basic(field: &str) -> Option<(String, String)> {
    let (scheme, encoded) = field.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") || encoded.len() > LIMIT_BYTES {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    (!id.is_empty()).then(|| (id.to_owned(), secret.to_owned()))
}

/// A text that was form-encoded by itself; `None` when it was not.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let pairs: Vec<_> = form_urlencoded::parse(text.as_bytes()).collect();
    match <[_; 1]>::try_from(pairs) {
        Ok([(name, value)]) if value.is_empty() && !text.contains('=') => Some(Cow::Owned(name.into_owned())),
        _ => None,
    }
}

/// Credentials are not longer, in bytes.
const LIMIT_BYTES: usize = 2 * 1024;
