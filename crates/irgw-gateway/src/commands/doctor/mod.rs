//! `irgw doctor`: whether what a provider has would do, before the first call.

mod certificates;
mod connections;
mod file_server;
mod report;

use std::io::Write;
use std::path::{Path, PathBuf};

use irgw_core::UnixTime;
use irgw_tls::client::ServerRoots;
use irgw_tls::{ApprovedRoot, ClientEku, ClientTrust};

use self::file_server::{Address, FileServer};
use self::report::Report;
use super::dev_file::{DevFile, Pair};
use super::{CommandError, PlaceArgs};
use crate::bounded::{self, Readers};
use crate::trust_files::TrustFiles;

/// The arguments of `irgw doctor`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What is not named is not looked at. Without --root, a certificate is judged by the roots that Inland
Revenue has approved, out of the Mozilla list. Nothing is changed anywhere; the gateway sees one
request for /gateway/, which is no service, and one for the authorization server's metadata.
Examples:
  irgw doctor --dir irgw-dev
      the development gateway's first provider
  irgw doctor --certificate kauri.crt --key kauri.key --cloud https://HOST:4046 \\
      --signing-certificate signing.crt --signing-key signing.key --server https://HOST/gateway3/oauth
      a provider of your own
Exit codes: 0 all of it is good, 1 something is not and the rule is named, 2 it cannot be looked at."
)]
pub(crate) struct DoctorArgs {
    /// The directory that `irgw dev` made: its first provider, and its gateway
    #[arg(long, value_name = "DIR", conflicts_with_all = ["certificate", "signing_certificate", "pgp", "sftp", "root", "ca", "cloud", "server"])]
    dir: Option<PathBuf>,
    /// The client certificate, PEM: the end-entity certificate, then the intermediates
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// A root that the gateway approves, PEM, instead of the public ones; may be repeated
    #[arg(long, value_name = "FILE")]
    root: Vec<PathBuf>,
    /// What the gateway asks of extended key usages: client-auth, server-auth-accepted, absent-accepted (TLS-8)
    #[arg(long, value_name = "SETTING", default_value = "client-auth", value_parser = client_eku)]
    client_eku: ClientEku,
    /// The certificate that tokens are signed with (M2M), PEM or DER
    #[arg(long, value_name = "FILE", requires = "signing_key")]
    signing_certificate: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "signing_certificate")]
    signing_key: Option<PathBuf>,
    /// The OpenPGP certificate that files are encrypted to
    #[arg(long, value_name = "FILE")]
    pgp: Option<PathBuf>,
    /// The SFTP server that files are put on: USER@HOST:PORT; it sees a stranger's key refused
    #[arg(long, value_name = "ADDRESS", requires = "host_key")]
    sftp: Option<Address>,
    /// The public half of its host key, a .pub file
    #[arg(long, value_name = "FILE", requires = "sftp")]
    host_key: Option<PathBuf>,
    /// The root of the servers' certificates, PEM; without it, the public ones
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The cloud channel, https://HOST:4046
    #[arg(long, value_name = "URL")]
    cloud: Option<http::Uri>,
    /// The authorization server, https://HOST/gateway3/oauth
    #[arg(long, value_name = "URL")]
    server: Option<http::Uri>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn client_eku(text: &str) -> Result<ClientEku, String> {
    text.parse().map_err(|_| "client-auth, server-auth-accepted and absent-accepted are allowed".to_owned())
}

/// What there is to look at.
struct Belongings {
    client: Option<Pair>,
    trust: Trust,
    signing: Vec<Pair>,
    pgp: Option<PathBuf>,
    file_server: Option<FileServer>,
    ca: Option<PathBuf>,
    cloud: Option<http::Uri>,
    server: Option<http::Uri>,
}

/// What client certificates are judged by.
enum Trust {
    Gateway(Box<TrustFiles>),
    Roots(ClientTrust),
}

impl Trust {
    fn trust(&self) -> &ClientTrust {
        match self {
            Trust::Gateway(files) => files.trust(),
            Trust::Roots(trust) => trust,
        }
    }
}

/// Does what the command says.
///
/// # Errors
/// When something was found, with the first rule; when something cannot be looked at.
pub(crate) fn run(args: &DoctorArgs, now: UnixTime, out: &mut impl Write) -> Result<(), CommandError> {
    let belongings = match &args.dir {
        Some(dir) => developed(dir, now)?,
        None => args.named(now)?,
    };
    let mut report = Report::default();
    let mut identity = None;
    if let Some(pair) = &belongings.client {
        identity = certificates::client(pair, belongings.trust.trust(), now, &mut report)?;
    }
    for pair in &belongings.signing {
        certificates::signing(pair, now, &mut report)?;
    }
    if let Some(file) = &belongings.pgp {
        certificates::pgp(file, now, &mut report)?;
    }
    let roots = match &belongings.ca {
        Some(file) => server_roots(file)?,
        None => ServerRoots::mozilla(),
    };
    let runtime = super::run::runtime()?;
    if let Some(server) = &belongings.file_server {
        runtime.block_on(file_server::look(server, &mut report))?;
    }
    runtime.block_on(connections::look(&belongings, roots, identity, &mut report));
    report.print(args.json, out)?;
    report.verdict()
}

impl DoctorArgs {
    fn named(&self, now: UnixTime) -> Result<Belongings, CommandError> {
        let pair = |certificate: &Option<PathBuf>, key: &Option<PathBuf>| {
            Some(Pair { certificate: certificate.clone()?, key: key.clone()? })
        };
        let belongings = Belongings {
            client: pair(&self.certificate, &self.key),
            trust: Trust::Roots(self.trust(now)?),
            signing: pair(&self.signing_certificate, &self.signing_key).into_iter().collect(),
            pgp: self.pgp.clone(),
            file_server: self
                .sftp
                .clone()
                .zip(self.host_key.clone())
                .map(|(address, host_key)| FileServer { address, host_key }),
            ca: self.ca.clone(),
            cloud: self.cloud.clone(),
            server: self.server.clone(),
        };
        let nothing = belongings.client.is_none()
            && belongings.signing.is_empty()
            && belongings.pgp.is_none()
            && belongings.file_server.is_none()
            && belongings.cloud.is_none()
            && belongings.server.is_none();
        if nothing {
            return Err(CommandError::unusable(
                "say what to look at: --dir DIR (of irgw dev), or --certificate, --signing-certificate, --pgp, --sftp, --cloud, --server",
            ));
        }
        Ok(belongings)
    }

    fn trust(&self, now: UnixTime) -> Result<ClientTrust, CommandError> {
        let mut roots = Vec::new();
        for file in &self.root {
            let name = file.display().to_string();
            let pem = bounded::read(file, LIMIT_BYTES, Readers::Anybody)
                .map_err(|error| CommandError::unusable(error).about(file))?;
            let read = ApprovedRoot::from_pem_of_any_date(&name, &pem).map_err(CommandError::caused)?;
            roots.extend(read);
        }
        if self.root.is_empty() {
            // Owners of whom the list has no root left are approved in vain.
            roots
                .extend(ApprovedRoot::owners().flat_map(|owner| ApprovedRoot::mozilla(owner, now)).flatten());
        }
        let roots = roots.into_iter().map(|root| root.with_client_eku(self.client_eku)).collect();
        ClientTrust::new(roots, Vec::new()).map_err(CommandError::caused)
    }
}

/// The first provider of a development directory, and its gateway.
fn developed(dir: &Path, now: UnixTime) -> Result<Belongings, CommandError> {
    let dev = DevFile::read(dir)?;
    let uri = |text: Option<String>| text.and_then(|text| text.parse().ok());
    let config = PlaceArgs::of_dir(dir).config()?;
    let trust = TrustFiles::read(&config.roots, now).map_err(CommandError::unusable)?;
    let provider = dev.providers.into_iter().next();
    let (client, signing, pgp, sftp) = match provider {
        Some(provider) => (provider.client_certificate, provider.signing, provider.pgp, provider.sftp),
        None => (None, Vec::new(), None, None),
    };
    Ok(Belongings {
        client,
        trust: Trust::Gateway(Box::new(trust)),
        signing,
        pgp: pgp.map(|pair| pair.certificate),
        file_server: sftp.map(|sftp| FileServer {
            address: Address { user: sftp.user, host: sftp.host, port: sftp.port },
            host_key: sftp.host_key,
        }),
        ca: Some(dev.listeners.desktop.ca_file),
        cloud: uri(dev.listeners.cloud.and_then(|cloud| cloud.base_url)),
        server: uri(dev.oauth.issuer),
    })
}

fn server_roots(file: &Path) -> Result<ServerRoots, CommandError> {
    let pem = bounded::read(file, LIMIT_BYTES, Readers::Anybody)
        .map_err(|error| CommandError::unusable(error).about(file))?;
    ServerRoots::from_pem(&pem).map_err(|error| CommandError::caused(error).about(file))
}

/// Room for every root that there is.
const LIMIT_BYTES: u64 = 4 << 20;

#[cfg(test)]
mod tests;
