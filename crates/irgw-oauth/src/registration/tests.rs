//! Which redirect URIs can be registered, and what each then admits (C01, C03).

use irgw_core::ClientKind::{self, Cloud, Native};

use super::RedirectUriFault::{Characters, Fragment, NoUri, NotNormal, PlainHttp, Scheme, TooLong, UserInfo};
use super::*;

fn register(text: &str, kind: ClientKind) -> Result<(), RedirectUriFault> {
    RedirectUri::register(text, kind).map(|uri| assert_eq!(uri.as_str(), text))
}

fn admits(registered: &str, presented: &str) -> bool {
    RedirectUri::register(registered, Native).unwrap().admits(presented)
}

#[test]
fn both_kinds_register_https() {
    for uri in [
        "https://app.example.nz/callback",
        "https://app.example.nz",
        "https://app.example.nz/",
        "https://app.example.nz:8443/callback",
        "https://app.example.nz/callback?tenant=1",
        "https://localhost:8443/callback",
        "https://xn--kwhai-yib.example.nz/callback",
        "https://192.0.2.1/callback",
    ] {
        assert_eq!(register(uri, Cloud), Ok(()), "{uri}");
        assert_eq!(register(uri, Native), Ok(()), "{uri}");
    }
}

#[test]
fn native_clients_register_loopback_addresses_and_private_use_schemes() {
    for uri in [
        "http://127.0.0.1/callback",
        "http://127.0.0.1:5000/callback",
        "http://[::1]/callback",
        "http://localhost/callback",
        "http://localhost:5000/callback",
        "nz.example.app:/callback",
        "nz.example.app:callback",
        "nz.example.app://callback",
    ] {
        assert_eq!(register(uri, Native), Ok(()), "{uri}");
        assert!(register(uri, Cloud).is_err(), "{uri}");
    }
}

/// C03.
#[test]
fn what_could_run_or_lead_elsewhere_is_not_registered() {
    for (uri, fault) in [
        ("javascript:alert(1)", Scheme),
        ("data:text/html,hello", Scheme),
        ("vbscript:msgbox", Scheme),
        ("file:///etc/passwd", Scheme),
        ("blob:https://app.example.nz/1", Scheme),
        ("about:blank", Scheme),
        ("mailto:a", Scheme),
        ("ftp://app.example.nz/", Scheme),
        ("ws://app.example.nz/", Scheme),
        ("intent:callback", Scheme),
        ("myapp:/callback", Scheme),
        ("nz..app:/callback", Scheme),
        ("nz.app.:/callback", Scheme),
        ("nz.app+x:/callback", Scheme),
        ("http://app.example.nz/callback", PlainHttp),
        ("http://127.0.0.2/callback", PlainHttp),
        ("http://0.0.0.0/callback", PlainHttp),
        ("http://localhost.example.nz/callback", PlainHttp),
        ("http://127.0.0.1.example.nz/callback", PlainHttp),
        ("http://[::2]/callback", PlainHttp),
        ("http://[::ffff:7f00:1]/callback", PlainHttp),
        ("https://user@app.example.nz/callback", UserInfo),
        ("https://user:word@app.example.nz/callback", UserInfo),
        ("https://@app.example.nz/callback", UserInfo),
        ("https://app.example.nz/@callback", UserInfo),
        ("https://app.example.nz/callback#part", Fragment),
        ("https://app.example.nz/callback#", Fragment),
        ("https://*.example.nz/callback", Characters),
        ("https://app.example.nz/*", Characters),
        ("https://app.example.nz\\@evil.example/", Characters),
        ("https://app.example.nz/call back", Characters),
        ("https://app.example.nz/callback\n", Characters),
        (" https://app.example.nz/callback", Characters),
        ("https://app.example.nz/\u{0}", Characters),
        ("https://k\u{14d}whai.example.nz/callback", Characters),
        ("https://app.example.nz/\"><script>", Characters),
        ("https://App.example.nz/callback", NotNormal),
        ("HTTPS://app.example.nz/callback", NotNormal),
        ("https://app.example.nz:443/callback", NotNormal),
        ("https://app.example.nz:0443/callback", NotNormal),
        ("https://app.example.nz:/callback", NotNormal),
        ("http://127.0.0.1:80/callback", NotNormal),
        ("https://app.example.nz/a/../callback", NotNormal),
        ("https://app.example.nz/./callback", NotNormal),
        ("https://app.example.nz/%2e%2e/callback", NotNormal),
        ("https:app.example.nz/callback", NotNormal),
        ("https:/app.example.nz/callback", NotNormal),
        ("http://127.1/callback", NotNormal),
        ("http://2130706433/callback", NotNormal),
        ("http://0x7f.0.0.1/callback", NotNormal),
        ("http://[0:0:0:0:0:0:0:1]/callback", NotNormal),
        ("https://%61pp.example.nz/callback", NotNormal),
        ("NZ.example.app:/callback", NotNormal),
        ("//app.example.nz/callback", NoUri),
        ("/callback", NoUri),
        ("app.example.nz/callback", NoUri),
        ("https://", NoUri),
        ("https://app.example.nz:99999/", NoUri),
        ("https://[::1/callback", NoUri),
        ("", NoUri),
    ] {
        assert_eq!(register(uri, Native), Err(fault), "{uri:?}");
        assert!(register(uri, Cloud).is_err(), "{uri:?}");
    }
}

#[test]
fn redirect_uri_has_at_most_1024_bytes() {
    let of = |length: usize| format!("https://app.example.nz/{}", "a".repeat(length - 23));
    assert_eq!(register(&of(REDIRECT_URI_LIMIT_BYTES), Cloud), Ok(()));
    assert_eq!(register(&of(REDIRECT_URI_LIMIT_BYTES + 1), Cloud), Err(TooLong));
}

#[test]
fn loopback_address_without_a_port_admits_any_port_and_no_other_change() {
    for (registered, prefix) in
        [("http://127.0.0.1/callback?a=1", "http://127.0.0.1"), ("http://[::1]/callback?a=1", "http://[::1]")]
    {
        for port in ["", ":1", ":80", ":5000", ":65535"] {
            assert!(admits(registered, &format!("{prefix}{port}/callback?a=1")), "{registered} {port}");
        }
        for port in [
            ":",
            ":0",
            ":05000",
            ":65536",
            ":-1",
            ":+1",
            ":1:2",
            ":1 ",
            ":1@evil.example",
            ":1.evil",
            ":\u{661}",
        ] {
            assert!(!admits(registered, &format!("{prefix}{port}/callback?a=1")), "{registered} {port}");
        }
        for rest in
            ["", "/", "/callback", "/callback?a=1&b=2", "/callback?a=1#", "//callback?a=1", "/Callback?a=1"]
        {
            assert!(!admits(registered, &format!("{prefix}:5000{rest}")), "{registered} {rest}");
        }
    }
    assert!(!admits("http://127.0.0.1/callback", "http://[::1]:5000/callback"));
    assert!(!admits("http://127.0.0.1/callback", "http://localhost:5000/callback"));
    assert!(!admits("http://127.0.0.1/callback", "https://127.0.0.1:5000/callback"));
}

#[test]
fn a_loopback_address_with_its_port_admits_that_port_alone() {
    assert!(admits("http://127.0.0.1:5000/callback", "http://127.0.0.1:5000/callback"));
    for presented in
        ["http://127.0.0.1/callback", "http://127.0.0.1:5001/callback", "http://[::1]:5000/callback"]
    {
        assert!(!admits("http://127.0.0.1:5000/callback", presented), "{presented}");
    }
}

/// OA-4: a name is resolved by somebody.
#[test]
fn localhost_admits_no_other_port() {
    assert!(admits("http://localhost/callback", "http://localhost/callback"));
    assert!(!admits("http://localhost/callback", "http://localhost:5000/callback"));
    assert!(!admits("http://localhost:5000/callback", "http://localhost/callback"));
    assert!(!admits("https://localhost/callback", "https://localhost:5000/callback"));
}

#[test]
fn all_other_redirect_uris_admit_their_own_bytes_alone() {
    let https = "https://app.example.nz";
    assert!(admits(https, https));
    for presented in [
        "https://app.example.nz/",
        "https://app.example.nz:443",
        "https://APP.example.nz",
        "https://app.example.nz?",
    ] {
        assert!(!admits(https, presented), "{presented}");
    }
    assert!(admits("nz.example.app:/callback", "nz.example.app:/callback"));
    for presented in ["nz.example.app://callback", "NZ.example.app:/callback", "nz.example.app:5000/callback"]
    {
        assert!(!admits("nz.example.app:/callback", presented), "{presented}");
    }
    assert!(!admits("https://127.0.0.1/callback", "https://127.0.0.1:5000/callback"));
}
