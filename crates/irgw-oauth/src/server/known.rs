//! A browser in which a customer has logged in before, known by a cookie that only this server can make (C24).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::HeaderValue;
use irgw_core::UnixTime;

use super::AuthorizationServer;
use super::browser::cookie;
use crate::Unavailable;
use crate::customers::account;

impl AuthorizationServer {
    /// The cookie's value, if it says that this account has logged in here within a year.
    pub(super) fn known_browser(&self, headers: &HeaderMap, user_id: &str, now: UnixTime) -> Option<String> {
        let value = cookie(headers, NAME)?;
        let sealed = URL_SAFE_NO_PAD.decode(&value).ok()?;
        let text = self.state.vault.open(SEALED_FOR, &sealed)?;
        let (since, known) = str::from_utf8(text.expose()).ok()?.split_once(' ')?;
        let is_young = now.as_secs() < since.parse::<u64>().ok()?.saturating_add(LIFETIME_SECS);
        (is_young && known == account(user_id)).then_some(value)
    }

    /// The field that makes a browser known for this account.
    pub(super) fn make_known(&self, user_id: &str, now: UnixTime) -> Result<HeaderValue, Unavailable> {
        let text = format!("{} {}", now.as_secs(), account(user_id));
        let value = URL_SAFE_NO_PAD.encode(self.state.vault.seal(SEALED_FOR, text.as_bytes())?);
        let field =
            format!("{NAME}={value}; Path=/; Max-Age={LIFETIME_SECS}; Secure; HttpOnly; SameSite=Lax");
        let mut field = HeaderValue::from_str(&field).map_err(Unavailable::new)?;
        field.set_sensitive(true);
        Ok(field)
    }
}

const NAME: &str = "__Host-irgw-known";
const SEALED_FOR: &str = "known browser";
/// A year.
const LIFETIME_SECS: u64 = 365 * 86_400;
