//! Files of a folder, served over SFTP version 3 (draft-ietf-secsh-filexfer-02).
//!
//! ```text
//!   Share::open(folder, Policy) ──► Share::session ──► Files::answer: one packet in, one out
//!                                                        ▲
//!                                       serve (a stream), serve_blocking (stdin and stdout)
//! ```
//!
//! The same code is a provider's letter box ([`Policy::inbox`]: nothing that arrived is changed or removed) and a general server.
//! No path leads out of the folder, whatever links are in it.

mod answer;
mod content;
mod jail;
mod policy;
mod serve;
mod session;
mod share;
mod tree;

pub use policy::Policy;
pub use serve::{Ended, serve, serve_blocking};
pub use session::{Files, NotSftp};
pub use share::Share;
