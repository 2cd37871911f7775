//! TLS as the gateway's profile allows it, both ends, and the client-certificate profile (TLS-1 to TLS-12, CN-1).
//!
//! ```text
//!   bytes ──► server::Server::establish ─────────────────────────────► Peer with a VerifiedCert
//!               │ TLS 1.2, 1.3; six suites; no resumption                     │
//!               ▼                                                             │ every request
//!             ClientTrust::verify                                             ▼
//!               │ limits ► webpki finds a path to an ApprovedRoot,     ClientCert::authenticate
//!               │          Crls say nothing against it                   │ ClientTrust::confirm
//!               │ ► profile: what webpki lets through                    │ Enrolments::by_common_name
//!               │ ► CommonName                                           │ IssuerPin
//!               ▼                                                        ▼
//!             VerifiedCert, remembered with its path                   Proof::Provider
//! ```
//!
//! [`server::Server`] and [`client::Client`] are transports: they prove. [`ClientCert`] is an authenticator: it
//! judges every request of a connection anew, so that revoking, disenrolling or replacing a root ends an open
//! connection's access. Everything that files hold ([`ServerIdentity`], [`ApprovedRoot`], [`Crl`]) is parsed and
//! checked before it can be put in force, and put in force by one atomic exchange while connections go on.
//!
//! What it does not do: it reads no files and watches none, knows no HTTP, holds no enrolment (it asks
//! [`Enrolments`]), fetches no revocation list and asks no OCSP responder, and sets no process-wide cryptography. The
//! deadline of a handshake is the caller's.
//!
//! ```
//! use std::sync::Arc;
//! use irgw_tls::{ApprovedRoot, ClientEku, ClientTrust};
//! use rustls_pki_types::UnixTime;
//!
//! let roots = ApprovedRoot::mozilla("Let's Encrypt", UnixTime::now())?
//!     .into_iter()
//!     .map(|root| root.with_client_eku(ClientEku::ServerAuthAccepted))
//!     .collect();
//! let trust = Arc::new(ClientTrust::new(roots, Vec::new())?);
//! assert!(trust.verify(&b"no certificate".to_vec().into(), &[], UnixTime::now()).is_err());
//! # Ok::<(), irgw_tls::Error>(())
//! ```

mod assess;
mod authority;
mod certificate;
pub mod client;
mod client_cert;
mod common_name;
mod constraint;
mod crl;
mod digest;
mod dns;
mod enrolment;
mod error;
mod fault;
mod handshake;
mod identity;
mod key;
mod memo;
mod mozilla;
mod p521;
mod path;
mod profile;
mod root;
pub mod server;
mod store;
mod suites;
mod time;
mod trust;
mod verified;

pub use assess::{Assessment, Finding, Outcome, assess};
pub use certificate::Facts;
pub use client_cert::ClientCert;
pub use common_name::{CommonName, CommonNameFault};
pub use crl::Crl;
pub use enrolment::{Enrolment, Enrolments, InvalidPin, IssuerPin};
pub use error::{CrlFault, Error, HandshakeFault, IdentityFault};
pub use fault::{Fault, Flaw, Place};
pub use identity::{ClientIdentity, ServerIdentity};
pub use root::{ApprovedRoot, ClientEku, CrlPolicy};
pub use suites::{SIGNATURE_ALGORITHMS, SUITES};
pub use trust::{ClientTrust, Limits};
pub use verified::VerifiedCert;
