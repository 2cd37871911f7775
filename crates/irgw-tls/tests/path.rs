//! Which certification paths are accepted (TLS-4, TLS-5, TLS-8; A05 to A10).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod support;

use irgw_tls::{ApprovedRoot, ClientEku, ClientTrust, Error, Flaw, Place};
use rcgen::{
    BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyUsagePurpose,
    NameConstraints, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use support::der::{self, resigned};
use support::{Authority, FROM, NAME, NOW, UNTIL, at, client_params, flaw, flaw_of, trust};

#[test]
fn certificate_under_an_approved_root_is_accepted() {
    let root = Authority::root("Root");
    let issuing = root.intermediate("Issuing");
    let client = issuing.client(NAME);
    let cert = trust(&root).verify(&client.der, issuing.alone(), at(NOW)).unwrap();
    assert_eq!(cert.common_name().as_str(), NAME);
    assert_eq!(cert.root().as_deref(), Some("test root"));
    assert_eq!(&*cert.facts().issuer, "CN=Issuing");
}

#[test]
fn order_and_extra_certificates_of_the_message_do_not_matter() {
    let root = Authority::root("Root");
    let upper = root.intermediate("Upper");
    let issuing = upper.intermediate("Issuing");
    let stranger = Authority::root("Stranger");
    let client = issuing.client(NAME);
    let sent = [stranger.der.clone(), upper.der.clone(), root.der.clone(), issuing.der.clone()];
    assert!(trust(&root).verify(&client.der, &sent, at(NOW)).is_ok());
}

#[test]
fn a05_self_signed_and_unknown_authorities_are_refused() {
    let root = Authority::root("Root");
    let trust = trust(&root);
    let key = rcgen::KeyPair::generate().unwrap();
    let own = client_params(NAME).self_signed(&key).unwrap().der().clone();
    assert_eq!(flaw(&trust, &own), Some(Flaw::SelfSigned));

    let stranger = Authority::root("Stranger");
    assert_eq!(flaw(&trust, &stranger.client(NAME).der), Some(Flaw::UnknownIssuer));

    let unapproved = stranger.intermediate("Issuing");
    let sent = [unapproved.der.clone(), stranger.der.clone()];
    let refused = trust.verify(&unapproved.client(NAME).der, &sent, at(NOW)).map(|_| ());
    assert_eq!(flaw_of(refused), Some(Flaw::UnknownIssuer));

    let namesake = Authority::root("Root");
    assert_eq!(flaw(&trust, &namesake.client(NAME).der), Some(Flaw::BadSignature));
}

#[test]
fn a05_end_entity_certificate_cannot_be_approved_as_a_root() {
    let key = rcgen::KeyPair::generate().unwrap();
    let own = client_params(NAME).self_signed(&key).unwrap().der().clone();
    assert_eq!(root_flaw(own), Some(Flaw::NotAnAuthority));
}

#[test]
fn a06_too_many_certificates_and_too_many_bytes_are_refused_unread() {
    let root = Authority::root("Root");
    let client = root.client(NAME);
    let junk = |count: usize, size: usize| vec![CertificateDer::from(vec![0x30; size]); count];
    let refused =
        |sent: &[CertificateDer<'_>]| flaw_of(trust(&root).verify(&client.der, sent, at(NOW)).map(|_| ()));
    assert_eq!(refused(&junk(1000, 8)), Some(Flaw::TooManyCertificates { sent: 1001, limit: 10 }));
    assert!(matches!(refused(&junk(1, 16 << 10)), Some(Flaw::TooManyBytes { .. })));
    assert_eq!(refused(&junk(9, 8)), None);
}

#[test]
fn a06_a_maze_of_authorities_ends_in_a_refusal() {
    // Nine authorities of one name, each of which could have issued all the others, and none leads to the root.
    let root = Authority::root("Root");
    let outside = Authority::root("Maze");
    let maze: Vec<_> = (0..9).map(|_| outside.intermediate("Maze").der).collect();
    let client = outside.client(NAME);
    let refused =
        |count: usize| flaw_of(trust(&root).verify(&client.der, &maze[..count], at(NOW)).map(|_| ()));
    assert_eq!(refused(9), Some(Flaw::TooManyNamesakes { sent: 9, limit: 3 }));
    assert_eq!(refused(4), Some(Flaw::TooManyNamesakes { sent: 4, limit: 3 }));
    assert_eq!(refused(3), Some(Flaw::UnknownIssuer));
}

#[test]
fn a06_two_cross_signed_certificates_of_one_authority_do_no_harm() {
    let (root, other) = (Authority::root("Root"), Authority::root("Other"));
    let issuing = root.intermediate("Issuing");
    let cross = other.sign(&issuing.params, &issuing.key);
    let client = issuing.client(NAME);
    for sent in [[cross.clone(), issuing.der.clone()], [issuing.der.clone(), cross]] {
        assert!(trust(&root).verify(&client.der, &sent, at(NOW)).is_ok());
        assert!(trust(&other).verify(&client.der, &sent, at(NOW)).is_ok());
    }
}

#[test]
fn a07_validity_includes_its_first_and_its_last_second() {
    let root = Authority::root("Root");
    let client = root.client_with(NAME, |params| {
        params.not_before = support::date(NOW);
        params.not_after = support::date(NOW + 10);
    });
    let judge = |second| flaw_of(trust(&root).verify(&client.der, &[], at(second)).map(|_| ()));
    assert_eq!(judge(NOW - 1), Some(Flaw::NotYetValid { not_before: NOW }));
    assert_eq!(judge(NOW), None);
    assert_eq!(judge(NOW + 10), None);
    assert_eq!(judge(NOW + 11), Some(Flaw::Expired { not_after: NOW + 10 }));
}

#[test]
fn a07_validity_of_authorities_counts_the_root_included() {
    let root = Authority::root_with("Root", |params| params.not_after = support::date(NOW + 5));
    let client = root.client(NAME);
    let trust = trust(&root);
    assert!(trust.verify(&client.der, &[], at(NOW + 5)).is_ok());
    let late = trust.verify(&client.der, &[], at(NOW + 6)).unwrap_err();
    let Error::Certificate { fault, .. } = late else { panic!("{late}") };
    assert_eq!((fault.place, fault.flaw), (Place::Root, Flaw::Expired { not_after: NOW + 5 }));
}

#[test]
fn a07_inverted_validity_is_refused() {
    let root = Authority::root("Root");
    let client = root.client_with(NAME, |params| {
        params.not_before = support::date(UNTIL);
        params.not_after = support::date(FROM);
    });
    assert_eq!(flaw(&trust(&root), &client.der), Some(Flaw::InvertedValidity));
}

/// The setting's verdict on each set of purposes (TLS-8, A08).
#[test]
fn a08_extended_key_usage_is_judged_by_the_roots_setting() {
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, CodeSigning, EmailProtection, ServerAuth};
    let root = Authority::root("Root");
    let rows: [(&[ExtendedKeyUsagePurpose], [bool; 3]); 8] = [
        (&[ClientAuth], [true, true, true]),
        (&[ServerAuth, ClientAuth], [true, true, true]),
        (&[ServerAuth], [false, true, true]),
        (&[], [false, false, true]),
        (&[Any], [false, false, false]),
        (&[EmailProtection], [false, false, false]),
        (&[CodeSigning, EmailProtection], [false, false, false]),
        (&[CodeSigning, ClientAuth], [true, true, true]),
    ];
    let settings = [ClientEku::ClientAuth, ClientEku::ServerAuthAccepted, ClientEku::AbsentAccepted];
    for (purposes, expected) in rows {
        let client = root.client_with(NAME, |params| params.extended_key_usages = purposes.to_vec());
        for (setting, expected) in settings.into_iter().zip(expected) {
            let trust = ClientTrust::new(vec![root.approved().with_client_eku(setting)], vec![]).unwrap();
            let refused = flaw(&trust, &client.der);
            assert_eq!(refused.is_none(), expected, "{purposes:?} under {setting:?}: {refused:?}");
            assert!(matches!(refused, None | Some(Flaw::ExtendedKeyUsage(_))));
        }
    }
}

#[test]
fn a08_purposes_of_an_intermediate_limit_those_below_it() {
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    let root = Authority::root("Root");
    for (purposes, expected) in [(vec![ServerAuth], false), (vec![ClientAuth], true), (vec![Any], true)] {
        let issuing =
            root.intermediate_with("Issuing", |params| params.extended_key_usages = purposes.clone());
        let client = issuing.client(NAME);
        let verdict = trust(&root).verify(&client.der, issuing.alone(), at(NOW));
        assert_eq!(verdict.is_ok(), expected, "{purposes:?}");
    }
}

#[test]
fn a08_key_usage_and_basic_constraints_of_the_end_entity_are_checked() {
    use KeyUsagePurpose::{DigitalSignature, KeyCertSign, KeyEncipherment};
    let root = Authority::root("Root");
    let judge = |change: &dyn Fn(&mut rcgen::CertificateParams)| {
        flaw(&trust(&root), &root.client_with(NAME, |params| change(params)).der)
    };
    assert_eq!(judge(&|params| params.key_usages = vec![]), None);
    assert_eq!(judge(&|params| params.key_usages = vec![KeyEncipherment]), Some(Flaw::NoDigitalSignature));
    assert_eq!(
        judge(&|params| params.key_usages = vec![DigitalSignature, KeyCertSign]),
        Some(Flaw::KeyCertSignOnEndEntity)
    );
    assert_eq!(
        judge(&|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
        Some(Flaw::AuthorityAsEndEntity)
    );
    assert_eq!(judge(&|params| params.is_ca = IsCa::ExplicitNoCa), None);
}

#[test]
fn a08_unknown_critical_extension_is_refused_and_uncritical_one_ignored() {
    let root = Authority::root("Root");
    for (critical, expected) in [(true, false), (false, true)] {
        let client = root.client_with(NAME, |params| {
            let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
            extension.set_criticality(critical);
            params.custom_extensions.push(extension);
        });
        assert_eq!(trust(&root).verify(&client.der, &[], at(NOW)).is_ok(), expected);
    }
}

#[test]
fn a09_intermediates_must_be_authorities_that_may_sign_certificates() {
    let root = Authority::root("Root");
    let judge = |change: &dyn Fn(&mut rcgen::CertificateParams)| {
        let issuing = root.intermediate_with("Issuing", |params| change(params));
        let client = issuing.client(NAME);
        flaw_of(trust(&root).verify(&client.der, issuing.alone(), at(NOW)).map(|_| ()))
    };
    assert_eq!(judge(&|_| {}), None);
    assert_eq!(judge(&|params| params.is_ca = IsCa::NoCa), Some(Flaw::NotAnAuthority));
    assert_eq!(
        judge(&|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]),
        Some(Flaw::NoKeyCertSign)
    );
    assert_eq!(judge(&|params| params.key_usages = vec![]), Some(Flaw::NoKeyCertSign));
    assert_eq!(
        judge(&|params| params.use_authority_key_identifier_extension = false),
        Some(Flaw::MissingExtension("authorityKeyIdentifier"))
    );
}

#[test]
fn a09_path_length_constraint_holds() {
    let root = Authority::root_with("Root", |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(5));
    });
    let narrow = root.intermediate_with("Narrow", |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    });
    let below = narrow.intermediate("Below");
    let direct = narrow.client(NAME);
    assert!(trust(&root).verify(&direct.der, narrow.alone(), at(NOW)).is_ok());
    let sent = [below.der.clone(), narrow.der.clone()];
    let refused = trust(&root).verify(&below.client(NAME).der, &sent, at(NOW)).map(|_| ());
    assert_eq!(flaw_of(refused), Some(Flaw::PathLength));
}

#[test]
fn a09_path_length_constraint_of_a_root_holds() {
    for (allowed, expected) in [(0, Some(Flaw::PathLength)), (1, None)] {
        let root = Authority::root_with("Root", |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(allowed));
        });
        assert_eq!(flaw(&trust(&root), &root.client(NAME).der), None);
        let issuing = root.intermediate("Issuing");
        let verdict = trust(&root).verify(&issuing.client(NAME).der, issuing.alone(), at(NOW)).map(|_| ());
        assert_eq!(flaw_of(verdict), expected, "{allowed}");
    }
}

#[test]
fn a09_dns_name_constraints_hold_for_the_common_name_too() {
    let constraint = |permitted: &[&str], excluded: &[&str]| {
        let subtrees = |names: &[&str]| {
            names.iter().map(|name| GeneralSubtree::DnsName((*name).into())).collect::<Vec<_>>()
        };
        NameConstraints { permitted_subtrees: subtrees(permitted), excluded_subtrees: subtrees(excluded) }
    };
    let rows: [(&[&str], &[&str], bool); 5] = [
        (&["example.nz"], &[], true),
        (&["test.example.nz"], &[], true),
        (&["example.com"], &[], false),
        (&[], &["example.nz"], false),
        (&["example.nz"], &["irdgws.test.example.nz"], false),
    ];
    for (permitted, excluded, expected) in rows {
        let root = Authority::root("Root");
        let issuing = root.intermediate_with("Issuing", |params| {
            params.name_constraints = Some(constraint(permitted, excluded));
        });
        let sent = [issuing.der.clone()];
        let named = issuing.client(NAME);
        let verdict = trust(&root).verify(&named.der, &sent, at(NOW)).map(|_| ());
        assert_eq!(verdict.is_ok(), expected, "{permitted:?} less {excluded:?}, Common Name");
        assert!(matches!(flaw_of(verdict), None | Some(Flaw::NameConstraint)));
        let with_dns_name = issuing.client_with(NAME, |params| {
            params.subject_alt_names = vec![rcgen::SanType::DnsName(NAME.try_into().unwrap())];
        });
        let verdict = trust(&root).verify(&with_dns_name.der, &sent, at(NOW));
        assert_eq!(verdict.is_ok(), expected, "{permitted:?} less {excluded:?}, dNSName");
    }
}

#[test]
fn a10_keys_are_of_the_accepted_kinds_and_sizes() {
    let root = Authority::root("Root");
    let judge = |spki: Vec<u8>| flaw(&trust(&root), &root.client_of(NAME, spki));
    let ec = |curve: &[u8], bytes: usize| {
        let point = [vec![4], vec![0x11; 2 * bytes]].concat();
        der::spki(EC_PUBLIC_KEY, &der::tlv(der::OID, curve), &point)
    };
    assert_eq!(judge(ec(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], 32)), None, "P-256");
    assert_eq!(judge(ec(&[0x2b, 0x81, 4, 0, 34], 48)), None, "P-384");
    assert_eq!(judge(ec(&[0x2b, 0x81, 4, 0, 35], 66)), None, "P-521");
    let is_of_another_kind = |flaw: Option<Flaw>, name| {
        assert!(matches!(flaw, Some(Flaw::KeyKind(_))), "{name}: {flaw:?}");
    };
    is_of_another_kind(judge(ec(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1], 24)), "P-192");
    is_of_another_kind(judge(ec(&[0x2b, 0x81, 4, 0, 10], 32)), "secp256k1");

    let explicit =
        der::spki(EC_PUBLIC_KEY, &der::tlv(der::SEQUENCE, &der::tlv(der::INTEGER, &[1])), &[4; 65]);
    is_of_another_kind(judge(explicit), "explicit curve parameters");
    let dsa = der::spki(&[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1], &[], &der::tlv(der::INTEGER, &[1]));
    is_of_another_kind(judge(dsa), "DSA");
    let ed25519 = der::spki(&[0x2b, 0x65, 0x70], &[], &[7; 32]);
    is_of_another_kind(judge(ed25519), "Ed25519");

    for (bits, accepted) in [
        (1024, false),
        (2040, false),
        (2047, false),
        (2048, true),
        (3072, true),
        (4096, true),
        (4104, false),
        (8192, false),
    ] {
        let refused = judge(der::rsa_spki(bits, 65_537));
        assert_eq!(refused, (!accepted).then_some(Flaw::RsaSize { bits }), "RSA-{bits}");
    }
    assert_eq!(judge(der::rsa_spki(2048, 1)), Some(Flaw::RsaExponent));
    assert_eq!(judge(der::rsa_spki(2048, 65_536)), Some(Flaw::RsaExponent));
    assert_eq!(judge(der::rsa_spki(2048, 3)), None);
}

#[test]
fn a10_sha1_and_md5_signatures_are_refused() {
    let root = Authority::root_of("RSA root", support_rsa());
    let trust = trust(&root);
    let client = root.client(NAME);
    assert_eq!(flaw(&trust, &client.der), None);
    const SHA256_WITH_RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
    for (last, digest) in [(5, "SHA-1"), (4, "MD5")] {
        let mut bytes = client.der.to_vec();
        let places: Vec<usize> =
            (0..bytes.len() - 9).filter(|at| bytes[*at..*at + 9] == SHA256_WITH_RSA).collect();
        assert_eq!(places.len(), 2);
        places.iter().for_each(|at| bytes[at + 8] = last);
        let expected = Flaw::SignatureAlgorithm(format!("1.2.840.113549.1.1.{last}"));
        assert_eq!(flaw(&trust, &bytes.into()), Some(expected), "{digest}");
    }
}

#[test]
fn a10_version_serial_and_doubled_extensions_are_checked() {
    let root = Authority::root("Root");
    let trust = trust(&root);
    let client = root.client(NAME);
    let judge = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        flaw(&trust, &resigned(&client.der, &root.key, |parts| change(parts)))
    };
    assert_eq!(judge(&|_| {}), None);
    assert!(
        judge(&|parts| {
            parts.remove(der::VERSION);
        })
        .is_some(),
        "version 1"
    );
    assert_eq!(
        judge(&|parts| parts[der::VERSION] = vec![0xa0, 3, 2, 1, 1]),
        Some(Flaw::Version),
        "version 2"
    );
    assert_eq!(judge(&|parts| parts[der::SERIAL] = vec![2, 1, 0]), Some(Flaw::Serial), "zero");
    assert_eq!(judge(&|parts| parts[der::SERIAL] = vec![2, 1, 0x80]), Some(Flaw::Serial), "negative");
    let long = |octets: usize| der::tlv(der::INTEGER, &vec![0x11; octets]);
    assert_eq!(judge(&|parts| parts[der::SERIAL] = long(20)), None);
    assert_eq!(judge(&|parts| parts[der::SERIAL] = long(21)), Some(Flaw::Serial));
    let doubled = judge(&|parts| {
        let mut extensions = der::elements(der::content(&parts[der::EXTENSIONS]));
        extensions.push(extensions[0].clone());
        parts[der::EXTENSIONS] = der::tlv(0xa3, &der::tlv(der::SEQUENCE, &extensions.concat()));
    });
    assert!(doubled.is_some());
}

#[test]
fn certificate_with_bytes_behind_it_is_refused() {
    let root = Authority::root("Root");
    let mut bytes = root.client(NAME).der.to_vec();
    bytes.push(0);
    assert!(matches!(flaw(&trust(&root), &bytes.into()), Some(Flaw::Malformed(_))));
}

#[test]
fn no_prefix_and_no_changed_byte_of_a_certificate_is_accepted() {
    let root = Authority::root("Root");
    let trust = trust(&root);
    let client = root.client(NAME).der.to_vec();
    for at in 0..client.len() {
        assert!(
            trust.verify(&client[..at].to_vec().into(), &[], support::at(NOW)).is_err(),
            "prefix of {at}"
        );
        let mut changed = client.clone();
        changed[at] ^= 1;
        assert!(trust.verify(&changed.into(), &[], support::at(NOW)).is_err(), "byte {at}");
    }
}

#[test]
fn refusal_names_subject_issuer_and_serial() {
    use irgw_core::{Refusal, Rule};
    let root = Authority::root("Root");
    let client = root.client_with("not assigned\u{7}", |params| {
        params.serial_number = Some(SerialNumber::from(0x1234_5678));
    });
    let error = trust(&root).verify(&client.der, &[], at(NOW)).unwrap_err();
    assert_eq!(error.rule(), Rule::Tls6);
    let facts = error.facts();
    assert!(facts.contains(&("issuer", "CN=Root".into())), "{facts:?}");
    assert!(facts.contains(&("serial", "12345678".into())), "{facts:?}");
    assert!(facts.iter().all(|(_, value)| !value.contains(char::is_control)), "{facts:?}");
}

#[test]
fn roots_are_checked_when_they_are_approved() {
    let judge = |change: &dyn Fn(&mut rcgen::CertificateParams)| {
        root_flaw(Authority::root_with("Root", |params| change(params)).der)
    };
    assert_eq!(judge(&|_| {}), None);
    assert_eq!(
        judge(&|params| params.not_after = support::date(NOW - 1)),
        Some(Flaw::Expired { not_after: NOW - 1 })
    );
    assert_eq!(
        judge(&|params| params.not_before = support::date(NOW + 1)),
        Some(Flaw::NotYetValid { not_before: NOW + 1 })
    );
    assert_eq!(judge(&|params| params.is_ca = IsCa::ExplicitNoCa), Some(Flaw::NotAnAuthority));
    assert_eq!(
        judge(&|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]),
        Some(Flaw::NoKeyCertSign)
    );
    let unknown = judge(&|params| {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
    });
    assert_eq!(unknown, Some(Flaw::UnknownCriticalExtension("1.3.6.1.4.1.99999.1".into())));
}

#[test]
fn root_that_expired_on_the_list_stays_there_and_admits_nobody() {
    let root = Authority::root_with("Root", |params| params.not_after = support::date(NOW - 1));
    let other = Authority::root("Other");
    let pem = root.pem() + &other.pem();
    assert!(ApprovedRoot::from_pem("roots", pem.as_bytes(), at(NOW)).is_err());
    let roots = ApprovedRoot::from_pem_of_any_date("roots", pem.as_bytes()).unwrap();
    let dates: Vec<_> = roots.iter().map(|root| root.check_date(at(NOW)).is_ok()).collect();
    assert_eq!(dates, [false, true]);
    let trust = ClientTrust::new(roots, vec![]).unwrap();
    assert_eq!(flaw(&trust, &root.client(NAME).der), Some(Flaw::Expired { not_after: NOW - 1 }));
    assert_eq!(flaw(&trust, &other.client(NAME).der), None);
}

#[test]
fn the_same_root_twice_is_refused() {
    let root = Authority::root("Root");
    let twice = ClientTrust::new(vec![root.approved(), root.approved()], vec![]).map(|_| ());
    assert_eq!(twice, Err(Error::DuplicateRoot { name: "test root".into() }));
}

#[test]
fn every_owner_of_the_specification_has_roots_or_a_successor_that_has() {
    let roots = |owner| ApprovedRoot::mozilla(owner, at(NOW));
    for (owner, count) in
        [("Amazon", 5), ("Comodo", 2), ("DigiCert", 7), ("Let's Encrypt", 2), ("Sectigo", 4)]
    {
        assert_eq!(roots(owner).map(|roots| roots.len()), Ok(count), "{owner}");
    }
    assert_eq!(roots("digicert").map(|roots| roots.len()), Ok(7));
    for (owner, successor) in [("Entrust", "Sectigo"), ("GeoTrust", "DigiCert"), ("Thawte", "DigiCert")] {
        let text = roots(owner).unwrap_err().to_string();
        let expected = format!("no root of {owner} any more; its certificates lead to {successor}'s");
        assert!(text.ends_with(&expected), "{text}");
    }
    let text = roots("Evil Corp").unwrap_err().to_string();
    for owner in ["Amazon", "Comodo", "DigiCert", "Entrust", "GeoTrust", "Let's Encrypt", "Sectigo", "Thawte"]
    {
        assert!(text.contains(owner), "{text}");
    }
}

#[test]
fn all_approved_owners_together_make_one_trust() {
    let owners = ["Amazon", "Comodo", "DigiCert", "Let's Encrypt", "Sectigo"];
    let roots = owners.iter().flat_map(|owner| ApprovedRoot::mozilla(owner, at(NOW)).unwrap());
    assert!(ClientTrust::new(roots.collect(), vec![]).is_ok());
}

fn root_flaw(der: CertificateDer<'static>) -> Option<Flaw> {
    match ApprovedRoot::new("root", der, at(NOW)) {
        Ok(_) => None,
        Err(Error::Root { fault, .. }) => Some(fault.flaw),
        Err(other) => panic!("{other}"),
    }
}

fn support_rsa() -> rcgen::KeyPair {
    rcgen::KeyPair::from_pem_and_sign_algo(&support::rsa_pem(), &rcgen::PKCS_RSA_SHA256).unwrap()
}

const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
