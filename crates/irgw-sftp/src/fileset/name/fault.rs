//! Why a file's name is refused.

use irgw_core::Rule;

/// Why a text is not the name of a file of the feeds (FILE-1, FILE-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameFault {
    /// More than [`NAME_LIMIT_BYTES`](super::NAME_LIMIT_BYTES).
    #[error("the name is longer than {} bytes", super::NAME_LIMIT_BYTES)]
    TooLong,
    /// It ends neither in `.zip` nor in `.xml`.
    #[error("the name ends neither in .zip nor in .xml")]
    Extension,
    /// Its words are not those of any file of the feeds.
    #[error("the name is not of the shape of any file of the feeds")]
    Shape,
    /// Not a frequency.
    #[error("the frequency is not DAILY, WEEKLY, MANUAL or HISTORY")]
    Frequency,
    /// Not a platform id.
    #[error("the platform id is not 10 digits")]
    Platform,
    /// Not an agent's number.
    #[error("the agent's number is not 9 digits")]
    Agent,
    /// Not a sequence.
    #[error("the sequence is not a whole number in its shortest form")]
    Sequence,
    /// Not an extract key or a batch key.
    #[error("the extract key or the batch key is not 1 to 18 digits")]
    Key,
    /// Not a timestamp.
    #[error("the timestamp is not a time of the form yyyyMMddHHmmss with 3 or 4 more digits")]
    Timestamp,
    /// Not the code of an environment.
    #[error("the environment is not three upper-case letters")]
    Environment,
    /// A file of the feeds, but not of the kind that is asked for.
    #[error("the name is that of another kind of file")]
    OtherKind,
}

impl NameFault {
    /// The rule that refuses.
    pub fn rule(self) -> Rule {
        match self {
            NameFault::Key => Rule::File2,
            _ => Rule::File1,
        }
    }
}
