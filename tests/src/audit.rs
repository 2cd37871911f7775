//! The audit log as a test sees it: a growing file of JSON lines.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Reads a growing audit log. What was read once is kept.
#[derive(Debug)]
pub(crate) struct AuditLog {
    path: PathBuf,
    read: Mutex<ReadSoFar>,
}

#[derive(Debug, Default)]
struct ReadSoFar {
    offset: u64,
    rest: Vec<u8>,
    records: Vec<Value>,
}

impl AuditLog {
    /// From here on: what the log already holds is of no interest.
    pub(crate) fn follow(path: &Path) -> AuditLog {
        let offset = std::fs::metadata(path).map(|metadata| metadata.len()).unwrap_or(0);
        AuditLog { path: path.to_owned(), read: Mutex::new(ReadSoFar { offset, ..ReadSoFar::default() }) }
    }

    /// How many records there are now: a place to look from.
    pub(crate) fn now(&self) -> usize {
        let mut read = self.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        read.more(&self.path);
        read.records.len()
    }

    /// Waits until `count` records after the place `since` fit, and returns them; fewer when the patience ends first.
    pub(crate) fn find(
        &self,
        since: usize,
        fits: impl Fn(&Value) -> bool,
        count: usize,
        patience: Duration,
    ) -> Vec<Value> {
        let deadline = Instant::now() + patience;
        loop {
            let found: Vec<Value> = {
                let mut read = self.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                read.more(&self.path);
                read.records.iter().skip(since).filter(|record| fits(record)).cloned().collect()
            };
            if found.len() >= count || Instant::now() >= deadline {
                return found;
            }
            // The gateway writes in batches; there is nothing to wake us.
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl ReadSoFar {
    fn more(&mut self, path: &Path) {
        let Ok(mut file) = File::open(path) else { return };
        // A log that begins anew is read from its beginning.
        if file.metadata().is_ok_and(|known| known.len() < self.offset) {
            self.offset = 0;
            self.rest.clear();
        }
        if file.seek(SeekFrom::Start(self.offset)).is_err() {
            return;
        }
        let mut bytes = Vec::new();
        let Ok(count) = file.read_to_end(&mut bytes) else { return };
        self.offset += u64::try_from(count).unwrap_or_default();
        self.rest.extend(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            // A line that is not JSON is kept as text, so that whoever looks for it sees that it is wrong.
            let record = serde_json::from_slice(&line);
            self.records
                .push(record.unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&line).into_owned())));
        }
    }
}
