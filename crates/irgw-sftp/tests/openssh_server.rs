//! Our client against OpenSSH's server (SFTP-1 to SFTP-3; E01, E02, E05, E07 to E09, E15).

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests do"
)]

mod support;

use irgw_sftp::ssh::sftp::{Error, FileName, Folder, Limited, ListLimits, Operation, Remote, Start};
use irgw_sftp::ssh::{
    self, Curve, Fingerprint, HostPin, HostPins, Negotiated, Pinned, PrivateKey, Target, VerifiedHost,
};
use support::{PATIENCE, Sshd, bytes, program};

fn name(text: &str) -> FileName {
    text.parse().unwrap()
}

#[tokio::test]
async fn file_is_uploaded_renamed_listed_downloaded_and_put_aside() {
    let Some(sshd) = Sshd::new("") else { return };
    let mut remote = sshd.remote().await;
    let (folder, content) = (sshd.files(), bytes(5_000_001));
    let (part, end) = (folder.file(&name("a.zip.part")), folder.file(&name("a.zip")));
    assert_eq!(remote.look(&part).await, Err(Error::NoSuchFile(Operation::Stat)));
    assert_eq!(remote.upload(&part, Start::Afresh, &mut content.as_slice()).await, Ok(5_000_001));
    assert_eq!(std::fs::read(sshd.path("a.zip.part")).unwrap(), content);
    remote.rename(&part, &end).await.unwrap();
    assert_eq!(remote.look(&end).await.map(|file| file.size), Ok(5_000_001));

    let empty = folder.file(&name("empty"));
    assert_eq!(remote.upload(&empty, Start::Afresh, &mut [].as_slice()).await, Ok(0));
    let mut got = Vec::new();
    assert_eq!(remote.download(&empty, 0, &mut got).await, Ok(0));
    assert_eq!(remote.download(&end, 5_000_001, &mut got).await, Ok(5_000_001));
    assert!(got == content, "what came back is something else");
    let too_many = Error::TooMany { what: Limited::FileBytes, limit: 5_000_000 };
    assert_eq!(remote.download(&end, 5_000_000, &mut Vec::new()).await, Err(too_many));

    std::fs::create_dir(sshd.path("done")).unwrap();
    std::os::unix::fs::symlink("a.zip", sshd.path("link.zip")).unwrap();
    let listing =
        remote.list(&folder, ListLimits::default(), |name| name.as_str().ends_with("zip")).await.unwrap();
    let names: Vec<&str> = listing.files.iter().map(|(name, _)| name.as_str()).collect();
    // Passed over: `.`, `..`, empty, done, and the link.
    assert_eq!((names, listing.passed_over), (vec!["a.zip"], 5));
    remote.archive(&end, &format!("{folder}/done").parse().unwrap()).await.unwrap();
    assert!(sshd.path("done/a.zip").exists() && !sshd.path("a.zip").exists());
    remote.remove(&empty).await.unwrap();
    assert_eq!(remote.remove(&empty).await, Err(Error::NoSuchFile(Operation::Remove)));
    remote.into_stream().finish().await;
}

#[tokio::test]
async fn upload_goes_on_from_what_is_there_and_only_from_there() {
    let Some(sshd) = Sshd::new("") else { return };
    let mut remote = sshd.remote().await;
    let content = bytes(5_000_000);
    let part = sshd.files().file(&name("a.part"));
    // The last writes of what was cut off were done in no order: there is a hole.
    std::fs::write(sshd.path("a.part"), [&content[..4_200_000], &[0; 200_000]].concat()).unwrap();
    let at = remote.look(&part).await.unwrap().sure_bytes();
    assert_eq!(at, 4_400_000 - (4 << 20));
    assert_eq!(remote.upload(&part, Start::At(at), &mut &content[at as usize..]).await, Ok(5_000_000));
    assert!(std::fs::read(sshd.path("a.part")).unwrap() == content);
    let beyond = remote.upload(&part, Start::At(5_000_001), &mut [].as_slice()).await;
    assert_eq!(beyond, Err(Error::Size { expected: 5_000_001, found: 5_000_000 }));
    let shorter = remote.upload(&part, Start::At(7), &mut [7].as_slice()).await;
    assert_eq!(shorter, Err(Error::Size { expected: 8, found: 5_000_000 }));
    assert_eq!(remote.upload(&part, Start::Afresh, &mut b"new".as_slice()).await, Ok(3));
}

#[tokio::test]
async fn upload_that_is_cut_off_leaves_a_part_and_a_usable_connection_e08() {
    let Some(sshd) = Sshd::new("") else { return };
    let mut remote = sshd.remote().await;
    let part = sshd.files().file(&name("a.part"));
    // A source that ends in an error after a megabyte, then one that never ends and is dropped.
    let mut failing = failing_source(bytes(1 << 20));
    assert_eq!(
        remote.upload(&part, Start::Afresh, &mut failing).await,
        Err(Error::Source(std::io::ErrorKind::ConnectionReset))
    );
    let left = remote.look(&part).await.unwrap().size;
    assert!((1_000_000..=1 << 20).contains(&left), "{left}");
    let mut endless = tokio::io::repeat(7);
    let dropped = tokio::time::timeout(
        std::time::Duration::from_millis(50),
        remote.upload(&part, Start::Afresh, &mut endless),
    );
    assert!(dropped.await.is_err());
    let other = sshd.files().file(&name("b.part"));
    assert_eq!(remote.upload(&other, Start::Afresh, &mut b"on".as_slice()).await, Ok(2));
    let mut got = Vec::new();
    assert_eq!(remote.download(&other, 10, &mut got).await, Ok(2));
    assert_eq!(got, b"on");
}

/// Gives the bytes, then an error.
fn failing_source(bytes: Vec<u8>) -> impl tokio::io::AsyncRead + Unpin {
    struct Failing(std::io::Cursor<Vec<u8>>);
    impl tokio::io::AsyncRead for Failing {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
            buffer: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            if self.0.position() == self.0.get_ref().len() as u64 {
                return std::task::Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()));
            }
            std::pin::Pin::new(&mut self.0).poll_read(context, buffer)
        }
    }
    Failing(std::io::Cursor::new(bytes))
}

#[tokio::test]
async fn nothing_that_exists_is_renamed_over_e08() {
    let Some(sshd) = Sshd::new("") else { return };
    let mut remote = sshd.remote().await;
    std::fs::write(sshd.path("a.part"), "new").unwrap();
    for (there, make) in [
        (
            "file",
            &(|path: &std::path::Path| std::fs::write(path, "old").unwrap()) as &dyn Fn(&std::path::Path),
        ),
        ("folder", &|path| std::fs::create_dir(path).unwrap()),
        ("link", &|path| std::os::unix::fs::symlink("nowhere", path).unwrap()),
    ] {
        make(&sshd.path(there));
        let (from, to) = (sshd.files().file(&name("a.part")), sshd.files().file(&name(there)));
        assert_eq!(remote.rename(&from, &to).await, Err(Error::Exists), "{there}");
    }
    assert_eq!(std::fs::read(sshd.path("file")).unwrap(), b"old");
}

#[tokio::test]
async fn only_regular_files_are_touched_e07() {
    let Some(sshd) = Sshd::new("") else { return };
    let mut remote = sshd.remote().await;
    std::fs::write(sshd.path("real"), "real").unwrap();
    std::os::unix::fs::symlink("real", sshd.path("link")).unwrap();
    std::os::unix::fs::symlink("loop", sshd.path("loop")).unwrap();
    std::fs::create_dir(sshd.path("folder")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(sshd.path("fifo")).status().unwrap().success());
    for other in ["link", "loop", "folder", "fifo"] {
        let path = sshd.files().file(&name(other));
        assert_eq!(remote.look(&path).await, Err(Error::NotRegular), "{other}");
        assert_eq!(remote.download(&path, 99, &mut Vec::new()).await, Err(Error::NotRegular), "{other}");
        let uploaded = remote.upload(&path, Start::Afresh, &mut b"x".as_slice()).await;
        assert_eq!(uploaded, Err(Error::NotRegular), "{other}");
    }
    assert_eq!(std::fs::read(sshd.path("real")).unwrap(), b"real");
}

#[tokio::test]
async fn listing_stops_at_its_limits_e15() {
    let Some(sshd) = Sshd::new("") else { return };
    let mut remote = sshd.remote().await;
    for number in 0..500 {
        std::fs::write(sshd.path(&format!("{number:0100}")), "").unwrap();
    }
    let mut list = async |names, bytes| {
        remote
            .list(&sshd.files(), ListLimits { names, bytes }, |_| true)
            .await
            .map(|listing| listing.files.len())
    };
    assert_eq!(list(502, 100_000).await, Ok(500));
    assert_eq!(list(501, 100_000).await, Err(Error::TooMany { what: Limited::Names, limit: 501 }));
    assert_eq!(list(502, 40_000).await, Err(Error::TooMany { what: Limited::ListingBytes, limit: 40_000 }));
}

#[tokio::test]
async fn changed_host_key_is_an_error_before_our_key_is_offered_e01_e05() {
    let Some(sshd) = Sshd::new("LogLevel DEBUG3") else { return };
    let other = HostPin::from(Fingerprint::from_bytes([7; 32]));
    let target = Target { pins: HostPins::only(other.clone()), ..sshd.target() };
    let Err(ssh::Error::HostKey(fault)) = sshd.establish(target).await else { panic!("not refused") };
    assert_eq!((fault.presented.clone(), fault.current), (sshd.pin(), other.fingerprint()));
    let log = sshd.log().await;
    assert!(log.contains("KEX") && !log.contains("userauth"), "{log}");

    let next = Target { pins: HostPins { current: other, next: Some(sshd.pin()) }, ..sshd.target() };
    let (stream, peer) = sshd.establish(next).await.unwrap();
    let host = peer.evidence::<VerifiedHost>().unwrap();
    assert_eq!((host.pinned(), host.fingerprint()), (Pinned::Next, sshd.host_key.fingerprint()));
    drop(stream);
    assert!(sshd.log().await.contains("userauth"), "the log does not show what it should not show above");
}

#[tokio::test]
async fn pinned_algorithm_is_asked_for_where_a_server_has_several_keys() {
    let Some(keygen) = program("ssh-keygen") else { return };
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("ed25519");
    let made =
        std::process::Command::new(keygen).args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    assert!(made.unwrap().success());
    let Some(sshd) = Sshd::new(&format!("HostKey {}", key.display())) else { return };
    let line = std::fs::read_to_string(folder.path().join("ed25519.pub")).unwrap();
    let target = Target { pins: HostPins::only(line.parse().unwrap()), ..sshd.target() };
    sshd.establish(target).await.unwrap();
    sshd.establish(sshd.target()).await.unwrap();
}

#[tokio::test]
async fn every_algorithm_of_the_profile_works_alone() {
    for lines in [
        "KexAlgorithms curve25519-sha256",
        "KexAlgorithms ecdh-sha2-nistp256\nCiphers aes256-gcm@openssh.com",
        "KexAlgorithms ecdh-sha2-nistp384\nCiphers aes128-gcm@openssh.com",
        "KexAlgorithms ecdh-sha2-nistp521\nCiphers aes256-ctr\nMACs hmac-sha2-512-etm@openssh.com",
        "Ciphers aes256-ctr\nMACs hmac-sha2-256-etm@openssh.com",
        "Ciphers aes256-ctr\nMACs hmac-sha2-512",
        "Ciphers aes256-ctr\nMACs hmac-sha2-256",
    ] {
        let Some(sshd) = Sshd::new(lines) else { return };
        let mut remote = sshd.remote().await;
        let path = sshd.files().file(&name("x"));
        assert_eq!(
            remote.upload(&path, Start::Afresh, &mut bytes(100_000).as_slice()).await,
            Ok(100_000),
            "{lines}"
        );
    }
}

#[tokio::test]
async fn server_with_nothing_but_weak_algorithms_is_refused_e02() {
    for (lines, kind) in [
        ("KexAlgorithms diffie-hellman-group14-sha1", Negotiated::KeyExchange),
        ("KexAlgorithms diffie-hellman-group-exchange-sha1", Negotiated::KeyExchange),
        ("Ciphers aes256-cbc,aes128-cbc,3des-cbc", Negotiated::Cipher),
        ("Ciphers chacha20-poly1305@openssh.com", Negotiated::Cipher),
        ("Ciphers aes256-ctr\nMACs hmac-sha1,hmac-sha1-etm@openssh.com,hmac-md5", Negotiated::Mac),
    ] {
        let Some(sshd) = Sshd::new(lines) else { return };
        let refused = sshd.establish(sshd.target()).await.map(drop);
        let Err(ssh::Error::Algorithms { kind: of, offered }) = refused else {
            panic!("{lines}: {refused:?}")
        };
        assert!(of == kind && !offered.is_empty(), "{lines}: {of:?} {offered:?}");
    }
}

#[tokio::test]
async fn key_is_all_that_is_offered_e04() {
    let Some(sshd) = Sshd::new("PubkeyAuthentication no\nKbdInteractiveAuthentication yes") else { return };
    let refused = sshd.establish(sshd.target()).await.map(drop).unwrap_err();
    assert!(matches!(refused, ssh::Error::KeyRefused { .. }), "{refused:?}");

    let Some(sshd) =
        Sshd::new("KbdInteractiveAuthentication yes\nAuthenticationMethods publickey,keyboard-interactive")
    else {
        return;
    };
    let refused = sshd.establish(sshd.target()).await.map(drop).unwrap_err();
    assert_eq!(refused, ssh::Error::MoreThanKey { methods: ["keyboard-interactive"].into() });

    let Some(sshd) = Sshd::new("") else { return };
    let target = Target { key: PrivateKey::generate(Curve::P384).unwrap(), ..sshd.target() };
    let refused = sshd.establish(target).await.map(drop).unwrap_err();
    let methods = ["publickey"].into();
    assert_eq!(refused, ssh::Error::KeyRefused { user: support::user().into(), methods });
}

#[tokio::test]
async fn every_curve_and_rsa_authenticate() {
    let Some(sshd) = Sshd::new("") else { return };
    let Some(keygen) = program("ssh-keygen") else { return };
    let rsa = sshd.folder.path().join("rsa");
    let made = std::process::Command::new(keygen)
        .args(["-q", "-t", "rsa", "-b", "3072", "-N", "", "-f"])
        .arg(&rsa)
        .status();
    assert!(made.unwrap().success());
    let keys = [
        PrivateKey::generate(Curve::P384).unwrap(),
        PrivateKey::generate(Curve::P521).unwrap(),
        PrivateKey::load(&rsa, None).unwrap(),
    ];
    let lines: Vec<String> = keys.iter().map(|key| key.authorized_key("")).collect();
    std::fs::write(sshd.folder.path().join("authorized_keys"), lines.join("\n")).unwrap();
    for key in keys {
        sshd.establish(Target { key, ..sshd.target() }).await.unwrap();
    }
}

#[tokio::test]
async fn server_without_sftp_is_told_from_one_that_refuses_us() {
    let Some(sshd) = Sshd::new("ForceCommand false") else { return };
    // The command runs in place of the subsystem, and ends.
    let (stream, _) = sshd.establish(sshd.target()).await.unwrap();
    assert_eq!(Remote::open(stream, PATIENCE).await.map(drop), Err(Error::Lost(Operation::Init)));
    let Some(sshd) = Sshd::new("Subsystem other /nowhere") else { return };
    assert_eq!(sshd.establish(sshd.target()).await.map(drop), Err(ssh::Error::NoSubsystem));
    let Some(sshd) = Sshd::new("MaxSessions 0") else { return };
    assert_eq!(sshd.establish(sshd.target()).await.map(drop), Err(ssh::Error::NoSubsystem));
}

#[tokio::test]
async fn server_that_permits_little_says_so() {
    let denied = "Subsystem sftp internal-sftp -P remove,rename,posix-rename,fsync,opendir";
    let Some(sshd) = Sshd::new(denied) else { return };
    let mut remote = sshd.remote().await;
    let path = sshd.files().file(&name("x"));
    assert_eq!(remote.upload(&path, Start::Afresh, &mut b"x".as_slice()).await, Ok(1));
    let to = sshd.files().file(&name("y"));
    assert_eq!(remote.rename(&path, &to).await, Err(Error::Permission(Operation::Rename)));
    assert_eq!(remote.remove(&path).await, Err(Error::Permission(Operation::Remove)));
    let listed = remote.list(&sshd.files(), ListLimits::default(), |_| true).await;
    assert_eq!(listed, Err(Error::Permission(Operation::List)));
}

#[tokio::test]
async fn full_disk_is_told_e09() {
    let Some(sshd) = Sshd::new("") else { return };
    // Not everybody may mount one; the device is always full.
    let folder = sshd.path("small");
    std::fs::create_dir(&folder).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "none"])
        .arg(&folder)
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: a small disk cannot be mounted here");
        return;
    }
    let mut remote = sshd.remote().await;
    let path = folder.to_str().unwrap().parse::<Folder>().unwrap().file(&name("x.part"));
    let full = remote.upload(&path, Start::Afresh, &mut bytes(3 << 20).as_slice()).await;
    let at = remote.look(&path).await;
    drop(remote);
    sshd.end();
    let _ = std::process::Command::new("umount").arg(&folder).status();
    assert_eq!(full, Err(Error::NoSpace(Operation::Write)));
    assert!(at.is_ok_and(|file| file.size <= 1 << 20));
}
