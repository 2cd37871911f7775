//! What a provider's application knows about itself and its authorization server.

use irgw_core::{ClientId, ClientKind, Secret};
use oauth2::{AuthUrl, IntrospectionUrl, RevocationUrl, TokenUrl};
use url::Url;

use crate::registration::{RedirectUri, RedirectUriFault};

/// The authorization server's four addresses, each `https` (RFC 6749 §3.1, §3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Where the customer's browser is sent: `…/gateway3/oauth/authorize`.
    pub authorize: String,
    /// Where codes and refresh tokens are exchanged.
    pub token: String,
    /// Where a token is asked about (RFC 7662).
    pub introspect: String,
    /// Where one is given back (RFC 7009).
    pub revoke: String,
}

impl Endpoints {
    /// Those below a base such as `https://services.ird.govt.nz/gateway3/oauth/` (ENV-3).
    ///
    /// ```
    /// let at = irgw_oauth::client::Endpoints::below("https://services.ird.govt.nz/gateway3/oauth");
    /// assert_eq!(at.token, "https://services.ird.govt.nz/gateway3/oauth/token");
    /// ```
    pub fn below(base: &str) -> Endpoints {
        let base = base.trim_end_matches('/');
        let at = |name| format!("{base}/{name}");
        Endpoints {
            authorize: at("authorize"),
            token: at("token"),
            introspect: at("introspect"),
            revoke: at("revoke"),
        }
    }
}

/// A client as it was registered, checked.
#[derive(Debug)]
pub struct ClientConfig {
    pub(super) authorize: AuthUrl,
    pub(super) token: TokenUrl,
    pub(super) introspect: IntrospectionUrl,
    pub(super) revoke: RevocationUrl,
    pub(super) client_id: ClientId,
    pub(super) secret: Option<Secret<String>>,
    pub(super) redirect_uris: Vec<RedirectUri>,
    pub(super) kind: ClientKind,
}

/// Why a client cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigFault {
    /// An address is not `https://host/…`, or has a user name or a fragment.
    #[error("the {endpoint} address must be https, without user name and fragment")]
    Endpoint {
        /// Which: `authorize`, `token`, `introspect` or `revoke`.
        endpoint: &'static str,
    },
    /// A cloud client has a secret (OA-2).
    #[error("a cloud client needs its secret")]
    SecretMissing,
    /// There is no redirect URI.
    #[error("a client has at least one redirect URI")]
    NoRedirectUri,
    /// A redirect URI could not have been registered.
    #[error("the redirect URI {uri} cannot be a registered one")]
    RedirectUri {
        /// Which.
        uri: String,
        /// What is wrong with it.
        #[source]
        fault: RedirectUriFault,
    },
}

impl ClientConfig {
    /// Checks what the operator said at registration. A native client needs no secret: it cannot keep one (OA-2). The
    /// redirect URIs are those that were registered, letter for letter; the first is the usual one.
    ///
    /// # Errors
    /// [`ConfigFault`].
    pub fn new(
        endpoints: &Endpoints,
        client_id: ClientId,
        secret: Option<Secret<String>>,
        redirect_uris: &[&str],
        kind: ClientKind,
    ) -> Result<ClientConfig, ConfigFault> {
        if kind == ClientKind::Cloud && secret.is_none() {
            return Err(ConfigFault::SecretMissing);
        }
        if redirect_uris.is_empty() {
            return Err(ConfigFault::NoRedirectUri);
        }
        let registered = redirect_uris.iter().map(|uri| {
            RedirectUri::register(uri, kind)
                .map_err(|fault| ConfigFault::RedirectUri { uri: (*uri).to_owned(), fault })
        });
        Ok(ClientConfig {
            authorize: AuthUrl::from_url(https("authorize", &endpoints.authorize)?),
            token: TokenUrl::from_url(https("token", &endpoints.token)?),
            introspect: IntrospectionUrl::from_url(https("introspect", &endpoints.introspect)?),
            revoke: RevocationUrl::from_url(https("revoke", &endpoints.revoke)?),
            client_id,
            secret,
            redirect_uris: registered.collect::<Result<_, _>>()?,
            kind,
        })
    }

    /// The client's id.
    pub fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// Cloud or native.
    pub fn kind(&self) -> ClientKind {
        self.kind
    }

    /// The registered redirect URIs, the usual one first.
    pub fn redirect_uris(&self) -> impl Iterator<Item = &str> {
        self.redirect_uris.iter().map(RedirectUri::as_str)
    }

    /// Where tokens come from, which says whose they are.
    pub fn token_url(&self) -> &str {
        self.token.as_str()
    }
}

fn https(endpoint: &'static str, text: &str) -> Result<Url, ConfigFault> {
    let fault = ConfigFault::Endpoint { endpoint };
    let Ok(url) = Url::parse(text) else { return Err(fault) };
    let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if url.scheme() == "https" && url.has_host() && bare { Ok(url) } else { Err(fault) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(token: &str, secret: Option<&str>, uris: &[&str], kind: ClientKind) -> Result<(), ConfigFault> {
        let endpoints = Endpoints { token: token.into(), ..Endpoints::below("https://a.nz/gateway3/oauth/") };
        let secret = secret.map(|text| Secret::new(text.to_owned()));
        ClientConfig::new(&endpoints, "c".parse().unwrap(), secret, uris, kind).map(drop)
    }

    #[test]
    fn secrets_are_not_sent_in_the_clear() {
        let cloud = |token| config(token, Some("s"), &["https://a.nz/cb"], ClientKind::Cloud);
        assert_eq!(cloud("https://a.nz:4443/token"), Ok(()));
        for bad in ["http://a.nz/token", "ftp://a.nz/", "token", "https://u@a.nz/", "https://a.nz/#f", ""] {
            assert_eq!(cloud(bad), Err(ConfigFault::Endpoint { endpoint: "token" }), "{bad}");
        }
    }

    #[test]
    fn native_client_may_have_no_secret_and_a_cloud_one_must() {
        let at = "https://a.nz/token";
        let loopback = ["http://127.0.0.1/cb"];
        assert_eq!(config(at, None, &loopback, ClientKind::Native), Ok(()));
        assert_eq!(
            config(at, None, &["https://a.nz/cb"], ClientKind::Cloud),
            Err(ConfigFault::SecretMissing)
        );
        assert_eq!(config(at, None, &[], ClientKind::Native), Err(ConfigFault::NoRedirectUri));
        let refused = config(at, Some("s"), &loopback, ClientKind::Cloud);
        assert!(matches!(refused, Err(ConfigFault::RedirectUri { .. })), "{refused:?}");
    }
}
