//! Whether a development directory still has all that was made in it: files that parse, parties that are enrolled.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use irgw_core::Missing;
use irgw_m2m::identity::IdentityKey;
use irgw_m2m::{SigningCerts, SigningKey};
use irgw_store::{Registry, Store};
use irgw_tls::{Crl, Enrolments};
use ring::digest::{SHA256, digest};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::parties::Parties;
use super::{DevError, Layout};

/// Looks at every file that the directory's documents name, and at the parties' enrolment.
///
/// # Errors
/// [`DevError::Damaged`], with the first file that is not what was made.
pub(super) fn check(layout: &Layout, parties: &Parties) -> Result<(), DevError> {
    for name in ["root", "issuer", "server"] {
        pair(&layout.pki(&format!("{name}.crt")), &layout.pki(&format!("{name}.key")))?;
    }
    let crl = layout.pki("issuer.crl");
    Crl::parse(&read(&crl)?).map_err(damaged(&crl))?;
    let identity = layout.pki("identity.key");
    IdentityKey::from_pem(&read(&identity)?).map_err(damaged(&identity))?;
    if read(&layout.operator_token())?.len() < 32 {
        return Err(damaged(&layout.operator_token())("there is no token in it"));
    }
    for provider in &parties.providers {
        pair(&provider.certificate, &provider.key)?;
        if let Some(batch) = &provider.batch {
            pair(&batch.certificate, &batch.key)?;
        }
        for signing in &provider.signing {
            let certificate = certificate(&signing.certificate)?;
            if digest(&SHA256, &certificate).as_ref() != signing.thumbprint.0 {
                return Err(damaged(&signing.certificate)("it is another certificate"));
            }
            SigningKey::from_pem(&read(&signing.key)?).map_err(damaged(&signing.key))?;
        }
    }
    enrolled(&layout.store(), parties)
}

/// Whoever was revoked is known, and stays so.
fn enrolled(path: &Path, parties: &Parties) -> Result<(), DevError> {
    let store = Store::open_existing(path).map_err(damaged(path))?;
    let registry = Registry::load(&store, parties.environment).map_err(damaged(path))?;
    for provider in &parties.providers {
        let unknown = |what: &str| damaged(path)(format_args!("{}'s {what} is not enrolled", provider.id));
        let batch = provider.batch.as_ref().map(|batch| &batch.common_name);
        for common_name in [&provider.common_name].into_iter().chain(batch) {
            if registry.by_common_name(common_name).err() == Some(Missing::Unknown) {
                return Err(unknown("client certificate"));
            }
        }
        for signing in &provider.signing {
            if registry.by_sha256(&signing.thumbprint).err() == Some(Missing::Unknown) {
                return Err(unknown("signing certificate"));
            }
        }
    }
    Ok(())
}

fn pair(certificate_file: &Path, key: &Path) -> Result<(), DevError> {
    certificate(certificate_file)?;
    PrivateKeyDer::from_pem_slice(&read(key)?).map_err(damaged(key))?;
    Ok(())
}

/// The first certificate of a file, as DER.
fn certificate(path: &Path) -> Result<CertificateDer<'static>, DevError> {
    let der = CertificateDer::from_pem_slice(&read(path)?).map_err(damaged(path))?;
    Certificate::from_der(&der).map_err(damaged(path))?;
    Ok(der)
}

fn read(path: &Path) -> Result<Vec<u8>, DevError> {
    fs::read(path).map_err(damaged(path))
}

/// For `map_err`: what is wrong with a file.
fn damaged<E: Display>(path: &Path) -> impl FnOnce(E) -> DevError {
    let path: PathBuf = path.into();
    move |error| DevError::Damaged(path, error.to_string())
}
