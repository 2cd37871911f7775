//! The authorities whose keys are known, and whether a revocation list is theirs (TLS-9).

use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use webpki::RawPublicKeyEntity;
use x509_parser::asn1_rs::{Any, FromDer};

use crate::certificate::Certificate;
use crate::suites::SIGNATURES;
use crate::{ApprovedRoot, Crl, profile};

/// A certificate authority as far as lists are concerned.
pub(crate) struct Authority {
    /// The content of its Name, in DER without the outer tag.
    name: Box<[u8]>,
    key_id: Option<Box<[u8]>>,
    spki: SubjectPublicKeyInfoDer<'static>,
}

impl Authority {
    /// The authority that this certificate is of, if it can be one.
    pub(crate) fn read(der: &CertificateDer<'_>) -> Option<Authority> {
        let certificate = Certificate::parse(der).ok()?;
        let traits = profile::intermediate(&certificate).ok()?;
        let (_, subject) = Any::from_der(certificate.x509.subject().as_raw()).ok()?;
        let spki = certificate.spki().to_vec().into();
        Some(Authority { name: subject.data.into(), key_id: traits.key_id, spki })
    }

    /// Whether this may be the issuer of a list: the names are the same, and the key identifiers, where both have one.
    pub(crate) fn may_have_issued(&self, crl: &Crl) -> bool {
        let same_key = match (&self.key_id, crl.key_id()) {
            (Some(own), Some(named)) => **own == *named,
            _ => true,
        };
        same_key && *self.name == *crl.issuer()
    }

    /// Whether the signature of a list in DER is by its key, in an algorithm that is accepted (TLS-5).
    pub(crate) fn signed(&self, list: &[u8]) -> bool {
        let Some((body, algorithm, signature)) = parts(list) else { return false };
        let Ok(key) = RawPublicKeyEntity::try_from(&self.spki) else { return false };
        SIGNATURES
            .all
            .iter()
            .filter(|accepted| *accepted.signature_alg_id() == *algorithm)
            .any(|accepted| key.verify_signature(*accepted, body, signature).is_ok())
    }
}

impl From<&ApprovedRoot> for Authority {
    fn from(root: &ApprovedRoot) -> Authority {
        let spki = webpki::spki_for_anchor(&root.anchor);
        Authority {
            name: root.anchor.subject.as_ref().into(),
            key_id: root.traits.key_id.clone(),
            spki: spki.into_owned(),
        }
    }
}

/// What is signed, the content of the AlgorithmIdentifier, and the signature.
fn parts(list: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (_, whole) = Any::from_der(list).ok()?;
    let (after_body, _) = Any::from_der(whole.data).ok()?;
    let body = whole.data.get(..whole.data.len() - after_body.len())?;
    let (rest, algorithm) = Any::from_der(after_body).ok()?;
    let (_, signature) = Any::from_der(rest).ok()?;
    match signature.data {
        [0, signature @ ..] => Some((body, algorithm.data, signature)),
        _ => None,
    }
}
