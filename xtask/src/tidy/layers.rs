//! Which crate may know which: the layers of ARCHITECTURE.md, read off the dependency graph.

use super::Finding;
use super::graph::{Follow, Graph};

/// Every check of this module.
pub(super) fn check(graph: &Graph) -> Vec<Finding> {
    let checks =
        [known_layers, core_is_small, m2m_is_alone, http_is_on_top, library_errors, banned, described];
    checks.iter().flat_map(|check| check(graph)).collect()
}

const CORE: &str = "irgw-core";
const MEMO: &str = "irgw-memo";
const STORE: &str = "irgw-store";
const MECHANISMS: [&str; 4] = ["irgw-m2m", "irgw-oauth", "irgw-sftp", "irgw-tls"];
const CLIENT: &str = "irgw-client";
const TOPS: [&str; 2] = [CLIENT, "irgw-gateway"];

/// A crate knows only the crates below it; the mechanism crates do not know each other, not even in their tests.
fn known_layers(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in graph.crates() {
        let name = package.name.as_str();
        let (allowed, follow): (Vec<&str>, _) = match name {
            CORE | MEMO => (vec![], Follow::Everything),
            _ if MECHANISMS.contains(&name) => (vec![CORE, MEMO], Follow::Everything),
            STORE => ([&[CORE], MECHANISMS.as_slice()].concat(), Follow::Normal),
            CLIENT => ([&[CORE], MECHANISMS.as_slice()].concat(), Follow::Normal),
            "irgw-gateway" => ([&[CORE, STORE, CLIENT], MECHANISMS.as_slice()].concat(), Follow::Normal),
            _ => {
                findings.push(Finding::new(
                    name,
                    None,
                    "stands in no layer; name it in xtask/src/tidy/layers.rs",
                ));
                continue;
            }
        };
        for known in graph.direct(package, follow) {
            if known.name.starts_with("irgw-")
                && known.name != name
                && !allowed.contains(&known.name.as_str())
            {
                let message = format!("must not know {}; it may know: {}", known.name, words(&allowed));
                findings.push(Finding::new(name, None, message));
            }
        }
    }
    findings
}

/// The dependencies of the core and of the memo are these and no others.
fn core_is_small(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, allowed) in [(CORE, &["rustls-pki-types", "serde", "zeroize"][..]), (MEMO, &[])] {
        let packages = graph.crates().filter(|package| package.name == name);
        for known in packages.flat_map(|package| graph.direct(package, Follow::Normal)) {
            if !allowed.contains(&known.name.as_str()) {
                let message = format!("must not depend on {}; the list is {}", known.name, words(allowed));
                findings.push(Finding::new(name, None, message));
            }
        }
    }
    findings
}

/// An internal service links irgw-m2m alone: no async runtime, HTTP stack, TLS stack or database comes with it (M2M-11).
fn m2m_is_alone(graph: &Graph) -> Vec<Finding> {
    const HEAVY: [&str; 14] = [
        "async-std",
        "axum",
        "h2",
        "hyper",
        "jsonwebtoken",
        "mio",
        "postgres",
        "reqwest",
        "rusqlite",
        "russh",
        "rustls",
        "sequoia-openpgp",
        "tokio",
        "tokio-postgres",
    ];
    let trees = graph.crates().filter(|package| [CORE, "irgw-m2m"].contains(&package.name.as_str()));
    trees
        .flat_map(|package| {
            let tree = graph.tree(package);
            let chains: Vec<_> = HEAVY.iter().filter_map(|heavy| tree.get(heavy).cloned()).collect();
            chains.into_iter().map(|chain| {
                Finding::new(
                    &package.name,
                    None,
                    format!("must build without a runtime, HTTP, TLS or database: {chain}"),
                )
            })
        })
        .collect()
}

/// Only the crates at the top know hyper's server and client.
fn http_is_on_top(graph: &Graph) -> Vec<Finding> {
    const STACK: [&str; 5] = ["axum", "hyper", "hyper-rustls", "hyper-util", "reqwest"];
    let below = graph.crates().filter(|package| !TOPS.contains(&package.name.as_str()));
    below
        .flat_map(|package| {
            let direct = graph.direct(package, Follow::Normal).into_iter();
            direct.filter(|known| STACK.contains(&known.name.as_str())).map(|known| {
                let message = format!("must not depend on {}; only {} may", known.name, words(&TOPS));
                Finding::new(&package.name, None, message)
            })
        })
        .collect()
}

/// Errors are data: a crate that others link has an enum of its own.
fn library_errors(graph: &Graph) -> Vec<Finding> {
    const BAGS: [&str; 3] = ["anyhow", "color-eyre", "eyre"];
    let depends = |package| {
        graph.direct(package, Follow::Normal).into_iter().find(|known| BAGS.contains(&known.name.as_str()))
    };
    graph
        .crates()
        .filter_map(|package| {
            let bag = depends(package)?;
            Some(Finding::new(
                &package.name,
                None,
                format!("must not depend on {}; errors are one enum a crate", bag.name),
            ))
        })
        .collect()
}

/// Crates that must not be in any build, with the reason; deny.toml says the same to cargo-deny.
const BANNED: [(&str, &str); 10] = [
    ("aws-lc-rs", "the one cryptography provider is ring"),
    ("aws-lc-sys", "the one cryptography provider is ring"),
    ("backoff", "unmaintained; backon"),
    ("native-tls", "the one TLS stack is rustls"),
    ("openssl", "the one TLS stack is rustls"),
    ("openssl-sys", "the one TLS stack is rustls"),
    ("rustls-pemfile", "unmaintained; rustls-pki-types reads PEM"),
    ("serde_yaml", "unmaintained; configuration is TOML"),
    ("sqlx", "cannot share a workspace with rusqlite"),
    ("webpki", "unmaintained; rustls-webpki"),
];

/// Nothing banned is built into a published crate.
fn banned(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in graph.crates() {
        let tree = graph.tree(package);
        for (name, reason) in BANNED {
            if let Some(chain) = tree.get(name) {
                findings.push(Finding::new(&package.name, None, format!("{chain} is banned: {reason}")));
            }
        }
    }
    findings
}

/// Every member says in its manifest what it is for.
fn described(graph: &Graph) -> Vec<Finding> {
    let silent = graph.members().filter(|package| package.description.as_deref().is_none_or(str::is_empty));
    silent.map(|package| Finding::new(&package.name, None, "needs a `description` in Cargo.toml")).collect()
}

fn words(names: &[&str]) -> String {
    match names {
        [] => "none of ours".into(),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::super::graph::fixture;
    use super::*;

    fn found(check: fn(&Graph) -> Vec<Finding>, lines: &[&str]) -> Vec<String> {
        check(&fixture(lines)).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_good_workspace_has_no_findings() {
        let good = [
            "irgw-core: serde, zeroize, rustls-pki-types",
            "irgw-memo:",
            "irgw-m2m: irgw-core, irgw-memo, ring, dev jsonwebtoken",
            "irgw-tls: irgw-core, rustls, tokio",
            "irgw-store: irgw-core, irgw-m2m, irgw-tls, rusqlite",
            "irgw-gateway: irgw-core, irgw-m2m, irgw-tls, irgw-store, hyper, tokio",
            "irgw-client: irgw-core, irgw-m2m, irgw-tls, hyper",
        ];
        assert_eq!(check(&fixture(&good)), []);
    }

    #[test]
    fn mechanisms_do_not_know_each_other() {
        let found =
            found(known_layers, &["irgw-m2m: irgw-core, irgw-tls", "irgw-core:", "irgw-tls: irgw-core"]);
        assert_eq!(found, ["irgw-m2m: must not know irgw-tls; it may know: irgw-core, irgw-memo"]);
    }

    #[test]
    fn mechanisms_do_not_know_each_other_in_tests_either() {
        let found =
            found(known_layers, &["irgw-tls: irgw-core, dev irgw-oauth", "irgw-core:", "irgw-oauth:"]);
        assert_eq!(found, ["irgw-tls: must not know irgw-oauth; it may know: irgw-core, irgw-memo"]);
    }

    #[test]
    fn core_knows_none() {
        let found = found(known_layers, &["irgw-core: irgw-tls", "irgw-tls:"]);
        assert_eq!(found, ["irgw-core: must not know irgw-tls; it may know: none of ours"]);
    }

    #[test]
    fn the_client_does_not_know_the_store() {
        let found = found(known_layers, &["irgw-client: irgw-store", "irgw-store:"]);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_new_crate_must_be_given_a_layer() {
        assert_eq!(found(known_layers, &["irgw-extra:"]).len(), 1);
    }

    #[test]
    fn core_stays_small() {
        let found = found(core_is_small, &["irgw-core: serde, http"]);
        assert_eq!(
            found,
            ["irgw-core: must not depend on http; the list is rustls-pki-types, serde, zeroize"]
        );
    }

    #[test]
    fn m2m_brings_no_runtime_however_far_down() {
        let found = found(m2m_is_alone, &["irgw-m2m: middle", "middle: tokio"]);
        assert_eq!(
            found,
            ["irgw-m2m: must build without a runtime, HTTP, TLS or database: irgw-m2m → middle → tokio"]
        );
    }

    #[test]
    fn only_the_top_knows_http() {
        let found = found(http_is_on_top, &["irgw-oauth: hyper", "irgw-gateway: hyper"]);
        assert_eq!(found, ["irgw-oauth: must not depend on hyper; only irgw-client, irgw-gateway may"]);
    }

    #[test]
    fn a_member_without_a_description_is_found() {
        let graph = fixture(&["irgw-tls:"]).without_descriptions();
        assert_eq!(described(&graph).len(), 1);
    }

    #[test]
    fn a_librarys_errors_are_its_own() {
        assert_eq!(found(library_errors, &["irgw-store: anyhow"]).len(), 1);
    }

    #[test]
    fn banned_crates_are_found_however_far_down() {
        let found = found(banned, &["irgw-tls: rustls", "rustls: aws-lc-rs"]);
        assert_eq!(
            found,
            ["irgw-tls: irgw-tls → rustls → aws-lc-rs is banned: the one cryptography provider is ring"]
        );
    }
}
