//! Twenty-odd Common Names and where they stand in a certificate (TLS-6, A11).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod support;

use irgw_tls::{ClientTrust, CommonName, CommonNameFault as Fault, Flaw};
use proptest::prelude::*;
use rustls_pki_types::CertificateDer;
use support::der::{self, common_name, name, resigned};
use support::{Authority, NAME, at, flaw, trust};

const PRINTABLE: u8 = 19;
const UTF8: u8 = 12;
const TELETEX: u8 = 20;
const IA5: u8 = 22;
const UNIVERSAL: u8 = 28;
const BMP: u8 = 30;

struct Zoo {
    root: Authority,
    trust: ClientTrust,
}

impl Zoo {
    fn new() -> Zoo {
        let root = Authority::root("Root");
        let trust = trust(&root);
        Zoo { root, trust }
    }

    /// A certificate of this subject, and of these dNSNames if any.
    fn certificate(&self, subject: Vec<u8>, dns_names: &[&str]) -> CertificateDer<'static> {
        let client = self.root.client_with(NAME, |params| {
            let names = dns_names.iter().map(|name| rcgen::SanType::DnsName((*name).try_into().unwrap()));
            params.subject_alt_names = names.collect();
        });
        resigned(&client.der, &self.root.key, |parts| parts[der::SUBJECT] = subject)
    }

    fn judge(&self, subject: Vec<u8>, dns_names: &[&str]) -> Result<String, Option<Fault>> {
        let certificate = self.certificate(subject, dns_names);
        match self.trust.verify(&certificate, &[], at(support::NOW)) {
            Ok(cert) => Ok(cert.common_name().to_string()),
            Err(_) => match flaw(&self.trust, &certificate) {
                Some(Flaw::CommonName(fault)) => Err(Some(fault)),
                _ => Err(None),
            },
        }
    }
}

fn one(tag: u8, value: &[u8]) -> Vec<u8> {
    name(&[vec![common_name(tag, value)]])
}

fn organisation(value: &str) -> Vec<u8> {
    let oid = der::tlv(der::OID, &[0x55, 4, 10]);
    der::tlv(der::SEQUENCE, &[oid, der::tlv(UTF8, value.as_bytes())].concat())
}

#[test]
fn a11_accepted_names_are_read_byte_for_byte() {
    let zoo = Zoo::new();
    for (what, subject, dns_names) in [
        ("UTF8String", one(UTF8, NAME.as_bytes()), &[][..]),
        ("PrintableString", one(PRINTABLE, NAME.as_bytes()), &[]),
        ("among the dNSNames", one(UTF8, NAME.as_bytes()), &["other.example.nz", NAME]),
        (
            "organisation before",
            name(&[vec![organisation("Kererū")], vec![common_name(UTF8, NAME.as_bytes())]]),
            &[],
        ),
        (
            "multi-valued with an organisation",
            name(&[vec![organisation("A"), common_name(UTF8, NAME.as_bytes())]]),
            &[],
        ),
    ] {
        assert_eq!(zoo.judge(subject, dns_names), Ok(NAME.into()), "{what}");
    }
    let upper = NAME.to_uppercase();
    assert_eq!(
        zoo.judge(one(UTF8, upper.as_bytes()), &[]),
        Ok(upper.clone()),
        "case is kept, and equals no other"
    );
    assert_ne!(CommonName::parse(&upper), CommonName::parse(NAME));
}

#[test]
fn a11_names_that_could_be_read_two_ways_are_refused() {
    let zoo = Zoo::new();
    let utf8 = |text: &str| common_name(UTF8, text.as_bytes());
    let wide = |unit: usize| -> Vec<u8> {
        NAME.bytes().flat_map(|byte| [vec![0; unit - 1], vec![byte]].concat()).collect()
    };
    let upper = NAME.to_uppercase();
    type Row<'a> = (&'a str, Vec<u8>, &'a [&'a str], Option<Fault>);
    let rows: [Row<'_>; 24] = [
        (
            "two, the right one first",
            name(&[vec![utf8(NAME)], vec![utf8("evil.nz")]]),
            &[],
            Some(Fault::Several),
        ),
        (
            "two, the right one last",
            name(&[vec![utf8("evil.nz")], vec![utf8(NAME)]]),
            &[],
            Some(Fault::Several),
        ),
        (
            "two in one multi-valued name",
            name(&[vec![utf8("evil.nz"), utf8(NAME)]]),
            &[],
            Some(Fault::Several),
        ),
        ("the same twice", name(&[vec![utf8(NAME)], vec![utf8(NAME)]]), &[], Some(Fault::Several)),
        ("none, an organisation alone", name(&[vec![organisation(NAME)]]), &[], Some(Fault::Absent)),
        ("in the dNSNames alone", name(&[vec![organisation("A")]]), &[NAME], Some(Fault::Absent)),
        ("empty subject", name(&[]), &[NAME], None),
        ("empty", one(UTF8, b""), &[], Some(Fault::Empty)),
        ("BMPString", one(BMP, &wide(2)), &[], Some(Fault::StringType(BMP.into()))),
        ("UniversalString", one(UNIVERSAL, &wide(4)), &[], Some(Fault::StringType(UNIVERSAL.into()))),
        ("TeletexString", one(TELETEX, NAME.as_bytes()), &[], Some(Fault::StringType(TELETEX.into()))),
        ("IA5String", one(IA5, NAME.as_bytes()), &[], Some(Fault::StringType(IA5.into()))),
        (
            "NUL inside",
            one(UTF8, b"ok.irdgws.a.nz\0.evil.nz"),
            &[],
            Some(Fault::Character { byte: 0, at: 14 }),
        ),
        ("line feed", one(UTF8, b"ok\n.nz"), &[], Some(Fault::Character { byte: 10, at: 2 })),
        ("wildcard", one(UTF8, b"*.irdgws.example.nz"), &[], Some(Fault::Wildcard)),
        ("trailing dot", one(UTF8, format!("{NAME}.").as_bytes()), &[], Some(Fault::TrailingDot)),
        ("trailing space", one(UTF8, format!("{NAME} ").as_bytes()), &[], Some(Fault::OuterSpace)),
        ("leading space", one(UTF8, format!(" {NAME}").as_bytes()), &[], Some(Fault::OuterSpace)),
        (
            "Cyrillic а",
            one(UTF8, "\u{430}.irdgws.nz".as_bytes()),
            &[],
            Some(Fault::Character { byte: 0xd0, at: 0 }),
        ),
        ("not UTF-8", one(UTF8, b"a\xff.nz"), &[], Some(Fault::Character { byte: 0xff, at: 1 })),
        ("too long", one(UTF8, "a".repeat(254).as_bytes()), &[], Some(Fault::TooLong { limit_bytes: 253 })),
        ("not among the dNSNames", one(UTF8, NAME.as_bytes()), &["other.nz"], Some(Fault::NotAmongDnsNames)),
        ("among them in another case", one(UTF8, NAME.as_bytes()), &[&upper], Some(Fault::NotAmongDnsNames)),
        (
            "among them under a wildcard",
            one(UTF8, NAME.as_bytes()),
            &["*.irdgws.test.example.nz"],
            Some(Fault::NotAmongDnsNames),
        ),
    ];
    for (what, subject, dns_names, fault) in rows {
        assert_eq!(zoo.judge(subject, dns_names), Err(fault), "{what}");
    }
}

#[test]
fn a11_name_of_the_issuer_counts_for_nothing() {
    let root = Authority::root(NAME);
    let client = root.client("someone.else.nz");
    let cert = trust(&root).verify(&client.der, &[], at(support::NOW)).unwrap();
    assert_eq!(cert.common_name().as_str(), "someone.else.nz");
}

#[test]
fn g11_certificate_to_be_enrolled_is_judged_by_what_stands_in_it() {
    let zoo = Zoo::new();
    let good = zoo.certificate(one(UTF8, NAME.as_bytes()), &[NAME]);
    let read = |der: &CertificateDer<'_>, now| {
        CommonName::of_certificate(der, at(now)).map(|name| name.to_string()).map_err(|error| match error {
            irgw_tls::Error::Certificate { fault, .. } => fault.flaw,
            other => panic!("{other}"),
        })
    };
    assert_eq!(read(&good, support::NOW), Ok(NAME.into()));
    assert_eq!(read(&good, support::UNTIL), Ok(NAME.into()));
    assert!(matches!(read(&good, support::UNTIL + 1), Err(Flaw::Expired { .. })));
    assert!(matches!(read(&good, support::FROM - 1), Err(Flaw::NotYetValid { .. })));
    for (subject, dns_names, fault) in [
        (one(UTF8, b"*.nz"), &[][..], Fault::Wildcard),
        (one(UTF8, NAME.as_bytes()), &["other.nz"], Fault::NotAmongDnsNames),
    ] {
        let der = zoo.certificate(subject, dns_names);
        assert_eq!(read(&der, support::NOW), Err(Flaw::CommonName(fault)));
    }
    let weak = zoo.root.client_of(NAME, der::rsa_spki(1024, 65_537));
    assert_eq!(read(&weak, support::NOW), Err(Flaw::RsaSize { bits: 1024 }));
    assert_eq!(read(&zoo.root.der, support::NOW), Err(Flaw::SelfSigned));
}

#[test]
fn cn_1_assigned_names_have_thirty_two_hex_digits_and_the_domain() {
    let assign = |domain: &str| CommonName::assign([0x29; 16], domain).map(|name| name.to_string());
    assert_eq!(assign("Example.NZ").as_deref(), Ok("29292929292929292929292929292929.irdgws.example.nz"));
    assert_eq!(assign("test.yourdomainname.co.n").map(|name| name.len()), Ok(64));
    assert_eq!(assign("test.yourdomainname.co.nz"), Err(Fault::TooLong { limit_bytes: 64 }));
    for domain in
        ["", "nz", "example..nz", ".nz", "example.nz.", "*.nz", "exa mple.nz", "-a.nz", "ā.nz", "a_b.nz"]
    {
        assert_eq!(assign(domain), Err(Fault::Domain), "{domain:?}");
    }
}

proptest! {
    #[test]
    fn a_parsed_name_is_what_was_given_and_printable(text in any::<String>()) {
        if let Ok(name) = CommonName::parse(&text) {
            prop_assert_eq!(name.as_str(), text.as_str());
            prop_assert!(text.bytes().all(|byte| (0x20..=0x7e).contains(&byte) && byte != b'*'));
        }
    }

    #[test]
    fn assigned_names_parse_back(random in any::<[u8; 16]>(), domain in "[a-z]{1,10}\\.[a-z]{2,5}") {
        let name = CommonName::assign(random, &domain).unwrap();
        prop_assert_eq!(CommonName::parse(name.as_str()), Ok(name));
    }
}
