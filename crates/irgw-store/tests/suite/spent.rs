//! A token that may be used once is spent once, whoever races.

use std::thread;

use irgw_core::Thumbprint;
use irgw_store::{Spent, Store};

use crate::Fixture;
use crate::support::{NOW, at};

const CREDENTIAL: Thumbprint = Thumbprint([7; 32]);

fn spend(store: &Store, jti: &str) -> Spent {
    store.spend(&CREDENTIAL, jti, at(NOW.as_secs() + 60), NOW).unwrap()
}

/// B24.
pub(crate) fn token_is_spent_once(Fixture { store, .. }: Fixture) {
    let long = "x".repeat(16_000);
    for jti in ["a", "A", "", "a\0", "'; DELETE FROM spent_tokens; --", &long] {
        assert_eq!(spend(&store, jti), Spent::First, "{jti:?}");
        assert_eq!(spend(&store, jti), Spent::Again, "{jti:?}");
    }
    // The same `jti` of another signer is another token.
    let other = store.spend(&Thumbprint([8; 32]), "a", at(NOW.as_secs() + 60), NOW);
    assert_eq!(other, Ok(Spent::First));
}

/// M2M-10: of any number of nodes exactly one wins.
pub(crate) fn token_is_spent_once_on_all_nodes(fixture: Fixture) {
    let other = fixture.another_node();
    let stores = [Some(&fixture.store), other.as_ref()];
    for round in 0..5 {
        let jti = format!("token {round}");
        let firsts = thread::scope(|scope| {
            let nodes = stores.iter().flatten().flat_map(|store| [store, store]);
            let calls: Vec<_> = nodes.map(|store| scope.spawn(|| spend(store, &jti))).collect();
            calls.into_iter().map(|call| call.join().unwrap()).filter(|s| *s == Spent::First).count()
        });
        assert_eq!(firsts, 1, "{jti}");
    }
}

/// The table is bounded by what may still be presented.
pub(crate) fn spent_token_is_forgotten_long_after_its_end(Fixture { store, .. }: Fixture) {
    assert_eq!(spend(&store, "old"), Spent::First);
    let soon_after = at(NOW.as_secs() + 61);
    assert_eq!(store.spend(&CREDENTIAL, "another", soon_after, soon_after), Ok(Spent::First));
    assert_eq!(store.spend(&CREDENTIAL, "old", soon_after, soon_after), Ok(Spent::Again));
    let long_after = at(NOW.as_secs() + 10_000);
    assert_eq!(store.spend(&CREDENTIAL, "new", long_after, long_after), Ok(Spent::First));
    assert_eq!(store.spend(&CREDENTIAL, "old", long_after, long_after), Ok(Spent::First));
}
