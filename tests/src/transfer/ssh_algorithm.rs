//! The algorithms of SSH by their names, weak ones too (SFTP-1; E02).

use std::collections::HashMap;

use russh::{cipher, kex, mac};

use crate::Error;
use crate::template::Values;

/// The algorithm of this name, or the usual one.
pub(super) fn one<T: Copy + AsRef<str>>(
    name: Option<&String>,
    known: &[T],
    usual: T,
    values: &Values,
) -> Result<T, Error> {
    let Some(name) = name else { return Ok(usual) };
    let name = values.text(name)?;
    let known: HashMap<&str, T> = known.iter().map(|known| (known.as_ref(), *known)).collect();
    let found = known.get(name.as_str()).copied();
    found.ok_or_else(|| Error::recipe(format_args!("no algorithm of SSH is called {name:?} here")))
}

pub(super) const KEXES: &[kex::Name] = &[
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_G1_SHA1,
    kex::DH_G14_SHA1,
    kex::DH_G14_SHA256,
    kex::DH_G16_SHA512,
    kex::DH_GEX_SHA1,
    kex::DH_GEX_SHA256,
    kex::NONE,
];

pub(super) const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::AES_256_CTR,
    cipher::AES_128_CTR,
    cipher::AES_256_CBC,
    cipher::AES_128_CBC,
    cipher::CHACHA20_POLY1305,
    cipher::NONE,
];

pub(super) const MACS: &[mac::Name] = &[
    mac::HMAC_SHA512_ETM,
    mac::HMAC_SHA256_ETM,
    mac::HMAC_SHA512,
    mac::HMAC_SHA256,
    mac::HMAC_SHA1,
    mac::HMAC_SHA1_ETM,
    mac::NONE,
];
