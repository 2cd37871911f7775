//! Whether a request may pass: the one place that calls authenticators and makes a [`Permit`].

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use irgw_core::{
    Authenticator, Barrier, Channel, Class, ClientKind, Credential, Links, Presented, Principal, Proof,
    Proofs, ProviderId, Rejection, Rule, Scheme, Thumbprint, TokenFault, UnixTime, Verdict,
};
use irgw_m2m::M2m;
use irgw_store::Spent;

use crate::config::TokenReuse;
use crate::dialect::{Denial, Dialect};
use crate::refusal::{Refusal, Told};
use crate::services::{Admits, CertificateGrant, Route, Tokens};
use crate::throttle::{Payer, Throttle, Turn};

/// What a listener asks of every connection, before any service is looked at.
#[derive(Debug)]
pub(crate) struct Door {
    /// The address allow-list and the client certificate, in this order, where the listener has them.
    authenticators: Vec<Arc<dyn Authenticator>>,
}

/// That a caller may come in: what its connection proved.
#[derive(Debug)]
pub(crate) struct Entered {
    proofs: Proofs,
    payer: Payer,
}

impl Entered {
    /// Who is charged for the request.
    pub(crate) fn payer(&self) -> &Payer {
        &self.payer
    }

    /// The provider that the client certificate names.
    pub(crate) fn provider(&self) -> Option<&ProviderId> {
        match &self.payer {
            Payer::Provider(provider) => Some(provider),
            Payer::Address(_) => None,
        }
    }
}

impl Door {
    /// A door at which all these must accept; with none, anybody comes in and has proved nothing.
    pub(crate) fn new(authenticators: Vec<Arc<dyn Authenticator>>) -> Door {
        Door { authenticators }
    }

    /// Judges the connection that a request came on; on every request, since what enrolment says may have changed.
    ///
    /// # Errors
    /// A refusal that tells the caller nothing (ENV-5).
    pub(crate) fn enter(&self, presented: &Presented<'_>) -> Result<Entered, Refusal> {
        let mut proofs = Proofs::default();
        let mut payer = Payer::at(presented.peer.origin.ip());
        for authenticator in &self.authenticators {
            match authenticator.authenticate(presented) {
                Verdict::Accept(proof) => {
                    if let Proof::Provider { provider, .. } = &proof {
                        payer = Payer::Provider(provider.clone());
                    }
                    proofs.add(proof);
                }
                Verdict::Reject(rejection) => return Err(Refusal::not_enrolled(rejection)),
                Verdict::Absent => {
                    let cause = format!("nothing was presented for {}", authenticator.scheme());
                    let rejection = Rejection::not_permitted(Rule::Tls3, Barrier::Provider, cause);
                    return Err(Refusal::not_enrolled(rejection));
                }
            }
        }
        Ok(Entered { proofs, payer })
    }
}

/// That a request may be forwarded to one service. [`Admitted::settle`] is the only maker.
#[derive(Debug)]
pub(crate) struct Permit {
    principal: Principal,
    route: Route,
}

impl Permit {
    /// Who is calling.
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Which service is called.
    pub(crate) fn route(&self) -> &Route {
        &self.route
    }
}

/// A request that everything admits, except perhaps that its token was used before (M2M-10).
#[derive(Debug)]
pub(crate) struct Admitted {
    permit: Permit,
    once: Option<SingleUse>,
}

/// A token that may be used once.
#[derive(Debug, Clone)]
pub(crate) struct SingleUse {
    /// The signing certificate, within whose tokens the `jti` is unique.
    pub credential: Thumbprint,
    /// The token's `jti`.
    pub jti: String,
    /// Until when the use is remembered.
    pub expires_at: UnixTime,
}

/// Remembers which tokens were used, on every node (M2M-10).
pub(crate) trait SpentTokens: Send + Sync {
    /// Spends the token. Blocks on I/O.
    ///
    /// # Errors
    /// When the state cannot be written.
    fn spend(&self, token: &SingleUse, now: UnixTime) -> Result<Spent, Box<dyn Error + Send + Sync>>;
}

impl Admitted {
    /// Which service is called.
    pub(crate) fn route(&self) -> &Route {
        &self.permit.route
    }

    /// Who is calling.
    pub(crate) fn principal(&self) -> &Principal {
        &self.permit.principal
    }

    /// Spends the token last of all, where it may be used once.
    ///
    /// # Errors
    /// The token was used before, or nobody can tell.
    pub(crate) async fn settle(self, spent: &Arc<dyn SpentTokens>, now: UnixTime) -> Result<Permit, Refusal> {
        let Some(token) = self.once else { return Ok(self.permit) };
        let spent = spent.clone();
        let spending = tokio::task::spawn_blocking(move || spent.spend(&token, now)).await;
        match spending {
            Ok(Ok(Spent::First)) => Ok(self.permit),
            Ok(Ok(Spent::Again)) => {
                let cause = "the token was used before, and may be used once";
                let rejection = Rejection::bad_token(Rule::M2m10, TokenFault::Malformed, cause);
                Err(Refusal::judged(self.permit.route.service.dialect, rejection))
            }
            Ok(Err(error)) => Err(Refusal::new(Rule::M2m10, Told::Unavailable, error)),
            Err(error) => Err(Refusal::new(Rule::M2m10, Told::Unavailable, error)),
        }
    }
}

/// The gateway's policy.
pub(crate) struct Policy {
    m2m: M2m,
    reuse: TokenReuse,
    bearer: Option<Arc<dyn Authenticator>>,
    links: Arc<dyn Links>,
    throttle: Throttle,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("m2m", &self.m2m).field("bearer", &self.bearer).finish_non_exhaustive()
    }
}

impl Policy {
    /// A policy that judges client-signed JWTs by `m2m`, access tokens by `bearer`, and joins proofs by `links`.
    ///
    /// Without `bearer` no authorization server is served, and every access token is a bad one.
    pub(crate) fn new(
        m2m: M2m,
        reuse: TokenReuse,
        bearer: Option<Arc<dyn Authenticator>>,
        links: Arc<dyn Links>,
        throttle: Throttle,
    ) -> Policy {
        Policy { m2m, reuse, bearer, links, throttle }
    }

    /// The authenticator of client-signed JWTs, with its cache.
    pub(crate) fn m2m(&self) -> &M2m {
        &self.m2m
    }

    /// Charges one request to its payer, before any signature is checked: a flood of bad tokens costs its sender, not the
    /// others (GW-4).
    ///
    /// # Errors
    /// 429, and when to come back.
    pub(crate) fn charge(&self, payer: &Payer) -> Result<Turn, Refusal> {
        self.throttle
            .charge(payer)
            .map_err(|too_much| Refusal::new(Rule::Gw4, Told::Throttled(too_much.wait()), too_much))
    }

    /// Judges one request to a service.
    ///
    /// # Errors
    /// In the service's dialect: no token, a bad token, not permitted.
    pub(crate) fn admit(
        &self,
        entered: Entered,
        route: Route,
        presented: &Presented<'_>,
    ) -> Result<Admitted, Refusal> {
        let dialect = route.service.dialect;
        let judged = |rejection| Refusal::judged(dialect, rejection);
        let Entered { mut proofs, .. } = entered;
        match route.service.admits {
            Admits::Certificate(grant) => {
                refuse_token(&route, presented.credential)?;
                let principal = Principal::join(proofs, &*self.links).map_err(judged)?;
                granted(&principal, &route, grant)?;
                Ok(Admitted { permit: Permit { principal, route }, once: None })
            }
            Admits::Tokens(tokens) => {
                let Some((proof, once)) = self.token(tokens, presented).map_err(judged)? else {
                    let told = Told::Denied(dialect, Denial::NoToken);
                    return Err(Refusal::new(form_rule(tokens), told, "there is no Authorization field"));
                };
                proofs.add(proof);
                let principal = Principal::join(proofs, &*self.links).map_err(judged)?;
                if principal.grants().exclusive {
                    let cause = "the certificate is enrolled for particular services only";
                    return Err(judged(Rejection::not_permitted(Rule::Tls12, Barrier::Provider, cause)));
                }
                client_kind(&principal, presented.peer.origin.channel).map_err(judged)?;
                Ok(Admitted { permit: Permit { principal, route }, once })
            }
        }
    }

    /// Judges the Authorization field for a row that takes tokens; `None`: there is nothing in it.
    fn token(
        &self,
        tokens: Tokens,
        presented: &Presented<'_>,
    ) -> Result<Option<(Proof, Option<SingleUse>)>, Rejection> {
        let bad = |rule, fault, cause: &'static str| Err(Rejection::bad_token(rule, fault, cause));
        let barred = |rule, cause: &'static str| Err(Rejection::not_permitted(rule, Barrier::Service, cause));
        match presented.credential {
            Credential::None => Ok(None),
            Credential::Many => {
                bad(form_rule(tokens), TokenFault::Malformed, "there is more than one Authorization field")
            }
            Credential::Other => {
                bad(form_rule(tokens), TokenFault::Malformed, "the Authorization field is of no known scheme")
            }
            Credential::Jwt(token) => match (tokens.m2m(), presented.peer.origin.channel) {
                (true, Channel::Cloud) => self.client_signed(token, presented.now).map(Some),
                _ if irgw_m2m::is_well_formed(token) => {
                    barred(Rule::M2m1, "the service takes no client-signed JWT here")
                }
                _ => bad(Rule::M2m1, TokenFault::Malformed, "a bare word that is no client-signed JWT"),
            },
            Credential::Bearer(token) => {
                if irgw_m2m::is_well_formed(token) {
                    return bad(
                        Rule::M2m1,
                        TokenFault::Malformed,
                        "a client-signed JWT behind the word Bearer",
                    );
                }
                match &self.bearer {
                    _ if !tokens.bearer() => barred(Rule::Oa10, "the service takes no access token"),
                    Some(bearer) => match bearer.authenticate(presented) {
                        Verdict::Accept(proof) => Ok(Some((proof, None))),
                        Verdict::Reject(rejection) => Err(rejection),
                        Verdict::Absent => Ok(None),
                    },
                    None => {
                        let cause = "no authorization server issues access tokens here";
                        bad(Rule::Oa10, TokenFault::Malformed, cause)
                    }
                }
            }
        }
    }

    fn client_signed(&self, token: &str, now: UnixTime) -> Result<(Proof, Option<SingleUse>), Rejection> {
        let accepted = self.m2m.judge(token, now)?;
        let once = match (self.reuse, &accepted.proof) {
            (TokenReuse::Single, Proof::Owner { credential, .. }) => {
                let Some(jti) = accepted.claims.jti.as_ref() else {
                    let cause = "the token has no jti, and may be used once";
                    return Err(Rejection::bad_token(Rule::M2m10, TokenFault::Malformed, cause));
                };
                let (credential, expires_at) = (*credential, accepted.claims.expires_at);
                Some(SingleUse { credential, jti: jti.to_string(), expires_at })
            }
            _ => None,
        };
        Ok((accepted.proof, once))
    }
}

/// A row that takes no token judges what is in the Authorization field all the same: nothing that nobody judged is
/// forwarded (SPEC section 6).
fn refuse_token(route: &Route, credential: Credential<'_>) -> Result<(), Refusal> {
    let dialect = route.service.dialect;
    let (rule, well_formed) = match credential {
        Credential::None => return Ok(()),
        Credential::Jwt(token) => (Rule::M2m1, irgw_m2m::is_well_formed(token)),
        Credential::Bearer(token) => (Rule::Oa10, !irgw_m2m::is_well_formed(token)),
        Credential::Other | Credential::Many => (Rule::M2m1, false),
    };
    let (denial, cause) = match dialect {
        // TDS204: the field is prohibited, whatever it holds.
        Dialect::Tds => (Denial::TokenProhibited, "the service prohibits an Authorization field"),
        _ if well_formed => {
            (Denial::Judged(Class::NotPermitted(Barrier::Service)), "the service takes no token")
        }
        _ => {
            let malformed = Denial::Judged(Class::BadToken(TokenFault::Malformed));
            (malformed, "the service takes no token, and what was presented is none")
        }
    };
    Err(Refusal::new(rule, Told::Denied(dialect, denial), cause))
}

/// The rule that says what the Authorization field looks like.
fn form_rule(tokens: Tokens) -> Rule {
    if tokens.m2m() { Rule::M2m1 } else { Rule::Oa10 }
}

fn granted(principal: &Principal, route: &Route, grant: CertificateGrant) -> Result<(), Refusal> {
    let grants = principal.grants();
    // In `mock` there is no certificate that could have a grant; the address stands for it (ENV-4).
    let by_address = principal.mechanism() == Scheme::IpAllow;
    let cause = match grant {
        _ if by_address => return Ok(()),
        _ if !grants.services.contains(&route.service.name) => "the certificate has no grant for the service",
        CertificateGrant::Own if !grants.exclusive => {
            "the service wants a certificate that serves nothing else"
        }
        _ => return Ok(()),
    };
    Err(Refusal::new(Rule::Tls12, Told::Denied(route.service.dialect, Denial::Certificate), cause))
}

/// GW-2: native clients on the desktop channel, cloud clients on the cloud channel.
fn client_kind(principal: &Principal, channel: Channel) -> Result<(), Rejection> {
    let fits = match principal.client() {
        None => true,
        Some((_, kind)) => matches!(
            (kind, channel),
            (ClientKind::Native, Channel::Desktop) | (ClientKind::Cloud, Channel::Cloud)
        ),
    };
    if fits {
        return Ok(());
    }
    let client = principal.client().map(|(client, _)| ("client", client.to_string()));
    let cause = "the client's kind does not fit the channel";
    Err(Rejection::not_permitted(Rule::Gw2, Barrier::Client, cause).knowing(client))
}
