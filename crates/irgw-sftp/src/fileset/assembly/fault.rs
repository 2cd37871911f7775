//! Why a file is not of a set, and why a set is put into quarantine.

use irgw_core::Rule;

use crate::fileset::{ControlFault, ControlName, ZipFault, ZipName};

/// Why a file has no place in a set (FILE-4). The set itself is none the worse for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stray {
    /// Of the other feed.
    #[error("the file is of the other feed")]
    Feed,
    /// For another provider.
    #[error("the file is for another provider")]
    Platform,
    /// Of another environment.
    #[error("the file is of another environment")]
    Environment,
    /// Made longer ago than [`super::Expectation::max_age`].
    #[error("the file is too old")]
    TooOld,
    /// Made more than [`super::SKEW`] ahead of now.
    #[error("the file's timestamp lies ahead")]
    Ahead,
    /// Of an earlier or a later set, as far as the control file tells.
    #[error("the file is of another set")]
    OtherSet,
    /// More zips are held than any set can have.
    #[error("too many zips have arrived without a control file")]
    TooMany,
}

impl Stray {
    /// The rule that refuses.
    pub fn rule(self) -> Rule {
        match self {
            Stray::Environment => Rule::Env2,
            _ => Rule::File4,
        }
    }
}

/// Why a set is put into quarantine (FILE-4).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetFault {
    /// The control file is refused.
    #[error("the control file is refused")]
    Control(#[source] ControlFault),
    /// The control file's name does not go with what it says.
    #[error("the control file lists the zips of another set than its name says")]
    ControlName,
    /// The control file has arrived with two contents.
    #[error("the control file has arrived with two contents")]
    ControlChanged,
    /// There is another control file for the same keys.
    #[error("{0} is a second control file for the set")]
    SecondControl(ControlName),
    /// A listed zip was made more than [`super::SPAN`] before the control file, or more than [`super::SKEW`] after it.
    #[error("{0} is of another day than the control file")]
    OtherDay(ZipName),
    /// A zip of the set that the control file does not list.
    #[error("{0} is of the set and not listed")]
    Unlisted(ZipName),
    /// A zip has arrived with two contents.
    #[error("{0} has arrived with two contents")]
    ZipChanged(ZipName),
    /// A zip is refused.
    #[error("{name} is refused")]
    Zip {
        /// Which.
        name: ZipName,
        /// Why.
        #[source]
        fault: Box<ZipFault>,
    },
}

impl SetFault {
    /// The rule that refuses.
    pub fn rule(&self) -> Rule {
        match self {
            SetFault::Control(fault) => fault.rule(),
            SetFault::ControlName => Rule::File1,
            _ => Rule::File4,
        }
    }
}
