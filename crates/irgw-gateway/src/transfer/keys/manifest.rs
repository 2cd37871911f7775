//! `keys.json`: the one file that says which key is what.

use irgw_sftp::{pgp, ssh};
use serde::{Deserialize, Serialize};

use super::{HeldKey, Kind, State, Succession};

/// What a key folder holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The SSH keys.
    pub ssh: Succession,
    /// The OpenPGP keys.
    pub pgp: Succession,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    ssh: Succession,
    pgp: Succession,
}

impl Manifest {
    /// The keys of a kind.
    pub fn of(&self, kind: Kind) -> &Succession {
        match kind {
            Kind::Ssh => &self.ssh,
            Kind::Pgp => &self.pgp,
        }
    }

    pub(super) fn of_mut(&mut self, kind: Kind) -> &mut Succession {
        match kind {
            Kind::Ssh => &mut self.ssh,
            Kind::Pgp => &mut self.pgp,
        }
    }

    /// All keys: the live ones of both kinds come before the others.
    pub(super) fn keys(&self) -> impl Iterator<Item = (Kind, State, &HeldKey)> {
        let of = |kind| self.of(kind).keys().map(move |(state, key)| (kind, state, key));
        of(Kind::Ssh).chain(of(Kind::Pgp))
    }

    /// The text that [`Manifest::parse`] reads.
    pub(super) fn to_json(&self) -> String {
        let document = Document { version: VERSION, ssh: self.ssh.clone(), pgp: self.pgp.clone() };
        let mut json = serde_json::to_string_pretty(&document).expect("text and numbers are JSON");
        json.push('\n');
        json
    }

    /// Reads the text. Fingerprints are fingerprints, so that file names can be made of them, and nothing is held twice.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(json: &[u8]) -> Result<Manifest, String> {
        let Document { version, ssh, pgp } =
            serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if version != VERSION {
            return Err(format!("it is of version {version}; use the irgw that wrote it"));
        }
        let manifest = Manifest { ssh, pgp };
        let mut seen = std::collections::BTreeSet::new();
        for (kind, _, key) in manifest.keys() {
            let fingerprint = key.fingerprint.as_str();
            let read = match kind {
                Kind::Ssh => fingerprint.parse::<ssh::Fingerprint>().ok().map(|read| read.to_string()),
                Kind::Pgp => fingerprint.parse::<pgp::Fingerprint>().ok().map(|read| read.to_string()),
            };
            if read.as_deref() != Some(fingerprint) {
                return Err(format!("{fingerprint:?} is no fingerprint of an {kind} key"));
            }
            if !seen.insert(fingerprint) {
                return Err(format!("{fingerprint} is there twice"));
            }
        }
        Ok(manifest)
    }
}

const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(fingerprint: &str) -> HeldKey {
        HeldKey {
            fingerprint: fingerprint.into(),
            algorithm: "rsa3072".into(),
            since: 1,
            expires: Some(2),
            public: "public".into(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut manifest = Manifest::default();
        assert_eq!(Manifest::parse(manifest.to_json().as_bytes()), Ok(manifest.clone()));
        manifest.pgp.begin(key(&"0A".repeat(20)));
        manifest.ssh.begin(key(&format!("SHA256:{}", "A".repeat(43))));
        assert_eq!(Manifest::parse(manifest.to_json().as_bytes()), Ok(manifest));
    }

    /// A name of a file is made of each fingerprint.
    #[test]
    fn fingerprint_is_no_path() {
        for bad in ["../../etc/passwd", "0a", &"0a".repeat(20), &"0A ".repeat(20)] {
            let mut manifest = Manifest::default();
            manifest.pgp.begin(key(bad));
            let refused = Manifest::parse(manifest.to_json().as_bytes()).unwrap_err();
            assert!(refused.contains("is no fingerprint of an OpenPGP key"), "{refused}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let mut twice = Manifest::default();
        twice.pgp.begin(key(&"0A".repeat(20)));
        twice.pgp.announce(key(&"0A".repeat(20)), irgw_core::UnixTime::since_unix_epoch(Default::default()));
        for (text, said) in [
            ("", "EOF"),
            ("{}", "missing field"),
            (&Manifest::default().to_json().replace(": 1", ": 2"), "version 2"),
            (&twice.to_json(), "twice"),
        ] {
            let refused = Manifest::parse(text.as_bytes()).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in r#"[\{\}\[\]",:a-z0-9\\]{0,80}|.{0,80}"#) {
            let _ = Manifest::parse(text.as_bytes());
        }
    }
}
