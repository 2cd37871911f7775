//! What can go wrong between this end and a server's files.

use std::fmt;
use std::io;
use std::sync::Arc;

use irgw_core::printable;

/// Why an operation on a server's files failed.
///
/// After [`Error::Timeout`], [`Error::Lost`] and [`Error::Protocol`] the connection is of no more use: every further operation
/// fails with the same error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such file or folder.
    #[error("no such file: {0}")]
    NoSuchFile(Operation),
    /// The server does not permit it, or its disk is read-only.
    #[error("not permitted: {0}")]
    Permission(Operation),
    /// There is a file of that name already.
    #[error("there is a file of that name already")]
    Exists,
    /// The server's disk is full: try again later.
    #[error("the server's disk is full: {0}")]
    NoSpace(Operation),
    /// The user's quota is used up: try again later.
    #[error("the quota on the server is used up: {0}")]
    Quota(Operation),
    /// What has that name is a folder, a link or a device.
    #[error("not a regular file")]
    NotRegular,
    /// The file has another size than it must have.
    #[error("the file has {found} bytes, not {expected}")]
    Size {
        /// The size that it must have, in bytes.
        expected: u64,
        /// What the server says, in bytes.
        found: u64,
    },
    /// More than the limit that the caller set.
    #[error("more than the limit of {limit} {what}")]
    TooMany {
        /// What is limited.
        what: Limited,
        /// How many there may be.
        limit: u64,
    },
    /// The server refuses for a reason that it gives in words alone.
    #[error("the server refuses ({operation}): code {code}, {message:?}")]
    Refused {
        /// What was asked.
        operation: Operation,
        /// The status code (draft-ietf-secsh-filexfer-02 §7), or one of a later version's.
        code: u32,
        /// The server's words, 200 characters of them at most.
        message: Arc<str>,
    },
    /// No answer came in time.
    #[error("no answer in time: {0}")]
    Timeout(Operation),
    /// The connection was lost: the operation may have been done or not.
    #[error("the connection was lost: {0}")]
    Lost(Operation),
    /// The server does not speak SFTP version 3 as it should.
    #[error("the server does not speak SFTP 3 as it should: {0}")]
    Protocol(Breach),
    /// What was to be sent could not be read.
    #[error("what was to be sent cannot be read: {0}")]
    Source(io::ErrorKind),
    /// What was received could not be written.
    #[error("what was received cannot be written: {0}")]
    Sink(io::ErrorKind),
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Agreeing on the version.
    Init,
    /// Looking at a file.
    Stat,
    /// Opening a file.
    Open,
    /// Writing to it.
    Write,
    /// Reading from it.
    Read,
    /// Having it written to the disk.
    Sync,
    /// Closing it.
    Close,
    /// Giving it another name.
    Rename,
    /// Removing it.
    Remove,
    /// Listing a folder.
    List,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Init => "init",
            Operation::Stat => "stat",
            Operation::Open => "open",
            Operation::Write => "write",
            Operation::Read => "read",
            Operation::Sync => "fsync",
            Operation::Close => "close",
            Operation::Rename => "rename",
            Operation::Remove => "remove",
            Operation::List => "list",
        })
    }
}

/// What a caller limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// Names in a folder.
    Names,
    /// Bytes of a listing.
    ListingBytes,
    /// Bytes of a file.
    FileBytes,
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limited::Names => "names",
            Limited::ListingBytes => "bytes of listing",
            Limited::FileBytes => "bytes",
        })
    }
}

/// How a server breaks the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Breach {
    /// It speaks another version only.
    #[error("it answers with version {0}")]
    Version(u32),
    /// A packet is longer than any may be.
    #[error("a packet of {0} bytes")]
    PacketLength(u32),
    /// A packet does not hold what its type says.
    #[error("a packet that cannot be read")]
    Malformed,
    /// A reply to a request that was not made.
    #[error("a reply to no request")]
    UnknownRequest,
    /// A reply of a kind that does not answer the request.
    #[error("a reply that does not answer")]
    WrongReply,
    /// More data than was asked for.
    #[error("more data than was asked for")]
    MoreThanAsked,
}

impl Error {
    /// What a status other than OK means (draft-ietf-secsh-filexfer-02 §7, and draft-ietf-secsh-filexfer-13 §9.1, whose
    /// codes some servers use in version 3 too). Version 3 has no code for a full disk: what is left are the words.
    pub(crate) fn refusal(operation: Operation, code: u32, message: &str) -> Error {
        let words = message.to_ascii_lowercase();
        match code {
            2 | 10 => Error::NoSuchFile(operation),
            3 | 12 => Error::Permission(operation),
            6 | 7 => Error::Lost(operation),
            11 => Error::Exists,
            14 => Error::NoSpace(operation),
            15 => Error::Quota(operation),
            _ if words.contains("quota") => Error::Quota(operation),
            _ if words.contains("no space") || words.contains("disk full") => Error::NoSpace(operation),
            _ => Error::Refused {
                operation,
                code,
                message: printable(message).chars().take(200).collect::<String>().into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_is_told_from_other_failures_e09() {
        let refusal = |code, message| Error::refusal(Operation::Write, code, message);
        assert_eq!(refusal(14, ""), Error::NoSpace(Operation::Write));
        assert_eq!(refusal(4, "No space left on device"), Error::NoSpace(Operation::Write));
        assert_eq!(refusal(4, "Disk quota exceeded"), Error::Quota(Operation::Write));
        assert_eq!(refusal(3, "Permission denied"), Error::Permission(Operation::Write));
        let failure = Error::Refused { operation: Operation::Write, code: 4, message: "Fail\u{fffd}".into() };
        assert_eq!(refusal(4, "Fail\u{1b}"), failure);
    }
}
