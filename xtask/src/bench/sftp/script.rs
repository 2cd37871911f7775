//! The script that providers' files are delivered with today: `gpg`, then `sftp`, one command after another.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::Sshd;
use crate::{Error, run};

/// How gpg compresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// As it does when nobody says anything: zlib.
    Default,
    /// `--compress-algo none`.
    None,
}

/// The commands, with a GnuPG home and a known host of their own.
pub(super) struct Script {
    gpg: PathBuf,
    sftp: PathBuf,
    home: PathBuf,
    known_hosts: PathBuf,
    batch: PathBuf,
    login: String,
    user_key: PathBuf,
}

const SIGNER: &str = "Inland Revenue <gateway@bench.example>";
const RECIPIENT: &str = "Provider <sftp@bench.example>";

impl Script {
    /// Makes the OpenPGP keys of both parties, as gpg makes them by default.
    pub(super) fn new(gpg: &Path, sftp: &Path, folder: &Path, server: &Sshd) -> Result<Script, Error> {
        let home = folder.join("gnupg");
        fs::DirBuilder::new().mode(0o700).create(&home).map_err(Error::at("make", &home))?;
        let known_hosts = folder.join("known_hosts");
        let known = format!("{HOST} {}\n", server.host_key.trim());
        fs::write(&known_hosts, known).map_err(Error::at("write", &known_hosts))?;
        let script = Script {
            gpg: gpg.into(),
            sftp: sftp.into(),
            home,
            known_hosts,
            batch: folder.join("batch"),
            login: format!("{}@{}", server.user, server.address.ip()),
            user_key: server.user_key.clone(),
        };
        for user_id in [SIGNER, RECIPIENT] {
            run::read(script.gpg().args(["--quick-generate-key", user_id, "default", "default", "1y"]))?;
        }
        Ok(script)
    }

    /// The signer's secret key, armoured.
    pub(super) fn signing_key(&self) -> Result<String, Error> {
        run::read(self.gpg().args(["--armor", "--export-secret-keys", SIGNER]))
    }

    /// The recipient's certificate, armoured.
    pub(super) fn certificate(&self) -> Result<String, Error> {
        run::read(self.gpg().args(["--armor", "--export", RECIPIENT]))
    }

    /// Encrypts and signs a file into another.
    pub(super) fn seal(&self, from: &Path, to: &Path, compression: Compression) -> Result<(), Error> {
        let mut command = self.gpg();
        if compression == Compression::None {
            command.args(["--compress-algo", "none"]);
        }
        command.args(["--local-user", SIGNER, "--recipient", RECIPIENT, "--sign", "--encrypt", "--output"]);
        run::read(command.arg(to).arg(from)).map(drop)
    }

    /// Has sftp carry out lines of its batch language, on one connection to `address`.
    pub(super) fn transfer(&self, address: SocketAddr, lines: &str) -> Result<(), Error> {
        fs::write(&self.batch, lines).map_err(Error::at("write", &self.batch))?;
        let mut command = Command::new(&self.sftp);
        command.args(["-q", "-F", "none", "-P", &address.port().to_string(), "-i"]).arg(&self.user_key);
        command.arg("-b").arg(&self.batch);
        let known_hosts = format!("UserKnownHostsFile={}", self.known_hosts.display());
        let alias = format!("HostKeyAlias={HOST}");
        for option in
            [&known_hosts, &alias, "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "IdentityAgent=none"]
        {
            command.args(["-o", option]);
        }
        run::read(command.arg(&self.login)).map(drop)
    }

    fn gpg(&self) -> Command {
        let mut command = Command::new(&self.gpg);
        command
            .args(["--batch", "--no-tty", "--quiet", "--yes", "--trust-model", "always"])
            .args(["--pinentry-mode", "loopback", "--passphrase", ""])
            .env("GNUPGHOME", &self.home)
            .env("LC_ALL", "C");
        command
    }
}

/// The name that the server has in `known_hosts`, whatever its port.
const HOST: &str = "bench";

impl Drop for Script {
    fn drop(&mut self) {
        // The agent of this home, which gpg started; it may have ended by itself.
        let _ = run::read(Command::new("gpgconf").args(["--kill", "gpg-agent"]).env("GNUPGHOME", &self.home));
    }
}
