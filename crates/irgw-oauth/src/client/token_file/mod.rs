//! A file of tokens that threads and processes share: one refresh at a time, and none that is repeated blindly (OA-12).
//!
//! ```text
//!   fresh ── good for long enough? ──► hand out                                          no lock
//!     │ no
//!     ▼ lock (FILE.lock)
//!   read again ── another has refreshed? ──► hand out
//!     │ no
//!     ▼
//!   a mark in the file? ──► PossiblyLost: somebody used this refresh token and never wrote down the answer
//!     │ no
//!     ▼
//!   write the mark, fsync ──► refresh ──► write the new tokens, fsync ──► hand out
//!                                │ surely not done: take the mark away, the token is as good as before
//!                                │ perhaps done: the mark stays
//! ```
//!
//! A refresh token works once, and a second use revokes every token of its family. So whoever does not know whether it was
//! used must not try: the customer logs in again, and meanwhile the old access token goes on to its end.

mod disk;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use irgw_core::{Secret, UnixTime};
use subtle::ConstantTimeEq;

use self::disk::{Locked, Mark, Record};
use super::{Client, Error, Http, OAuthError, TokenKind, Tokens};
use crate::opaque::Digest;

pub use self::disk::FileFault;

/// A file of one customer's tokens: JSON, readable by its owner alone (0600), always whole. Beside it lies `FILE.lock`,
/// which stays. Both belong on a local disk: a lock over the network may be none.
///
/// Share one `TokenFile` among tasks and threads; other processes make their own of the same path. Nothing blocks an
/// executor's thread for longer than a local `fsync`: others' locks are waited for on a thread of their own.
///
/// ```no_run
/// # use std::time::Duration;
/// # use irgw_oauth::client::{Client, Http, RenewError, TokenFile};
/// # async fn example<H: Http>(client: Client<H>) -> Result<(), RenewError> {
/// let file = TokenFile::at("tokens.json");
/// let tokens = file.fresh(&client, Duration::from_secs(60)).await?;
/// let authorization = format!("Bearer {}", tokens.access_token().expose());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    gate: tokio::sync::Mutex<()>,
}

/// What a token file holds.
#[derive(Debug)]
pub struct Kept {
    /// The tokens. There is no refresh token for a native client, nor after the server refused one.
    pub tokens: Tokens,
    /// Since when the refresh token may have been used without its answer having been seen; `None`: it is good.
    pub possibly_lost_since: Option<UnixTime>,
}

/// Why there is no access token that is good for long enough.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenewError {
    /// There are no tokens: log in.
    #[error("there are no tokens yet; log in")]
    Absent,
    /// The access token is over, and there is no refresh token: log in again.
    #[error("the access token is over and there is no refresh token; log in again")]
    LoginNeeded,
    /// The server does not take the refresh token any more; it was struck off the file: log in again.
    #[error("the refresh token is no longer good; log in again")]
    Ended(#[source] OAuthError),
    /// The refresh token may have been used, by somebody who did not live to see the answer or got none (C11). Trying it
    /// again could revoke the whole family: log in again.
    #[error(
        "the refresh token may have been used, and the answer was not seen; using it again could revoke every token of this login: log in again"
    )]
    PossiblyLost {
        /// When it was about to be used.
        since: UnixTime,
        /// What went wrong, when it was this call that used it.
        #[source]
        cause: Option<Error>,
    },
    /// The exchange failed and changed nothing: try again later.
    #[error("the tokens could not be renewed, and are as good as before")]
    Exchange(#[source] Error),
    /// The server issued new tokens, and they could not be written down. They are here; the file says
    /// [`RenewError::PossiblyLost`] from now on.
    #[error("the new tokens could not be written down")]
    NotKept {
        /// What was issued.
        tokens: Box<Tokens>,
        /// Why it could not be written.
        #[source]
        fault: FileFault,
    },
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] FileFault),
}

impl TokenFile {
    /// The file at `path`, which need not be there.
    pub fn at(path: impl Into<PathBuf>) -> TokenFile {
        TokenFile { path: path.into(), gate: tokio::sync::Mutex::new(()) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the tokens of a login, durably, in place of what was there.
    ///
    /// # Errors
    /// [`FileFault`]; what was there still is.
    pub async fn store<H: Http>(&self, client: &Client<H>, tokens: &Tokens) -> Result<(), FileFault> {
        let _locked = self.lock().await?;
        disk::write(&self.path, &Record::new(client.config(), tokens))
    }

    /// What is in the file; `None`: there is none.
    ///
    /// # Errors
    /// [`FileFault`], [`FileFault::Foreign`] when the tokens are another client's or another server's.
    pub fn read<H: Http>(&self, client: &Client<H>) -> Result<Option<Kept>, FileFault> {
        let Some(record) = disk::read(&self.path, client.config())? else { return Ok(None) };
        let tokens = record.tokens();
        let possibly_lost_since = mark(&record, tokens.refresh_token());
        Ok(Some(Kept { tokens, possibly_lost_since }))
    }

    /// Tokens whose access token is good for `margin` more: those of the file, or new ones. However many ask at once, in
    /// however many processes, one refreshes and the others get its result.
    ///
    /// # Errors
    /// As [`RenewError`] says. A future that is dropped while it waits for the server leaves the mark, and the login is
    /// lost: give it a task of its own if its caller may be cancelled.
    pub async fn fresh<H: Http>(&self, client: &Client<H>, margin: Duration) -> Result<Tokens, RenewError> {
        let is_good = |tokens: &Tokens| client.is_fresh(tokens, margin);
        match self.read(client)? {
            Some(kept) if is_good(&kept.tokens) => Ok(kept.tokens),
            _ => self.renewed(client, is_good).await,
        }
    }

    /// New tokens for whom the gateway refused `stale` before its time. If the file has others by now, those.
    ///
    /// # Errors
    /// As [`TokenFile::fresh`].
    pub async fn renew<H: Http>(
        &self,
        client: &Client<H>,
        stale: &Secret<String>,
    ) -> Result<Tokens, RenewError> {
        let is_other = |tokens: &Tokens| {
            let same = tokens.access_token().expose().as_bytes().ct_eq(stale.expose().as_bytes());
            !bool::from(same) && client.is_fresh(tokens, Duration::ZERO)
        };
        self.renewed(client, is_other).await
    }

    async fn renewed<H: Http>(
        &self,
        client: &Client<H>,
        is_good: impl Fn(&Tokens) -> bool,
    ) -> Result<Tokens, RenewError> {
        let _locked = self.lock().await?;
        let mut record = disk::read(&self.path, client.config())?.ok_or(RenewError::Absent)?;
        let tokens = record.tokens();
        if is_good(&tokens) {
            return Ok(tokens);
        }
        let refresh_token = tokens.refresh_token().ok_or(RenewError::LoginNeeded)?;
        if let Some(since) = mark(&record, Some(refresh_token)) {
            return Err(RenewError::PossiblyLost { since, cause: None });
        }
        let since = client.now();
        record.pending = Some(Mark::new(refresh_token, since));
        disk::write(&self.path, &record)?;
        let error = match client.refresh(refresh_token).await {
            Ok(tokens) => {
                return match disk::write(&self.path, &Record::new(client.config(), &tokens)) {
                    Ok(()) => Ok(tokens),
                    Err(fault) => Err(RenewError::NotKept { tokens: Box::new(tokens), fault }),
                };
            }
            Err(error) => error,
        };
        if !error.changed_nothing() {
            return Err(RenewError::PossiblyLost { since, cause: Some(error) });
        }
        record.pending = None;
        match error.refusal() {
            Some(refusal) if refusal.ends_grant() => {
                let refusal = refusal.clone();
                record.strike_refresh_token();
                disk::write(&self.path, &record)?;
                Err(RenewError::Ended(refusal))
            }
            _ => {
                disk::write(&self.path, &record)?;
                Err(RenewError::Exchange(error))
            }
        }
    }

    /// Gives the tokens back and removes the file: the refresh token with its family (OA-15), or a native client's access
    /// token.
    ///
    /// # Errors
    /// As [`RenewError`] says; the file stays.
    pub async fn revoke<H: Http>(&self, client: &Client<H>) -> Result<(), RenewError> {
        let _locked = self.lock().await?;
        let record = disk::read(&self.path, client.config())?.ok_or(RenewError::Absent)?;
        let tokens = record.tokens();
        let revoked = match tokens.refresh_token() {
            Some(token) => client.revoke(token, TokenKind::Refresh).await,
            None => client.revoke(tokens.access_token(), TokenKind::Access).await,
        };
        revoked.map_err(RenewError::Exchange)?;
        Ok(disk::remove(&self.path)?)
    }

    /// Waits for this process's tasks first, then for other processes.
    async fn lock(&self) -> Result<Locked<'_>, FileFault> {
        let gate = self.gate.lock().await;
        let file = disk::open_lock(&self.path)?;
        let failed = |source: io::Error| FileFault::Io { what: "lock", path: self.path.clone(), source };
        match file.try_lock() {
            Ok(()) => return Ok(Locked::new(gate, file)),
            Err(std::fs::TryLockError::WouldBlock) => {}
            Err(std::fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        // Waiting here would stop the executor, and with it perhaps the task that holds the lock.
        let (done, waiting) = tokio::sync::oneshot::channel();
        let wait = move || {
            let locked = file.lock().map(|()| file);
            // Nobody waits any more: the file is closed, and with it the lock is given back.
            let _ = done.send(locked);
        };
        std::thread::Builder::new().name("token file lock".into()).spawn(wait).map_err(failed)?;
        let gone = |_| io::Error::other("the thread that waits for the lock is gone");
        let locked = waiting.await.map_err(gone).and_then(|locked| locked).map_err(failed)?;
        Ok(Locked::new(gate, locked))
    }
}

/// Since when this refresh token, and no other, is marked as about to be used.
fn mark(record: &Record, refresh_token: Option<&Secret<String>>) -> Option<UnixTime> {
    let (mark, token) = (record.pending.as_ref()?, refresh_token?);
    mark.is_about(&Digest::of(token.expose())).then(|| mark.since())
}

#[cfg(test)]
mod process_tests;
#[cfg(test)]
mod tests;
