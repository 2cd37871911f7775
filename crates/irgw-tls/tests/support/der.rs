//! Certificates that no tool makes: taken apart, changed and signed again.

use rcgen::{KeyPair, SigningKey};
use rustls_pki_types::CertificateDer;

/// The parts of a TBSCertificate, each with its tag and length.
pub const VERSION: usize = 0;
pub const SERIAL: usize = 1;
pub const SIGNATURE: usize = 2;
pub const ISSUER: usize = 3;
pub const VALIDITY: usize = 4;
pub const SUBJECT: usize = 5;
pub const SPKI: usize = 6;
pub const EXTENSIONS: usize = 7;

pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;
pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OID: u8 = 0x06;

/// The bytes with tag and length before them.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        length @ 0..=0x7f => out.push(length as u8),
        length @ 0x80..=0xff => out.extend([0x81, length as u8]),
        length => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend_from_slice(content);
    out
}

/// The elements inside a constructed one.
pub fn elements(der: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = content(der);
    let mut out = Vec::new();
    while !rest.is_empty() {
        let (header, length) = header(rest);
        let (element, after) = rest.split_at(header + length);
        out.push(element.to_vec());
        rest = after;
    }
    out
}

/// The content of an element.
pub fn content(der: &[u8]) -> &[u8] {
    let (header, length) = header(der);
    &der[header..header + length]
}

fn header(der: &[u8]) -> (usize, usize) {
    match der[1] {
        length @ 0..=0x7f => (2, length as usize),
        0x81 => (3, der[2] as usize),
        _ => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
    }
}

/// The certificate with its parts changed, signed by a P-256 key.
pub fn resigned(
    certificate: &CertificateDer<'_>,
    key: &KeyPair,
    change: impl FnOnce(&mut Vec<Vec<u8>>),
) -> CertificateDer<'static> {
    let whole = elements(certificate);
    let mut parts = elements(&whole[0]);
    change(&mut parts);
    let body = tlv(SEQUENCE, &parts.concat());
    let signature = [vec![0], key.sign(&body).unwrap()].concat();
    let signed = [body, whole[1].clone(), tlv(BIT_STRING, &signature)].concat();
    tlv(SEQUENCE, &signed).into()
}

/// One attribute of a Name: a Common Name as a string of this tag.
pub fn common_name(tag: u8, value: &[u8]) -> Vec<u8> {
    tlv(SEQUENCE, &[tlv(OID, &[0x55, 4, 3]), tlv(tag, value)].concat())
}

/// A Name of these relative distinguished names, each a list of attributes.
pub fn name(rdns: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let rdns: Vec<u8> = rdns.iter().flat_map(|attributes| tlv(SET, &attributes.concat())).collect();
    tlv(SEQUENCE, &rdns)
}

/// An RSA SubjectPublicKeyInfo with a modulus of this many bits, which nobody can factor or needs to.
pub fn rsa_spki(bits: usize, exponent: u32) -> Vec<u8> {
    let mut modulus = vec![0xa5; bits.div_ceil(8)];
    modulus[0] = if bits.is_multiple_of(8) { 0xa5 } else { 1 << (bits % 8 - 1) };
    if modulus[0] & 0x80 != 0 {
        modulus.insert(0, 0);
    }
    let exponent: Vec<u8> = exponent.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let key = tlv(SEQUENCE, &[tlv(INTEGER, &modulus), tlv(INTEGER, &exponent)].concat());
    spki(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1], &[5, 0], &key)
}

/// A SubjectPublicKeyInfo: the algorithm's object identifier, its parameters, the key.
pub fn spki(oid: &[u8], parameters: &[u8], key: &[u8]) -> Vec<u8> {
    let algorithm = tlv(SEQUENCE, &[tlv(OID, oid), parameters.to_vec()].concat());
    let key = [vec![0], key.to_vec()].concat();
    tlv(SEQUENCE, &[algorithm, tlv(BIT_STRING, &key)].concat())
}
