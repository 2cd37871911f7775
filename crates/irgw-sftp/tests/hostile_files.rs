//! Servers that lie about their files, break the protocol, or say nothing (E03, E06, E07, E09, E15).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests do"
)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use irgw_sftp::ssh::sftp::{
    Breach, Error, FileName, Folder, Limited, ListLimits, Operation, Remote, RemotePath, Start,
};
use russh_sftp::protocol::{
    Attrs, Data, ExtendedReply, File, FileAttributes, Handle, Name, Packet, Status, StatusCode, Version,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const REGULAR: u32 = 0o100_644;
const LINK: u32 = 0o120_777;

/// A client of a server that answers as `script` says.
async fn remote(script: impl FnMut(Packet) -> Vec<Packet> + Send + 'static) -> Remote<DuplexStream> {
    open(script, Duration::from_secs(20)).await.unwrap()
}

async fn open(
    mut script: impl FnMut(Packet) -> Vec<Packet> + Send + 'static,
    patience: Duration,
) -> Result<Remote<DuplexStream>, Error> {
    let (near, mut far) = duplex(1 << 20);
    tokio::spawn(async move {
        let mut received = BytesMut::new();
        while let Ok(1..) = far.read_buf(&mut received).await {
            while let Some(length) =
                received.first_chunk::<4>().map(|length| u32::from_be_bytes(*length) as usize)
            {
                if received.len() < 4 + length {
                    break;
                }
                received.advance(4);
                let request = Packet::try_from(&mut received.split_to(length).freeze()).unwrap();
                let replies = match request {
                    Packet::Init(_) => vec![Packet::Version(Version::new())],
                    request => script(request),
                };
                for reply in replies {
                    // The client may have gone away.
                    let _ = far.write_all(&Bytes::try_from(reply).unwrap()).await;
                }
            }
        }
    });
    Remote::open(near, patience).await
}

fn status(id: u32, status_code: StatusCode, message: &str) -> Packet {
    Packet::Status(Status { id, status_code, error_message: message.into(), language_tag: String::new() })
}

fn attributes(size: u64, mode: u32) -> FileAttributes {
    FileAttributes { size: Some(size), permissions: Some(mode), ..FileAttributes::empty() }
}

fn attrs(id: u32, size: u64, mode: u32) -> Packet {
    Packet::Attrs(Attrs { id, attrs: attributes(size, mode) })
}

fn handle(id: u32) -> Packet {
    Packet::Handle(Handle { id, handle: "h".into() })
}

fn names(id: u32, names: &[(&str, u32)]) -> Packet {
    let file = |&(name, mode): &(&str, u32)| File {
        filename: name.into(),
        longname: String::new(),
        attrs: if mode == 0 { FileAttributes::empty() } else { attributes(7, mode) },
    };
    Packet::Name(Name { id, files: names.iter().map(file).collect() })
}

fn path(name: &str) -> RemotePath {
    "/".parse::<Folder>().unwrap().file(&name.parse::<FileName>().unwrap())
}

fn root() -> Folder {
    "/".parse().unwrap()
}

/// What every server does.
fn usual(request: Packet) -> Vec<Packet> {
    vec![match request {
        Packet::Open(open) => handle(open.id),
        Packet::OpenDir(open) => handle(open.id),
        Packet::Lstat(stat) => attrs(stat.id, 100_000, REGULAR),
        Packet::Fstat(stat) => attrs(stat.id, 100_000, REGULAR),
        other => status(other.get_request_id(), StatusCode::Ok, ""),
    }]
}

#[tokio::test]
async fn endless_listing_ends_at_the_limit_e15() {
    let mut remote = remote(|request| match request {
        Packet::ReadDir(read) => vec![names(read.id, &[("a.zip", REGULAR); 50])],
        other => usual(other),
    })
    .await;
    let limits = ListLimits { names: 1000, bytes: 1 << 20 };
    assert_eq!(
        remote.list(&root(), limits, |_| false).await,
        Err(Error::TooMany { what: Limited::Names, limit: 1000 })
    );
}

#[tokio::test]
async fn listing_without_names_is_no_listing() {
    let mut remote = remote(|request| match request {
        Packet::ReadDir(read) => vec![names(read.id, &[])],
        other => usual(other),
    })
    .await;
    let listed = remote.list(&root(), ListLimits::default(), |_| true).await;
    assert_eq!(listed, Err(Error::Protocol(Breach::WrongReply)));
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_passed_over_e06() {
    let mut is_read = false;
    let mut remote = remote(move |request| match request {
        Packet::ReadDir(read) if std::mem::replace(&mut is_read, true) => {
            vec![status(read.id, StatusCode::Eof, "")]
        }
        Packet::ReadDir(read) => {
            let hostile = [
                "..",
                "../x",
                "/etc/passwd",
                "a/b",
                "a\\b",
                "-rf",
                "a\0b",
                "a\u{202e}piz.exe",
                "a\r",
                "CON",
                "x.zip.part",
                "unwanted.zip",
            ];
            let mut entries: Vec<(&str, u32)> = hostile.iter().map(|name| (*name, REGULAR)).collect();
            entries.extend([("link.zip", LINK), ("ok.zip", REGULAR), ("silent.zip", 0)]);
            vec![names(read.id, &entries)]
        }
        other => usual(other),
    })
    .await;
    let wanted = |name: &FileName| name.as_str().ends_with(".zip") && !name.as_str().starts_with("unwanted");
    let listing = remote.list(&root(), ListLimits::default(), wanted).await.unwrap();
    let names: Vec<(&str, u64)> =
        listing.files.iter().map(|(name, file)| (name.as_str(), file.size)).collect();
    assert_eq!((names, listing.passed_over), (vec![("ok.zip", 7), ("silent.zip", 100_000)], 13));
}

/// A server of a file of `size` bytes that answers reads as `answer` says.
async fn reading(mut answer: impl FnMut(u32, u64, u32) -> Packet + Send + 'static) -> Result<Vec<u8>, Error> {
    let mut remote = remote(move |request| match request {
        Packet::Read(read) => vec![answer(read.id, read.offset, read.len)],
        other => usual(other),
    })
    .await;
    let mut got = Vec::new();
    remote.download(&path("a"), u64::MAX, &mut got).await.map(|_| got)
}

fn byte(at: u64) -> u8 {
    (at % 251) as u8
}

fn data(id: u32, offset: u64, length: u64) -> Packet {
    Packet::Data(Data { id, data: (offset..offset + length).map(byte).collect() })
}

#[tokio::test]
async fn short_answers_are_pieced_together() {
    let got = reading(|id, offset, length| match 100_000_u64.saturating_sub(offset) {
        0 => status(id, StatusCode::Eof, ""),
        left => data(id, offset, u64::from(length).min(left).min(999)),
    });
    assert_eq!(got.await, Ok((0..100_000).map(byte).collect()));
}

#[tokio::test]
async fn sizes_that_are_lies_are_told_e09() {
    let shorter = reading(|id, offset, length| match offset < 60_000 {
        true => data(id, offset, length.into()),
        false => status(id, StatusCode::Eof, ""),
    });
    assert!(matches!(shorter.await, Err(Error::Size { expected: 100_000, .. })));
    let longer = reading(|id, offset, length| data(id, offset, length.into()));
    assert_eq!(longer.await, Err(Error::Size { expected: 100_000, found: 100_001 }));
    let more = reading(|id, offset, length| data(id, offset, u64::from(length) + 1));
    assert_eq!(more.await, Err(Error::Protocol(Breach::MoreThanAsked)));
    let nothing = reading(|id, _, _| Packet::Data(Data { id, data: Vec::new() }));
    assert_eq!(nothing.await, Err(Error::Protocol(Breach::WrongReply)));
}

#[tokio::test]
async fn answers_in_any_order_are_put_in_order() {
    let mut kept: VecDeque<Packet> = VecDeque::new();
    let mut remote = remote(move |request| match request {
        Packet::Read(read) => {
            kept.push_front(match 100_000_u64.saturating_sub(read.offset) {
                0 => status(read.id, StatusCode::Eof, ""),
                left => data(read.id, read.offset, u64::from(read.len).min(left)),
            });
            // 100,000 bytes are four requests, and one beyond the end.
            if kept.len() == 5 { kept.drain(..).collect() } else { Vec::new() }
        }
        other => usual(other),
    })
    .await;
    let mut got = Vec::new();
    assert_eq!(remote.download(&path("a"), u64::MAX, &mut got).await, Ok(100_000));
    assert!(got.iter().copied().eq((0..100_000).map(byte)));
}

#[tokio::test]
async fn file_that_changed_into_something_else_is_not_read_e07() {
    for (mode, size, error) in [
        (LINK, 100_000, Error::NotRegular),
        (0o040_755, 100_000, Error::NotRegular),
        (REGULAR, 7, Error::Size { expected: 100_000, found: 7 }),
    ] {
        let mut remote = remote(move |request| match request {
            Packet::Fstat(stat) => vec![attrs(stat.id, size, mode)],
            other => usual(other),
        })
        .await;
        assert_eq!(remote.download(&path("a"), u64::MAX, &mut Vec::new()).await, Err(error));
    }
}

/// Uploads 100,000 bytes to a server that answers as `script` says.
async fn uploading(script: impl FnMut(Packet) -> Vec<Packet> + Send + 'static) -> Result<u64, Error> {
    remote(script).await.upload(&path("a"), Start::Afresh, &mut [7; 100_000].as_slice()).await
}

#[tokio::test]
async fn upload_is_good_only_if_all_of_it_is_e09() {
    assert_eq!(uploading(usual).await, Ok(100_000));
    let lost = uploading(|request| match request {
        Packet::Lstat(stat) => vec![attrs(stat.id, 99_999, REGULAR)],
        other => usual(other),
    });
    assert_eq!(lost.await, Err(Error::Size { expected: 100_000, found: 99_999 }));
    let closing = uploading(|request| match request {
        Packet::Close(close) => vec![status(close.id, StatusCode::Failure, "Disk quota exceeded")],
        other => usual(other),
    });
    assert_eq!(closing.await, Err(Error::Quota(Operation::Close)));
    let mut writes = 0;
    let writing = uploading(move |request| match request {
        Packet::Write(write) => {
            writes += 1;
            vec![match writes {
                2 => status(write.id, StatusCode::Failure, "No space left on device"),
                _ => status(write.id, StatusCode::Ok, ""),
            }]
        }
        other => usual(other),
    });
    assert_eq!(writing.await, Err(Error::NoSpace(Operation::Write)));
    let wrong = uploading(|request| match request {
        Packet::Write(write) => vec![handle(write.id)],
        other => usual(other),
    });
    assert_eq!(wrong.await, Err(Error::Protocol(Breach::WrongReply)));
}

/// A source without end, and a server that takes everything and answers nothing: what is under way is bounded.
#[tokio::test]
async fn writes_that_nothing_answers_are_few_e03() {
    let written = Arc::new(AtomicUsize::new(0));
    let counted = written.clone();
    let script = move |request| match request {
        Packet::Write(write) => {
            counted.fetch_add(write.data.len(), Ordering::Relaxed);
            Vec::new()
        }
        other => usual(other),
    };
    let mut remote = open(script, Duration::from_millis(500)).await.unwrap();
    let uploaded = remote.upload(&path("a"), Start::Afresh, &mut tokio::io::repeat(7)).await;
    assert_eq!(uploaded, Err(Error::Timeout(Operation::Write)));
    let written = written.load(Ordering::Relaxed);
    assert!((1 << 20..=4 << 20).contains(&written), "{written}");
}

#[tokio::test]
async fn server_that_would_overwrite_is_not_asked_to_e08() {
    let mut remote = remote(|request| match request {
        Packet::Rename(_) => panic!("asked to rename"),
        other => usual(other),
    })
    .await;
    assert_eq!(remote.rename(&path("a.part"), &path("a")).await, Err(Error::Exists));
}

#[tokio::test]
async fn replies_to_no_request_break_the_connection_off_e03() {
    let mut remote = remote(|request| vec![status(request.get_request_id() + 100, StatusCode::Ok, "")]).await;
    let broken = Error::Protocol(Breach::UnknownRequest);
    assert_eq!(remote.look(&path("a")).await, Err(broken.clone()));
    assert_eq!(remote.remove(&path("a")).await, Err(broken));
}

#[tokio::test]
async fn silence_is_waited_for_so_long_e03() {
    let patience = Duration::from_millis(50);
    let mut remote = open(|_| Vec::new(), patience).await.unwrap();
    assert_eq!(remote.look(&path("a")).await, Err(Error::Timeout(Operation::Stat)));
    assert_eq!(remote.look(&path("a")).await, Err(Error::Timeout(Operation::Stat)));
    let (near, _far) = duplex(64);
    assert_eq!(Remote::open(near, patience).await.map(drop), Err(Error::Timeout(Operation::Init)));
}

#[tokio::test]
async fn lengths_and_versions_out_of_bounds_are_refused_e03() {
    for (bytes, error) in [
        (b"\xff\xff\xff\xff\x02\0\0\0\x03".as_slice(), Error::Protocol(Breach::PacketLength(u32::MAX))),
        (b"\0\0\0\x05\x02\0\0\0\x06", Error::Protocol(Breach::Version(6))),
        (b"\0\0\0\x05\x65\0\0\0\x03", Error::Protocol(Breach::WrongReply)),
        (b"\0\0\0\x02\x02\0", Error::Protocol(Breach::Malformed)),
        (b"This account is not available.\r\n", Error::Protocol(Breach::PacketLength(0x5468_6973))),
    ] {
        let (near, mut far) = duplex(1024);
        far.write_all(bytes).await.unwrap();
        assert_eq!(Remote::open(near, Duration::from_secs(20)).await.map(drop), Err(error));
    }
    let (near, far) = duplex(64);
    drop(far);
    assert_eq!(
        Remote::open(near, Duration::from_secs(20)).await.map(drop),
        Err(Error::Lost(Operation::Init))
    );
}

#[tokio::test]
async fn extended_replies_answer_nothing_that_was_asked() {
    let mut remote = remote(|request| {
        vec![Packet::ExtendedReply(ExtendedReply { id: request.get_request_id(), data: vec![0; 88] })]
    })
    .await;
    assert_eq!(remote.look(&path("a")).await, Err(Error::Protocol(Breach::WrongReply)));
}
