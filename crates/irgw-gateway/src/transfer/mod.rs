//! Files to and from providers: what the gateway itself has to bring (SFTP-1, SFTP-2, PGP-3).
//!
//! [`keys`] is Inland Revenue's own keys, and [`PassphraseSource`] where the passphrase that protects them comes from.

pub mod keys;

mod dispatcher;
mod fetcher;
pub(crate) mod file_server;
mod journal;
mod passphrase;
mod record;
mod retry;
mod spool;
pub(crate) mod submit;
mod trouble;

pub use dispatcher::DeliveryConfig;
pub(crate) use dispatcher::Dispatcher;
pub(crate) use fetcher::{Fetcher, folder_name};
pub use passphrase::PassphraseSource;
pub(crate) use passphrase::one_line_of;
pub use retry::Pauses;
