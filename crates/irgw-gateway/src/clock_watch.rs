//! A clock that is set back makes good again what had expired (C30): the operator is told.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::kept::Alarm;
use crate::metrics::Metrics;

/// Compares the clock with the latest time that it is known to have shown.
///
/// It raises an alarm and changes no decision: a clock that ran ahead and is set right is set back, too, and a gateway that
/// kept to the wrong time would refuse everybody until it is started again.
pub(crate) struct ClockWatch {
    latest: Duration,
    alarm: Alarm,
}

impl ClockWatch {
    /// Goes on from when `log` was last written to, before this process: a machine that was put back to an earlier state
    /// and a battery that is empty show there.
    pub(crate) fn since_last_write(log: &Path) -> ClockWatch {
        let written = fs::metadata(log).and_then(|metadata| metadata.modified()).ok();
        let since_epoch = written.and_then(|written| written.duration_since(UNIX_EPOCH).ok());
        ClockWatch { latest: since_epoch.unwrap_or_default(), alarm: Alarm::new("clock") }
    }

    /// Looks at what the clock shows `now`. The alarm is over when it has caught up.
    pub(crate) fn look(&mut self, metrics: &Metrics, now: Duration) {
        let problem = (now + TOLERANCE < self.latest).then(|| {
            format!(
                "the clock was set back from {} s after 1970: what expired since is good again until it has caught up; \
                 set it right, and look into the audit log for what was admitted meanwhile",
                self.latest.as_secs()
            )
        });
        self.alarm.settle(metrics, problem);
        self.latest = self.latest.max(now);
    }
}

/// What time services correct at once.
const TOLERANCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    const RAISED: &str = r#"irgw_alarm{alarm="clock"} 1"#;

    /// C30.
    #[test]
    fn alarm_stands_until_the_clock_has_caught_up() {
        let mut watch = ClockWatch::since_last_write(Path::new("/nowhere"));
        let metrics = Metrics::new();
        for (shown, stands) in
            [(100, false), (98, false), (97, true), (97, true), (98, false), (101, false), (98, true)]
        {
            watch.look(&metrics, Duration::from_secs(shown));
            assert_eq!(metrics.render().contains(RAISED), stands, "at {shown}");
        }
    }

    #[test]
    fn earlier_process_left_its_time() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let written = log.as_file().metadata().unwrap().modified().unwrap();
        let written = written.duration_since(UNIX_EPOCH).unwrap();
        let metrics = Metrics::new();
        let mut watch = ClockWatch::since_last_write(log.path());
        watch.look(&metrics, written - Duration::from_secs(3));
        assert!(metrics.render().contains(RAISED));
    }
}
