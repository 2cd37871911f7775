//! What anybody may know: the server's metadata (RFC 8414) and its public keys (RFC 7517).

use bytes::Bytes;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use irgw_core::UnixTime;
use serde_json::json;

use super::AuthorizationServer;
use crate::access_token::SCOPE;

/// Before the issuer's path (RFC 8414 §3.1).
pub(crate) const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

impl AuthorizationServer {
    pub(super) fn metadata(&self) -> Response<Bytes> {
        let issuer = &self.settings.issuer;
        let at = |endpoint: &str| format!("{issuer}{endpoint}");
        let ways = ["client_secret_basic", "client_secret_post", "none"];
        let proofs = ["client_secret_basic", "client_secret_post"];
        public(
            "application/json",
            json!({
                "issuer": issuer,
                "authorization_endpoint": at("authorize"),
                "token_endpoint": at("token"),
                "introspection_endpoint": at("introspect"),
                "revocation_endpoint": at("revoke"),
                "jwks_uri": at("jwks"),
                "scopes_supported": [SCOPE],
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ways,
                "introspection_endpoint_auth_methods_supported": proofs,
                "revocation_endpoint_auth_methods_supported": ways,
            })
            .to_string(),
        )
    }

    pub(super) fn jwks(&self, now: UnixTime) -> Response<Bytes> {
        public("application/jwk-set+json", self.state.keys.keyring().to_jwks(now))
    }
}

fn public(media_type: &'static str, text: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    // Short, so that a new key is known long before it signs.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}
