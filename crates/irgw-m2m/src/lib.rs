//! The client-signed JWT of machine-to-machine requests (M2M-1 to M2M-11): sign it, verify it, judge a request by it.
//!
//! ```text
//!   provider                                        gateway
//!   ────────                                        ───────
//!   SigningKey ─┐                                                  SigningCerts (what is enrolled)
//!               ├─► sign ──► Authorization: <jwt> ──► M2m::judge ──► by sub alone ──► Credential
//!   NewToken ───┘                                        │ form → sub → alg → times → signature → iss
//!                                                        ▼
//!                                                   Proof::Owner ──► … ──► identity::sign
//!                                                                              │ X-Gateway-Identity
//!   internal service                                                           ▼
//!   ────────────────                                                    identity::verify
//! ```
//!
//! Signing certificates come in through [`SigningCert::enrol`], which checks them once. [`verify()`] is the pure floor: a
//! token, a [`Credential`] and the time in, [`Claims`] out. [`M2m`] puts a look-up and a memory of good signatures
//! over it, and is an [`irgw_core::Authenticator`]. [`inspect()`] explains a token to its signer. [`identity`] is what the gateway
//! passes on to the service behind it.
//!
//! ```
//! use std::time::Duration;
//! use irgw_core::UnixTime;
//! use irgw_m2m::{Credential, Error, NewToken, SigningCert, SigningKey, sign, verify};
//!
//! /// What a provider does.
//! fn authorization(key_pem: &[u8], cert: &SigningCert, now: UnixTime) -> Result<String, Error> {
//!     let key = SigningKey::from_pem(key_pem)?;
//!     let token = NewToken {
//!         thumbprint: cert.thumbprint(),
//!         issuer: "Digital Service Provider",
//!         start_logon: None,
//!         issued_at: now,
//!         lifetime: Duration::from_secs(900),
//!         jti: None,
//!     };
//!     sign(&token, &key)
//! }
//!
//! /// What the other side does.
//! fn admit(authorization: &str, enrolled: &Credential, now: UnixTime) -> Result<(), Error> {
//!     let claims = verify(authorization, enrolled, now)?;
//!     assert_eq!(claims.issuer, enrolled.issuer);
//!     Ok(())
//! }
//! ```
//!
//! # What it does not do
//!
//! - It opens no connection, reads no clock and keeps no global state. A key that a token brings along or points to is
//!   refused, never fetched.
//! - It draws randomness for three things alone: through ring for the nonce of an ECDSA signature and for a new key, through
//!   the standard library for the seed of the memory of tokens.
//! - It does not know which provider may act for which resource owner (M2M-9), nor whose logon a `startLogon` is
//!   (M2M-7): [`irgw_core::Principal::join`] asks enrolment.
//! - It spends no `jti` (M2M-10): it hands out what a store needs for that ([`Accepted::claims`]).

mod algorithm;
pub mod error;

mod certificate;
mod enrolment;
mod signature;

mod compact;
mod json;
mod token;

mod credential;
mod verify;

mod authenticator;

mod key;
mod sign;

pub mod identity;
pub mod inspect;

#[cfg(feature = "vectors")]
pub mod vectors;

pub use algorithm::{Algorithm, KeyKind};
pub use authenticator::{Accepted, Checks, M2m, Options};
pub use certificate::{SigningCert, SigningCertRow};
pub use compact::TOKEN_LIMIT_BYTES;
pub use credential::{Credential, LegacySha1, SigningCerts};
pub use error::Error;
pub use inspect::{Against, Inspection, inspect};
pub use irgw_memo::Counts as CacheCounts;
pub use key::SigningKey;
pub use sign::{NewToken, sign};
pub use token::{Claims, Subject, is_well_formed};
pub use verify::{DEFAULT_SKEW, LIFETIME_LIMIT, verify, verify_with_skew};
