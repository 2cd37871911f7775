//! Signing certificates: one thumbprint, one owner, one environment.

use irgw_core::{Environment, Rule};
use irgw_store::{Error, Kind, Page, SigningCertFilter};
use rcgen::KeyPair;

use crate::Fixture;
use crate::support::{NOW, at, furnish, in_prod, renewed, signing_cert};

/// B21, G11: not in two environments, not for two owners, not after it was revoked.
pub(crate) fn certificate_is_enrolled_once_in_one_environment(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let cert = signing_cert(2028);
    let (kind, id) = (Kind::SigningCert, cert.thumbprint().to_string());
    store.enrol_signing_cert(&cert.of("o", "i"), NOW).unwrap();

    let again = store.enrol_signing_cert(&cert.of("u", "i"), NOW).unwrap_err();
    assert_eq!(again, Error::Enrolled { kind, id: id.clone(), holder: "resource owner o".into() });
    assert_eq!(again.rule(), Some(Rule::M2m3));
    let elsewhere = store.enrol_signing_cert(&in_prod(cert.of("o", "i")), NOW).unwrap_err();
    assert_eq!(elsewhere, Error::OtherEnvironment { kind, id: id.clone(), environment: Environment::Test });
    assert_eq!(elsewhere.rule(), Some(Rule::Env2));

    assert_eq!(store.revoke_signing_cert(&cert.thumbprint(), NOW), Ok(NOW));
    assert_eq!(store.revoke_signing_cert(&cert.thumbprint(), at(NOW.as_secs() + 1)), Ok(NOW));
    assert_eq!(store.enrol_signing_cert(&cert.of("o", "i"), NOW), Err(Error::Revoked { kind, id, at: NOW }));

    let unknown = signing_cert(2028);
    assert!(matches!(store.revoke_signing_cert(&unknown.thumbprint(), NOW), Err(Error::Unknown(..))));
    let nobodys = store.enrol_signing_cert(&unknown.of("nobody", "i"), NOW);
    assert_eq!(nobodys, Err(Error::Unknown(Kind::Owner, "nobody".into())));
}

/// B21, M2M-8: a test key does not get into production in a new certificate.
pub(crate) fn key_does_not_change_its_environment(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let key = KeyPair::generate().unwrap();
    let (first, second) = (renewed(&key, 2028), renewed(&key, 2029));
    store.enrol_signing_cert(&first.of("o", "i"), NOW).unwrap();
    let refused = store.enrol_signing_cert(&in_prod(second.of("o", "i")), NOW).unwrap_err();
    assert_eq!(
        refused,
        Error::OtherEnvironment {
            kind: Kind::SigningKey,
            id: second.thumbprint().to_string(),
            environment: Environment::Test
        }
    );
    store.revoke_signing_cert(&first.thumbprint(), NOW).unwrap();
    assert_eq!(store.enrol_signing_cert(&in_prod(second.of("o", "i")), NOW), Err(refused));
    store.enrol_signing_cert(&second.of("o", "i"), NOW).unwrap();
}

/// M2M-8.
pub(crate) fn third_in_force_is_refused_and_told_what_to_revoke(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let (long, short, third) = (signing_cert(2029), signing_cert(2028), signing_cert(2029));
    store.enrol_signing_cert(&long.of("o", "i"), NOW).unwrap();
    store.enrol_signing_cert(&short.of("o", "i"), NOW).unwrap();
    let refused = store.enrol_signing_cert(&third.of("o", "i"), NOW).unwrap_err();
    let (owner, thumbprints) = ("o".parse().unwrap(), [short.thumbprint(), long.thumbprint()]);
    assert_eq!(refused, Error::TwoInForce { owner, issuer: "i".into(), thumbprints });
    assert!(refused.to_string().contains(&format!("revoke {}", short.thumbprint())));
    // Another issuer value, owner or environment is another credential.
    store.enrol_signing_cert(&third.of("o", "j"), NOW).unwrap();
    store.enrol_signing_cert(&signing_cert(2028).of("u", "i"), NOW).unwrap();
    store.enrol_signing_cert(&in_prod(signing_cert(2028).of("o", "i")), NOW).unwrap();
    // And a revoked one makes room.
    store.revoke_signing_cert(&short.thumbprint(), NOW).unwrap();
    store.enrol_signing_cert(&signing_cert(2028).of("o", "i"), NOW).unwrap();
}

pub(crate) fn expired_certificate_does_not_count(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let (short, long, third) = (signing_cert(2028), signing_cert(2029), signing_cert(2029));
    store.enrol_signing_cert(&short.of("o", "i"), NOW).unwrap();
    store.enrol_signing_cert(&long.of("o", "i"), NOW).unwrap();
    let last_second = short.cert.not_after();
    assert!(store.enrol_signing_cert(&third.of("o", "i"), last_second).is_err());
    store.enrol_signing_cert(&third.of("o", "i"), at(last_second.as_secs() + 1)).unwrap();
}

pub(crate) fn replacing_revokes_the_predecessor_alone(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let [first, second, third, strangers] = [2028, 2029, 2029, 2029].map(signing_cert);
    store.enrol_signing_cert(&first.of("o", "i"), NOW).unwrap();
    store.enrol_signing_cert(&second.of("o", "i"), NOW).unwrap();
    store.enrol_signing_cert(&strangers.of("u", "i"), NOW).unwrap();

    for other in [&strangers, &third] {
        let refused = store.replace_signing_cert(&third.of("o", "i"), &other.thumbprint(), NOW);
        assert_eq!(refused, Err(Error::NotItsPredecessor(other.thumbprint())));
    }
    store.replace_signing_cert(&third.of("o", "i"), &first.thumbprint(), NOW).unwrap();
    let revoked = |cert: &crate::support::Cert| store.signing_cert(&cert.thumbprint()).unwrap().revoked;
    assert_eq!([&first, &second, &third, &strangers].map(revoked), [Some(NOW), None, None, None]);
    let refused = store.replace_signing_cert(&signing_cert(2028).of("o", "i"), &first.thumbprint(), NOW);
    assert_eq!(refused, Err(Error::NotItsPredecessor(first.thumbprint())));
}

pub(crate) fn other_der_is_refused(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let mut new = signing_cert(2028).of("o", "i");
    new.der = signing_cert(2028).der;
    assert_eq!(store.enrol_signing_cert(&new, NOW), Err(Error::OtherDer(new.cert.thumbprint())));
}

/// M2M-5.
pub(crate) fn issuer_is_bounded_text(Fixture { store, .. }: Fixture) {
    furnish(&store);
    for issuer in ["", "a\0b", &"x".repeat(1025)] {
        let refused = store.enrol_signing_cert(&signing_cert(2028).of("o", issuer), NOW);
        assert!(matches!(refused, Err(Error::Text { .. })), "{issuer:?}");
    }
    // Spaces are bytes like others: what was agreed is compared as it is.
    store.enrol_signing_cert(&signing_cert(2028).of("o", " i "), NOW).unwrap();
}

pub(crate) fn certificates_are_listed_as_enrolled(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let (ours, theirs) = (signing_cert(2028), signing_cert(2029));
    store.enrol_signing_cert(&ours.of("o", "i"), NOW).unwrap();
    store.enrol_signing_cert(&in_prod(theirs.of("u", "j")), NOW).unwrap();
    let list = |filter, size| store.list_signing_certs(&filter, &Page::first(size).unwrap()).unwrap();

    let of_o = list(SigningCertFilter { owner: Some("o".parse().unwrap()), ..Default::default() }, 10).items;
    assert_eq!((of_o.len(), &of_o[0].cert, of_o[0].issuer.as_str()), (1, &ours.cert, "i"));
    let in_prod = SigningCertFilter { environment: Some(Environment::Prod), ..Default::default() };
    assert_eq!(list(in_prod, 10).items[0].cert, theirs.cert);
    let of_issuer = SigningCertFilter { issuer: Some("j".into()), ..Default::default() };
    assert_eq!(list(of_issuer, 10).items.len(), 1);

    let first = list(SigningCertFilter::default(), 1);
    let second = Page::after(first.next.unwrap(), 1).unwrap();
    let second = store.list_signing_certs(&SigningCertFilter::default(), &second).unwrap();
    assert_eq!((second.items.len(), second.next), (1, None));
    assert_ne!(first.items[0].cert, second.items[0].cert);

    assert_eq!(store.signing_cert_der(&ours.thumbprint()), Ok(ours.der.clone()));
    assert_eq!(store.signing_cert(&theirs.thumbprint()).unwrap().owner.as_str(), "u");
    assert!(matches!(store.signing_cert_der(&signing_cert(2028).thumbprint()), Err(Error::Unknown(..))));
}

/// A mistyped key gave an empty page, which looks like the end.
pub(crate) fn page_after_no_thumbprint_is_refused(Fixture { store, .. }: Fixture) {
    for key in ["0", "zz", "kowhai"] {
        let page = Page::after(key.to_owned(), 10).unwrap();
        let refused = store.list_signing_certs(&SigningCertFilter::default(), &page);
        assert_eq!(refused, Err(Error::After(key.to_owned())));
    }
}
