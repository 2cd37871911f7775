//! A remembered signature opens nothing that has changed since.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use irgw_core::{ClientId, ClientKind, ProviderId, TokenFamily, UnixTime};

use super::*;
use crate::access_token::{Claims, Grant, sign};
use crate::customers::Subject;
use crate::registration::Client;
use crate::signing::{Algorithm, Keyring, Keys, SigningKey, TimedKey};

const ISSUER: &str = "https://localhost/gateway3/oauth/";
const NOW: u64 = 1_800_000_000;

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// The gateway's memory, which a test changes under the authenticator.
#[derive(Debug, Default)]
struct State {
    keyring: Mutex<Arc<Keyring>>,
    client: Mutex<Option<Arc<Client>>>,
    family: Mutex<Option<TokenFamily>>,
    token: Mutex<Option<String>>,
}

impl Keys for State {
    fn keyring(&self) -> Arc<Keyring> {
        self.keyring.lock().unwrap().clone()
    }
}

impl Clients for State {
    fn client(&self, id: &str) -> Option<Arc<Client>> {
        self.client.lock().unwrap().clone().filter(|client| client.id.as_str() == id)
    }
}

impl Revocations for State {
    fn is_family_revoked(&self, family: &TokenFamily) -> bool {
        self.family.lock().unwrap().as_ref() == Some(family)
    }

    fn is_token_revoked(&self, jti: &str) -> bool {
        self.token.lock().unwrap().as_deref() == Some(jti)
    }
}

struct Bench {
    state: Arc<State>,
    bearer: Bearer,
    token: String,
    claims: Claims,
    pkcs8: Vec<u8>,
}

impl Bench {
    /// A token that was judged good, and is remembered.
    fn new() -> Bench {
        let (key, pkcs8) = SigningKey::generate().unwrap();
        let client: ClientId = "kowhai-cloud".parse().unwrap();
        let family: TokenFamily = "a-family".parse().unwrap();
        let (subject, logon) = (Subject::from_random([7; 16]), "tui.customer".parse().unwrap());
        let claims =
            Claims::new((ISSUER, ISSUER), &client, (&subject, &logon), &family, Grant::RefreshToken, at(NOW));
        let claims = claims.unwrap();
        let token = sign(&claims, &key).unwrap();
        let state = Arc::new(State::default());
        *state.client.lock().unwrap() = Some(Arc::new(Client {
            id: client,
            provider: ProviderId::new("kowhai").unwrap(),
            provider_name: "Kowhai Limited".into(),
            name: "Kowhai".into(),
            kind: ClientKind::Cloud,
            redirect_uris: vec![],
            secrets: vec![],
            algorithm: Algorithm::Es256,
        }));
        let tokens = AccessTokens::new(ISSUER.into(), ISSUER.into(), state.clone(), 1 << 20);
        let bearer = Bearer { tokens: Arc::new(tokens), clients: state.clone(), revocations: state.clone() };
        let bench = Bench { state, bearer, token, claims, pkcs8: pkcs8.expose().clone() };
        bench.set_key(None);
        assert!(bench.judge(NOW).is_ok());
        bench
    }

    fn set_key(&self, verifies_until: Option<UnixTime>) {
        let key = SigningKey::from_pkcs8(Algorithm::Es256, &self.pkcs8).unwrap();
        let timed = TimedKey { key, signs_from: at(0), verifies_until };
        *self.state.keyring.lock().unwrap() = Arc::new(Keyring::new(vec![timed]));
    }

    fn judge(&self, now: u64) -> Result<Proof, Rejection> {
        self.bearer.judge(&self.token, at(now))
    }

    fn refused(&self, now: u64) -> String {
        self.judge(now).unwrap_err().cause.to_string()
    }
}

#[test]
fn remembered_token_ends_with_its_times() {
    let bench = Bench::new();
    assert!(bench.judge(bench.claims.exp - 1).is_ok());
    assert_eq!(bench.refused(bench.claims.exp), TokenError::Times.to_string());
    assert!(bench.judge(bench.claims.nbf).is_ok());
    assert_eq!(bench.refused(bench.claims.nbf - 1), TokenError::Times.to_string());
}

#[test]
fn remembered_token_ends_with_its_key() {
    let bench = Bench::new();
    bench.set_key(Some(at(NOW + 10)));
    assert!(bench.judge(NOW + 9).is_ok());
    assert_eq!(bench.refused(NOW + 10), TokenError::Key.to_string());
    *bench.state.keyring.lock().unwrap() = Arc::default();
    assert_eq!(bench.refused(NOW), TokenError::Key.to_string());
}

#[test]
fn remembered_token_ends_with_its_family_itself_and_its_client() {
    let bench = Bench::new();
    *bench.state.family.lock().unwrap() = bench.claims.family();
    assert_eq!(bench.refused(NOW), TokenError::Revoked.to_string());
    *bench.state.family.lock().unwrap() = None;
    *bench.state.token.lock().unwrap() = Some(bench.claims.jti.clone());
    assert_eq!(bench.refused(NOW), TokenError::Revoked.to_string());
    *bench.state.token.lock().unwrap() = None;
    assert!(bench.judge(NOW).is_ok());
    *bench.state.client.lock().unwrap() = None;
    assert_eq!(bench.refused(NOW), TokenError::Revoked.to_string());
}

/// The signature is checked for every other text, whatever is remembered.
#[test]
fn another_spelling_of_a_remembered_token_is_not_it() {
    let bench = Bench::new();
    let (message, signature) = bench.token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let changed = format!("{message}.{other}{}", signature.get(1..).unwrap());
    let cause = |token: &str| bench.bearer.judge(token, at(NOW)).unwrap_err().cause.to_string();
    assert_eq!(cause(&changed), TokenError::Signature.to_string());
    assert_eq!(cause(&format!("{}=", bench.token)), TokenError::Malformed.to_string());
    assert!(bench.judge(NOW).is_ok());
}

#[test]
fn token_for_another_audience_is_refused_each_time() {
    let bench = Bench::new();
    let tokens = AccessTokens::new(ISSUER.into(), "elsewhere".into(), bench.state.clone(), 1 << 20);
    for _ in 0..2 {
        assert_eq!(tokens.verify(&bench.token, at(NOW)).unwrap_err(), TokenError::Elsewhere);
    }
}
