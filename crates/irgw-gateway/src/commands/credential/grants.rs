//! What a client certificate opens by itself, as the operator says it (TLS-12).

use std::io::Write;

use clap::Args;
use irgw_core::{Environment, Grants, Rule, ServiceName};
use irgw_store::Store;

use super::expect_own;
use crate::commands::CommandError;
use crate::services::{Admits, ServiceTable};

/// What a certificate that is being enrolled opens by itself.
#[derive(Debug, Clone, Args)]
pub(super) struct GrantArgs {
    /// A service that the certificate opens by itself, without a token; may be repeated
    #[arg(long = "grant", value_name = "SERVICE")]
    pub(super) services: Vec<ServiceName>,
    /// The certificate serves those services and no others
    #[arg(long, requires = "services")]
    exclusive: bool,
}

impl GrantArgs {
    /// The same, as it is enrolled.
    pub(super) fn grants(&self) -> Grants {
        Grants { services: self.services.iter().cloned().collect(), exclusive: self.exclusive }
    }
}

/// The arguments of `irgw credential grant`.
#[derive(Debug, Clone, Args)]
pub(super) struct Grant {
    /// The Common Name
    common_name: String,
    /// A service that the certificate opens by itself from now on, and no other; may be repeated
    #[arg(long = "grant", value_name = "SERVICE", required_unless_present = "none")]
    pub(super) services: Vec<ServiceName>,
    /// The certificate opens nothing by itself any more
    #[arg(long, conflicts_with = "services")]
    none: bool,
    /// From now on the certificate serves those services and no others
    #[arg(long, conflicts_with_all = ["none", "not_exclusive"])]
    exclusive: bool,
    /// From now on the certificate serves other services, too, with a token
    #[arg(long)]
    not_exclusive: bool,
}

impl Grant {
    /// Replaces the grants, and says what the operator is to know.
    pub(super) fn run(
        &self,
        store: &Store,
        environment: Environment,
        out: &mut impl Write,
    ) -> Result<(), CommandError> {
        let Grant { common_name, .. } = self;
        let before = store.client_cert(common_name)?;
        expect_own(common_name, before.environment, environment)?;
        let was_exclusive = before.grants.exclusive;
        let exclusive = self.exclusive || was_exclusive && !self.not_exclusive;
        if exclusive && self.services.is_empty() {
            let message = format!(
                "{common_name} is exclusive, so it would open nothing at all: --none needs --not-exclusive, or revoke it"
            );
            return Err(CommandError::refused(Rule::Tls12, message));
        }
        let grants = Grants { services: self.services.iter().cloned().collect(), exclusive };
        store.grant(common_name, &grants)?;
        writeln!(out, "common name {common_name} opens {}", in_words(&grants))?;
        if was_exclusive && !exclusive {
            writeln!(out, "it is no longer exclusive: with a token it opens other services, too")?;
        }
        Ok(())
    }
}

/// TLS-12: only a service that opens to a certificate alone can be granted to one; a slip of the pen would open nothing.
pub(super) fn check_granted(granted: &[ServiceName], services: &ServiceTable) -> Result<(), CommandError> {
    let by_certificate =
        services.services().iter().filter(|service| matches!(service.admits, Admits::Certificate(_)));
    let known: Vec<&str> = by_certificate.map(|service| service.name.as_str()).collect();
    match granted.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let message =
                format!("{name} is no service that opens to a certificate alone; those are: {known}");
            Err(CommandError::refused(Rule::Tls12, message))
        }
    }
}

/// Grants for people.
pub(super) fn in_words(grants: &Grants) -> String {
    let services: Vec<&str> = grants.services.iter().map(ServiceName::as_str).collect();
    match (services.is_empty(), grants.exclusive) {
        (true, _) => "nothing without a token".to_owned(),
        (false, true) => format!("{} by itself, and nothing else", services.join(", ")),
        (false, false) => format!("{} by itself", services.join(", ")),
    }
}
