//! Memory does not grow with the file (PGP-2). A binary of its own: what is measured is the whole process's.
#![cfg(all(feature = "pgp", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "support/memory.rs"]
mod memory;

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use irgw_core::UnixTime;
use irgw_sftp::pgp::{
    Algorithm, Compression, Limits, OwnKey, PartnerCert, Quarantine, Terms, decrypt, encrypt,
};
use memory::peak_mib;

const MIB: u64 = 1 << 20;
const FILE_MIB: u64 = 256;
const GROWTH_LIMIT_MIB: u64 = 48;

#[test]
fn quarter_of_a_gibibyte_streams_both_ways_in_a_few_mebibytes() {
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_780_000_000));
    let year = Duration::from_secs(365 * 24 * 3600);
    let ours = OwnKey::generate("IR", Algorithm::Curve25519, now, year).unwrap();
    let theirs = OwnKey::generate("DSP", Algorithm::Curve25519, now, year).unwrap();
    let enrolled = |key: &OwnKey| PartnerCert::enrol(&key.certificate(), now, Terms::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("message.pgp");

    let before = peak_mib();
    let began = Instant::now();
    let sink = io::BufWriter::new(std::fs::File::create(&path).unwrap());
    let mut message = encrypt(&[&enrolled(&theirs)], &ours, Compression::None, now, sink).unwrap();
    io::copy(&mut io::repeat(0x5a).take(FILE_MIB * MIB), &mut message).unwrap();
    message.finish().unwrap().flush().unwrap();
    let encrypted = began.elapsed();
    let after = peak_mib();
    assert!(after - before < GROWTH_LIMIT_MIB, "encryption took {} MiB", after - before);

    let began = Instant::now();
    let quarantine = Quarantine::create_in(folder.path()).unwrap();
    let source = std::fs::File::open(&path).unwrap();
    let verified =
        decrypt(&[theirs], &[enrolled(&ours)], now, &Limits::default(), source, quarantine).unwrap();
    assert_eq!(verified.bytes(), FILE_MIB * MIB);
    let decrypted = began.elapsed();
    assert!(peak_mib() - before < GROWTH_LIMIT_MIB, "both ways took {} MiB", peak_mib() - before);

    let speed = |time: Duration| FILE_MIB as f64 / time.as_secs_f64();
    println!(
        "encrypt {:.0} MiB/s, decrypt {:.0} MiB/s, {} MiB more than before",
        speed(encrypted),
        speed(decrypted),
        peak_mib() - before
    );
}
