//! A certificate in a file, PEM or DER.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::CommandError;

/// Reads the first certificate of a file: of a chain, the end-entity certificate.
///
/// # Errors
/// When the file cannot be read, has more than 64 KiB, or is PEM without a certificate. DER is not looked into.
pub(crate) fn read_certificate(path: &Path) -> Result<CertificateDer<'static>, CommandError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LIMIT_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| CommandError::unusable(error).about(path))?;
    if bytes.len() as u64 > LIMIT_BYTES {
        return Err(CommandError::unusable("more than 64 KiB, which is no certificate").about(path));
    }
    if bytes.windows(PEM_MARK.len()).any(|window| window == PEM_MARK) {
        return CertificateDer::from_pem_slice(&bytes)
            .map_err(|error| CommandError::unusable(format!("no certificate in it: {error}")).about(path));
    }
    Ok(CertificateDer::from(bytes))
}

const PEM_MARK: &[u8] = b"-----BEGIN ";

const LIMIT_BYTES: u64 = 64 * 1024;
