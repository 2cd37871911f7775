//! `dev.json`: all that the runner knows of a target.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use irgw_core::{ClientKind, Environment, printable};
use serde::Deserialize;

use crate::Error;

/// What `irgw dev` writes when everything answers. Only what cases need is read; other keys are ignored.
#[derive(Debug, Clone, Deserialize)]
pub struct Dev {
    /// Whose rules hold.
    pub environment: Environment,
    /// The audit log, one JSON object a line.
    pub audit_log: PathBuf,
    /// The gateway's process.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Which requests have reached the backing service, one JSON object a line.
    #[serde(default)]
    pub sample_log: Option<PathBuf>,
    /// The ways in.
    pub listeners: Listeners,
    /// The direct issuer of the providers' client certificates.
    pub client_ca: ClientCa,
    /// The enrolled providers.
    pub providers: Vec<Provider>,
    /// The customers who can log in.
    #[serde(default)]
    pub customers: Vec<Customer>,
    /// The authorization server.
    #[serde(default)]
    pub oauth: Option<OAuth>,
    /// The service table.
    #[serde(default)]
    pub services: Vec<Service>,
    /// What the gateway's files are signed with.
    #[serde(default)]
    pub gateway_pgp: Option<GatewayPgp>,
    /// The folder that `dev.json` lies in.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// The gateway's OpenPGP certificate.
#[derive(Debug, Clone, Deserialize)]
pub struct GatewayPgp {
    /// The certificate.
    pub certificate: PathBuf,
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
    /// Its OAuth clients.
    #[serde(default)]
    pub clients: Vec<Client>,
    /// Its file server.
    #[serde(default)]
    pub sftp: Option<SftpServer>,
    /// Its OpenPGP key.
    #[serde(default)]
    pub pgp: Option<PgpKey>,
}

/// A provider's file server.
#[derive(Debug, Clone, Deserialize)]
pub struct SftpServer {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The gateway's user there.
    pub user: String,
    /// Its host key, public: one line.
    pub host_key: PathBuf,
    /// The private key that it admits.
    pub client_key: PathBuf,
    /// Where files arrive, encrypted.
    pub inbox: PathBuf,
    /// Where the provider puts files for the gateway.
    pub outbox: PathBuf,
    /// Where the gateway keeps what it fetched from there: whole sets come out in `FOLDER/tds/released`.
    #[serde(default)]
    pub received: Option<PathBuf>,
    /// Where whole sets of the transaction data feed come out: `FOLDER/tds/released`.
    pub released: PathBuf,
    /// The platform id in the names of its files.
    pub platform: String,
    /// The environment code in the names of its files.
    pub environment: String,
}

/// An OpenPGP key.
#[derive(Debug, Clone, Deserialize)]
pub struct PgpKey {
    /// The certificate.
    pub certificate: PathBuf,
    /// The secret key, not protected.
    pub key: PathBuf,
}

/// An OAuth client.
#[derive(Debug, Clone, Deserialize)]
pub struct Client {
    /// Its id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Cloud or native.
    pub kind: ClientKind,
    /// Where answers may be sent.
    pub redirect_uris: Vec<String>,
}

/// A customer.
#[derive(Debug, Clone, Deserialize)]
pub struct Customer {
    /// The myIR user id.
    pub user_id: String,
    /// The password.
    pub password: String,
    /// The key of the one-time passwords, base32.
    #[serde(default)]
    pub totp_secret: Option<String>,
}

/// The authorization server.
#[derive(Debug, Clone, Deserialize)]
pub struct OAuth {
    /// `iss` of its tokens, which its endpoints' addresses begin with.
    pub issuer: String,
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
    /// When it cannot be read, or as [`Dev::parse`].
    pub fn read(path: &Path) -> Result<Dev, Error> {
        let mut text = Vec::new();
        let file = File::open(path).map_err(Error::file(path))?;
        file.take(LIMIT_BYTES + 1).read_to_end(&mut text).map_err(Error::file(path))?;
        let dev = Dev::parse(path, &text)?;
        let folder = path.canonicalize().map_err(Error::file(path))?;
        Ok(Dev { folder: folder.parent().unwrap_or(Path::new("")).to_owned(), ..dev })
    }

    /// Reads a text, as if it stood in the file `path`.
    ///
    /// # Errors
    /// When it is longer than 4 MiB, is no JSON, or lacks what every target must name.
    pub fn parse(path: &Path, text: &[u8]) -> Result<Dev, Error> {
        if text.len() as u64 > LIMIT_BYTES {
            return Err(Error::content(path, format_args!("it has more than {LIMIT_BYTES} bytes")));
        }
        // The parser repeats what it did not expect, whatever that is.
        serde_json::from_slice(text).map_err(|error| Error::content(path, printable(&error.to_string())))
    }
}

/// Several thousand times what `irgw dev` writes.
const LIMIT_BYTES: u64 = 4 << 20;
