//! A clock that tests set.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use irgw_core::Clock;

/// A clock that stands where it was set: for tests and for conformance runs in process.
#[derive(Debug)]
pub struct SetClock(AtomicU64);

impl SetClock {
    /// A clock at `seconds` since the Unix epoch.
    pub fn at(seconds: u64) -> SetClock {
        SetClock(AtomicU64::new(seconds))
    }

    /// Sets the clock, also backwards.
    pub fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn since_epoch(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}
