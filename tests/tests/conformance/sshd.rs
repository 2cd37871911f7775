//! An OpenSSH server as a provider has one: it listens, and admits the gateway's key alone (SFTP-1).

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use irgw_sftp::ssh::{Curve, PrivateKey};
use irgw_tests::{Process, free_port};

use crate::Result;
use crate::environments::{ran, text};

/// A server; it stops when it is dropped.
pub(crate) struct Sshd {
    pub(crate) port: u16,
    /// Whom it lets in.
    pub(crate) user: String,
    /// Its host key, as a line of `known_hosts` has it.
    pub(crate) host_key: String,
    _process: Process,
}

impl Sshd {
    /// Starts one that has all its files in `folder`, and admits `admitted`.
    pub(crate) fn start(program: &Path, folder: &Path, admitted: &PrivateKey) -> Result<Sshd> {
        fs::create_dir_all(folder)?;
        let path = |name: &str| text(&folder.join(name)).to_owned();
        let host_key = PrivateKey::generate(Curve::P256)?;
        write_private(&folder.join("host_key"), &host_key)?;
        fs::write(folder.join("authorized_keys"), admitted.authorized_key("gateway"))?;
        let port = free_port()?;
        // What was killed leaves connections that never logged in: they are not to keep others out.
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nMaxStartups 1000\n\
             Subsystem sftp internal-sftp\n{}LogLevel ERROR\n",
            path("host_key"),
            path("authorized_keys"),
            if has_penalties(program, folder)? { "PerSourcePenalties no\n" } else { "" },
        );
        fs::write(folder.join("config"), config)?;
        // What a server that root starts wants to be there; others need it not.
        let _ = fs::create_dir_all("/run/sshd");
        let log = folder.join("log");
        let mut process =
            Process::spawn(Command::new(program).args(["-D", "-e", "-f", &path("config")]), &log)?;
        process.wait_for(&log, || TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        let user = ran(Command::new("id").arg("-un"))?.out.trim().to_owned();
        Ok(Sshd { port, user, host_key: host_key.authorized_key(""), _process: process })
    }
}

/// Whether the server, from OpenSSH 9.8 on, punishes addresses whose connections break off.
fn has_penalties(program: &Path, folder: &Path) -> Result<bool> {
    let probe: PathBuf = folder.join("probe");
    fs::write(&probe, format!("PerSourcePenalties no\nHostKey {}\n", text(&folder.join("host_key"))))?;
    let tested = ran(Command::new(program).args(["-t", "-f", text(&probe)]))?;
    Ok(!tested.err.contains("PerSourcePenalties"))
}

fn write_private(path: &Path, key: &PrivateKey) -> Result<()> {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(key.to_openssh(None)?.expose().as_bytes())?)
}
