//! The machine's clock, for what below the gateway is given its time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use irgw_core::Clock;

/// The time of day.
#[derive(Debug)]
pub(super) struct Wall;

impl Clock for Wall {
    fn since_epoch(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}
