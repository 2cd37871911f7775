//! The gateway's state: enrolment in a SQLite file or on a PostgreSQL server, and the immutable registry in memory that every request reads.
//!
//! ```text
//!   operator's command ──► Store ──► SQLite file ◄── Store, Follower of another process
//!                                        │
//!                    Follower: "changed?" every 200 ms
//!                                        ▼
//!   request ──► Registry::by_common_name · by_sha256 · client · is_family_revoked      one immutable snapshot, no I/O
//! ```
//!
//! With the feature `postgres`, a server's database takes the file's place (`Store::connect`): the same methods, with the same
//! guarantees, for nodes on many machines.
//!
//! A [`Store`] keeps parties, their credentials and what links them, and refuses what the profile refuses at enrolment
//! (ENV-2, TLS-6, TLS-12, M2M-8). A [`Registry`] is what one environment's requests read; it implements the look-ups of
//! the mechanism crates ([`irgw_tls::Enrolments`], [`irgw_m2m::SigningCerts`], [`irgw_oauth::registration::Clients`],
//! [`irgw_oauth::grants::Revocations`]) and [`irgw_core::Links`]. A [`Follower`]
//! keeps a registry up to date, with what changed alone.
//!
//! A store is also what the authorization server keeps ([`irgw_oauth::grants::Grants`]); a [`Directory`] is its customers,
//! [`TokenKeys`] are its keys.
//!
//! It checks no certificate: [`irgw_m2m::SigningCert`] and [`irgw_tls::CommonName`] are checked by their makers. It reads no
//! wall clock: `now` is an argument. It keeps no allow-lists, which are the gateway's configuration.
//!
//! ```
//! use std::time::Duration;
//!
//! use irgw_core::{Environment, Grants, Missing, UnixTime};
//! use irgw_store::{NewClientCert, Registry, Store};
//! use irgw_tls::{CommonName, Enrolments};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
//! let store = Store::in_memory()?;
//! let registry = Registry::load(&store, Environment::Test)?;
//!
//! store.add_provider(&"kowhai".parse()?, "Kōwhai Payroll", now)?;
//! let common_name = CommonName::assign([0xab; 16], "kowhai.example")?;
//! store.enrol_client_cert(
//!     &NewClientCert {
//!         provider: "kowhai".parse()?,
//!         environment: Environment::Test,
//!         common_name: common_name.clone(),
//!         grants: Grants::default(),
//!         issuer_pin: None,
//!     },
//!     now,
//! )?;
//!
//! assert_eq!(registry.by_common_name(common_name.as_str()).unwrap_err(), Missing::Unknown);
//! registry.refresh(&store)?;
//! assert_eq!(registry.by_common_name(common_name.as_str())?.provider.as_str(), "kowhai");
//! # Ok(())
//! # }
//! ```

mod attempts;
mod client_certs;
mod clients;
mod codes;
mod column;
mod consents;
mod customers;
mod database;
mod deliveries;
mod digest;
mod directory;
mod engine;
mod error;
mod families;
mod follower;
mod forget;
mod grants;
mod once;
mod page;
mod parties;
mod partners;
#[cfg(feature = "postgres")]
mod postgres;
mod registered;
mod registry;
mod revision;
mod revocations;
mod selection;
mod sessions;
mod shards;
mod signing_certs;
mod snapshot;
mod spent;
mod sql;
mod sqlite;
mod store;
mod token_keys;

pub use client_certs::{ClientCert, ClientCertFilter, NewClientCert};
pub use clients::{ClientFilter, NewClient, OldSecret, RegisteredClient};
pub use customers::{EnrolledCustomer, NewCustomer};
pub use database::Database;
pub use deliveries::{
    DeliveryEntry, DeliveryFilter, DeliveryState, NewDelivery, NewParcel, Stopped, Submitted,
};
pub use directory::Directory;
pub use error::{Error, Kind};
pub use follower::{Event, Follower};
pub use page::{Listed, Page};
pub use parties::{Owner, Provider};
pub use partners::EnrolledPartner;
#[cfg(feature = "postgres")]
pub use postgres::Server;
pub use registry::{Refreshed, Registry, Size};
pub use signing_certs::{EnrolledSigningCert, NewSigningCert, SigningCertFilter};
pub use spent::Spent;
pub use store::{Batch, Store};
pub use token_keys::{NewTokenKey, TokenKey, TokenKeys};
