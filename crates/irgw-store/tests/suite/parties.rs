//! Providers, resource owners, logons and their links.

use irgw_core::{Logon, OwnerId, ProviderId};
use irgw_store::{ClientCertFilter, Error, Kind, Page, SigningCertFilter};

use crate::Fixture;
use crate::support::{NOW, client_cert, furnish};

fn provider(id: &str) -> ProviderId {
    id.parse().unwrap()
}

fn owner(id: &str) -> OwnerId {
    id.parse().unwrap()
}

pub(crate) fn party_is_added_once(Fixture { store, .. }: Fixture) {
    furnish(&store);
    assert_eq!(store.add_provider(&provider("p"), "P", NOW), Err(Error::Exists(Kind::Provider, "p".into())));
    assert_eq!(store.add_owner(&owner("o"), "O", NOW), Err(Error::Exists(Kind::Owner, "o".into())));
    // A provider and a resource owner may have the same id: they are different parties.
    store.add_owner(&owner("p"), "P", NOW).unwrap();
}

pub(crate) fn link_needs_both_parties(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let unknown = |kind, id: &str| Err(Error::Unknown(kind, id.into()));
    assert_eq!(store.link(&provider("x"), &owner("o"), NOW), unknown(Kind::Provider, "x"));
    assert_eq!(store.link(&provider("p"), &owner("x"), NOW), unknown(Kind::Owner, "x"));
    assert_eq!(store.link_logon(&owner("x"), &"l".parse().unwrap(), NOW), unknown(Kind::Owner, "x"));
    assert!(matches!(store.unlink(&provider("p"), &owner("o"), NOW), Err(Error::Unknown(Kind::Link, _))));
    let logon: Logon = "l".parse().unwrap();
    assert!(matches!(store.unlink_logon(&owner("o"), &logon, NOW), Err(Error::Unknown(Kind::Logon, _))));
}

pub(crate) fn name_is_short_text_without_control_characters(Fixture { store, .. }: Fixture) {
    for name in ["", "a\u{1b}[2J", &"x".repeat(257)] {
        let refused = store.add_provider(&provider("p"), name, NOW);
        assert!(matches!(refused, Err(Error::Text { limit_bytes: 256, .. })), "{name:?}");
    }
    store.add_provider(&provider("p"), &"x".repeat(256), NOW).unwrap();
}

pub(crate) fn batch_happens_wholly_or_not_at_all(Fixture { store, .. }: Fixture) {
    let before = store.revision().unwrap();
    let refused = store.batch(|batch| {
        batch.add_provider(&provider("p"), "P", NOW)?;
        batch.link(&provider("p"), &owner("nobody"), NOW)
    });
    assert!(refused.is_err());
    assert_eq!(store.list_providers(&Page::first(10).unwrap()).unwrap().items, []);
    assert_eq!(store.revision().unwrap(), before);
}

pub(crate) fn batch_goes_on_after_a_refusal(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let names = ["a.x", "b.x", "a.x", "c.x"];
    let taken = store.batch(|batch| {
        Ok(names.iter().filter(|name| batch.enrol_client_cert(&client_cert("p", name), NOW).is_err()).count())
    });
    assert_eq!(taken, Ok(1));
    assert_eq!(store.list_providers(&Page::first(1).unwrap()).unwrap().items[0].client_certs, 3);
}

/// G13.
pub(crate) fn lists_are_in_pages(Fixture { store, .. }: Fixture) {
    for number in 0..7 {
        store.add_provider(&provider(&format!("p{number}")), "P", NOW).unwrap();
    }
    let (mut page, mut seen) = (Page::first(3).unwrap(), Vec::new());
    loop {
        let listed = store.list_providers(&page).unwrap();
        assert!(listed.items.len() <= 3);
        seen.extend(listed.items.into_iter().map(|provider| provider.id.to_string()));
        match listed.next {
            Some(next) => page = Page::after(next, 3).unwrap(),
            None => break,
        }
    }
    assert_eq!(seen, ["p0", "p1", "p2", "p3", "p4", "p5", "p6"]);
}

pub(crate) fn owners_are_listed_by_provider(Fixture { store, .. }: Fixture) {
    furnish(&store);
    store.link(&provider("p"), &owner("u"), NOW).unwrap();
    store.link_logon(&owner("u"), &"l".parse().unwrap(), NOW).unwrap();
    let page = Page::first(10).unwrap();
    let of_p = store.list_owners(Some(&provider("p")), &page).unwrap().items;
    assert_eq!((of_p.len(), of_p[0].id.as_str(), of_p[0].providers, of_p[0].logons), (1, "u", 1, 1));
    assert_eq!(store.list_owners(None, &page).unwrap().items.len(), 2);
    store.unlink(&provider("p"), &owner("u"), NOW).unwrap();
    assert_eq!(store.list_owners(Some(&provider("p")), &page).unwrap().items, []);
    // Linked again, as if it had never ended.
    store.link(&provider("p"), &owner("u"), NOW).unwrap();
    assert_eq!(store.list_owners(Some(&provider("p")), &page).unwrap().items.len(), 1);
}

/// G03: text that means something to a database, a path or a shell means nothing here.
pub(crate) fn hostile_text_is_kept_and_found_as_it_is(Fixture { store, .. }: Fixture) {
    let hostile = [
        "'; DROP TABLE providers; --",
        "\" OR 1=1 --",
        "x') ON CONFLICT DO UPDATE SET name = 'y' --",
        "%",
        "_",
        "../../etc/passwd",
        "$(reboot) `reboot` | reboot",
        "?1",
        ":name @name $name",
        "\u{202e}gpj.exe",
        "NULL",
        "0x00",
        "{}",
        "\\",
    ];
    for text in hostile {
        store.add_provider(&provider(text), text, NOW).unwrap();
        store.add_owner(&owner(text), text, NOW).unwrap();
        store.link(&provider(text), &owner(text), NOW).unwrap();
        store.link_logon(&owner(text), &text.parse().unwrap(), NOW).unwrap();
    }
    let page = Page::first(100).unwrap();
    let listed = store.list_providers(&page).unwrap().items;
    assert_eq!(listed.len(), hostile.len());
    for found in listed {
        assert_eq!((found.id.as_str(), found.owners), (found.name.as_str(), 1));
        let owners = store.list_owners(Some(&found.id), &page).unwrap().items;
        assert_eq!((owners.len(), owners[0].name.as_str()), (1, found.id.as_str()));
        assert_eq!(store.list_logons(&owners[0].id, &page).unwrap().items[0].as_str(), found.id.as_str());
    }
    for cursor in hostile {
        store.list_providers(&Page::after(cursor.into(), 1).unwrap()).unwrap();
        store.list_client_certs(&Default::default(), &Page::after(cursor.into(), 1).unwrap()).unwrap();
    }
}

/// A filter by a party that is not there is a mistake, not an empty list.
pub(crate) fn lists_of_an_unknown_party_are_refused(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let page = Page::first(10).unwrap();
    let (nobody, no_owner) = ("nobody".parse().unwrap(), "nobody".parse().unwrap());
    let certs = ClientCertFilter { provider: Some("nobody".parse().unwrap()), ..Default::default() };
    let signing = SigningCertFilter { owner: Some("nobody".parse().unwrap()), ..Default::default() };
    let provider = Some(Error::Unknown(Kind::Provider, "nobody".into()));
    let owner = Some(Error::Unknown(Kind::Owner, "nobody".into()));
    assert_eq!(store.list_owners(Some(&nobody), &page).err(), provider);
    assert_eq!(store.list_client_certs(&certs, &page).err(), provider);
    assert_eq!(store.list_providers_of(&no_owner, &page).err(), owner);
    assert_eq!(store.list_logons(&no_owner, &page).err(), owner);
    assert_eq!(store.list_signing_certs(&signing, &page).err(), owner);
    // A party of which nothing is known yet has an empty list.
    assert_eq!(store.list_owners(Some(&"p".parse().unwrap()), &page).unwrap().items, []);
    assert_eq!(store.list_logons(&"o".parse().unwrap(), &page).unwrap().items, []);
}

/// M2M-9.
pub(crate) fn providers_are_listed_by_owner(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let (p, q, o) = ("p".parse().unwrap(), "q".parse().unwrap(), "o".parse().unwrap());
    for provider in [&p, &q] {
        store.link(provider, &o, NOW).unwrap();
    }
    store.unlink(&p, &o, NOW).unwrap();
    let listed = store.list_providers_of(&o, &Page::first(10).unwrap()).unwrap().items;
    assert_eq!(listed.iter().map(|provider| &provider.id).collect::<Vec<_>>(), [&q]);
}
