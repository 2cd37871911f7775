//! What a client and a customer did before a case's own request: authorised, redeemed, refreshed, withdrew.
//!
//! ```toml
//! [given.oauth]
//! client = "cloud"                 # providers[0]'s; "native", "other_cloud", "other_native"
//! customer = 0
//! steps = ["authorise", "redeem", { post = "token", form = "grant_type=…", status = 401 }]
//! ```

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::{digest, hmac};
use serde::Deserialize;

use crate::Error;
use crate::dev::{Client, Dev};
use crate::key::fill;
use crate::prelude::Prelude;
use crate::target::Place;
use crate::template::Values;

/// What happened before.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OAuthRecipe {
    /// `cloud` or `native`, of `providers[0]`; `other_cloud` or `other_native`, of `providers[1]`.
    pub client: String,
    /// Which of the target's customers.
    pub customer: usize,
    /// Which of the client's redirect URIs.
    pub redirect: usize,
    /// The authorization request has a challenge; *default* it does.
    pub challenge: bool,
    /// How long ago it happened: at a node of the same server whose clock stands there.
    pub seconds_ago: u64,
    /// What was done, in order.
    pub steps: Vec<Step>,
}

impl Default for OAuthRecipe {
    fn default() -> OAuthRecipe {
        OAuthRecipe {
            client: "cloud".into(),
            customer: 0,
            redirect: 0,
            challenge: true,
            seconds_ago: 0,
            steps: Vec::new(),
        }
    }
}

/// Something that was done.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// What goes as it should.
    Done(Done),
    /// A form that a client posts, with its credentials in the header.
    Posted {
        /// The endpoint: `token`, `introspect`, `revoke`.
        post: String,
        /// The form.
        form: String,
        /// The status that it must have.
        status: u16,
        /// Whose credentials go with it; *default* the client's.
        #[serde(default)]
        by: Option<String>,
    },
}

/// What goes as it should, and which values come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Done {
    /// The customer, whose login stands, authorises the client: `${code}`.
    Authorise,
    /// The client redeems the code: `${access_token}`, `${refresh_token}`, and both with their number, `${refresh_1}`.
    Redeem,
    /// The client exchanges its newest refresh token: the same.
    Refresh,
    /// A browser without a login asks: `${cookie}`, `${transaction}` of the login page.
    Page,
    /// That browser's customer gives user id and password: `${cookie}`, and `${transaction}` of what comes, or `${code}`.
    Password,
    /// … a wrong password.
    WrongPassword,
    /// … the one-time password of now.
    OneTimeCode,
    /// … allows it.
    Allow,
    /// That browser's customer, logged in, looks at the connected applications: `${transaction}` of their forms.
    Applications,
    /// … and withdraws the consent to the client.
    Withdraw,
}

impl OAuthRecipe {
    /// Whether a password is given in a browser of the case's own.
    pub(crate) fn logs_in(&self) -> bool {
        let password = |step: &Step| matches!(step, Step::Done(Done::Password | Done::WrongPassword));
        self.steps.iter().any(password)
    }

    /// Does it at `place`, and says what no audit record may hold. `now` is the time of the case's own request.
    pub(crate) fn perform(
        &self,
        dev: &Dev,
        place: &Place,
        now: u64,
        values: &mut Values,
    ) -> Result<Vec<String>, Error> {
        let customer = dev.customers.get(self.customer);
        let customer = customer.ok_or_else(|| Error::recipe("the target has no such customer"))?;
        let client = client(dev, &self.client)?;
        let verifier = random();
        let mut secrets = vec![customer.password.clone(), verifier.clone()];
        secrets.extend(customer.totp_secret.clone());
        for name in ["cloud", "native", "other_cloud", "other_native"] {
            describe(values, &format!("{name}."), self::client(dev, name)?, 0);
        }
        describe(values, "", client, self.redirect);
        secrets
            .extend(dev.providers.iter().flat_map(|one| &one.clients).map(|one| one.client_secret.clone()));
        values.set("user_id", &customer.user_id);
        values.set("password", &customer.password);
        values.set("challenge", challenge(&verifier));
        values.set("verifier", verifier);
        values.set("other_verifier", random());
        values.set("oauth_issuer", dev.oauth.as_ref().map(|oauth| oauth.issuer.as_str()).unwrap_or_default());
        for (name, at) in [("totp_before", now - 30), ("totp", now), ("totp_after", now + 30)] {
            if let Some(key) = &customer.totp_secret {
                values.set(name, one_time_password(key, at)?);
            }
        }
        let query = match self.challenge {
            true => "&code_challenge=${challenge}&code_challenge_method=S256",
            false => "",
        };
        let good = "response_type=code&client_id=${client_id|form}&redirect_uri=${redirect_uri|form}\
                    &scope=MYIR.Services&state=a-state";
        let good = values.text(&format!("{good}{query}"))?;
        values.set("authorise", &good);
        // The other nodes, whose clocks are right, may forget at once what is as old as this.
        let mut attempts = if self.seconds_ago > 0 { 5 } else { 1 };
        loop {
            attempts -= 1;
            let mut prelude = Prelude::new(self, customer, place, values);
            let done = self.steps.iter().try_for_each(|step| prelude.take(step));
            secrets.extend(prelude.secrets);
            match done {
                Ok(()) => return Ok(secrets),
                Err(error) if attempts == 0 => return Err(error),
                Err(_) => {}
            }
        }
    }
}

/// `cloud` or `native`, of `providers[0]` or, with `other_` before it, of `providers[1]`.
fn client<'a>(dev: &'a Dev, name: &str) -> Result<&'a Client, Error> {
    let (provider, kind) = match name.strip_prefix("other_") {
        Some(kind) => (dev.providers.get(1), kind),
        None => (dev.providers.first(), name),
    };
    let mut clients = provider.into_iter().flat_map(|provider| &provider.clients);
    let found = clients.find(|client| client.kind.name() == kind);
    found.ok_or_else(|| Error::recipe(format_args!("the target has no client {name:?}")))
}

/// A client's values, under names that begin with `prefix`.
fn describe(values: &mut Values, prefix: &str, client: &Client, redirect: usize) {
    let mut set = |name: &str, value: String| values.set(&format!("{prefix}{name}"), value);
    set("basic", STANDARD.encode(format!("{}:{}", client.client_id, client.client_secret)));
    set("client_id", client.client_id.clone());
    set("client_secret", client.client_secret.clone());
    set("redirect_uri", client.redirect_uris.get(redirect).cloned().unwrap_or_default());
}

/// 43 characters that nobody guesses.
fn random() -> String {
    let mut bytes = [0; 32];
    fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The challenge of a verifier (RFC 7636 §4.2).
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// The one-time password at a time, in seconds since the Unix epoch (RFC 6238), of a key in base32 (RFC 4648 §6).
pub(crate) fn one_time_password(key: &str, at: u64) -> Result<String, Error> {
    let wrong = || Error::recipe("the key of the one-time passwords is not base32");
    let (mut bits, mut count, mut bytes) = (0_u64, 0, Vec::new());
    for digit in key.trim_end_matches('=').bytes() {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == digit);
        bits = bits << 5 | value.and_then(|value| u64::try_from(value).ok()).ok_or_else(wrong)?;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.extend(u8::try_from(bits >> count & 0xff));
        }
    }
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let tag = hmac::sign(&key, &(at / 30).to_be_bytes());
    let at = usize::from(tag.as_ref().last().copied().unwrap_or_default() & 0xf);
    let four =
        tag.as_ref().get(at..at + 4).and_then(|four| <[u8; 4]>::try_from(four).ok()).ok_or_else(wrong)?;
    Ok(format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B, RFC 6238 appendix B.
    #[test]
    fn values_of_the_standards_are_computed() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        assert_eq!(one_time_password(key, 59).unwrap(), "287082");
        assert_eq!(one_time_password(key, 1_111_111_109).unwrap(), "081804");
    }
}
