//! An authorization under way: what was sent with the browser, and what comes back with it (RFC 6749 §4.1, RFC 7636).

use std::time::Duration;

use irgw_core::{Secret, UnixTime};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::OAuthError;

/// How long after its beginning an authorization may end. The login pages and a code's ten minutes (OA-8) fit in.
pub const PENDING_LIFETIME: Duration = Duration::from_secs(3600);

/// An authorization under way. Keep it where only the browser session that began it finds it again: a `Pending` that is
/// looked up by the `state` of the callback alone would accept a code that an attacker put into a victim's browser
/// (C09, RFC 9700 §4.7).
#[derive(Debug)]
pub struct Pending {
    pub(super) state: Secret<String>,
    pub(super) verifier: Secret<String>,
    pub(super) redirect_uri: String,
    pub(super) issued_at: UnixTime,
}

/// An authorization code whose `state` was checked, with what its redemption needs.
#[derive(Debug)]
pub struct Code {
    pub(super) code: Secret<String>,
    pub(super) verifier: Secret<String>,
    pub(super) redirect_uri: String,
}

/// Why a callback gives no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackFault {
    /// The server redirected with an error: the customer refused, or the scope was wrong (OA-5).
    #[error("the authorization server redirected with an error")]
    Refused(#[source] OAuthError),
    /// It is not the redirect URI that comes back.
    #[error("this is not the redirect URI; paste the whole address that the browser was sent to")]
    OtherUri,
    /// No `state`.
    #[error("the callback has no state")]
    StateMissing,
    /// The `state` is of another authorization, or forged (RFC 6749 §10.12, C09).
    #[error("the callback's state is not the one that was sent")]
    StateMismatch,
    /// A parameter twice (RFC 6749 §3.1, C02).
    #[error("the callback has the parameter {0} twice")]
    Repeated(&'static str),
    /// Neither `code` nor `error`.
    #[error("the callback has no code")]
    CodeMissing,
    /// It comes more than [`PENDING_LIFETIME`] after the beginning.
    #[error("the authorization began more than an hour ago; begin again")]
    TooLate,
}

impl Pending {
    /// The redirect URI that was sent.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// When it began.
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// Reads the callback: the whole address that the browser was sent to, or its query. `state` is compared, in
    /// constant time, before anything else is believed, errors included.
    ///
    /// # Errors
    /// [`CallbackFault`]; the `Pending` is as good as before.
    pub fn finish(&self, callback: &str, now: UnixTime) -> Result<Code, CallbackFault> {
        let query = self.query(callback.trim())?;
        let (mut state, mut code, mut error, mut description) = (None, None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let (slot, name) = match name.as_ref() {
                "state" => (&mut state, "state"),
                "code" => (&mut code, "code"),
                "error" => (&mut error, "error"),
                "error_description" => (&mut description, "error_description"),
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(CallbackFault::Repeated(name));
            }
        }
        let state = state.ok_or(CallbackFault::StateMissing)?;
        if !bool::from(state.as_bytes().ct_eq(self.state.expose().as_bytes())) {
            return Err(CallbackFault::StateMismatch);
        }
        if now.as_secs() > self.issued_at.as_secs().saturating_add(PENDING_LIFETIME.as_secs()) {
            return Err(CallbackFault::TooLate);
        }
        if let Some(error) = error {
            return Err(CallbackFault::Refused(OAuthError::read(&error, description.as_deref())));
        }
        let code = code.filter(|code| !code.is_empty()).ok_or(CallbackFault::CodeMissing)?;
        Ok(Code {
            code: Secret::new(code),
            verifier: copy(&self.verifier),
            redirect_uri: self.redirect_uri.clone(),
        })
    }

    /// The query of a callback; of a whole address only if it is the redirect URI's, letter for letter.
    fn query<'a>(&self, callback: &'a str) -> Result<&'a str, CallbackFault> {
        let callback = callback.split('#').next().unwrap_or_default();
        match callback.split_once('?') {
            Some(("", query)) => Ok(query),
            Some((address, query)) => {
                let sent = self.redirect_uri.split('?').next().unwrap_or_default();
                // A browser shows `https://host/` for `https://host`.
                let same = address == sent || address.strip_suffix('/') == Some(sent);
                if same { Ok(query) } else { Err(CallbackFault::OtherUri) }
            }
            None if callback.contains("://") => Err(CallbackFault::OtherUri),
            None => Ok(callback),
        }
    }

    /// For a session store, JSON. It holds secrets: seal it, or keep it on the server.
    pub fn to_json(&self) -> Secret<String> {
        let kept = Kept {
            state: self.state.expose().clone(),
            verifier: self.verifier.expose().clone(),
            redirect_uri: self.redirect_uri.clone(),
            issued_at: self.issued_at.as_secs(),
        };
        Secret::new(serde_json::to_string(&kept).expect("strings and a number have a JSON form"))
    }

    /// Back from [`Pending::to_json`]; `None`: it is none.
    pub fn from_json(text: &str) -> Option<Pending> {
        let kept: Kept = serde_json::from_str(text).ok()?;
        Some(Pending {
            state: Secret::new(kept.state),
            verifier: Secret::new(kept.verifier),
            redirect_uri: kept.redirect_uri,
            issued_at: UnixTime::since_unix_epoch(Duration::from_secs(kept.issued_at)),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Kept {
    state: String,
    verifier: String,
    redirect_uri: String,
    issued_at: u64,
}

pub(super) fn copy(secret: &Secret<String>) -> Secret<String> {
    Secret::new(secret.expose().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn pending() -> Pending {
        Pending {
            state: Secret::new("right".into()),
            verifier: Secret::new("v".repeat(43)),
            redirect_uri: "https://app.example.nz/cb?tenant=1".into(),
            issued_at: at(1000),
        }
    }

    fn finish(callback: &str) -> Result<String, CallbackFault> {
        pending().finish(callback, at(1000)).map(|code| code.code.expose().clone())
    }

    #[test]
    fn code_comes_out_of_the_address_or_its_query() {
        for callback in [
            "https://app.example.nz/cb?tenant=1&code=abc&state=right",
            " https://app.example.nz/cb?code=abc&state=right#_=_\n",
            "?code=abc&state=right",
            "code=abc&state=right",
            "state=right&code=a%62c",
        ] {
            assert_eq!(finish(callback), Ok("abc".into()), "{callback}");
        }
    }

    /// C09: a code that somebody else was given is not taken, and an error of somebody else's changes nothing.
    #[test]
    fn callback_of_another_authorization_is_refused() {
        use CallbackFault::*;
        for (callback, fault) in [
            ("code=abc", StateMissing),
            ("code=abc&state=", StateMismatch),
            ("code=abc&state=Right", StateMismatch),
            ("code=abc&state=right2", StateMismatch),
            ("code=abc&state=righ", StateMismatch),
            ("error=access_denied&state=wrong", StateMismatch),
            ("error=access_denied", StateMissing),
            ("code=abc&state=right&state=right", Repeated("state")),
            ("code=abc&code=abd&state=right", Repeated("code")),
            ("state=right", CodeMissing),
            ("state=right&code=", CodeMissing),
            ("https://evil.example/cb?code=abc&state=right", OtherUri),
            ("https://app.example.nz/cb", OtherUri),
            ("", StateMissing),
        ] {
            assert_eq!(finish(callback), Err(fault), "{callback}");
        }
    }

    #[test]
    fn redirected_errors_are_typed() {
        assert_eq!(
            finish("error=invalid_scope&error_description=Invalid+scope+requested&state=right"),
            Err(CallbackFault::Refused(OAuthError::InvalidScope))
        );
        assert_eq!(
            finish("error=access_denied&state=right"),
            Err(CallbackFault::Refused(OAuthError::AccessDenied))
        );
    }

    #[test]
    fn callback_is_good_for_an_hour() {
        let finish = |now| pending().finish("code=a&state=right", at(now)).map(drop);
        assert_eq!(finish(1000 + 3600), Ok(()));
        assert_eq!(finish(1000 + 3601), Err(CallbackFault::TooLate));
        assert_eq!(finish(0), Ok(()), "the clock was set back");
    }

    #[test]
    fn pending_survives_a_session_store() {
        let back = Pending::from_json(pending().to_json().expose()).unwrap();
        assert!(back.finish("code=a&state=right", at(1000)).is_ok());
        assert_eq!((back.redirect_uri(), back.issued_at()), (pending().redirect_uri(), at(1000)));
        assert!(Pending::from_json("{}").is_none());
        assert!(!format!("{:?}", pending()).contains("right"), "secrets are not printed");
    }
}
