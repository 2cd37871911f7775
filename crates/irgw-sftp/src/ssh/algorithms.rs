//! The algorithms of SFTP-2: what both ends of a connection offer, the most preferred first, and when keys are exchanged anew.
//!
//! | | offered | and so not |
//! |---|---|---|
//! | key exchange | curve25519, ECDH on P-256, P-384 and P-521, strict (Terrapin) | finite-field groups, SHA-1, `none` |
//! | host key | ECDSA on P-256, P-384 and P-521, Ed25519, RSA with SHA-256 or SHA-512 | `ssh-rsa` (SHA-1), DSA, certificates |
//! | cipher | AES-256-GCM, AES-128-GCM, AES-256-CTR | CBC, 3DES, RC4, ChaCha20-Poly1305 |
//! | MAC, with CTR | HMAC-SHA-512 and -256, encrypt-then-MAC first | SHA-1, MD5, `none` |
//! | compression | none | zlib |
//!
//! The defaults of the SSH library will not do: they have `ssh-rsa` with SHA-1 as the last resort, and none of the NIST curves in
//! the key exchange. ChaCha20-Poly1305 is left out because Terrapin (CVE-2023-48795) breaks it with a peer that is not
//! strict, and one cannot offer it to strict peers only; GCM is not affected.

use std::borrow::Cow;
use std::time::Duration;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Limits, Preferred, cipher, compression, kex, mac};

const KEY_EXCHANGES: &[kex::Name] = &[
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

const HOST_KEYS: &[Algorithm] = &[
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Ed25519,
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

const CIPHERS: &[cipher::Name] = &[cipher::AES_256_GCM, cipher::AES_128_GCM, cipher::AES_256_CTR];

const MACS: &[mac::Name] = &[mac::HMAC_SHA512_ETM, mac::HMAC_SHA256_ETM, mac::HMAC_SHA512, mac::HMAC_SHA256];

/// What a server offers.
pub(crate) fn preferred() -> Preferred {
    Preferred {
        kex: Cow::Borrowed(KEY_EXCHANGES),
        key: Cow::Borrowed(HOST_KEYS),
        host_key_certificates: Cow::Borrowed(&[]),
        cipher: Cow::Borrowed(CIPHERS),
        mac: Cow::Borrowed(MACS),
        compression: Cow::Borrowed(&[compression::NONE]),
    }
}

/// What a client offers to a server whose pinned host keys have these algorithms: they come first, so that a server with
/// several host keys presents a pinned one.
pub(crate) fn preferring<'a>(pinned: impl Iterator<Item = &'a Algorithm>) -> Preferred {
    let pinned: Vec<&Algorithm> = pinned.collect();
    let is_pinned = |offered: &Algorithm| pinned.iter().any(|pin| pin.as_str() == family(offered));
    let (mut first, others): (Vec<Algorithm>, Vec<Algorithm>) =
        HOST_KEYS.iter().cloned().partition(is_pinned);
    first.extend(others);
    Preferred { key: Cow::Owned(first), ..preferred() }
}

/// The name of the key's kind, which for RSA is not that of the signature.
fn family(algorithm: &Algorithm) -> &str {
    match algorithm {
        Algorithm::Rsa { .. } => "ssh-rsa",
        other => other.as_str(),
    }
}

/// Whether a host may sign the key exchange, or a client its authentication, with this algorithm.
pub(crate) fn is_accepted_signature(name: &str) -> bool {
    HOST_KEYS.iter().any(|algorithm| algorithm.as_str() == name)
}

/// New keys after 1 GiB in one direction or an hour (RFC 4253 §9).
pub(crate) fn rekey_limits() -> Limits {
    Limits::new(1 << 30, 1 << 30, Duration::from_secs(3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_weak_is_offered_e02() {
        let preferred = preferred();
        let names = |list: &[&str]| list.join(",");
        let kex: Vec<&str> = preferred.kex.iter().map(AsRef::as_ref).collect();
        let ciphers: Vec<&str> = preferred.cipher.iter().map(AsRef::as_ref).collect();
        let macs: Vec<&str> = preferred.mac.iter().map(AsRef::as_ref).collect();
        let keys: Vec<&str> = preferred.key.iter().map(Algorithm::as_str).collect();
        let all = [names(&kex), names(&ciphers), names(&macs), names(&keys)].join(",");
        for weak in ["sha1", "ssh-rsa", "cbc", "group", "none", "zlib", "chacha", "md5", "dss", "arcfour"] {
            assert!(!all.contains(weak), "{weak} in {all}");
        }
        for strict in ["kex-strict-c-v00@openssh.com", "kex-strict-s-v00@openssh.com"] {
            assert!(kex.contains(&strict));
        }
        assert_eq!(ciphers.first(), Some(&"aes256-gcm@openssh.com"));
        assert_eq!(preferred.compression.as_ref(), [compression::NONE]);
    }

    #[test]
    fn pinned_algorithms_are_asked_for_first() {
        let key = |preferred: Preferred| preferred.key.iter().map(ToString::to_string).collect::<Vec<_>>();
        let rsa = key(preferring([Algorithm::Rsa { hash: None }].iter()));
        assert_eq!(rsa[..3], ["rsa-sha2-512", "rsa-sha2-256", "ecdsa-sha2-nistp256"]);
        let both = [Algorithm::Ed25519, Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 }];
        assert_eq!(key(preferring(both.iter()))[..2], ["ecdsa-sha2-nistp521", "ssh-ed25519"]);
        assert_eq!(key(preferring([].iter())).len(), HOST_KEYS.len());
    }
}
