//! The fuzz targets' checks over their committed corpora and over every one-byte change of them, on stable.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail as tests do")]

#[path = "../fuzz/checks.rs"]
#[allow(unreachable_pub, reason = "a module of the fuzz package too")]
mod checks;
#[path = "../../../tests/seeds.rs"]
mod seeds;

use seeds::{CHANGES, run};

#[test]
fn configurations_of_the_corpus_hold() {
    run("configuration", 4, &CHANGES, checks::configuration);
}

#[test]
fn paths_of_the_corpus_hold() {
    run("path", 4, &CHANGES, checks::path);
}

#[test]
fn proxy_headers_of_the_corpus_hold() {
    run("proxy_header", 4, &CHANGES, checks::proxy_header);
}
