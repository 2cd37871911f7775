//! What time it is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use irgw_core::Clock;

/// The system's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn since_epoch(&self) -> Duration {
        // A clock before 1970 is broken; at the epoch nothing is valid yet, so everything is refused.
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}
