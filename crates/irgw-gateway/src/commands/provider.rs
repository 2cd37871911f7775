//! `irgw provider …`: providers, resource owners and what links them (ENV-1, M2M-7, M2M-9).

use std::io::Write;

use clap::{Args, Subcommand};
use irgw_core::{Logon, OwnerId, ProviderId, UnixTime};
use irgw_store::Store;
use serde_json::json;

use super::file_server::{self, FileServerCommand};
use super::listing::{List, rfc3339, shell_word};
use super::{CommandError, ListArgs, PlaceArgs};

/// Providers, resource owners, and who may act for whom
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProviderArgs {
    /// Which gateway's state.
    #[command(flatten)]
    pub place: PlaceArgs,
    #[command(subcommand)]
    command: ProviderCommand,
}

const EXAMPLES: &str = "\
Examples:
  A provider that signs on its own behalf and for one customer:
    irgw provider add kowhai --name 'Kōwhai Payroll' --acts-for-itself --dir DIR
    irgw provider add-owner tui --name 'Tūī Bakery' --logon tui.baker --dir DIR
    irgw provider link kowhai --acts-for tui --dir DIR
  Then give it credentials: irgw credential --help

A change is in force on running gateways within a second.";

#[derive(Debug, Clone, Subcommand)]
enum ProviderCommand {
    /// Enrol the file servers of providers, where sets are delivered
    #[command(subcommand)]
    FileServer(FileServerCommand),
    /// Add a provider
    Add {
        /// Its id, 1 to 128 bytes; stays the same for ever
        id: ProviderId,
        /// Its name for people; the id when left out
        #[arg(long)]
        name: Option<String>,
        /// A resource owner that it may act for, which exists (M2M-9); may be repeated
        #[arg(long, value_name = "OWNER")]
        acts_for: Vec<OwnerId>,
        /// Make a resource owner of the same id and name, too, and let the provider act for it
        #[arg(long)]
        acts_for_itself: bool,
    },
    /// Add a resource owner: the party whose identity an M2M request runs under
    AddOwner {
        /// Its id, 1 to 128 bytes; stays the same for ever
        id: OwnerId,
        /// Its name for people; the id when left out
        #[arg(long)]
        name: Option<String>,
        /// A myIR logon that startLogon may name for it (M2M-7); may be repeated
        #[arg(long)]
        logon: Vec<Logon>,
    },
    /// List providers
    List {
        /// Only those that act for this resource owner (M2M-9)
        #[arg(long, value_name = "OWNER")]
        acts_for: Option<OwnerId>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// List resource owners
    ListOwners {
        /// Only those that this provider acts for
        #[arg(long, value_name = "PROVIDER")]
        of: Option<ProviderId>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// List the logons that are linked to a resource owner
    ListLogons {
        /// The resource owner
        owner: OwnerId,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Let a provider act for resource owners (M2M-9)
    Link {
        /// The provider
        provider: ProviderId,
        /// A resource owner; may be repeated
        #[arg(long, value_name = "OWNER", required = true)]
        acts_for: Vec<OwnerId>,
    },
    /// End a provider's right to act for resource owners
    Unlink {
        /// The provider
        provider: ProviderId,
        /// A resource owner; may be repeated
        #[arg(long, value_name = "OWNER", required = true)]
        acts_for: Vec<OwnerId>,
    },
    /// Link myIR logons to a resource owner (M2M-7)
    LinkLogon {
        /// The resource owner
        owner: OwnerId,
        /// A logon; may be repeated
        #[arg(long, required = true)]
        logon: Vec<Logon>,
    },
    /// End the link of myIR logons to a resource owner
    UnlinkLogon {
        /// The resource owner
        owner: OwnerId,
        /// A logon; may be repeated
        #[arg(long, required = true)]
        logon: Vec<Logon>,
    },
}

impl ProviderArgs {
    /// The store that the command is about, made when it adds the first party of a configured server.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn store(&self) -> Result<Store, CommandError> {
        match self.command {
            ProviderCommand::Add { .. } | ProviderCommand::AddOwner { .. } => self.place.store_to_begin(),
            _ => Ok(self.place.store()?.0),
        }
    }
}

/// Does what the command says, wholly or not at all, and writes what the operator is to know.
///
/// # Errors
/// What the profile or the store refuses.
pub(crate) fn run(
    args: &ProviderArgs,
    store: &Store,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    match &args.command {
        ProviderCommand::FileServer(command) => file_server::run(command, store, now, out)?,
        ProviderCommand::Add { id, name, acts_for, acts_for_itself } => {
            let name = name.as_deref().unwrap_or(id.as_str());
            store.batch(|batch| {
                batch.add_provider(id, name, now)?;
                if *acts_for_itself {
                    let owner = id.as_str().parse().expect("what names a provider can name a resource owner");
                    batch.add_owner(&owner, name, now)?;
                    batch.link(id, &owner, now)?;
                }
                acts_for.iter().try_for_each(|owner| batch.link(id, owner, now))
            })?;
            writeln!(out, "provider {id} added")?;
            let id = shell_word(id.as_str());
            writeln!(out, "next: irgw credential add client-cert --provider {id} --assign DOMAIN")?;
        }
        ProviderCommand::AddOwner { id, name, logon } => {
            store.batch(|batch| {
                batch.add_owner(id, name.as_deref().unwrap_or(id.as_str()), now)?;
                logon.iter().try_for_each(|logon| batch.link_logon(id, logon, now))
            })?;
            writeln!(out, "resource owner {id} added")?;
            writeln!(out, "next: irgw provider link PROVIDER --acts-for {}", shell_word(id.as_str()))?;
        }
        ProviderCommand::List { acts_for, list } => list_providers(store, acts_for.as_ref(), list, out)?,
        ProviderCommand::ListOwners { of, list } => list_owners(store, of.as_ref(), list, out)?,
        ProviderCommand::ListLogons { owner, list } => list_logons(store, owner, list, out)?,
        ProviderCommand::Link { provider, acts_for } => {
            store.batch(|batch| acts_for.iter().try_for_each(|owner| batch.link(provider, owner, now)))?;
            for owner in acts_for {
                writeln!(out, "provider {provider} acts for resource owner {owner}")?;
            }
        }
        ProviderCommand::Unlink { provider, acts_for } => {
            store.batch(|batch| acts_for.iter().try_for_each(|owner| batch.unlink(provider, owner, now)))?;
            for owner in acts_for {
                writeln!(out, "provider {provider} no longer acts for resource owner {owner}")?;
            }
        }
        ProviderCommand::LinkLogon { owner, logon } => {
            store.batch(|batch| logon.iter().try_for_each(|logon| batch.link_logon(owner, logon, now)))?;
            for logon in logon {
                writeln!(out, "logon {logon} is linked to resource owner {owner}")?;
            }
        }
        ProviderCommand::UnlinkLogon { owner, logon } => {
            store.batch(|batch| logon.iter().try_for_each(|logon| batch.unlink_logon(owner, logon, now)))?;
            for logon in logon {
                writeln!(out, "logon {logon} is no longer linked to resource owner {owner}")?;
            }
        }
    }
    Ok(())
}

fn list_providers(
    store: &Store,
    acts_for: Option<&OwnerId>,
    list: &ListArgs,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let listed = match acts_for {
        Some(owner) => store.list_providers_of(owner, &list.page()?)?,
        None => store.list_providers(&list.page()?)?,
    };
    let rows = listed.items.iter().map(|provider| {
        vec![
            json!(provider.id),
            json!(provider.name),
            json!(provider.client_certs),
            json!(provider.owners),
            json!(rfc3339(provider.since)),
        ]
    });
    let columns = &["id", "name", "client certs", "owners", "since"];
    list.write(&[List { name: "providers", columns, rows: rows.collect(), next: listed.next }], out)
}

fn list_owners(
    store: &Store,
    of: Option<&ProviderId>,
    list: &ListArgs,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let listed = store.list_owners(of, &list.page()?)?;
    let rows = listed.items.iter().map(|owner| {
        vec![
            json!(owner.id),
            json!(owner.name),
            json!(owner.providers),
            json!(owner.logons),
            json!(owner.signing_certs),
            json!(rfc3339(owner.since)),
        ]
    });
    let columns = &["id", "name", "providers", "logons", "signing certs", "since"];
    list.write(&[List { name: "owners", columns, rows: rows.collect(), next: listed.next }], out)
}

fn list_logons(
    store: &Store,
    owner: &OwnerId,
    list: &ListArgs,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let listed = store.list_logons(owner, &list.page()?)?;
    let rows = listed.items.iter().map(|logon| vec![json!(logon)]).collect();
    list.write(&[List { name: "logons", columns: &["logon"], rows, next: listed.next }], out)
}

#[cfg(test)]
mod tests;
