//! The Bearer authenticator: judges the access token of one request (RFC 6750, OA-10, OA-16).

use std::sync::Arc;

use irgw_core::{Authenticator, Credential, Presented, Proof, Rejection, Rule, Scheme, TokenFault, Verdict};

use crate::AccessTokens;
use crate::access_token::TokenError;
use crate::grants::Revocations;
use crate::registration::Clients;

/// Judges access tokens of one issuer for one audience, with what is in memory.
#[derive(Debug)]
pub struct Bearer {
    /// The tokens that are accepted.
    pub tokens: Arc<AccessTokens>,
    /// Whom they are issued to.
    pub clients: Arc<dyn Clients>,
    /// Which of them were revoked.
    pub revocations: Arc<dyn Revocations>,
}

impl Bearer {
    fn judge(&self, token: &str, now: irgw_core::UnixTime) -> Result<Proof, Rejection> {
        let refused = |error: TokenError| {
            let rule = if error == TokenError::Revoked { Rule::Oa16 } else { Rule::Oa10 };
            Rejection::bad_token(rule, error.fault(), error)
        };
        let known = self.tokens.verify(token, now).map_err(refused)?;
        let claims = &known.claims;
        let revoked = || {
            let about = [("client", claims.clientid.to_string()), ("jti", claims.jti.clone())];
            refused(TokenError::Revoked).knowing(about)
        };
        if self.revocations.is_family_revoked(&known.family) || self.revocations.is_token_revoked(&claims.jti)
        {
            return Err(revoked());
        }
        let client = self.clients.client(claims.clientid.as_str()).ok_or_else(revoked)?;
        Ok(Proof::Grant {
            client: client.id.clone(),
            kind: client.kind,
            logon: claims.start_logon.clone(),
            family: known.family.clone(),
            jti: known.jti.clone(),
        })
    }
}

impl Authenticator for Bearer {
    fn scheme(&self) -> Scheme {
        Scheme::Bearer
    }

    fn authenticate(&self, presented: &Presented<'_>) -> Verdict {
        match presented.credential {
            Credential::None => Verdict::Absent,
            Credential::Bearer(token) => self.judge(token, presented.now).into(),
            _ => {
                let cause = "the Authorization field holds no Bearer token";
                Verdict::Reject(Rejection::bad_token(Rule::Oa10, TokenFault::Malformed, cause))
            }
        }
    }
}

#[cfg(test)]
mod tests;
