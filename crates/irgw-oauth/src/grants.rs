//! What the authorization server keeps, and the decisions about it: pure functions of one row and the time.
//!
//! ```text
//!   code ──redeem──► family ──► refresh token ──refresh──► refresh token ──refresh──► …      one is live, the others are spent
//!     │ again                        │ again
//!     └──► the family is revoked     └──► the family is revoked
//! ```
//!
//! A [`Grants`] loads a row and applies the decision in one transaction, so that of two that race exactly one wins.
//! Nothing is found by the time it was made: two events in one second stay two (C14).

use std::fmt;
use std::time::Duration;

use irgw_core::{ClientId, Logon, TokenFamily, UnixTime};

use crate::Unavailable;
use crate::customers::Subject;
use crate::opaque::Digest;

/// How long a code may be redeemed (OA-8).
pub const CODE_LIFETIME: Duration = Duration::from_secs(600);
/// How long an access token is good (OA-10).
pub const ACCESS_LIFETIME: Duration = Duration::from_secs(28_800);
/// How long a refresh token is good (OA-12): a year.
pub const REFRESH_LIFETIME: Duration = Duration::from_secs(365 * 86_400);
/// How long a consent stands (OA-7): five years.
pub const CONSENT_LIFETIME: Duration = Duration::from_secs(5 * 365 * 86_400);
/// How long a login stands without being used to authorise.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(1_800);

/// An authorization code as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// Whom it was issued to.
    pub client: ClientId,
    /// Who authorised.
    pub subject: Subject,
    /// The customer's myIR logon.
    pub logon: Logon,
    /// The redirect URI of the authorization request.
    pub redirect_uri: String,
    /// The code challenge, where the request had one (RFC 7636 §4.3).
    pub challenge: Option<String>,
    /// The first second in which it is no longer good.
    pub expires_at: UnixTime,
    /// What its redemption began; `None`: it was not redeemed.
    pub family: Option<TokenFamily>,
}

/// What somebody presents to redeem a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redemption {
    /// The code's digest.
    pub code: Digest,
    /// Who presents it, authenticated.
    pub client: ClientId,
    /// `redirect_uri`.
    pub redirect_uri: String,
    /// The challenge that the presented `code_verifier` has (RFC 7636 §4.6); `None`: no verifier.
    pub challenge: Option<String>,
    /// The family that begins.
    pub family: TokenFamily,
    /// The first refresh token's digest; `None` for a native client.
    pub refresh: Option<Digest>,
}

/// Why a code is not redeemed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeFault {
    /// There is no such code, or it is another client's, which changes nothing for its owner.
    #[error("there is none of this client's")]
    Unknown,
    /// It was redeemed before: the family that began then is revoked (RFC 6749 §4.1.2).
    #[error("it was redeemed before, so the family {0} is revoked")]
    Replayed(TokenFamily),
    /// Its ten minutes are over.
    #[error("its time is over")]
    Expired,
    /// Another redirect URI than in the authorization request (RFC 6749 §4.1.3).
    #[error("another redirect_uri than in the authorization request")]
    RedirectUri,
    /// The verifier is missing, wrong, or there was no challenge (RFC 7636 §4.6, RFC 9700 §4.8.2).
    #[error("the code verifier does not fit the challenge")]
    Verifier,
    /// The consent was withdrawn.
    #[error("the consent was withdrawn")]
    Withdrawn,
}

impl Code {
    /// Whether it may be redeemed. A fault of the presenter does not use the code up.
    ///
    /// # Errors
    /// [`CodeFault`]; never [`CodeFault::Withdrawn`], which the row does not say.
    pub fn redeem(&self, redemption: &Redemption, now: UnixTime) -> Result<(), CodeFault> {
        if self.client != redemption.client {
            return Err(CodeFault::Unknown);
        }
        if let Some(family) = &self.family {
            return Err(CodeFault::Replayed(family.clone()));
        }
        if now >= self.expires_at {
            return Err(CodeFault::Expired);
        }
        if self.redirect_uri != redemption.redirect_uri {
            return Err(CodeFault::RedirectUri);
        }
        if self.challenge != redemption.challenge {
            return Err(CodeFault::Verifier);
        }
        Ok(())
    }
}

/// A refresh token as it is kept, with what its family says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// Its family.
    pub family: TokenFamily,
    /// Whose it is.
    pub client: ClientId,
    /// Who authorised.
    pub subject: Subject,
    /// The customer's myIR logon.
    pub logon: Logon,
    /// The first second in which it is no longer good.
    pub expires_at: UnixTime,
    /// When its successor was issued; `None`: it is the live one.
    pub spent_at: Option<UnixTime>,
    /// Whether its family is revoked.
    pub is_revoked: bool,
}

/// Why a refresh token is not exchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefreshFault {
    /// There is no such token, or it is another client's: its family is left alone (C12).
    #[error("there is none of this client's")]
    Unknown,
    /// It was spent before: its family is revoked (OA-12).
    #[error("it was spent before, so the family {0} is revoked")]
    Replayed(TokenFamily),
    /// It was spent within the grace time: refused, and the family lives on.
    #[error("it was spent within the grace time")]
    JustSpent,
    /// Its family is revoked.
    #[error("its family is revoked")]
    Revoked,
    /// Its year is over.
    #[error("its time is over")]
    Expired,
    /// The consent was withdrawn or is over.
    #[error("the consent was withdrawn or is over")]
    Withdrawn,
}

impl RefreshToken {
    /// Whether it may be exchanged for the next one. The client comes first: whoever holds another's spent token cannot
    /// end that family with it (C12).
    ///
    /// # Errors
    /// [`RefreshFault`]; never [`RefreshFault::Withdrawn`], which the row does not say.
    pub fn refresh(&self, client: &ClientId, grace: Duration, now: UnixTime) -> Result<(), RefreshFault> {
        if self.client != *client {
            return Err(RefreshFault::Unknown);
        }
        if self.is_revoked {
            return Err(RefreshFault::Revoked);
        }
        if let Some(spent_at) = self.spent_at {
            let since = now.as_secs().saturating_sub(spent_at.as_secs());
            return Err(match since < grace.as_secs() {
                true => RefreshFault::JustSpent,
                false => RefreshFault::Replayed(self.family.clone()),
            });
        }
        if now >= self.expires_at { Err(RefreshFault::Expired) } else { Ok(()) }
    }

    /// Whether a client that introspects it is told that it is active.
    pub fn is_active(&self, client: &ClientId, now: UnixTime) -> bool {
        self.client == *client && !self.is_revoked && self.spent_at.is_none() && now < self.expires_at
    }
}

/// What a redeemed code or an exchanged refresh token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// Who authorised.
    pub subject: Subject,
    /// The customer's myIR logon.
    pub logon: Logon,
    /// The family of the tokens to issue.
    pub family: TokenFamily,
}

/// A customer's consent to one client (OA-7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Which client.
    pub client: ClientId,
    /// When it was given.
    pub since: UnixTime,
    /// The first second in which it no longer stands.
    pub expires_at: UnixTime,
}

/// A login that stands in a browser (OA-7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who logged in.
    pub subject: Subject,
    /// With which myIR logon.
    pub logon: Logon,
    /// The first second in which it no longer stands.
    pub expires_at: UnixTime,
}

/// How an authorization ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorised {
    /// The code is kept, and may be sent.
    Yes,
    /// There is no consent that stands, and none was given.
    NoConsent,
    /// The transaction was used before (C21).
    Again,
}

/// A code to keep, with what its issue changes.
#[derive(Debug, Clone)]
pub struct Authorisation {
    /// The code's digest.
    pub digest: Digest,
    /// The code.
    pub code: Code,
    /// A consent that the customer gives now; `None`: one must stand.
    pub consent: Option<Consent>,
    /// The transaction, which may end once, and until when it could.
    pub transaction: (Digest, UnixTime),
}

/// The authorization server's state. Every call blocks, on I/O and on others' transactions; each is one transaction,
/// durable when it returns.
///
/// Revocations reach every node's memory within a second (OA-16); who implements this keeps [`Revocations`] too.
pub trait Grants: fmt::Debug + Send + Sync + 'static {
    /// Keeps a code, gives or requires the consent, and ends the transaction.
    ///
    /// # Errors
    /// [`Unavailable`], as of every call here: nothing was changed.
    fn authorise(&self, authorisation: &Authorisation, now: UnixTime) -> Result<Authorised, Unavailable>;

    /// Redeems a code: decides by [`Code::redeem`] and the consent, begins the family and keeps its first refresh token;
    /// revokes the family of a code that is replayed.
    fn redeem(
        &self,
        redemption: &Redemption,
        now: UnixTime,
    ) -> Result<Result<Granted, CodeFault>, Unavailable>;

    /// Exchanges the refresh token `presented` for `next`: decides by [`RefreshToken::refresh`] and the consent;
    /// revokes the family of a token that is replayed.
    fn refresh(
        &self,
        presented: &Digest,
        client: &ClientId,
        next: &Digest,
        grace: Duration,
        now: UnixTime,
    ) -> Result<Result<Granted, RefreshFault>, Unavailable>;

    /// A refresh token.
    fn refresh_token(&self, token: &Digest) -> Result<Option<RefreshToken>, Unavailable>;

    /// Revokes the family of a refresh token, if it is this client's; says which (OA-15).
    fn revoke_refresh_token(
        &self,
        token: &Digest,
        client: &ClientId,
        now: UnixTime,
    ) -> Result<Option<TokenFamily>, Unavailable>;

    /// Revokes one access token; it is remembered until `expires_at`.
    fn revoke_access_token(&self, jti: &str, expires_at: UnixTime, now: UnixTime) -> Result<(), Unavailable>;

    /// The consents of a customer that stand, by client.
    fn consents(&self, subject: &Subject, now: UnixTime) -> Result<Vec<Consent>, Unavailable>;

    /// Whether the customer's consent to the client stands.
    fn has_consent(&self, subject: &Subject, client: &ClientId, now: UnixTime) -> Result<bool, Unavailable> {
        Ok(self.consents(subject, now)?.iter().any(|consent| consent.client == *client))
    }

    /// Withdraws a consent and revokes every family under it; says whether it stood (OA-19).
    fn withdraw(&self, subject: &Subject, client: &ClientId, now: UnixTime) -> Result<bool, Unavailable>;

    /// Keeps a login.
    fn begin_session(&self, session: &Digest, login: &Session, now: UnixTime) -> Result<(), Unavailable>;

    /// A login that stands.
    fn session(&self, session: &Digest, now: UnixTime) -> Result<Option<Session>, Unavailable>;

    /// Ends a login.
    fn end_session(&self, session: &Digest) -> Result<(), Unavailable>;

    /// Uses `key` up, which is remembered until `until`; `false`: it was used before. For one-time passwords, forms and
    /// whatever else works once.
    fn spend(&self, key: &Digest, until: UnixTime, now: UnixTime) -> Result<bool, Unavailable>;

    /// Failed attempts that are remembered under `key` (OA-18).
    fn attempts(&self, key: &Digest, now: UnixTime) -> Result<Attempts, Unavailable>;

    /// Remembers one more failed attempt under each key, for `window` from now.
    fn note_failure(&self, keys: &[Digest], window: Duration, now: UnixTime) -> Result<(), Unavailable>;

    /// Forgets the failed attempts under `key`.
    fn forget_failures(&self, key: &Digest) -> Result<(), Unavailable>;
}

/// Failed attempts under one key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    /// How many, in the window.
    pub failures: u32,
    /// The last one; seconds since the epoch, 0 for none.
    pub last: u64,
}

/// What is revoked, in this node's memory (OA-16): asked for every request with an access token.
pub trait Revocations: fmt::Debug + Send + Sync + 'static {
    /// Whether the family is revoked.
    fn is_family_revoked(&self, family: &TokenFamily) -> bool;
    /// Whether this one access token is.
    fn is_token_revoked(&self, jti: &str) -> bool;
}
