//! Common Names: enrolled once, in one environment, and pinned.

use irgw_core::{Environment, Grants, Rule};
use irgw_store::{ClientCertFilter, Error, Kind, Page};
use irgw_tls::IssuerPin;

use crate::Fixture;
use crate::support::{NOW, at, client_cert, furnish, in_prod};

/// A13, G11.
pub(crate) fn common_name_is_enrolled_once_in_one_environment(Fixture { store, .. }: Fixture) {
    furnish(&store);
    store.enrol_client_cert(&client_cert("p", "a.example"), NOW).unwrap();

    let again = store.enrol_client_cert(&client_cert("q", "a.example"), NOW).unwrap_err();
    let (kind, id) = (Kind::ClientCert, "a.example".to_owned());
    assert_eq!(again, Error::Enrolled { kind, id: id.clone(), holder: "provider p".into() });
    assert_eq!(again.rule(), Some(Rule::Tls6));

    let elsewhere = store.enrol_client_cert(&in_prod(client_cert("p", "a.example")), NOW).unwrap_err();
    assert_eq!(elsewhere, Error::OtherEnvironment { kind, id, environment: Environment::Test });
    assert_eq!(elsewhere.rule(), Some(Rule::Env2));
}

pub(crate) fn revoked_common_name_does_not_come_back(Fixture { store, .. }: Fixture) {
    furnish(&store);
    store.enrol_client_cert(&client_cert("p", "a.example"), NOW).unwrap();
    let later = at(NOW.as_secs() + 9);
    assert_eq!(store.revoke_client_cert("a.example", NOW), Ok(NOW));
    assert_eq!(store.revoke_client_cert("a.example", later), Ok(NOW));
    let again = store.enrol_client_cert(&client_cert("p", "a.example"), later);
    assert_eq!(again, Err(Error::Revoked { kind: Kind::ClientCert, id: "a.example".into(), at: NOW }));
    assert!(matches!(
        store.enrol_client_cert(&in_prod(client_cert("p", "a.example")), later),
        Err(Error::OtherEnvironment { .. })
    ));
    assert!(matches!(store.grant("a.example", &Grants::default()), Err(Error::Revoked { .. })));
    let unknown = Error::Unknown(Kind::ClientCert, "b.example".into());
    assert_eq!(store.revoke_client_cert("b.example", NOW), Err(unknown));
}

/// A11: what an authority takes for the same name is not enrolled beside it.
pub(crate) fn common_names_that_differ_by_case_are_refused(Fixture { store, .. }: Fixture) {
    furnish(&store);
    store.enrol_client_cert(&client_cert("p", "abc.example"), NOW).unwrap();
    let refused = store.enrol_client_cert(&client_cert("q", "ABC.example"), NOW);
    assert_eq!(refused, Err(Error::DiffersByCase { enrolled: "abc.example".into() }));
    assert!(matches!(
        store.enrol_client_cert(&in_prod(client_cert("q", "abc.Example")), NOW),
        Err(Error::OtherEnvironment { .. })
    ));
    store.enrol_client_cert(&client_cert("q", "abd.example"), NOW).unwrap();
    // Revoking is exact as well.
    assert!(matches!(store.revoke_client_cert("ABC.example", NOW), Err(Error::Unknown(..))));
}

/// TLS-12.
pub(crate) fn exclusive_needs_a_grant(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let mut new = client_cert("p", "a.example");
    new.grants.exclusive = true;
    assert_eq!(store.enrol_client_cert(&new, NOW), Err(Error::NothingGranted));
    new.grants.services.insert("tds-summary".parse().unwrap());
    store.enrol_client_cert(&new, NOW).unwrap();
    let nothing = Grants { exclusive: true, ..Grants::default() };
    assert_eq!(store.grant("a.example", &nothing), Err(Error::NothingGranted));
}

pub(crate) fn provider_must_exist(Fixture { store, .. }: Fixture) {
    let refused = store.enrol_client_cert(&client_cert("p", "a.example"), NOW);
    assert_eq!(refused, Err(Error::Unknown(Kind::Provider, "p".into())));
    let refused = store.revoke_provider(&"p".parse().unwrap(), NOW);
    assert_eq!(refused, Err(Error::Unknown(Kind::Provider, "p".into())));
}

/// TLS-10.
pub(crate) fn revoking_a_provider_revokes_its_names(Fixture { store, .. }: Fixture) {
    furnish(&store);
    for name in ["a.example", "b.example"] {
        store.enrol_client_cert(&client_cert("p", name), NOW).unwrap();
    }
    store.enrol_client_cert(&client_cert("q", "c.example"), NOW).unwrap();
    store.revoke_client_cert("a.example", NOW).unwrap();
    assert_eq!(store.revoke_provider(&"p".parse().unwrap(), NOW), Ok(1));
    let listed = store.list_client_certs(&ClientCertFilter::default(), &Page::first(10).unwrap()).unwrap();
    let revoked: Vec<bool> = listed.items.iter().map(|cert| cert.revoked.is_some()).collect();
    assert_eq!(revoked, [true, true, false]);
}

pub(crate) fn names_are_listed_as_enrolled(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let mut new = client_cert("p", "a.example");
    new.grants.services = ["y", "x"].iter().map(|name| name.parse().unwrap()).collect();
    new.issuer_pin = Some(IssuerPin::from_bytes([7; 32]));
    store.enrol_client_cert(&new, NOW).unwrap();
    store.enrol_client_cert(&in_prod(client_cert("q", "b.example")), NOW).unwrap();

    let list = |provider: Option<&str>, environment, size| {
        let provider = provider.map(|provider| provider.parse().unwrap());
        store
            .list_client_certs(&ClientCertFilter { provider, environment }, &Page::first(size).unwrap())
            .unwrap()
    };
    let of_p = list(Some("p"), None, 10).items;
    assert_eq!(of_p.len(), 1);
    assert_eq!((&of_p[0].grants, of_p[0].issuer_pin, of_p[0].since), (&new.grants, new.issuer_pin, NOW));
    assert_eq!(list(Some("p"), Some(Environment::Prod), 10).items, []);
    assert_eq!(list(None, Some(Environment::Prod), 10).items[0].common_name.as_str(), "b.example");
    assert_eq!(list(None, None, 1).next.as_deref(), Some("a.example"));
}
