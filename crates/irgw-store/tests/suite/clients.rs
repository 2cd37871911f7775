//! OAuth clients and their secrets.

use irgw_core::{Environment, Links, Rule};
use irgw_oauth::registration::Clients;
use irgw_store::{ClientFilter, Error, Kind, OldSecret, Page, Registry};

use crate::Fixture;
use crate::support::{NOW, at, client, digest, furnish, in_prod};

/// ENV-2, OA-2.
pub(crate) fn client_id_is_taken_once_in_one_environment(Fixture { store, .. }: Fixture) {
    furnish(&store);
    store.add_client(&client("c"), NOW).unwrap();
    let mut again = client("c");
    again.secret = digest("another");
    assert_eq!(store.add_client(&again, NOW), Err(Error::Exists(Kind::Client, "c".into())));
    let elsewhere = store.add_client(&in_prod(again), NOW).unwrap_err();
    assert_eq!(elsewhere.rule(), Some(Rule::Env2));
    store.disable_client(&"c".parse().unwrap(), NOW).unwrap();
    assert!(store.add_client(&client("c"), NOW).is_err(), "a disabled client does not come back");
}

/// OA-4, C03: nothing gets past [`irgw_oauth::registration::RedirectUri::register`].
pub(crate) fn client_has_redirect_uris_that_can_be_registered(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let mut new = client("c");
    new.redirect_uris = vec![];
    assert_eq!(store.add_client(&new, NOW), Err(Error::NoRedirectUri));
    new.redirect_uris = vec!["https://a.example/".into(), "javascript:alert(1)".into()];
    assert_eq!(store.add_client(&new, NOW).unwrap_err().rule(), Some(Rule::Oa4));
    new.provider = "nobody".parse().unwrap();
    assert_eq!(store.add_client(&new, NOW), Err(Error::Unknown(Kind::Provider, "nobody".into())));
    assert_eq!(store.client(&"c".parse().unwrap()), Err(Error::Unknown(Kind::Client, "c".into())));
}

/// OA-2: two at once, for rotation, and never three.
pub(crate) fn client_has_two_secrets_at_most(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let (c, secret) = ("c".parse().unwrap(), |n: u32| format!("secret {n}"));
    let mut new = client("c");
    new.secret = digest(&secret(1));
    store.add_client(&new, NOW).unwrap();
    let registry = Registry::load(&store, Environment::Test).unwrap();
    let known = || {
        registry.refresh(&store).unwrap();
        let client = registry.client("c").unwrap();
        (1..=5).filter(|n| client.knows(&secret(*n))).collect::<Vec<_>>()
    };
    assert_eq!(known(), [1]);
    store.rotate_secret(&c, &digest(&secret(2)), OldSecret::Kept, at(1_800_000_001)).unwrap();
    assert_eq!(known(), [1, 2]);
    let third = store.rotate_secret(&c, &digest(&secret(3)), OldSecret::Kept, NOW);
    assert_eq!(third, Err(Error::TwoSecrets(c.clone())));
    assert_eq!(store.end_old_secrets(&c, NOW), Ok(1));
    assert_eq!(known(), [2]);
    assert_eq!(store.end_old_secrets(&c, NOW), Ok(0));
    store.rotate_secret(&c, &digest(&secret(4)), OldSecret::Kept, NOW).unwrap();
    store.rotate_secret(&c, &digest(&secret(5)), OldSecret::Ended, NOW).unwrap();
    assert_eq!(known(), [5]);
    assert_eq!(store.client(&c).unwrap().secrets, [NOW]);
    let back = store.rotate_secret(&c, &digest(&secret(1)), OldSecret::Kept, NOW);
    assert!(back.is_err(), "a secret that ended does not come back");
    store.disable_client(&c, NOW).unwrap();
    let refused = store.rotate_secret(&c, &digest("new"), OldSecret::Ended, NOW);
    assert!(matches!(refused, Err(Error::Revoked { kind: Kind::Client, .. })));
}

/// OA-4.
pub(crate) fn redirect_uris_are_replaced_wholly_or_not_at_all(Fixture { store, .. }: Fixture) {
    furnish(&store);
    store.add_client(&client("c"), NOW).unwrap();
    let registry = Registry::load(&store, Environment::Test).unwrap();
    let set = |id: &str, uris: &[&str]| {
        let uris: Vec<_> = uris.iter().map(ToString::to_string).collect();
        let set = store.set_redirect_uris(&id.parse().unwrap(), &uris);
        registry.refresh(&store).unwrap();
        set
    };
    let goes_to = |uri: &str| registry.client("c").unwrap().redirects_to(uri);
    assert_eq!(set("c", &[]), Err(Error::NoRedirectUri));
    let refused = set("c", &["https://b.example/", "http://b.example/"]);
    assert!(matches!(refused, Err(Error::RedirectUri { .. })), "{refused:?}");
    assert!(goes_to("https://app.example/answer") && !goes_to("https://b.example/"));
    set("c", &["https://b.example/", "https://c.example/", "https://b.example/"]).unwrap();
    assert!(!goes_to("https://app.example/answer"));
    assert!(goes_to("https://b.example/") && goes_to("https://c.example/"));
    assert!(matches!(set("nobody", &["https://b.example/"]), Err(Error::Unknown(Kind::Client, _))));
    store.disable_client(&"c".parse().unwrap(), NOW).unwrap();
    assert!(matches!(set("c", &["https://b.example/"]), Err(Error::Revoked { kind: Kind::Client, .. })));
}

/// ENV-2, GW-2: a registry knows the clients of its environment that are not disabled.
pub(crate) fn registry_knows_its_clients_alone(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let (p, q) = ("p".parse().unwrap(), "q".parse().unwrap());
    store.add_client(&client("here"), NOW).unwrap();
    let registry = Registry::load(&store, Environment::Test).unwrap();
    store.add_client(&in_prod(client("there")), NOW).unwrap();
    store.add_client(&client("gone"), NOW).unwrap();
    registry.refresh(&store).unwrap();
    assert!(registry.client("gone").is_some());
    assert_eq!(store.disable_client(&"gone".parse().unwrap(), NOW), Ok(NOW));
    assert_eq!(store.disable_client(&"gone".parse().unwrap(), at(1_900_000_000)), Ok(NOW));
    registry.refresh(&store).unwrap();
    for registry in [registry, Registry::load(&store, Environment::Test).unwrap()] {
        let found = registry.client("here").unwrap();
        assert_eq!((found.id.as_str(), &found.provider, found.redirect_uris.len()), ("here", &p, 1));
        assert!(
            found.redirects_to("https://app.example/answer") && !found.redirects_to("https://app.example")
        );
        for absent in ["there", "gone", "", "HERE"] {
            assert_eq!(registry.client(absent), None, "{absent}");
        }
        assert!(registry.belongs_to(&found.id, &p) && !registry.belongs_to(&found.id, &q));
        assert!(!registry.belongs_to(&"there".parse().unwrap(), &p));
        assert!(!registry.belongs_to(&"gone".parse().unwrap(), &p));
    }
}

pub(crate) fn clients_are_listed_as_registered(Fixture { store, .. }: Fixture) {
    furnish(&store);
    for id in ["b", "c", "a"] {
        store.add_client(&client(id), NOW).unwrap();
    }
    store.add_client(&in_prod(client("d")), NOW).unwrap();
    let filter = ClientFilter { environment: Some(Environment::Test), provider: Some("p".parse().unwrap()) };
    let first = store.list_clients(&filter, &Page::first(2).unwrap()).unwrap();
    let second = store.list_clients(&filter, &Page::after(first.next.unwrap(), 2).unwrap()).unwrap();
    let ids: Vec<_> = first.items.iter().chain(&second.items).map(|client| client.id.to_string()).collect();
    assert_eq!((ids, second.next), (vec!["a".into(), "b".into(), "c".into()], None));
    assert_eq!(store.client(&"a".parse().unwrap()), Ok(first.items[0].clone()));
    assert_eq!(first.items[0].redirect_uris[0].as_str(), "https://app.example/answer");
    let of_nobody = ClientFilter { provider: Some("nobody".parse().unwrap()), environment: None };
    assert!(store.list_clients(&of_nobody, &Page::first(2).unwrap()).is_err());
}
