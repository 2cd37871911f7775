//! The fuzz targets' checks over their committed corpora and over every one-byte change of them, on stable.

#[path = "../../fuzz/fileset.rs"]
#[allow(unreachable_pub, reason = "a module of the fuzz package too")]
mod checks;

use std::fs;
use std::io::Cursor;
use std::path::Path;

use irgw_sftp::fileset::{Caps, check_zip};

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let seeds = fs::read_dir(folder).unwrap().map(|seed| {
        let path = seed.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
    });
    seeds.collect()
}

fn run(target: &str, check: fn(&[u8])) {
    let seeds = seeds(target);
    assert!(seeds.len() >= 8);
    for (_, seed) in seeds {
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
fn file_names_of_the_corpus_hold() {
    run("file_name", checks::file_name);
}

#[test]
fn control_files_of_the_corpus_hold() {
    run("control_file", checks::control_file);
}

#[test]
fn zips_of_the_corpus_hold() {
    run("zip", checks::zip);
}

/// The archives of the corpus that pass were made by Python's zipfile, by Info-ZIP and by Java, the last without knowing sizes ahead.
#[test]
fn zips_of_other_writers_pass() {
    let passes = |bytes: &[u8]| check_zip(Cursor::new(bytes), &checks::listed(), &Caps::default()).is_ok();
    let mut good: Vec<_> =
        seeds("zip").into_iter().filter(|(_, seed)| passes(seed)).map(|(name, _)| name).collect();
    good.sort_unstable();
    assert_eq!(good, ["deflated", "descriptors", "info-zip", "java", "reversed", "stored"]);
}
