//! A certificate in a file, PEM or DER.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{self, PemObject};

use super::CommandError;
use crate::bounded::{self, Readers};

/// Reads the first certificate of a file: of a chain, the end-entity certificate.
///
/// # Errors
/// When the file cannot be read, has more than 64 KiB, or is PEM without a certificate. DER is not looked into.
pub(crate) fn read_certificate(path: &Path) -> Result<CertificateDer<'static>, CommandError> {
    let bytes = read(path)?;
    if is_pem(&bytes) {
        return CertificateDer::from_pem_slice(&bytes).map_err(|error| none(path, &error));
    }
    Ok(CertificateDer::from(bytes))
}

/// Reads all certificates of a file, one or more.
///
/// # Errors
/// As [`read_certificate`].
pub(crate) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CommandError> {
    let bytes = read(path)?;
    if !is_pem(&bytes) {
        return Ok(vec![CertificateDer::from(bytes)]);
    }
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match chain.map_err(|error| none(path, &error))? {
        chain if chain.is_empty() => Err(none(path, &pem::Error::NoItemsFound)),
        chain => Ok(chain),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    bounded::read(path, LIMIT_BYTES, Readers::Anybody)
        .map_err(|error| CommandError::unusable(error).about(path))
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(PEM_MARK.len()).any(|window| window == PEM_MARK)
}

fn none(path: &Path, error: &pem::Error) -> CommandError {
    CommandError::unusable(format_args!("no certificate in it: {error}")).about(path)
}

const PEM_MARK: &[u8] = b"-----BEGIN ";

const LIMIT_BYTES: u64 = 64 * 1024;
