//! What the file server answers, packet by packet (draft-ietf-secsh-filexfer-02).

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests do"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use bytes::{Buf, Bytes};
use irgw_sftp::ssh::files::{Files, NotSftp, Policy, Share, serve_blocking};
use proptest::prelude::*;
use russh_sftp::protocol::*;

struct Session {
    folder: tempfile::TempDir,
    files: Files,
    id: u32,
    replied_to: u32,
}

impl Session {
    fn begin(policy: Policy) -> Session {
        let folder = tempfile::tempdir().unwrap();
        let share = Share::open(folder.path(), policy).unwrap();
        let mut session = Session { folder, files: share.session(), id: 0, replied_to: 0 };
        let Packet::Version(version) = session.send(Packet::Init(Init::default())) else { panic!() };
        assert_eq!(version.version, 3);
        session
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn send(&mut self, packet: Packet) -> Packet {
        let mut request = Bytes::try_from(packet).unwrap();
        request.advance(4);
        let mut reply = self.files.answer(request).unwrap();
        reply.advance(4);
        // The id, or the version: VERSION has it in the same place.
        self.replied_to = (&reply[1..5]).get_u32();
        Packet::try_from(&mut reply).unwrap()
    }

    fn ask(&mut self, build: impl FnOnce(u32) -> Packet) -> Packet {
        self.id += 1;
        let reply = self.send(build(self.id));
        assert_eq!(self.replied_to, self.id);
        reply
    }

    /// The status code of the reply, OK for any reply that is none.
    fn code(&mut self, build: impl FnOnce(u32) -> Packet) -> StatusCode {
        match self.ask(build) {
            Packet::Status(status) => status.status_code,
            _ => StatusCode::Ok,
        }
    }

    fn open(&mut self, name: &str, pflags: OpenFlags) -> Result<String, StatusCode> {
        let attrs = FileAttributes::empty();
        match self.ask(|id| Packet::Open(Open { id, filename: name.into(), pflags, attrs })) {
            Packet::Handle(handle) => Ok(handle.handle),
            Packet::Status(status) => Err(status.status_code),
            other => panic!("{other:?}"),
        }
    }

    fn write(&mut self, handle: &str, offset: u64, data: &[u8]) -> StatusCode {
        self.code(|id| Packet::Write(Write { id, handle: handle.into(), offset, data: data.into() }))
    }

    fn close(&mut self, handle: &str) -> StatusCode {
        self.code(|id| Packet::Close(Close { id, handle: handle.into() }))
    }
}

fn rename(from: &str, to: &str) -> impl FnOnce(u32) -> Packet {
    let (oldpath, newpath) = (from.into(), to.into());
    move |id| Packet::Rename(Rename { id, oldpath, newpath })
}

fn extended(request: &str, strings: &[&str]) -> impl FnOnce(u32) -> Packet {
    let data =
        strings.iter().flat_map(|s| [&(s.len() as u32).to_be_bytes(), s.as_bytes()].concat()).collect();
    let request = request.into();
    move |id| Packet::Extended(Extended { id, request, data })
}

#[test]
fn open_flags_mean_what_the_draft_says() {
    let mut session = Session::begin(Policy::general());
    let new = OpenFlags::WRITE | OpenFlags::CREATE;
    assert_eq!(session.open("a", OpenFlags::WRITE), Err(StatusCode::NoSuchFile));
    assert_eq!(session.open("a", OpenFlags::empty()), Err(StatusCode::PermissionDenied));
    let handle = session.open("a", new).unwrap();
    assert_eq!(session.write(&handle, 0, b"abcdef"), StatusCode::Ok);
    let read = |id, handle: &str| Packet::Read(Read { id, handle: handle.into(), offset: 0, len: 9 });
    assert_eq!(session.code(|id| read(id, &handle)), StatusCode::PermissionDenied);
    assert_eq!(session.close(&handle), StatusCode::Ok);
    assert_eq!(session.close(&handle), StatusCode::Failure);
    assert_eq!(session.open("a", new | OpenFlags::EXCLUDE), Err(StatusCode::Failure));
    let appended = session.open("a", OpenFlags::WRITE | OpenFlags::APPEND).unwrap();
    assert_eq!(session.write(&appended, 0, b"gh"), StatusCode::Ok);
    assert_eq!(std::fs::read(session.path("a")).unwrap(), b"abcdefgh");
    session.open("a", new | OpenFlags::TRUNCATE).unwrap();
    assert_eq!(std::fs::read(session.path("a")).unwrap(), b"");
    assert_eq!(session.open(".", OpenFlags::READ), Err(StatusCode::Failure));
    assert_eq!(session.open("a\0", OpenFlags::READ), Err(StatusCode::BadMessage));
}

#[test]
fn rename_never_clobbers_and_posix_rename_does() {
    let mut session = Session::begin(Policy::general());
    std::fs::write(session.path("a"), "new").unwrap();
    std::fs::write(session.path("b"), "old").unwrap();
    assert_eq!(session.code(rename("a", "b")), StatusCode::Failure);
    assert_eq!(std::fs::read(session.path("b")).unwrap(), b"old");
    assert_eq!(session.code(rename("none", "c")), StatusCode::NoSuchFile);
    assert_eq!(session.code(extended("posix-rename@openssh.com", &["a", "b"])), StatusCode::Ok);
    assert_eq!(std::fs::read(session.path("b")).unwrap(), b"new");
    let mut inbox = Session::begin(Policy::inbox(100));
    assert_eq!(inbox.code(extended("posix-rename@openssh.com", &["a", "b"])), StatusCode::OpUnsupported);
}

#[test]
fn attributes_are_set_within_bounds() {
    let mut session = Session::begin(Policy::general());
    std::fs::write(session.path("a"), "abcdef").unwrap();
    let set = |attrs: FileAttributes| move |id| Packet::SetStat(SetStat { id, path: "a".into(), attrs });
    let attrs = FileAttributes {
        size: Some(3),
        permissions: Some(0o106_640),
        atime: Some(1),
        mtime: Some(1_000_000),
        ..FileAttributes::empty()
    };
    assert_eq!(session.code(set(attrs)), StatusCode::Ok);
    let metadata = std::fs::metadata(session.path("a")).unwrap();
    assert_eq!((metadata.len(), metadata.permissions().mode() & 0o7777), (3, 0o640));
    assert_eq!(
        metadata.modified().unwrap(),
        std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000)
    );
    let owner = FileAttributes { uid: Some(1), gid: Some(1), ..FileAttributes::empty() };
    assert_eq!(session.code(set(owner)), StatusCode::PermissionDenied);
}

#[test]
fn quota_holds_for_sparse_files_too() {
    let mut session = Session::begin(Policy::inbox(1000));
    let handle = session.open("a.part", OpenFlags::WRITE | OpenFlags::CREATE).unwrap();
    assert_eq!(session.write(&handle, 900, &[0; 100]), StatusCode::Ok);
    assert_eq!(session.write(&handle, 901, &[0; 100]), StatusCode::Failure);
    assert_eq!(session.write(&handle, u64::MAX, &[0; 100]), StatusCode::Failure);
    let grown = FileAttributes { size: Some(1 << 60), ..FileAttributes::empty() };
    let set = |id| Packet::FSetStat(FSetStat { id, handle: handle.clone(), attrs: grown });
    assert_eq!(session.code(set), StatusCode::Failure);
    assert_eq!(std::fs::metadata(session.path("a.part")).unwrap().len(), 1000);
}

#[test]
fn handles_are_bounded_and_given_back() {
    let mut session = Session::begin(Policy { max_handles: 2, ..Policy::general() });
    std::fs::write(session.path("a"), "").unwrap();
    let first = session.open("a", OpenFlags::READ).unwrap();
    session.open("a", OpenFlags::READ).unwrap();
    assert_eq!(session.open("a", OpenFlags::READ), Err(StatusCode::Failure));
    assert_eq!(session.code(|id| Packet::OpenDir(OpenDir { id, path: "/".into() })), StatusCode::Failure);
    assert_eq!(session.close(&first), StatusCode::Ok);
    session.open("a", OpenFlags::READ).unwrap();
}

#[test]
fn listing_comes_in_pages() {
    let mut session = Session::begin(Policy::general());
    for number in 0..250 {
        std::fs::write(session.path(&format!("f{number}")), "").unwrap();
    }
    let Packet::Handle(Handle { handle, .. }) =
        session.ask(|id| Packet::OpenDir(OpenDir { id, path: ".".into() }))
    else {
        panic!()
    };
    let mut pages = Vec::new();
    while let Packet::Name(name) = session.ask(|id| Packet::ReadDir(ReadDir { id, handle: handle.clone() })) {
        pages.push(name.files.len());
    }
    assert_eq!(pages, [100, 100, 52]);
}

#[test]
fn links_stay_inside_and_an_inbox_has_none() {
    let mut session = Session::begin(Policy::general());
    std::fs::write(session.path("a"), "inside").unwrap();
    // The target first, as OpenSSH has it.
    let link = |id| Packet::Symlink(Symlink { id, linkpath: "/a".into(), targetpath: "l".into() });
    assert_eq!(session.code(link), StatusCode::Ok);
    let stat = |id| Packet::Stat(Stat { id, path: "l".into() });
    let Packet::Attrs(attrs) = session.ask(stat) else { panic!() };
    assert_eq!(attrs.attrs.size, Some(6));
    let Packet::Name(name) = session.ask(|id| Packet::ReadLink(ReadLink { id, path: "l".into() })) else {
        panic!()
    };
    assert_eq!(name.files[0].filename, "/a");
    let mut inbox = Session::begin(Policy::inbox(100));
    std::os::unix::fs::symlink("/etc/passwd", inbox.path("l")).unwrap();
    assert_eq!(inbox.code(stat), StatusCode::PermissionDenied);
    assert_eq!(inbox.open("l", OpenFlags::READ), Err(StatusCode::PermissionDenied));
    assert_eq!(inbox.code(link), StatusCode::PermissionDenied);
}

#[test]
fn nothing_is_answered_before_init() {
    let folder = tempfile::tempdir().unwrap();
    let share = Share::open(folder.path(), Policy::general()).unwrap();
    for packet in [b"\x10\0\0\0\x01\0\0\0\x01.".as_slice(), b"\x01\0\0\0\x02", b"\x01", b""] {
        assert_eq!(share.session().answer(Bytes::copy_from_slice(packet)), Err(NotSftp));
    }
    let garbage = serve_blocking(b"GET / HTTP/1.1\r\n\r\n".as_slice(), Vec::new(), share.session());
    assert_eq!(garbage, Err(irgw_sftp::ssh::files::Ended::NotSftp));
}

proptest! {
    #[test]
    fn no_packet_makes_the_server_panic(
        kind in 0_u8..=255,
        body in proptest::collection::vec(prop::sample::select(vec![0_u8, 1, 2, 4, b'.', b'/', 0xff]), 0..64),
    ) {
        let mut session = Session::begin(Policy::inbox(100));
        let _ = session.files.answer(Bytes::from([&[kind, 0, 0, 0, 1][..], &body].concat()));
        let _ = session.files.answer(Bytes::from([&[kind, 0, 0, 0, 1, 0, 0, 0, 1, b'a'][..], &body].concat()));
    }
}
