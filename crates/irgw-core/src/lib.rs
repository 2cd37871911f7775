//! The shared words of irgw, and the two seams through which its crates are composed.
//!
//! ```text
//!   bytes ──► Transport::establish ──► Peer ─┐
//!                                            ├─► Authenticator::authenticate ──► Verdict
//!   Authorization ──► Credential::parse ─────┘                                     │ Proof, Proof, …
//!                                                                                  ▼
//!                              Links (what enrolment connects) ──► Principal::join ──► Principal
//! ```
//!
//! A [`Transport`] *proves* who is at the far end of a byte stream. An [`Authenticator`] *judges* what was presented
//! in one request. [`Principal::join`] puts the proofs of one request together, if enrolment links them.
//!
//! This crate does no I/O, reads no clock, draws no randomness and computes no signature; it knows none of the
//! mechanism crates. Every refusal names the [`Rule`] that it enforces.
//!
//! ```
//! use irgw_core::{Credential, Rule};
//!
//! assert_eq!(Credential::parse([b"Bearer abc".as_slice()]), Credential::Bearer("abc"));
//! assert_eq!("TLS-6".parse::<Rule>(), Ok(Rule::Tls6));
//! ```

mod audit;
mod credential;
mod digest;
mod error;
mod id;
mod missing;
mod peer;
mod place;
mod principal;
mod printable;
mod rule;
mod seam;
mod secret;
mod verdict;

pub use audit::{Decision, Record};
pub use credential::{Credential, Presented};
pub use digest::Thumbprint;
pub use error::{InvalidId, InvalidThumbprint, UnknownName};
pub use id::{ClientId, Logon, OwnerId, ProviderId, ServiceName, TokenFamily};
pub use missing::Missing;
pub use peer::{Origin, Peer};
pub use place::{Channel, ClientKind, Environment};
pub use principal::{Links, Principal, Proofs};
pub use printable::{is_hidden, printable};
pub use rule::Rule;
pub use rustls_pki_types::UnixTime;
pub use seam::{Authenticator, Clock, Refusal, Scheme, Transport};
pub use secret::Secret;
pub use verdict::{Barrier, Class, Grants, Proof, Rejection, TokenFault, Verdict};
