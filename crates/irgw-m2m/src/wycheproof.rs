//! Wycheproof's vectors, against the parts under the profile: the compact form, the algorithm, the signature.

use std::io::{Read as _, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value as Json;

use crate::compact::Compact;
use crate::json::{Object, Value};
use crate::signature::PublicKey;
use crate::{Algorithm, KeyKind};

/// A file of vectors, or `None` with a message where there is none.
fn vectors(name: &str) -> Option<Json> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/vectors/wycheproof").join(name);
    let Ok(file) = std::fs::File::open(&path) else {
        // Not println: libtest keeps what a passing test prints.
        let line = format!("SKIPPED: no Wycheproof vectors at {}\n", path.display());
        let _ = std::io::stderr().write_all(line.as_bytes());
        return None;
    };
    let mut json = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut json).unwrap();
    Some(serde_json::from_str(&json).unwrap())
}

fn groups(vectors: &Json) -> impl Iterator<Item = (&Json, &Json)> {
    let groups = vectors["testGroups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["tests"].as_array().unwrap().iter().map(move |test| (group, test)))
}

fn hex(text: &Json) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap_or_default()
}

/// A raw signature file: every vector has the verdict that it should have.
fn raw(name: &str, algorithm: Algorithm, key: impl Fn(&Json) -> Vec<u8>) {
    let Some(vectors) = vectors(name) else { return };
    let mut judged = [0, 0];
    for (group, test) in groups(&vectors) {
        let key = PublicKey::new(algorithm.key_kind(), key(group)).unwrap();
        let accepted = key.verify(algorithm, &hex(&test["msg"]), &hex(&test["sig"])).is_ok();
        match text(&test["result"]) {
            "valid" => assert!(accepted, "{name} {}: {}", test["tcId"], test["comment"]),
            // "acceptable" is a signature of a form that only old standards allow: refused like the invalid ones.
            _ => assert!(!accepted, "{name} {}: {}", test["tcId"], test["comment"]),
        }
        judged[usize::from(accepted)] += 1;
    }
    println!("{name}: {} refused, {} accepted", judged[0], judged[1]);
    assert!(judged[0] > 50 && judged[1] > 5);
}

fn point(group: &Json) -> Vec<u8> {
    hex(&group["publicKey"]["uncompressed"])
}

fn rsa(group: &Json) -> Vec<u8> {
    hex(&group["publicKeyAsn"])
}

#[test]
fn raw_p256_signatures_b06() {
    raw("ecdsa_secp256r1_sha256_p1363_test.json.gz", Algorithm::Es256, point);
}

#[test]
fn raw_p384_signatures_b06() {
    raw("ecdsa_secp384r1_sha384_p1363_test.json.gz", Algorithm::Es384, point);
}

#[cfg(feature = "es512")]
#[test]
fn raw_p521_signatures_b06() {
    raw("ecdsa_secp521r1_sha512_p1363_test.json.gz", Algorithm::Es512, point);
}

#[test]
fn raw_rsa_signatures_b07() {
    raw("rsa_signature_2048_sha256_test.json.gz", Algorithm::Rs256, rsa);
    raw("rsa_signature_2048_sha384_test.json.gz", Algorithm::Rs384, rsa);
    raw("rsa_signature_2048_sha512_test.json.gz", Algorithm::Rs512, rsa);
}

/// Vectors whose verdict differs from ours on purpose, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("emptyPayload", "valid there; an M2M token has claims, so a part is never empty"),
    ("rsa_encryption", "the fault is in the key's `use`; our keys come from certificates"),
    ("ec_key_for_encryption", "the fault is in the key's `use`; our keys come from certificates"),
];

#[test]
fn json_web_signatures_b02_b06() {
    let Some(vectors) = vectors("json_web_signature_test.json.gz") else { return };
    let (mut accepted, mut refused, mut excepted) = (0, 0, 0);
    for (group, test) in groups(&vectors) {
        let names = [text(&group["comment"]), text(&test["comment"])];
        if EXCEPTIONS.iter().any(|(name, _)| names.contains(name)) {
            excepted += 1;
            continue;
        }
        let key = &group["public"];
        // A key of an algorithm outside the profile verifies nothing here, however good the signature is.
        let expected = text(&test["result"]) == "valid" && algorithm(key).is_some();
        assert_eq!(verifies(text(&test["jws"]), key), expected, "{}: {names:?}", test["tcId"]);
        if expected { accepted += 1 } else { refused += 1 }
    }
    println!("json web signatures: {refused} refused, {accepted} accepted, {excepted} excepted");
    assert_eq!(refused + accepted + excepted, 401);
    assert!(accepted >= 17, "{accepted}");
}

fn verifies(jws: &str, jwk: &Json) -> bool {
    let Ok(jws) = Compact::parse(jws) else { return false };
    let Ok(header) = Object::parse(&jws.header) else { return false };
    let (Some(algorithm), Some(key)) = (algorithm(jwk), key(jwk)) else { return false };
    let Some(Value::Text(alg)) = header.member("alg") else { return false };
    alg == algorithm.name() && key.verify(algorithm, jws.signing_input, &jws.signature).is_ok()
}

/// The algorithm that a JWK is for; "ES521" is how these vectors spell ES512.
fn algorithm(jwk: &Json) -> Option<Algorithm> {
    text(&jwk["alg"]).replace("ES521", "ES512").parse().ok()
}

fn key(jwk: &Json) -> Option<PublicKey> {
    let number = |name: &str, width: usize| {
        let bytes = URL_SAFE_NO_PAD.decode(text(&jwk[name])).ok()?;
        Some([vec![0; width.saturating_sub(bytes.len())], bytes].concat())
    };
    let curve = match (text(&jwk["kty"]), text(&jwk["crv"])) {
        ("RSA", _) => {
            let numbers = [integer(&number("n", 0)?), integer(&number("e", 0)?)].concat();
            return PublicKey::new(KeyKind::Rsa, tlv(0x30, &numbers)).ok();
        }
        ("EC", "P-256") => (KeyKind::P256, 32),
        ("EC", "P-384") => (KeyKind::P384, 48),
        ("EC", "P-521") => (KeyKind::P521, 66),
        _ => return None,
    };
    let (kind, width) = curve;
    PublicKey::new(kind, [vec![4], number("x", width)?, number("y", width)?].concat()).ok()
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    tlv(0x02, &[if bytes[0] < 0x80 { &[][..] } else { &[0] }, bytes].concat())
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let header = if length < 128 {
        vec![tag, length as u8]
    } else {
        vec![tag, 0x82, (length >> 8) as u8, length as u8]
    };
    [header.as_slice(), content].concat()
}
