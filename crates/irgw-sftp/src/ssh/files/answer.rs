//! Replies, and what the system's errors are on the wire (draft-ietf-secsh-filexfer-02 §7).

use bytes::Bytes;
use russh_sftp::protocol::{
    Attrs, Data, ExtendedReply, File, FileAttributes, Handle, Name, Packet, Status, StatusCode,
};
use rustix::fs::{FileType, Stat, StatVfs};
use rustix::io::Errno;
use time::OffsetDateTime;
use time::macros::format_description;

use super::jail::size;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The system's word.
    System(Errno),
    /// The policy does not permit it.
    Policy,
    /// There is no more of it.
    End,
    /// The handle is none of ours, or not of the kind.
    NoHandle,
    /// As many handles are open as may be.
    TooManyHandles,
    /// The request cannot be read, or is one of no version-3 client.
    BadMessage,
    /// We do not do that.
    Unsupported,
}

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Refusal {
        Refusal::System(error)
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Refusal {
        Refusal::System(Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }
}

impl Refusal {
    fn status(self) -> (StatusCode, &'static str) {
        match self {
            Refusal::System(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                (StatusCode::NoSuchFile, "No such file")
            }
            Refusal::System(Errno::ACCESS | Errno::PERM | Errno::ROFS) | Refusal::Policy => {
                (StatusCode::PermissionDenied, "Permission denied")
            }
            Refusal::System(Errno::INVAL | Errno::NAMETOOLONG) => (StatusCode::BadMessage, "Bad name"),
            // Version 3 has no codes for these; the words are what clients show, and what ours reads.
            Refusal::System(Errno::NOSPC) => (StatusCode::Failure, "No space left on device"),
            Refusal::System(Errno::DQUOT) => (StatusCode::Failure, "Disk quota exceeded"),
            Refusal::System(Errno::EXIST) => (StatusCode::Failure, "File exists"),
            Refusal::System(Errno::NOTEMPTY) => (StatusCode::Failure, "Directory not empty"),
            Refusal::System(Errno::ISDIR) => (StatusCode::Failure, "Is a directory"),
            Refusal::System(_) => (StatusCode::Failure, "Failure"),
            Refusal::End => (StatusCode::Eof, "End of file"),
            Refusal::NoHandle => (StatusCode::Failure, "No such handle"),
            Refusal::TooManyHandles => (StatusCode::Failure, "Too many open handles"),
            Refusal::BadMessage => (StatusCode::BadMessage, "Bad message"),
            Refusal::Unsupported => (StatusCode::OpUnsupported, "Operation unsupported"),
        }
    }
}

/// What a request is answered with.
pub(crate) enum Answer {
    Done,
    Handle(String),
    Data(Vec<u8>),
    Names(Vec<File>),
    Attributes(FileAttributes),
    Extended(Vec<u8>),
}

/// The reply to the request with this id.
pub(crate) fn reply(id: u32, answer: Result<Answer, Refusal>) -> Bytes {
    let status = |status_code, message: &str| {
        let (error_message, language_tag) = (message.to_owned(), "en".to_owned());
        Packet::Status(Status { id, status_code, error_message, language_tag })
    };
    let packet = match answer {
        Ok(Answer::Done) => status(StatusCode::Ok, "Success"),
        Ok(Answer::Handle(handle)) => Packet::Handle(Handle { id, handle }),
        Ok(Answer::Data(data)) => Packet::Data(Data { id, data }),
        Ok(Answer::Names(files)) => Packet::Name(Name { id, files }),
        Ok(Answer::Attributes(attrs)) => Packet::Attrs(Attrs { id, attrs }),
        Ok(Answer::Extended(data)) => Packet::ExtendedReply(ExtendedReply { id, data }),
        Err(refusal) => {
            let (code, message) = refusal.status();
            status(code, message)
        }
    };
    // Only a string of 4 GiB cannot be written.
    Bytes::try_from(packet).unwrap_or_default()
}

/// What a client is told of a file.
pub(crate) fn attributes(stat: &Stat) -> FileAttributes {
    let seconds = |time: i64| u32::try_from(time).unwrap_or(0);
    FileAttributes {
        size: Some(size(stat)),
        uid: Some(stat.st_uid),
        gid: Some(stat.st_gid),
        permissions: Some(stat.st_mode),
        atime: Some(seconds(stat.st_atime)),
        mtime: Some(seconds(stat.st_mtime)),
        ..FileAttributes::empty()
    }
}

/// An entry of a listing. The long name is that of `ls -l`, which is all that some clients show:
///
/// ```text
/// -rw-r--r--    1 1000     1000      1048576 Aug 22 2019 name
/// ```
pub(crate) fn entry(filename: String, stat: &Stat) -> File {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => 'd',
        FileType::Symlink => 'l',
        FileType::Fifo => 'p',
        FileType::Socket => 's',
        FileType::CharacterDevice => 'c',
        FileType::BlockDevice => 'b',
        _ => '-',
    };
    let mode: String = (0..9)
        .map(|bit| match (stat.st_mode >> (8 - bit) & 1, bit % 3) {
            (0, _) => '-',
            (_, 0) => 'r',
            (_, 1) => 'w',
            _ => 'x',
        })
        .collect();
    let day = OffsetDateTime::from_unix_timestamp(stat.st_mtime).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let day = day.format(format_description!("[month repr:short] [day] [year]")).unwrap_or_default();
    let longname = format!(
        "{kind}{mode} {:>4} {:<8} {:<8} {:>8} {day} {filename}",
        stat.st_nlink,
        stat.st_uid,
        stat.st_gid,
        size(stat)
    );
    File { filename, longname, attrs: attributes(stat) }
}

/// The reply to `statvfs@openssh.com`: eleven numbers of 64 bits (OpenSSH's PROTOCOL §4.4).
pub(crate) fn free(stat: &StatVfs) -> Vec<u8> {
    [
        stat.f_bsize,
        stat.f_frsize,
        stat.f_blocks,
        stat.f_bfree,
        stat.f_bavail,
        stat.f_files,
        stat.f_ffree,
        stat.f_favail,
        stat.f_fsid,
        0,
        stat.f_namemax,
    ]
    .into_iter()
    .flat_map(u64::to_be_bytes)
    .collect()
}
