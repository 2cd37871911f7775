//! `irgw credential …`: client certificates and signing certificates (TLS-6, TLS-7, TLS-12, CN-1, M2M-8, ENV-2).

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use irgw_core::{Environment, OwnerId, ProviderId, Rule, Thumbprint, UnixTime};
use irgw_m2m::{LegacySha1, SigningCert};
use irgw_store::{ClientCertFilter, NewClientCert, NewSigningCert, SigningCertFilter, Store};
use irgw_tls::IssuerPin;
use serde_json::json;

use super::certificate_file::read_certificate;
use super::listing::{List, rfc3339, shell_word};
use super::{CommandError, ListArgs, PlaceArgs};
use crate::services::ServiceTable;
use grants::{Grant, GrantArgs, check_granted, in_words};
use name::NameArgs;

mod grants;
mod name;

/// Client certificates and signing certificates: enrol, list, roll over, revoke
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CredentialArgs {
    /// Which gateway's state.
    #[command(flatten)]
    pub place: PlaceArgs,
    #[command(subcommand)]
    command: CredentialCommand,
}

const EXAMPLES: &str = "\
Examples:
  Assign a Common Name; the provider has a certificate issued with it:
    irgw credential add client-cert --provider kowhai --assign kowhai.example --dir DIR
  Enrol the certificate that a resource owner signs its tokens with:
    irgw credential add signing-cert --owner tui --issuer https://tui.example --certificate tui.pem --dir DIR
  Roll it over: enrol the next one beside it, and revoke the old one when the signer has changed over:
    irgw credential rotate OLD_THUMBPRINT --certificate tui-next.pem --dir DIR
    irgw credential revoke signing-cert OLD_THUMBPRINT --dir DIR
  End a provider's access, open connections included:
    irgw credential revoke provider kowhai --dir DIR

A renewed client certificate with the same Common Name from an approved root needs no command (TLS-7).
A change is in force on running gateways within a second.
Exit codes: 0 done, 1 refused (the rule is named), 2 not understood or not possible.";

#[derive(Debug, Clone, Subcommand)]
enum CredentialCommand {
    /// Enrol a credential
    #[command(subcommand)]
    Add(AddCommand),
    /// List credentials, revoked ones too
    List {
        /// Only this kind
        kind: Option<ListedKind>,
        /// Only client certificates of this provider
        #[arg(long)]
        provider: Option<ProviderId>,
        /// Only signing certificates of this resource owner
        #[arg(long)]
        owner: Option<OwnerId>,
        /// Those of every environment, not only of the gateway's own
        #[arg(long)]
        all_environments: bool,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Replace what a client certificate opens by itself, without a token (TLS-12)
    ///
    /// A certificate that serves nothing else stays so until --not-exclusive says otherwise.
    Grant(Grant),
    /// Enrol the next signing certificate of a credential (M2M-8)
    ///
    /// Owner, issuer and environment are those of the old one. Both are in force until the old one is revoked or expires.
    Rotate {
        /// The thumbprint of the certificate that is to be replaced
        old: Thumbprint,
        /// The new certificate, PEM or DER
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
        /// Revoke the old one at once: tokens that it signed are refused from then on
        #[arg(long)]
        revoke_old: bool,
    },
    /// Revoke a credential, for ever
    #[command(subcommand)]
    Revoke(RevokeCommand),
    /// Print an enrolled signing certificate as PEM
    Export {
        /// Its thumbprint
        thumbprint: Thumbprint,
    },
}

#[derive(Debug, Clone, Subcommand)]
enum AddCommand {
    /// Enrol the Common Name of a provider's client certificate (TLS-6)
    ClientCert(AddClientCert),
    /// Enrol the certificate that a resource owner signs its tokens with (M2M-8)
    SigningCert(AddSigningCert),
}

#[derive(Debug, Clone, Args)]
struct AddClientCert {
    /// Whose it is
    #[arg(long)]
    provider: ProviderId,
    #[command(flatten)]
    name: NameArgs,
    #[command(flatten)]
    grants: GrantArgs,
    /// Accept the name only in certificates under this certificate authority, PEM or DER (TLS-7)
    #[arg(long, value_name = "FILE")]
    pin_issuer: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
struct AddSigningCert {
    /// Who signs with it
    #[arg(long)]
    owner: OwnerId,
    /// The value agreed for iss, byte for byte (M2M-5)
    #[arg(long)]
    issuer: String,
    /// The certificate, PEM or DER
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// Let sub name it by its SHA-1 thumbprint as well (M2M-3)
    #[arg(long)]
    legacy_sha1: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ListedKind {
    /// Common Names of client certificates
    ClientCerts,
    /// Signing certificates
    SigningCerts,
}

#[derive(Debug, Clone, Subcommand)]
enum RevokeCommand {
    /// Revoke the Common Name of a client certificate
    ClientCert {
        /// The Common Name
        common_name: String,
    },
    /// Revoke a signing certificate
    SigningCert {
        /// Its thumbprint
        thumbprint: Thumbprint,
    },
    /// Revoke all client certificates of a provider, in all environments
    Provider {
        /// The provider
        provider: ProviderId,
    },
}

/// Does what the command says, wholly or not at all, and writes what the operator is to know.
///
/// `environment` is the gateway's: what is enrolled here is enrolled there, and nothing of another is changed (ENV-2).
/// `services` are the gateway's, too: nothing else is granted.
///
/// # Errors
/// What the profile or the store refuses.
pub(crate) fn run(
    args: &CredentialArgs,
    store: &Store,
    environment: Environment,
    services: &ServiceTable,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    match &args.command {
        CredentialCommand::Add(AddCommand::ClientCert(add)) => {
            check_granted(&add.grants.services, services)?;
            add_client_cert(add, store, environment, now, out)
        }
        CredentialCommand::Add(AddCommand::SigningCert(add)) => {
            add_signing_cert(add, store, environment, now, out)
        }
        CredentialCommand::List { kind, provider, owner, all_environments, list } => {
            let environment = (!all_environments).then_some(environment);
            let (of_clients, of_signers) = match kind {
                Some(ListedKind::ClientCerts) => (true, false),
                Some(ListedKind::SigningCerts) => (false, true),
                None if list.continues() => {
                    return Err(CommandError::unusable(
                        "say which list goes on: list client-certs --after KEY, or list signing-certs --after KEY",
                    ));
                }
                None => (owner.is_none() || provider.is_some(), provider.is_none() || owner.is_some()),
            };
            let mut lists = Vec::new();
            if of_clients {
                lists.push(client_certs(store, provider.clone(), environment, list)?);
            }
            if of_signers {
                lists.push(signing_certs(store, owner.clone(), environment, list)?);
            }
            list.write(&lists, out)
        }
        CredentialCommand::Grant(grant) => {
            check_granted(&grant.services, services)?;
            grant.run(store, environment, out)
        }
        CredentialCommand::Rotate { old, certificate, revoke_old } => {
            rotate(old, certificate, *revoke_old, store, environment, now, out)
        }
        CredentialCommand::Revoke(revoke) => self::revoke(revoke, store, environment, now, out),
        CredentialCommand::Export { thumbprint } => export(thumbprint, store, out),
    }
}

fn add_client_cert(
    add: &AddClientCert,
    store: &Store,
    environment: Environment,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let common_name = add.name.common_name(now)?;
    let issuer_pin = match &add.pin_issuer {
        Some(path) => Some(IssuerPin::of(&read_certificate(path)?).map_err(|error| {
            CommandError::refused(Rule::Tls7, format_args!("{error}; {PIN_WHAT}")).about(path)
        })?),
        None => None,
    };
    let new = NewClientCert {
        provider: add.provider.clone(),
        environment,
        common_name,
        grants: add.grants.grants(),
        issuer_pin,
    };
    store.enrol_client_cert(&new, now)?;
    let (provider, common_name) = (&new.provider, &new.common_name);
    writeln!(out, "{common_name}")?;
    writeln!(out, "enrolled for provider {provider} in {environment}; opens {}", in_words(&new.grants))?;
    if let Some(pin) = issuer_pin {
        writeln!(out, "only in certificates under the authority with key {pin}")?;
    }
    if add.name.assign.is_some() {
        writeln!(
            out,
            "next: the provider has a certificate issued with exactly this Common Name, and this dNSName where it has a \
             subjectAltName"
        )?;
    }
    Ok(())
}

/// ENV-2: a gateway changes nothing that belongs to another environment.
pub(super) fn expect_own(
    what: impl Display,
    its: Environment,
    ours: Environment,
) -> Result<(), CommandError> {
    if its == ours {
        return Ok(());
    }
    let message = format!("{what} belongs to {its}, this gateway is {ours}");
    Err(CommandError::refused(Rule::Env2, message))
}

fn add_signing_cert(
    add: &AddSigningCert,
    store: &Store,
    environment: Environment,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let legacy_sha1 = if add.legacy_sha1 { LegacySha1::Accepted } else { LegacySha1::Refused };
    let (cert, der) = read_signing_cert(&add.certificate, now)?;
    let new = NewSigningCert {
        owner: add.owner.clone(),
        environment,
        issuer: add.issuer.clone(),
        cert,
        der,
        legacy_sha1,
    };
    store.enrol_signing_cert(&new, now)?;
    describe(&new, out)
}

fn rotate(
    old: &Thumbprint,
    certificate: &Path,
    revoke_old: bool,
    store: &Store,
    environment: Environment,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let before = store.signing_cert(old)?;
    expect_own(old, before.environment, environment)?;
    if before.revoked.is_some() {
        let message = format!(
            "{old} is revoked, so there is nothing to roll over: irgw credential add signing-cert --owner {} --issuer {}",
            shell_word(before.owner.as_str()),
            shell_word(&before.issuer)
        );
        return Err(CommandError::refused(Rule::M2m8, message));
    }
    let (cert, der) = read_signing_cert(certificate, now)?;
    let new = NewSigningCert {
        owner: before.owner,
        environment,
        issuer: before.issuer,
        cert,
        der,
        legacy_sha1: before.legacy_sha1,
    };
    if revoke_old {
        store.replace_signing_cert(&new, old, now)?;
        describe(&new, out)?;
        writeln!(out, "{old} is revoked")?;
        return Ok(());
    }
    store.enrol_signing_cert(&new, now)?;
    describe(&new, out)?;
    writeln!(out, "{old} stays in force beside it until {}", rfc3339(before.cert.not_after()))?;
    writeln!(
        out,
        "next: when the signer has changed over, and 8 hours later no old token is left: irgw credential revoke \
         signing-cert {old}"
    )?;
    Ok(())
}

/// Reads a certificate and checks it as enrolment asks.
fn read_signing_cert(path: &Path, now: UnixTime) -> Result<(SigningCert, Vec<u8>), CommandError> {
    let der = read_certificate(path)?;
    let cert = SigningCert::enrol(&der, now).map_err(|error| CommandError::from(error).about(path))?;
    Ok((cert, der.to_vec()))
}

fn describe(new: &NewSigningCert, out: &mut impl Write) -> Result<(), CommandError> {
    let NewSigningCert { owner, environment, issuer, cert, .. } = new;
    let algorithms: Vec<&str> = cert.algorithms().iter().map(|algorithm| algorithm.name()).collect();
    writeln!(out, "{}", cert.thumbprint())?;
    writeln!(out, "enrolled for resource owner {owner} in {environment}, issuer {issuer}")?;
    writeln!(out, "signs {}; valid until {}", algorithms.join(", "), rfc3339(cert.not_after()))?;
    Ok(())
}

fn revoke(
    revoke: &RevokeCommand,
    store: &Store,
    environment: Environment,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    match revoke {
        RevokeCommand::ClientCert { common_name } => {
            expect_own(common_name, store.client_cert(common_name)?.environment, environment)?;
            let at = store.revoke_client_cert(common_name, now)?;
            writeln!(out, "common name {common_name} is revoked since {}", rfc3339(at))?;
        }
        RevokeCommand::SigningCert { thumbprint } => {
            expect_own(thumbprint, store.signing_cert(thumbprint)?.environment, environment)?;
            let at = store.revoke_signing_cert(thumbprint, now)?;
            writeln!(out, "signing certificate {thumbprint} is revoked since {}", rfc3339(at))?;
        }
        RevokeCommand::Provider { provider } => {
            let count = store.revoke_provider(provider, now)?;
            writeln!(out, "provider {provider} has no access: {count} client certificates revoked")?;
        }
    }
    Ok(())
}

fn client_certs(
    store: &Store,
    provider: Option<ProviderId>,
    environment: Option<Environment>,
    list: &ListArgs,
) -> Result<List<'static>, CommandError> {
    let listed = store.list_client_certs(&ClientCertFilter { provider, environment }, &list.page()?)?;
    let rows = listed.items.iter().map(|cert| {
        vec![
            json!(cert.common_name.as_str()),
            json!(cert.provider),
            json!(cert.environment),
            json!(status(cert.revoked)),
            json!(cert.revoked.map(rfc3339)),
            json!(cert.grants.services),
            json!(cert.grants.exclusive),
            json!(cert.issuer_pin.map(|pin| pin.to_string())),
            json!(rfc3339(cert.since)),
        ]
    });
    Ok(List {
        name: "client_certs",
        columns: &[
            "common name",
            "provider",
            "environment",
            "status",
            "revoked since",
            "grants",
            "exclusive",
            "issuer pin",
            "since",
        ],
        rows: rows.collect(),
        next: listed.next,
    })
}

fn signing_certs(
    store: &Store,
    owner: Option<OwnerId>,
    environment: Option<Environment>,
    list: &ListArgs,
) -> Result<List<'static>, CommandError> {
    let filter = SigningCertFilter { owner, environment, issuer: None };
    let listed = store.list_signing_certs(&filter, &list.page()?)?;
    let rows = listed.items.iter().map(|enrolled| {
        vec![
            json!(enrolled.cert.thumbprint()),
            json!(enrolled.owner),
            json!(enrolled.issuer),
            json!(enrolled.environment),
            json!(status(enrolled.revoked)),
            json!(enrolled.revoked.map(rfc3339)),
            json!(enrolled.cert.key_kind().name()),
            json!(enrolled.legacy_sha1 == LegacySha1::Accepted),
            json!(rfc3339(enrolled.cert.not_after())),
            json!(enrolled.cert.subject()),
        ]
    });
    Ok(List {
        name: "signing_certs",
        columns: &[
            "thumbprint",
            "owner",
            "issuer",
            "environment",
            "status",
            "revoked since",
            "key",
            "legacy sha1",
            "not after",
            "subject",
        ],
        rows: rows.collect(),
        next: listed.next,
    })
}

const PIN_WHAT: &str = "--pin-issuer takes the certificate of the authority that issues the provider's";

fn status(revoked: Option<UnixTime>) -> &'static str {
    if revoked.is_some() { "revoked" } else { "enrolled" }
}

/// Writes PEM (RFC 7468 §5): 64 characters of base64 a line.
fn export(thumbprint: &Thumbprint, store: &Store, out: &mut impl Write) -> Result<(), CommandError> {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let text = BASE64_STANDARD.encode(store.signing_cert_der(thumbprint)?);
    writeln!(out, "-----BEGIN CERTIFICATE-----")?;
    for line in text.as_bytes().chunks(64) {
        out.write_all(line)?;
        writeln!(out)?;
    }
    writeln!(out, "-----END CERTIFICATE-----")?;
    Ok(())
}

#[cfg(test)]
mod tests;
