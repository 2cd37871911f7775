//! The authenticator of SSH keys: from the key that a client proved to the party it is enrolled for.

use std::fmt::Debug;
use std::sync::Arc;

use irgw_core::{
    Authenticator, Barrier, Missing, Presented, Proof, ProviderId, Rejection, Rule, Scheme, Verdict,
};

use super::Fingerprint;

/// Looks up enrolled keys of one environment. Called during authentication: no I/O, no waiting.
pub trait UserKeys: Debug + Send + Sync + 'static {
    /// Whose key this is, if it may log in as this user.
    ///
    /// # Errors
    /// Why it may not: see [`Missing`].
    fn by_key(&self, user: &str, key: Fingerprint) -> Result<ProviderId, Missing>;
}

/// A key that a client proved to hold, and the user that it wants to be. Only [`super::Server`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenKey {
    user: Arc<str>,
    fingerprint: Fingerprint,
}

impl ProvenKey {
    pub(crate) fn new(user: &str, fingerprint: Fingerprint) -> ProvenKey {
        ProvenKey { user: user.into(), fingerprint }
    }

    /// The user's name, as the client sent it: it may hold anything.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The key.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

/// Judges connections by the key that was proved.
#[derive(Debug, Clone)]
pub struct SshKey {
    keys: Arc<dyn UserKeys>,
}

impl SshKey {
    /// Judges by these enrolments.
    pub fn new(keys: Arc<dyn UserKeys>) -> SshKey {
        SshKey { keys }
    }
}

impl Authenticator for SshKey {
    fn scheme(&self) -> Scheme {
        Scheme::SshKey
    }

    fn authenticate(&self, presented: &Presented<'_>) -> Verdict {
        let Some(key) = presented.peer.evidence::<ProvenKey>() else { return Verdict::Absent };
        match self.keys.by_key(&key.user, key.fingerprint) {
            // A key has no Common Name; its fingerprint is the name by which it is enrolled.
            Ok(provider) => Verdict::Accept(Proof::Provider {
                provider,
                common_name: key.fingerprint.to_string().into(),
                grants: Arc::default(),
            }),
            Err(missing) => Verdict::Reject(
                Rejection::not_permitted(missing.rule(Rule::Sftp2), Barrier::Provider, missing)
                    .knowing([("key", key.fingerprint.to_string())]),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use irgw_core::{Channel, Credential, Origin, Peer, UnixTime};

    use super::*;

    #[derive(Debug)]
    struct One;

    impl UserKeys for One {
        fn by_key(&self, user: &str, key: Fingerprint) -> Result<ProviderId, Missing> {
            match (user, key.to_bytes()) {
                ("ird", [1, ..]) => Ok(ProviderId::new("ird").unwrap()),
                ("ird", [2, ..]) => Err(Missing::OtherEnvironment),
                _ => Err(Missing::Unknown),
            }
        }
    }

    fn judge(evidence: Option<ProvenKey>) -> Verdict {
        let origin = Origin::new(([192, 0, 2, 7], 22).into(), Channel::Files);
        let peer = match evidence {
            Some(key) => Peer::proven(origin, Arc::new(key)),
            None => Peer::anonymous(origin),
        };
        let now = UnixTime::since_unix_epoch(Duration::ZERO);
        SshKey::new(Arc::new(One)).authenticate(&Presented { peer: &peer, credential: Credential::None, now })
    }

    fn key(user: &str, first: u8) -> Option<ProvenKey> {
        Some(ProvenKey::new(user, Fingerprint::from_bytes([first; 32])))
    }

    #[test]
    fn enrolled_key_of_the_user_is_accepted_and_no_other() {
        let Verdict::Accept(Proof::Provider { provider, common_name, .. }) = judge(key("ird", 1)) else {
            panic!()
        };
        assert_eq!((provider.as_str(), &common_name[..7]), ("ird", "SHA256:"));
        for (evidence, rule) in
            [(key("ird", 2), Rule::Env2), (key("ird", 3), Rule::Sftp2), (key("dsp", 1), Rule::Sftp2)]
        {
            let Verdict::Reject(rejection) = judge(evidence) else { panic!() };
            assert_eq!(rejection.rule, rule);
        }
        assert!(matches!(judge(None), Verdict::Absent));
    }
}
