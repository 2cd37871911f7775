//! OpenSSH's server on a loopback port, with a configuration and keys of its own.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use irgw_sftp::ssh::{Curve, PrivateKey};

use super::super::process::{Process, free_address};
use crate::{Error, run};

/// A running server; stopped when dropped.
pub(super) struct Sshd {
    pub(super) address: SocketAddr,
    /// Whom it lets in: who runs the benchmark.
    pub(super) user: String,
    pub(super) user_key: PathBuf,
    /// The host key, as a line of `authorized_keys` has it.
    pub(super) host_key: String,
    /// Where uploads go.
    pub(super) files: PathBuf,
    _process: Process,
}

impl Sshd {
    pub(super) fn start(program: &Path, folder: &Path) -> Result<Sshd, Error> {
        let generate = || PrivateKey::generate(Curve::P256).map_err(Error::step("make an SSH key"));
        let (host, user) = (generate()?, generate()?);
        let (host_file, user_key) = (folder.join("host_key"), folder.join("user_key"));
        write_private(&host_file, &host)?;
        write_private(&user_key, &user)?;
        let authorized = folder.join("authorized_keys");
        fs::write(&authorized, user.authorized_key("bench")).map_err(Error::at("write", &authorized))?;
        let files = folder.join("files");
        fs::create_dir(&files).map_err(Error::at("make", &files))?;
        let address = free_address()?;
        let config = folder.join("sshd_config");
        fs::write(&config, configuration(address, &host_file, &authorized))
            .map_err(Error::at("write", &config))?;
        // What a server that root starts wants to be there; others need it not.
        let _ = fs::create_dir_all("/run/sshd");
        let log = folder.join("sshd.log");
        let mut command = Command::new(program);
        command.args(["-D", "-e", "-f"]).arg(&config);
        let mut process = Process::start("sshd", &mut command, &log)?;
        process.wait_for(address, &log)?;
        let user = run::read(Command::new("id").arg("-un"))?.trim().to_owned();
        let host_key = host.authorized_key("");
        Ok(Sshd { address, user, user_key, host_key, files, _process: process })
    }
}

/// As Debian's, without what asks the system for its users' passwords, and with room for many who log in at once.
fn configuration(address: SocketAddr, host_key: &Path, authorized: &Path) -> String {
    let (ip, port) = (address.ip(), address.port());
    let (host_key, authorized) = (host_key.display(), authorized.display());
    format!(
        "ListenAddress {ip}:{port}\nHostKey {host_key}\nAuthorizedKeysFile {authorized}\nStrictModes no\nUsePAM no\n\
         PidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
         Subsystem sftp internal-sftp\nMaxStartups 1000\nLogLevel ERROR\n"
    )
}

/// Writes a key as `ssh` and `sshd` want it.
fn write_private(path: &Path, key: &PrivateKey) -> Result<(), Error> {
    let text = key.to_openssh(None).map_err(Error::step("write an SSH key"))?;
    let write = || {
        let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
        std::io::Write::write_all(&mut file, text.expose().as_bytes())
    };
    write().map_err(Error::at("write", path))
}
