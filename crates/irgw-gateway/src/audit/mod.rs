//! The audit log: one JSON line per decision, written in batches, never dropped, chained by hashes (GW-6, G10).
//!
//! ```text
//! {"time":"2026-03-01T09:00:00.123Z","request_id":"…","decision":"refused","reason":"M2M-6",…}
//! {"seal":"<SHA-256 of the previous seal and the bytes since, hex>","records":17}
//! ```
//!
//! Each batch ends in a seal. Changing, removing or adding a byte breaks the seal behind it, which `irgw audit verify`
//! shows; only cutting off whole batches at the end needs the operator's own copy of the last seal.

mod line;
mod seal;
mod writer;

pub use seal::{Broken, Verified, verify};
pub use writer::{AuditLog, NoRoom};
