//! What the authorization server keeps, in the database: each call is one decision, on disk when it returns (OA-8, OA-12, OA-15,
//! OA-16).
//!
//! A decision and all that follows from it are committed together, a refusal that revokes a family too: of calls that
//! race, the second sees all that the first did. Calls that wait for the same disk share a commit ([`crate::sqlite::group`]).

use std::time::Duration;

use irgw_core::{ClientId, TokenFamily, UnixTime};
use irgw_oauth::Unavailable;
use irgw_oauth::customers::Subject;
use irgw_oauth::grants::{
    Attempts, Authorisation, Authorised, CodeFault, Consent, Granted, Grants, Redemption, RefreshFault,
    RefreshToken, Session,
};
use irgw_oauth::opaque::Digest;

use crate::families::{self, Of};
use crate::revision::Revision;
use crate::revocations::{self, Name};
use crate::sql::{Transaction, Turn};
use crate::sqlite::connections::PATIENCE;
use crate::{Error, Store, attempts, codes, column, consents, once, sessions};

impl Grants for Store {
    fn authorise(&self, authorisation: &Authorisation, now: UnixTime) -> Result<Authorised, Unavailable> {
        let Authorisation { digest, code, consent, transaction: (key, until) } = authorisation;
        self.kept(Turn::Shared, |transaction| {
            // First: of two that race, the second waits here, and sees what became of the first.
            if !once::spend(transaction, key, *until, now)? {
                return Ok(Authorised::Again);
            }
            let consented = match consent.as_ref().filter(|consent| consent.client == code.client) {
                Some(consent) => consents::give(transaction, &code.subject, consent, now)?,
                None => consents::stands(transaction, &code.subject, &code.client, now)?,
            };
            if !consented {
                once::restore(transaction, key)?;
                return Ok(Authorised::NoConsent);
            }
            codes::keep(transaction, digest, code, now)?;
            Ok(Authorised::Yes)
        })
    }

    fn redeem(
        &self,
        redemption: &Redemption,
        now: UnixTime,
    ) -> Result<Result<Granted, CodeFault>, Unavailable> {
        let decided = self.kept(Turn::Shared, |transaction| redeem(transaction, redemption, now))?;
        if let Err(CodeFault::Replayed(_)) = decided {
            self.settle();
        }
        Ok(decided)
    }

    fn refresh(
        &self,
        presented: &Digest,
        client: &ClientId,
        next: &Digest,
        grace: Duration,
        now: UnixTime,
    ) -> Result<Result<Granted, RefreshFault>, Unavailable> {
        let decided = self.kept(Turn::Shared, |transaction| {
            let Some(token) = families::find_token(transaction, presented)? else {
                return Ok(Err(RefreshFault::Unknown));
            };
            if let Err(fault) = token.refresh(client, grace, now) {
                if let RefreshFault::Replayed(family) = &fault {
                    families::revoke(transaction, Of::Family(family), now)?;
                }
                return Ok(Err(fault));
            }
            if !consents::stands(transaction, &token.subject, client, now)? {
                return Ok(Err(RefreshFault::Withdrawn));
            }
            families::advance(transaction, presented, next, &token.family, now)?;
            Ok(Ok(Granted { subject: token.subject, logon: token.logon, family: token.family }))
        })?;
        if let Err(RefreshFault::Replayed(_)) = decided {
            self.settle();
        }
        Ok(decided)
    }

    fn refresh_token(&self, token: &Digest) -> Result<Option<RefreshToken>, Unavailable> {
        Ok(self.read(|transaction| families::find_token(transaction, token))?)
    }

    fn revoke_refresh_token(
        &self,
        token: &Digest,
        client: &ClientId,
        now: UnixTime,
    ) -> Result<Option<TokenFamily>, Unavailable> {
        let revoked = self.kept(Turn::Alone, |transaction| {
            let found = families::find_token(transaction, token)?;
            let Some(token) = found.filter(|token| token.client == *client) else { return Ok(None) };
            families::revoke(transaction, Of::Family(&token.family), now)?;
            Ok(Some(token.family))
        })?;
        self.settle();
        Ok(revoked)
    }

    fn revoke_access_token(&self, jti: &str, expires_at: UnixTime, now: UnixTime) -> Result<(), Unavailable> {
        self.kept(Turn::Alone, |transaction| {
            let revision = Revision::begin(transaction)?;
            let until = column::seconds_after(expires_at, revocations::SKEW);
            revocations::keep(transaction, Name::Token(jti), until, revision, now)
        })?;
        self.settle();
        Ok(())
    }

    fn consents(&self, subject: &Subject, now: UnixTime) -> Result<Vec<Consent>, Unavailable> {
        Ok(self.read(|transaction| consents::of(transaction, subject, now))?)
    }

    fn has_consent(&self, subject: &Subject, client: &ClientId, now: UnixTime) -> Result<bool, Unavailable> {
        Ok(self.read(|transaction| consents::stands(transaction, subject, client, now))?)
    }

    fn withdraw(&self, subject: &Subject, client: &ClientId, now: UnixTime) -> Result<bool, Unavailable> {
        let stood =
            self.kept(Turn::Alone, |transaction| consents::withdraw(transaction, subject, client, now))?;
        self.settle();
        Ok(stood)
    }

    fn begin_session(&self, session: &Digest, login: &Session, now: UnixTime) -> Result<(), Unavailable> {
        self.kept(Turn::Any, |transaction| sessions::begin(transaction, session, login, now))
    }

    fn session(&self, session: &Digest, now: UnixTime) -> Result<Option<Session>, Unavailable> {
        Ok(self.read(|transaction| sessions::find(transaction, session, now))?)
    }

    fn end_session(&self, session: &Digest) -> Result<(), Unavailable> {
        self.kept(Turn::Any, |transaction| sessions::end(transaction, session))
    }

    fn spend(&self, key: &Digest, until: UnixTime, now: UnixTime) -> Result<bool, Unavailable> {
        self.kept(Turn::Any, |transaction| once::spend(transaction, key, until, now))
    }

    fn attempts(&self, key: &Digest, now: UnixTime) -> Result<Attempts, Unavailable> {
        Ok(self.read(|transaction| attempts::under(transaction, key, now))?)
    }

    fn note_failure(&self, keys: &[Digest], window: Duration, now: UnixTime) -> Result<(), Unavailable> {
        self.kept(Turn::Any, |transaction| {
            keys.iter().try_for_each(|key| attempts::note(transaction, key, window, now))
        })
    }

    fn forget_failures(&self, key: &Digest) -> Result<(), Unavailable> {
        self.kept(Turn::Any, |transaction| attempts::reset(transaction, key))
    }
}

impl Store {
    /// One decision. It waits as long as an operator's change does: a refresh token that was exchanged for nothing is a
    /// login lost.
    fn kept<T>(
        &self,
        turn: Turn,
        work: impl FnMut(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Unavailable> {
        Ok(self.write_together(turn, PATIENCE, work)?)
    }
}

fn redeem(
    transaction: &Transaction<'_>,
    redemption: &Redemption,
    now: UnixTime,
) -> Result<Result<Granted, CodeFault>, Error> {
    let Some(code) = codes::find(transaction, &redemption.code)? else { return Ok(Err(CodeFault::Unknown)) };
    if let Err(fault) = code.redeem(redemption, now) {
        if let CodeFault::Replayed(family) = &fault {
            families::revoke(transaction, Of::Family(family), now)?;
        }
        return Ok(Err(fault));
    }
    if !consents::stands(transaction, &code.subject, &code.client, now)? {
        return Ok(Err(CodeFault::Withdrawn));
    }
    let granted = Granted { subject: code.subject, logon: code.logon, family: redemption.family.clone() };
    families::begin(transaction, &code.client, &granted, redemption.refresh.as_ref(), now)?;
    codes::mark_redeemed(transaction, &redemption.code, &granted.family)?;
    Ok(Ok(granted))
}
