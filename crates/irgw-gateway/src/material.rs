//! The files that a configuration names, read and checked: identities, roots, revocation lists, keys.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use irgw_core::{Rule, Secret, UnixTime};
use irgw_m2m::identity::IdentityKey;
use irgw_tls::client::{Client, ServerRoots};
use irgw_tls::{ApprovedRoot, ClientTrust, Crl, ServerIdentity};

use crate::config::{Config, ListenerConfig, Located, Problem, RootConfig, RootSource};

/// A file may not be larger: nothing that is configured is.
const LIMIT_BYTES: u64 = 64 << 20;

/// Reads a listener's certificate and key, and checks that they belong together (TLS-2).
///
/// # Errors
/// A problem with the setting that names the file.
pub fn server_identity(listener: &ListenerConfig) -> Result<ServerIdentity, Problem> {
    let certificate = read(&listener.certificate)?;
    let key = Secret::new(read_private(&listener.key)?);
    ServerIdentity::from_pem(&certificate, key.expose()).map_err(|error| {
        let key = listener.key.value.display();
        listener.certificate.problem(format_args!("{}, with the key in {key}", said(&error)))
    })
}

/// Reads the approved roots and the revocation lists (TLS-4, TLS-9).
///
/// # Errors
/// A problem with the setting that names the file or the owner.
pub fn client_trust(roots: &[RootConfig], now: UnixTime) -> Result<ClientTrust, Problem> {
    let (roots, crls) = roots_and_crls(roots, now)?;
    ClientTrust::new(roots, crls).map_err(|error| Problem::general(said(&error)))
}

/// The same for [`ClientTrust::replace`].
///
/// # Errors
/// As [`client_trust`].
pub fn roots_and_crls(
    entries: &[RootConfig],
    now: UnixTime,
) -> Result<(Vec<ApprovedRoot>, Vec<Crl>), Problem> {
    let (mut roots, mut crls) = (Vec::new(), Vec::new());
    for entry in entries {
        let found = match &entry.source {
            RootSource::File(file) => {
                let name = file
                    .value
                    .file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned())
                    .unwrap_or_default();
                ApprovedRoot::from_pem(&name, &read(file)?, now)
                    .map_err(|error| file.problem(said(&error)))?
            }
            RootSource::Mozilla(owner) => {
                ApprovedRoot::mozilla(&owner.value, now).map_err(|error| owner.problem(said(&error)))?
            }
        };
        roots.extend(
            found
                .into_iter()
                .map(|root| root.with_client_eku(entry.client_eku).with_crl_policy(entry.crl_policy)),
        );
        for crl in &entry.crls {
            crls.extend(Crl::parse(&read(crl)?).map_err(|error| crl.problem(said(&error)))?);
        }
    }
    Ok((roots, crls))
}

/// Reads the key that signs identity tokens (GW-3).
///
/// # Errors
/// A problem with the setting that names the file.
pub fn identity_key(file: &Located<PathBuf>) -> Result<IdentityKey, Problem> {
    let pem = Secret::new(read_private(file)?);
    IdentityKey::from_pem(pem.expose()).map_err(|error| file.problem(said(&error)))
}

/// The TLS client for a backing service; `None` for plain HTTP.
///
/// # Errors
/// A problem with the setting that names the authorities' file.
pub fn upstream_tls(
    upstream: &crate::config::UpstreamConfig,
    clock: std::sync::Arc<dyn irgw_core::Clock>,
) -> Result<Option<Client>, Problem> {
    let Some(ca_file) = upstream.ca_file.as_ref().filter(|_| upstream.url.scheme_str() == Some("https"))
    else {
        return Ok(None);
    };
    let wrong = |error: irgw_tls::Error| ca_file.problem(said(&error));
    let roots = ServerRoots::from_pem(&read(ca_file)?).map_err(wrong)?;
    let host = upstream.url.host().unwrap_or_default().trim_matches(['[', ']']);
    let client = Client::one_way(&roots, host, clock).map_err(wrong)?;
    Ok(Some(client.with_alpn(&[b"h2", b"http/1.1"])))
}

/// Reads the operator's token: one line, 32 characters or more.
///
/// # Errors
/// A problem with the setting that names the file.
pub fn operator_token(file: &Located<PathBuf>) -> Result<Secret<String>, Problem> {
    let text = Secret::new(
        String::from_utf8(read_private(file)?).map_err(|_| file.problem("the token is not text"))?,
    );
    let token = text.expose().trim();
    if token.len() < 32 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            file.problem("the token is too weak; one line of 32 or more visible characters is allowed")
        );
    }
    Ok(Secret::new(token.to_owned()))
}

/// Every file of a configuration that is re-read when it changes.
pub fn watched_files(config: &Config) -> Vec<PathBuf> {
    let listeners = config.listeners.iter().flat_map(|listener| [&listener.certificate, &listener.key]);
    let roots = config.roots.iter().filter_map(|root| match &root.source {
        RootSource::File(file) => Some(file),
        RootSource::Mozilla(_) => None,
    });
    let crls = config.roots.iter().flat_map(|root| &root.crls);
    listeners.chain(roots).chain(crls).map(|file| file.value.clone()).collect()
}

/// Reads and checks everything, and keeps nothing: what `irgw check` does beyond the configuration itself.
///
/// # Errors
/// The first problem.
pub fn check(config: &Config, clock: &std::sync::Arc<dyn irgw_core::Clock>) -> Result<(), Problem> {
    for listener in &config.listeners {
        server_identity(listener)?;
    }
    client_trust(&config.roots, clock.now())?;
    identity_key(&config.identity.key)?;
    for upstream in config.upstreams.values() {
        upstream_tls(upstream, clock.clone())?;
    }
    if let Some(operator) = &config.operator {
        operator_token(&operator.token_file)?;
    }
    Ok(())
}

fn read(file: &Located<PathBuf>) -> Result<Vec<u8>, Problem> {
    let unreadable =
        |error: std::io::Error| file.problem(format_args!("cannot read {}: {error}", file.value.display()));
    let size = fs::metadata(&file.value).map_err(unreadable)?.len();
    if size > LIMIT_BYTES {
        return Err(file.problem(format_args!("{} is larger than {LIMIT_BYTES} bytes", file.value.display())));
    }
    fs::read(&file.value).map_err(unreadable)
}

/// Reads a file that nobody but its owner may read (A20).
fn read_private(file: &Located<PathBuf>) -> Result<Vec<u8>, Problem> {
    let bytes = read(file)?;
    match exposed(&file.value) {
        None => Ok(bytes),
        Some(mode) => Err(file.problem(format_args!(
            "others may read {} (mode {mode:04o}); run: chmod 600 {}",
            file.value.display(),
            file.value.display()
        ))),
    }
}

/// The file's mode, when it is open to group or others.
fn exposed(path: &Path) -> Option<u32> {
    let mode = fs::metadata(path).ok()?.mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// An error with its sources, and the rule that it names.
fn said(error: &(impl Ruled + 'static)) -> String {
    format!("{} ({})", crate::handle::causes(error), error.rule())
}

/// An error that names its rule.
trait Ruled: std::error::Error {
    fn rule(&self) -> Rule;
}

impl Ruled for irgw_tls::Error {
    fn rule(&self) -> Rule {
        irgw_core::Refusal::rule(self)
    }
}

impl Ruled for irgw_m2m::Error {
    fn rule(&self) -> Rule {
        irgw_m2m::Error::rule(self)
    }
}
