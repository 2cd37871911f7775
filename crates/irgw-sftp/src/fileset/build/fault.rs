//! Why a set cannot be built.

use std::io;

use crate::fileset::{ContentFault, ControlFault, MemberName, NameFault};

/// Why a set cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildFault {
    /// A member is of another set.
    #[error("{0} is of another set")]
    OtherSet(MemberName),
    /// A member was added before.
    #[error("{0} was added before")]
    Twice(MemberName),
    /// The feed has no file of this name.
    #[error("the feed has no file of this kind")]
    Name(#[source] NameFault),
    /// A member's content cannot be counted.
    #[error("{name} {fault}")]
    Content {
        /// Which.
        name: MemberName,
        /// Why.
        fault: ContentFault,
    },
    /// A member cannot be read.
    #[error("a member cannot be read: {0}")]
    Read(io::ErrorKind),
    /// A zip cannot be written.
    #[error("a zip cannot be written: {0}")]
    Write(io::ErrorKind),
    /// The zip is full, and the return-status feed has no name for a further one.
    #[error("the zip is full, and this feed has one zip a set")]
    Full,
    /// The members of a zip have more than 3.75 GiB: it would have to be a Zip64 archive.
    #[error("a zip would hold more than 3.75 GiB")]
    TooLarge,
    /// The counts do not fit into 64 bits.
    #[error("the counts do not fit into 64 bits")]
    TooMany,
    /// The zips cannot be one set.
    #[error("the zips cannot be one set")]
    Control(#[source] ControlFault),
    /// An earlier step failed.
    #[error("an earlier step of building the set failed")]
    Broken,
}
