//! Which token goes with which request, and what becomes of one that the gateway calls bad.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Response;
use irgw_client::oauth::{ClientConfig, Endpoints, TokenFile};
use irgw_client::{Client, Error, Login, Reason, Signer, SystemClock};
use irgw_core::{ClientKind, Clock, Secret};
use time::OffsetDateTime;

use support::{Behind, Gateway, authorization, get, ok, refused};

/// A key, and a certificate for it that is good for a week.
fn pair() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut made = rcgen::CertificateParams::new(Vec::new()).unwrap();
    let now = SystemClock.now().as_secs();
    let now = OffsetDateTime::from_unix_timestamp(now.try_into().unwrap()).unwrap();
    (made.not_before, made.not_after) =
        (now - Duration::from_secs(86_400), now + Duration::from_secs(604_800));
    (key.serialize_pem(), made.self_signed(&key).unwrap().pem())
}

fn signer_of(key: &str, certificate: &str) -> Result<Signer, Error> {
    Signer::from_pem(key.as_bytes(), certificate.as_bytes(), "kowhai", SystemClock.now())
}

fn signer() -> Signer {
    let (key, certificate) = pair();
    signer_of(&key, &certificate).unwrap()
}

fn claims(token: &str) -> serde_json::Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn token_is_signed_once_and_used_again() {
    let gateway = Gateway::new(|_| ok()).await;
    let client = gateway.client().with(signer());
    for _ in 0..3 {
        client.send(get("/gateway/a")).await.unwrap();
    }
    let sent = gateway.authorizations();
    assert!(sent[0] == sent[1] && sent[1] == sent[2] && !sent[0].starts_with("Bearer"), "{sent:?}");
    let claims = claims(&sent[0]);
    assert_eq!((claims["iss"].as_str(), claims.get("jti")), (Some("kowhai"), None));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 900);
}

#[tokio::test]
async fn token_is_not_used_to_its_end() {
    let gateway = Gateway::new(|_| ok()).await;
    let client = gateway.client().with(signer().with_lifetime(Duration::from_secs(1)));
    client.send(get("/gateway/a")).await.unwrap();
    client.send(get("/gateway/a")).await.unwrap();
    // Three quarters of it are no whole second: each request has its own.
    let sent = gateway.authorizations();
    assert_eq!(claims(&sent[0])["exp"].as_u64().unwrap() - claims(&sent[0])["iat"].as_u64().unwrap(), 1);
    assert_ne!(sent[0], sent[1]);
}

#[tokio::test]
async fn single_use_token_has_a_name_of_its_own() {
    let gateway = Gateway::new(|_| ok()).await;
    let client = gateway.client().with(signer().single_use());
    for _ in 0..2 {
        client.send(get("/gateway/a")).await.unwrap();
    }
    let names: Vec<_> = gateway.authorizations().iter().map(|token| claims(token)["jti"].clone()).collect();
    assert!(names[0].as_str().unwrap().len() == 22 && names[0] != names[1], "{names:?}");
}

/// The gateway refuses tokens from a past in which this machine still is.
#[tokio::test]
async fn token_is_signed_again_for_the_gateways_clock() {
    let fresh = |request: &support::Arrived| {
        let issued = claims(&authorization(request))["iat"].as_u64().unwrap();
        SystemClock.now().as_secs() - issued < 60
    };
    let gateway =
        Gateway::new(move |request| if fresh(request) { ok() } else { refused(400, "EV1020") }).await;
    let clock = Arc::new(Behind(Duration::from_secs(7200)));
    let client = gateway.builder().clock(clock).build().unwrap().with(signer());
    client.send(get("/gateway/a")).await.unwrap();
    client.send(get("/gateway/a")).await.unwrap();
    // What was learnt is kept: refused, sent again, and good from then on.
    let sent = gateway.authorizations();
    assert!(sent.len() == 3 && sent[0] != sent[1] && sent[1] == sent[2], "{sent:?}");
}

#[tokio::test]
async fn token_that_is_bad_for_another_reason_is_not_sent_again() {
    let gateway = Gateway::new(|_| refused(400, "EV1020")).await;
    let client = gateway.client().with(signer());
    let error = client.send(get("/gateway/a")).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().reason, Reason::BadToken);
    assert_eq!(gateway.arrived().len(), 1);
    // The next request has the kept one; that it was kept is reason enough for another, once.
    client.send(get("/gateway/a")).await.unwrap_err();
    assert_eq!(gateway.arrived().len(), 3);
}

#[tokio::test]
async fn request_that_is_not_permitted_is_not_sent_again() {
    let gateway = Gateway::new(|_| refused(403, "EV1022")).await;
    let client = gateway.client().with(signer());
    client.send(get("/gateway/a")).await.unwrap_err();
    assert_eq!(gateway.arrived().len(), 1);
}

#[test]
fn key_and_certificate_belong_together() {
    let ((key, _), (_, certificate)) = (pair(), pair());
    assert!(matches!(signer_of(&key, &certificate), Err(Error::KeyOfAnother)));
    assert!(matches!(signer_of("", &certificate), Err(Error::Sign(_))));
    assert!(matches!(signer_of(&key, ""), Err(Error::Sign(_))));
    // rcgen's certificates are valid for millennia unless told otherwise, which M2M-8 does not admit.
    let own = rcgen::KeyPair::generate().unwrap();
    let forever = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&own).unwrap().pem();
    assert!(matches!(signer_of(&own.serialize_pem(), &forever), Err(Error::Sign(_))));
}

/// A gateway that takes `Bearer good` alone, and whose token endpoint gives out `tokens` in turn.
async fn authorization_server(tokens: &'static [&'static str]) -> (Gateway, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let gateway = Gateway::new(move |request| {
        if request.uri().path() != "/gateway3/oauth/token" {
            return if authorization(request) == "Bearer good" { ok() } else { refused(400, "EV1020") };
        }
        let turn = counted.fetch_add(1, Ordering::Relaxed);
        let answer = match tokens.get(turn) {
            Some(token) => Response::builder().body(format!(
                r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":28800,"refresh_token":"r{turn}"}}"#
            )),
            None => Response::builder().status(400).body(r#"{"error":"invalid_grant"}"#.to_owned()),
        };
        let mut answer = answer.unwrap().map(Bytes::from);
        answer.headers_mut().insert("content-type", "application/json".parse().unwrap());
        Some(answer)
    })
    .await;
    (gateway, asked)
}

/// A client whose customer has logged in: the first token is theirs.
async fn logged_in(gateway: &Gateway, folder: &std::path::Path) -> Client {
    let endpoints = Endpoints::below(&format!("https://localhost:{}/gateway3/oauth", gateway.port));
    let redirect = ["https://app.example.nz/cb"];
    let secret = Some(Secret::new("secret".to_owned()));
    let config = ClientConfig::new(&endpoints, "tui".parse().unwrap(), secret, &redirect, ClientKind::Cloud);
    let oauth = gateway.builder().oauth(config.unwrap());
    let (_, pending) = oauth.begin().unwrap();
    let state = pending.to_json();
    let state: serde_json::Value = serde_json::from_str(state.expose()).unwrap();
    let state = state["state"].as_str().unwrap();
    let code = pending.finish(&format!("{}?code=c&state={state}", redirect[0]), oauth.now()).unwrap();
    let tokens = oauth.redeem(&code).await.unwrap();
    let file = TokenFile::at(folder.join("tokens.json"));
    file.store(&oauth, &tokens).await.unwrap();
    gateway.client().with(Login::new(oauth, file))
}

#[tokio::test]
async fn access_token_that_is_refused_is_renewed_once_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, asked) = authorization_server(&["stale", "good"]).await;
    let client = logged_in(&gateway, folder.path()).await;
    let calls = (0..20).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.send(get("/gateway/a")).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    // The login's own, and one refresh.
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn login_that_has_ended_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, _) = authorization_server(&["stale"]).await;
    let client = logged_in(&gateway, folder.path()).await;
    let error = client.send(get("/gateway/a")).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error:?}");
    assert!(error.to_string().contains("log in again"), "{error}");
}

/// Whoever waits for a renewal may be cancelled: it comes to its end, and the login is not lost.
#[tokio::test]
async fn renewal_outlives_whoever_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, asked) = authorization_server(&["stale", "good"]).await;
    let client = logged_in(&gateway, folder.path()).await;
    loop {
        let call = tokio::spawn({
            let client = client.clone();
            async move { client.send(get("/gateway/a")).await }
        });
        while asked.load(Ordering::Relaxed) < 2 && !call.is_finished() {
            tokio::task::yield_now().await;
        }
        call.abort();
        if asked.load(Ordering::Relaxed) == 2 {
            break;
        }
    }
    assert_eq!(client.send(get("/gateway/a")).await.unwrap().status(), 200);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn no_token_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, _) = authorization_server(&["good"]).await;
    let client = logged_in(&gateway, folder.path()).await;
    client.send(get("/gateway/a")).await.unwrap();
    let signing = gateway.client().with(signer());
    signing.send(get("/gateway/a")).await.unwrap_err();
    let token = gateway.authorizations().pop().unwrap();
    let printed = format!("{client:?} {signing:?}");
    assert!(!printed.contains("good") && !printed.contains(&token), "{printed}");
}
