//! Every wrong setting is one line that names file, line, key and what is allowed.

use std::path::Path;

use super::*;

const GOOD: &str = r#"environment = "test"
[store]
url = "sqlite:state/irgw.sqlite"
[audit]
file = "audit.jsonl"
[identity]
key = "identity.key"
issuer = "https://gateway.example/"
[operator]
listen = "127.0.0.1:4090"
token_file = "operator.token"
[[listener]]
channel = "cloud"
listen = "0.0.0.0:4046"
certificate = "server.crt"
key = "server.key"
[[root]]
mozilla = "DigiCert"
[upstream.main]
url = "http://127.0.0.1:9000"
[services]
table = "published"
upstream = "main"
"#;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("/etc/irgw/irgw.toml"), text).map_err(|problem| problem.to_string())
}

/// The problem that replacing `from` by `to` in a good configuration makes.
fn problem(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    parse(&GOOD.replacen(from, to, 1)).expect_err(to)
}

#[test]
fn good_configuration_is_read_with_its_defaults() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.store.value.to_string(), "sqlite:/etc/irgw/state/irgw.sqlite");
    assert_eq!(config.audit_key.value, Path::new("/etc/irgw/audit.jsonl.key"));
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.listeners[0].client_certificates, ClientCertificates::Required);
    assert_eq!(config.m2m.checks, irgw_m2m::Checks::Full);
    assert_eq!(config.services.services().len(), 23);
    assert_eq!(config.identity.header, "x-gateway-identity");
}

#[test]
fn problem_names_file_line_key_and_what_is_allowed() {
    let text = problem("sqlite:state/irgw.sqlite", "mysql://x");
    assert_eq!(
        text,
        "/etc/irgw/irgw.toml:3: store.url: \"mysql:…\" is not allowed; \"sqlite:PATH\" and \
         \"postgres://USER@HOST/DATABASE\" are"
    );
}

/// C29: whatever is wrong with it, a URL's password is not repeated.
#[test]
fn server_is_named_without_its_password() {
    let with = |url: &str| parse(&GOOD.replacen("sqlite:state/irgw.sqlite", url, 1));
    let config = with("postgres://irgw:correct-horse@db.example/irgw?sslrootcert=ca.pem").unwrap();
    assert_eq!(config.store.value.to_string(), "postgres://irgw@db.example:5432/irgw");
    assert!(!format!("{config:?}").contains("correct-horse"));
    for (url, said) in [
        ("postgres://irgw:correct-horse@db.example/irgw", "sslrootcert"),
        ("postgres://irgw:correct-horse@localhost", "USER@HOST/DATABASE"),
        ("postgres://irgw:correct-horse@localhost:x/irgw", "cannot be read"),
        ("pgsql://irgw:correct-horse@localhost/irgw", "not allowed"),
        ("postgres://irgw:correct-horse@localhost/irgw\" x", "unexpected key"),
    ] {
        let text = with(url).unwrap_err();
        assert!(text.contains("irgw.toml:3: ") && text.contains(said), "{text}");
        assert!(!text.contains("correct-horse"), "{text}");
    }
}

#[test]
fn password_file_is_a_servers() {
    let with = |url: &str| {
        parse(&GOOD.replacen("[audit]", "password_file = \"password\"\n[audit]", 1).replacen(
            "sqlite:state/irgw.sqlite",
            url,
            1,
        ))
    };
    let config = with("postgres://irgw@localhost/irgw").unwrap();
    assert_eq!(config.store_password.unwrap().value, Path::new("/etc/irgw/password"));
    let text = with("sqlite:irgw.sqlite").unwrap_err();
    assert!(text.contains("irgw.toml:4: store.password_file: a SQLite file has no password"), "{text}");
}

#[test]
fn every_wrong_setting_is_refused_at_its_place() {
    for (from, to, line, said) in [
        ("environment = \"test\"", "environment = \"live\"", 1, "expected one of `mock`, `test`, `prod`"),
        (
            "file = \"audit.jsonl\"",
            "file = 7",
            5,
            "audit.file: invalid type: integer `7`, expected path string",
        ),
        ("issuer = \"https", "isuer = \"https", 8, "unknown field `isuer`, expected"),
        (
            "127.0.0.1:4090",
            "0.0.0.0:4090",
            10,
            "operator.listen: 0.0.0.0:4090 is not allowed; a loopback address is",
        ),
        ("environment = \"test\"\n", "", 1, "environment: is missing; \"mock\", \"test\" or \"prod\" is"),
        ("[audit]", "[identity]\n[audit]", 7, "duplicate key identity"),
        (
            "channel = \"cloud\"",
            "channel = \"clowd\"",
            13,
            "listener[0].channel: unknown variant `clowd`, expected `cloud` or `desktop`",
        ),
        ("certificate = \"server.crt\"\n", "", 12, "listener[0]: missing field `certificate`"),
        (
            "0.0.0.0:4046",
            "0.0.0.0",
            14,
            "listener[0].listen: \"0.0.0.0\" is no socket address; an address and a port",
        ),
        (
            "mozilla = \"DigiCert\"",
            "client_eku = \"client-auth\"",
            17,
            "root[0]: needs either `file` or `mozilla`",
        ),
        (
            "mozilla = \"DigiCert\"",
            "mozilla = \"DigiCert\"\nfile = \"root.crt\"",
            17,
            "root[0]: needs either `file` or `mozilla`, not both",
        ),
        (
            "mozilla = \"DigiCert\"",
            "mozilla = \"DigiCert\"\nclient_eku = \"any\"",
            19,
            "root[0].client_eku: \"any\" is not allowed; \"client-auth\" or \"server-auth-accepted\"",
        ),
        ("http://127.0.0.1:9000", "127.0.0.1:9000", 20, "upstream.main.url"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000/path", 20, "with no path"),
        ("http://127.0.0.1:9000", "https://127.0.0.1:9000", 20, "needs `ca_file`"),
        (
            "http://127.0.0.1:9000\"",
            "http://127.0.0.1:9000\"\nca_file = \"ca.crt\"",
            21,
            "upstream.main.ca_file: is not allowed with an http:// URL",
        ),
        (
            "upstream = \"main\"",
            "upstream = \"other\"",
            23,
            "services.upstream: \"other\" is no [upstream.NAME]; those are: main",
        ),
        ("table = \"published\"", "table = \"default\"", 22, "\"published\" or \"none\""),
        ("table = \"published\"", "table = \"none\"", 22, "at least one [[service]] is needed"),
    ] {
        let text = problem(from, to);
        let place = format!("/etc/irgw/irgw.toml:{line}: ");
        assert!(text.starts_with(&place) && text.contains(said), "{to}\n{text}");
        assert!(!text.contains('\n'), "{text}");
    }
}

#[test]
fn limits_are_bounded() {
    for (setting, said) in [
        ("handshake_seconds = 0", "limits.handshake_seconds: 0 is not allowed; 1 to 60 is"),
        ("header_bytes = 100", "limits.header_bytes: 100 is not allowed; 8192 to 1048576 is"),
        ("streams = -1", "limits.streams: -1 is not allowed; 1 to 1000 is"),
        ("connections = \"many\"", "limits.connections: \"many\" is not allowed; 1 to 1000000 is"),
        ("connections = 5.5", "limits.connections: 5.5 is not allowed; 1 to 1000000 is"),
        ("connections = 1_000_001", "limits.connections: 1_000_001 is not allowed; 1 to 1000000 is"),
        (
            "connections = 99999999999999999999",
            "limits.connections: 99999999999999999999 is not allowed; 1 to 1000000 is",
        ),
        ("requests_per_second = 0", "limits.requests_per_second: 0 is not allowed"),
    ] {
        let text = parse(&format!("{GOOD}[limits]\n{setting}\n")).unwrap_err();
        assert!(text.starts_with("/etc/irgw/irgw.toml:25: ") && text.contains(said), "{text}");
    }
    let config = parse(&format!("{GOOD}[limits]\nbody_bytes = 1_0\nburst = 0x5\n")).unwrap();
    assert_eq!((config.limits.body_bytes, config.limits.burst), (10, 5));
}

#[test]
fn cloud_listener_without_roots_is_refused() {
    let text = problem("[[root]]\nmozilla = \"DigiCert\"\n", "");
    assert!(text.starts_with("/etc/irgw/irgw.toml:12: listener[0]: "), "{text}");
    assert!(text.contains("no root approves any"), "{text}");
}

#[test]
fn configuration_without_listeners_is_refused() {
    let listener = GOOD.find("[[listener]]").unwrap()..GOOD.find("[[root]]").unwrap();
    let text = parse(&GOOD.replace(&GOOD[listener], "")).unwrap_err();
    assert!(text.starts_with("/etc/irgw/irgw.toml:1: listener: there is no [[listener]]"), "{text}");
}

/// The gateway would overwrite the identity, or the identity what the gateway says.
#[test]
fn identity_does_not_travel_in_a_field_that_the_gateway_sets() {
    for name in ["X-Request-Id", "x-gateway-reason", "X-Gateway-Environment", "Authorization"] {
        let header = format!("issuer = \"https://gateway.example/\"\nheader = \"{name}\"");
        let text = problem("issuer = \"https://gateway.example/\"", &header);
        assert!(text.starts_with("/etc/irgw/irgw.toml:9: identity.header: "), "{text}");
    }
}

/// ERR-1.
#[test]
fn reasons_are_shown_outside_prod_unless_told_otherwise() {
    let shown = |environment: &str, errors: &str| {
        let environment = format!("environment = \"{environment}\"");
        let text = GOOD.replace("environment = \"test\"", &environment);
        parse(&format!("{text}{errors}")).map(|config| config.reason_header)
    };
    let (on, off) = ("[errors]\nreason_header = true\n", "[errors]\nreason_header = false\n");
    assert_eq!(shown("test", ""), Ok(ReasonHeader::Shown));
    assert_eq!(shown("test", on), Ok(ReasonHeader::Shown));
    assert_eq!(shown("test", off), Ok(ReasonHeader::Withheld));
    assert_eq!(shown("prod", ""), Ok(ReasonHeader::Withheld));
    assert_eq!(shown("prod", off), Ok(ReasonHeader::Withheld));
    let text = shown("prod", on).unwrap_err();
    assert!(text.starts_with("/etc/irgw/irgw.toml:25: errors.reason_header: "), "{text}");
}

/// ENV-4: mock asks for no certificate, so it must say which addresses may come.
#[test]
fn mock_needs_an_allow_list_and_checks_less() {
    let text = problem("environment = \"test\"", "environment = \"mock\"");
    assert!(text.contains("listener[0].allow: is required in mock"), "{text}");
    let mock = GOOD
        .replace("environment = \"test\"", "environment = \"mock\"")
        .replace("key = \"server.key\"", "key = \"server.key\"\nallow = [\"127.0.0.0/8\"]");
    let config = parse(&mock).unwrap();
    assert_eq!(config.listeners[0].client_certificates, ClientCertificates::NotAsked);
    assert_eq!(config.m2m.checks, irgw_m2m::Checks::StructureAndTimes);
}

/// ENV-4: the relaxed checks belong to mock alone.
#[test]
fn unchecked_tokens_are_refused_outside_mock() {
    let text = parse(&format!("{GOOD}[m2m]\nchecks = \"structure-and-times\"\n")).unwrap_err();
    assert!(
        text.contains("m2m.checks: \"structure-and-times\" is not allowed in test; \"full\" is"),
        "{text}"
    );
}

#[test]
fn header_that_claims_an_identity_cannot_be_forwarded() {
    for name in ["X-Forwarded-For", "x_client_cert", "Connection", "Cookie"] {
        let text = parse(&format!("{GOOD}[forward]\nrequest_headers = [\"{name}\"]\n")).unwrap_err();
        assert!(text.contains("a caller could claim an identity"), "{text}");
    }
    assert!(parse(&format!("{GOOD}[forward]\nrequest_headers = [\"X-Correlation\"]\n")).is_ok());
}

#[test]
fn networks_are_checked_one_by_one() {
    let text =
        problem("key = \"server.key\"", "key = \"server.key\"\nbalancers = [\"10.0.0.0/8\", \"10.0.0.1/8\"]");
    assert!(text.starts_with("/etc/irgw/irgw.toml:17: listener[0].balancers[1]: "), "{text}");
}

#[test]
fn own_row_takes_the_place_of_a_published_one() {
    let own = "[[service]]\nname = \"bill\"\ncloud = [\"/gateway/bill/\"]\nm2m = true\ndialect = \"bill\"\n";
    let config = parse(&format!("{GOOD}{own}")).unwrap();
    assert_eq!(config.services.services().len(), 23);
    let text = parse(&format!("{GOOD}{}", own.replace("m2m = true\n", ""))).unwrap_err();
    assert!(text.contains(":24: service[0]: service bill: nothing opens it"), "{text}");
}

#[test]
fn wrong_row_is_refused_at_its_key() {
    let good = "[[service]]\nname = \"a\"\ndialect = \"suite\"\ncloud = [\"/gateway/a/\"]\nm2m = true\n";
    for (wrong, line, key) in [
        ("name = \"b\"\ndialect = \"sweet\"\ncloud = [\"/gateway/b/\"]\nm2m = true", 31, "dialect"),
        ("name = \"a\"\ndialect = \"suite\"\ncloud = [\"/gateway/b/\"]\nm2m = true", 30, "name"),
        (
            "name = \"b\"\ndialect = \"suite\"\ncloud = [\n\"/gateway/b/\",\n\"/b/\"]\nm2m = true",
            34,
            "cloud[1]",
        ),
        ("name = \"b\"\ndialect = \"suite\"\nm2m = true\ncloud = [\"/gateway/A\"]", 33, "cloud[0]"),
        ("name = \"b\"\ndialect = \"suite\"\nm2m = true\ndesktop = [\"/gateway2/b/\"]", 33, "desktop"),
        (
            "name = \"b\"\ndialect = \"suite\"\noauth = true\ncloud = [\"/gateway2/b/\"]\ndesktop = [\"/gateway2/b/\"]",
            33,
            "cloud[0]",
        ),
        (
            "name = \"b\"\ndialect = \"suite\"\nm2m = true\ncloud = [\"/gateway/b/\"]\nupstream = \"x\"",
            34,
            "upstream",
        ),
    ] {
        let text = parse(&format!("{GOOD}{good}[[service]]\n{wrong}\n")).unwrap_err();
        assert!(text.starts_with(&format!("/etc/irgw/irgw.toml:{line}: service[1].{key}: ")), "{text}");
    }
}

proptest::proptest! {
    /// No text makes the reader panic.
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = parse(&text);
        let _ = parse(&GOOD.replacen("test", &text, 1));
    }
}

/// OA-7, OA-10, OA-12, ENV-4: the authorization server is optional; what is said of it is checked.
#[test]
fn authorization_server_is_read_and_checked() {
    let table = "[oauth]\nvault = \"vault.key\"\nissuer = \"https://localhost:4443/gateway3/oauth/\"\n";
    assert!(parse(GOOD).unwrap().oauth.is_none());
    let oauth = parse(&format!("{GOOD}{table}")).unwrap().oauth.unwrap();
    assert_eq!(oauth.vault.value, Path::new("/etc/irgw/vault.key"));
    assert_eq!((oauth.grace.as_secs(), oauth.consent), (0, ConsentPage::Shown));

    for (key, value, said) in [
        ("grace_seconds", "61", "oauth.grace_seconds: 61 is not allowed; 0 to 60 is"),
        ("consent", "\"skip\"", "oauth.consent: \"skip\" is not allowed in test; \"ask\" is (ENV-4, OA-7)"),
        ("consent", "\"never\"", "oauth.consent: \"never\" is not allowed; \"ask\" or \"skip\" is"),
        ("secret", "\"x\"", "oauth.secret: unknown field `secret`"),
    ] {
        let text = parse(&format!("{GOOD}{table}{key} = {value}\n")).unwrap_err();
        assert!(text.contains(said), "{text}");
    }
    let left_out = parse(&format!("{GOOD}[oauth]\nvault = \"vault.key\"\n")).unwrap().oauth.unwrap();
    assert_eq!((left_out.issuer, left_out.audience), (None, None));
    for wrong in [
        "http://localhost/gateway3/oauth/",
        "https://localhost/gateway3/oauth",
        "https://localhost/gateway3/oauth/?x",
        "https://localhost/gateway3/oauth/#x",
        "https://u@localhost/gateway3/oauth/",
        "/gateway3/oauth/",
        "",
    ] {
        let table = table.replace("https://localhost:4443/gateway3/oauth/", wrong);
        let text = parse(&format!("{GOOD}{table}")).unwrap_err();
        assert!(text.contains("oauth.issuer: ") && text.contains("(OA-10)"), "{text}");
    }
}

/// PGP-3: the passphrase has one source, and it is not this file.
#[test]
fn file_transfer_names_its_keys_and_one_source_of_their_passphrase() {
    let with = |passphrase: &str| {
        parse(&format!("{GOOD}[files]\nkeys = \"keys\"\nspool = \"/var/spool/irgw\"\n{passphrase}\n"))
    };
    let files = with("passphrase_file = \"passphrase\"").unwrap().files.unwrap();
    assert_eq!(files.keys.value, Path::new("/etc/irgw/keys"));
    assert_eq!(files.spool.value, Path::new("/var/spool/irgw"));
    let sources = [
        ("passphrase_file = \"passphrase\"", PassphraseSource::File("/etc/irgw/passphrase".into())),
        ("passphrase_env = \"IRGW_KEYS\"", PassphraseSource::Env("IRGW_KEYS".into())),
        ("passphrase_credential = \"irgw-keys\"", PassphraseSource::Credential("irgw-keys".into())),
    ];
    for (setting, source) in sources {
        assert_eq!(with(setting).unwrap().files.unwrap().passphrase.value, source);
    }
    for (setting, said) in [
        ("", "24: files: needs one of `passphrase_file`, `passphrase_env` and `passphrase_credential`"),
        ("passphrase_file = \"a\"\npassphrase_env = \"B\"", "24: files: needs one of"),
        (
            "passphrase = \"kererū in the pūriri\"",
            "27: files.passphrase: unknown field `passphrase`, expected",
        ),
        ("passphrase_env = \"A B\"", "27: files.passphrase_env: this is no name of an environment variable"),
        ("passphrase_env = \"1A\"", "27: files.passphrase_env: this is no name"),
        (
            "passphrase_credential = \"../x\"",
            "27: files.passphrase_credential: this is no name of a credential",
        ),
        ("passphrase_credential = \"\"", "27: files.passphrase_credential: this is no name of a credential"),
    ] {
        let text = with(setting).unwrap_err();
        assert!(text.starts_with(&format!("/etc/irgw/irgw.toml:{said}")), "{text}");
        assert!(!text.contains("kererū"), "{text}");
    }
    assert!(parse(GOOD).unwrap().files.is_none());
}
