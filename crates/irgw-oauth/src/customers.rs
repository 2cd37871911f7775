//! Customers: who logs in, and how that is checked (ENV-1, OA-7, OA-18).

use std::fmt;

use irgw_core::{InvalidId, Logon, Secret};

use crate::Unavailable;

/// A customer's stable random name in tokens: `sub` (OA-10). A UUID (RFC 9562) in its usual lower-case form; never the user id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(Box<str>);

impl Subject {
    /// Reads a UUID, 8-4-4-4-12 lower-case hex digits.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Subject, InvalidId> {
        let groups: Vec<&str> = text.split('-').collect();
        let is_hex = |group: &&str| group.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let lengths = groups.iter().map(|group| group.len());
        if lengths.eq([8, 4, 4, 4, 12]) && groups.iter().all(is_hex) {
            Ok(Subject(text.into()))
        } else {
            Err(InvalidId::Empty)
        }
    }

    /// A new one from 16 random bytes (RFC 9562 §5.4, version 4).
    pub fn from_random(mut bytes: [u8; 16]) -> Subject {
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let mut text = String::with_capacity(36);
        for (at, byte) in bytes.iter().enumerate() {
            if [4, 6, 8, 10].contains(&at) {
                text.push('-');
            }
            text.push_str(&format!("{byte:02x}"));
        }
        Subject(text.into())
    }

    /// The UUID.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The account that a user id names: without the space around it and without ASCII case. Whoever counts failed logins counts
/// them by this name, or a guess more is had with each spelling (C24).
pub fn account(user_id: &str) -> String {
    user_id.trim().to_ascii_lowercase()
}

/// A customer who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// `sub`.
    pub subject: Subject,
    /// The myIR user id.
    pub logon: Logon,
    /// How pages address the customer.
    pub name: String,
    /// Whether a 6-digit code is asked for after the password.
    pub second_step: SecondStep,
}

/// What is asked for after the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondStep {
    /// Nothing.
    None,
    /// A one-time password (RFC 6238).
    Totp,
}

/// A directory of customers: the built-in one, or the operator's own. Every call blocks.
pub trait Customers: fmt::Debug + Send + Sync + 'static {
    /// Checks a password. `None`: there is no such customer, the customer is disabled, or the password is wrong, and
    /// nobody can tell which, not by the time it takes either (C25).
    ///
    /// # Errors
    /// [`Unavailable`], as of every call here.
    fn log_in(&self, user_id: &str, password: &Secret<String>) -> Result<Option<Customer>, Unavailable>;

    /// The customer of this name; `None` for one that was disabled or is gone: sessions and refresh tokens end with it.
    fn customer(&self, subject: &Subject) -> Result<Option<Customer>, Unavailable>;

    /// The key of the customer's one-time passwords (RFC 6238), 20 bytes.
    fn totp_key(&self, subject: &Subject) -> Result<Option<Secret<Vec<u8>>>, Unavailable>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_account_are_one() {
        for spelling in ["ana.tui", "Ana.Tui", " ANA.TUI", "ana.tui\t", "\u{a0}ana.tui\u{3000}"] {
            assert_eq!(account(spelling), "ana.tui");
        }
        assert_ne!(account("ana tui"), "ana.tui");
    }

    #[test]
    fn subject_is_a_uuid_of_version_4() {
        let subject = Subject::from_random([0xff; 16]);
        assert_eq!(subject.as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(Subject::parse(subject.as_str()), Ok(subject));
        for bad in ["", "FFFFFFFF-ffff-4fff-bfff-ffffffffffff", "ffffffff-ffff-4fff-bfff", "g"] {
            assert!(Subject::parse(bad).is_err());
        }
    }
}
