//! Why a look-up of an enrolled credential found nothing that may be used.

use std::fmt;

use crate::Rule;

/// Why an enrolled credential may not be used. The caller is told none of this (ENV-5); the audit record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Never enrolled.
    Unknown,
    /// Enrolled once, and revoked.
    Revoked,
    /// Enrolled in another environment (ENV-2).
    OtherEnvironment,
}

impl Missing {
    /// The rule that refuses: ENV-2 for another environment's credential, else `rule`, which asks for the enrolment.
    pub fn rule(self, rule: Rule) -> Rule {
        match self {
            Missing::OtherEnvironment => Rule::Env2,
            Missing::Unknown | Missing::Revoked => rule,
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Missing::Unknown => "not enrolled",
            Missing::Revoked => "revoked",
            Missing::OtherEnvironment => "enrolled in another environment",
        })
    }
}

impl std::error::Error for Missing {}
