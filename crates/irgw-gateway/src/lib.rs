//! The gateway: listeners, service table, policy, backing services, audit log; and the `irgw` command line over it.
//!
//! ```text
//! listen   accept → connection slot → PROXY header → Transport::establish → Peer      once per connection
//! handle   path → door → ServiceTable::find → Policy::admit → Admitted::settle → Permit
//!          Upstream::send(Permit …)  → streamed both ways
//!          otherwise Refusal::answer                           the one place that makes an error answer
//!          AuditLog::record                                    the one place that records it
//! ```
//!
//! [`Gateway::start`] runs one from a [`Config`]; [`cli`] is the command line. What a request proves is decided in
//! `irgw-tls` and `irgw-m2m`; what is enrolled, in `irgw-store`.

pub mod cli;
pub mod config;
pub mod dev;
pub mod material;
pub mod proxy_header;
pub mod services;
pub mod transfer;

mod allow_list;
mod audit;
mod authorization;
mod body;
mod bounded;
mod clock;
mod clock_watch;
mod commands;
mod crowd;
mod dialect;
mod entry;
mod gateway;
mod handle;
mod headers;
mod hex;
mod identity;
mod identity_files;
mod identity_keys;
mod kept;
mod life;
mod listen;
mod metrics;
mod oauth;
mod operator;
mod own_files;
mod path;
mod policy;
mod private_files;
mod refusal;
mod reload;
mod request_id;
mod rotation;
mod rsa_key;
mod throttle;
mod trust_files;
mod under_way;
mod upload;
mod upstream;
mod watched;
mod written;

pub use audit::{AuditLog, Broken, NoRoom, Seal, SealKey, Verified, Verifier};
pub use clock::SetClock;
pub use config::Config;
pub use dialect::{Answer, Denial, Dialect};
pub use gateway::{Drained, Gateway};
pub use irgw_client::SystemClock;
pub use path::{Ambiguous, NormalPath};
