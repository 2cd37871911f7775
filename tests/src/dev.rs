//! `dev.json`: all that the runner knows of a target.

use std::path::{Path, PathBuf};

use irgw_core::Environment;
use serde::Deserialize;

use crate::Error;

/// What `irgw dev` writes when everything answers. Only what cases need is read; other keys are ignored.
#[derive(Debug, Clone, Deserialize)]
pub struct Dev {
    /// Whose rules hold.
    pub environment: Environment,
    /// The audit log, one JSON object a line.
    pub audit_log: PathBuf,
    /// The ways in.
    pub listeners: Listeners,
    /// The direct issuer of the providers' client certificates.
    pub client_ca: ClientCa,
    /// The enrolled providers.
    pub providers: Vec<Provider>,
    /// The service table.
    #[serde(default)]
    pub services: Vec<Service>,
}

/// The ways in.
#[derive(Debug, Clone, Deserialize)]
pub struct Listeners {
    /// Mutual TLS.
    pub cloud: Listener,
    /// One-way TLS.
    pub desktop: Listener,
    /// The operator's.
    #[serde(default)]
    pub operator: Option<Operator>,
}

/// One way in.
#[derive(Debug, Clone, Deserialize)]
pub struct Listener {
    /// `https://HOST:PORT`.
    pub base_url: String,
    /// What its server certificate is checked by.
    pub ca_file: PathBuf,
}

/// The operator's listener.
#[derive(Debug, Clone, Deserialize)]
pub struct Operator {
    /// `http://HOST:PORT`.
    pub base_url: String,
    /// The file that holds its bearer token.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
}

/// The throw-away authority under which a case issues certificates of its own.
#[derive(Debug, Clone, Deserialize)]
pub struct ClientCa {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM, PKCS#8.
    pub key: PathBuf,
    /// PEM or DER; the gateway re-reads it when it changes.
    #[serde(default)]
    pub crl: Option<PathBuf>,
}

/// An enrolled provider.
#[derive(Debug, Clone, Deserialize)]
pub struct Provider {
    /// Its id in the registry.
    pub id: String,
    /// The enrolled Common Name.
    pub common_name: String,
    /// PEM: the end-entity certificate, then the intermediates.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
    /// A second certificate, enrolled for particular services alone.
    #[serde(default)]
    pub batch: Option<Batch>,
    /// Its signing certificates.
    #[serde(default)]
    pub signing: Vec<Signing>,
}

/// A certificate for particular services alone.
#[derive(Debug, Clone, Deserialize)]
pub struct Batch {
    /// The enrolled Common Name.
    pub common_name: String,
    /// PEM: the end-entity certificate, then the intermediates.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

/// A signing certificate.
#[derive(Debug, Clone, Deserialize)]
pub struct Signing {
    /// The algorithm that fits the key.
    pub alg: String,
    /// PEM.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
    /// SHA-256 over the certificate's DER, 64 hex digits.
    pub thumbprint: String,
    /// The agreed `iss`.
    pub issuer: String,
    /// Whose it is.
    pub resource_owner: String,
    /// The myIR logons linked to that resource owner.
    #[serde(default)]
    pub logons: Vec<String>,
}

/// A row of the service table.
#[derive(Debug, Clone, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its path on the cloud channel.
    pub path: String,
    /// Opens to access tokens.
    pub oauth: bool,
    /// Opens to client-signed JWTs.
    pub m2m: bool,
    /// Opens to the certificate alone.
    pub mtls_only: bool,
    /// In which words refusals are told.
    pub dialect: String,
}

impl Dev {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or lacks what every target must name.
    pub fn read(path: &Path) -> Result<Dev, Error> {
        let text = std::fs::read(path).map_err(Error::file(path))?;
        serde_json::from_slice(&text).map_err(|error| Error::content(path, error))
    }
}
