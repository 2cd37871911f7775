//! What was read from a file and stays in force until the file holds something better (TLS-9, A19).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::config::{Located, Problem};
use crate::metrics::Metrics;

/// What tells one version of a file from the next without reading it; `None` while the file is not there. The time of
/// the last change of mode or owner is part of it.
type Version = Option<[i128; 6]>;

/// The last good value of one or more files that belong together, with an alarm of its own.
pub(crate) struct Kept<T> {
    good: T,
    files: Vec<PathBuf>,
    seen: Vec<Version>,
    alarm: Alarm,
}

impl<T> Kept<T> {
    /// Reads for the first time. `what` names the alarm.
    ///
    /// # Errors
    /// Those of `read`.
    pub(crate) fn read(
        what: String,
        files: &[&Located<PathBuf>],
        read: impl FnOnce() -> Result<T, Problem>,
    ) -> Result<Kept<T>, Problem> {
        let files: Vec<PathBuf> = files.iter().map(|file| file.value.clone()).collect();
        // Before the reading: what changes meanwhile is read again.
        let seen = files.iter().map(version).collect();
        Ok(Kept { good: read()?, files, seen, alarm: Alarm::new(what) })
    }

    /// What is in force.
    pub(crate) fn good(&self) -> &T {
        &self.good
    }

    /// Reads again when a file has changed, and as long as the alarm stands. `read` is given what is in force; what it
    /// returns is from then on. Says whether there is something new.
    pub(crate) fn look(
        &mut self,
        metrics: &Metrics,
        read: impl FnOnce(&T) -> Result<T, Problem>,
    ) -> Option<&T> {
        let now: Vec<Version> = self.files.iter().map(version).collect();
        let changed = now != self.seen;
        if !changed && !self.alarm.stands() {
            return None;
        }
        self.seen = now;
        match read(&self.good) {
            Ok(good) => {
                self.good = good;
                self.alarm.clear(metrics);
                tracing::info!(what = self.alarm.what, "re-read");
                Some(&self.good)
            }
            Err(problem) => {
                if changed {
                    self.alarm.forget();
                }
                self.alarm.raise(metrics, format!("{problem}; what was in force stays so"));
                None
            }
        }
    }
}

/// An alarm: a metric, and an error in the log whenever what is wrong is something else than before.
pub(crate) struct Alarm {
    what: String,
    said: Option<String>,
    stands: bool,
}

impl Alarm {
    /// An alarm of this name, not raised.
    pub(crate) fn new(what: impl Into<String>) -> Alarm {
        Alarm { what: what.into(), said: None, stands: false }
    }

    /// Raised for `Some`, cleared for `None`.
    pub(crate) fn settle(&mut self, metrics: &Metrics, problem: Option<String>) {
        match problem {
            Some(problem) => self.raise(metrics, problem),
            None => self.clear(metrics),
        }
    }

    fn stands(&self) -> bool {
        self.stands
    }

    fn raise(&mut self, metrics: &Metrics, problem: String) {
        self.stands = true;
        metrics.raise(&self.what);
        if self.said.as_ref() != Some(&problem) {
            tracing::error!(what = self.what, problem, "an alarm is raised");
            self.said = Some(problem);
        }
    }

    fn clear(&mut self, metrics: &Metrics) {
        if self.stands {
            tracing::info!(what = self.what, "the alarm is over");
            metrics.clear(&self.what);
        }
        self.forget();
        self.stands = false;
    }

    /// The next problem is logged even if it is the same.
    fn forget(&mut self) {
        self.said = None;
    }
}

fn version(path: &PathBuf) -> Version {
    let metadata = fs::metadata(path).ok()?;
    Some([
        metadata.ino().into(),
        metadata.len().into(),
        metadata.mtime().into(),
        metadata.mtime_nsec().into(),
        metadata.ctime().into(),
        metadata.ctime_nsec().into(),
    ])
}
