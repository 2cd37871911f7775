//! The checks of the fuzz targets for SFTP and OpenPGP over their committed corpora and over every one-byte change of
//! them, on stable.

#![cfg(all(unix, feature = "pgp", feature = "ssh"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail as tests do")]

#[path = "../fuzz/pgp.rs"]
#[allow(unreachable_pub, reason = "a module of the fuzz package too")]
mod pgp;
#[path = "../../../tests/seeds.rs"]
mod seeds;
#[path = "../fuzz/sftp.rs"]
#[allow(unreachable_pub, reason = "a module of the fuzz package too")]
mod sftp;

use seeds::{CHANGES, run};

#[test]
fn requests_of_the_corpus_hold() {
    run("sftp_requests", 4, &[0x01, 0x80, 0xff], sftp::sftp_requests);
}

#[test]
fn answers_of_the_corpus_hold() {
    run("sftp_answers", 4, &CHANGES, sftp::sftp_answers);
}

#[test]
fn certificates_of_the_corpus_hold() {
    run("pgp_certificate", 4, &[0x80], pgp::pgp_certificate);
}

#[test]
fn messages_of_the_corpus_hold() {
    run("pgp_message", 4, &CHANGES, pgp::pgp_message);
}
