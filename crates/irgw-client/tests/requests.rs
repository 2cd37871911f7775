//! Requests as a gateway sees them, and its answers as the client reads them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version};
use irgw_client::{Client, Error, Reason};

use support::{Gateway, get, ok, refused};

#[tokio::test]
async fn services_answer_is_returned_whatever_its_status() {
    let gateway = Gateway::new(|request| {
        let answer = Response::builder().status(if request.uri().path() == "/gateway/a" { 200 } else { 404 });
        Some(answer.header("x-of", "service").body(request.body().clone()).unwrap())
    })
    .await;
    let client = gateway.client();
    let request = Request::post("/gateway/a?b=c").header("x-of", "caller").body(Bytes::from("said"));
    let answer = client.send(request.unwrap()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (200, b"said".as_slice()));
    assert_eq!(client.send(get("/gateway/b")).await.unwrap().status(), 404);

    let arrived = gateway.arrived();
    assert_eq!(arrived[0].uri().path_and_query().unwrap().as_str(), "/gateway/a?b=c");
    assert_eq!(
        (arrived[0].headers()["x-of"].as_bytes(), arrived[0].method().as_str()),
        (b"caller".as_slice(), "POST")
    );
    assert_eq!(gateway.authorizations(), ["", ""]);
}

#[tokio::test]
async fn both_protocols_are_spoken() {
    const H2: &[&[u8]] = &[b"h2"];
    const H1: &[&[u8]] = &[b"http/1.1"];
    for (protocols, version) in [(H2, Version::HTTP_2), (H1, Version::HTTP_11)] {
        let gateway = Gateway::speaking(protocols, |_| ok()).await;
        gateway.client().send(get("/gateway/a")).await.unwrap();
        assert_eq!(gateway.arrived()[0].version(), version);
    }
}

#[tokio::test]
async fn refusals_are_errors() {
    for (status, code, reason) in [
        (400, "EV1021", Reason::NoToken),
        (403, "EV1022", Reason::NotPermitted),
        (401, "TDS202", Reason::BadToken),
    ] {
        let gateway = Gateway::new(move |_| refused(status, code)).await;
        let error = gateway.client().send(get("/gateway/a")).await.unwrap_err();
        let refusal = error.refusal().unwrap();
        assert_eq!((refusal.reason, refusal.code.as_str(), refusal.status.as_u16()), (reason, code, status));
        assert!(error.changed_nothing());
    }
}

#[tokio::test]
async fn gateway_that_had_waited_for_a_service_may_have_changed_something() {
    let body =
        r#"{"errors":[{"code":"504","type":"gateway","message":"The service did not answer in time"}]}"#;
    let gateway = Gateway::new(move |_| {
        Some(Response::builder().status(504).body(Bytes::from_static(body.as_bytes())).unwrap())
    })
    .await;
    let error = gateway.client().send(get("/gateway/a")).await.unwrap_err();
    assert_eq!(error.refusal().unwrap().reason, Reason::Unavailable);
    assert!(!error.changed_nothing());
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let gateway = Gateway::new(|_| ok()).await;
    let other = Gateway::new(|_| ok()).await;
    let stranger = gateway.builder().roots(other.roots.clone()).build().unwrap();
    let misnamed =
        Client::builder(format!("https://127.0.0.1:{}", gateway.port)).roots(gateway.roots.clone());
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Client::builder(format!("https://{}", listener.local_addr().unwrap())).build().unwrap()
    };
    for client in [stranger, misnamed.build().unwrap(), closed] {
        let error = client.send(get("/gateway/a")).await.unwrap_err();
        assert!(matches!(error, Error::Unsent(_)) && error.changed_nothing(), "{error:?}");
    }
    assert!(gateway.arrived().is_empty());
}

#[tokio::test]
async fn what_takes_too_long_or_is_too_long_may_have_changed_something() {
    let silent = Gateway::new(|_| None).await;
    let client = silent.builder().answer_time(Duration::from_millis(500)).build().unwrap();
    let error = client.send(get("/gateway/a")).await.unwrap_err();
    assert!(matches!(error, Error::Unanswered(_)) && !error.changed_nothing(), "{error:?}");

    let long = Gateway::new(|_| Some(Response::new(Bytes::from(vec![b'x'; 1001])))).await;
    let client = long.builder().answer_bytes(1000).build().unwrap();
    let error = client.send(get("/gateway/a")).await.unwrap_err();
    assert!(matches!(error, Error::TooLong { limit_bytes: 1000 }) && !error.changed_nothing(), "{error:?}");
    let client = long.builder().answer_bytes(1001).build().unwrap();
    assert_eq!(client.send(get("/gateway/a")).await.unwrap().body().len(), 1001);
}

#[tokio::test]
async fn host_and_authorization_are_the_clients_to_say() {
    let gateway = Gateway::new(|_| ok()).await;
    let client = gateway.client();
    for uri in ["https://localhost/gateway/a", "*", "localhost:443"] {
        let request = Request::builder().uri(uri).body(Bytes::new()).unwrap();
        assert!(matches!(client.send(request).await, Err(Error::Address)), "{uri}");
    }
    let request = Request::get("/gateway/a").header("authorization", "Bearer a").body(Bytes::new()).unwrap();
    assert!(matches!(client.send(request).await, Err(Error::Authorization)));
    assert!(gateway.arrived().is_empty());
}

#[test]
fn gateways_address_is_a_host_alone() {
    for good in ["https://localhost:4046", "https://HOST", "https://[::1]:4046", "https://host/"] {
        assert!(Client::builder(good).build().is_ok(), "{good}");
    }
    for bad in ["http://host", "host:4046", "https://host/gateway", "https://host?a", "https://a:b@host", ""]
    {
        let error = Client::builder(bad).build().unwrap_err();
        assert!(matches!(error, Error::Base(ref base) if base == bad), "{error:?}");
    }
}
