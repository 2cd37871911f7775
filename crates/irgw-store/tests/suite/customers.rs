//! Customers, how they log in, and what is sealed for them.

use std::sync::Arc;

use irgw_core::Secret;
use irgw_oauth::customers::{Customers, SecondStep, Subject};
use irgw_oauth::grants::{Grants, Session};
use irgw_oauth::password;
use irgw_oauth::vault::Vault;
use irgw_store::{Directory, Error, Kind, Page};

use crate::Fixture;
use crate::support::{NOW, at, customer, digest};

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

/// C24: what is one account to the throttle is one account to the directory.
pub(crate) fn user_id_is_taken_once_in_any_spelling(Fixture { store, .. }: Fixture) {
    let ana = customer(1, "Ana.Tui");
    store.add_customer(&ana, NOW).unwrap();
    for spelling in ["Ana.Tui", "ana.tui", " ANA.TUI  "] {
        let again = store.add_customer(&customer(2, spelling), NOW);
        assert_eq!(again, Err(Error::Exists(Kind::Customer, spelling.into())));
        assert_eq!(store.subject_of(spelling), Ok(ana.subject.clone()));
    }
    assert!(store.add_customer(&customer(3, "  "), NOW).is_err());
    let mut plain = customer(3, "tama");
    plain.password = "in the clear".into();
    assert_eq!(store.add_customer(&plain, NOW), Err(Error::NoHash));
    assert_eq!(store.subject_of("tama"), Err(Error::Unknown(Kind::Customer, "tama".into())));
}

/// OA-7, OA-18: the right password of a customer who is not disabled, and nothing else.
pub(crate) fn password_logs_its_customer_in(Fixture { store, .. }: Fixture) {
    let mut ana = customer(1, "Ana");
    ana.password = password::hash(&secret("kia ora")).unwrap();
    store.add_customer(&ana, NOW).unwrap();
    let directory = Directory { store: Arc::new(store), vault: Arc::new(Vault::new(&[7; 32])) };
    let log_in = |user_id: &str, word: &str| directory.log_in(user_id, &secret(word)).unwrap();
    let found = log_in(" aNA ", "kia ora").unwrap();
    assert_eq!((found.subject, found.logon.as_str()), (ana.subject.clone(), "Ana"));
    assert_eq!(found.second_step, SecondStep::None);
    let long = "x".repeat(100_000);
    for (user_id, word) in
        [("ana", "kia orA"), ("ana", ""), ("", ""), ("tama", "kia ora"), (&long, &long), ("ana\0", "kia ora")]
    {
        assert_eq!(log_in(user_id, word), None);
    }
    assert!(directory.customer(&ana.subject).unwrap().is_some());
    directory.store.disable_customer(&ana.subject, NOW).unwrap();
    assert_eq!(log_in("ana", "kia ora"), None);
    assert_eq!(directory.customer(&ana.subject).unwrap(), None);
}

/// OA-7, C29: sealed for one customer, under one key.
pub(crate) fn totp_key_is_sealed_for_its_customer(Fixture { store, .. }: Fixture) {
    let (ana, tama) = (customer(1, "ana"), customer(2, "tama"));
    store.add_customer(&ana, NOW).unwrap();
    store.add_customer(&tama, NOW).unwrap();
    let (store, vault) = (Arc::new(store), Arc::new(Vault::new(&[7; 32])));
    let key = Secret::new(vec![9; 20]);
    store.set_totp(&vault, &ana.subject, &key).unwrap();
    let nobody = Subject::from_random([0; 16]);
    assert!(matches!(store.set_totp(&vault, &nobody, &key), Err(Error::Unknown(Kind::Customer, _))));

    let directory = Directory { store: store.clone(), vault };
    assert_eq!(directory.totp_key(&ana.subject).unwrap().unwrap().expose(), &[9; 20]);
    assert!(directory.totp_key(&tama.subject).unwrap().is_none());
    assert_eq!(directory.customer(&ana.subject).unwrap().unwrap().second_step, SecondStep::Totp);
    let wrong_vault = Directory { store: store.clone(), vault: Arc::new(Vault::new(&[8; 32])) };
    assert!(wrong_vault.totp_key(&ana.subject).is_err(), "two steps do not become one");
    store.clear_totp(&ana.subject).unwrap();
    assert!(directory.totp_key(&ana.subject).unwrap().is_none());
}

pub(crate) fn disabled_customers_logins_end(Fixture { store, .. }: Fixture) {
    let ana = customer(1, "ana");
    store.add_customer(&ana, NOW).unwrap();
    let login =
        Session { subject: ana.subject.clone(), logon: ana.user_id.clone(), expires_at: at(1_800_001_800) };
    store.begin_session(&digest("cookie"), &login, NOW).unwrap();
    assert_eq!(store.disable_customer(&ana.subject, NOW), Ok(NOW));
    assert_eq!(store.disable_customer(&ana.subject, at(1_900_000_000)), Ok(NOW));
    assert_eq!(store.session(&digest("cookie"), NOW).unwrap(), None);
    let nobody = Subject::from_random([0; 16]);
    assert!(matches!(store.disable_customer(&nobody, NOW), Err(Error::Unknown(Kind::Customer, _))));
}

/// OA-7: no login stands that was made with something else.
pub(crate) fn logins_end_when_what_they_are_made_with_changes(Fixture { store, .. }: Fixture) {
    let ana = customer(1, "ana");
    store.add_customer(&ana, NOW).unwrap();
    let login =
        Session { subject: ana.subject.clone(), logon: ana.user_id.clone(), expires_at: at(1_800_001_800) };
    let stands_after = |change: &dyn Fn() -> Result<(), Error>| {
        store.begin_session(&digest("cookie"), &login, NOW).unwrap();
        let changed = change();
        (changed, store.session(&digest("cookie"), NOW).unwrap().is_some())
    };
    let vault = Vault::new(&[7; 32]);
    let hash = password::hash(&secret("kia kaha")).unwrap();
    assert_eq!(
        stands_after(&|| store.set_password(&ana.subject, "in the clear")),
        (Err(Error::NoHash), true)
    );
    assert_eq!(stands_after(&|| store.set_password(&ana.subject, &hash)), (Ok(()), false));
    let key = Secret::new(vec![9; 20]);
    assert_eq!(stands_after(&|| store.set_totp(&vault, &ana.subject, &key)), (Ok(()), false));
    assert_eq!(stands_after(&|| store.clear_totp(&ana.subject)), (Ok(()), false));
    let nobody = Subject::from_random([0; 16]);
    assert!(matches!(store.set_password(&nobody, &hash), Err(Error::Unknown(Kind::Customer, _))));
    let directory = Directory { store: Arc::new(store), vault: Arc::new(vault) };
    assert!(directory.log_in("ana", &secret("kia kaha")).unwrap().is_some());
}

pub(crate) fn customers_are_listed_by_account(Fixture { store, .. }: Fixture) {
    for (n, user_id) in ["Tama", "ana", "BEN"].into_iter().enumerate() {
        store.add_customer(&customer(n as u8, user_id), NOW).unwrap();
    }
    let first = store.list_customers(&Page::first(2).unwrap()).unwrap();
    let second = store.list_customers(&Page::after(first.next.unwrap(), 2).unwrap()).unwrap();
    let ids: Vec<_> = first.items.iter().chain(&second.items).map(|one| one.user_id.to_string()).collect();
    assert_eq!((ids, second.next), (vec!["ana".into(), "BEN".into(), "Tama".into()], None));
}
