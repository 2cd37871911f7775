//! Time, as the gateway, the standard library and OpenPGP count it.

use std::time::{Duration, SystemTime};

use irgw_core::UnixTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The time for Sequoia. OpenPGP's times have 32 bits (RFC 9580 §3.5); what is later becomes the last of them.
pub(super) fn system_time(time: UnixTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs().min(u32::MAX.into()))
}

/// The time from Sequoia.
pub(super) fn unix_time(time: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// So much later, at most the end of OpenPGP's time.
pub(super) fn later(time: UnixTime, by: Duration) -> UnixTime {
    let seconds = time.as_secs().saturating_add(by.as_secs()).min(u32::MAX.into());
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// `2026-01-31T12:00:00Z`, for messages.
pub(super) fn rfc3339(time: UnixTime) -> String {
    let seconds = i64::from(u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    let date = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    date.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_beyond_openpgp_are_its_last_one() {
        let far = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
        assert_eq!(unix_time(system_time(far)).as_secs(), u64::from(u32::MAX));
        assert_eq!(later(far, Duration::MAX).as_secs(), u64::from(u32::MAX));
        assert_eq!(rfc3339(far), "2106-02-07T06:28:15Z");
    }
}
