//! How far the server's clock is ahead of ours, measured from the `Date` of its answers.

use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use http::header::DATE;
use irgw_core::UnixTime;
use serde::{Deserialize, Serialize};

/// When an answer was made, by the server's clock: its `Date` (RFC 9110 §6.6.1).
pub fn date(headers: &HeaderMap) -> Option<UnixTime> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    date.duration_since(UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
}

/// How far the server's clock is ahead of this machine's, in milliseconds; negative: it is behind.
///
/// Tokens expire by the server's clock. A laptop whose clock is an hour slow would present a token for an hour after
/// its end, and one whose clock is fast would refresh at every use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Skew {
    millis: i64,
}

impl Skew {
    /// From the [`date`] of an answer, and when the request left and the answer came by this clock. `Date`
    /// has whole seconds and the way takes time: what cannot be told from none is none.
    pub fn measure(date: UnixTime, sent: Duration, received: Duration) -> Skew {
        // The clock may have been set back in between.
        let (sent, received) = (millis(sent), millis(received).max(millis(sent)));
        let half_a_second = 500;
        let server = i64::try_from(date.as_secs()).unwrap_or(i64::MAX).saturating_mul(1000);
        let ours = sent + (received - sent) / 2;
        let apart = server.saturating_add(half_a_second).saturating_sub(ours);
        let doubt = half_a_second + (received - sent + 1) / 2;
        Skew { millis: if apart.abs() <= doubt { 0 } else { apart } }
    }

    pub(super) fn from_millis(millis: i64) -> Skew {
        Skew { millis }
    }

    /// Whole milliseconds.
    pub fn as_millis(self) -> i64 {
        self.millis
    }

    /// What the server's clock shows when this machine's shows `now`.
    pub fn server_time(self, now: Duration) -> UnixTime {
        let server = u64::try_from(millis(now).saturating_add(self.millis)).unwrap_or(0);
        UnixTime::since_unix_epoch(Duration::from_secs(server / 1000))
    }
}

fn millis(time: Duration) -> i64 {
    // Half of the range, so that sums of two do not overflow.
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(date: u64, sent: u64, received: u64) -> i64 {
        let date = UnixTime::since_unix_epoch(Duration::from_secs(date));
        Skew::measure(date, Duration::from_millis(sent), Duration::from_millis(received)).as_millis()
    }

    #[test]
    fn skew_is_what_cannot_come_from_rounding_or_the_way() {
        assert_eq!(measured(1000, 1_000_000, 1_000_000), 0, "the second began just now");
        assert_eq!(measured(1000, 1_000_999, 1_000_999), 0, "the second is about to end");
        assert_eq!(measured(1000, 999_000, 1_003_000), 0, "the way took four seconds");
        assert_eq!(measured(4600, 1_000_500, 1_000_500), 3_600_000, "an hour ahead");
        assert_eq!(measured(1000, 4_600_500, 4_600_500), -3_600_000, "an hour behind");
        assert_eq!(measured(1000, 1_002_000, 1_001_000), -1500, "our clock was set back meanwhile");
        assert!(measured(u64::MAX, 0, u64::MAX) > 0);
    }

    #[test]
    fn servers_time_is_ours_and_the_skew() {
        let skew = Skew { millis: -3_600_000 };
        assert_eq!(skew.server_time(Duration::from_secs(4000)).as_secs(), 400);
        assert_eq!(skew.server_time(Duration::from_secs(4)).as_secs(), 0);
    }
}
