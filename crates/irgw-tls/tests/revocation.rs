//! Revocation lists, and what happens when they or the roots are replaced (TLS-9, TLS-10; A14).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod support;

use std::sync::Arc;

use irgw_tls::{ClientTrust, Crl, CrlFault, CrlPolicy, Error, Flaw};
use rcgen::{KeyUsagePurpose, SerialNumber};
use support::{Authority, Client, FROM, NAME, NOW, UNTIL, at, flaw, flaw_of, pem};

const SERIAL: u64 = 0x7777;

fn client(issuer: &Authority) -> Client {
    issuer.client_with(NAME, |params| params.serial_number = Some(SerialNumber::from(SERIAL)))
}

fn trust_with(root: &Authority, policy: CrlPolicy, crls: Vec<Crl>) -> ClientTrust {
    ClientTrust::new(vec![root.approved().with_crl_policy(policy)], crls).unwrap()
}

#[test]
fn a14_revoked_certificate_is_refused_under_every_policy() {
    let root = Authority::root("Root");
    let client = client(&root);
    for policy in [CrlPolicy::WhereLoaded, CrlPolicy::Required, CrlPolicy::StaleAccepted] {
        let with = |serials: &[u64]| trust_with(&root, policy, root.crl(serials, UNTIL));
        assert_eq!(flaw(&with(&[SERIAL]), &client.der), Some(Flaw::Revoked), "{policy:?}");
        assert_eq!(flaw(&with(&[SERIAL + 1]), &client.der), None, "{policy:?}");
    }
}

#[test]
fn a14_revoked_intermediate_is_refused() {
    let root = Authority::root("Root");
    let issuing = root.intermediate_with("Issuing", |params| {
        params.serial_number = Some(SerialNumber::from(SERIAL));
    });
    let trust = trust_with(&root, CrlPolicy::WhereLoaded, root.crl(&[SERIAL], UNTIL));
    let verdict = trust.verify(&issuing.client(NAME).der, issuing.alone(), at(NOW)).map(|_| ());
    assert_eq!(flaw_of(verdict), Some(Flaw::Revoked));
}

#[test]
fn a14_expired_list_fails_closed_unless_the_root_accepts_stale_ones() {
    let root = Authority::root("Root");
    let client = client(&root);
    let expired = Some(Flaw::CrlExpired { next_update: NOW });
    for (policy, serials, expected) in [
        (CrlPolicy::WhereLoaded, &[][..], expired.clone()),
        (CrlPolicy::Required, &[], expired),
        (CrlPolicy::StaleAccepted, &[], None),
        (CrlPolicy::StaleAccepted, &[SERIAL], Some(Flaw::Revoked)),
    ] {
        let trust = trust_with(&root, policy, root.crl(serials, NOW));
        assert_eq!(flaw(&trust, &client.der), expected, "{policy:?}");
    }
    let trust = trust_with(&root, CrlPolicy::WhereLoaded, root.crl(&[], NOW + 1));
    assert_eq!(flaw(&trust, &client.der), None, "the last second before nextUpdate");
}

#[test]
fn a14_list_of_another_issuer_covers_nothing() {
    let root = Authority::root("Root");
    let other = Authority::root("Other");
    let client = client(&root);
    let with = |policy, crls| flaw(&trust_with(&root, policy, crls), &client.der);
    assert_eq!(with(CrlPolicy::WhereLoaded, other.crl(&[SERIAL], UNTIL)), None);
    assert_eq!(with(CrlPolicy::Required, other.crl(&[], UNTIL)), Some(Flaw::RevocationUnknown));
    assert_eq!(with(CrlPolicy::Required, vec![]), Some(Flaw::RevocationUnknown));
}

#[test]
fn a14_list_of_the_issuers_name_signed_by_another_key_is_refused() {
    let root = Authority::root("Root");
    let namesake = Authority::root("Root");
    let trust = trust_with(&root, CrlPolicy::WhereLoaded, namesake.crl(&[], UNTIL));
    assert!(matches!(flaw(&trust, &client(&root).der), Some(Flaw::BadCrl(_))));
}

#[test]
fn a14_list_of_an_authority_that_may_not_sign_lists_is_refused() {
    let root = Authority::root_with("Root", |params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]);
    let signing =
        Authority { params: support::authority_params("Root"), key: root.key, der: root.der.clone() };
    let crls = signing.crl(&[], UNTIL);
    let approved = irgw_tls::ApprovedRoot::new("root", root.der, at(NOW)).unwrap();
    let trust = ClientTrust::new(vec![approved], crls).unwrap();
    assert!(matches!(flaw(&trust, &client(&signing).der), Some(Flaw::BadCrl(_))));
}

#[test]
fn of_two_lists_of_one_issuer_the_newer_counts() {
    let root = Authority::root("Root");
    let client = client(&root);
    let older = root.crl(&[], UNTIL);
    let newer = root.crl_from(NOW, &[SERIAL], UNTIL);
    for crls in [[older.clone(), newer.clone()].concat(), [newer, older].concat()] {
        assert_eq!(flaw(&trust_with(&root, CrlPolicy::WhereLoaded, crls), &client.der), Some(Flaw::Revoked));
    }
}

#[test]
fn a14_list_gives_way_to_no_older_one_and_to_none_of_another_issuer() {
    let (root, other) = (Authority::root("Root"), Authority::root("Other"));
    let (now, later) = (root.crl_from(NOW, &[SERIAL], UNTIL), root.crl_from(NOW + 1, &[], UNTIL));
    let both = [later.clone(), other.crl(&[], UNTIL)].concat();
    let follows = |former: &[Crl], next: &[Crl]| Crl::check_succession(former, next);
    assert_eq!(follows(&now, &later), Ok(()));
    assert_eq!(follows(&now, &now), Ok(()));
    assert_eq!(follows(&now, &both), Ok(()));
    assert_eq!(follows(&[], &now), Ok(()));
    let root = || "CN=Root".into();
    assert_eq!(follows(&later, &now), Err(Error::Crl(CrlFault::Older { issuer: root() })));
    assert_eq!(follows(&now, &other.crl(&[], UNTIL)), Err(Error::Crl(CrlFault::Dropped { issuer: root() })));
    assert_eq!(follows(&now, &[]), Err(Error::Crl(CrlFault::Dropped { issuer: root() })));
}

#[test]
fn a14_signature_of_a_list_is_checked_as_soon_as_its_issuer_is_known() {
    let root = Authority::root("Root");
    let issuing = root.intermediate("Issuing");
    let bad_signature = |authority: &Authority| {
        let mut der = authority.crl_der(&[], UNTIL);
        *der.last_mut().unwrap() ^= 1;
        der
    };
    let trust = support::trust(&root);
    let refused = |name: &str| Err(Error::Crl(CrlFault::BadSignature { issuer: name.into() }));
    let parsed = |der: &[u8]| trust.parse_lists(der).map(|lists| lists.len());
    assert_eq!(parsed(&root.crl_der(&[], UNTIL)), Ok(1));
    assert_eq!(parsed(&bad_signature(&root)), refused("CN=Root"));
    assert_eq!(parsed(&bad_signature(&issuing)), Ok(1), "not known yet");
    assert!(trust.verify(&client(&issuing).der, issuing.alone(), at(NOW)).is_ok());
    assert_eq!(parsed(&bad_signature(&issuing)), refused("CN=Issuing"));
    assert_eq!(parsed(&issuing.crl_der(&[], UNTIL)), Ok(1));
    assert_eq!(trust.unusable_list(), None);
    trust.replace_crls(Crl::parse(&bad_signature(&issuing)).unwrap());
    assert!(trust.verify(&client(&issuing).der, issuing.alone(), at(NOW)).is_err());
    assert!(trust.unusable_list().is_some_and(|told| told.contains("CN=Issuing")));
    trust.replace_crls(issuing.crl(&[], UNTIL));
    assert_eq!(trust.unusable_list(), None);
}

#[test]
fn a14_authority_that_changed_its_key_has_a_list_of_each() {
    let root = Authority::root("Root");
    let (old, new) = (root.intermediate("Issuing"), root.intermediate("Issuing"));
    let judge = |crls: Vec<Crl>, issuing: &Authority| {
        let trust = trust_with(&root, CrlPolicy::Required, [root.crl(&[], UNTIL), crls].concat());
        let both = trust.verify(&client(issuing).der, &[old.der.clone(), new.der.clone()], at(NOW));
        let alone = flaw_of(trust.verify(&client(issuing).der, issuing.alone(), at(NOW)).map(|_| ()));
        assert_eq!(both.is_ok(), alone.is_none());
        alone
    };
    for (this_old, this_new) in [(NOW, NOW - 1), (NOW - 1, NOW)] {
        let both = |in_old: &[u64], in_new: &[u64]| {
            [old.crl_from(this_old, in_old, UNTIL), new.crl_from(this_new, in_new, UNTIL)].concat()
        };
        assert_eq!(judge(both(&[], &[]), &old), None);
        assert_eq!(judge(both(&[], &[]), &new), None);
        assert_eq!(judge(both(&[SERIAL], &[]), &old), Some(Flaw::Revoked));
        assert_eq!(judge(both(&[SERIAL], &[]), &new), None);
        assert_eq!(judge(both(&[], &[SERIAL]), &old), None);
        assert_eq!(judge(both(&[], &[SERIAL]), &new), Some(Flaw::Revoked));
    }
    // With lists of other keys alone nothing is known, so nobody is accepted.
    let strangers = [Authority::root("Issuing"), Authority::root("Issuing")];
    let others = strangers.iter().flat_map(|stranger| stranger.crl(&[], UNTIL)).collect();
    assert!(matches!(judge(others, &old), Some(Flaw::BadCrl(_))));
}

#[test]
fn a14_malformed_lists_are_refused_whole() {
    let root = Authority::root("Root");
    let der = root.crl_der(&[SERIAL], UNTIL);
    let text = pem("X509 CRL", &der);
    assert_eq!(Crl::parse(&der).map(|crls| crls.len()), Ok(1));
    assert_eq!(Crl::parse((text.clone() + &text).as_bytes()).map(|crls| crls.len()), Ok(2));
    for at in 0..der.len() {
        assert!(Crl::parse(&der[..at]).is_err(), "prefix of {at}");
    }
    for bytes in
        [&b""[..], b"no list", b"-----BEGIN X509 CRL-----\nMII", pem("CERTIFICATE", &root.der).as_bytes()]
    {
        assert!(matches!(Crl::parse(bytes), Err(Error::Crl(CrlFault::Malformed(_)))));
    }
    let huge = vec![0x30; Crl::LIMIT_BYTES + 1];
    assert!(matches!(Crl::parse(&huge), Err(Error::Crl(CrlFault::TooLarge { .. }))));
}

#[test]
fn a14_replacing_lists_ends_a_standing_certificate_and_restores_it() {
    let root = Authority::root("Root");
    let client = client(&root);
    let trust = trust_with(&root, CrlPolicy::WhereLoaded, root.crl(&[], UNTIL));
    let cert = trust.verify(&client.der, &[], at(NOW)).unwrap();
    assert!(trust.confirm(&cert, at(NOW)).is_ok());
    trust.replace_crls(root.crl(&[SERIAL], UNTIL));
    assert_eq!(flaw_of(trust.confirm(&cert, at(NOW))), Some(Flaw::Revoked));
    assert_eq!(cert.issuer_pin(), None);
    assert_eq!(flaw(&trust, &client.der), Some(Flaw::Revoked));
    trust.replace_crls(root.crl(&[], UNTIL));
    assert!(trust.confirm(&cert, at(NOW)).is_ok());
}

#[test]
fn a16_standing_certificate_ends_with_its_list_its_validity_and_its_root() {
    let root = Authority::root("Root");
    let client = client(&root);
    let trust = trust_with(&root, CrlPolicy::WhereLoaded, root.crl(&[], NOW + 100));
    let cert = trust.verify(&client.der, &[], at(NOW)).unwrap();
    assert!(trust.confirm(&cert, at(NOW + 99)).is_ok());
    let expired = Some(Flaw::CrlExpired { next_update: NOW + 100 });
    assert_eq!(flaw_of(trust.confirm(&cert, at(NOW + 100))), expired);
    trust.replace_crls(root.crl(&[], UNTIL + 100));
    assert!(trust.confirm(&cert, at(UNTIL)).is_ok());
    assert_eq!(flaw_of(trust.confirm(&cert, at(UNTIL + 1))), Some(Flaw::Expired { not_after: UNTIL }));
    assert_eq!(flaw_of(trust.confirm(&cert, at(FROM - 1))), Some(Flaw::NotYetValid { not_before: FROM }));
    assert!(trust.confirm(&cert, at(NOW)).is_ok());
    trust.replace(vec![Authority::root("Other").approved()], vec![]).unwrap();
    assert_eq!(flaw_of(trust.confirm(&cert, at(NOW))), Some(Flaw::UnknownIssuer));
}

#[test]
fn one_trusts_certificate_is_judged_anew_by_another() {
    let (root, other) = (Authority::root("Root"), Authority::root("Other"));
    let client = client(&root);
    let cert = support::trust(&root).verify(&client.der, &[], at(NOW)).unwrap();
    assert_eq!(flaw_of(support::trust(&other).confirm(&cert, at(NOW))), Some(Flaw::UnknownIssuer));
}

#[test]
fn remembered_certificate_is_shared_whatever_else_is_sent() {
    let root = Authority::root("Root");
    let issuing = root.intermediate("Issuing");
    let client = client(&issuing);
    let trust = support::trust(&root);
    let first = trust.verify(&client.der, issuing.alone(), at(NOW)).unwrap();
    let second = trust.verify(&client.der, issuing.alone(), at(NOW + 1)).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    let more = [root.der.clone(), issuing.der.clone(), Authority::root("Stranger").der];
    assert!(Arc::ptr_eq(&first, &trust.verify(&client.der, &more, at(NOW)).unwrap()));
}

#[test]
fn remembered_certificate_is_refused_when_its_intermediate_is_left_out() {
    let root = Authority::root("Root");
    let issuing = root.intermediate("Issuing");
    let client = client(&issuing);
    let trust = support::trust(&root);
    assert!(trust.verify(&client.der, issuing.alone(), at(NOW)).is_ok());
    assert_eq!(flaw(&trust, &client.der), Some(Flaw::UnknownIssuer));
}

#[test]
fn certificate_whose_remembered_path_fell_is_accepted_by_another_that_is_sent() {
    let (root, other) = (Authority::root("Root"), Authority::root("Other"));
    let issuing = root.intermediate("Issuing");
    let cross = other.sign(&issuing.params, &issuing.key);
    let client = client(&issuing);
    let trust = support::trust(&root);
    assert!(trust.verify(&client.der, issuing.alone(), at(NOW)).is_ok());
    trust.replace(vec![other.approved()], vec![]).unwrap();
    assert!(trust.verify(&client.der, issuing.alone(), at(NOW)).is_err());
    assert!(trust.verify(&client.der, &[issuing.der.clone(), cross], at(NOW)).is_ok());
}
