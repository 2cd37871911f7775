//! What is scanned: a gateway with its `dev.json`, and a file server.

use std::path::{Path, PathBuf};

use crate::dev::{Client, Dev, Operator};
use crate::local::new_folder;
use crate::{Error, Local, Process};

/// A gateway and a file server, and a folder for what scanners write. Dropping it removes the folder.
#[derive(Debug)]
pub struct Surface {
    dev: Dev,
    folder: PathBuf,
    file_server: Option<(String, u16)>,
    _serving: Option<Process>,
}

impl Surface {
    /// A gateway of the runner's own, and `irgw receive serve` beside it.
    ///
    /// # Errors
    /// When the file server does not start.
    pub fn of_local(local: &Local) -> Result<Surface, Error> {
        let dev = local.dev().clone();
        let folder = new_folder()?;
        let provider = dev.providers.first().and_then(|provider| provider.sftp.as_ref());
        let sftp = provider
            .ok_or_else(|| Error::Target("the gateway's first provider has no file server".into()))?;
        let root = folder.join("files");
        std::fs::create_dir(&root).map_err(Error::file(&root))?;
        let log = folder.join("receive.log");
        let mut command = local.program().command();
        command
            .args(["receive", "serve", "--listen", "127.0.0.1:0", "--user", &sftp.user, "--root"])
            .arg(&root);
        // The demo provider's own keys; what it admits does not matter, since nobody logs in.
        command.arg("--host-key").arg(sftp.host_key.with_extension("key"));
        command.arg("--client-key").arg(&sftp.host_key);
        let mut serving = Process::spawn(&mut command, &log)?;
        serving.wait_for(&log, || listening(&log).is_some())?;
        let port = listening(&log).unwrap_or_default();
        Ok(Surface { dev, folder, file_server: Some(("127.0.0.1".into(), port)), _serving: Some(serving) })
    }

    /// The gateway that a `dev.json` names, and its first provider's file server, if it names one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of_identity(identity: &Path) -> Result<Surface, Error> {
        let dev = Dev::read(identity)?;
        let sftp = dev.providers.first().and_then(|provider| provider.sftp.as_ref());
        let file_server = sftp.map(|sftp| (sftp.host.clone(), sftp.port));
        Ok(Surface { dev, folder: new_folder()?, file_server, _serving: None })
    }

    pub(super) fn dev(&self) -> &Dev {
        &self.dev
    }

    /// For what a scanner writes.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Host and port.
    pub(super) fn file_server(&self) -> Result<(&str, u16), Error> {
        let known = self.file_server.as_ref().map(|(host, port)| (host.as_str(), *port));
        known.ok_or_else(|| Error::Target("dev.json names no file server".into()))
    }

    pub(super) fn operator(&self) -> Result<&Operator, Error> {
        let operator = self.dev.listeners.operator.as_ref();
        operator.ok_or_else(|| Error::Target("dev.json names no operator's listener".into()))
    }

    /// The first provider's first OAuth client.
    pub(super) fn client(&self) -> Result<&Client, Error> {
        let client = self.dev.providers.first().and_then(|provider| provider.clients.first());
        client.ok_or_else(|| Error::Target("dev.json names no OAuth client".into()))
    }
}

impl Drop for Surface {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The port of the line `listening at ADDRESS:PORT for USER`.
fn listening(log: &Path) -> Option<u16> {
    let text = std::fs::read_to_string(log).ok()?;
    let address = text.lines().find_map(|line| line.strip_prefix("listening at ")?.split(' ').next())?;
    address.parse::<std::net::SocketAddr>().ok().map(|address| address.port())
}
