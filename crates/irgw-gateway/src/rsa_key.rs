//! RSA keys, which ring signs with and does not make.

use irgw_core::Secret;
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePrivateKey;
use rsa::rand_core::UnwrapErr;

/// A new key of so many bits, in PKCS#8 DER.
///
/// # Errors
/// When the system gives no random numbers, or the key cannot be made.
pub(crate) fn generate(bits: usize) -> Result<Secret<Vec<u8>>, NoRsaKey> {
    // What the generator below cannot say, it panics at: ask first.
    getrandom::fill(&mut [0]).map_err(|_| NoRsaKey)?;
    let key = RsaPrivateKey::new(&mut UnwrapErr(getrandom::SysRng), bits).map_err(|_| NoRsaKey)?;
    let pkcs8 = key.to_pkcs8_der().map_err(|_| NoRsaKey)?;
    Ok(Secret::new(pkcs8.as_bytes().to_vec()))
}

/// There is none.
#[derive(Debug, thiserror::Error)]
#[error("no RSA key can be made")]
pub(crate) struct NoRsaKey;
