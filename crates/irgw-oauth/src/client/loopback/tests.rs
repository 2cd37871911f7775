//! What comes to a loopback port beside the browser with the answer, and that none of it is taken for that.

use std::io::{Read, Write};

use irgw_core::{ClientKind, Secret, UnixTime};

use super::super::testing::block_on;
use super::super::{ClientConfig, Endpoints};
use super::*;

const LIMIT: Duration = Duration::from_secs(60);

fn config(uris: &[&str]) -> ClientConfig {
    let endpoints = Endpoints::below("https://ir.example.nz/gateway3/oauth");
    ClientConfig::new(&endpoints, "tui".parse().unwrap(), None, uris, ClientKind::Native).unwrap()
}

fn pending(redirect_uri: &str) -> Pending {
    Pending {
        state: Secret::new("right".into()),
        verifier: Secret::new("v".repeat(43)),
        redirect_uri: redirect_uri.to_owned(),
        issued_at: UnixTime::since_unix_epoch(Duration::from_secs(1)),
    }
}

/// Sends bytes, and returns the first line of what comes back.
fn send(authority: &str, request: &str) -> String {
    let mut stream = std::net::TcpStream::connect(authority).unwrap();
    // What is too long is cut off by the other end.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn get(authority: &str, target: &str) -> String {
    send(authority, &format!("GET {target} HTTP/1.1\r\nhost: {authority}\r\n\r\n"))
}

#[test]
fn callback_is_taken_and_nothing_else() {
    block_on(async {
        let loopback = Loopback::bind(&config(&["http://127.0.0.1/cb"])).await.unwrap();
        let authority = loopback.authority.clone();
        assert_eq!(loopback.redirect_uri(), format!("http://{authority}/cb"));
        let pending = pending(loopback.redirect_uri());
        let browser = std::thread::spawn(move || {
            let at = authority.as_str();
            let silent = std::net::TcpStream::connect(at).unwrap();
            for (target, status) in [
                ("/favicon.ico", "404"),
                ("/", "404"),
                ("/cb/", "404"),
                ("/CB?code=a&state=right", "404"),
                ("//cb?code=a&state=right", "404"),
                ("/x/../cb?code=a&state=right", "404"),
                ("/cb", "400"),
                ("/cb?code=a", "400"),
                ("/cb?code=a&state=wrong", "400"),
                ("/cb?error=access_denied&state=wrong", "400"),
                ("/cb?code=a&state=right&state=right", "400"),
            ] {
                let answer = get(at, target);
                assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{target}: {answer}");
            }
            let post = format!("POST /cb?code=a&state=right HTTP/1.1\r\nhost: {at}\r\n\r\n");
            assert!(send(at, &post).starts_with("HTTP/1.1 405 "));
            // DNS rebinding.
            let named = "GET /cb?code=a&state=right HTTP/1.1\r\nhost: evil.example\r\n\r\n";
            assert!(send(at, named).starts_with("HTTP/1.1 400 "));
            for malformed in
                ["\x16\x03\x01", "GET /cb?code=a&state=right HTTP/1.1\r\n\r\n", &"x".repeat(64 * 1024)]
            {
                assert!(!send(at, &format!("{malformed}\r\n\r\n")).contains("200 OK"));
            }
            let answer = get(at, "/cb?code=a%2Bb&state=right");
            drop(silent);
            answer
        });
        let callback = loopback.receive(&pending, LIMIT).await.unwrap();
        assert_eq!(callback, "code=a%2Bb&state=right");
        assert!(pending.finish(&callback, pending.issued_at()).is_ok());
        let answer = browser.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(PAGE), "{answer}");
        assert!(answer.contains("cache-control: no-store") && !answer.contains("a%2Bb"));
    });
}

#[test]
fn refusal_is_an_answer_too() {
    block_on(async {
        let loopback = Loopback::bind(&config(&["http://127.0.0.1/cb?tenant=1"])).await.unwrap();
        let authority = loopback.authority.clone();
        let pending = pending(loopback.redirect_uri());
        std::thread::spawn(move || get(&authority, "/cb?tenant=1&error=access_denied&state=right"));
        let callback = loopback.receive(&pending, LIMIT).await.unwrap();
        assert!(matches!(pending.finish(&callback, pending.issued_at()), Err(CallbackFault::Refused(_))));
    });
}

#[test]
fn registered_ports_are_tried_in_turn() {
    block_on(async {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ports = [&taken, &free].map(|listener| listener.local_addr().unwrap().port());
        drop(free);
        let uris = ports.map(|port| format!("http://127.0.0.1:{port}/cb"));
        let uris = ["https://app.example.nz/cb", &uris[0], &uris[1]];
        let loopback = Loopback::bind(&config(&uris)).await.unwrap();
        assert_eq!(loopback.redirect_uri(), uris[2]);
        let again = Loopback::bind(&config(&uris)).await;
        assert!(matches!(again, Err(LoopbackFault::Listen { .. })), "{again:?}");
        let none = Loopback::bind(&config(&uris[..1])).await;
        assert!(matches!(none, Err(LoopbackFault::NoLoopbackUri)), "{none:?}");
    });
}

#[test]
fn port_is_put_where_there_is_none() {
    assert_eq!(with_port("http://127.0.0.1/cb", 7), "http://127.0.0.1:7/cb");
    assert_eq!(with_port("http://[::1]/cb?x=1", 7), "http://[::1]:7/cb?x=1");
    assert_eq!(with_port("http://127.0.0.1:9/cb", 9), "http://127.0.0.1:9/cb");
    assert_eq!(with_port("http://localhost:9/cb", 9), "http://localhost:9/cb");
    assert!(loopback("http://127.0.0.2/cb").is_none() && loopback("nz.example.app:/cb").is_none());
    assert_eq!(loopback("http://localhost/cb").unwrap().1.port(), 80);
}

#[test]
fn waiting_ends() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let loopback = Loopback::bind(&config(&["http://127.0.0.1/cb"])).await.unwrap();
        let waited = loopback.receive(&pending(loopback.redirect_uri()), LIMIT).await;
        assert!(matches!(waited, Err(LoopbackFault::TimedOut(LIMIT))), "{waited:?}");
    });
}
