//! A customer's login with a client, step by step, with tokens that can be told apart.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::time::Duration;

use irgw_core::{ClientId, TokenFamily, UnixTime};
use irgw_oauth::customers::Subject;
use irgw_oauth::grants::{
    Authorisation, Authorised, CODE_LIFETIME, CONSENT_LIFETIME, Code, CodeFault, Consent, Granted, Grants,
    Redemption, RefreshFault,
};
use irgw_store::Store;

use super::{NOW, client, customer, digest, furnish};

/// So many seconds after [`NOW`].
pub(crate) fn after(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(NOW.as_secs() + seconds))
}

/// The clients `a` and `b`, and the customer `ana`.
pub(crate) fn open(store: &Store) {
    furnish(store);
    store.add_client(&client("a"), NOW).unwrap();
    store.add_client(&client("b"), NOW).unwrap();
    store.add_customer(&customer(1, "ana"), NOW).unwrap();
}

pub(crate) fn ana() -> Subject {
    customer(1, "ana").subject
}

pub(crate) fn id(client: &str) -> ClientId {
    client.parse().unwrap()
}

pub(crate) fn family(name: &str) -> TokenFamily {
    name.parse().unwrap()
}

/// Keeps the code `code` of Ana for a client, with a consent of five years or without.
pub(crate) fn authorise(
    store: &Store,
    client: &str,
    code: &str,
    consents: bool,
    now: UnixTime,
) -> Authorised {
    let expires_at = |lifetime: Duration| after(now.as_secs() - NOW.as_secs() + lifetime.as_secs());
    let authorisation = Authorisation {
        digest: digest(code),
        code: Code {
            client: id(client),
            subject: ana(),
            logon: "ana".parse().unwrap(),
            redirect_uri: "https://app.example/answer".to_owned(),
            challenge: None,
            expires_at: expires_at(CODE_LIFETIME),
            family: None,
        },
        consent: consents.then(|| Consent {
            client: id(client),
            since: now,
            expires_at: expires_at(CONSENT_LIFETIME),
        }),
        transaction: (digest(&format!("transaction of {code}")), expires_at(CODE_LIFETIME)),
    };
    store.authorise(&authorisation, now).unwrap()
}

/// What a client presents to redeem `code`, to begin the family `code` with the refresh token `{code}.0`.
pub(crate) fn redemption(client: &str, code: &str) -> Redemption {
    Redemption {
        code: digest(code),
        client: id(client),
        redirect_uri: "https://app.example/answer".to_owned(),
        challenge: None,
        family: family(code),
        refresh: Some(digest(&format!("{code}.0"))),
    }
}

/// A login that ended well: the family `name`, whose live refresh token is `{name}.0`.
pub(crate) fn log_in(store: &Store, client: &str, name: &str, now: UnixTime) {
    assert_eq!(authorise(store, client, name, true, now), Authorised::Yes);
    store.redeem(&redemption(client, name), now).unwrap().unwrap();
}

/// Exchanges one refresh token for another, without a grace time.
pub(crate) fn refresh(
    store: &Store,
    client: &str,
    presented: &str,
    next: &str,
    now: UnixTime,
) -> Result<Granted, RefreshFault> {
    store.refresh(&digest(presented), &id(client), &digest(next), Duration::ZERO, now).unwrap()
}

pub(crate) fn redeem(store: &Store, client: &str, code: &str, now: UnixTime) -> Result<Granted, CodeFault> {
    store.redeem(&redemption(client, code), now).unwrap()
}

/// Whether the token's client is told that it is active.
pub(crate) fn is_active(store: &Store, client: &str, token: &str, now: UnixTime) -> bool {
    let found = store.refresh_token(&digest(token)).unwrap();
    found.is_some_and(|token| token.is_active(&id(client), now))
}
