//! What whoever keeps keys of this party's asks of them: their kinds by name, when they end, and RSA for SSH.

#[cfg(feature = "pgp")]
mod pgp {
    use std::time::{Duration, SystemTime};

    use irgw_core::UnixTime;
    use openpgp::Cert;
    use openpgp::crypto::mpi::PublicKey;
    use openpgp::parse::Parse;
    use openpgp::policy::StandardPolicy;
    use sequoia_openpgp as openpgp;

    use crate::pgp::OwnKey;

    impl OwnKey {
        /// The kind of the primary key, as GnuPG writes it: `rsa3072`, `ed25519`, `nistp256`.
        pub fn algorithm(&self) -> String {
            let cert = self.public();
            let key = cert.primary_key();
            match key.key().mpis() {
                PublicKey::RSA { n, .. } => format!("rsa{}", n.bits()),
                PublicKey::EdDSA { curve, .. } | PublicKey::ECDSA { curve, .. } => {
                    curve.to_string().to_lowercase().replace("nist p-", "nistp")
                }
                _ => key.key().pk_algo().to_string().to_lowercase(),
            }
        }

        /// The first second at which the primary key, the key that signs or the key that others encrypt to is no longer
        /// valid, as they are at `now`; `None` when all of them are valid for ever, or none of them can be used.
        pub fn expires(&self, now: UnixTime) -> Option<UnixTime> {
            let cert = self.public();
            let policy = StandardPolicy::new();
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs().min(u32::MAX.into()));
            let newest = |signing: bool| {
                let keys = cert.keys().with_policy(&policy, at).supported().alive().revoked(false);
                let keys = if signing { keys.for_signing() } else { keys.for_transport_encryption() };
                keys.max_by_key(|key| key.key().creation_time())
            };
            let primary = cert.with_policy(&policy, at).ok()?.primary_key().key_expiration_time();
            let others = [true, false].map(|signing| newest(signing)?.key_expiration_time());
            let first = others.into_iter().chain([primary]).flatten().min()?;
            first.duration_since(SystemTime::UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
        }

        fn public(&self) -> Cert {
            Cert::from_bytes(&self.certificate()).expect("a certificate that was written can be read")
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::pgp::Algorithm;

        #[test]
        fn key_says_its_kind_and_its_end() {
            let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
            let lifetime = Duration::from_secs(86_400);
            for (algorithm, name) in [(Algorithm::Curve25519, "ed25519"), (Algorithm::Rsa3072, "rsa3072")] {
                let key = OwnKey::generate("IR <ir@example.govt.nz>", algorithm, now, lifetime).unwrap();
                assert_eq!(key.algorithm(), name);
                assert_eq!(key.expires(now).map(|end| end.as_secs()), Some(1_800_086_400));
            }
        }
    }
}

#[cfg(feature = "ssh")]
mod ssh {
    use russh::keys::key::safe_rng;
    use russh::keys::ssh_key::private::{KeypairData, RsaKeypair};
    use russh::keys::ssh_key::{self, LineEnding};

    use crate::ssh::{KeyFault, PrivateKey};

    impl PrivateKey {
        /// A new RSA key of 3072 bits, for a far end that takes no ECDSA (SFTP-2). Takes seconds to make.
        ///
        /// # Errors
        /// [`KeyFault::Random`].
        pub fn generate_rsa() -> Result<PrivateKey, KeyFault> {
            let pair = RsaKeypair::random(&mut safe_rng(), RSA_BITS).map_err(|_| KeyFault::Random)?;
            let key =
                ssh_key::PrivateKey::new(KeypairData::from(pair), "irgw").map_err(|_| KeyFault::Random)?;
            let pem = key.to_openssh(LineEnding::LF).map_err(|_| KeyFault::Random)?;
            PrivateKey::parse(pem.as_bytes(), None)
        }

        /// The kind of key, as the wire has it (RFC 4253 §6.6, RFC 5656 §3.1): `ecdsa-sha2-nistp256`, `ssh-rsa`.
        pub fn algorithm(&self) -> String {
            self.private().algorithm().to_string()
        }
    }

    /// The size of an RSA key (NIST SP 800-57: beyond 2030).
    const RSA_BITS: usize = 3_072;

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::ssh::Curve;

        #[test]
        fn key_says_its_kind() {
            let key = PrivateKey::generate_rsa().unwrap();
            assert_eq!(key.algorithm(), "ssh-rsa");
            assert!(key.authorized_key("ir").starts_with("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ"));
            let key = PrivateKey::generate(Curve::P521).unwrap();
            assert_eq!(key.algorithm(), "ecdsa-sha2-nistp521");
        }
    }
}
