//! Why a control file is refused.

use irgw_core::Rule;

use crate::fileset::{ControlFile, MemberName, NameFault, ZipName};

/// Why a control file is refused (FILE-3). `at` is a position in bytes, at or just behind what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlFault {
    /// More than [`ControlFile::LIMIT_BYTES`].
    #[error("the control file is longer than {} bytes", ControlFile::LIMIT_BYTES)]
    TooLong,
    /// Not UTF-8, or declared to be something else.
    #[error("the control file is not UTF-8")]
    Encoding,
    /// Not well-formed XML 1.0.
    #[error("the control file is not well-formed XML at byte {at}")]
    Malformed {
        /// Where.
        at: u64,
    },
    /// A document type declaration.
    #[error("the control file has a document type declaration at byte {at}")]
    Doctype {
        /// Where.
        at: u64,
    },
    /// An element, a text, a reference or an instruction that a control file does not have, or not there.
    #[error("the control file holds something that it should not at byte {at}")]
    Unexpected {
        /// Where.
        at: u64,
    },
    /// An attribute that its element does not have.
    #[error("an element has an attribute that it should not at byte {at}")]
    UnknownAttribute {
        /// Where.
        at: u64,
    },
    /// An attribute is not there.
    #[error("an element lacks an attribute at byte {at}")]
    MissingAttribute {
        /// Where.
        at: u64,
    },
    /// A count is not a whole number below 2^64 in its shortest form.
    #[error("a count is not a whole number at byte {at}")]
    Number {
        /// Where.
        at: u64,
    },
    /// A name is not that of a file of the feeds.
    #[error("a file name is refused at byte {at}")]
    Name {
        /// Where.
        at: u64,
        /// Why.
        #[source]
        fault: NameFault,
    },
    /// It lists no zip.
    #[error("the control file lists no zip")]
    Empty,
    /// More than [`ControlFile::ZIP_LIMIT`].
    #[error("the control file lists more than {} zips", ControlFile::ZIP_LIMIT)]
    TooManyZips,
    /// Its counts are those of one feed, and its names those of the other.
    #[error("the counts and the names are of different feeds")]
    OtherFeed,
    /// A zip of another set than the first.
    #[error("{0} is of another set")]
    OtherSet(ZipName),
    /// A member of another set than the zips.
    #[error("{0} is of another set")]
    OtherSetMember(MemberName),
    /// A zip is there twice.
    #[error("{0} is listed twice")]
    ZipTwice(ZipName),
    /// A member is there twice.
    #[error("{0} is listed twice")]
    MemberTwice(MemberName),
    /// The zips' sequences are not 0, 1, 2 and so on (FILE-1).
    #[error("the sequences of the zips have a gap or do not begin with 0")]
    Sequence,
    /// A zip's counts are not the sum over its members.
    #[error("the counts of {0} are not the sum over its members")]
    ZipCounts(ZipName),
    /// The totals are not the sum over the zips.
    #[error("the totals are not the sum over the zips")]
    Totals,
}

impl ControlFault {
    /// The rule that refuses.
    pub fn rule(self) -> Rule {
        match self {
            ControlFault::Name { fault, .. } => fault.rule(),
            ControlFault::Sequence => Rule::File1,
            _ => Rule::File3,
        }
    }
}
