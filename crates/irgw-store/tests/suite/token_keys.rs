//! The keys that access tokens are signed with.

use std::sync::Arc;

use irgw_core::{Environment, UnixTime};
use irgw_oauth::signing::{Algorithm, Keys, SigningKey};
use irgw_oauth::vault::Vault;
use irgw_store::{Error, Kind, NewTokenKey, Store, TokenKeys};

use crate::Fixture;
use crate::support::{NOW, at};

fn add(store: &Store, vault: &Vault, environment: Environment, signs_from: UnixTime) -> String {
    let (key, pkcs8) = SigningKey::generate().unwrap();
    let new = NewTokenKey::seal(vault, environment, &key, &pkcs8, signs_from).unwrap();
    store.add_token_key(&new, NOW).unwrap();
    assert_eq!(store.add_token_key(&new, NOW), Err(Error::Exists(Kind::TokenKey, new.id.clone())));
    new.id
}

/// OA-10, C18: announced, signing, remembered, gone.
pub(crate) fn key_is_followed_by_its_successor(Fixture { store, .. }: Fixture) {
    let (store, vault) = (Arc::new(store), Arc::new(Vault::new(&[7; 32])));
    let first = add(&store, &vault, Environment::Test, NOW);
    let elsewhere = add(&store, &vault, Environment::Prod, NOW);
    let keys = TokenKeys::load(store.clone(), vault.clone(), Environment::Test, NOW).unwrap();
    let (change, end) = (at(1_800_003_600), at(1_800_032_520));
    let second = add(&store, &vault, Environment::Test, change);
    assert_eq!(store.retire_token_key(&first, end), Ok(end));
    assert_eq!(store.retire_token_key(&first, at(1_900_000_000)), Ok(end), "an end comes no later");
    keys.refresh(NOW).unwrap();

    let signing = |now| keys.keyring().signing(Algorithm::Es256, now).map(|key| key.id().to_owned());
    assert_eq!(signing(at(1_800_003_599)), Some(first.clone()));
    assert_eq!(signing(change), Some(second.clone()));
    let jwks = |now| keys.keyring().to_jwks(now);
    assert!(jwks(NOW).contains(&first) && jwks(NOW).contains(&second), "the successor is announced");
    assert!(jwks(at(1_800_032_519)).contains(&first) && !jwks(end).contains(&first));
    assert!(!jwks(NOW).contains(&elsewhere), "ENV-2");

    let listed = store.list_token_keys(Environment::Test).unwrap();
    assert_eq!(listed.iter().map(|key| &key.id).collect::<Vec<_>>(), [&first, &second]);
    assert_eq!((listed[0].verifies_until, listed[1].verifies_until), (Some(end), None));
    assert!(matches!(store.retire_token_key("none", end), Err(Error::Unknown(Kind::TokenKey, _))));
}

/// C29: the database alone signs nothing.
pub(crate) fn key_opens_with_the_vaults_key_alone(Fixture { store, .. }: Fixture) {
    let id = add(&store, &Vault::new(&[7; 32]), Environment::Test, NOW);
    let other = store.keyring(Environment::Test, &Vault::new(&[8; 32]), NOW).unwrap_err();
    assert_eq!(other, Error::Sealed(format!("token key {id}")));
}
