//! `irgw provider file-server …`: providers' file servers (SFTP-1, SFTP-2, PGP-1).

use std::io::Write;
use std::num::NonZeroU8;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use irgw_core::{ProviderId, Rule, UnixTime};
use irgw_sftp::delivery::Partner;
use irgw_sftp::fileset::{EnvironmentCode, PlatformId};
use irgw_sftp::pgp::{Compression, Container, PartnerCert, Terms};
use irgw_sftp::ssh::sftp::Folder;
use irgw_sftp::ssh::{HostPin, HostPins};
use irgw_store::Store;
use serde_json::json;

use super::CommandError;
use super::listing::{FormArgs, List, rfc3339};
use crate::bounded::{self, Readers};

/// What is done with file servers.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum FileServerCommand {
    /// Enrol a provider's file server, or change it
    Set(Box<Set>),
    /// List file servers, with what will soon be wrong with their certificates
    List {
        /// Only this provider's
        #[arg(long)]
        provider: Option<ProviderId>,
        #[command(flatten)]
        form: FormArgs,
    },
    /// Deliver nothing more to a file server, until it is set again
    Disable {
        /// Whose it is
        provider: ProviderId,
        /// The environment code in its files' names
        #[arg(long, value_name = "CODE")]
        environment: EnvironmentCode,
    },
}

/// A file server.
#[derive(Debug, Clone, Args)]
pub(crate) struct Set {
    /// Whose it is
    provider: ProviderId,
    /// The environment code in its files' names, such as NZT
    #[arg(long, value_name = "CODE")]
    environment: EnvironmentCode,
    /// The platform id in its files' names: 10 digits
    #[arg(long, value_name = "ID")]
    platform: PlatformId,
    /// Its name or address
    #[arg(long)]
    host: String,
    /// Its port
    #[arg(long, default_value_t = 22, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The user that the provider made for us
    #[arg(long)]
    user: String,
    /// Its host key: SHA256:…, a .pub line, or a line of ssh-keyscan
    #[arg(long, value_name = "KEY")]
    host_key: HostPin,
    /// The host key that it will change to
    #[arg(long, value_name = "KEY")]
    next_host_key: Option<HostPin>,
    /// The provider's OpenPGP certificate
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// Where files are put
    #[arg(long, default_value = "inbox")]
    inbox: Folder,
    /// Where the provider's files are fetched from
    #[arg(long)]
    outbox: Option<Folder>,
    /// Where a fetched file is put aside; it is removed without
    #[arg(long)]
    archive: Option<Folder>,
    /// none, zip or zlib, as agreed
    #[arg(long, default_value = "none")]
    compression: Compression,
    /// Encrypt in the form of RFC 9580, which GnuPG does not read
    #[arg(long)]
    seipd2: bool,
    /// How many connections there may be at once, 1 to 8
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    connections: u8,
}

/// Does what the command says.
///
/// # Errors
/// What the rules or the store refuse.
pub(crate) fn run(
    command: &FileServerCommand,
    store: &Store,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    match command {
        FileServerCommand::Set(set) => self::set(set, store, now, out),
        FileServerCommand::List { provider, form } => list(provider.as_ref(), store, form, now, out),
        FileServerCommand::Disable { provider, environment } => {
            store.disable_partner(provider, *environment, now)?;
            Ok(writeln!(out, "nothing more is delivered to {provider} in {environment}")?)
        }
    }
}

fn set(set: &Set, store: &Store, now: UnixTime, out: &mut impl Write) -> Result<(), CommandError> {
    let bytes = bounded::read(&set.certificate, CERTIFICATE_LIMIT_BYTES, Readers::Anybody)
        .map_err(|error| CommandError::unusable(error).about(&set.certificate))?;
    let container = if set.seipd2 { Container::Seipd2 } else { Container::Seipd1 };
    let certificate = PartnerCert::enrol(&bytes, now, Terms { container, ..Terms::default() })
        .map_err(|error| CommandError::refused(Rule::Pgp1, error).about(&set.certificate))?;
    let partner = Partner {
        provider: set.provider.clone(),
        environment: set.environment,
        platform: set.platform,
        host: set.host.clone(),
        port: set.port,
        login: set.user.clone(),
        pins: HostPins { current: set.host_key.clone(), next: set.next_host_key.clone() },
        inbox: set.inbox.clone(),
        outbox: set.outbox.clone(),
        archive: set.archive.clone(),
        certificate,
        compression: set.compression,
        connections: NonZeroU8::new(set.connections).unwrap_or(NonZeroU8::MIN),
    };
    store.set_partner(&partner, now)?;
    writeln!(out, "files for {} in {} go to {}:{}", set.provider, set.environment, set.host, set.port)?;
    writeln!(out, "encrypted to {}", partner.certificate.fingerprint())?;
    for warning in partner.certificate.warnings(now, WARN_WITHIN) {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(())
}

fn list(
    provider: Option<&ProviderId>,
    store: &Store,
    form: &FormArgs,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let columns = [
        "provider",
        "environment",
        "platform",
        "server",
        "user",
        "host key",
        "next host key",
        "certificate",
        "inbox",
        "outbox",
        "since",
        "disabled",
        "warnings",
    ];
    let rows = store.list_partners(provider)?.into_iter().map(|enrolled| {
        let partner = enrolled.partner;
        let warnings = match partner.certificate.encryption_key(now) {
            Err(error) => vec![error.to_string()],
            Ok(_) => partner.certificate.warnings(now, WARN_WITHIN).iter().map(ToString::to_string).collect(),
        };
        vec![
            json!(partner.provider.as_str()),
            json!(partner.environment.to_string()),
            json!(partner.platform.to_string()),
            json!(format!("{}:{}", partner.host, partner.port)),
            json!(partner.login),
            json!(partner.pins.current.to_string()),
            json!(partner.pins.next.map(|pin| pin.to_string())),
            json!(partner.certificate.fingerprint().to_string()),
            json!(partner.inbox.as_str()),
            json!(partner.outbox.as_ref().map(Folder::as_str)),
            json!(rfc3339(enrolled.since)),
            json!(enrolled.disabled.map(rfc3339)),
            json!(warnings),
        ]
    });
    form.write(&[List { name: "file_servers", columns: &columns, rows: rows.collect(), next: None }], out)
}

/// How long before a certificate ends the operator is told.
const WARN_WITHIN: Duration = Duration::from_secs(30 * 86_400);

const CERTIFICATE_LIMIT_BYTES: u64 = irgw_sftp::pgp::CERT_LIMIT_BYTES as u64;
