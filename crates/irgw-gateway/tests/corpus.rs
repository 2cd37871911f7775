//! The fuzz targets' checks over their committed corpora and over every one-byte change of them, on stable.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail as tests do")]

#[path = "../fuzz/checks.rs"]
#[allow(unreachable_pub, reason = "a module of the fuzz package too")]
mod checks;

use std::path::PathBuf;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(directory).unwrap();
    files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

fn run(target: &str, check: fn(&[u8])) {
    let seeds = seeds(target);
    assert!(seeds.len() >= 4);
    for seed in seeds {
        check(&seed);
        for at in 0..seed.len() {
            check(&seed[..at]);
            for change in [0x01, 0x20, 0x80, 0xff] {
                let mut changed = seed.clone();
                changed[at] ^= change;
                check(&changed);
            }
        }
    }
}

#[test]
fn configurations_of_the_corpus_hold() {
    run("configuration", checks::configuration);
}

#[test]
fn paths_of_the_corpus_hold() {
    run("path", checks::path);
}

#[test]
fn proxy_headers_of_the_corpus_hold() {
    run("proxy_header", checks::proxy_header);
}
