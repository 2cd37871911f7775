//! PostgreSQL: one database for the gateways of many machines.
//!
//! ```text
//!   Store ──► Pool ──► Session ──► Client ~~channel~~ Connection, on a thread of the pool's own ──► server
//! ```
//!
//! How changes keep out of each other's way ([`crate::sql::Turn`]): transactions are READ COMMITTED, and hold one advisory
//! lock until they are committed, shared or alone. PostgreSQL gives it up after others can see what was committed, and whoever
//! waited for it sees that from the next statement on. So revisions have no gaps and become visible in their order, and
//! between changes that share the lock only the row decides that is read `FOR UPDATE` or inserted once.

mod fault;
mod pool;
mod schema;
mod server;
mod session;
mod tls;
mod wait;
mod wire;

pub(crate) use pool::{Pool, Shelf};
pub use server::Server;
pub(crate) use session::Session;
pub(crate) use wire::column;
