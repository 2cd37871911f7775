//! Whose files are expected, and of what age (FILE-4).

use std::time::Duration;

use irgw_core::UnixTime;

use super::Stray;
use crate::fileset::{EnvironmentCode, Feed, PlatformId, Stem};

/// Whose files are expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expectation {
    /// The feed.
    pub feed: Feed,
    /// The provider that the files are for.
    pub platform: PlatformId,
    /// The environment that makes them.
    pub environment: EnvironmentCode,
    /// How old a file may be when it arrives, by the timestamp in its name; and then it must not lie more than [`SKEW`] ahead either.
    pub max_age: Option<Duration>,
}

/// How far a file's timestamp may lie ahead of `now`, where [`Expectation::max_age`] is set, and a zip's ahead of its control file's:
/// an hour, because local time goes through an hour twice when daylight saving ends.
pub const SKEW: Duration = Duration::from_secs(3600);

impl Expectation {
    /// Whether a file whose name has this stem may have a place in a set that arrives now.
    pub(super) fn admit(&self, stem: &Stem, now: UnixTime) -> Result<(), Stray> {
        let set = stem.set_id();
        if set.series.feed() != self.feed {
            return Err(Stray::Feed);
        }
        if set.platform != self.platform {
            return Err(Stray::Platform);
        }
        if set.environment != self.environment {
            return Err(Stray::Environment);
        }
        let Some(max_age) = self.max_age else { return Ok(()) };
        let made = stem.timestamp.to_unix().as_secs();
        if made.saturating_add(max_age.as_secs()) < now.as_secs() {
            return Err(Stray::TooOld);
        }
        if now.as_secs().saturating_add(SKEW.as_secs()) < made {
            return Err(Stray::Ahead);
        }
        Ok(())
    }
}
