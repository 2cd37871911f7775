//! The authorization server put together: its settings, its state in the store, its keys (SPEC section 3).

use std::sync::Arc;
use std::time::Duration;

use irgw_core::{Clock, UnixTime};
use irgw_oauth::server::{Settings, State};
use irgw_oauth::vault::Vault;
use irgw_oauth::{AccessTokens, AuthorizationServer, Bearer};
use irgw_store::{Directory, Registry, Store, TokenKeys};

use crate::config::{Config, OAuthConfig, Problem};
use crate::handle::causes;
use crate::material;
use crate::metrics::Metrics;
use crate::oauth::OAuth;
use crate::rotation::{self, Haste, RotationError};

/// How much memory the access tokens whose signature was checked may take: some 19,000.
const REMEMBERED_BYTES: usize = 32 << 20;

/// What the gateway serves, judges by and keeps up to date.
pub(crate) struct Authorization {
    pub(crate) oauth: OAuth,
    pub(crate) bearer: Arc<Bearer>,
    pub(crate) keys: Arc<TokenKeys>,
    pub(crate) rotation: Rotation,
}

impl Authorization {
    /// Opens the keys, making the first one of a new store. `issuer` is the root of the server's URLs.
    ///
    /// # Errors
    /// A problem with the vault's file or the store.
    pub(crate) fn open(
        config: &Arc<Config>,
        oauth: &OAuthConfig,
        issuer: String,
        store: &Arc<Store>,
        registry: &Arc<Registry>,
        now: UnixTime,
    ) -> Result<Authorization, Problem> {
        let wrong = |error: irgw_store::Error| config.store.problem(causes(&error));
        let vault = Arc::new(material::vault_or_new(&oauth.vault, store)?);
        rotate_what_is_due(config, oauth, store, &vault, now)
            .map_err(|error| config.store.problem(causes(&error)))?;
        let keys = TokenKeys::load(store.clone(), vault.clone(), config.environment, now);
        let keys = Arc::new(keys.map_err(wrong)?);
        let audience = oauth.audience.clone().unwrap_or_else(|| issuer.clone());
        let tokens = AccessTokens::new(issuer.clone(), audience.clone(), keys.clone(), REMEMBERED_BYTES);
        let tokens = Arc::new(tokens);
        let bearer = Arc::new(Bearer {
            tokens: tokens.clone(),
            clients: registry.clone(),
            revocations: registry.clone(),
        });
        let (grace, consent) = (oauth.grace, oauth.consent);
        let server = AuthorizationServer::new(
            Settings { issuer, audience, grace, consent },
            State {
                clients: registry.clone(),
                customers: Arc::new(Directory { store: store.clone(), vault: vault.clone() }),
                grants: store.clone(),
                revocations: registry.clone(),
                keys: keys.clone(),
                tokens,
                vault: vault.clone(),
            },
        );
        let rotation = Rotation { config: config.clone(), store: store.clone(), vault };
        Ok(Authorization { oauth: OAuth::new(server), bearer, keys, rotation })
    }
}

/// Makes the next key of every algorithm whose newest one is old, the first one of a new store too. Of several nodes that
/// find it old at once, each makes one: the newest signs.
fn rotate_what_is_due(
    config: &Config,
    oauth: &OAuthConfig,
    store: &Store,
    vault: &Vault,
    now: UnixTime,
) -> Result<(), RotationError> {
    let environment = config.environment;
    for algorithm in rotation::due(&store.list_token_keys(environment)?, oauth.rotate_after, now) {
        let rotated = rotation::rotate(store, vault, environment, algorithm, Haste::Announced, now)?;
        tracing::info!(key = rotated.id, %algorithm, signs_from = rotated.signs_from.as_secs(), "made the next key of access tokens");
    }
    Ok(())
}

/// Keeps the keys young.
pub(crate) struct Rotation {
    config: Arc<Config>,
    store: Arc<Store>,
    vault: Arc<Vault>,
}

impl Rotation {
    /// Looks once an hour until it is dropped; a failure raises an alarm that stands until the next look.
    pub(crate) async fn run(self, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) {
        const ALARM: &str = "rotation of access tokens' keys";
        let this = Arc::new(self);
        let mut interval = tokio::time::interval(LOOK);
        loop {
            interval.tick().await;
            let (this, now) = (this.clone(), clock.now());
            let looked = tokio::task::spawn_blocking(move || match &this.config.oauth {
                Some(oauth) => rotate_what_is_due(&this.config, oauth, &this.store, &this.vault, now),
                None => Ok(()),
            });
            match looked.await {
                Ok(Ok(())) => metrics.clear(ALARM),
                Ok(Err(error)) => {
                    metrics.raise(ALARM);
                    tracing::error!(error = causes(&error), "the keys of access tokens are not rotated");
                }
                Err(error) => {
                    metrics.raise(ALARM);
                    tracing::error!(%error, "the keys of access tokens are not rotated");
                }
            }
        }
    }
}

const LOOK: Duration = Duration::from_secs(3_600);
