//! Deliveries: a finished file set on its way to a provider's server, exactly once by name (SFTP-3 to SFTP-5).
//!
//! ```text
//!   waiting ──► (encrypt, sign and upload under a temporary name; fsync; size) ──► sealed ──► (rename) ──► delivered
//! ```
//!
//! What a delivery has reached stands in a [`Ledger`] before it goes on, so that after a crash at any point the next
//! attempt knows what it may find at the far end. A [`Courier`] makes the attempts; when to make one is its caller's business.
//! The other way, [`fetch`] takes what a provider has put into its outbox.

mod connect;
mod courier;
mod fault;
mod fetch;
mod ledger;
mod partner;
mod pipe;
mod seal;
mod watch;

pub use connect::Dialer;
pub use courier::Courier;
pub use fault::DeliveryFault;
pub use fetch::{Fetched, fetch};
pub use ledger::{Delivery, DeliveryId, Ledger, LedgerFault, Parcel, Sealed, Stage, Turn};
pub use partner::Partner;
pub use watch::{Event, Watch};
