//! The authorization request: what it must look like, in the order in which it is checked (OA-1, OA-3 to OA-6, C04).

use std::sync::Arc;

use http::request::Parts;
use irgw_core::ClientKind;
use serde::{Deserialize, Serialize};

use super::AuthorizationServer;
use crate::access_token::SCOPE;
use crate::fault::Fault;
use crate::form::Form;
use crate::registration::Client;

/// A request of a known client with a registered redirect URI: from here on answers may be redirected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AuthorizationRequest {
    pub(super) client: irgw_core::ClientId,
    pub(super) redirect_uri: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) challenge: Option<String>,
}

/// A request, and what else it asks for.
pub(super) struct Asked {
    pub(super) request: AuthorizationRequest,
    pub(super) client: Arc<Client>,
    /// `scope` is the one that there is.
    pub(super) scope_is_known: bool,
    /// `logout=true`: a login that stands is not to be used (OA-7).
    pub(super) logout: bool,
}

impl AuthorizationServer {
    /// Reads a request. Whatever is wrong here is told in JSON, never by a redirect.
    pub(super) fn asked(&self, head: &Parts) -> Result<Asked, Fault> {
        let form = Form::parse(head.uri.query().unwrap_or_default().as_bytes())?;
        let client_id = form.need("client_id")?;
        let redirect_uri = form.need("redirect_uri")?;
        let response_type = form.need("response_type")?;
        let scope = form.need("scope")?;
        let client = self.state.clients.client(client_id).ok_or(Fault::UnknownClient)?;
        if !client.redirects_to(redirect_uri) {
            return Err(Fault::RedirectUri(redirect_uri.to_owned()));
        }
        if response_type != "code" {
            return Err(Fault::ResponseType);
        }
        let state = form.find("state");
        if state.is_some_and(|state| !is_state(state)) {
            return Err(Fault::State);
        }
        let challenge = challenge(&form, client.kind)?;
        let request = AuthorizationRequest {
            client: client.id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            state: state.map(str::to_owned),
            challenge,
        };
        let logout = form.find("logout") == Some("true");
        Ok(Asked { request, client, scope_is_known: scope == SCOPE, logout })
    }
}

/// OA-3: fewer than 200 of these characters.
fn is_state(state: &str) -> bool {
    state.len() < 200
        && state.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.?,:'/\\+=$#_".contains(&byte))
}

/// OA-6: `S256` alone, 43 characters that are the base64url of 32 bytes; a native client must send one.
fn challenge(form: &Form, kind: ClientKind) -> Result<Option<String>, Fault> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    match (form.find("code_challenge"), form.find("code_challenge_method")) {
        (None, None) if kind == ClientKind::Cloud => Ok(None),
        (None, _) => Err(Fault::Missing("code_challenge")),
        // Without a method it would be `plain` (RFC 7636 §4.3).
        (Some(challenge), Some("S256")) => {
            let is_digest = URL_SAFE_NO_PAD.decode(challenge).is_ok_and(|bytes| bytes.len() == 32);
            if is_digest { Ok(Some(challenge.to_owned())) } else { Err(Fault::Challenge) }
        }
        (Some(_), _) => Err(Fault::ChallengeMethod),
    }
}

impl AuthorizationRequest {
    /// Where the browser is sent with these parameters, and the state as it came (RFC 6749 §4.1.2).
    pub(super) fn location(&self, parameters: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        let joint = if self.redirect_uri.contains('?') { '&' } else { '?' };
        // `+` for a space is a form's way; an escape is read by everybody.
        format!("{}{joint}{}", self.redirect_uri, query.finish().replace('+', "%20"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_echoed_as_it_came() {
        let state = "aZ09-.?,:'/\\+=$#_";
        assert!(is_state(state));
        let request = AuthorizationRequest {
            client: "c".parse().unwrap(),
            redirect_uri: "https://app.example/cb?a=1".to_owned(),
            state: Some(state.to_owned()),
            challenge: None,
        };
        let location = request.location(&[("code", "x")]);
        let query = location.strip_prefix("https://app.example/cb?a=1&").unwrap();
        let read: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!(read, [("code".into(), "x".into()), ("state".into(), state.to_owned())]);
    }

    #[test]
    fn state_is_short_and_of_few_characters() {
        assert!(is_state(&"x".repeat(199)));
        for bad in [&"x".repeat(200), "a b", "<script>", "a\r\nb", "a%20b", "ā", "a&b"] {
            assert!(!is_state(bad), "{bad}");
        }
    }
}
