//! A form's transaction: what a browser is in the middle of, sealed into the page and bound to its cookie (C21).
//!
//! Nothing is kept for a browser that has not logged in, so that strangers fill no table. What a page carries opens only here,
//! only with the cookie that the page was sent with, for ten minutes; the last step uses it up.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use irgw_core::{Logon, UnixTime};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::AuthorizationServer;
use super::authorize::AuthorizationRequest;
use super::browser::Browser;
use crate::Unavailable;
use crate::customers::Subject;
use crate::opaque::{Digest, NAME_CHARS, draw};

/// What a browser is in the middle of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Transaction {
    /// Its own name, which is used up at its end.
    id: String,
    /// The digest of the browser's cookie.
    browser: [u8; 32],
    /// The first second in which it no longer opens.
    expires_at: u64,
    pub(super) aim: Aim,
    pub(super) step: Step,
}

/// Where the browser is going.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Aim {
    /// To an application, with a code.
    Application(AuthorizationRequest),
    /// To the connected applications.
    Applications,
}

/// Which form is next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    /// User id and password.
    Login,
    /// The one-time password of a customer whose password was right.
    Code { subject: String, logon: Logon },
    /// Consent, or a change of it, by a customer who is logged in.
    Decision,
}

impl Step {
    /// The customer whose one-time password is asked for.
    pub(super) fn customer(&self) -> Option<(Subject, Logon)> {
        match self {
            Step::Code { subject, logon } => Some((Subject::parse(subject).ok()?, logon.clone())),
            Step::Login | Step::Decision => None,
        }
    }
}

impl Transaction {
    pub(super) fn new(
        aim: Aim,
        step: Step,
        browser: &Browser,
        now: UnixTime,
    ) -> Result<Transaction, Unavailable> {
        let id = draw(NAME_CHARS)?.expose().clone();
        let expires_at = now.as_secs().saturating_add(LIFETIME_SECS);
        Ok(Transaction { id, browser: browser.digest().0, expires_at, aim, step })
    }

    /// Its name, to be used up, and until when it could be used.
    pub(super) fn spent(&self) -> (Digest, UnixTime) {
        let until = std::time::Duration::from_secs(self.expires_at);
        (Digest::of(&format!("transaction {}", self.id)), UnixTime::since_unix_epoch(until))
    }

    /// The key under which tries at its one-time password are counted.
    pub(super) fn tries(&self) -> Digest {
        Digest::of(&format!("tries {}", self.id))
    }
}

impl AuthorizationServer {
    /// What the page's hidden field holds.
    pub(super) fn seal(&self, transaction: &Transaction) -> Result<String, Unavailable> {
        let text = serde_json::to_vec(transaction).map_err(Unavailable::new)?;
        Ok(URL_SAFE_NO_PAD.encode(self.state.vault.seal(SEALED_FOR, &text)?))
    }

    /// Opens a form's transaction; `None`: it is none, another browser's, or too old.
    pub(super) fn open(&self, sealed: &str, browser: &Browser, now: UnixTime) -> Option<Transaction> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let text = self.state.vault.open(SEALED_FOR, &sealed)?;
        let transaction: Transaction = serde_json::from_slice(text.expose()).ok()?;
        let is_this_browsers: bool = transaction.browser.ct_eq(&browser.digest().0).into();
        (is_this_browsers && now.as_secs() < transaction.expires_at).then_some(transaction)
    }
}

const SEALED_FOR: &str = "oauth transaction";
/// From a page to the form that it holds.
const LIFETIME_SECS: u64 = 600;
