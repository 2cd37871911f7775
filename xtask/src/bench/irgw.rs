//! The gateway under measurement: its configuration, its enrolments, its start.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use irgw_core::{Environment, Grants, OwnerId, ProviderId};
use irgw_m2m::{LegacySha1, SigningCert};
use irgw_store::{Database, NewClientCert, NewSigningCert};
use irgw_tls::CommonName;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};

use super::pki::{self, COMMON_NAME, ISSUER, Pki};
use super::process::{Process, free_address};
use crate::Error;

/// A running gateway.
pub(super) struct Irgw {
    pub(super) process: Process,
    /// The cloud channel.
    pub(super) address: SocketAddr,
    /// The desktop channel with the authorization server.
    pub(super) desktop: SocketAddr,
    log: PathBuf,
}

impl Irgw {
    /// Starts one over the store that [`enrol`] made, with the certificates of `folder`. Its own files there begin with `name`.
    pub(super) fn start(
        program: &Path,
        folder: &Path,
        name: &str,
        store: &Database,
        upstream: SocketAddr,
    ) -> Result<Irgw, Error> {
        let (address, desktop) = (free_address()?, free_address()?);
        let config = folder.join(format!("{name}.toml"));
        let text = configuration(folder, name, store, [address, desktop], upstream);
        fs::write(&config, text).map_err(Error::at("write", &config))?;
        let log = folder.join(format!("{name}.log"));
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(&config).env_remove("SSLKEYLOGFILE");
        let process = Process::start("irgw", &mut command, &log)?;
        Ok(Irgw { process, address, desktop, log })
    }

    /// Waits until it listens; gives the time since the start.
    pub(super) fn wait(&mut self) -> Result<Duration, Error> {
        self.process.wait_for(self.address, &self.log)
    }
}

/// The key that the gateway signs identities with (GW-3), PEM.
pub(super) fn write_identity_key(folder: &Path) -> Result<(), Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Error::step("make the identity key"))?;
    write_private(&folder.join("identity-key.pem"), &key.serialize_pem())?;
    // The gateway refuses a private key that others may read.
    let server_key = folder.join("server-key.pem");
    let text = fs::read_to_string(&server_key).map_err(Error::at("read", &server_key))?;
    fs::remove_file(&server_key).map_err(Error::at("replace", &server_key))?;
    write_private(&server_key, &text)
}

fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    let create = || {
        fs::File::options().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
    };
    create().map_err(Error::at("write", path))
}

/// The usual configuration, with a rate limit and a connection limit that the load does not reach. The audit log is
/// written, as everywhere.
fn configuration(
    folder: &Path,
    name: &str,
    store: &Database,
    [cloud, desktop]: [SocketAddr; 2],
    upstream: SocketAddr,
) -> String {
    let roots: String = ["root-0.pem", "root-1.pem"]
        .map(|file| format!("[[root]]\nfile = \"{}\"\n\n", folder.join(file).display()))
        .concat();
    let folder = folder.display();
    format!(
        r#"environment = "test"

[store]
url = "{store}"

[audit]
file = "{folder}/{name}-audit.jsonl"

[identity]
key = "{folder}/identity-key.pem"
issuer = "https://localhost/"

[oauth]
vault = "{folder}/{name}-vault.key"

[[listener]]
channel = "cloud"
listen = "{cloud}"
certificate = "{folder}/server-chain.pem"
key = "{folder}/server-key.pem"

[[listener]]
channel = "desktop"
listen = "{desktop}"
certificate = "{folder}/server-chain.pem"
key = "{folder}/server-key.pem"

{roots}[upstream.nginx]
url = "http://{upstream}"

[services]
table = "published"
upstream = "nginx"

[limits]
connections = 16384
idle_seconds = 600
requests_per_second = 10000000
burst = 10000000
"#
    )
}

/// How many providers the credentials belong to, at most.
const PROVIDERS: usize = 1000;

/// Makes a store with the benchmark's own provider and owner, and `more` credentials: a thousandth of them the common
/// names of other providers, the rest signing certificates of resource owners that those act for.
pub(super) fn enrol(store: &Database, pki: &Pki, more: usize) -> Result<(), Error> {
    fill(store, pki, more).map_err(Error::step("enrol the benchmark's parties"))
}

fn fill(database: &Database, pki: &Pki, more: usize) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let now = pki::now()?;
    let providers = PROVIDERS.min(more);
    let certificates = (providers..more).map(|_| signing_certificate()).collect::<Result<Vec<_>, _>>()?;
    let store = database.open()?;
    let environment = Environment::Test;
    let client_cert = |provider: &ProviderId,
                       name: &str|
     -> Result<NewClientCert, Box<dyn std::error::Error + Send + Sync>> {
        let common_name = CommonName::parse(name)?;
        Ok(NewClientCert {
            provider: provider.clone(),
            environment,
            common_name,
            grants: Grants::default(),
            issuer_pin: None,
        })
    };
    let signing_cert = |owner: &OwnerId,
                        der: &[u8]|
     -> Result<NewSigningCert, Box<dyn std::error::Error + Send + Sync>> {
        let cert = SigningCert::enrol(der, now)?;
        let (issuer, legacy_sha1) = (ISSUER.into(), LegacySha1::Refused);
        Ok(NewSigningCert { owner: owner.clone(), environment, issuer, cert, der: der.into(), legacy_sha1 })
    };
    let mut client_certs = vec![client_cert(&ProviderId::new("bench")?, COMMON_NAME)?];
    for index in 0..providers {
        let name = format!("{index:032x}.irdgws.bench.example");
        client_certs.push(client_cert(&ProviderId::new(&format!("provider-{index}"))?, &name)?);
    }
    let mut signing_certs = vec![signing_cert(&OwnerId::new("bench")?, &pki.signing.certificate)?];
    for (index, der) in certificates.iter().enumerate() {
        signing_certs.push(signing_cert(&OwnerId::new(&format!("owner-{index}"))?, der)?);
    }
    store.batch(|batch| {
        for new in &client_certs {
            batch.add_provider(&new.provider, "A provider", now)?;
            batch.enrol_client_cert(new, now)?;
        }
        for (new, of) in signing_certs.iter().zip(client_certs.iter().cycle()) {
            batch.add_owner(&new.owner, "A resource owner", now)?;
            batch.link(&of.provider, &new.owner, now)?;
            batch.enrol_signing_cert(new, now)?;
        }
        Ok(())
    })?;
    Ok(())
}

fn signing_certificate() -> Result<Vec<u8>, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = pki::signing_params()?.self_signed(&key)?;
    Ok(certificate.der().to_vec())
}
