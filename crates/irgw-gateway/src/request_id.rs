//! Request ids: unique on this node, 32 hex digits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes request ids: the process's random number, then a count. A caller's own id is never taken over (D17).
#[derive(Debug)]
pub(crate) struct RequestIds {
    process: u64,
    count: AtomicU64,
}

impl RequestIds {
    /// Ids that begin with `process`, a random number.
    pub(crate) fn new(process: u64) -> RequestIds {
        RequestIds { process, count: AtomicU64::new(1) }
    }

    /// The next id.
    pub(crate) fn next(&self) -> Arc<str> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}{count:016x}", self.process).into()
    }
}
