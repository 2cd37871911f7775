//! A client-signed JWT by recipe: a good one of an enrolled signing certificate, but for what the recipe changes.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::certificate::{provider, read_chain, thumbprints};
use crate::dev::{Dev, Signing};
use crate::key::Key;
use crate::template::Values;
use crate::{Error, der};

/// What is different from a good token. Members of the header and the payload are JSON texts, so that a case can say `1e400`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenRecipe {
    /// Whose signing certificate.
    pub provider: String,
    /// Which of the provider's signing certificates, by its algorithm.
    pub signing: String,
    /// The algorithm in the header and of the signature; *default* the certificate's.
    pub alg: Option<String>,
    /// Header members to add or to replace.
    pub header: BTreeMap<String, String>,
    /// Header members to leave out.
    pub header_without: Vec<String>,
    /// The whole header.
    pub header_text: Option<String>,
    /// Payload members to add or to replace.
    pub payload: BTreeMap<String, String>,
    /// Payload members to leave out.
    pub payload_without: Vec<String>,
    /// The whole payload.
    pub payload_text: Option<String>,
    /// How it is signed.
    pub signature: SignatureRecipe,
    /// How the parts are put together: `${header}`, `${payload}`, `${signature}`, each in base64url; `${header_padded}` and
    /// such with padding, `${header_standard}` in the other alphabet, `${header_loose}` with a bit set that nothing decodes.
    pub form: String,
    /// The Authorization field's value.
    pub authorization: String,
}

impl Default for TokenRecipe {
    fn default() -> TokenRecipe {
        TokenRecipe {
            provider: "providers[0]".into(),
            signing: "ES256".into(),
            alg: None,
            header: BTreeMap::new(),
            header_without: Vec::new(),
            header_text: None,
            payload: BTreeMap::new(),
            payload_without: Vec::new(),
            payload_text: None,
            signature: SignatureRecipe::Good,
            form: "${header}.${payload}.${signature}".into(),
            authorization: "${token}".into(),
        }
    }
}

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureRecipe {
    /// As it should be.
    Good,
    /// No bytes.
    Empty,
    /// The last byte changed.
    Flipped,
    /// By a new key of nobody's.
    OtherKey,
    /// By the first signing key of `providers[1]`.
    OtherProvider,
    /// By the key of the client certificate of `providers[0]`.
    ClientKey,
    /// In DER (RFC 7518 §3.4 forbids it).
    Der,
    /// All bytes zero, of the right length (CVE-2022-21449).
    Zero,
    /// `r` and `s` equal to the order of P-256.
    Order,
    /// `s` replaced by the order of P-256 less `s`.
    HighS,
    /// One byte short.
    Short,
    /// One byte long.
    Long,
    /// HMAC-SHA256 with the signing certificate's DER as the secret.
    HmacDer,
    /// HMAC-SHA256 with the signing certificate's PEM file as the secret.
    HmacPem,
    /// HMAC-SHA256 with the SubjectPublicKeyInfo as the secret.
    HmacKey,
}

/// The order of P-256.
const ORDER: &str = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";

impl TokenRecipe {
    /// The value of the Authorization field. `values` gains `token` and what the token is made of.
    pub(crate) fn make(&self, dev: &Dev, values: &mut Values) -> Result<String, Error> {
        let provider = provider(dev, &self.provider)?;
        let signing = provider.signing.iter().find(|signing| signing.alg == self.signing);
        let signing = signing.ok_or_else(|| {
            Error::recipe(format_args!("{} has no signing certificate for {}", self.provider, self.signing))
        })?;
        let certificate = read_chain(&signing.certificate)?;
        let der = certificate
            .first()
            .ok_or_else(|| Error::content(&signing.certificate, "there is no certificate in it"))?;
        describe(signing, der, values)?;
        let alg = self.alg.as_deref().unwrap_or(&signing.alg);
        let header = members(
            &[("alg", format!("\"{alg}\"")), ("typ", "\"JWT\"".into()), ("kid", "\"M2M\"".into())],
            &self.header,
            &self.header_without,
        );
        let payload = members(
            &[
                ("sub", "\"${thumbprint}\"".into()),
                ("iss", "\"${issuer}\"".into()),
                ("iat", "${now-10}".into()),
                ("exp", "${now+3590}".into()),
            ],
            &self.payload,
            &self.payload_without,
        );
        let header = values.bytes(self.header_text.as_ref().unwrap_or(&header))?;
        let payload = values.bytes(self.payload_text.as_ref().unwrap_or(&payload))?;
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(&payload));
        let signature = self.sign(dev, signing, alg, der, input.as_bytes())?;
        for (name, bytes) in [("header", &header), ("payload", &payload), ("signature", &signature)] {
            let text = URL_SAFE_NO_PAD.encode(bytes);
            values.set(&format!("{name}_loose"), loose(&text));
            values.set(&format!("{name}_standard"), STANDARD.encode(bytes).trim_end_matches('='));
            values.set(&format!("{name}_padded"), pad(&text));
            values.set(name, text);
        }
        let token = values.text(&self.form)?;
        values.set("token", token);
        values.text(&self.authorization)
    }

    fn sign(
        &self,
        dev: &Dev,
        signing: &Signing,
        alg: &str,
        der: &CertificateDer<'_>,
        input: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let own = || read_key(&signing.key);
        let good = || own()?.sign_jws(alg, input);
        let hmac = |secret: &[u8]| {
            Ok(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input).as_ref().to_vec())
        };
        match self.signature {
            SignatureRecipe::Good => good(),
            SignatureRecipe::Empty => Ok(Vec::new()),
            SignatureRecipe::Flipped => good().map(|mut signature| {
                signature.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1);
                signature
            }),
            SignatureRecipe::OtherKey => {
                let kind = match own()? {
                    Key::P384(_) => "p384",
                    Key::P521(_) => "p521",
                    _ => "p256",
                };
                Key::generate(kind)?.sign_jws(alg, input)
            }
            SignatureRecipe::OtherProvider => {
                let other = provider(dev, "providers[1]")?;
                let same =
                    other.signing.iter().find(|other| other.alg == signing.alg).or(other.signing.first());
                let key = &same.ok_or_else(|| Error::recipe("providers[1] has no signing certificate"))?.key;
                read_key(key)?.sign_jws(alg, input)
            }
            SignatureRecipe::ClientKey => read_key(&provider(dev, "providers[0]")?.key)?.sign_jws(alg, input),
            SignatureRecipe::Der => good().map(|signature| {
                let (r, s) = signature.split_at(signature.len() / 2);
                der::sequence(&[der::integer(r), der::integer(s)])
            }),
            SignatureRecipe::Zero => good().map(|signature| vec![0; signature.len()]),
            SignatureRecipe::Order => Ok(order().repeat(2)),
            SignatureRecipe::HighS => good().map(|signature| {
                let (r, s) = signature.split_at(signature.len() / 2);
                [r, &difference(&order(), s)].concat()
            }),
            SignatureRecipe::Short => good().map(|mut signature| {
                signature.pop();
                signature
            }),
            SignatureRecipe::Long => good().map(|mut signature| {
                signature.insert(0, 0);
                signature
            }),
            SignatureRecipe::HmacDer => hmac(der),
            SignatureRecipe::HmacPem => {
                hmac(&std::fs::read(&signing.certificate).map_err(Error::file(&signing.certificate))?)
            }
            SignatureRecipe::HmacKey => {
                let (_, x509) = X509Certificate::from_der(der).map_err(Error::recipe)?;
                hmac(x509.public_key().raw)
            }
        }
    }
}

/// Names what a text about a signing certificate may need.
fn describe(signing: &Signing, der: &CertificateDer<'_>, values: &mut Values) -> Result<(), Error> {
    let (_, x509) =
        X509Certificate::from_der(der).map_err(|error| Error::content(&signing.certificate, error))?;
    let (sha256, sha1) = thumbprints(der);
    if !sha256.eq_ignore_ascii_case(&signing.thumbprint.replace(':', "")) {
        return Err(Error::content(&signing.certificate, "its SHA-256 is not the thumbprint in dev.json"));
    }
    values.set("thumbprint", sha256);
    values.set("sha1_thumbprint", sha1);
    values.set("issuer", &signing.issuer);
    values.set("owner", &signing.resource_owner);
    values.set("logon", signing.logons.first().cloned().unwrap_or_default());
    values.set("not_before", x509.validity().not_before.timestamp());
    values.set("not_after", x509.validity().not_after.timestamp());
    Ok(())
}

/// A JSON object of these members, in order, changed as the recipe says.
fn members(base: &[(&str, String)], changes: &BTreeMap<String, String>, without: &[String]) -> String {
    let mut members: Vec<(&str, &str)> = base.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for (name, value) in changes {
        match members.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => members.push((name, value)),
        }
    }
    members.retain(|(name, _)| !without.iter().any(|unwanted| unwanted == name));
    let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

fn read_key(path: &std::path::Path) -> Result<Key, Error> {
    Key::from_pem(&std::fs::read(path).map_err(Error::file(path))?)
}

fn order() -> Vec<u8> {
    crate::template::from_hex(ORDER).expect("a constant")
}

/// Big-endian `a - b` of equal lengths.
fn difference(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = false;
    let mut bytes: Vec<u8> = a
        .iter()
        .zip(b)
        .rev()
        .map(|(a, b)| {
            let (first, under) = a.overflowing_sub(*b);
            let (second, under_again) = first.overflowing_sub(u8::from(borrow));
            borrow = under || under_again;
            second
        })
        .collect();
    bytes.reverse();
    bytes
}

fn pad(text: &str) -> String {
    format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4))
}

/// The same text with the lowest bit of its last character set: other text, same bytes, where that character has unused bits.
fn loose(text: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let Some((rest, last)) = text.len().checked_sub(1).and_then(|at| text.split_at_checked(at)) else {
        return text.to_owned();
    };
    let value = ALPHABET.find(last).unwrap_or_default();
    let other = ALPHABET.chars().nth(value ^ 1).unwrap_or('B');
    format!("{rest}{other}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_replaced_added_and_left_out() {
        let base = [("a", "1".to_owned()), ("b", "2".to_owned())];
        let changes = BTreeMap::from([("b".into(), "\"x\"".into()), ("c".into(), "null".into())]);
        assert_eq!(members(&base, &changes, &["a".into()]), r#"{"b":"x","c":null}"#);
    }

    #[test]
    fn difference_borrows() {
        assert_eq!(difference(&[2, 0, 0], &[0, 0, 1]), [1, 255, 255]);
    }

    #[test]
    fn loose_text_decodes_to_the_same_bytes_for_a_lenient_reader() {
        assert_eq!(loose("AA"), "AB");
        assert_eq!(pad("AA"), "AA==");
    }
}
