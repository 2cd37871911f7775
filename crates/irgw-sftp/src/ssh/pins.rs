//! Host keys pinned at enrolment: the one in force, and the one that will follow it (SFTP-2).

use std::fmt;
use std::str::FromStr;

use russh::keys::{Algorithm, PublicKey};

use super::{Fingerprint, InvalidFingerprint};

/// One pinned host key.
///
/// Parsed from what an operator has at hand:
///
/// ```text
/// SHA256:Nh0Me49Zh9fDw/VYUfq43IJmI1T+XrjiYONPND8GzaM      ssh-keygen -l
/// ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTIt… comment       ssh_host_ecdsa_key.pub
/// sftp.example.nz ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNo…   ssh-keyscan
/// ```
///
/// A key tells its algorithm, so that a server that has several host keys is asked for this one; a fingerprint does not, and
/// such a server may then present another of its keys, which is refused.
#[derive(Clone, PartialEq, Eq)]
pub struct HostPin {
    fingerprint: Fingerprint,
    algorithm: Option<Algorithm>,
}

impl HostPin {
    /// The fingerprint that the host key must have.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The key's algorithm, e.g. `ecdsa-sha2-nistp256`, where the pin was made from a key.
    pub fn algorithm(&self) -> Option<&str> {
        self.algorithm.as_ref().map(Algorithm::as_str)
    }

    pub(crate) fn of(key: &PublicKey) -> HostPin {
        HostPin { fingerprint: Fingerprint::of(key.key_data()), algorithm: Some(key.algorithm()) }
    }
}

impl From<Fingerprint> for HostPin {
    fn from(fingerprint: Fingerprint) -> HostPin {
        HostPin { fingerprint, algorithm: None }
    }
}

impl FromStr for HostPin {
    type Err = InvalidPin;

    fn from_str(text: &str) -> Result<HostPin, InvalidPin> {
        if text.len() > LIMIT_BYTES {
            return Err(InvalidPin::TooLong);
        }
        let words: Vec<&str> = text.split_ascii_whitespace().take(3).collect();
        let key = match *words.as_slice() {
            // A marker stands for "refused", or for an authority that signs host keys: neither is a key to pin.
            [marker, ..] if marker.starts_with('@') => return Err(InvalidPin::Marker),
            [fingerprint] => return Ok(HostPin::from(fingerprint.parse::<Fingerprint>()?)),
            // As it is printed.
            [algorithm, fingerprint] if is_algorithm(algorithm) && fingerprint.starts_with("SHA256:") => {
                let algorithm = Algorithm::new(algorithm).map_err(|_| InvalidPin::NoKey)?;
                return Ok(HostPin { fingerprint: fingerprint.parse()?, algorithm: Some(algorithm) });
            }
            [algorithm, key, ..] if is_algorithm(algorithm) => format!("{algorithm} {key}"),
            [_, algorithm, key] if is_algorithm(algorithm) => format!("{algorithm} {key}"),
            _ => return Err(InvalidPin::NoKey),
        };
        let key = PublicKey::from_openssh(&key).map_err(|_| InvalidPin::NoKey)?;
        Ok(HostPin::of(&key))
    }
}

impl fmt::Display for HostPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.algorithm() {
            Some(algorithm) => write!(f, "{algorithm} {}", self.fingerprint),
            None => fmt::Display::fmt(&self.fingerprint, f),
        }
    }
}

impl fmt::Debug for HostPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_algorithm(word: &str) -> bool {
    matches!(
        word,
        "ssh-ed25519" | "ssh-rsa" | "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521"
    )
}

/// An RSA key of 16,384 bits takes 2,800 characters.
const LIMIT_BYTES: usize = 8192;

/// Why a text is not a [`HostPin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPin {
    /// More than 8,192 bytes.
    #[error("a host key's line has at most 8192 bytes")]
    TooLong,
    /// A `@revoked` or `@cert-authority` line.
    #[error("a line marked @revoked or @cert-authority is not a key to pin; give the host's own key")]
    Marker,
    /// One word that is not a fingerprint.
    #[error(transparent)]
    Fingerprint(#[from] InvalidFingerprint),
    /// No key of a known algorithm.
    #[error("give a fingerprint (SHA256:…), a .pub line or a line of ssh-keyscan")]
    NoKey,
}

/// The host keys that a server may have: nothing else is accepted, and nothing is learned (E01).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPins {
    /// The key in force.
    pub current: HostPin,
    /// The key that the host will change to, enrolled in advance.
    pub next: Option<HostPin>,
}

impl HostPins {
    /// Only this key.
    pub fn only(current: HostPin) -> HostPins {
        HostPins { current, next: None }
    }

    /// Which of the two pins the key meets.
    pub(crate) fn check(&self, key: &PublicKey) -> Result<Pinned, Box<HostKeyFault>> {
        let presented = HostPin::of(key);
        if presented.fingerprint == self.current.fingerprint {
            return Ok(Pinned::Current);
        }
        match &self.next {
            Some(next) if presented.fingerprint == next.fingerprint => Ok(Pinned::Next),
            next => Err(Box::new(HostKeyFault {
                presented,
                current: self.current.fingerprint,
                next: next.as_ref().map(HostPin::fingerprint),
            })),
        }
    }

    /// The algorithms of the pinned keys, as far as they are known.
    pub(crate) fn algorithms(&self) -> impl Iterator<Item = &Algorithm> {
        [Some(&self.current), self.next.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(|pin| pin.algorithm.as_ref())
    }
}

/// Which pin a host key met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinned {
    /// The key in force.
    Current,
    /// The next key: the host has changed over, and the enrolment can follow.
    Next,
}

/// The host presented a key that is not pinned: it has changed it, or somebody stands between (SFTP-2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the host presented {presented}, enrolled is {current}; ask the provider before enrolling another key"
)]
pub struct HostKeyFault {
    /// What the host presented.
    pub presented: HostPin,
    /// What is pinned.
    pub current: Fingerprint,
    /// What is pinned to follow.
    pub next: Option<Fingerprint>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PUB: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    const PRINT: &str = "SHA256:UCUiLr7Pjs9wFFJMDByLgc3NrtdU344OgUM45wZPcIQ";

    #[test]
    fn pin_is_read_from_every_form() {
        let scanned = format!("[sftp.example.nz]:2222 {PUB}");
        for line in [PUB, &format!("{PUB} root@host"), &scanned, &format!("  {PUB}\r\n")] {
            let pin: HostPin = line.parse().unwrap();
            assert_eq!(
                (pin.fingerprint().to_string().as_str(), pin.algorithm()),
                (PRINT, Some("ssh-ed25519"))
            );
        }
        assert_eq!(
            PRINT.parse::<HostPin>().map(|pin| (pin.to_string(), pin.algorithm)),
            Ok((PRINT.into(), None))
        );
    }

    #[test]
    fn what_known_hosts_readers_get_wrong_is_refused_e01() {
        let cases = [
            ("", InvalidPin::NoKey),
            (&format!("@revoked * {PUB}"), InvalidPin::Marker),
            (&format!("@cert-authority\t* {PUB}"), InvalidPin::Marker),
            ("host", InvalidPin::Fingerprint(InvalidFingerprint)),
            ("# host ssh-ed25519", InvalidPin::NoKey),
            ("ssh-ed25519 AAAA", InvalidPin::NoKey),
            (&PUB.replace("ssh-ed25519 ", "ssh-rsa "), InvalidPin::NoKey),
            (&"x".repeat(9000), InvalidPin::TooLong),
        ];
        for (line, fault) in cases {
            assert_eq!(line.parse::<HostPin>(), Err(fault), "{line:?}");
        }
    }

    #[test]
    fn only_the_pinned_keys_are_accepted() {
        let key = PublicKey::from_openssh(PUB).unwrap();
        let other = HostPin::from(Fingerprint::from_bytes([7; 32]));
        let mut pins = HostPins::only(other.clone());
        let fault = pins.check(&key).unwrap_err();
        assert_eq!((fault.presented.to_string(), fault.next), (format!("ssh-ed25519 {PRINT}"), None));
        pins.next = Some(PRINT.parse().unwrap());
        assert_eq!(pins.check(&key), Ok(Pinned::Next));
        pins = HostPins { current: PUB.parse().unwrap(), next: Some(other) };
        assert_eq!(pins.check(&key), Ok(Pinned::Current));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,200}") {
            let _ = text.parse::<HostPin>();
            let _ = format!("ssh-ed25519 {text}").parse::<HostPin>();
        }
    }
}
