//! What holds of every page: headers, structure under hostile text, labels, and words that are all used.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use irgw_core::{UnixTime, is_hidden};
use proptest::prelude::*;

use super::layout::next_place;
use super::text::{ALL, EN, Text};
use super::*;
use scan::{Tag, structure, tags};

mod scan;

/// Every page in each of its states, with `slot` wherever a text of others stands and `field` in every hidden field.
fn pages(text: &Text, slot: &str, field: &str) -> Vec<Response<Bytes>> {
    // 2026-01-15, so that the first month is shown.
    let since = UnixTime::since_unix_epoch(Duration::from_secs(1_768_435_200));
    let first = Login {
        action: "/login",
        transaction: field,
        client: Some(slot),
        user_id: slot,
        fault: None,
        redirect: None,
    };
    let code = OneTimeCode { action: "/code", transaction: field, fault: None, redirect: None };
    let application =
        Application { client_id: field, client: slot, provider: Some(slot), since, until: since };
    let some = Connected {
        withdraw: "/withdraw",
        log_out: "/logout",
        transaction: field,
        user_id: slot,
        applications: &[application, Application { provider: None, ..application }],
        withdrawn: None,
    };
    let mut pages = vec![
        login(text, &first),
        login(text, &Login { client: None, fault: Some(LoginFault::Refused), ..first }),
        login(text, &Login { fault: Some(LoginFault::Busy), ..first }),
        one_time_code(text, &code),
        one_time_code(text, &OneTimeCode { fault: Some(OneTimeCodeFault::Refused), ..code }),
        consent(text, &asked(slot, field, None)),
        connected(text, &some),
        connected(text, &Connected { withdrawn: Some(slot), applications: &[], ..some }),
    ];
    pages.extend(ProblemKind::ALL.map(|kind| problem(text, &Problem { kind, request_id: slot })));
    pages.extend(Done::ALL.map(|what| done(text, what)));
    pages
}

fn asked<'a>(slot: &'a str, field: &'a str, redirect: Option<&'a RedirectTarget>) -> Consent<'a> {
    Consent {
        action: "/consent",
        transaction: field,
        client: slot,
        provider: slot,
        user_id: slot,
        until: UnixTime::since_unix_epoch(Duration::from_secs(1_768_435_200)),
        applications: "/applications",
        redirect,
    }
}

fn html(page: &Response<Bytes>) -> &str {
    std::str::from_utf8(page.body()).unwrap()
}

fn named<'a>(tags: &'a [Tag], name: &str) -> Vec<&'a Tag> {
    tags.iter().filter(|tag| tag.name == name).collect()
}

const PAYLOADS: [&str; 14] = [
    "<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' autofocus onfocus='alert(1)",
    "\" autofocus onfocus=\"alert(1)",
    "<svg/onload=alert(1)>",
    "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>",
    "--><script>alert(1)</script><!--",
    "]]><script>alert(1)</script>",
    "</form><form action=https://evil.example>",
    "<base href=https://evil.example>",
    "<meta http-equiv=refresh content=0;url=https://evil.example>",
    "&lt;script&gt;&#x3c;b&#62;&quot;",
    "{{7*7}}{client}${7*7}<%= 7 %>",
];

#[test]
fn hostile_text_changes_no_tag_and_no_attribute() {
    for payload in PAYLOADS {
        for (hostile, plain) in pages(&EN, payload, payload).iter().zip(pages(&EN, "x", "x")) {
            assert_eq!(structure(html(hostile)), structure(html(&plain)), "{payload}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_changes_a_tag_or_an_attribute(slot in "\\PC{0,20}|[<>\"'&= a/]{0,20}") {
        for (any, plain) in pages(&EN, &slot, &slot).iter().zip(pages(&EN, "x", "x")) {
            prop_assert_eq!(structure(html(any)), structure(html(&plain)));
        }
    }

    #[test]
    fn hidden_fields_come_back_as_they_were_given(field in "\\PC{0,40}") {
        for page in pages(&EN, "x", &field) {
            let tags = tags(html(&page));
            let fields = tags.iter().filter(|tag| {
                matches!(tag.attribute("name"), Some("transaction" | "client_id"))
            });
            for tag in fields {
                prop_assert_eq!(tag.attribute("value"), Some(field.as_str()));
            }
        }
    }
}

#[test]
fn what_hides_or_turns_text_round_is_never_shown() {
    for page in pages(&EN, "a\u{202e}b\u{2066}c\u{200b}d\0e\u{1b}f", "x") {
        assert_eq!(html(&page).chars().find(|c| is_hidden(*c)), None, "{}", html(&page));
    }
}

#[test]
fn every_page_has_the_headers() {
    for page in pages(&EN, "x", "x") {
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-store"),
            ("pragma", "no-cache"),
            (
                "content-security-policy",
                "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                 frame-ancestors 'none'",
            ),
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(page.headers().get(name).map(|value| value.to_str().unwrap()), Some(value), "{name}");
        }
        assert!(page.headers().contains_key("permissions-policy"));
    }
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    for page in pages(&EN, "x", "x") {
        let tags = tags(html(&page));
        for tag in &tags {
            assert!(!["script", "style", "iframe", "object", "base"].contains(&tag.name.as_str()), "{tag:?}");
            for (name, value) in &tag.attributes {
                assert!(name != "style" && !name.starts_with("on"), "{tag:?}");
                let local = value.starts_with('/') || value.starts_with('#');
                assert!(local || !["href", "src", "action"].contains(&name.as_str()), "{tag:?}");
            }
        }
    }
}

#[test]
fn answers_may_lead_to_the_clients_redirect_uri() {
    let redirect = RedirectTarget::of("https://app.example.nz/back").unwrap();
    let first = Login {
        action: "/login",
        transaction: "x",
        client: Some("x"),
        user_id: "",
        fault: None,
        redirect: Some(&redirect),
    };
    let code = OneTimeCode { action: "/code", transaction: "x", fault: None, redirect: Some(&redirect) };
    let consent = consent(&EN, &asked("x", "x", Some(&redirect)));
    for page in [login(&EN, &first), one_time_code(&EN, &code), consent] {
        let policy = page.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("; form-action 'self' https://app.example.nz; "), "{policy}");
    }
}

#[test]
fn consent_has_two_forms_and_the_first_allows() {
    let page = consent(&EN, &asked("x", "t", None));
    let tags = tags(html(&page));
    let fields: Vec<_> = tags
        .iter()
        .filter(|tag| matches!(tag.name.as_str(), "form" | "/form" | "input"))
        .map(|tag| (tag.name.as_str(), tag.attribute("name"), tag.attribute("value")))
        .collect();
    let form = |decision| {
        [
            ("form", None, None),
            ("input", Some("transaction"), Some("t")),
            ("input", Some("decision"), Some(decision)),
            ("/form", None, None),
        ]
    };
    assert_eq!(fields, [form("allow"), form("deny")].concat());
    for form in named(&tags, "form") {
        assert_eq!((form.attribute("method"), form.attribute("action")), (Some("post"), Some("/consent")));
    }
}

#[test]
fn every_form_is_posted_and_bound_to_its_transaction() {
    for page in pages(&EN, "x", "t") {
        let tags = tags(html(&page));
        let forms = named(&tags, "form");
        assert!(forms.iter().all(|form| form.attribute("method") == Some("post")));
        let bound = tags.iter().filter(|tag| tag.attribute("name") == Some("transaction"));
        assert_eq!(bound.count(), forms.len());
    }
}

#[test]
fn fields_have_the_names_and_hints_that_password_managers_know() {
    let all = pages(&EN, "x", "x");
    let found: Vec<_> = all.iter().flat_map(|page| tags(html(page))).collect();
    let hint = |name| {
        let field = found.iter().find(|tag| tag.attribute("name") == Some(name)).unwrap();
        field.attribute("autocomplete").map(str::to_owned)
    };
    assert_eq!(hint("user_id").as_deref(), Some("username"));
    assert_eq!(hint("password").as_deref(), Some("current-password"));
    assert_eq!(hint("code").as_deref(), Some("one-time-code"));
}

#[test]
fn every_input_has_a_label_and_every_reference_its_target() {
    for page in pages(&EN, "x", "x") {
        let tags = tags(html(&page));
        let ids: Vec<_> = tags.iter().filter_map(|tag| tag.attribute("id")).collect();
        for id in &ids {
            assert_eq!(ids.iter().filter(|other| other == &id).count(), 1, "{id}");
        }
        let labels: Vec<_> =
            named(&tags, "label").into_iter().filter_map(|label| label.attribute("for")).collect();
        for input in named(&tags, "input") {
            let hidden = input.attribute("type") == Some("hidden");
            assert!(hidden || labels.contains(&input.attribute("id").unwrap()), "{input:?}");
        }
        for tag in &tags {
            let named = ["aria-describedby", "aria-labelledby", "for"].map(|name| tag.attribute(name));
            let linked = tag.attribute("href").and_then(|target| target.strip_prefix('#'));
            for id in named.into_iter().flatten().flat_map(|ids| ids.split(' ')).chain(linked) {
                assert!(ids.contains(&id), "{tag:?}");
            }
        }
        for landmark in ["header", "main", "footer", "h1", "title"] {
            assert_eq!(named(&tags, landmark).len(), 1, "{landmark}");
        }
    }
}

#[test]
fn a_fault_is_tied_to_its_fields() {
    let view = Login {
        action: "/login",
        transaction: "x",
        client: None,
        user_id: "aroha",
        fault: Some(LoginFault::Refused),
        redirect: None,
    };
    let page = login(&EN, &view);
    for id in ["user_id", "password"] {
        let tags = tags(html(&page));
        let field = tags.iter().find(|tag| tag.attribute("id") == Some(id)).unwrap();
        assert_eq!(field.attribute("aria-describedby"), Some("fault"));
        assert_eq!(field.attribute("aria-invalid"), Some("true"));
    }
    assert!(html(&page).contains("<title>Error: Log in – Gateway services</title>"));
}

#[test]
fn a_problem_has_its_status_and_its_reference() {
    let page = problem(&EN, &Problem { kind: ProblemKind::Unavailable, request_id: "01JDG3Q8" });
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(html(&page).contains("<code>01JDG3Q8</code>"));
}

#[test]
fn every_text_is_shown() {
    let names = EN.map(|name, words| format!("[{name}]{}", places(words).concat()));
    let all: String = pages(&names, "x", "x").iter().map(html).collect();
    for (name, _) in EN.all() {
        assert!(all.contains(&format!("[{name}]")), "{name}");
    }
}

#[test]
fn every_place_is_filled_and_no_language_loses_one() {
    for text in ALL {
        for page in pages(text, "x", "x") {
            let html = html(&page).replace("pattern=\"[0-9]{6}\"", "");
            assert!(!html.contains(['{', '}']), "{html}");
        }
        for ((name, words), (_, english)) in text.all().into_iter().zip(EN.all()) {
            let sorted = |words| {
                let mut places = places(words);
                places.sort();
                places
            };
            assert!(!words.trim().is_empty(), "{name}");
            assert_eq!(sorted(words), sorted(english), "{name}");
        }
        assert_eq!(text.all().iter().find(|(name, _)| *name == "months").unwrap().1.split(' ').count(), 12);
    }
}

/// The `{places}` of a sentence, in braces.
fn places(mut words: &str) -> Vec<String> {
    let mut found = Vec::new();
    while let Some((_, place, after)) = next_place(words) {
        found.push(format!("{{{place}}}"));
        words = after;
    }
    found
}
