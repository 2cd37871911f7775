//! SSH transports (RFC 4253) and SFTP version 3 over them, at both ends (SFTP-1 to SFTP-3).
//!
//! ```text
//!   TcpStream ──► Client::establish ──► Stream ──► sftp::Remote      upload, rename, list, download, archive
//!                 pins, then the key
//!   TcpStream ──► Server::establish ──► Stream ──► files::serve      a folder, under a policy
//!                 the key, then SshKey
//! ```
//!
//! A transport proves who is at the far end and hands out the bytes of the `sftp` subsystem; what is said over them knows
//! nothing of SSH, so tests speak it over a pipe.
//!
//! What is not here: remembering host keys, agents, passwords, forwarding, shells, and any version of SFTP but 3. When a
//! file is sent again, and under which name, is the delivery's business.

mod algorithms;
mod authenticator;
mod client;
mod error;
mod fingerprint;
mod pins;
mod private_key;
mod server;
mod stream;
mod tether;

#[cfg(unix)]
pub mod files;
pub mod sftp;

pub use authenticator::{ProvenKey, SshKey, UserKeys};
pub use client::{Client, Target, Timeouts, VerifiedHost};
pub use error::{Error, Negotiated, Phase};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use pins::{HostKeyFault, HostPin, HostPins, InvalidPin, Pinned};
pub use private_key::{Curve, KeyFault, PrivateKey};
pub use server::Server;
pub use stream::Stream;
