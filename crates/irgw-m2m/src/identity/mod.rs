//! The identity that the gateway passes on to a backing service, as a short-lived JWT (GW-3).
//!
//! It is a kind of token of its own: `typ` is `irgw-identity+jwt`, so that neither an M2M token nor an access token can
//! be taken for one, nor it for them (RFC 8725 §3.11). It is signed with ES256 by the gateway alone, and
//! names the one service that it is for.
//!
//! ```text
//! {"alg":"ES256","typ":"irgw-identity+jwt","kid":"<RFC 7638 thumbprint of the key>"}
//! {"iss":"…","aud":"<service>","iat":1604890695,"exp":1604890755,"environment":"test","mechanism":"m2m",
//!  "provider":"…","common_name":"…","owner":"…","logon":"…","client":"…","thumbprint":"…","token":"…"}
//! ```
//!
//! A member that does not apply is left out. Nothing in it belongs to one request, so that the gateway signs it once for
//! many.
//!
//! ```
//! use std::time::Duration;
//! use irgw_core::{Environment, Scheme, UnixTime};
//! use irgw_m2m::identity::{self, Identity, IdentityKey, Jwks};
//!
//! # fn main() -> Result<(), irgw_m2m::Error> {
//! let (key, _pkcs8_to_keep) = IdentityKey::generate()?;
//! let now = UnixTime::since_unix_epoch(Duration::from_secs(1_604_890_700));
//! let identity = Identity {
//!     provider: "kowhai-payroll".parse().ok(),
//!     ..Identity::new("https://gateway.example", "account", Environment::Test, Scheme::ClientCert, now, Duration::from_secs(60))
//! };
//! let token = identity::sign(&identity, &key)?;
//!
//! let published = Jwks::of([key.public()]).to_json();
//! let known = Jwks::from_json(&published)?;
//! assert_eq!(identity::verify(&token, &known, "account", now)?, identity);
//! assert!(identity::verify(&token, &known, "income", now).is_err());
//! # Ok(())
//! # }
//! ```

mod keys;

use std::borrow::Cow;
use std::time::Duration;

use irgw_core::{ClientId, Environment, Logon, OwnerId, Principal, ProviderId, Scheme, Thumbprint, UnixTime};
use serde::{Deserialize, Serialize};

pub use keys::{IdentityKey, Jwks, PublicJwk};

use crate::Algorithm;
use crate::certificate::at;
use crate::compact::{Compact, signing_input, with_signature};
use crate::error::{Error, IdentityFault};
use crate::json::{Object, Value};
use crate::token;
use crate::verify::DEFAULT_SKEW;

/// The `typ` of an identity token.
pub const TYPE: &str = "irgw-identity+jwt";

/// Who is calling, as the gateway established it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `iss`: the gateway.
    pub issuer: String,
    /// `aud`: the name of the one service that it is for.
    pub audience: String,
    /// `iat`.
    pub issued_at: UnixTime,
    /// `exp`.
    pub expires_at: UnixTime,
    /// The environment of the gateway (ENV-2).
    pub environment: Environment,
    /// The strongest scheme that was proved.
    pub mechanism: Scheme,
    /// The provider that the client certificate names (TLS-6).
    pub provider: Option<ProviderId>,
    /// The client certificate's Common Name.
    pub common_name: Option<String>,
    /// The resource owner of an M2M request (M2M-9).
    pub owner: Option<OwnerId>,
    /// The myIR logon whose delegations apply (M2M-7).
    pub logon: Option<Logon>,
    /// The OAuth client.
    pub client: Option<ClientId>,
    /// The signing certificate of an M2M request.
    pub thumbprint: Option<Thumbprint>,
    /// The `jti` of the access token, or in the mock environment the unchecked `sub`.
    pub token: Option<String>,
}

impl Identity {
    /// An identity that names nobody yet. `lifetime` counts in whole seconds.
    pub fn new(
        issuer: &str,
        audience: &str,
        environment: Environment,
        mechanism: Scheme,
        issued_at: UnixTime,
        lifetime: Duration,
    ) -> Identity {
        Identity {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            issued_at,
            expires_at: at(issued_at.as_secs().saturating_add(lifetime.as_secs())),
            environment,
            mechanism,
            provider: None,
            common_name: None,
            owner: None,
            logon: None,
            client: None,
            thumbprint: None,
            token: None,
        }
    }

    /// The identity of `principal`, for the service `audience`. `lifetime` counts in whole seconds.
    pub fn of(
        principal: &Principal,
        issuer: &str,
        audience: &str,
        environment: Environment,
        issued_at: UnixTime,
        lifetime: Duration,
    ) -> Identity {
        Identity {
            provider: principal.provider().cloned(),
            common_name: principal.common_name().map(str::to_owned),
            owner: principal.owner().cloned(),
            logon: principal.logon().cloned(),
            client: principal.client().map(|(client, _)| client.clone()),
            thumbprint: principal.signing(),
            token: principal.token().map(str::to_owned),
            ..Identity::new(issuer, audience, environment, principal.mechanism(), issued_at, lifetime)
        }
    }
}

/// Signs an identity.
///
/// # Errors
/// [`Error::Key`] when the key cannot sign.
pub fn sign(identity: &Identity, key: &IdentityKey) -> Result<String, Error> {
    let payload =
        serde_json::to_vec(&Payload::from(identity)).expect("text and whole numbers always become json");
    let header = format!(r#"{{"alg":"ES256","typ":"{TYPE}","kid":"{}"}}"#, key.public().id());
    let input = signing_input(&header, &payload);
    let signature = key.sign(input.as_bytes())?;
    Ok(with_signature(input, &signature))
}

/// Verifies an identity token of the gateway that published `keys`, for the service `audience`, at `now`.
///
/// Everything about it is checked: its form, its `typ`, a `kid` out of `keys`, ES256, the signature, `aud`, and its times
/// with 60 seconds of skew.
///
/// # Errors
/// [`Error::Identity`], under GW-3.
pub fn verify(token: &str, keys: &Jwks, audience: &str, now: UnixTime) -> Result<Identity, Error> {
    check(token, keys, audience, now).map_err(Error::Identity)
}

fn check(token: &str, keys: &Jwks, audience: &str, now: UnixTime) -> Result<Identity, IdentityFault> {
    let Compact { signing_input, header, payload, signature } =
        Compact::parse(token).map_err(|_| IdentityFault::Form)?;
    let header = Object::parse(&header).map_err(|_| IdentityFault::Form)?;
    let algorithm = token::algorithm(&header, TYPE, token::KeyId::Any).map_err(|_| IdentityFault::Form)?;
    if algorithm != Algorithm::Es256 {
        return Err(IdentityFault::Algorithm);
    }
    let key = token::key_id(&header).ok().and_then(|id| keys.find(id)).ok_or(IdentityFault::UnknownKey)?;
    key.verify(signing_input, &signature).map_err(|_| IdentityFault::Signature)?;
    let members = Object::parse(&payload).map_err(|_| IdentityFault::Form)?;
    if !matches!(members.member("aud"), Some(Value::Text(named)) if named == audience) {
        return Err(IdentityFault::Audience);
    }
    let payload: Payload<'_> = serde_json::from_slice(&payload).map_err(|_| IdentityFault::Claims)?;
    let identity = payload.into_identity().ok_or(IdentityFault::Claims)?;
    let skew = DEFAULT_SKEW.as_secs();
    let begun = identity.issued_at.as_secs() <= now.as_secs().saturating_add(skew);
    let ended = identity.expires_at.as_secs().saturating_add(skew) <= now.as_secs();
    if !begun || ended || identity.expires_at <= identity.issued_at {
        return Err(IdentityFault::Times);
    }
    Ok(identity)
}

/// The claims as they are written.
#[derive(Serialize, Deserialize)]
struct Payload<'a> {
    iss: Cow<'a, str>,
    aud: Cow<'a, str>,
    iat: u64,
    exp: u64,
    environment: Environment,
    mechanism: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<ProviderId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    common_name: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<OwnerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    logon: Option<Logon>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<ClientId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thumbprint: Option<Thumbprint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Cow<'a, str>>,
}

impl<'a> From<&'a Identity> for Payload<'a> {
    fn from(identity: &'a Identity) -> Payload<'a> {
        Payload {
            iss: Cow::Borrowed(&identity.issuer),
            aud: Cow::Borrowed(&identity.audience),
            iat: identity.issued_at.as_secs(),
            exp: identity.expires_at.as_secs(),
            environment: identity.environment,
            mechanism: Cow::Borrowed(identity.mechanism.name()),
            provider: identity.provider.clone(),
            common_name: identity.common_name.as_deref().map(Cow::Borrowed),
            owner: identity.owner.clone(),
            logon: identity.logon.clone(),
            client: identity.client.clone(),
            thumbprint: identity.thumbprint,
            token: identity.token.as_deref().map(Cow::Borrowed),
        }
    }
}

impl Payload<'_> {
    fn into_identity(self) -> Option<Identity> {
        let mechanism = MECHANISMS.iter().copied().find(|scheme| scheme.name() == self.mechanism)?;
        Some(Identity {
            issuer: self.iss.into_owned(),
            audience: self.aud.into_owned(),
            issued_at: at(self.iat),
            expires_at: at(self.exp),
            environment: self.environment,
            mechanism,
            provider: self.provider,
            common_name: self.common_name.map(Cow::into_owned),
            owner: self.owner,
            logon: self.logon,
            client: self.client,
            thumbprint: self.thumbprint,
            token: self.token.map(Cow::into_owned),
        })
    }
}

const MECHANISMS: &[Scheme] =
    &[Scheme::ClientCert, Scheme::Bearer, Scheme::M2m, Scheme::IpAllow, Scheme::SshKey];
