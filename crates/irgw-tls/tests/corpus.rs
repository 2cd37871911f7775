//! The fuzz targets' checks over their committed corpora and over every one-byte change of them, on stable.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail as tests do")]

#[path = "../fuzz/checks.rs"]
#[allow(unreachable_pub, reason = "a module of the fuzz package too")]
mod checks;
#[path = "../../../tests/seeds.rs"]
mod seeds;

use seeds::{CHANGES, run};

#[test]
fn common_names_of_the_corpus_hold() {
    run("common_name", 4, &CHANGES, checks::common_name);
}

#[test]
fn certificates_of_the_corpus_hold() {
    run("certificate", 4, &CHANGES, checks::certificate);
}
