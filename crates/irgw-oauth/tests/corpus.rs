//! The fuzz target's check over its committed corpus and over every one-byte change of it, on stable.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail as tests do")]

#[path = "../fuzz/checks.rs"]
#[allow(unreachable_pub, reason = "a module of the fuzz package too")]
mod checks;
#[path = "../../../tests/seeds.rs"]
mod seeds;
#[path = "../fuzz/state.rs"]
#[allow(unreachable_pub, reason = "a module of the fuzz package too")]
mod state;

#[test]
fn requests_of_the_corpus_hold() {
    seeds::run("request", 12, &seeds::CHANGES, checks::request);
}
