//! The commands against a scripted authorization server behind TLS.

use std::io::Cursor;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use clap::{CommandFactory, Parser};

use super::testing::*;
use super::*;

fn tokens(n: &str, refresh: bool) -> Option<(u16, String)> {
    let refresh = if refresh { format!(r#","refresh_token":"refresh-{n}""#) } else { String::new() };
    let body =
        format!(r#"{{"access_token":"access-{n}","token_type":"Bearer","expires_in":"28800"{refresh}}}"#);
    Some((200, body))
}

/// A server where all goes well.
fn good(path: &str, form: &Form) -> Option<(u16, String)> {
    match path.rsplit('/').next() {
        Some("token") => match form["grant_type"].as_str() {
            "authorization_code" => {
                assert_eq!(form["code_verifier"].len(), 43);
                tokens("1", !form.contains_key("client_id"))
            }
            _ => tokens("2", true),
        },
        Some("introspect") if form["token"].starts_with("access") => {
            Some((200, r#"{"active":true,"client_id":"tui","username":"ann1","exp":1800000000}"#.into()))
        }
        Some("introspect") => Some((200, r#"{"active":false}"#.into())),
        _ => Some((200, String::new())),
    }
}

fn right(state: &str) -> String {
    format!("https://app.example.nz/cb?code=abc&state={state}")
}

#[test]
fn arguments_fit_together() {
    Irgw::command().debug_assert();
}

#[test]
fn native_client_logs_in_over_loopback() {
    let world = World::new(good);
    let args = world.args(&["login"], "http://127.0.0.1/cb");
    let (screen, printed) = screen();
    let mut out = screen.clone();
    let login = std::thread::spawn(move || run(&args, &mut Cursor::new(""), &mut out));
    let state = state(&printed);
    // It is told once it listens.
    let mut text = String::new();
    while !text.contains(" for 600 s") {
        text.push_str(&printed.recv().unwrap());
    }
    let authority = text.split("http://").nth(1).unwrap().split('/').next().unwrap();
    let mut browser = TcpStream::connect(authority).unwrap();
    write!(browser, "GET /cb?code=abc&state={state} HTTP/1.1\r\nhost: {authority}\r\n\r\n").unwrap();
    let mut page = String::new();
    browser.read_to_string(&mut page).unwrap();
    assert!(page.contains("You may close this window"));
    login.join().unwrap().unwrap();
    let said = screen.text.lock().unwrap().clone();
    assert!(said.contains("a native client logs in again") && !said.contains("access-1"), "{said}");
    let mode = std::fs::metadata(world.path("tokens.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let refresh = world.args(&["refresh", "--force"], "http://127.0.0.1/cb");
    let error = run(&refresh, &mut Cursor::new(""), &mut Vec::new()).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(
        error.to_string().starts_with("refused by OA-12: ") && error.to_string().ends_with("log in again")
    );
}

#[test]
fn cloud_client_goes_through_the_whole_life_of_its_tokens() {
    let world = World::new(good);
    let said = world.log_in(right).unwrap();
    assert!(said.contains("logged in") && said.contains("it works once"), "{said}");
    assert!(!said.contains("access-1") && !said.contains("refresh-1"), "{said}");

    assert!(world.cloud(&["refresh"]).unwrap().starts_with("still good\n"));
    assert_eq!(world.calls("/token"), 1);
    let shown: serde_json::Value =
        serde_json::from_str(&world.cloud(&["refresh", "--force", "--json", "--show"]).unwrap()).unwrap();
    assert_eq!((&shown["renewed"], &shown["access_token"]), (&json!(true), &json!("access-2")));
    let hidden = world.cloud(&["refresh", "--json"]).unwrap();
    assert!(hidden.contains("\"renewed\":false") && !hidden.contains("access-2"), "{hidden}");

    let said = world.cloud(&["introspect"]).unwrap();
    assert!(said.contains("ann1") && said.contains("2027-01-15T08:00:00Z"), "{said}");
    let (code, said) = world.cloud(&["introspect", "--kind", "refresh"]).unwrap_err();
    assert!(code == 1 && said.starts_with("refused by OA-14: "), "{said}");

    assert!(world.cloud(&["revoke"]).unwrap().contains("is removed"));
    assert!(!world.path("tokens.json").exists());
    let last = world.seen.lock().unwrap().last().unwrap().clone();
    assert_eq!(last.1["token"], "refresh-2");
    let (code, said) = world.cloud(&["refresh"]).unwrap_err();
    assert_eq!((code, said.as_str()), (2, "there are no tokens yet; log in"));
}

#[test]
fn callback_of_somebody_else_is_not_redeemed() {
    let world = World::new(good);
    for (paste, rule) in [
        ((|_| right("forged")) as fn(&str) -> String, "refused by OA-3: "),
        (|_| "https://app.example.nz/cb?code=abc".to_owned(), "refused by OA-3: "),
        (|state| format!("https://app.example.nz/cb?error=access_denied&state={state}"), "refused by OA-5: "),
    ] {
        let (code, said) = world.log_in(paste).unwrap_err();
        assert!(code == 1 && said.starts_with(rule), "{said}");
    }
    let (code, said) =
        world.log_in(|state| format!("https://evil.example/?code=a&state={state}")).unwrap_err();
    assert!(code == 2 && said.contains("paste the whole address"), "{said}");
    assert_eq!(world.calls("/token"), 0);
    assert!(!world.path("tokens.json").exists());
}

#[test]
fn servers_refusal_is_named_by_its_rule() {
    let world = World::new(|_, _| {
        let body = r#"{"error":"invalid_client","error_description":"The provided secret or assertion are not valid for this client."}"#;
        Some((401, body.into()))
    });
    let (code, said) = world.log_in(right).unwrap_err();
    assert_eq!(code, 1);
    assert!(said.starts_with("refused by OA-17: invalid_client: The provided secret"), "{said}");
}

/// C11, at the command line.
#[test]
fn refresh_that_broke_off_is_not_tried_again() {
    let world = World::new(|path, form| match form.get("grant_type").map(String::as_str) {
        Some("refresh_token") => None,
        _ => good(path, form),
    });
    world.log_in(right).unwrap();
    for _ in 0..2 {
        let (code, said) = world.cloud(&["refresh", "--force"]).unwrap_err();
        assert!(
            code == 1 && said.starts_with("refused by OA-12: the refresh token may have been used"),
            "{said}"
        );
    }
    assert_eq!(world.calls("/token"), 2, "the login, and one refresh");
    assert!(world.cloud(&["refresh"]).unwrap().starts_with("still good"), "the access token goes on");
}

#[test]
fn server_that_cannot_be_trusted_is_sent_nothing() {
    let (world, other) = (World::new(good), World::new(good));
    std::fs::copy(other.path("ca.pem"), world.path("ca.pem")).unwrap();
    let (code, said) = world.log_in(right).unwrap_err();
    assert!(code == 2 && said.starts_with("the request was not sent: no connection to localhost:"), "{said}");
    assert_eq!(world.calls(""), 0);
}

#[test]
fn secret_that_others_may_read_is_not_used() {
    let world = World::new(good);
    let args = world.args(&["refresh"], "https://app.example.nz/cb");
    std::fs::set_permissions(world.path("secret"), PermissionsExt::from_mode(0o644)).unwrap();
    let error = run(&args, &mut Cursor::new(""), &mut Vec::new()).unwrap_err();
    assert!(error.exit_code() == 2 && error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn development_directory_says_all() {
    let world = World::new(good);
    let at = |name: &str| format!("https://localhost:{}/gateway3/oauth/{name}", world.port);
    let client = |id: &str| json!({ "client_id": id, "client_secret": "s3cret", "kind": "cloud", "redirect_uris": ["https://app.example.nz/cb"] });
    let dev = json!({
        "listeners": { "desktop": { "base_url": "…", "ca_file": world.path("ca.pem") } },
        "oauth": { "authorize": at("authorize"), "token": at("token"), "introspect": at("introspect"), "revoke": at("revoke") },
        "providers": [{ "id": "a" }, { "clients": [client("one"), client("two")] }],
    });
    std::fs::write(world.path("dev.json"), dev.to_string()).unwrap();
    let dir = world.folder.path().to_str().unwrap();
    let told = |more: &[&str]| {
        let words = [&["oauth", "introspect", "access-9", "--dev", dir], more].concat();
        let args = Irgw::try_parse_from(words).unwrap().oauth;
        let mut out = Vec::new();
        run(&args, &mut Cursor::new(""), &mut out).map(|()| String::from_utf8(out).unwrap())
    };
    assert!(told(&[]).unwrap().starts_with("active\n"));
    assert!(told(&["--client-id", "two"]).is_ok());
    assert!(told(&["--client-id", "three"]).unwrap_err().to_string().contains("no such client"));
    let mixed = ["oauth", "refresh", "--dev", dir, "--ca", "x"];
    assert!(Irgw::try_parse_from(mixed).is_err());
}

#[test]
fn what_is_missing_is_said() {
    let said = |words: &[&str]| {
        let args = Irgw::try_parse_from([&["oauth", "login"], words].concat()).unwrap().oauth;
        let error = run(&args, &mut Cursor::new(""), &mut Vec::new()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    };
    let server = ["--server", "https://a.nz/o"];
    assert!(said(&[]).starts_with("say which server: --server URL or --authorize URL"));
    assert!(said(&server).starts_with("say which client: --client-id ID"));
    let client = [&server[..], &["--client-id", "c"]].concat();
    assert!(said(&client).starts_with("say where the browser comes back to"));
    let native = [&client[..], &["--redirect-uri", "http://127.0.0.1/cb"]].concat();
    assert_eq!(said(&native), "say which file holds the tokens: --tokens FILE");
    let cloud = [&client[..], &["--redirect-uri", "https://a.nz/cb", "--client-kind", "cloud"]].concat();
    assert_eq!(said(&cloud), "a cloud client needs its secret");
}
