//! The wire forms of every request, and what each answer becomes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use irgw_core::ClientKind;

use super::testing::*;
use super::*;

fn form(text: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn body(request: &::http::Request<Vec<u8>>) -> BTreeMap<String, String> {
    assert_eq!(request.method(), "POST");
    assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(request.headers()["content-length"], request.body().len().to_string());
    assert!(request.uri().query().is_none(), "secrets do not stand in addresses");
    form(std::str::from_utf8(request.body()).unwrap())
}

fn code(client: &Client<Scripted>) -> Code {
    let (url, pending) = client.begin().unwrap();
    let state = form(url.split_once('?').unwrap().1).remove("state").unwrap();
    pending.finish(&format!("code=the-code&state={state}"), client.now()).unwrap()
}

fn refreshed(
    script: impl FnMut(&::http::Request<Vec<u8>>) -> Result<::http::Response<Vec<u8>>, SendFault> + Send + 'static,
) -> Result<Tokens, Error> {
    block_on(client(script).0.refresh(&secret("r")))
}

#[test]
fn authorization_request_has_state_and_challenge() {
    let (client, _) = client(|_| issued(1));
    let (url, pending) = client.begin().unwrap();
    let (address, query) = url.split_once('?').unwrap();
    assert_eq!(address, "https://ir.example.nz/gateway3/oauth/authorize");
    let sent = form(query);
    let names: Vec<&str> = sent.keys().map(String::as_str).collect();
    let expected = [
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
    ];
    assert_eq!(names, expected);
    assert_eq!(sent["client_id"], "tui");
    assert_eq!(sent["response_type"], "code");
    assert_eq!(sent["scope"], "MYIR.Services");
    assert_eq!(sent["redirect_uri"], "https://app.example.nz/cb");
    assert_eq!(sent["code_challenge_method"], "S256");
    let digest = ring::digest::digest(&ring::digest::SHA256, pending.verifier.expose().as_bytes());
    assert_eq!(sent["code_challenge"], URL_SAFE_NO_PAD.encode(digest));
    // OA-3 and OA-6: characters and lengths.
    let unreserved = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    assert!(sent["state"].len() == 43 && unreserved(&sent["state"]));
    assert!(pending.verifier.expose().len() == 43 && unreserved(pending.verifier.expose()));
    assert_ne!(form(client.begin().unwrap().0.as_str())["state"], sent["state"]);
}

#[test]
fn redirect_uri_is_a_registered_one_and_sent_letter_for_letter() {
    let clock = Arc::new(TestClock::at(NOW));
    let http = |_: &_| issued(1);
    let (cloud, _) = client(http);
    let native = Client::new(config(ClientKind::Native, None), cloud.http, clock);
    let (url, pending) = native.begin_at("http://127.0.0.1:49152/cb").unwrap();
    assert_eq!(form(&url)["redirect_uri"], "http://127.0.0.1:49152/cb");
    assert_eq!(pending.redirect_uri(), "http://127.0.0.1:49152/cb");
    for bad in ["http://127.0.0.1:49152/", "http://127.0.0.1.evil.example/cb", "https://evil.example/cb", ""]
    {
        assert!(matches!(native.begin_at(bad), Err(Error::RedirectUri)), "{bad}");
    }
}

#[test]
fn code_is_redeemed_with_its_verifier_and_redirect_uri() {
    let (client, _) = client(|_| issued(1));
    let code = code(&client);
    let tokens = block_on(client.redeem(&code)).unwrap();
    assert_eq!(tokens.access_token().expose(), "access-1");
    assert_eq!(tokens.refresh_token().unwrap().expose(), "refresh-1");
    assert_eq!(tokens.scope(), Some("MYIR.Services"));
    assert_eq!(tokens.expires_at().as_secs(), NOW + 28800);
    let sent = requests(&client).remove(0);
    assert_eq!(sent.uri(), "https://ir.example.nz/gateway3/oauth/token");
    assert_eq!(sent.headers()["authorization"], format!("Basic {}", STANDARD.encode("tui:s3cret")));
    let sent = body(&sent);
    assert_eq!(sent["grant_type"], "authorization_code");
    assert_eq!(sent["code"], "the-code");
    assert_eq!(sent["redirect_uri"], "https://app.example.nz/cb");
    assert_eq!(sent["code_verifier"], *code.verifier.expose());
    assert_eq!(sent.len(), 4);
}

#[test]
fn credentials_are_form_encoded_before_basic() {
    let http = client(|_| issued(1)).0.http;
    let config = config(ClientKind::Cloud, Some("a:b c%é"));
    let client = Client::new(config, http, Arc::new(TestClock::at(NOW)));
    block_on(client.refresh(&secret("r"))).unwrap();
    let sent = requests(&client).remove(0);
    // RFC 6749 §2.3.1.
    let pair = STANDARD.encode("tui:a%3Ab+c%25%C3%A9");
    assert_eq!(sent.headers()["authorization"], format!("Basic {pair}"));
}

#[test]
fn native_client_without_a_secret_names_itself_in_the_body() {
    let http = client(|_| issued(1)).0.http;
    let client = Client::new(config(ClientKind::Native, None), http, Arc::new(TestClock::at(NOW)));
    block_on(client.redeem(&code(&client))).unwrap();
    let sent = requests(&client).remove(0);
    assert!(!sent.headers().contains_key("authorization"));
    assert_eq!(body(&sent)["client_id"], "tui");
}

#[test]
fn refresh_introspection_and_revocation_have_their_forms() {
    let (client, _) = client(|request| match request.uri().path() {
        "/gateway3/oauth/token" => issued(2),
        "/gateway3/oauth/introspect" => answer(
            200,
            r#"{"active":true,"client_id":"tui","username":"ann1","sub":"u","scope":"MYIR.Services","exp":9,"iat":1}"#,
        ),
        _ => Ok(::http::Response::new(Vec::new())),
    });
    block_on(async {
        let tokens = client.refresh(&secret("refresh-1")).await.unwrap();
        assert_eq!(tokens.refresh_token().unwrap().expose(), "refresh-2");
        let said = client.introspect(&secret("t"), TokenKind::Access).await.unwrap();
        let Introspection::Active { client_id, username, subject, scope, expires_at, issued_at } = said
        else {
            panic!("it is active")
        };
        let words = [client_id, username, subject, scope].map(Option::unwrap);
        assert_eq!(words, ["tui", "ann1", "u", "MYIR.Services"]);
        assert_eq!([expires_at, issued_at].map(|at| at.unwrap().as_secs()), [9, 1]);
        client.revoke(&secret("t"), TokenKind::Refresh).await.unwrap();
    });
    let sent: Vec<String> = requests(&client)
        .iter()
        .map(|request| {
            body(request);
            String::from_utf8(request.body().clone()).unwrap()
        })
        .collect();
    let expected = [
        "grant_type=refresh_token&refresh_token=refresh-1",
        "token=t&token_type_hint=access_token",
        "token=t&token_type_hint=refresh_token",
    ];
    assert_eq!(sent, expected);
}

#[test]
fn token_that_is_not_active_is_just_that() {
    let (client, _) = client(|_| answer(200, r#"{"active":false}"#));
    let said = block_on(client.introspect(&secret("t"), TokenKind::Access)).unwrap();
    assert_eq!(said, Introspection::Inactive);
}

/// C11: which failures leave a refresh token as good as it was.
#[test]
fn failures_say_whether_the_server_may_have_acted() {
    let refusal = r#"{"error":"invalid_grant","error_description":"Refresh token is invalid."}"#;
    let failed = |status, body: &str| {
        let body = body.to_owned();
        refreshed(move |_| answer(status, &body)).unwrap_err()
    };
    let refused = failed(401, refusal);
    assert_eq!(refused.refusal(), Some(&OAuthError::InvalidRefreshToken));
    assert!(refused.changed_nothing());
    assert!(failed(400, "<html>").changed_nothing());
    assert!(matches!(failed(503, ""), Error::Busy { status: 503, .. }));
    assert!(failed(429, "").changed_nothing());
    for (status, body) in
        [(500, refusal), (500, ""), (502, "<html>"), (200, "{}"), (200, ""), (204, ""), (302, "")]
    {
        let error = failed(status, body);
        assert!(!error.changed_nothing(), "{status} {body}: {error:?}");
    }
    let sent = |fault: fn(Box<dyn std::error::Error + Send + Sync>) -> SendFault| {
        refreshed(move |_| Err(fault(broken()))).unwrap_err().changed_nothing()
    };
    assert!(sent(SendFault::Unsent));
    assert!(!sent(SendFault::Unanswered));
}

#[test]
fn redirects_are_not_followed_and_long_answers_not_read() {
    let (moved, _) = client(|_| {
        Ok(::http::Response::builder()
            .status(307)
            .header("location", "https://evil.example/")
            .body(vec![])
            .unwrap())
    });
    assert!(matches!(block_on(moved.refresh(&secret("r"))), Err(Error::Misunderstood { status: 307, .. })));
    assert_eq!(requests(&moved).len(), 1);
    let long = |spaces: usize| {
        let text = r#"{"access_token":"a","token_type":"Bearer"}"#;
        refreshed(move |_| answer(200, &format!("{text}{}", " ".repeat(spaces - text.len()))))
    };
    assert!(long(RESPONSE_LIMIT_BYTES).is_ok());
    assert!(matches!(long(RESPONSE_LIMIT_BYTES + 1), Err(Error::Misunderstood { .. })));
}

#[test]
fn errors_do_not_print_what_the_server_sent() {
    let error = refreshed(|_| answer(200, r#"{"access_token":"hunter2","token_type":"mac"}"#)).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hunter2"));
}

#[test]
fn busy_server_says_for_how_long() {
    let error = refreshed(|_| {
        Ok(::http::Response::builder().status(503).header("retry-after", "7").body(vec![]).unwrap())
    });
    let Err(Error::Busy { retry_after, .. }) = error else { panic!("{error:?}") };
    assert_eq!(retry_after, Some(std::time::Duration::from_secs(7)));
}

#[test]
fn expiry_follows_the_servers_clock() {
    let (client, clock) = client(|_| {
        let mut response = issued(1)?;
        // NOW + 3600: the server is an hour ahead.
        response.headers_mut().insert("date", "Fri, 15 Jan 2027 09:00:00 GMT".parse().unwrap());
        Ok(response)
    });
    assert_eq!(client.skew(), None);
    let tokens = block_on(client.refresh(&secret("r"))).unwrap();
    assert_eq!(client.skew().unwrap().as_millis(), 3_600_500);
    assert_eq!(tokens.expires_at().as_secs(), NOW + 3600 + 28800);
    let margin = std::time::Duration::from_secs(60);
    clock.set(NOW + 28800 - 61);
    assert!(client.is_fresh(&tokens, margin));
    clock.set(NOW + 28800 - 60);
    assert!(!client.is_fresh(&tokens, margin), "by our clock there would be an hour left");
}
