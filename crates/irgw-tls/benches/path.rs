//! What judging a client certificate costs: cold, remembered, and on the request of an open connection.
//!
//! `cargo bench -p irgw-tls --bench path`

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark fails as a test does"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use divan::{Bencher, black_box};
use irgw_tls::ClientTrust;
use support::{Authority, NAME, NOW, UNTIL, at};

fn main() {
    divan::main();
}

struct World {
    trust: ClientTrust,
    issuing: Authority,
    client: support::Client,
}

/// Root, intermediate, client, all P-256; a revocation list of each authority with this many entries, if any.
fn world(revoked: Option<u64>) -> World {
    let root = Authority::root("Root");
    let issuing = root.intermediate("Issuing");
    let client = issuing.client(NAME);
    let crls = revoked.map_or(vec![], |count| {
        let serials: Vec<u64> = (1..=count).collect();
        [root.crl(&serials, UNTIL), issuing.crl(&serials, UNTIL)].concat()
    });
    let trust = ClientTrust::new(vec![root.approved()], crls).unwrap();
    World { trust, issuing, client }
}

#[divan::bench]
fn cold(bencher: Bencher<'_, '_>) {
    let world = world(None);
    bencher.bench(|| {
        world.trust.verify_path(black_box(&world.client.der), world.issuing.alone(), at(NOW)).unwrap()
    });
}

#[divan::bench(args = [10, 10_000, 100_000])]
fn cold_with_revocation_lists(bencher: Bencher<'_, '_>, entries: u64) {
    let world = world(Some(entries));
    bencher.bench(|| {
        world.trust.verify_path(black_box(&world.client.der), world.issuing.alone(), at(NOW)).is_ok()
    });
}

#[divan::bench]
fn remembered(bencher: Bencher<'_, '_>) {
    let world = world(None);
    bencher
        .bench(|| world.trust.verify(black_box(&world.client.der), world.issuing.alone(), at(NOW)).unwrap());
}

#[divan::bench]
fn on_a_request(bencher: Bencher<'_, '_>) {
    let world = world(None);
    let cert = world.trust.verify(&world.client.der, world.issuing.alone(), at(NOW)).unwrap();
    bencher.bench(|| world.trust.confirm(black_box(&cert), at(NOW)).unwrap());
}

/// The worst that a stranger can send: three authorities of each of three names, every one of which could have issued
/// the next.
#[divan::bench]
fn maze(bencher: Bencher<'_, '_>) {
    let world = world(None);
    let names = ["A", "B", "C"];
    let outside = names.map(Authority::root);
    let maze: Vec<_> =
        (0..9).map(|index| outside[(index + 1) % 3].intermediate(names[index % 3]).der).collect();
    let client = outside[0].client(NAME);
    bencher.bench(|| world.trust.verify_path(black_box(&client.der), &maze, at(NOW)).unwrap_err());
}
