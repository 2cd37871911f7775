//! The fuzz targets' checks over their committed corpora and over every one-byte change of them, on stable.

#[path = "../../fuzz/fileset.rs"]
#[allow(unreachable_pub, reason = "a module of the fuzz package too")]
mod checks;
#[path = "../../../../tests/seeds.rs"]
mod seeds;

use std::io::Cursor;

use irgw_sftp::fileset::{Caps, check_zip};

use seeds::{CHANGES, run};

#[test]
fn file_names_of_the_corpus_hold() {
    run("file_name", 8, &CHANGES, checks::file_name);
}

#[test]
fn control_files_of_the_corpus_hold() {
    run("control_file", 8, &CHANGES, checks::control_file);
}

#[test]
fn zips_of_the_corpus_hold() {
    run("zip", 8, &CHANGES, checks::zip);
}

/// The archives of the corpus that pass were made by Python's zipfile, by Info-ZIP and by Java, the last without knowing sizes ahead.
#[test]
fn zips_of_other_writers_pass() {
    let passes = |bytes: &[u8]| check_zip(Cursor::new(bytes), &checks::listed(), &Caps::default()).is_ok();
    let mut good: Vec<_> =
        seeds::of("zip", 8).into_iter().filter(|(_, seed)| passes(seed)).map(|(name, _)| name).collect();
    good.sort_unstable();
    assert_eq!(good, ["deflated", "descriptors", "info-zip", "java", "reversed", "stored"]);
}
