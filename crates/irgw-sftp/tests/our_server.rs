//! Other people's clients, and ours, against our server (SFTP-1, SFTP-2; E04, E06, E07).

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests do"
)]

mod support;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use irgw_core::{Channel, Clock, Missing, Origin, ProviderId, Refusal, Rule, Transport};
use irgw_sftp::ssh::files::{Policy, Share, serve};
use irgw_sftp::ssh::sftp::{Error, FileName, Folder, ListLimits, Operation, Remote, RemotePath, Start};
use irgw_sftp::ssh::{
    self, Curve, Fingerprint, HostPins, PrivateKey, ProvenKey, Server, SshKey, Target, Timeouts, UserKeys,
};
use support::{PATIENCE, bytes, program, write_private};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

#[derive(Debug)]
struct Epoch;

impl Clock for Epoch {
    fn since_epoch(&self) -> Duration {
        Duration::ZERO
    }
}

/// The keys that may log in as `ird`.
#[derive(Debug)]
struct Enrolled(Vec<Fingerprint>);

impl UserKeys for Enrolled {
    fn by_key(&self, user: &str, key: Fingerprint) -> Result<ProviderId, Missing> {
        match user == "ird" && self.0.contains(&key) {
            true => Ok(ProviderId::new("ird").unwrap()),
            false => Err(Missing::Unknown),
        }
    }
}

/// Our server on a free port, until it is dropped.
struct Running {
    folder: tempfile::TempDir,
    address: SocketAddr,
    host_key: PrivateKey,
    user_key: PrivateKey,
    refused: Arc<Mutex<Vec<ssh::Error>>>,
    _end: tokio::task::JoinSet<()>,
}

impl Running {
    async fn start(policy: Policy) -> Running {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("files")).unwrap();
        let host_key = PrivateKey::generate(Curve::P384).unwrap();
        let user_key = PrivateKey::generate(Curve::P256).unwrap();
        write_private(&folder.path().join("key"), &user_key);
        std::fs::write(folder.path().join("key.pub"), user_key.authorized_key("")).unwrap();
        let keys = SshKey::new(Arc::new(Enrolled(vec![user_key.fingerprint()])));
        let server = Arc::new(Server::new(std::slice::from_ref(&host_key), Arc::new(keys), Arc::new(Epoch)));
        let share = Share::open(&folder.path().join("files"), policy).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let refused = Arc::new(Mutex::new(Vec::new()));
        let mut end = tokio::task::JoinSet::new();
        let log = refused.clone();
        end.spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (io, from) = listener.accept().await.unwrap();
                io.set_nodelay(true).unwrap();
                let (server, share, log) = (server.clone(), share.clone(), log.clone());
                connections.spawn(async move {
                    match server.establish(io, Origin::new(from, Channel::Files)).await {
                        Ok((mut stream, peer)) => {
                            assert_eq!(peer.evidence::<ProvenKey>().map(ProvenKey::user), Some("ird"));
                            let _ = serve(&mut stream, share.session(), Duration::from_secs(60)).await;
                            stream.finish().await;
                        }
                        Err(error) => log.lock().unwrap().push(error),
                    }
                });
            }
        });
        Running { folder, address, host_key, user_key, refused, _end: end }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("files").join(name)
    }

    fn key_file(&self) -> String {
        self.folder.path().join("key").display().to_string()
    }

    fn target(&self) -> Target {
        Target {
            user: "ird".into(),
            key: self.user_key.clone(),
            pins: HostPins::only(self.host_key.authorized_key("").parse().unwrap()),
            timeouts: Timeouts::default(),
        }
    }

    async fn dial(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn remote(&self) -> Remote {
        let (stream, _) = support::establish(self.target(), self.dial().await).await.unwrap();
        Remote::open(stream, PATIENCE).await.unwrap()
    }

    /// What comes of a batch of lines for OpenSSH's `sftp`.
    async fn batch(&self, sftp: &Path, options: &[&str], lines: &str) -> std::process::Output {
        let mut process = Command::new(sftp)
            .args(self.options("-P"))
            .args(options)
            .args(["-b", "-", &format!("ird@{}", self.address.ip())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut process.stdin.take().unwrap(), lines.as_bytes())
            .await
            .unwrap();
        tokio::time::timeout(Duration::from_secs(60), process.wait_with_output()).await.unwrap().unwrap()
    }

    /// OpenSSH's options to get in.
    fn options(&self, port: &str) -> Vec<String> {
        let mut options: Vec<String> =
            ["-F", "none", "-i", &self.key_file(), port, &self.address.port().to_string()]
                .map(Into::into)
                .into();
        for option in [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "IdentitiesOnly=yes",
            "BatchMode=yes",
        ] {
            options.extend(["-o".into(), option.into()]);
        }
        options
    }
}

fn file(name: &str) -> RemotePath {
    "/".parse::<Folder>().unwrap().file(&name.parse::<FileName>().unwrap())
}

#[tokio::test]
async fn our_client_does_a_delivery_and_a_pull() {
    let server = Running::start(Policy::general()).await;
    let mut remote = server.remote().await;
    let content = bytes(3_000_000);
    assert_eq!(remote.upload(&file("a.part"), Start::Afresh, &mut content.as_slice()).await, Ok(3_000_000));
    remote.rename(&file("a.part"), &file("a")).await.unwrap();
    std::fs::write(server.path("a.part"), "new").unwrap();
    assert_eq!(remote.rename(&file("a.part"), &file("a")).await, Err(Error::Exists));
    let mut got = Vec::new();
    remote.download(&file("a"), u64::MAX, &mut got).await.unwrap();
    assert!(got == content);
    let listing = remote.list(&"/".parse().unwrap(), ListLimits::default(), |_| true).await.unwrap();
    assert_eq!((listing.files.len(), listing.passed_over), (2, 2));
    remote.into_stream().finish().await;
}

#[tokio::test]
async fn inbox_takes_files_and_gives_none_away() {
    let server = Running::start(Policy::inbox(1_000_000)).await;
    let mut remote = server.remote().await;
    std::fs::write(server.path("old"), "old").unwrap();
    let mut upload = async |name: &str, start, length| {
        remote.upload(&file(name), start, &mut bytes(length).as_slice()).await
    };
    assert_eq!(upload("a.part", Start::Afresh, 400_000).await, Ok(400_000));
    assert_eq!(upload("a.part", Start::At(400_000), 100_000).await, Ok(500_000));
    assert_eq!(upload("a.part", Start::Afresh, 600_000).await, Ok(600_000));
    assert_eq!(upload("b.part", Start::Afresh, 600_000).await, Err(Error::Quota(Operation::Write)));
    assert_eq!(upload("old", Start::Afresh, 1).await, Err(Error::Permission(Operation::Open)));
    assert_eq!(upload("old", Start::At(3), 1).await, Err(Error::Permission(Operation::Open)));
    assert_eq!(remote.remove(&file("old")).await, Err(Error::Permission(Operation::Remove)));
    assert_eq!(remote.rename(&file("old"), &file("new")).await, Err(Error::Permission(Operation::Rename)));
    remote.rename(&file("a.part"), &file("a")).await.unwrap();
    assert_eq!(remote.remove(&file("b.part")).await, Ok(()));
    assert_eq!(remote.remove(&file("a")).await, Err(Error::Permission(Operation::Remove)));
    // What is taken out of the folder gives its room back.
    std::fs::remove_file(server.path("a")).unwrap();
    assert_eq!(
        remote.upload(&file("c.part"), Start::Afresh, &mut bytes(900_000).as_slice()).await,
        Ok(900_000)
    );
}

#[tokio::test]
async fn only_an_enrolled_key_of_the_user_gets_in() {
    let server = Running::start(Policy::general()).await;
    let stranger = Target { key: PrivateKey::generate(Curve::P256).unwrap(), ..server.target() };
    let other_user = Target { user: "root".into(), ..server.target() };
    for target in [stranger.clone(), other_user] {
        let refused = support::establish(target, server.dial().await).await.map(drop).unwrap_err();
        assert!(matches!(refused, ssh::Error::KeyRefused { .. }), "{refused:?}");
    }
    // The server's own account of it, when the connections have ended.
    while server.refused.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    let refused = server.refused.lock().unwrap();
    assert!(refused.iter().all(|error| error.rule() == Rule::Sftp2), "{refused:?}");
    let stranger_key = stranger.key.fingerprint();
    assert!(
        refused.iter().any(|error| matches!(error, ssh::Error::NotAuthenticated { key: Some(key), .. } if *key == stranger_key)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn openssh_gets_files_and_nothing_else() {
    let Some(ssh) = program("ssh") else { return };
    let server = Running::start(Policy::general()).await;
    let at = format!("ird@{}", server.address.ip());
    let mut forwarded = server.options("-p");
    forwarded.extend(["-N", "-o", "ExitOnForwardFailure=yes", "-R", "0:localhost:1", &at].map(Into::into));
    let mut command = server.options("-p");
    command.extend([at.clone(), "id".into()]);
    let mut terminal = server.options("-p");
    terminal.extend(["-tt".into(), at.clone()]);
    let mut other = server.options("-p");
    other.extend(["-s".into(), at.clone(), "netconf".into()]);
    for arguments in [forwarded, command, terminal, other] {
        let output = Command::new(&ssh).args(&arguments).stdin(Stdio::null()).kill_on_drop(true).output();
        let output = tokio::time::timeout(PATIENCE, output).await.expect("ssh ends").unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}: {output:?}");
    }
}

#[tokio::test]
async fn openssh_sftp_does_all_of_version_3() {
    let Some(sftp) = program("sftp") else { return };
    let server = Running::start(Policy::general()).await;
    let local = server.folder.path().join("local");
    std::fs::write(&local, bytes(2_000_000)).unwrap();
    std::fs::create_dir(server.path("d")).unwrap();
    std::fs::write(server.path("d/half"), bytes(1_000_000)).unwrap();
    let batch = format!(
        "cd d\nput -p {local} a\nchmod 640 a\nrename a b\nsymlink b l\nls -la\ndf\nget l {local}.2\n\
         reput {local} half\nput -f {local} c\ncd ..\nrm d/l\nrm d/c\nmkdir e\nrmdir e\npwd\n",
        local = local.display()
    );
    let output = server.batch(&sftp, &[], &batch).await;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.contains("-rw-r-----") && out.contains("Remote working directory: /"), "{out}");
    let content = std::fs::read(&local).unwrap();
    assert!(std::fs::read(format!("{}.2", local.display())).unwrap() == content);
    assert!(std::fs::read(server.path("d/b")).unwrap() == content);
    assert!(std::fs::read(server.path("d/half")).unwrap() == content);
    assert!(!server.path("d/l").exists() && !server.path("e").exists());
}

#[tokio::test]
async fn openssh_exchanges_keys_anew_during_a_transfer_e12() {
    let Some(sftp) = program("sftp") else { return };
    let server = Running::start(Policy::general()).await;
    let local = server.folder.path().join("local");
    std::fs::write(&local, bytes(24 << 20)).unwrap();
    let lines = format!("put {0} a\nget a {0}.2\n", local.display());
    for limit in ["RekeyLimit=4M", "RekeyLimit=1G"] {
        let output = server.batch(&sftp, &["-o", limit], &lines).await;
        assert!(output.status.success(), "{output:?}");
        let content = std::fs::read(&local).unwrap();
        assert!(std::fs::read(server.path("a")).unwrap() == content);
        assert!(std::fs::read(format!("{}.2", local.display())).unwrap() == content);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn python_clients_are_served_as_a_letter_box_serves() {
    for library in ["asyncssh", "paramiko"] {
        if !support::python_has(library) {
            continue;
        }
        let server = Running::start(Policy::inbox(1 << 24)).await;
        let client = Command::new(support::python())
            .args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/client.py"), library])
            .args([&server.address.ip().to_string(), &server.address.port().to_string(), "ird"])
            .arg(server.key_file())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(60), client).await.unwrap().unwrap();
        assert!(output.status.success(), "{library}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn five_clients_of_others_are_served() {
    let server = Running::start(Policy::general()).await;
    std::fs::create_dir(server.path("in")).unwrap();
    peers(&server.address, "ird", &server.key_file(), "/in").await;
}

#[tokio::test]
async fn example_serves_in_the_place_of_opensshs_sftp_server() {
    let Some(example) = example() else { return };
    let files = tempfile::tempdir().unwrap();
    let Some(sshd) =
        support::Sshd::new(&format!("Subsystem sftp {} {}", example.display(), files.path().display()))
    else {
        return;
    };
    let mut remote = sshd.remote().await;
    let content = bytes(1_000_000);
    assert_eq!(remote.upload(&file("a.part"), Start::Afresh, &mut content.as_slice()).await, Ok(1_000_000));
    remote.rename(&file("a.part"), &file("a")).await.unwrap();
    let mut got = Vec::new();
    remote.download(&file("a"), u64::MAX, &mut got).await.unwrap();
    assert!(got == content && std::fs::read(files.path().join("a")).unwrap() == content);

    let key = sshd.folder.path().join("key");
    write_private(&key, &sshd.user_key);
    std::fs::write(key.with_extension("pub"), sshd.user_key.authorized_key("")).unwrap();
    std::fs::create_dir(files.path().join("in")).unwrap();
    let (address, _listening) = Arc::new(sshd).listen().await;
    peers(&address, &support::user(), key.to_str().unwrap(), "/in").await;
}

/// The example, which `cargo test` builds beside the tests.
fn example() -> Option<PathBuf> {
    let tests = std::env::current_exe().unwrap();
    let built = tests.parent().and_then(Path::parent).unwrap().join("examples/sftp_server");
    program(built.to_str().unwrap())
}

/// Five clients that we did not write, by the script beside the project.
async fn peers(address: &SocketAddr, user: &str, key: &str, folder: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/tools/sftp_peers.py");
    if !script.exists() {
        println!("SKIPPED: the script with five SFTP clients is not here");
        return;
    }
    // ssh2-sftp-client is found by NODE_PATH.
    let python = support::python();
    let Some(python) = program(&python) else { return };
    let output = Command::new(python)
        .arg(script)
        .args([&address.ip().to_string(), &address.port().to_string(), user, key, folder])
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(120), output).await.unwrap().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    println!("{out}");
    for line in out.lines().filter(|line| line.starts_with("FAIL")) {
        match [
            "ModuleNotFoundError",
            "FileNotFoundError",
            "MODULE_NOT_FOUND",
            "Protocol \"sftp\" not supported",
        ]
        .iter()
        .any(|missing| line.contains(missing))
            || (line.contains("t_npm_ssh2") && std::env::var_os("NODE_PATH").is_none())
        {
            true => println!("SKIPPED: not installed: {line}"),
            false => panic!("{line}"),
        }
    }
}
