//! `dev.json`: all that a script needs to talk to the development gateway. Keys are added, never renamed.

use std::path::PathBuf;

use irgw_core::{ClientKind, Environment, ServiceName, Thumbprint};
use serde::{Deserialize, Serialize};

/// The whole file. Paths are absolute.
#[derive(Debug, Serialize)]
pub struct Manifest {
    /// The version of this shape: 1.
    pub version: u32,
    /// Whose rules hold.
    pub environment: Environment,
    /// The process that serves.
    pub pid: u32,
    /// The audit log, one JSON object a line.
    pub audit_log: PathBuf,
    /// The configuration that is served: what `irgw serve --config` would take.
    pub config: PathBuf,
    /// The ways in.
    pub listeners: Listeners,
    /// What client certificates are issued by.
    pub client_ca: ClientCa,
    /// What the gateway authenticates with at providers' SFTP servers.
    pub gateway_ssh: GatewaySsh,
    /// What files for the gateway are encrypted to, and its own are signed by.
    pub gateway_pgp: GatewayPgp,
    /// The enrolled providers.
    pub providers: Vec<Provider>,
    /// The customers who can log in.
    pub customers: Vec<Customer>,
    /// The authorization server.
    pub oauth: OAuth,
    /// The service table.
    pub services: Vec<Service>,
    /// Where identity tokens can be checked (GW-3).
    pub identity: IdentityKeys,
    /// The sample backing service.
    pub sample_service: String,
    /// Which requests have reached it, one JSON object a line.
    pub sample_log: PathBuf,
}

/// A provider's file server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SftpServer {
    /// Where it listens.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The gateway's user there.
    pub user: String,
    /// The public half of its host key.
    pub host_key: PathBuf,
    /// The gateway's private key: the only one that it admits.
    pub client_key: PathBuf,
    /// Where files arrive, encrypted.
    pub inbox: PathBuf,
    /// Where the provider puts files for the gateway.
    pub outbox: PathBuf,
    /// Where the gateway keeps what it fetched from there: whole sets come out in `FOLDER/FEED/released`.
    pub received: PathBuf,
    /// Where whole sets of the transaction data feed come out.
    pub released: PathBuf,
    /// The platform id in the names of its files.
    pub platform: String,
    /// The environment code in the names of its files.
    pub environment: String,
}

/// A provider's OpenPGP key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PgpKey {
    /// The certificate.
    pub certificate: PathBuf,
    /// The secret key, not protected.
    pub key: PathBuf,
}

/// The ways in.
#[derive(Debug, Serialize)]
pub struct Listeners {
    /// Mutual TLS (in `mock`, one-way).
    pub cloud: Listener,
    /// One-way TLS.
    pub desktop: Listener,
    /// Loopback, plain HTTP.
    pub operator: OperatorListener,
}

/// A TLS listener.
#[derive(Debug, Serialize)]
pub struct Listener {
    /// `https://localhost:PORT`.
    pub base_url: String,
    /// The root that its certificate is checked by.
    pub ca_file: PathBuf,
}

/// The operator's listener.
#[derive(Debug, Serialize)]
pub struct OperatorListener {
    /// `http://127.0.0.1:PORT`.
    pub base_url: String,
    /// Its bearer token.
    pub token_file: PathBuf,
    /// Where the metrics are.
    pub metrics_url: String,
}

/// The direct issuer of the providers' client certificates.
#[derive(Debug, Serialize)]
pub struct ClientCa {
    /// The issuer's certificate.
    pub certificate: PathBuf,
    /// The issuer's key.
    pub key: PathBuf,
    /// The issuer's revocation list, re-read when it changes.
    pub crl: PathBuf,
    /// The approved root above it.
    pub root: PathBuf,
}

/// The gateway's SSH key (SFTP-2).
#[derive(Debug, Serialize)]
pub struct GatewaySsh {
    /// A line for `authorized_keys`.
    pub public_key: PathBuf,
}

/// The gateway's OpenPGP key (PGP-1).
#[derive(Debug, Serialize)]
pub struct GatewayPgp {
    /// The public certificate, armoured.
    pub certificate: PathBuf,
}

/// An enrolled provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Provider {
    /// Its id.
    pub id: String,
    /// Its enrolled Common Name.
    pub common_name: String,
    /// Its client certificate, then the intermediates.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// A second certificate, enrolled for the TDS summary and batch services alone (TLS-12).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchCertificate>,
    /// The signing certificates of the resource owners that it acts for.
    pub signing: Vec<Signing>,
    /// Its OAuth clients.
    #[serde(default)]
    pub clients: Vec<Client>,
    /// Its file server, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sftp: Option<SftpServer>,
    /// Its OpenPGP key, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pgp: Option<PgpKey>,
}

/// An OAuth client.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Customer {
    /// The myIR user id.
    pub user_id: String,
    /// The password.
    pub password: String,
    /// The key of the one-time passwords, base32, where the customer has them.
    pub totp_secret: Option<String>,
}

/// Where the authorization server is.
#[derive(Debug, Serialize)]
pub struct OAuth {
    /// `iss` of its tokens.
    pub issuer: String,
    /// Its authorization endpoint.
    pub authorize: String,
    /// Its token endpoint.
    pub token: String,
    /// Its introspection endpoint.
    pub introspect: String,
    /// Its revocation endpoint.
    pub revoke: String,
    /// Its public keys.
    pub jwks: String,
    /// Its metadata (RFC 8414).
    pub metadata: String,
    /// The connected applications of a customer.
    pub applications: String,
}

impl OAuth {
    /// Below this issuer, on this listener.
    pub(super) fn at(issuer: &str, base_url: &str) -> OAuth {
        let at = |endpoint: &str| format!("{issuer}{endpoint}");
        OAuth {
            issuer: issuer.to_owned(),
            authorize: at("authorize"),
            token: at("token"),
            introspect: at("introspect"),
            revoke: at("revoke"),
            jwks: at("jwks"),
            metadata: format!("{base_url}/.well-known/oauth-authorization-server/gateway3/oauth"),
            applications: at("applications"),
        }
    }
}

/// A certificate for particular services only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BatchCertificate {
    /// Its enrolled Common Name.
    pub common_name: String,
    /// The certificate, then the intermediates.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The services.
    pub services: Vec<ServiceName>,
}

/// A signing certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Signing {
    /// The algorithm, e.g. `ES256`.
    pub alg: String,
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// What tokens carry as `sub`.
    pub thumbprint: Thumbprint,
    /// What tokens carry as `iss`.
    pub issuer: String,
    /// Whose it is.
    pub resource_owner: String,
    /// The myIR logons linked to the owner.
    pub logons: Vec<String>,
}

/// A row of the service table.
#[derive(Debug, Serialize)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// Its first path.
    pub path: String,
    /// All its paths.
    pub paths: Vec<String>,
    /// Opens to access tokens.
    pub oauth: bool,
    /// Opens to client-signed JWTs.
    pub m2m: bool,
    /// Opens to the client certificate alone.
    pub mtls_only: bool,
    /// The words of its refusals.
    pub dialect: &'static str,
}

/// Where identity tokens can be checked.
#[derive(Debug, Serialize)]
pub struct IdentityKeys {
    /// The header field.
    pub header: String,
    /// The token's `iss`.
    pub issuer: String,
    /// The public keys, a JWK set.
    pub jwks: String,
}
