//! The files that a configuration names, read and checked: identities, roots, revocation lists, keys.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use irgw_core::{Rule, Secret, Thumbprint, UnixTime};
use irgw_m2m::identity::IdentityKey;
use irgw_oauth::vault::Vault;
use irgw_store::{Database, Store};
use irgw_tls::client::{Client, ServerRoots};
use irgw_tls::{ApprovedRoot, ClientTrust, Crl, ServerIdentity};

use crate::SealKey;
use crate::bounded::{self, Readers};
use crate::config::{Config, ListenerConfig, Located, Problem, RootConfig, RootSource};
use crate::handle::causes;
use crate::operator::OperatorToken;
use crate::trust_files::TrustFiles;

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

/// Reads the approved roots of one entry (TLS-4). Those in a file may be of any date; of an owner's, those out of date
/// are left out.
pub(crate) fn roots(entry: &RootConfig, now: UnixTime) -> Result<Vec<ApprovedRoot>, Problem> {
    let found = match &entry.source {
        RootSource::File(file) => {
            let name = file.value.file_stem().unwrap_or_default().to_string_lossy();
            ApprovedRoot::from_pem_of_any_date(&name, &read(file)?)
                .map_err(|error| file.problem(said(&error)))?
        }
        RootSource::Mozilla(owner) => {
            ApprovedRoot::mozilla(&owner.value, now).map_err(|error| owner.problem(said(&error)))?
        }
    };
    let found = found.into_iter();
    Ok(found.map(|root| root.with_client_eku(entry.client_eku).with_crl_policy(entry.crl_policy)).collect())
}

/// Reads a file of revocation lists, and checks those of authorities that `trust` knows (TLS-9).
pub(crate) fn lists(file: &Located<PathBuf>, trust: &ClientTrust) -> Result<Vec<Crl>, Problem> {
    trust.parse_lists(&read(file)?).map_err(|error| file.problem(said(&error)))
}

/// Reads the key that signs identity tokens (GW-3).
///
/// # Errors
/// A problem with the setting that names the file.
pub(crate) fn identity_key(file: &Located<PathBuf>) -> Result<Arc<IdentityKey>, Problem> {
    let pem = Secret::new(read_private(file)?);
    IdentityKey::from_pem(pem.expose()).map(Arc::new).map_err(|error| file.problem(said(&error)))
}

/// Reads the key that seals the audit log (GW-6): 64 hex digits.
///
/// # Errors
/// A problem with the setting that names the file.
pub fn audit_key(file: &Located<PathBuf>) -> Result<SealKey, Problem> {
    Ok(SealKey::new(key_bytes(file)?.expose()))
}

/// The same; makes the key where there is no log yet that another one sealed.
///
/// # Errors
/// As [`audit_key`], and when the file cannot be written.
pub fn audit_key_or_new(config: &Config) -> Result<SealKey, Problem> {
    let (file, log) = (&config.audit_key, &config.audit);
    if missing_audit_key(config)? {
        make_key(file)?;
        tracing::info!(key = %file.value.display(), log = %log.value.display(), "made the key that seals the audit log");
    }
    audit_key(file)
}

/// What the store is opened by, with its password if a file holds one.
///
/// # Errors
/// A problem with the setting that names the file.
pub(crate) fn database(config: &Config) -> Result<Database, Problem> {
    let database = config.store.value.clone();
    match (&config.store_password, database) {
        #[cfg(feature = "postgres")]
        (Some(file), Database::Server(server)) => {
            let text = String::from_utf8(read_private(file)?);
            let text = Secret::new(text.map_err(|_| file.problem("the password is not text"))?);
            let password = text.expose().trim_end_matches(['\r', '\n']);
            if password.is_empty() || password.contains(['\r', '\n', '\0']) {
                return Err(file.problem("the password is one line, and not an empty one"));
            }
            if server.has_password() {
                return Err(file.problem("there is a password in store.url too; leave one of them out"));
            }
            Ok(Database::Server(server.with_password(&Secret::new(password.to_owned()))))
        }
        (_, database) => Ok(database),
    }
}

/// Opens the store, and makes it when there is none.
///
/// # Errors
/// A problem with the setting that names it.
pub(crate) fn store(config: &Config) -> Result<Store, Problem> {
    database(config)?.open().map_err(|error| config.store.problem(causes(&error)))
}

/// Reads the key that seals secrets in the store (C29): 64 hex digits.
///
/// # Errors
/// A problem with the setting that names the file.
pub fn vault(file: &Located<PathBuf>) -> Result<Vault, Problem> {
    Ok(Vault::new(key_bytes(file)?.expose()))
}

/// The same; makes the key where the store holds nothing yet that another one sealed.
///
/// # Errors
/// As [`vault`], when the file cannot be written, and when the store cannot be asked.
pub fn vault_or_new(file: &Located<PathBuf>, store: &Store) -> Result<Vault, Problem> {
    if !file.value.exists() {
        if store.holds_sealed().map_err(Problem::general)? {
            return Err(file.problem(format_args!(
                "{} is missing, and keys in the store were sealed with it; put it back",
                file.value.display()
            )));
        }
        make_key(file)?;
        tracing::info!(key = %file.value.display(), "made the key that seals secrets in the store");
    }
    vault(file)
}

/// Reads a key of 64 hex digits.
fn key_bytes(file: &Located<PathBuf>) -> Result<Secret<[u8; 32]>, Problem> {
    let text = Secret::new(read_private(file)?);
    let digits = text.expose().trim_ascii();
    let key = str::from_utf8(digits).ok().filter(|digits| digits.len() == 64);
    match key.and_then(|digits| digits.parse().ok()) {
        Some(Thumbprint(bytes)) => Ok(Secret::new(bytes)),
        None => Err(file.problem(format_args!(
            "{} is no key; 64 hex digits are allowed: openssl rand -hex 32",
            file.value.display()
        ))),
    }
}

/// Makes a key of 64 hex digits, in a file that is not there yet.
fn make_key(file: &Located<PathBuf>) -> Result<(), Problem> {
    let make = || {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        let mut made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file.value)?;
        writeln!(made, "{}", Thumbprint(bytes))?;
        made.sync_all()
    };
    make().map_err(|error| file.problem(format_args!("cannot make {}: {error}", file.value.display())))
}

/// Whether the key is still to be made. With a log that it must have sealed, it may not be missing.
fn missing_audit_key(config: &Config) -> Result<bool, Problem> {
    let (key, log) = (&config.audit_key.value, &config.audit.value);
    let is_missing = !key.exists();
    if is_missing && fs::metadata(log).is_ok_and(|log| log.len() > 0) {
        return Err(config.audit_key.problem(format_args!(
            "{} is missing, and {} was sealed with it; put the key back, or move the log away",
            key.display(),
            log.display()
        )));
    }
    Ok(is_missing)
}

/// The TLS client for a backing service; `None` for plain HTTP.
///
/// # Errors
/// A problem with the setting that names the authorities' file.
pub fn upstream_tls(
    upstream: &crate::config::UpstreamConfig,
    clock: Arc<dyn irgw_core::Clock>,
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
pub(crate) fn operator_token(file: &Located<PathBuf>) -> Result<OperatorToken, Problem> {
    let text = Secret::new(
        String::from_utf8(read_private(file)?).map_err(|_| file.problem("the token is not text"))?,
    );
    let token = text.expose().trim();
    if token.len() < 32 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            file.problem("the token is too weak; one line of 32 or more visible characters is allowed")
        );
    }
    Ok(OperatorToken::new(token))
}

/// Reads and checks everything, and keeps nothing: what `irgw check` does beyond the configuration itself.
///
/// # Errors
/// The first problem.
pub fn check(config: &Config, clock: &Arc<dyn irgw_core::Clock>) -> Result<(), Problem> {
    for listener in &config.listeners {
        server_identity(listener)?;
    }
    TrustFiles::read(&config.roots, clock.now())?.check_dates(clock.now())?;
    identity_key(&config.identity.key)?;
    if !missing_audit_key(config)? {
        audit_key(&config.audit_key)?;
    }
    if let Some(oauth) = config.oauth.as_ref().filter(|oauth| oauth.vault.value.exists()) {
        vault(&oauth.vault)?;
    }
    for upstream in config.upstreams.values() {
        upstream_tls(upstream, clock.clone())?;
    }
    if let Some(operator) = &config.operator {
        operator_token(&operator.token_file)?;
    }
    if let Some(files) = &config.files {
        crate::transfer::keys::check(files, clock.now())?;
    }
    crate::written::check(config)
}

fn read(file: &Located<PathBuf>) -> Result<Vec<u8>, Problem> {
    read_as(file, Readers::Anybody)
}

/// Reads a file that nobody but its owner may read (A20).
fn read_private(file: &Located<PathBuf>) -> Result<Vec<u8>, Problem> {
    read_as(file, Readers::Nobody)
}

fn read_as(file: &Located<PathBuf>, readers: Readers) -> Result<Vec<u8>, Problem> {
    bounded::read(&file.value, LIMIT_BYTES, readers)
        .map_err(|error| file.problem(format_args!("cannot read {}: {error}", file.value.display())))
}

/// An error with its sources, and the rule that it names.
pub(crate) fn said(error: &(impl Ruled + 'static)) -> String {
    format!("{} ({})", causes(error), error.rule())
}

/// An error that names its rule.
pub(crate) trait Ruled: std::error::Error {
    /// The rule.
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

#[cfg(test)]
mod tests {
    use irgw_core::Environment;
    use irgw_oauth::signing::SigningKey;
    use irgw_store::NewTokenKey;

    use super::*;
    use crate::config::Place;

    /// C29: what was sealed with a key that is lost is not given up in silence.
    #[test]
    fn vaults_key_is_made_where_nothing_is_sealed_alone() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { file: folder.path().into(), line: 1, key: "oauth.vault".into() };
        let file = Located { value: folder.path().join("vault.key"), place };
        let store = Store::in_memory().unwrap();
        let made = vault_or_new(&file, &store).unwrap();
        let sealed = made.seal("it", b"secret").unwrap();
        assert!(vault_or_new(&file, &store).unwrap().open("it", &sealed).is_some());

        fs::remove_file(&file.value).unwrap();
        assert!(vault(&file).is_err());
        let (key, pkcs8) = SigningKey::generate().unwrap();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000));
        let new = NewTokenKey::seal(&made, Environment::Test, &key, &pkcs8, now).unwrap();
        store.add_token_key(&new, now).unwrap();
        let problem = vault_or_new(&file, &store).unwrap_err();
        assert!(problem.message.contains("were sealed with it; put it back"), "{problem}");
        assert!(!file.value.exists());
    }

    /// A key that is lost is not replaced in silence: nobody could tell the log from a forged one.
    #[test]
    fn audit_key_is_made_for_a_new_log_alone() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"environment = "mock"
audit = { file = "audit.jsonl", key = "audit.key" }
store = { url = "sqlite:store" }
identity = { key = "identity.key", issuer = "x" }
services = { table = "published", upstream = "main" }
upstream.main = { url = "http://127.0.0.1:9000" }
listener = [{ channel = "cloud", listen = "127.0.0.1:0", certificate = "a", key = "b", allow = ["127.0.0.1"] }]
"#;
        let config = Config::parse(&folder.path().join("irgw.toml"), text).unwrap();
        let key = audit_key_or_new(&config).unwrap();
        let log = crate::AuditLog::open(&config.audit.value, key).unwrap();
        log.close();
        drop(log);
        // Reading it is refused where others may.
        assert!(read_private(&config.audit_key).is_ok());
        // The key that was made is the key that is read.
        let key = audit_key_or_new(&config).unwrap();
        crate::AuditLog::open(&config.audit.value, key).unwrap().close();
        fs::remove_file(&config.audit_key.value).unwrap();
        let problem = audit_key_or_new(&config).unwrap_err();
        assert!(problem.message.contains("was sealed with it"), "{problem}");
        assert!(!config.audit_key.value.exists());
        fs::write(&config.audit_key.value, "7".repeat(63)).unwrap();
        assert!(audit_key(&config.audit_key).is_err());
    }
}
