//! Enrolment of signing certificates: M2M-8 and M2M-4, attacks B07, B13 and G11.

use irgw_core::Rule;
use irgw_m2m::error::CertificateFault;
use irgw_m2m::{Algorithm, Error, KeyKind, SigningCert, SigningCertRow};

use crate::der::{self, Critical, Template, extension, key_usage, modulus, named_curve, rsa_key};
use crate::parties::{ES256, ES384, ES512, NOW, at, everybody};

fn enrol(template: &Template) -> Result<SigningCert, Error> {
    SigningCert::enrol(&template.der(), at(NOW))
}

fn fault(template: &Template) -> CertificateFault {
    match enrol(template) {
        Err(Error::Certificate(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

fn good() -> Template {
    Template::new(&ES256.spki)
}

#[test]
fn a_good_certificate_is_enrolled_with_all_that_verifying_needs() {
    let cert = enrol(&good()).unwrap();
    assert_eq!((cert.not_before(), cert.not_after()), (at(1_766_361_600), at(1_797_897_600)));
    assert_eq!((cert.key_kind(), cert.algorithms()), (KeyKind::P256, &[Algorithm::Es256][..]));
    assert_eq!((cert.subject(), cert.serial()), ("CN=Kōwhai Payroll signing", "012345"));
    let digest = ring::digest::digest(&ring::digest::SHA256, &good().der());
    assert_eq!(cert.thumbprint().0, digest.as_ref());
}

#[test]
fn a_row_brings_the_certificate_back() {
    for party in everybody() {
        let cert = &party.credential.cert;
        assert_eq!(SigningCert::restore(cert.row()).as_ref(), Ok(cert));
    }
}

#[test]
fn an_impossible_row_is_refused() {
    let row = ES256.credential.cert.row();
    let broken = [
        SigningCertRow { public_key: Vec::new(), ..row.clone() },
        SigningCertRow { public_key: row.public_key[1..].to_vec(), ..row.clone() },
        SigningCertRow { public_key: [&[2], &row.public_key[1..]].concat(), ..row.clone() },
        SigningCertRow { key_kind: KeyKind::P384, ..row.clone() },
        SigningCertRow { key_kind: KeyKind::Rsa, ..row.clone() },
        SigningCertRow { not_after: at(0), ..row.clone() },
    ];
    for row in broken {
        assert!(SigningCert::restore(row).is_err());
    }
}

#[test]
fn only_version_3_is_enrolled() {
    for version in [None, Some(0), Some(1)] {
        let extensions = Vec::new();
        assert_eq!(
            fault(&Template { version, extensions, ..good() }),
            CertificateFault::Version,
            "{version:?}"
        );
    }
    assert!(matches!(enrol(&Template { version: Some(3), ..good() }), Err(Error::Certificate(_))));
}

#[test]
fn validity_is_at_most_1461_days() {
    let with = |not_before, not_after| enrol(&Template { not_before, not_after, ..good() }).map(drop);
    // 2025-01-01 to 2029-01-01 is 1,461 days, one of them a 29 February.
    assert_eq!(with("250101000000Z", "290101000000Z"), Ok(()));
    let long = Err(Error::Certificate(CertificateFault::ValidityLength));
    assert_eq!(with("250101000000Z", "290101000001Z"), long);
    assert_eq!(with("250101000000Z", "99991231235959Z"), long);
    assert_eq!(
        with("260101000000Z", "251231235959Z"),
        Err(Error::Certificate(CertificateFault::ValidityOrder))
    );
    assert_eq!(Error::Certificate(CertificateFault::ValidityLength).rule(), Rule::M2m8);
}

#[test]
fn only_a_certificate_in_date_is_enrolled_g11() {
    let with = |not_before, not_after| enrol(&Template { not_before, not_after, ..good() }).map(drop);
    assert_eq!(with("260101000000Z", "261222000000Z"), Ok(()), "its first second");
    assert_eq!(with("251222000000Z", "260101000000Z"), Ok(()), "its last");
    assert_eq!(
        with("260101000001Z", "261222000000Z"),
        Err(Error::Certificate(CertificateFault::NotYetValid))
    );
    assert_eq!(with("251222000000Z", "251231235959Z"), Err(Error::Certificate(CertificateFault::Expired)));
}

#[test]
fn rsa_keys_have_2048_to_4096_bits_and_a_good_exponent_b07_g11() {
    let rsa =
        |modulus: Vec<u8>, exponent: &[u8]| enrol(&Template::new(&rsa_key(&modulus, exponent))).map(drop);
    const F4: &[u8] = &[1, 0, 1];
    for bits in [2048, 2049, 3072, 4096] {
        assert_eq!(rsa(modulus(bits), F4), Ok(()), "{bits}");
    }
    for bits in [512, 1024, 2047, 4097, 8192, 16_384] {
        let refused = Error::Certificate(CertificateFault::RsaSize { bits });
        assert_eq!((rsa(modulus(bits), F4), refused.rule()), (Err(refused), Rule::M2m4));
    }
    for exponent in
        [&[0][..], &[1], &[3], &[17], &[0xff, 0xff], &[1, 0, 0], &[1, 0, 2], &[1, 0, 0, 0, 1], &[1; 9]]
    {
        let weak = Err(Error::Certificate(CertificateFault::RsaExponent));
        assert_eq!(rsa(modulus(2048), exponent), weak, "{exponent:?}");
    }
}

/// Nothing could ever verify with these: an even modulus, and DER that x509-parser takes and ring does not.
#[test]
fn rsa_key_that_ring_cannot_read_is_refused() {
    const F4: &[u8] = &[1, 0, 1];
    let kind = CertificateFault::KeyKind;
    let mut even = modulus(2048);
    *even.last_mut().unwrap() = 0xfe;
    assert_eq!(fault(&Template::new(&rsa_key(&even, F4))), kind);
    let (n, e) = (der::tlv(0x02, &[&[0], &modulus(2048)[..]].concat()), der::tlv(0x02, F4));
    let of = |key: Vec<u8>| enrol(&Template::new(&der::rsa_key_of(&key)));
    assert!(of(der::sequence(&[n.clone(), e.clone()])).is_ok());
    let negative = der::tlv(0x02, &modulus(2048));
    let zeros = der::tlv(0x02, &[&[0, 0], &modulus(2048)[..]].concat());
    for key in [
        der::sequence(&[negative, e.clone()]),
        der::sequence(&[zeros, e.clone()]),
        der::sequence(&[n.clone(), e.clone(), e.clone()]),
        [der::sequence(&[n.clone(), e.clone()]), vec![0]].concat(),
    ] {
        assert!(of(key).is_err_and(|error| error.rule() == Rule::M2m4));
    }
}

#[test]
fn point_off_its_curve_is_refused() {
    for (party, curve) in [(&ES256, der::P256), (&ES384, der::P384), (&ES512, der::P521)] {
        let mut point = party.credential.cert.row().public_key;
        assert!(enrol(&Template::new(&named_curve(curve, &point))).is_ok());
        *point.last_mut().unwrap() ^= 1;
        assert_eq!(fault(&Template::new(&named_curve(curve, &point))), CertificateFault::KeyKind);
    }
}

#[test]
fn curves_are_named_and_one_of_three() {
    let point = |bytes: usize| [&[4], &vec![7; 2 * bytes][..]].concat();
    for (curve, bytes) in [(der::P256, 32), (der::P384, 48), (der::P521, 66)] {
        let short = Template::new(&named_curve(curve, &point(bytes)[1..]));
        let compressed = Template::new(&named_curve(curve, &[&[2], &vec![7; bytes][..]].concat()));
        let infinity = Template::new(&named_curve(curve, &[0]));
        let empty = Template::new(&named_curve(curve, &[]));
        for template in [short, compressed, infinity, empty] {
            assert_eq!(fault(&template), CertificateFault::KeyKind);
        }
    }
    let koblitz = Template::new(&named_curve(der::SECP256K1, &point(32)));
    let explicit = Template::new(&der::curve_key(&der::sequence(&[der::tlv(0x02, &[1])]), &point(32)));
    let implicit = Template::new(&der::curve_key(&der::tlv(0x05, &[]), &point(32)));
    let ed25519 = Template::new(&der::sequence(&[
        der::sequence(&[der::tlv(0x06, &[0x2b, 0x65, 0x70])]),
        der::tlv(0x03, &[0; 33]),
    ]));
    for template in [koblitz, explicit, implicit, ed25519] {
        assert_eq!(fault(&template), CertificateFault::KeyKind);
    }
}

#[test]
fn key_usage_must_allow_signatures_where_it_is_there() {
    let with = |extensions| Template { extensions, ..good() };
    assert!(enrol(&with(vec![])).is_ok());
    assert!(enrol(&with(vec![key_usage(0x80)])).is_ok());
    assert!(enrol(&with(vec![key_usage(0x40)])).is_ok());
    for bits in [0x20, 0x08, 0x04, 0x02] {
        assert_eq!(fault(&with(vec![key_usage(bits)])), CertificateFault::KeyUsage, "{bits:#x}");
    }
}

#[test]
fn an_unknown_critical_extension_is_refused() {
    let unknown = |critical| {
        let extensions = vec![extension(&[0x2a, 0x03, 0x04], critical, &[0x05, 0x00])];
        Template { extensions, ..good() }
    };
    assert!(enrol(&unknown(Critical::No)).is_ok());
    assert_eq!(fault(&unknown(Critical::Yes)), CertificateFault::CriticalExtension);
}

#[test]
fn anything_but_one_certificate_is_refused() {
    let der = good().der();
    let with = |bytes: &[u8]| SigningCert::enrol(bytes, at(NOW)).map(drop);
    assert_eq!(with(&der), Ok(()));
    let encoding = Err(Error::Certificate(CertificateFault::Encoding));
    for bytes in [
        &[][..],
        b"-----BEGIN CERTIFICATE-----",
        &der[..der.len() - 1],
        &[&der[..], &[0]].concat(),
        &der[4..],
    ] {
        assert_eq!(with(bytes), encoding);
    }
    assert_eq!(with(&vec![0x30; 16 * 1024 + 1]), Err(Error::Certificate(CertificateFault::TooLong)));
    for end in 0..der.len() {
        assert!(with(&der[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn a_subject_cannot_write_on_a_terminal() {
    let cert = enrol(&Template { subject: "a\u{1b}[2J\n\u{202e}b", ..good() }).unwrap();
    assert!(!cert.subject().chars().any(irgw_core::is_hidden), "{:?}", cert.subject());
}
