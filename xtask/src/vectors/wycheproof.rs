//! Wycheproof's files of vectors (<https://github.com/C2SP/wycheproof>): JWS, ECDSA with R and S side by side, RSA PKCS#1.

use std::path::Path;

use serde::Deserialize;

use super::case::{Case, Expected, Verdict, is_name};
use super::jwk::Jwk;
use super::signature::{self, Scheme};
use super::source;
use crate::Error;

/// The files that are about what the profile verifies, without `.json`.
pub(super) const FILES: [&str; 7] = [
    "json_web_signature_test",
    "ecdsa_secp256r1_sha256_p1363_test",
    "ecdsa_secp384r1_sha384_p1363_test",
    "ecdsa_secp521r1_sha512_p1363_test",
    "rsa_signature_2048_sha256_test",
    "rsa_signature_2048_sha384_test",
    "rsa_signature_2048_sha512_test",
];

/// Several times the largest of them.
const LIMIT_BYTES: u64 = 16 << 20;

/// The cases of one of [`FILES`]: of JWS through irgw-m2m, of signatures through irgw-m2m and through irgw-tls. They are
/// named `irgw-m2m::FILE::NUMBER`, with a JWS group's comment before the number.
///
/// # Errors
/// [`Error::Input`]: the file cannot be used.
pub(super) fn read(path: &Path, name: &'static str) -> Result<Vec<Case>, Error> {
    let unusable = |why: String| Error::Input(format!("cannot use {}: {why}", path.display()));
    if name == "json_web_signature_test" {
        let file: File<JwsGroup> = source::read(path, LIMIT_BYTES)?;
        if let Some(group) = file.groups.iter().find(|group| !is_name(&group.comment)) {
            return Err(unusable(format!("{:?} is no name of a group", group.comment)));
        }
        return Ok(file.groups.into_iter().flat_map(|group| group.into_cases(name)).collect());
    }
    let file: File<SignatureGroup> = source::read(path, LIMIT_BYTES)?;
    let cases = file.groups.into_iter().map(|group| group.into_cases(name).map_err(unusable));
    Ok(cases.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

#[derive(Deserialize)]
struct File<Group> {
    #[serde(rename = "testGroups")]
    groups: Vec<Group>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expectation {
    Valid,
    Invalid,
    Acceptable,
}

impl From<Expectation> for Expected {
    fn from(result: Expectation) -> Expected {
        match result {
            Expectation::Valid => Expected::Accepted,
            Expectation::Invalid => Expected::Refused,
            Expectation::Acceptable => Expected::Either,
        }
    }
}

/// JWS by one key. A group for HMAC has no public key.
#[derive(Deserialize)]
struct JwsGroup {
    comment: String,
    public: Option<Jwk>,
    tests: Vec<JwsTest>,
}

#[derive(Deserialize)]
struct JwsTest {
    #[serde(rename = "tcId")]
    number: u64,
    /// In compact serialization or another: any JSON that is no text is none.
    jws: serde_json::Value,
    result: Expectation,
}

impl JwsGroup {
    fn into_cases(self, file: &'static str) -> impl Iterator<Item = Case> {
        let JwsGroup { comment, public, tests } = self;
        let key = std::sync::Arc::new(public);
        tests.into_iter().map(move |test| {
            let key = key.clone();
            let judge = Box::new(move || {
                let jws = test.jws.as_str().map_or_else(|| test.jws.to_string(), str::to_owned);
                Jwk::verify(key.as_ref().as_ref(), &jws)
            });
            let id = format!("irgw-m2m::{file}::{comment}::{}", test.number);
            Case { id, expected: test.result.into(), judge }
        })
    }
}

/// Signatures by one key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignatureGroup {
    sha: String,
    /// RSAPublicKey in DER, in hex: an RSA group's.
    public_key_asn: Option<String>,
    /// Of an ECDSA group.
    public_key: Option<Point>,
    tests: Vec<SignatureTest>,
}

#[derive(Deserialize)]
struct Point {
    curve: Option<String>,
    /// An uncompressed point in hex.
    uncompressed: Option<String>,
}

#[derive(Deserialize)]
struct SignatureTest {
    #[serde(rename = "tcId")]
    number: u64,
    msg: String,
    sig: String,
    result: Expectation,
}

impl SignatureGroup {
    fn into_cases(self, file: &'static str) -> Result<Vec<Case>, String> {
        let curve = self.public_key.as_ref().and_then(|point| point.curve.as_deref());
        let algorithm = signature::algorithm(curve, &self.sha)
            .ok_or_else(|| format!("{curve:?} with {} is no algorithm of the profile", self.sha))?;
        let point = self.public_key.as_ref().and_then(|point| point.uncompressed.as_ref());
        let key = self.public_key_asn.as_ref().or(point).and_then(|hex| bytes(hex));
        let key = key.ok_or("a key of it is not in hex")?;
        let scheme = Scheme { algorithm, key };
        let mut cases = Vec::new();
        for SignatureTest { number, msg, sig, result } in self.tests {
            let message = bytes(&msg).ok_or_else(|| format!("the message of {number} is not in hex"))?;
            let signature = bytes(&sig).ok_or_else(|| format!("the signature of {number} is not in hex"))?;
            let mut case = |part, judge: Box<dyn FnOnce() -> Verdict + Send>| {
                cases.push(Case { id: format!("{part}::{file}::{number}"), expected: result.into(), judge });
            };
            if let Some(signature) = scheme.in_tls(&signature) {
                let (scheme, message) = (scheme.clone(), message.clone());
                case("irgw-tls", Box::new(move || scheme.by_tls(&message, &signature)));
            }
            let scheme = scheme.clone();
            case("irgw-m2m", Box::new(move || scheme.by_m2m(&message, &signature)));
        }
        Ok(cases)
    }
}

/// What a text in hex says.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16).ok())
        .collect()
}
