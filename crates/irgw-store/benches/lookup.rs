//! What a request pays for a look-up, what a node pays at its start and for a change: with 1,000, 100,000 and 1,000,000
//! enrolled signing certificates and a tenth as many client certificates.

use std::sync::Arc;

use divan::Bencher;
use irgw_core::{Environment, Thumbprint, UnixTime};
use irgw_m2m::{LegacySha1, SigningCert, SigningCerts};
use irgw_store::{NewClientCert, NewSigningCert, Registry, Store};
use irgw_tls::{CommonName, Enrolments};
use rcgen::{CertificateParams, KeyPair};
use rusqlite::Connection;

fn main() {
    divan::main();
}

const NUMBERS: [u32; 3] = [1_000, 100_000, 1_000_000];

#[divan::bench(args = NUMBERS)]
fn by_sha256(bencher: Bencher<'_, '_>, number: u32) {
    let town = Town::of(number);
    let registry = town.load();
    let mut keys = (0..number).cycle().step_by(7919).map(thumbprint);
    bencher.with_inputs(|| keys.next()).bench_local_values(|key| registry.by_sha256(&key?).ok());
}

#[divan::bench(args = NUMBERS)]
fn by_common_name(bencher: Bencher<'_, '_>, number: u32) {
    let town = Town::of(number);
    let registry = town.load();
    let mut keys = (0..number / 10).cycle().step_by(7919).map(common_name);
    bencher.with_inputs(|| keys.next()).bench_local_values(|key| registry.by_common_name(&key?).ok());
}

#[divan::bench(args = NUMBERS)]
fn unknown(bencher: Bencher<'_, '_>, number: u32) {
    let registry = Town::of(number).load();
    bencher.bench_local(|| registry.by_sha256(divan::black_box(&Thumbprint([0xff; 32]))).is_ok());
}

#[divan::bench(args = NUMBERS, sample_count = 5, sample_size = 1)]
fn open_and_load(bencher: Bencher<'_, '_>, number: u32) {
    let town = Town::of(number);
    bencher.bench_local(|| {
        let store = Store::open(&town.folder.path().join(FILE)).ok()?;
        Registry::load(&store, Environment::Test).ok()
    });
}

#[divan::bench(args = NUMBERS, sample_count = 50, sample_size = 1)]
fn refresh_of_one_change(bencher: Bencher<'_, '_>, number: u32) {
    let town = Town::of(number);
    let registry = town.load();
    let mut revoked = (0..number).step_by(11);
    bencher
        .with_inputs(|| {
            let victim = thumbprint(revoked.next().expect("there are more certificates than samples"));
            town.store.revoke_signing_cert(&victim, NOW).expect("it is enrolled");
        })
        .bench_local_values(|()| registry.refresh(&town.store).ok());
}

/// A database with `number` signing certificates.
struct Town {
    store: Store,
    folder: tempfile::TempDir,
}

impl Town {
    fn of(number: u32) -> Town {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        let store = Store::open(&path).expect("a new database");
        store.add_provider(&"p".parse().expect("an id"), "P", NOW).expect("new");
        let clients = |batch: &mut irgw_store::Batch<'_>| {
            (0..number / 10).try_for_each(|index| {
                let new = NewClientCert {
                    provider: "p".parse().expect("an id"),
                    environment: Environment::Test,
                    common_name: CommonName::parse(&common_name(index)).expect("a name"),
                    grants: Default::default(),
                    issuer_pin: None,
                };
                batch.enrol_client_cert(&new, NOW)
            })
        };
        store.batch(clients).expect("all are new");
        fill(&store, &path, number);
        Town { store, folder }
    }

    fn load(&self) -> Arc<Registry> {
        Registry::load(&self.store, Environment::Test).expect("what was written can be read")
    }
}

/// Enrols one certificate properly, and makes all others of it by changing what tells them apart: a million keys would take
/// hours.
fn fill(store: &Store, path: &std::path::Path, number: u32) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2028, 1, 1);
    let der = params.self_signed(&key).expect("a certificate").der().to_vec();
    let cert = SigningCert::enrol(&der, NOW).expect("it meets the profile");
    store.add_owner(&"o".parse().expect("an id"), "O", NOW).expect("new");
    let new = NewSigningCert {
        owner: "o".parse().expect("an id"),
        environment: Environment::Test,
        issuer: "https://issuer.example/".into(),
        cert,
        der,
        legacy_sha1: LegacySha1::Refused,
    };
    store.enrol_signing_cert(&new, NOW).expect("new");

    let mut connection = Connection::open(path).expect("the database");
    let transaction = connection.transaction().expect("nobody else writes");
    {
        let mut copy = transaction
            .prepare(
                "INSERT INTO signing_certs SELECT ?1, ?2, owner, issuer, environment, legacy_sha1, key_kind, public_key,
                   key_digest, not_before, not_after, subject, serial, since, revoked, revision
                 FROM signing_certs WHERE rowid = 1",
            )
            .expect("the schema is ours");
        for index in 0..number {
            let thumbprint = thumbprint(index).0;
            copy.execute((thumbprint, &thumbprint[..20])).expect("all differ");
        }
    }
    transaction.commit().expect("there is room");
}

/// The thumbprint of certificate `index`: spread like a digest.
fn thumbprint(index: u32) -> Thumbprint {
    let mut bytes = [0; 32];
    for (word, chunk) in (1_u64..).zip(bytes.chunks_mut(8)) {
        let mixed = (u64::from(index) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_mul(2 * word + 1);
        chunk.copy_from_slice(&(mixed ^ mixed >> 29).to_be_bytes());
    }
    Thumbprint(bytes)
}

fn common_name(index: u32) -> String {
    format!("{index:032x}.irdgws.example.nz")
}

const FILE: &str = "irgw.sqlite";

const NOW: UnixTime = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000));
