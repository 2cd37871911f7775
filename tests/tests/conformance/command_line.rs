//! The command line as scripts use it: output, one line an error, exit codes.

use std::sync::Arc;

use irgw_core::Environment;
use irgw_tests::{Local, folder};
use libtest_mimic::{Completion, Trial};
use serde_json::Value;

use crate::environments::{Environments, Ran, ensure, installed, irgw, text};
use crate::tools::{P256, certificate, irgw_in, provider, token};
use crate::{Result, skipped};

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Local) -> Result| {
        let environments = environments.clone();
        let name = format!("command_line::{name}");
        Trial::ignorable_test(name, move || body(&*environments.local(Environment::Test)?))
    };
    let mut trials = vec![
        Trial::ignorable_test("command_line::wrong_arguments_are_2", wrong_arguments),
        Trial::ignorable_test("command_line::irs_sample_is_explained", irs_sample_is_explained),
        trial("signed_token_verifies", signed_token_verifies),
        trial("inspect_names_the_broken_rule", inspect_names_the_broken_rule),
        trial("good_configuration_is_good", good_configuration_is_good),
        trial("common_names_are_assigned", common_names_are_assigned),
        trial("signing_certificates_are_checked", signing_certificates_are_checked),
        trial("lists_are_json", lists_are_json),
        trial("page_sizes_are_bounded", page_sizes_are_bounded),
        trial("strange_names_are_stored_harmlessly", strange_names_are_stored_harmlessly),
    ];
    trials.extend(WRONG.iter().map(|wrong| {
        let name = format!("wrong_configuration_{}", wrong.what);
        let environments = environments.clone();
        Trial::ignorable_test(format!("command_line::{name}"), move || {
            wrong_configuration(&*environments.local(Environment::Test)?, wrong)
        })
    }));
    trials
}

fn one_line(ran: &Ran) -> Result<()> {
    ensure(ran.err.trim_end().lines().count() == 1, || format!("not one line: {:?}", ran.err))
}

fn wrong_arguments() -> Result {
    for arguments in
        [&["frobnicate"][..], &["dev", "--env", "staging"], &["serve"], &["dev", "--ports", "many"]]
    {
        let ran = irgw(arguments)?;
        ensure(ran.code == Some(2), || format!("{arguments:?}: {:?} {}", ran.code, ran.err))?;
    }
    for arguments in
        [&["--help"][..], &["--version"], &["m2m", "sign", "--help"], &["credential", "add", "--help"]]
    {
        let ran = irgw(arguments)?;
        ensure(ran.code == Some(0) && !ran.out.is_empty(), || {
            format!("{arguments:?}: {:?} {}", ran.code, ran.err)
        })?;
    }
    Ok(Completion::Completed)
}

fn signed_token_verifies(local: &Local) -> Result {
    for signing in &provider(local.dev(), 0)?.signing {
        let certificate = text(&signing.certificate);
        let sign = [
            "m2m",
            "sign",
            "--key",
            text(&signing.key),
            "--certificate",
            certificate,
            "--issuer",
            &signing.issuer,
        ];
        let signed = irgw(&sign)?;
        ensure(signed.code == Some(0), || format!("{}: {}", signing.alg, signed.err))?;
        let token = signed.out.trim();
        let verify = |issuer: &str, more: &[&str]| {
            irgw(
                &[&["m2m", "verify", token, "--certificate", certificate, "--issuer", issuer], more].concat(),
            )
        };
        let good = verify(&signing.issuer, &["--json"])?;
        let json: Value = serde_json::from_str(&good.out)?;
        let thumbprint = json.get("sub").and_then(Value::as_str).unwrap_or_default();
        ensure(good.code == Some(0) && thumbprint == signing.thumbprint, || {
            format!("{}: {}", signing.alg, good.out)
        })?;
        for (issuer, at, rule) in
            [("nobody", None, "M2M-5"), (signing.issuer.as_str(), Some(3_600_000), "M2M-6")]
        {
            let exp = json.get("exp").and_then(Value::as_u64).unwrap_or_default();
            let at = at.map(|later: u64| (exp + later).to_string());
            let more: Vec<&str> = at.iter().flat_map(|at| ["--at", at.as_str()]).collect();
            let refused = verify(issuer, &more)?;
            ensure(refused.code == Some(1) && refused.err.contains(rule), || {
                format!("{rule}: {:?} {}", refused.code, refused.err)
            })?;
            one_line(&refused)?;
        }
        let other = irgw(&["m2m", "verify", token, "--certificate", "/no/such/file", "--issuer", "x"])?;
        ensure(other.code == Some(2), || format!("{:?} {}", other.code, other.err))?;
        one_line(&other)?;
    }
    Ok(Completion::Completed)
}

fn inspect_names_the_broken_rule(local: &Local) -> Result {
    let first = provider(local.dev(), 0)?;
    let signing = first.signing.first().ok_or("no signing certificate")?;
    let token = token(first)?;
    let against = ["--certificate", text(&signing.certificate), "--issuer", &signing.issuer, "--json"];
    let good = irgw(&[&["m2m", "inspect", &token], &against[..]].concat())?;
    ensure(good.code == Some(0), || good.err.clone())?;
    let json: Value = serde_json::from_str(&good.out)?;
    let findings = json.get("findings").and_then(Value::as_array).ok_or("no findings")?;
    for rule in ["M2M-2", "M2M-3", "M2M-4", "M2M-5", "M2M-6", "M2M-7", "M2M-8"] {
        let found = findings.iter().any(|finding| finding.get("rule").and_then(Value::as_str) == Some(rule));
        ensure(found, || format!("inspect says nothing of {rule}"))?;
    }
    let (rest, _) = token.rsplit_once('.').ok_or("no token")?;
    for (token, rule) in [("gar.bag.e".to_owned(), "M2M-2"), (format!("{rest}.AAAA"), "M2M-3")] {
        let refused = irgw(&[&["m2m", "inspect", &token], &against[..]].concat())?;
        ensure(refused.code == Some(1) && refused.err.contains(rule), || {
            format!("{rule}: {:?} {}", refused.code, refused.err)
        })?;
        serde_json::from_str::<Value>(&refused.out)?;
    }
    Ok(Completion::Completed)
}

/// IR's published sample: its signature verifies, its `sub` is the thumbprint, and in November 2020 it was good.
fn irs_sample_is_explained() -> Result {
    let samples = folder().join("../../shared/data/ir/tokens");
    let (token, certificate) = (samples.join("m2m-sample.jwt"), samples.join("m2m-sample.crt"));
    if !token.is_file() || !certificate.is_file() {
        return Ok(skipped("IR's sample token is not there (../shared/data/ir/tokens)"));
    }
    let inspect = |at: &str| {
        let issuer = "Digital Service Provider";
        irgw(&[
            "m2m",
            "inspect",
            text(&token),
            "--certificate",
            text(&certificate),
            "--issuer",
            issuer,
            "--at",
            at,
        ])
    };
    let then = inspect("1604890800")?;
    ensure(then.code == Some(0) && then.out.contains("SHA-256"), || {
        format!("{:?} {}{}", then.code, then.out, then.err)
    })?;
    let now = inspect("1904890800")?;
    ensure(now.code == Some(1) && now.err.contains("M2M-"), || format!("{:?} {}", now.code, now.err))?;
    Ok(Completion::Completed)
}

fn good_configuration_is_good(local: &Local) -> Result {
    let checked = irgw(&["check", "--config", text(&local.folder().join("irgw.toml"))])?;
    ensure(checked.code == Some(0), || checked.err.clone())?;
    Ok(Completion::Completed)
}

/// One change that makes the development configuration wrong.
struct Wrong {
    what: &'static str,
    /// What is replaced, by what.
    change: (&'static str, &'static str),
    /// What the line must name.
    names: &'static [&'static str],
}

const WRONG: &[Wrong] = &[
    Wrong {
        what: "environment",
        change: ("environment = \"test\"", "environment = \"staging\""),
        names: &["mock"],
    },
    Wrong {
        what: "key_misspelt",
        change: ("listen = \"127.0.0.1", "lisen = \"127.0.0.1"),
        names: &["lisen"],
    },
    Wrong { what: "syntax", change: ("[store]", "[store"), names: &[] },
    Wrong {
        what: "store_url",
        change: ("sqlite:irgw.sqlite", "mysql://x"),
        names: &["store.url", "sqlite:", "postgres:"],
    },
    Wrong {
        what: "server_elsewhere_without_tls",
        change: ("sqlite:irgw.sqlite", "postgres://irgw@db.example/irgw"),
        names: &["store.url", "sslrootcert=FILE"],
    },
    Wrong {
        what: "server_that_is_not_there",
        change: ("sqlite:irgw.sqlite", "postgres://irgw@localhost:1/irgw"),
        names: &["store.url", "cannot be reached"],
    },
    Wrong {
        what: "address",
        change: ("channel = \"cloud\"\nlisten = \"127.0.0.1", "channel = \"cloud\"\nlisten = \"localhost"),
        names: &["socket address"],
    },
    Wrong { what: "channel", change: ("channel = \"cloud\"", "channel = \"clowd\""), names: &["cloud"] },
    Wrong {
        what: "certificate_missing",
        change: ("certificate = \"pki/server.crt\"", "certificate = \"pki/absent.crt\""),
        names: &["listener[0].certificate", "absent.crt"],
    },
    Wrong {
        what: "key_of_another_certificate",
        change: ("key = \"pki/server.key\"", "key = \"pki/issuer.key\""),
        names: &["listener[0]"],
    },
    // TLS-2: the six suites need an elliptic-curve key.
    Wrong {
        what: "rsa_server_key",
        change: (
            "certificate = \"pki/server.crt\"\nkey = \"pki/server.key\"",
            "certificate = \"pki/rimu-accounting.crt\"\nkey = \"pki/rimu-accounting.key\"",
        ),
        names: &["listener[0]", "elliptic-curve"],
    },
    Wrong {
        what: "root_missing",
        change: ("file = \"pki/root.crt\"", "file = \"pki/absent.crt\""),
        names: &["root[0].file"],
    },
    // TLS-4: what goes on the list is itself checked.
    Wrong {
        what: "root_is_no_authority",
        change: ("file = \"pki/root.crt\"", "file = \"pki/server.crt\""),
        names: &["root[0]", "authority"],
    },
    Wrong {
        what: "mozilla_owner",
        change: ("file = \"pki/root.crt\"", "mozilla = \"Nobody\""),
        names: &["root[0].mozilla", "DigiCert"],
    },
    Wrong {
        what: "client_eku",
        change: ("file = \"pki/root.crt\"", "file = \"pki/root.crt\"\nclient_eku = \"any\""),
        names: &["root[0].client_eku", "client-auth"],
    },
    Wrong { what: "crl_missing", change: ("pki/issuer.crl", "pki/absent.crl"), names: &["root[0].crl[0]"] },
    Wrong {
        what: "upstream_url",
        change: ("[services]", "[upstream.other]\nurl = \"ftp://x\"\n[services]"),
        names: &["upstream.other.url", "http"],
    },
    Wrong {
        what: "upstream_name",
        change: ("upstream = \"sample\"", "upstream = \"simple\""),
        names: &["services.upstream", "sample"],
    },
    Wrong {
        what: "service_table",
        change: ("table = \"published\"", "table = \"private\""),
        names: &["services.table", "published"],
    },
    Wrong {
        what: "limit_too_large",
        change: ("[store]", "[limits]\nheader_seconds = 9999\n[store]"),
        names: &["limits.header_seconds", "60"],
    },
    Wrong { what: "limit_negative", change: ("[store]", "[limits]\nstreams = -1\n[store]"), names: &[] },
    // ENV-4: the relaxed checks are for mock alone.
    Wrong {
        what: "checks_of_mock",
        change: ("[store]", "[m2m]\nchecks = \"structure-and-times\"\n[store]"),
        names: &["m2m.checks", "ENV-4"],
    },
    Wrong {
        what: "allow_list",
        change: ("channel = \"cloud\"", "channel = \"cloud\"\nallow = [\"10.0.0.1/8\"]"),
        names: &["listener[0].allow[0]", "10.0.0.0/8"],
    },
    // G02: the operator's listener is never on the network.
    Wrong {
        what: "operator_on_the_network",
        change: ("[operator]\nlisten = \"127.0.0.1", "[operator]\nlisten = \"0.0.0.0"),
        names: &["operator.listen", "loopback"],
    },
    Wrong {
        what: "identity_key_missing",
        change: ("key = \"pki/identity.key\"", "key = \"pki/absent.key\""),
        names: &["identity.key"],
    },
    Wrong {
        what: "identity_header",
        change: ("issuer = \"urn:irgw:dev\"", "issuer = \"urn:irgw:dev\"\nheader = \"Authorization\""),
        names: &["identity.header"],
    },
    Wrong {
        what: "forwarded_header",
        change: ("[store]", "[forward]\nrequest_headers = [\"X-Client-Cert\"]\n[store]"),
        names: &["forward.request_headers[0]", "TLS-11"],
    },
];

/// One clear line with the file, the line and the key; exit code 2; for `check` and for `serve`, which starts nothing.
fn wrong_configuration(local: &Local, wrong: &Wrong) -> Result {
    let good = std::fs::read_to_string(local.folder().join("irgw.toml"))?;
    let (old, new) = wrong.change;
    ensure(good.contains(old), || format!("the configuration has no {old:?} to replace"))?;
    let file = local.folder().join(format!("wrong-{}.toml", wrong.what));
    std::fs::write(&file, free_ports(&good.replacen(old, new, 1)))?;
    for command in ["check", "serve"] {
        let ran = irgw(&[command, "--config", text(&file)])?;
        ensure(ran.code == Some(2), || format!("{command}: {:?} {}", ran.code, ran.err))?;
        // `serve` may warn of other things before, in lines of its log.
        let told: Vec<&str> =
            ran.err.lines().filter(|line| command == "check" || line.starts_with("irgw: ")).collect();
        let [told] = told.as_slice() else {
            return Err(format!("{command}: not one line: {}", ran.err).into());
        };
        let place = told.split_once(&format!("{}:", file.display())).map(|(_, rest)| rest);
        let line = place.and_then(|rest| rest.split(':').next()).and_then(|line| line.parse::<usize>().ok());
        ensure(line.is_some(), || format!("{command} names no line: {told}"))?;
        for name in wrong.names {
            ensure(told.contains(name), || format!("{command} does not name {name}: {told}"))?;
        }
    }
    Ok(Completion::Completed)
}

/// The running gateway has the ports of the configuration; port 0 is free.
fn free_ports(configuration: &str) -> String {
    let line = |line: &str| match line.rsplit_once(':') {
        Some((before, _)) if line.starts_with("listen = ") => format!("{before}:0\"\n"),
        _ => format!("{line}\n"),
    };
    configuration.lines().map(line).collect()
}

/// CN-1.
fn common_names_are_assigned(local: &Local) -> Result {
    let added = irgw_in(local, &["provider", "add", "assigned"])?;
    ensure(added.code == Some(0), || added.err.clone())?;
    let assign = |domain: &str| {
        irgw_in(local, &["credential", "add", "client-cert", "--provider", "assigned", "--assign", domain])
    };
    let mut names = Vec::new();
    for _ in 0..2 {
        let assigned = assign("assigned.example.nz")?;
        let name = assigned.out.split_whitespace().find(|word| word.contains(".irdgws.")).unwrap_or_default();
        let name = name.trim_matches(['"', ',', ':']).to_owned();
        let (digits, rest) = name.split_once('.').unwrap_or_default();
        let hex = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        ensure(hex && rest == "irdgws.assigned.example.nz", || {
            format!("assigned {name:?}: {}", assigned.err)
        })?;
        names.push(name);
    }
    names.dedup();
    ensure(names.len() == 2, || "the same name was assigned twice".into())?;
    for domain in [
        "",
        "nz",
        "*.example.nz",
        "example.nz.",
        "-a.example.nz",
        "192.0.2.7",
        "a_b.example.nz",
        "exa mple.nz",
        "example.nz\u{0101}",
        "a.very.long.domain.name.example.nz",
    ] {
        let refused = assign(domain)?;
        ensure(matches!(refused.code, Some(1 | 2)), || {
            format!("{domain:?}: {:?} {}", refused.code, refused.out)
        })?;
    }
    let taken = names.first().map(String::as_str).unwrap_or_default();
    let again = irgw_in(
        local,
        &["credential", "add", "client-cert", "--provider", "assigned", "--common-name", taken],
    )?;
    ensure(again.code == Some(1), || format!("a name twice: {:?} {}", again.code, again.err))?;
    let add = ["credential", "add", "client-cert", "--provider", "assigned", "--common-name", "foo"];
    let odd = irgw_in(local, &add)?;
    ensure(odd.code == Some(0) && odd.err.contains("TLS-6"), || {
        format!("a name that is not of IR's form: {:?} {}", odd.code, odd.err)
    })?;
    let wildcard = [
        "credential",
        "add",
        "client-cert",
        "--provider",
        "assigned",
        "--common-name",
        "*.irdgws.example.nz",
    ];
    let refused = irgw_in(local, &wildcard)?;
    ensure(matches!(refused.code, Some(1 | 2)), || format!("a wildcard: {:?}", refused.code))?;
    Ok(Completion::Completed)
}

/// M2M-8, M2M-4, G11.
fn signing_certificates_are_checked(local: &Local) -> Result {
    if installed("openssl").is_none() {
        return Ok(skipped("openssl is not installed"));
    }
    let added = irgw_in(local, &["provider", "add-owner", "checked"])?;
    ensure(added.code == Some(0), || added.err.clone())?;
    for (name, key, days, rule) in [
        ("four-years", P256, "1461", None),
        ("too-long", P256, "1462", Some("M2M-8")),
        ("weak", &["rsa:1024"][..], "30", Some("M2M-4")),
        ("other-curve", &["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"], "30", Some("M2M-4")),
        ("ed25519", &["ed25519"], "30", Some("M2M-4")),
    ] {
        let (_, certificate) = certificate(local.folder(), name, key, days, &[])?;
        let add = [
            "credential",
            "add",
            "signing-cert",
            "--owner",
            "checked",
            "--issuer",
            name,
            "--certificate",
            &certificate,
        ];
        let ran = irgw_in(local, &add)?;
        match rule {
            None => ensure(ran.code == Some(0), || format!("{name}: {}", ran.err))?,
            Some(rule) => {
                ensure(ran.code == Some(1) && ran.err.contains(rule), || {
                    format!("{name}: {:?} {}", ran.code, ran.err)
                })?;
                one_line(&ran)?;
            }
        }
        if rule.is_none() {
            let again = irgw_in(local, &add)?;
            ensure(again.code == Some(1), || {
                format!("{name} a second time: {:?} {}", again.code, again.err)
            })?;
        }
    }
    Ok(Completion::Completed)
}

fn lists_are_json(local: &Local) -> Result {
    for arguments in [
        &["provider", "list"][..],
        &["provider", "list-owners"],
        &["credential", "list"],
        &["credential", "list", "client-certs"],
        &["credential", "list", "signing-certs"],
    ] {
        let plain = irgw_in(local, arguments)?;
        ensure(plain.code == Some(0) && plain.out.contains("kowhai-payroll"), || {
            format!("{arguments:?}: {}{}", plain.out, plain.err)
        })?;
        let listed = irgw_in(local, &[arguments, &["--json"]].concat())?;
        ensure(listed.code == Some(0), || format!("{arguments:?}: {}", listed.err))?;
        serde_json::from_str::<Value>(&listed.out)
            .map_err(|error| format!("{arguments:?}: {error}: {}", listed.out))?;
    }
    Ok(Completion::Completed)
}

/// G13.
fn page_sizes_are_bounded(local: &Local) -> Result {
    for limit in ["0", "-1", "99999999999", "many", ""] {
        let limit = format!("--limit={limit}");
        let ran = irgw_in(local, &["provider", "list", &limit])?;
        ensure(ran.code == Some(2), || format!("{limit}: {:?} {}", ran.code, ran.out))?;
    }
    let one = irgw_in(local, &["provider", "list", "--limit=1"])?;
    ensure(one.code == Some(0), || one.err.clone())?;
    Ok(Completion::Completed)
}

/// G03.
fn strange_names_are_stored_harmlessly(local: &Local) -> Result {
    for id in
        ["x'; DROP TABLE providers; --", "../../etc/passwd", "$(touch /x)", "%s%n", "\u{202e}abc", "a\"b\\c"]
    {
        let added = irgw_in(local, &["provider", "add", id])?;
        ensure(added.code == Some(0), || format!("{id:?}: {}", added.err))?;
        let again = irgw_in(local, &["provider", "add", id])?;
        ensure(again.code == Some(1), || format!("{id:?} twice: {:?}", again.code))?;
    }
    let listed = irgw_in(local, &["provider", "list", "--json"])?;
    ensure(listed.out.contains("DROP TABLE"), || listed.out.clone())?;
    for id in ["", "a\nb", "a\u{7}b"] {
        let added = irgw_in(local, &["provider", "add", id])?;
        ensure(matches!(added.code, Some(1 | 2)), || format!("{id:?}: {:?}", added.code))?;
    }
    Ok(Completion::Completed)
}
