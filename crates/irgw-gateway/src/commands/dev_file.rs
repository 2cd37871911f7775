//! What a provider's commands read of `dev.json`: where the gateway is, and one of its providers to be.

use std::path::{Path, PathBuf};

use irgw_core::{ClientId, ClientKind};
use serde::Deserialize;

use super::CommandError;
use crate::bounded::{self, Readers};

/// A development gateway and its parties.
#[derive(Deserialize)]
pub(super) struct DevFile {
    pub(super) listeners: Listeners,
    pub(super) oauth: Oauth,
    pub(super) providers: Vec<Provider>,
}

#[derive(Deserialize)]
pub(super) struct Listeners {
    pub(super) cloud: Option<Listener>,
    pub(super) desktop: Listener,
}

#[derive(Deserialize)]
pub(super) struct Listener {
    pub(super) base_url: Option<String>,
    pub(super) ca_file: PathBuf,
}

#[derive(Deserialize)]
pub(super) struct Oauth {
    pub(super) issuer: Option<String>,
    pub(super) authorize: String,
    pub(super) token: String,
    pub(super) introspect: String,
    pub(super) revoke: String,
}

#[derive(Deserialize)]
pub(super) struct Provider {
    #[serde(flatten)]
    pub(super) client_certificate: Option<Pair>,
    #[serde(default)]
    pub(super) signing: Vec<Pair>,
    #[serde(default)]
    pub(super) clients: Vec<DevClient>,
    pub(super) pgp: Option<Pair>,
    pub(super) sftp: Option<SftpServer>,
}

/// A provider's file server.
#[derive(Deserialize)]
pub(super) struct SftpServer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) host_key: PathBuf,
}

/// A certificate and its key.
#[derive(Debug, Deserialize)]
pub(super) struct Pair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

#[derive(Deserialize)]
pub(super) struct DevClient {
    pub(super) client_id: ClientId,
    pub(super) client_secret: Option<String>,
    pub(super) kind: ClientKind,
    pub(super) redirect_uris: Vec<String>,
}

impl DevFile {
    /// Reads the `dev.json` of a directory.
    ///
    /// # Errors
    /// When it is not there, which it is while `irgw dev` runs, or is another shape.
    pub(super) fn read(dir: &Path) -> Result<DevFile, CommandError> {
        let file = dir.join("dev.json");
        let wrong = |why: &dyn std::fmt::Display| {
            CommandError::unusable(format_args!("{}: {why}; is irgw dev running?", file.display()))
        };
        let text = bounded::read(&file, 4 << 20, Readers::Anybody).map_err(|error| wrong(&error))?;
        // The parser repeats what it did not expect, whatever that is.
        serde_json::from_slice(&text).map_err(|error| wrong(&irgw_core::printable(&error.to_string())))
    }
}
