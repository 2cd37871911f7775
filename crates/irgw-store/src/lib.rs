//! The gateway's state: enrolment in a SQLite file, and the immutable registry in memory that every request reads.
//!
//! ```text
//!   operator's command ──► Store ──► SQLite file ◄── Store, Follower of another process
//!                                        │
//!                    Follower: "changed?" every 200 ms
//!                                        ▼
//!   request ──► Registry::by_common_name · by_sha256 · acts_for · has_logon      one immutable snapshot, no I/O
//! ```
//!
//! A [`Store`] keeps parties, their credentials and what links them, and refuses what the profile refuses at enrolment
//! (ENV-2, TLS-6, TLS-12, M2M-8). A [`Registry`] is what one environment's requests read; it implements the look-ups of
//! the mechanism crates ([`irgw_tls::Enrolments`], [`irgw_m2m::SigningCerts`]) and [`irgw_core::Links`]. A [`Follower`]
//! keeps a registry up to date, with what changed alone.
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

mod client_certs;
mod column;
mod connections;
mod database;
mod digest;
mod error;
mod files;
mod follower;
mod page;
mod parties;
mod registry;
mod revision;
mod shards;
mod signing_certs;
mod snapshot;
mod spent;
mod store;

pub use client_certs::{ClientCert, ClientCertFilter, NewClientCert};
pub use error::{Error, Kind};
pub use follower::{Event, Follower};
pub use page::{Listed, Page};
pub use parties::{Owner, Provider};
pub use registry::{Refreshed, Registry, Size};
pub use signing_certs::{EnrolledSigningCert, NewSigningCert, SigningCertFilter};
pub use spent::Spent;
pub use store::{Batch, Store};
