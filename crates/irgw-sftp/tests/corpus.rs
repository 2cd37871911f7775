//! The checks of the fuzz targets for SFTP and OpenPGP over their committed corpora and over every one-byte change of
//! them, on stable.

#![cfg(all(unix, feature = "pgp", feature = "ssh"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail as tests do")]

#[path = "../fuzz/pgp.rs"]
#[allow(unreachable_pub, reason = "a module of the fuzz package too")]
mod pgp;
#[path = "../fuzz/sftp.rs"]
#[allow(unreachable_pub, reason = "a module of the fuzz package too")]
mod sftp;

fn run(target: &str, changes: &[u8], check: fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let seeds: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(seeds.len() >= 4);
    for seed in seeds {
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

#[test]
fn requests_of_the_corpus_hold() {
    run("sftp_requests", &[0x01, 0x80, 0xff], sftp::sftp_requests);
}

#[test]
fn answers_of_the_corpus_hold() {
    run("sftp_answers", &[0x01, 0x20, 0x80, 0xff], sftp::sftp_answers);
}

#[test]
fn certificates_of_the_corpus_hold() {
    run("pgp_certificate", &[0x80], pgp::pgp_certificate);
}

#[test]
fn messages_of_the_corpus_hold() {
    run("pgp_message", &[0x01, 0x20, 0x80, 0xff], pgp::pgp_message);
}
