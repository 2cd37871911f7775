//! A fuzz target's committed corpus, for tests that run its check without the fuzzer: a module of those tests, in each crate.

use std::fs;
use std::path::Path;

/// What a byte is changed by: its last bit, a letter's case, its first bit, every bit.
pub(crate) const CHANGES: [u8; 4] = [0x01, 0x20, 0x80, 0xff];

/// The target's seeds, of which there are `least` or more, by file name.
pub(crate) fn of(target: &str, least: usize) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let seeds: Vec<_> = files
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap()))
        .collect();
    assert!(seeds.len() >= least, "{target}: {}", seeds.len());
    seeds
}

/// Runs a check on each of the target's seeds, on each of their beginnings and with each byte changed in each of these ways.
pub(crate) fn run(target: &str, least: usize, changes: &[u8], check: fn(&[u8])) {
    for (_, seed) in of(target, least) {
        check(&seed);
        for at in 0..seed.len() {
            check(&seed[..at]);
            for change in changes {
                let mut changed = seed.clone();
                changed[at] ^= change;
                check(&changed);
            }
        }
    }
}
