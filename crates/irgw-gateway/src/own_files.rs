//! The gateway's own secrets, as files: the key of its identity tokens and the operator's token (GW-3, A19).

use std::path::PathBuf;
use std::sync::Arc;

use irgw_core::UnixTime;
use irgw_m2m::identity::IdentityKey;
use tokio::sync::watch;

use crate::config::{IdentityConfig, Located, OperatorConfig, Problem};
use crate::identity::IdentityTokens;
use crate::kept::Kept;
use crate::material;
use crate::metrics::Metrics;
use crate::operator::OperatorToken;

/// Both, and who is told when they change.
pub(crate) struct OwnFiles {
    key: Kept<Arc<IdentityKey>>,
    key_file: Located<PathBuf>,
    identity: Arc<IdentityTokens>,
    operator: Option<TokenFile>,
}

struct TokenFile {
    token: Kept<OperatorToken>,
    file: Located<PathBuf>,
    in_force: watch::Sender<OperatorToken>,
}

impl OwnFiles {
    /// Reads both for the first time.
    ///
    /// # Errors
    /// A problem with the setting that names a file.
    pub(crate) fn read(
        identity: &IdentityConfig,
        operator: Option<&OperatorConfig>,
        environment: irgw_core::Environment,
    ) -> Result<OwnFiles, Problem> {
        let key_file = identity.key.clone();
        let key = Kept::read("identity key".to_owned(), &[&key_file], || material::identity_key(&key_file))?;
        let operator = match operator.map(|operator| operator.token_file.clone()) {
            Some(file) => {
                let read = || material::operator_token(&file);
                let token = Kept::read("operator's token".to_owned(), &[&file], read)?;
                let in_force = watch::Sender::new(token.good().clone());
                Some(TokenFile { token, file, in_force })
            }
            None => None,
        };
        let identity = Arc::new(IdentityTokens::new(key.good().clone(), identity, environment));
        Ok(OwnFiles { key, key_file, identity, operator })
    }

    /// What signs with the key in force.
    pub(crate) fn identity(&self) -> &Arc<IdentityTokens> {
        &self.identity
    }

    /// The operator's token in force, now and later.
    pub(crate) fn operator_token(&self) -> Option<watch::Receiver<OperatorToken>> {
        self.operator.as_ref().map(|operator| operator.in_force.subscribe())
    }

    /// Reads again what has changed or stands under an alarm. A new key is announced, and signs when it has been known
    /// long enough; a new token is in force at once.
    pub(crate) fn look(&mut self, metrics: &Metrics, now: UnixTime) {
        let file = &self.key_file;
        if let Some(key) = self.key.look(metrics, |_| material::identity_key(file)) {
            self.identity.announce(key.clone(), now);
        }
        self.identity.turn(now);
        if let Some(TokenFile { token, file, in_force }) = &mut self.operator
            && let Some(token) = token.look(metrics, |_| material::operator_token(file))
        {
            in_force.send_replace(token.clone());
        }
    }
}
