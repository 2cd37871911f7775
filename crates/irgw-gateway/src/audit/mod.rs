//! The audit log: one JSON line per decision, written in batches, never dropped, sealed in a chain (GW-6, G10).
//!
//! ```text
//! {"continues":"<the seal that the file before ended with; zeros: none>"}         the first line of every file
//! {"time":"2026-03-01T09:00:00.123Z","request_id":"…","decision":"refused","reason":"M2M-6",…}
//! {"seal":"<SHA-256 of the previous seal and the bytes since>","mac":"<HMAC-SHA-256 of the seal>","records":1}
//! {"recovered":2}                                     the two lines before it were found without a seal
//! ```
//!
//! Each batch ends in a seal. With the key, `irgw audit verify` shows a byte that was changed, removed or added anywhere before
//! the last seal. It does not show what whoever holds the key wrote, nor that whole batches were cut off at the end: for that, the
//! operator keeps the last seal elsewhere.

mod chained;
mod line;
mod seal;
mod verify;
mod writer;

pub use seal::{Seal, SealKey};
pub use verify::{Broken, Verified, Verifier};
pub use writer::{AuditLog, NoRoom};
