//! A key of Wycheproof's as a JWK (RFC 7517), and a JWS by it, judged by irgw-m2m.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use irgw_m2m::vectors::Key;
use irgw_m2m::{Algorithm, KeyKind};
use serde::Deserialize;

use super::case::Verdict;
use super::der;

/// What is read of a public key.
#[derive(Deserialize)]
pub(super) struct Jwk {
    kty: String,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwk {
    /// Whether a compact JWS is by this key. One of an algorithm outside the profile verifies nothing here, however good
    /// the signature is.
    pub(super) fn verify(key: Option<&Jwk>, jws: &str) -> Verdict {
        let Some((algorithm, key)) = key.and_then(|jwk| Some((jwk.algorithm()?, jwk.key()?))) else {
            return Verdict::Refused("no signing certificate has such a key for such an algorithm".into());
        };
        key.verify_jws(algorithm, jws).into()
    }

    /// The algorithm that the key is for; `ES521` is how these vectors spell ES512.
    fn algorithm(&self) -> Option<Algorithm> {
        self.alg.as_deref()?.replace("ES521", "ES512").parse().ok()
    }

    fn key(&self) -> Option<Key> {
        let (kind, width) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", None) => {
                let numbers = [der::integer(&decoded(&self.n, 0)?), der::integer(&decoded(&self.e, 0)?)];
                return Key::new(KeyKind::Rsa, &der::sequence(&numbers)).ok();
            }
            ("EC", Some("P-256")) => (KeyKind::P256, 32),
            ("EC", Some("P-384")) => (KeyKind::P384, 48),
            ("EC", Some("P-521")) => (KeyKind::P521, 66),
            _ => return None,
        };
        let point = [vec![4], decoded(&self.x, width)?, decoded(&self.y, width)?].concat();
        Key::new(kind, &point).ok()
    }
}

/// A number's bytes, at least `width` of them.
fn decoded(number: &Option<String>, width: usize) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(number.as_ref()?).ok()?;
    Some([vec![0; width.saturating_sub(bytes.len())], bytes].concat())
}
