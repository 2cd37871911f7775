//! The identity that a backing service sees: one signed token per distinct identity and service, reused (GW-3).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::HeaderValue;
use irgw_core::{Environment, Principal, ServiceName, UnixTime};
use irgw_m2m::identity::{Identity, IdentityKey, Jwks};

use crate::config::IdentityConfig;
use crate::identity_keys::IdentityKeys;

/// Tokens kept at most for one service; beyond that all are signed anew.
const LIMIT: usize = 10_000;

/// Signs identity tokens and keeps each for half its life.
#[derive(Debug)]
pub(crate) struct IdentityTokens {
    keys: RwLock<IdentityKeys>,
    issuer: String,
    lifetime: Duration,
    environment: Environment,
    tokens: RwLock<HashMap<ServiceName, HashMap<Principal, Signed>>>,
}

#[derive(Debug)]
struct Signed {
    value: HeaderValue,
    /// Seconds since the epoch from which a new one is signed.
    renew: u64,
}

impl IdentityTokens {
    /// Signs with `key` as `config` says.
    pub(crate) fn new(
        key: Arc<IdentityKey>,
        config: &IdentityConfig,
        environment: Environment,
    ) -> IdentityTokens {
        let IdentityConfig { issuer, lifetime, .. } = config;
        IdentityTokens {
            keys: RwLock::new(IdentityKeys::new(key, *lifetime)),
            issuer: issuer.clone(),
            lifetime: *lifetime,
            environment,
            tokens: RwLock::default(),
        }
    }

    /// The header field's value for a caller and a service.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub(crate) fn token(
        &self,
        principal: &Principal,
        audience: &ServiceName,
        now: UnixTime,
    ) -> Result<HeaderValue, irgw_m2m::Error> {
        {
            let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
            let signed = tokens.get(audience).and_then(|tokens| tokens.get(principal));
            if let Some(signed) = signed.filter(|signed| now.as_secs() < signed.renew) {
                return Ok(signed.value.clone());
            }
        }
        let Self { issuer, environment, lifetime, .. } = self;
        let identity = Identity::of(principal, issuer, audience.as_str(), *environment, now, *lifetime);
        let key = self.keys.read().unwrap_or_else(PoisonError::into_inner).signing().clone();
        let token = irgw_m2m::identity::sign(&identity, &key)?;
        let value = HeaderValue::from_str(&token).expect("a compact JWS is visible ASCII");
        let renew = now.as_secs().saturating_add(lifetime.as_secs() / 2);
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        let tokens = tokens.entry(audience.clone()).or_default();
        if tokens.len() >= LIMIT {
            tokens.retain(|_, signed| now.as_secs() < signed.renew);
            // All are in use: one goes, so that not all are signed anew at once.
            if tokens.len() >= LIMIT
                && let Some(one) = tokens.keys().next().cloned()
            {
                tokens.remove(&one);
            }
        }
        tokens.insert(principal.clone(), Signed { value: value.clone(), renew });
        Ok(value)
    }

    /// Drops all tokens: what enrolment says has changed.
    pub(crate) fn forget(&self) {
        self.tokens.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Publishes `key`, which signs after a while.
    pub(crate) fn announce(&self, key: Arc<IdentityKey>, now: UnixTime) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).announce(key, now);
    }

    /// Lets the key that was announced sign, when it is time.
    pub(crate) fn turn(&self, now: UnixTime) {
        let turned = self.keys.write().unwrap_or_else(PoisonError::into_inner).turn(now);
        if turned {
            tracing::info!("another key signs identity tokens");
            self.forget();
        }
    }

    /// The public keys.
    pub(crate) fn published(&self) -> Jwks {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).published()
    }
}
