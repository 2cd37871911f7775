//! What `irgw customer` adds, lists and ends.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use clap::Parser;
use irgw_core::{ClientKind, Environment};
use irgw_oauth::customers::Customers;
use irgw_oauth::grants::{Authorisation, Authorised, Code, Consent};
use irgw_oauth::opaque::Digest;
use irgw_oauth::signing::Algorithm;
use irgw_store::{Directory, NewClient};

use super::*;

#[derive(Parser)]
struct Irgw {
    #[command(flatten)]
    customer: CustomerArgs,
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000 + seconds))
}

/// Runs `irgw customer …` with this on standard input: what it printed, or its exit code and message.
fn run(store: &Store, line: &str, input: &str) -> Result<String, (u8, String)> {
    let args = Irgw::try_parse_from(std::iter::once("customer").chain(line.split_whitespace()))
        .map_err(|error| (u8::try_from(error.exit_code()).unwrap(), error.to_string()))?;
    let mut out = Vec::new();
    let vault = || Ok(Vault::new(&[7; 32]));
    super::run(&args.customer, store, vault, &mut input.as_bytes(), at(0), &mut out)
        .map_err(|error| (error.exit_code(), error.to_string()))?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn password_comes_from_standard_input_or_a_private_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "in a file\r\n").unwrap();
    let store = Arc::new(Store::in_memory().unwrap());
    run(&store, "add ana --name Ana", "kia ora koutou\n").unwrap();
    let from_file = format!("add tama --password-file {}", file.display());
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    assert!(run(&store, &from_file, "").unwrap_err().1.contains("chmod 600"));
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    run(&store, &from_file, "").unwrap();

    let directory = Directory { store: store.clone(), vault: Arc::new(Vault::new(&[7; 32])) };
    let log_in = |user_id: &str, password: &str| {
        directory.log_in(user_id, &Secret::new(password.to_owned())).unwrap().is_some()
    };
    assert!(log_in("Ana", "kia ora koutou") && log_in("tama", "in a file"));

    for wrong in ["", "\n", "7 chars\n", "two lines\nof them\n", &"x".repeat(257), &"x".repeat(100_000)] {
        let (code, message) = run(&store, "add ben", wrong).unwrap_err();
        assert!(code == 2 && message.starts_with("a password is one line of 8"), "{message}");
    }
    let (code, message) = run(&store, "add ANA", "kia ora koutou").unwrap_err();
    assert_eq!((code, message), (1, "refused by OA-7: customer ANA exists".to_owned()));
    assert!(run(&store, "add ben --password x", "").is_err(), "no password on the command line");
}

/// OA-7: the key is shown once, in the form that apps take, and asked for.
#[test]
fn one_time_passwords_are_asked_for_and_not() {
    let store = Arc::new(Store::in_memory().unwrap());
    run(&store, "add ana.tui", "kia ora koutou").unwrap();
    let printed = run(&store, "totp ana.tui", "").unwrap();
    let key = printed.lines().nth(2).unwrap();
    assert_eq!(
        printed.lines().nth(3).unwrap(),
        format!("otpauth://totp/irgw:ana.tui?secret={key}&issuer=irgw")
    );
    let directory = Directory { store: store.clone(), vault: Arc::new(Vault::new(&[7; 32])) };
    let subject = store.subject_of("ana.tui").unwrap();
    assert_eq!(base32(directory.totp_key(&subject).unwrap().unwrap().expose()), key);
    let listed = run(&store, "list", "").unwrap();
    assert!(listed.contains("totp") && !listed.contains(key), "{listed}");
    run(&store, "totp ana.tui --off", "").unwrap();
    assert!(directory.totp_key(&subject).unwrap().is_none());
}

/// OA-19.
#[test]
fn consents_are_listed_and_withdrawn() {
    let store = Store::in_memory().unwrap();
    run(&store, "add ana", "kia ora koutou").unwrap();
    let subject = store.subject_of("ana").unwrap();
    store.add_provider(&"kowhai".parse().unwrap(), "Kowhai", at(0)).unwrap();
    let client: ClientId = "web".parse().unwrap();
    let new = NewClient {
        id: client.clone(),
        provider: "kowhai".parse().unwrap(),
        environment: Environment::Test,
        name: "Web".into(),
        kind: ClientKind::Cloud,
        algorithm: Algorithm::Es256,
        redirect_uris: vec!["https://a.example/".into()],
        secret: Digest::of("secret"),
    };
    store.add_client(&new, at(0)).unwrap();
    let authorisation = Authorisation {
        digest: Digest::of("code"),
        code: Code {
            client: client.clone(),
            subject,
            logon: "ana".parse().unwrap(),
            redirect_uri: "https://a.example/".into(),
            challenge: None,
            expires_at: at(600),
            family: None,
        },
        consent: Some(Consent { client, since: at(0), expires_at: at(86_400) }),
        transaction: (Digest::of("transaction"), at(600)),
    };
    assert_eq!(store.authorise(&authorisation, at(0)).unwrap(), Authorised::Yes);

    assert_eq!(
        run(&store, "consents ana", "").unwrap(),
        "CLIENT  SINCE                 UNTIL\n\
         web     2027-01-15T08:00:00Z  2027-01-16T08:00:00Z\n"
    );
    assert_eq!(
        run(&store, "revoke ana web", "").unwrap(),
        "customer ana no longer allows client web anything\n"
    );
    assert_eq!(run(&store, "revoke ana web", "").unwrap(), "customer ana allowed client web nothing\n");
    assert_eq!(run(&store, "consents ana", "").unwrap(), "no consents\n");
    assert_eq!(
        run(&store, "revoke ana other", "").unwrap_err().1,
        "refused by OA-2: there is no client other"
    );
    assert_eq!(run(&store, "revoke ben web", "").unwrap_err().1, "refused by OA-7: there is no customer ben");
}

#[test]
fn customer_is_disabled_for_ever() {
    let store = Store::in_memory().unwrap();
    run(&store, "add ana", "kia ora koutou").unwrap();
    for _ in 0..2 {
        let printed = run(&store, "disable ANA", "").unwrap();
        assert_eq!(
            printed,
            "customer ANA is disabled since 2027-01-15T08:00:00Z, and all tokens are revoked\n"
        );
    }
    let listed: serde_json::Value = serde_json::from_str(&run(&store, "list --json", "").unwrap()).unwrap();
    assert_eq!(listed["customers"][0]["disabled"], "2027-01-15T08:00:00Z");
}

/// RFC 4648 §10.
#[test]
fn base32_is_the_standards() {
    assert_eq!(base32(b"fooba"), "MZXW6YTB");
    assert_eq!(base32(b"12345678901234567890"), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    assert_eq!(percent_encoded("a b/ā"), "a%20b%2F%C4%81");
}
