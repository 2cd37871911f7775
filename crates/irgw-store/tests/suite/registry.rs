//! The snapshot that requests read, and how a change reaches it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use irgw_core::{Environment, Grants, Links, Missing};
use irgw_m2m::{LegacySha1, SigningCerts};
use irgw_store::{Refreshed, Registry, Store};
use irgw_tls::{Enrolments, IssuerPin};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use crate::Fixture;
use crate::support::{Cert, NOW, client_cert, furnish, in_prod, signing_cert};

fn load(store: &Store) -> Arc<Registry> {
    Registry::load(store, Environment::Test).unwrap()
}

pub(crate) fn change_is_read_by_refresh_alone(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let registry = load(&store);
    let mut new = client_cert("p", "a.example");
    new.grants = Grants { services: ["s".parse().unwrap()].into(), exclusive: true };
    new.issuer_pin = Some(IssuerPin::from_bytes([7; 32]));
    store.enrol_client_cert(&new, NOW).unwrap();
    assert_eq!(registry.by_common_name("a.example").unwrap_err(), Missing::Unknown);

    let revision = store.revision().unwrap();
    assert_eq!(registry.refresh(&store), Ok(Refreshed::Changed { revision, rows: 1 }));
    assert_eq!(registry.refresh(&store), Ok(Refreshed::Unchanged));
    assert_eq!(registry.revision(), revision);
    let enrolment = registry.by_common_name("a.example").unwrap();
    assert_eq!((enrolment.provider.as_str(), &*enrolment.common_name), ("p", "a.example"));
    assert_eq!((&*enrolment.grants, enrolment.issuer_pin), (&new.grants, new.issuer_pin));
    assert_eq!(registry.by_common_name("A.example").unwrap_err(), Missing::Unknown);
    assert_eq!(registry.by_common_name("").unwrap_err(), Missing::Unknown);
}

/// A13, B23, ENV-2.
pub(crate) fn what_may_not_be_used_says_why(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let [revoked, elsewhere, both] = [2028, 2028, 2028].map(signing_cert);
    store.enrol_signing_cert(&revoked.of("o", "i"), NOW).unwrap();
    store.enrol_signing_cert(&in_prod(elsewhere.of("o", "i")), NOW).unwrap();
    store.enrol_signing_cert(&in_prod(both.of("o", "i")), NOW).unwrap();
    store.enrol_client_cert(&client_cert("p", "revoked.example"), NOW).unwrap();
    store.enrol_client_cert(&in_prod(client_cert("p", "elsewhere.example")), NOW).unwrap();
    let early = load(&store);
    assert_eq!(early.by_sha256(&revoked.thumbprint()).unwrap().cert, revoked.cert);
    for cert in [&revoked, &both] {
        store.revoke_signing_cert(&cert.thumbprint(), NOW).unwrap();
    }
    store.revoke_client_cert("revoked.example", NOW).unwrap();
    early.refresh(&store).unwrap();

    for registry in [early, load(&store)] {
        let by_sha256 = |cert: &Cert| registry.by_sha256(&cert.thumbprint()).unwrap_err();
        assert_eq!(by_sha256(&revoked), Missing::Revoked);
        assert_eq!(by_sha256(&elsewhere), Missing::OtherEnvironment);
        assert_eq!(by_sha256(&both), Missing::OtherEnvironment);
        assert_eq!(by_sha256(&signing_cert(2028)), Missing::Unknown);
        let by_common_name = |name| registry.by_common_name(name).unwrap_err();
        assert_eq!(by_common_name("revoked.example"), Missing::Revoked);
        assert_eq!(by_common_name("elsewhere.example"), Missing::OtherEnvironment);
        assert_eq!(by_common_name("never.example"), Missing::Unknown);
    }
}

/// B14.
pub(crate) fn sha1_finds_the_same_credential(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let cert = signing_cert(2028);
    let mut new = cert.of("o", "i");
    new.legacy_sha1 = LegacySha1::Accepted;
    store.enrol_signing_cert(&new, NOW).unwrap();
    let registry = load(&store);
    let credential = registry.by_sha1(&cert.cert.sha1_thumbprint()).unwrap();
    assert!(Arc::ptr_eq(&credential, &registry.by_sha256(&cert.thumbprint()).unwrap()));
    assert_eq!((credential.legacy_sha1, &*credential.issuer), (LegacySha1::Accepted, "i"));
    store.revoke_signing_cert(&cert.thumbprint(), NOW).unwrap();
    registry.refresh(&store).unwrap();
    assert_eq!(registry.by_sha1(&cert.cert.sha1_thumbprint()).unwrap_err(), Missing::Revoked);
}

/// M2M-7, M2M-9, GW-2.
pub(crate) fn links_are_read_and_ended(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let (p, q, o, u) =
        ("p".parse().unwrap(), "q".parse().unwrap(), "o".parse().unwrap(), "u".parse().unwrap());
    let (l, m) = ("l".parse().unwrap(), "m".parse().unwrap());
    store.link(&p, &o, NOW).unwrap();
    store.link(&q, &o, NOW).unwrap();
    store.link_logon(&o, &l, NOW).unwrap();
    let registry = load(&store);
    let facts = |registry: &Registry| {
        [
            registry.acts_for(&p, &o),
            registry.acts_for(&q, &o),
            registry.acts_for(&p, &u),
            registry.has_logon(&o, &l),
        ]
    };
    assert_eq!(facts(&registry), [true, true, false, true]);
    assert!(!registry.has_logon(&o, &m) && !registry.has_logon(&u, &l));
    store.unlink(&p, &o, NOW).unwrap();
    store.unlink_logon(&o, &l, NOW).unwrap();
    store.link(&p, &u, NOW).unwrap();
    registry.refresh(&store).unwrap();
    for registry in [registry, load(&store)] {
        assert_eq!(facts(&registry), [false, true, true, false]);
        assert!(!registry.belongs_to(&"c".parse().unwrap(), &p));
    }
}

pub(crate) fn change_of_grants_changes_the_revision(Fixture { store, .. }: Fixture) {
    furnish(&store);
    store.enrol_client_cert(&client_cert("p", "a.example"), NOW).unwrap();
    let registry = load(&store);
    let before = registry.by_common_name("a.example").unwrap();
    store.grant("a.example", &Grants { services: ["s".parse().unwrap()].into(), exclusive: false }).unwrap();
    registry.refresh(&store).unwrap();
    let after = registry.by_common_name("a.example").unwrap();
    assert!(after.revision > before.revision && after.grants.services.contains("s"));
}

pub(crate) fn refresh_reads_only_what_changed(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let enrol = |range: std::ops::Range<u32>| {
        let work = |batch: &mut irgw_store::Batch<'_>| {
            range
                .clone()
                .try_for_each(|n| batch.enrol_client_cert(&client_cert("p", &format!("{n}.example")), NOW))
        };
        store.batch(work).unwrap();
    };
    enrol(0..500);
    let registry = load(&store);
    let before = registry.by_common_name("7.example").unwrap();
    enrol(500..503);
    let revision = store.revision().unwrap();
    assert_eq!(registry.refresh(&store), Ok(Refreshed::Changed { revision, rows: 3 }));
    assert!(Arc::ptr_eq(&before, &registry.by_common_name("7.example").unwrap()));
    assert_eq!(registry.size().client_certs, 503);
}

/// OA-16: what a gateway compares with `max_staleness`.
pub(crate) fn staleness_grows_until_confirmed(Fixture { store, .. }: Fixture) {
    let loaded = Instant::now();
    let registry = load(&store);
    let later = loaded + Duration::from_secs(11);
    assert!(registry.staleness(later) > Duration::from_secs(10));
    assert_eq!(registry.staleness(loaded), Duration::ZERO);
    let before = registry.staleness(later);
    registry.refresh(&store).unwrap();
    assert!(registry.staleness(later) <= before);
}

/// What one of many operators does.
#[derive(Debug, Clone)]
enum Act {
    Enrol(Index, bool),
    Revoke(Index),
    Grant(Index, Index),
    Sign(Index, Index, bool),
    Unsign(Index),
    Link(Index, Index),
    Unlink(Index, Index),
    Logon(Index, Index),
    Unlogon(Index, Index),
    Refresh,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let index = any::<Index>;
    let act = prop_oneof![
        (index(), any::<bool>()).prop_map(|(name, prod)| Act::Enrol(name, prod)),
        index().prop_map(Act::Revoke),
        (index(), index()).prop_map(|(name, service)| Act::Grant(name, service)),
        (index(), index(), any::<bool>()).prop_map(|(cert, owner, prod)| Act::Sign(cert, owner, prod)),
        index().prop_map(Act::Unsign),
        (index(), index()).prop_map(|(provider, owner)| Act::Link(provider, owner)),
        (index(), index()).prop_map(|(provider, owner)| Act::Unlink(provider, owner)),
        (index(), index()).prop_map(|(owner, logon)| Act::Logon(owner, logon)),
        (index(), index()).prop_map(|(owner, logon)| Act::Unlogon(owner, logon)),
        Just(Act::Refresh),
    ];
    prop::collection::vec(act, 1..40)
}

const NAMES: [&str; 6] = ["a.example", "b.example", "c.example", "d.example", "e.example", "A.example"];
const PROVIDERS: [&str; 2] = ["p", "q"];
const OWNERS: [&str; 2] = ["o", "u"];
const LOGONS: [&str; 3] = ["l", "m", "n"];

/// Any sequence of operations, refreshed at any point, says the same as a registry that is loaded afterwards.
pub(crate) fn refreshed_registry_equals_a_fresh_one(fixture: Fixture) {
    let certs: Vec<Cert> = (0..8).map(|_| signing_cert(2028)).collect();
    // A file is slower by its fsyncs; the same statements run in both.
    let cases = if fixture.another_node().is_some() { 8 } else { 48 };
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&acts(), |acts| {
        let fixture = fixture.another();
        let store = &fixture.store;
        furnish(store);
        let registry = load(store);
        for act in &acts {
            // Refusals are part of it: they must change nothing.
            let _ = perform(act, store, &registry, &certs);
        }
        registry.refresh(store).unwrap();
        let fresh = load(store);
        prop_assert_eq!(registry.revision(), fresh.revision());
        prop_assert_eq!(says(&registry, &certs), says(&fresh, &certs));
        Ok(())
    });
    outcome.unwrap();
}

fn perform(act: &Act, store: &Store, registry: &Registry, certs: &[Cert]) -> Result<(), irgw_store::Error> {
    let pick = |index: &Index, from: &[&'static str]| *index.get(from);
    match act {
        Act::Enrol(name, prod) => {
            let new = client_cert("p", pick(name, &NAMES));
            store.enrol_client_cert(&if *prod { in_prod(new) } else { new }, NOW)
        }
        Act::Revoke(name) => store.revoke_client_cert(pick(name, &NAMES), NOW).map(drop),
        Act::Grant(name, service) => {
            let services = [pick(service, &LOGONS).parse().unwrap()].into();
            store.grant(pick(name, &NAMES), &Grants { services, exclusive: false })
        }
        Act::Sign(cert, owner, prod) => {
            let new = cert.get(certs).of(pick(owner, &OWNERS), "i");
            store.enrol_signing_cert(&if *prod { in_prod(new) } else { new }, NOW)
        }
        Act::Unsign(cert) => store.revoke_signing_cert(&cert.get(certs).thumbprint(), NOW).map(drop),
        Act::Link(provider, owner) => store.link(
            &pick(provider, &PROVIDERS).parse().unwrap(),
            &pick(owner, &OWNERS).parse().unwrap(),
            NOW,
        ),
        Act::Unlink(provider, owner) => store.unlink(
            &pick(provider, &PROVIDERS).parse().unwrap(),
            &pick(owner, &OWNERS).parse().unwrap(),
            NOW,
        ),
        Act::Logon(owner, logon) => store.link_logon(
            &pick(owner, &OWNERS).parse().unwrap(),
            &pick(logon, &LOGONS).parse().unwrap(),
            NOW,
        ),
        Act::Unlogon(owner, logon) => store.unlink_logon(
            &pick(owner, &OWNERS).parse().unwrap(),
            &pick(logon, &LOGONS).parse().unwrap(),
            NOW,
        ),
        Act::Refresh => registry.refresh(store).map(drop),
    }
}

/// Everything that can be asked of a registry about the parties above.
fn says(registry: &Registry, certs: &[Cert]) -> Vec<String> {
    let names = NAMES.iter().map(|name| format!("{:?}", registry.by_common_name(name)));
    let sha256 = certs.iter().map(|cert| format!("{:?}", registry.by_sha256(&cert.thumbprint())));
    let sha1 = certs.iter().map(|cert| format!("{:?}", registry.by_sha1(&cert.cert.sha1_thumbprint())));
    let links = OWNERS.iter().flat_map(|owner| {
        let owner = owner.parse().unwrap();
        let acts = PROVIDERS.map(|provider| registry.acts_for(&provider.parse().unwrap(), &owner));
        let logons = LOGONS.map(|logon| registry.has_logon(&owner, &logon.parse().unwrap()));
        [format!("{acts:?}"), format!("{logons:?}")]
    });
    names.chain(sha256).chain(sha1).chain(links).collect()
}
