//! The whole gateway on one machine's loopback, with a throw-away PKI and enrolled demo parties.

mod authority;
mod configuration;
mod intact;
mod manifest;
mod oauth;
mod own_keys;
mod p521;
mod parties;
mod provider;
mod sample;
mod screen;
mod transfer;

use std::fmt;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use irgw_core::{Channel, Clock, Environment};
use irgw_store::Store;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use manifest::Manifest;

use crate::config::{Config, Problem};
use crate::private_files as files;
use crate::services::{Admits, Service};
use crate::transfer::keys::KeysError;
use crate::{Drained, Gateway};
use manifest::{ClientCa, IdentityKeys, Listener, Listeners, OperatorListener};
use sample::Sample;

/// Which ports the development gateway listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// 4046 (cloud), 4443 (desktop), 4090 (operator).
    Usual,
    /// Free ones, so that several can run at once.
    Auto,
}

/// How a development gateway is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its directory; made when it is not there.
    pub dir: PathBuf,
    /// Whose rules hold.
    pub environment: Environment,
    /// Which ports it listens on.
    pub ports: Ports,
}

/// A development gateway that serves.
#[derive(Debug)]
pub struct Dev {
    gateway: Gateway,
    sample: JoinHandle<()>,
    provider: Vec<JoinHandle<()>>,
    manifest: Manifest,
    layout: Layout,
    /// Held as long as the gateway runs; dropped last.
    _lock: File,
}

impl Dev {
    /// Makes what is missing in the directory, serves, and writes `dev.json` when everything answers.
    ///
    /// # Errors
    /// [`DevError`]; nothing is left running.
    pub async fn start(options: &Options, clock: Arc<dyn Clock>) -> Result<Dev, DevError> {
        let layout = Layout::make(&options.dir)?;
        let lock = layout.lock()?;
        files::remove(&layout.manifest()).map_err(|error| DevError::file(&layout.manifest(), error))?;
        let file_port = if options.ports == Ports::Usual { 4022 } else { 0 };
        let file_socket = TcpListener::bind(("127.0.0.1", file_port)).await;
        let file_socket = file_socket.map_err(|error| DevError::FileServer(file_port, error))?;
        let file_port =
            file_socket.local_addr().map_err(|error| DevError::FileServer(file_port, error))?.port();
        let (mut parties, transfer) = {
            let (layout, environment, now) = (layout.clone(), options.environment, clock.now());
            tokio::task::spawn_blocking(move || -> Result<_, DevError> {
                let parties = parties::make_or_keep(&layout, environment, now)?;
                let first =
                    parties.providers.first().map(|provider| provider.id.as_str()).unwrap_or_default();
                let transfer = transfer::make_or_keep(&layout, first, file_port, now)?;
                transfer.enrol(&Store::open(&layout.store())?, now)?;
                Ok((parties, transfer))
            })
            .await
            .map_err(|_| DevError::Random)??
        };
        if let Some(first) = parties.providers.first_mut() {
            (first.sftp, first.pgp) = (Some(transfer.sftp), Some(transfer.pgp));
        }
        let sample_socket = TcpListener::bind("127.0.0.1:0").await.map_err(DevError::Sample)?;
        let sample_url = format!("http://{}", sample_socket.local_addr().map_err(DevError::Sample)?);
        let ports = match options.ports {
            Ports::Usual => configuration::Ports { cloud: 4046, desktop: 4443, operator: 4090 },
            Ports::Auto => configuration::Ports { cloud: 0, desktop: 0, operator: 0 },
        };
        let config = layout.configure(options.environment, ports, &sample_url)?;
        let services = config.services.clone();
        let header = config.identity.header.to_string();
        let issuer = config.identity.issuer.clone();
        let provider = transfer.provider.run(file_socket, clock.clone())?;
        let gateway = Gateway::start(config, clock.clone()).await?;
        let bound = configuration::Ports {
            cloud: port(&gateway, Channel::Cloud),
            desktop: port(&gateway, Channel::Desktop),
            operator: gateway.operator_address().map_or(0, |address| address.port()),
        };
        // With the ports that were found, so that `irgw serve` takes the same file.
        layout.configure(options.environment, bound, &sample_url)?;
        let names = services.services().iter().map(|service| service.name.clone()).collect();
        let sample = Sample::new(gateway.identity().clone(), names, clock, &layout.sample_log());
        let sample = sample.map_err(|error| DevError::file(&layout.sample_log(), error))?;
        let sample = tokio::spawn(sample::serve(sample_socket, sample));
        let operator_url = format!("http://127.0.0.1:{}", bound.operator);
        let listener = |port| Listener {
            base_url: format!("https://localhost:{port}"),
            ca_file: layout.pki("root.crt"),
        };
        let manifest = Manifest {
            version: 1,
            environment: options.environment,
            pid: std::process::id(),
            audit_log: layout.audit_log(),
            config: layout.config(),
            listeners: Listeners {
                cloud: listener(bound.cloud),
                desktop: listener(bound.desktop),
                operator: OperatorListener {
                    metrics_url: format!("{operator_url}/metrics"),
                    token_file: layout.operator_token(),
                    base_url: operator_url.clone(),
                },
            },
            client_ca: ClientCa {
                certificate: layout.pki("issuer.crt"),
                key: layout.pki("issuer.key"),
                crl: layout.pki("issuer.crl"),
                root: layout.pki("root.crt"),
            },
            providers: parties.providers,
            customers: parties.customers,
            oauth: manifest::OAuth::at(
                gateway.issuer().unwrap_or_default(),
                &format!("https://localhost:{}", bound.desktop),
            ),
            services: services.services().iter().map(|service| row(service)).collect(),
            identity: IdentityKeys { header, issuer, jwks: format!("{operator_url}/identity/jwks.json") },
            sample_service: sample_url,
            sample_log: layout.sample_log(),
            gateway_ssh: transfer.gateway_ssh,
            gateway_pgp: transfer.gateway_pgp,
        };
        let json = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| DevError::Damaged(layout.manifest(), error.to_string()))?;
        files::write(&layout.manifest(), json).map_err(|error| DevError::file(&layout.manifest(), error))?;
        Ok(Dev { gateway, sample, provider, manifest, layout, _lock: lock })
    }

    /// What `dev.json` says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The path of `dev.json`.
    pub fn manifest_path(&self) -> PathBuf {
        self.layout.manifest()
    }

    /// A screenful for a newcomer: what runs where, and commands to copy.
    pub fn screen(&self) -> String {
        screen::screen(&self.manifest, &self.layout)
    }

    /// Lets requests end, stops, and removes `dev.json`.
    pub async fn drain(self) -> Drained {
        let drained = self.gateway.drain().await;
        self.sample.abort();
        self.provider.iter().for_each(JoinHandle::abort);
        if let Err(error) = files::remove(&self.layout.manifest()) {
            tracing::warn!(%error, "dev.json could not be removed");
        }
        drained
    }
}

fn port(gateway: &Gateway, channel: Channel) -> u16 {
    gateway
        .addresses()
        .iter()
        .find(|(of, _)| *of == channel)
        .map_or(0, |(_, address): &(_, SocketAddr)| address.port())
}

fn row(service: &Service) -> manifest::Service {
    let (oauth, m2m) = match service.admits {
        Admits::Tokens(tokens) => (tokens.bearer(), tokens.m2m()),
        Admits::Certificate(_) => (false, false),
    };
    let paths: Vec<String> = service.paths.iter().map(|(_, path)| path.clone()).collect();
    manifest::Service {
        name: service.name.clone(),
        path: paths.first().cloned().unwrap_or_default(),
        paths,
        oauth,
        m2m,
        mtls_only: matches!(service.admits, Admits::Certificate(_)),
        dialect: service.dialect.name(),
    }
}

/// Where things are in a development directory.
#[derive(Debug, Clone)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    fn make(dir: &Path) -> Result<Layout, DevError> {
        files::make_directory(&dir.join("pki")).map_err(|error| DevError::file(dir, error))?;
        let dir = dir.canonicalize().map_err(|error| DevError::file(dir, error))?;
        Ok(Layout { dir })
    }

    /// The directory for this process alone, as long as the file is open.
    fn lock(&self) -> Result<File, DevError> {
        let path = self.dir.join("dev.lock");
        files::lock(&path).map_err(|error| match error {
            files::LockError::Held(pid) => DevError::InUse { dir: self.dir.clone(), pid },
            files::LockError::File(error) => DevError::file(&path, error),
        })
    }

    /// Writes the configuration, and reads it back as `irgw serve` would.
    fn configure(
        &self,
        environment: Environment,
        ports: configuration::Ports,
        sample: &str,
    ) -> Result<Config, DevError> {
        let text = configuration::text(environment, ports, sample);
        files::write(&self.config(), &text).map_err(|error| DevError::file(&self.config(), error))?;
        Ok(Config::parse(&self.config(), &text)?)
    }

    fn pki(&self, name: &str) -> PathBuf {
        self.dir.join("pki").join(name)
    }

    fn config(&self) -> PathBuf {
        self.dir.join("irgw.toml")
    }

    fn store(&self) -> PathBuf {
        self.dir.join("irgw.sqlite")
    }

    fn audit_log(&self) -> PathBuf {
        self.dir.join("audit.jsonl")
    }

    fn sample_log(&self) -> PathBuf {
        self.dir.join("sample.jsonl")
    }

    fn operator_token(&self) -> PathBuf {
        self.dir.join("operator.token")
    }

    fn vault(&self) -> PathBuf {
        self.dir.join("vault.key")
    }

    fn parties(&self) -> PathBuf {
        self.dir.join("parties.json")
    }

    fn manifest(&self) -> PathBuf {
        self.dir.join("dev.json")
    }
}

/// Why a development gateway does not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum DevError {
    /// The directory was made for another environment.
    OtherEnvironment {
        /// The directory.
        dir: PathBuf,
        /// What it was made for.
        made_for: Environment,
    },
    /// Another process serves in the directory.
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The process, where it has said so.
        pid: Option<u32>,
    },
    /// A file cannot be written.
    File(PathBuf, io::Error),
    /// A file of the directory is not what was written, or is not there.
    Damaged(PathBuf, String),
    /// A certificate cannot be made.
    Certificate(rcgen::Error),
    /// A P-521 certificate cannot be made.
    NoP521Certificate,
    /// The system gives no random numbers.
    Random,
    /// The demo parties cannot be enrolled.
    Store(irgw_store::Error),
    /// A signing certificate is not acceptable.
    Signing(irgw_m2m::Error),
    /// The keys of file transfer cannot be made.
    Keys(KeysError),
    /// The sample service cannot listen.
    Sample(io::Error),
    /// The demo provider's file server cannot listen on this port.
    FileServer(u16, io::Error),
    /// The demo provider cannot be made.
    Provider(String),
    /// The gateway does not start.
    Gateway(Problem),
}

impl DevError {
    fn file(path: &Path, error: io::Error) -> DevError {
        DevError::File(path.to_owned(), error)
    }
}

impl fmt::Display for DevError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DevError::OtherEnvironment { dir, made_for } => write!(
                f,
                "{} was made for {made_for}; use --env {made_for}, or another --dir (ENV-2)",
                dir.display()
            ),
            DevError::InUse { dir, pid } => {
                write!(f, "irgw dev runs in {} already", dir.display())?;
                if let Some(pid) = pid {
                    write!(f, " (pid {pid})")?;
                }
                f.write_str("; stop it or use another --dir")
            }
            DevError::File(path, error) => write!(f, "cannot write {}: {error}", path.display()),
            DevError::Damaged(path, error) => {
                write!(f, "{} is damaged: {error}; remove the directory to begin anew", path.display())
            }
            DevError::Certificate(error) => write!(f, "cannot make a certificate: {error}"),
            DevError::NoP521Certificate => f.write_str("cannot make a P-521 certificate"),
            DevError::Random => f.write_str("the system gives no random numbers"),
            DevError::Store(error) => write!(f, "cannot enrol the demo parties: {error}"),
            DevError::Signing(error) => write!(f, "cannot enrol a demo signing certificate: {error}"),
            DevError::Keys(error) => write!(f, "cannot make the keys of file transfer: {error}"),
            DevError::Sample(error) => write!(f, "the sample service cannot listen: {error}"),
            DevError::FileServer(port, error) => write!(
                f,
                "the demo provider's file server cannot listen on port {port}: {error}; stop what does, or let irgw dev find free \
                 ports with --ports auto"
            ),
            DevError::Provider(what) => write!(f, "cannot make the demo provider: {what}"),
            DevError::Gateway(problem) => {
                write!(f, "{problem}")?;
                if problem.message.contains("cannot listen") {
                    f.write_str(", or let irgw dev find free ones with --ports auto")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for DevError {}

impl From<rcgen::Error> for DevError {
    fn from(error: rcgen::Error) -> DevError {
        DevError::Certificate(error)
    }
}

impl From<irgw_store::Error> for DevError {
    fn from(error: irgw_store::Error) -> DevError {
        DevError::Store(error)
    }
}

impl From<irgw_m2m::Error> for DevError {
    fn from(error: irgw_m2m::Error) -> DevError {
        DevError::Signing(error)
    }
}

impl From<KeysError> for DevError {
    fn from(error: KeysError) -> DevError {
        DevError::Keys(error)
    }
}

impl From<Problem> for DevError {
    fn from(problem: Problem) -> DevError {
        DevError::Gateway(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemClock;

    /// Whoever comes second must not take away what tells scripts of the first.
    #[tokio::test]
    async fn second_gateway_in_a_directory_touches_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::make(folder.path()).unwrap();
        let _first = layout.lock().unwrap();
        let files = [layout.manifest(), layout.config()];
        for file in &files {
            files::write(file, "the first one's").unwrap();
        }
        let options =
            Options { dir: folder.path().into(), environment: Environment::Test, ports: Ports::Auto };
        let refused = Dev::start(&options, Arc::new(SystemClock)).await.unwrap_err().to_string();
        let said = format!(" already (pid {}); stop it or use another --dir", std::process::id());
        assert!(refused.starts_with("irgw dev runs in /") && refused.ends_with(&said), "{refused}");
        for file in &files {
            assert_eq!(std::fs::read_to_string(file).unwrap(), "the first one's");
        }
    }
}
