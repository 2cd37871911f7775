//! OpenSSH's server, started per connection on a socket of the test's: no port to choose, nothing to wait for.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use irgw_core::{Channel, Origin, Peer, Transport};
use irgw_sftp::ssh::sftp::Remote;
use irgw_sftp::ssh::{Client, Curve, Error, HostPin, HostPins, PrivateKey, Stream, Target, Timeouts};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The program, or why the test is skipped.
pub(crate) fn program(path: &str) -> Option<PathBuf> {
    let found = match path.contains('/') {
        true => Some(PathBuf::from(path)).filter(|path| path.exists()),
        false => std::env::var_os("PATH").and_then(|paths| {
            std::env::split_paths(&paths).map(|folder| folder.join(path)).find(|path| path.exists())
        }),
    };
    if found.is_none() {
        println!("SKIPPED: {path} is not installed");
    }
    found
}

/// The interpreter that has asyncssh and paramiko: `IRGW_PYTHON` names it.
pub(crate) fn python() -> String {
    std::env::var("IRGW_PYTHON").unwrap_or("python3".into())
}

/// Whether the interpreter has a library; otherwise the test is skipped.
pub(crate) fn python_has(library: &str) -> bool {
    let found = Command::new(python()).args(["-c", &format!("import {library}")]).output();
    let has = found.is_ok_and(|output| output.status.success());
    if !has {
        println!("SKIPPED: {} has no {library}", python());
    }
    has
}

/// An OpenSSH server's configuration; each connection gets an `sshd -i` of its own.
pub(crate) struct Sshd {
    program: PathBuf,
    pub(crate) folder: TempDir,
    pub(crate) host_key: PrivateKey,
    pub(crate) user_key: PrivateKey,
    processes: Mutex<Vec<Child>>,
}

impl Sshd {
    /// A server with the lines added to its configuration; none where OpenSSH's server is not installed.
    pub(crate) fn new(lines: &str) -> Option<Sshd> {
        let program = program("/usr/sbin/sshd")?;
        let folder = tempfile::tempdir().unwrap();
        let (host_key, user_key) =
            (PrivateKey::generate(Curve::P256).unwrap(), PrivateKey::generate(Curve::P256).unwrap());
        write_private(&folder.path().join("host_key"), &host_key);
        std::fs::write(folder.path().join("authorized_keys"), user_key.authorized_key("test")).unwrap();
        std::fs::create_dir(folder.path().join("files")).unwrap();
        let path = folder.path().display();
        let subsystem = if lines.contains("Subsystem") { "" } else { "Subsystem sftp internal-sftp" };
        let config = format!(
            "{lines}\nHostKey {path}/host_key\nAuthorizedKeysFile {path}/authorized_keys\nStrictModes no\nUsePAM no\n\
             PidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
             {subsystem}\nLogLevel ERROR\n"
        );
        std::fs::write(folder.path().join("config"), config).unwrap();
        // What a server that root starts wants to be there; others need it not.
        let _ = std::fs::create_dir_all("/run/sshd");
        Some(Sshd { program, folder, host_key, user_key, processes: Mutex::default() })
    }

    /// A path below the folder of files.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("files").join(name)
    }

    /// The folder of files, as a remote folder.
    pub(crate) fn files(&self) -> irgw_sftp::ssh::sftp::Folder {
        self.path("").to_str().unwrap().parse().unwrap()
    }

    /// A connection on which an `sshd` answers.
    pub(crate) async fn dial(&self) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        near.set_nodelay(true).unwrap();
        self.answer(listener.accept().await.unwrap().0);
        near
    }

    /// Listens on a free port, until what is returned is dropped.
    pub(crate) async fn listen(self: Arc<Sshd>) -> (SocketAddr, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            loop {
                self.answer(listener.accept().await.unwrap().0);
            }
        });
        (address, listening)
    }

    /// Has an `sshd` answer a connection.
    pub(crate) fn answer(&self, far: TcpStream) {
        let far = far.into_std().unwrap();
        far.set_nonblocking(false).unwrap();
        let far: std::os::fd::OwnedFd = far.into();
        let process = Command::new(&self.program)
            .args(["-i", "-e", "-f"])
            .arg(self.folder.path().join("config"))
            .stdin(Stdio::from(far.try_clone().unwrap()))
            .stdout(Stdio::from(far))
            .stderr(self.open_log())
            .spawn()
            .unwrap();
        self.processes.lock().unwrap().push(process);
    }

    /// The host's key, in a form that tells its algorithm.
    pub(crate) fn pin(&self) -> HostPin {
        self.host_key.authorized_key("").parse().unwrap()
    }

    /// The target that gets in.
    pub(crate) fn target(&self) -> Target {
        Target {
            user: user(),
            key: self.user_key.clone(),
            pins: HostPins::only(self.pin()),
            timeouts: Timeouts::default(),
        }
    }

    pub(crate) async fn establish(&self, target: Target) -> Result<(Stream, Peer), Error> {
        establish(target, self.dial().await).await
    }

    /// The server's files.
    pub(crate) async fn remote(&self) -> Remote {
        let (stream, _) = self.establish(self.target()).await.unwrap();
        Remote::open(stream, PATIENCE).await.unwrap()
    }
}

impl Sshd {
    fn open_log(&self) -> std::fs::File {
        let path = self.folder.path().join("log");
        std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap()
    }

    /// What the servers of all connections wrote, when they have ended by themselves.
    pub(crate) async fn log(&self) -> String {
        let mut processes = std::mem::take(&mut *self.processes.lock().unwrap());
        while processes.iter_mut().any(|process| process.try_wait().unwrap().is_none()) {
            tokio::task::yield_now().await;
        }
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Ends all connections.
    pub(crate) fn end(&self) {
        for mut process in self.processes.lock().unwrap().drain(..) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.end();
    }
}

pub(crate) async fn establish(target: Target, io: TcpStream) -> Result<(Stream, Peer), Error> {
    let origin = Origin::new(io.peer_addr().unwrap(), Channel::Files);
    Client::new(target).establish(io, origin).await
}

/// Who runs the tests, and so whom `sshd` lets in.
pub(crate) fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Writes a key as `ssh` wants it.
pub(crate) fn write_private(path: &Path, key: &PrivateKey) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(key.to_openssh(None).unwrap().expose().as_bytes()).unwrap();
}

/// Bytes that differ everywhere, the same each time.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
