//! The server's configuration: read from TOML, checked as a whole, refused in one line.

mod file;
mod files;
mod keys;
mod limits;
mod listeners;
mod oauth;
mod problem;
mod read;
mod source;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderName, Uri};
use ipnet::IpNet;
use irgw_core::{Channel, Environment};
use irgw_oauth::server::ConsentPage;
use irgw_store::Database;
use irgw_tls::{ClientEku, CrlPolicy};

pub use limits::Limits;
pub use problem::{Located, Place, Problem};

use crate::services::ServiceTable;
use crate::transfer::{DeliveryConfig, PassphraseSource};

/// A checked configuration. Files are named, not yet read: [`crate::material`] reads them.
#[derive(Debug, Clone)]
pub struct Config {
    /// Whose rules hold.
    pub environment: Environment,
    /// The SQLite file, or the PostgreSQL server.
    pub store: Located<Database>,
    /// The file that holds the password for the server.
    pub store_password: Option<Located<PathBuf>>,
    /// The audit log, one JSON object a line.
    pub audit: Located<PathBuf>,
    /// The key that seals it; by default beside it.
    pub audit_key: Located<PathBuf>,
    /// How the identity of a caller is passed on (GW-3).
    pub identity: IdentityConfig,
    /// The operator's listener.
    pub operator: Option<OperatorConfig>,
    /// The ways in.
    pub listeners: Vec<ListenerConfig>,
    /// The approved roots (TLS-4).
    pub roots: Vec<RootConfig>,
    /// Which path is which service.
    pub services: ServiceTable,
    /// The backing services by name.
    pub upstreams: BTreeMap<String, UpstreamConfig>,
    /// How client-signed JWTs are judged.
    pub m2m: M2mConfig,
    /// The authorization server; `None`: none is served, and every access token is a bad one.
    pub oauth: Option<OAuthConfig>,
    /// File transfer; `None`: there is none.
    pub files: Option<FilesConfig>,
    /// Sizes, times and rates.
    pub limits: Limits,
    /// Request header fields that are forwarded besides the usual ones.
    pub forward_headers: Vec<HeaderName>,
    /// Whether a refusal's answer names the rule.
    pub reason_header: ReasonHeader,
}

/// Whether a refusal's answer names the rule, in `X-Gateway-Reason` (ERR-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasonHeader {
    /// It does; never in `prod`.
    Shown,
    /// Only the log and the audit record do.
    Withheld,
}

/// How the identity of a caller is passed on (GW-3).
#[derive(Debug, Clone)]
pub struct IdentityConfig {
    /// The P-256 private key, PKCS#8 PEM.
    pub key: Located<PathBuf>,
    /// The token's `iss`.
    pub issuer: String,
    /// How long a token lives.
    pub lifetime: Duration,
    /// The header field that carries it.
    pub header: HeaderName,
}

/// The authorization server (SPEC section 3).
#[derive(Debug, Clone)]
pub struct OAuthConfig {
    /// The root of its URLs, `https://HOST/gateway3/oauth/`; `None`: the first host, or `localhost`, and the port, of the
    /// desktop listener.
    pub issuer: Option<String>,
    /// `aud` of access tokens; `None`: the issuer (OA-10).
    pub audience: Option<String>,
    /// The key that seals what must be read again: 64 hex digits.
    pub vault: Located<PathBuf>,
    /// How long a spent refresh token may come again (OA-12).
    pub grace: Duration,
    /// How long a key signs access tokens before the next one is made (OA-10).
    pub rotate_after: Duration,
    /// Whether customers are asked (ENV-4).
    pub consent: ConsentPage,
}

/// File transfer (SPEC section 7).
#[derive(Debug, Clone)]
pub struct FilesConfig {
    /// The folder of the gateway's own keys ([`crate::transfer::keys`]).
    pub keys: Located<PathBuf>,
    /// Where the passphrase comes from that protects them (PGP-3).
    pub passphrase: Located<PassphraseSource>,
    /// The folder of files on their way.
    pub spool: Located<PathBuf>,
    /// The folder of what was fetched from providers; `None`: nothing is fetched.
    pub received: Option<Located<PathBuf>>,
    /// How often providers' outboxes are looked into.
    pub fetch_every: Duration,
    /// How deliveries are carried out.
    pub delivery: DeliveryConfig,
}

/// The operator's listener: health, metrics, public keys. Loopback alone.
#[derive(Debug, Clone)]
pub struct OperatorConfig {
    /// Its address.
    pub listen: Located<SocketAddr>,
    /// The file that holds its bearer token.
    pub token_file: Located<PathBuf>,
}

/// One way in.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// The channel that it serves.
    pub channel: Channel,
    /// Its address.
    pub listen: Located<SocketAddr>,
    /// The server certificate and its intermediates, PEM.
    pub certificate: Located<PathBuf>,
    /// The server's private key, PEM.
    pub key: Located<PathBuf>,
    /// The host names that it serves; empty: any.
    pub hosts: Vec<String>,
    /// The load balancers whose PROXY header is believed, and required (IP-1).
    pub balancers: Vec<IpNet>,
    /// The address allow-list; `None`: no address is asked about.
    pub allow: Option<Vec<IpNet>>,
    /// What the far end must show.
    pub client_certificates: ClientCertificates,
}

/// Whether a listener asks for client certificates: decided by channel and environment (ENV-3, ENV-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Mutual TLS.
    Required,
    /// One-way TLS.
    NotAsked,
}

/// Approved roots from one entry.
#[derive(Debug, Clone)]
pub struct RootConfig {
    /// Where the roots come from.
    pub source: RootSource,
    /// What purpose a client certificate under them must have (TLS-8).
    pub client_eku: ClientEku,
    /// CRLs of the authorities under them (TLS-9).
    pub crls: Vec<Located<PathBuf>>,
    /// What is asked of those CRLs.
    pub crl_policy: CrlPolicy,
}

/// Where approved roots come from.
#[derive(Debug, Clone)]
pub enum RootSource {
    /// A PEM file of one or more certificates.
    File(Located<PathBuf>),
    /// An owner's name in the Mozilla list.
    Mozilla(Located<String>),
}

/// A backing service.
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// Its origin: scheme, host and port.
    pub url: Uri,
    /// The authorities that its certificate is checked by, PEM; for `https`.
    pub ca_file: Option<Located<PathBuf>>,
}

/// How client-signed JWTs are judged (SPEC section 4).
#[derive(Debug, Clone)]
pub struct M2mConfig {
    /// How far clocks may differ (M2M-6).
    pub skew: Duration,
    /// Whether `sub` may be a SHA-1 thumbprint (M2M-3).
    pub legacy_sha1_thumbprint: irgw_m2m::LegacySha1,
    /// Whether a token may be used once or many times (M2M-10).
    pub reuse: TokenReuse,
    /// Memory for verified tokens, in bytes.
    pub cache_bytes: usize,
    /// What is checked (ENV-4).
    pub checks: irgw_m2m::Checks,
}

/// How often a client-signed JWT may be used (M2M-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenReuse {
    /// Until it expires.
    Allowed,
    /// Once; a `jti` is required.
    Single,
}

impl Config {
    /// Reads and checks a configuration file. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// The first [`Problem`], naming file, line, key and what is allowed.
    pub fn load(path: &Path) -> Result<Config, Problem> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Problem::general(format_args!("cannot read {}: {error}", path.display())))?;
        Config::parse(path, &text)
    }

    /// Checks a configuration's text, as if it stood in the file `path`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Config, Problem> {
        read::config(path, text)
    }
}
