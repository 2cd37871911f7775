//! Why a zip is refused.

use std::io;

use irgw_core::Rule;

use crate::fileset::{ContentFault, Counts, MemberName};

/// Why a zip is refused (FILE-4). `at` is a position in bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZipFault {
    /// The archive could not be read. Says nothing about what is in it.
    #[error("the zip cannot be read: {0}")]
    Io(io::ErrorKind),
    /// The archive ends in the middle of something.
    #[error("the zip is cut off")]
    CutOff,
    /// The last 22 bytes are not the end record of an archive of one volume without a comment.
    #[error("the zip does not end as an archive does")]
    End,
    /// The end record, or a member, refers to Zip64 fields.
    #[error("the zip is a Zip64 archive")]
    Zip64,
    /// The central directory is not where and as long as the end record says.
    #[error("the zip's central directory is malformed")]
    Directory,
    /// There are bytes that belong to no member, or to two.
    #[error("the zip's members leave a gap, or overlap, at byte {at}")]
    Layout {
        /// Where.
        at: u64,
    },
    /// Not as many members as the control file lists.
    #[error("the zip has {found} members and the control file lists {listed}")]
    MemberCount {
        /// How many the control file lists.
        listed: usize,
        /// How many there are.
        found: usize,
    },
    /// A member that the control file does not list.
    #[error("the zip holds \"{name}\", which the control file does not list")]
    Unlisted {
        /// Its name: at most 128 characters, and none that is [hidden](irgw_core::printable).
        name: String,
    },
    /// More bytes than [`super::Caps::inflated_bytes`], by the archive's own account.
    #[error("the zip inflates to more than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// One member is not as it must be.
    #[error("the zip's member {name} {flaw}")]
    Member {
        /// Which.
        name: MemberName,
        /// What is wrong with it.
        flaw: MemberFlaw,
    },
}

/// What is wrong with a member of a zip (FILE-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemberFlaw {
    /// It is there twice.
    #[error("is there twice")]
    Twice,
    /// It is encrypted.
    #[error("is encrypted")]
    Encrypted,
    /// It is compressed by another method than DEFLATE; APPNOTE.TXT §4.4.5 has the numbers.
    #[error("is compressed by method {0}")]
    Method(u16),
    /// It has a flag of APPNOTE.TXT §4.4.4 that is not known.
    #[error("has the flags {0:#06x}")]
    Flags(u16),
    /// It is a folder, a link or a device.
    #[error("is not a plain file")]
    NotAFile,
    /// It has an extra field that is neither a time nor an owner.
    #[error("has an extra field {0:#06x}, or one that is malformed")]
    Extra(u16),
    /// It has a comment.
    #[error("has a comment")]
    Comment,
    /// It is longer, inflated, than [`super::Caps::ratio`] allows.
    #[error("is compressed more than {limit} times")]
    Ratio {
        /// The limit.
        limit: u64,
    },
    /// What stands in front of, or behind, its content differs from the directory.
    #[error("is described differently in two places")]
    Header,
    /// Its content is not DEFLATE, or has bytes behind its end.
    #[error("is not valid DEFLATE")]
    Deflate,
    /// Its content has another length than the directory says.
    #[error("has another length than stated")]
    Length,
    /// Its content has another CRC-32 than the directory says.
    #[error("has another CRC-32 than stated")]
    Crc,
    /// Its content is not XML that can be counted.
    #[error("{0}")]
    Content(ContentFault),
    /// Its content has other counts than the control file says.
    #[error("has {found} and the control file says {listed}")]
    Counts {
        /// What the control file says.
        listed: Counts,
        /// What it has.
        found: Counts,
    },
}

impl ZipFault {
    /// The rule that refuses.
    pub fn rule(&self) -> Rule {
        Rule::File4
    }
}

impl From<io::Error> for ZipFault {
    fn from(error: io::Error) -> ZipFault {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => ZipFault::CutOff,
            kind => ZipFault::Io(kind),
        }
    }
}
