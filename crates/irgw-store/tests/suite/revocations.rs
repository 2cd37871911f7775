//! What is revoked, in the memory of every node (OA-16).

use irgw_core::Environment;
use irgw_oauth::grants::{Grants, Revocations};
use irgw_store::{Refreshed, Registry};

use crate::Fixture;
use crate::support::flow::{after, ana, family, id, log_in, open, redeem, refresh};
use crate::support::{NOW, digest};

/// OA-12, OA-15, OA-16, OA-19: however a family ends, the next refresh of a registry knows, and a restart too.
pub(crate) fn registry_follows_each_way_to_revoke(fixture: Fixture) {
    let store = &fixture.store;
    open(store);
    let registry = Registry::load(store, Environment::Test).unwrap();
    let node = fixture.another_node();
    let node = node.as_ref().unwrap_or(store);
    let names = ["token replayed", "code replayed", "revoked", "withdrawn", "of a customer", "stands"];
    for name in &names[..3] {
        log_in(store, "a", name, NOW);
    }
    let before = store.revision().unwrap();
    refresh(store, "a", "token replayed.0", "next", NOW).unwrap();
    assert_eq!(store.revision().unwrap(), before, "what revokes nothing is no change to follow");

    refresh(store, "a", "token replayed.0", "x", NOW).unwrap_err();
    redeem(store, "a", "code replayed", NOW).unwrap_err();
    store.revoke_refresh_token(&digest("revoked.0"), &id("a"), NOW).unwrap().unwrap();
    store.revoke_access_token("a jti", after(28_800), NOW).unwrap();
    log_in(store, "b", "withdrawn", NOW);
    store.withdraw(&ana(), &id("b"), NOW).unwrap();
    log_in(store, "b", "of a customer", NOW);
    store.disable_customer(&ana(), NOW).unwrap();

    assert!(!registry.is_family_revoked(&family("revoked")), "refresh alone reads");
    assert!(matches!(registry.refresh(node), Ok(Refreshed::Changed { .. })));
    for registry in [registry, Registry::load(node, Environment::Prod).unwrap()] {
        for name in &names[..5] {
            assert!(registry.is_family_revoked(&family(name)), "{name}");
        }
        assert!(!registry.is_family_revoked(&family("stands")));
        assert!(registry.is_token_revoked("a jti") && !registry.is_token_revoked("another"));
        assert!(!registry.is_token_revoked("revoked"), "a family is no token");
    }
}

/// A customer who ended every family ends no more of them, and no revision.
pub(crate) fn family_is_revoked_once(Fixture { store, .. }: Fixture) {
    open(&store);
    log_in(&store, "a", "one", NOW);
    for _ in 0..2 {
        let revoked = store.revoke_refresh_token(&digest("one.0"), &id("a"), NOW).unwrap();
        assert_eq!(revoked, Some(family("one")));
    }
    let revision = store.revision().unwrap();
    refresh(&store, "a", "one.0", "x", after(1)).unwrap_err();
    store.revoke_refresh_token(&digest("one.0"), &id("a"), NOW).unwrap();
    assert_eq!(store.revision().unwrap(), revision);
}
