//! What a case sends, in the words of its file.

use serde::Serialize;
use toml::{Table, Value};

use crate::case::{Case, Given, Row};
use crate::certificate::CertificateRecipe;
use irgw_core::Channel;

/// One thing that was sent or done, such as the request or the certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is.
    pub what: &'static str,
    /// How it is: `GET /gateway/account/1`, or what is different from a good one.
    pub how: String,
}

/// Everything that the case sends.
pub(super) fn facts(case: &Case) -> Vec<Fact> {
    let given = &case.text.given;
    let source = case.text.source.get("given").and_then(Value::as_table).cloned().unwrap_or_default();
    let written = |name: &str| source.get(name).map(|value| with_row(case, &value.to_string()));
    let mut facts = Vec::new();
    let mut add = |what, how: Option<String>| facts.extend(how.map(|how| Fact { what, how }));
    add(
        "configuration",
        case.text.configuration.as_ref().map(|name| format!("tests/configurations/{name}.toml")),
    );
    for (what, name) in [
        ("file server", "file_server"),
        ("set", "set"),
        ("SSH", "ssh"),
        ("key folder", "key_folder"),
        ("before", "oauth"),
        ("preface", "preface"),
        ("ClientHello", "hello"),
        ("TLS", "tls"),
    ] {
        add(what, written(name));
    }
    if given.is_a_transfer() || given.hello.is_some() {
        return facts;
    }
    if given.channel() == Channel::Cloud {
        add("certificate", Some(certificate(given, written("certificate"))));
    }
    if given.token.is_some() {
        let changes = written("token").filter(|changes| changes != "{}");
        add(
            "token",
            Some(changes.map_or("a good one".into(), |changes| format!("a good one, but for {changes}"))),
        );
    }
    add("request", Some(with_row(case, &request(given, source.get("request").and_then(Value::as_table)))));
    facts
}

fn certificate(given: &Given, written: Option<String>) -> String {
    match (&given.certificate, written) {
        (CertificateRecipe::Named(name), _) if name == "none" => "none".into(),
        (CertificateRecipe::Named(name), _) => format!("that of {name}"),
        (CertificateRecipe::Issued(_), written) => {
            format!("issued for the case, good but for {}", written.unwrap_or_default())
        }
    }
}

/// The request line, and whatever else the file says of the request.
fn request(given: &Given, source: Option<&Table>) -> String {
    let request = &given.request;
    let line = match (&request.raw, &request.h2) {
        (Some(raw), _) => return format!("byte by byte: {raw:?}"),
        (_, Some(_)) => "over HTTP/2".to_owned(),
        _ => format!("{} {}", request.method(), request.path),
    };
    let rest = source.map(|table| {
        let mut rest = table.clone();
        rest.remove("path");
        rest.remove("method");
        rest
    });
    match rest.filter(|rest| !rest.is_empty()) {
        Some(rest) => format!("{line}, with {}", Value::Table(rest)),
        None => line,
    }
}

/// The text with the row's own texts in it.
fn with_row(case: &Case, text: &str) -> String {
    let texts = case.text.rows.values().flat_map(Row::texts);
    texts.fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_different_is_shown_with_the_rows_text() {
        let text = "rule = \"M2M-6\"\ntitle = \"t\"\n[rows]\nlong = \"1e400\"\n[given.token]\npayload = { exp = \"${row}\" }\n\
                    [given.request]\npath = \"/gateway/bank/1\"\nheaders = [\"X-A: b\"]\n[expect]\nstatus = 400";
        let parsed = toml::from_str(text).unwrap();
        let text = crate::CaseText { source: text.parse().unwrap(), ..parsed };
        let facts = facts(&Case { name: "a/case/long".into(), text });
        let told: Vec<_> = facts.iter().map(|fact| (fact.what, fact.how.as_str())).collect();
        assert_eq!(told[0], ("certificate", "that of providers[0]"));
        assert_eq!(told[1].0, "token");
        assert!(told[1].1.starts_with("a good one, but for") && told[1].1.contains("1e400"), "{told:?}");
        assert!(
            told[2].1.starts_with("GET /gateway/bank/1, with ") && told[2].1.contains("X-A: b"),
            "{told:?}"
        );
    }
}
