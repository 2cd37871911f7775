//! The fuzz target's check over its committed corpus and over every one-byte change of it, on stable.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail as tests do")]

#[path = "../fuzz/checks.rs"]
#[allow(unreachable_pub, reason = "a module of the fuzz package too")]
mod checks;
#[path = "../fuzz/state.rs"]
#[allow(unreachable_pub, reason = "a module of the fuzz package too")]
mod state;

#[test]
fn requests_of_the_corpus_hold() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/request");
    let seeds: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(seeds.len() >= 12);
    for seed in seeds {
        checks::request(&seed);
        for at in 0..seed.len() {
            checks::request(&seed[..at]);
            for change in [0x01, 0x20, 0x80, 0xff] {
                let mut changed = seed.clone();
                changed[at] ^= change;
                checks::request(&changed);
            }
        }
    }
}
