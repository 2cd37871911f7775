//! The thread that writes the audit log, and the buffer that it is handed records in.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use irgw_core::Record;
use tokio::sync::Notify;

use super::line;
use super::seal::{START, SealLine, hex, seal};

/// A buffer this full is written at once.
const BATCH_BYTES: usize = 64 * 1024;
/// A record waits this long at most.
const BATCH_DELAY: Duration = Duration::from_millis(100);
/// Requests wait for room behind a buffer this full.
const FULL_BYTES: usize = 8 * 1024 * 1024;

/// The audit log (GW-6). Cheap to clone; the log is flushed and closed by [`AuditLog::close`].
#[derive(Debug, Clone)]
pub struct AuditLog {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    due: Condvar,
    room: Notify,
    failing: AtomicBool,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    records: u64,
    closing: bool,
    closed: bool,
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        // A panic while bytes are appended leaves at worst a broken line, which the next record must not follow silently;
        // appending whole lines keeps even that out.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuditLog {
    /// Opens the log for appending, makes it (0600) where it is missing, and starts the writer.
    ///
    /// What an earlier process wrote and did not seal is sealed with the first batch.
    ///
    /// # Errors
    /// When the file cannot be opened, read or locked; another process that writes the same log is such an error.
    pub fn open(path: &Path) -> io::Result<AuditLog> {
        let file = Chained::open(path)?;
        let shared = Arc::new(Shared::default());
        let for_writer = shared.clone();
        let writer =
            std::thread::Builder::new().name("audit".into()).spawn(move || write(&for_writer, file))?;
        *shared.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
        Ok(AuditLog { shared })
    }

    /// Takes a record. It is never dropped: what the file does not take before the end goes to the log of errors.
    pub fn record(&self, record: &Record) {
        let mut bytes = Vec::with_capacity(512);
        line::append(&mut bytes, record);
        let mut pending = self.shared.pending();
        if pending.closed {
            drop(pending);
            return give_up(&bytes);
        }
        pending.bytes.extend_from_slice(&bytes);
        pending.records += 1;
        if pending.bytes.len() >= BATCH_BYTES {
            self.shared.due.notify_one();
        }
    }

    /// Waits until there is room for another record: at once, unless the file takes none.
    pub async fn room(&self) {
        loop {
            // Register before looking, so that room made in between is not missed.
            let made = self.shared.room.notified();
            if self.shared.pending().bytes.len() < FULL_BYTES {
                return;
            }
            made.await;
        }
    }

    /// [`AuditLog::room`], with a bound.
    ///
    /// # Errors
    /// When there is none within `patience`.
    pub async fn room_within(&self, patience: Duration) -> Result<(), NoRoom> {
        tokio::time::timeout(patience, self.room()).await.map_err(|_| NoRoom)
    }

    /// Whether the last write failed; it is tried again all the time.
    pub fn is_failing(&self) -> bool {
        self.shared.failing.load(Ordering::Relaxed)
    }

    /// Writes what is pending and stops the writer; what cannot be written, and every later record, goes to the log of
    /// errors. Blocks.
    pub fn close(&self) {
        self.shared.pending().closing = true;
        self.shared.due.notify_one();
        let writer = self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && writer.join().is_err()
        {
            tracing::error!("the audit writer panicked");
        }
        let mut pending = self.shared.pending();
        pending.closed = true;
        give_up(&std::mem::take(&mut pending.bytes));
    }
}

/// The audit log takes no record at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the audit log takes no record")
    }
}

impl std::error::Error for NoRoom {}

/// The last resort: each record is an error of its own, which a collector of logs can read back.
fn give_up(records: &[u8]) {
    for record in String::from_utf8_lossy(records).lines() {
        tracing::error!(record, "an audit record that could not be written before the end");
    }
}

fn write(shared: &Shared, mut file: Chained) {
    loop {
        let pending = shared.pending();
        let wait = |pending: &mut Pending| pending.bytes.len() < BATCH_BYTES && !pending.closing;
        let (mut pending, _) =
            shared.due.wait_timeout_while(pending, BATCH_DELAY, wait).unwrap_or_else(PoisonError::into_inner);
        let closing = pending.closing;
        let records = std::mem::take(&mut pending.records);
        let bytes = std::mem::take(&mut pending.bytes);
        drop(pending);
        if bytes.is_empty() {
            if closing {
                return;
            }
            continue;
        }
        if !persist(shared, &mut file, &bytes, records) {
            // `close` gives up what came since.
            give_up(&bytes);
            return;
        }
        shared.room.notify_waiters();
    }
}

/// Writes a batch, trying again until it is written; `false`: not within a second, and the log is being closed.
fn persist(shared: &Shared, file: &mut Chained, bytes: &[u8], records: u64) -> bool {
    let mut tries = 0;
    loop {
        match file.append(bytes, records) {
            Ok(()) => {
                if shared.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!(file = %file.path.display(), "the audit log is written again");
                }
                return true;
            }
            Err(error) => {
                if !shared.failing.swap(true, Ordering::Relaxed) {
                    tracing::error!(file = %file.path.display(), %error, "the audit log cannot be written; requests will wait");
                }
                tries += 1;
                if shared.pending().closing && tries > 10 {
                    return false;
                }
                std::thread::sleep(BATCH_DELAY);
            }
        }
    }
}

/// The file, and the seal that the next batch continues.
#[derive(Debug)]
struct Chained {
    path: PathBuf,
    file: File,
    previous: [u8; 32],
    /// Where the last whole batch ends: a write that failed half-way is cut off here and written again.
    end: u64,
    /// Bytes and records behind the last seal that an earlier process left.
    unsealed: (Vec<u8>, u64),
}

impl Chained {
    fn open(path: &Path) -> io::Result<Chained> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        file.try_lock().map_err(|_| {
            io::Error::new(io::ErrorKind::WouldBlock, "another process writes this audit log")
        })?;
        let (previous, mut tail) = last_seal(&mut file)?;
        if tail.last().is_some_and(|byte| *byte != b'\n') {
            // A crash cut the last line short. It stays, as evidence, and the next record gets a line of its own.
            file.write_all(b"\n")?;
            tail.push(b'\n');
        }
        let records = tail.iter().filter(|byte| **byte == b'\n').count();
        let end = file.seek(SeekFrom::End(0))?;
        let unsealed = (tail, u64::try_from(records).unwrap_or(u64::MAX));
        Ok(Chained { path: path.to_owned(), file, previous, end, unsealed })
    }

    fn append(&mut self, bytes: &[u8], records: u64) -> io::Result<()> {
        let (tail, tail_records) = &self.unsealed;
        let next = match tail.is_empty() {
            true => seal(&self.previous, bytes),
            false => seal(&self.previous, &[tail, bytes].concat()),
        };
        let mut batch = Vec::with_capacity(bytes.len() + 128);
        batch.extend_from_slice(bytes);
        let line = SealLine { seal: hex(&next), records: records + tail_records };
        serde_json::to_writer(&mut batch, &line)?;
        batch.push(b'\n');
        self.file.set_len(self.end)?;
        self.file.write_all(&batch)?;
        self.file.sync_data()?;
        self.end += u64::try_from(batch.len()).unwrap_or(0);
        self.previous = next;
        self.unsealed = (Vec::new(), 0);
        Ok(())
    }
}

/// The last seal of the file and the bytes behind it, read from the end.
fn last_seal(file: &mut File) -> io::Result<([u8; 32], Vec<u8>)> {
    const STEP_BYTES: u64 = 64 * 1024;
    let length = file.seek(SeekFrom::End(0))?;
    let mut tail = Vec::new();
    let mut start = length;
    while start > 0 {
        let step = STEP_BYTES.min(start);
        start -= step;
        file.seek(SeekFrom::Start(start))?;
        let mut piece = Vec::new();
        Read::by_ref(file).take(step).read_to_end(&mut piece)?;
        piece.append(&mut tail);
        tail = piece;
        let mut end = tail.len();
        for line in tail.split_inclusive(|byte| *byte == b'\n').rev() {
            if let Ok(found) = serde_json::from_slice::<SealLine>(line)
                && line.ends_with(b"\n")
            {
                let seal = found.seal.parse::<irgw_core::Thumbprint>();
                let seal =
                    seal.map_err(|_| io::Error::other("the last seal of the audit log is not a seal"))?;
                return Ok((seal.0, tail.split_off(end)));
            }
            end -= line.len();
        }
    }
    Ok((START, tail))
}

#[cfg(test)]
mod tests {
    use super::super::{Broken, verify};
    use super::*;
    use irgw_core::{Channel, Origin};

    fn record(id: &str) -> Record {
        let origin = Origin::new("192.0.2.7:5000".parse().unwrap(), Channel::Cloud);
        Record::new(Duration::from_secs(1), origin, id.into())
    }

    fn run(path: &Path, ids: &[&str]) {
        let log = AuditLog::open(path).unwrap();
        ids.iter().for_each(|id| log.record(&record(id)));
        log.close();
    }

    #[test]
    fn every_record_is_written_and_sealed_over_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        run(&path, &["a", "b"]);
        run(&path, &[]);
        run(&path, &["c"]);
        let verified = verify(std::fs::read(&path).unwrap().as_slice()).unwrap();
        assert_eq!((verified.records, verified.unsealed), (3, 0));
    }

    #[test]
    fn line_that_a_crash_cut_short_stays_and_is_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        run(&path, &["a"]);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"time\":\"20").unwrap();
        run(&path, &["b"]);
        let text = std::fs::read(&path).unwrap();
        assert_eq!(verify(text.as_slice()).unwrap().records, 3);
        assert!(String::from_utf8(text).unwrap().contains("{\"time\":\"20\n"));
    }

    #[test]
    fn second_writer_of_a_log_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let first = AuditLog::open(&path).unwrap();
        assert_eq!(AuditLog::open(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        first.close();
    }

    #[test]
    fn log_is_readable_by_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        run(&path, &["a"]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn edited_log_does_not_verify() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        run(&path, &["a", "b"]);
        let edited = std::fs::read_to_string(&path).unwrap().replace("\"refused\"", "\"admitted\"");
        assert!(matches!(verify(edited.as_bytes()), Err(Broken::Seal { .. })));
    }
    /// A log whose file takes nothing, and no thread that tries.
    fn without_room() -> AuditLog {
        let pending = Mutex::new(Pending { bytes: vec![b' '; FULL_BYTES], ..Pending::default() });
        AuditLog { shared: Arc::new(Shared { pending, ..Shared::default() }) }
    }

    /// What is logged meanwhile on this thread.
    fn logged(act: impl FnOnce()) -> String {
        let written = Arc::new(Mutex::new(Vec::new()));
        #[derive(Clone)]
        struct Sink(Arc<Mutex<Vec<u8>>>);
        impl Write for Sink {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let sink = Sink(written.clone());
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || sink.clone()).finish();
        tracing::subscriber::with_default(subscriber, act);
        String::from_utf8(written.lock().unwrap().clone()).unwrap()
    }

    /// GW-6: only the batch under way was logged when the disk was full at the end; what had come since was lost.
    #[test]
    fn every_record_goes_to_the_log_of_errors_when_the_disk_is_full_at_the_end() {
        let log = AuditLog { shared: Arc::default() };
        let told = logged(|| {
            log.record(&record("in-the-batch"));
            log.shared.pending().closing = true;
            let full = Chained {
                path: "/dev/full".into(),
                file: OpenOptions::new().append(true).open("/dev/full").unwrap(),
                previous: START,
                end: 0,
                unsealed: (Vec::new(), 0),
            };
            // What comes while the writer tries: it has taken its batch before it can fail.
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !log.is_failing() {
                        std::thread::yield_now();
                    }
                    log.record(&record("behind-the-batch"));
                });
                write(&log.shared, full);
            });
            log.close();
            log.record(&record("after-the-end"));
        });
        for id in ["in-the-batch", "behind-the-batch", "after-the-end"] {
            assert_eq!(told.matches(id).count(), 1, "{id}\n{told}");
        }
        assert!(told.contains("ERROR"), "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_room_ends() {
        let log = without_room();
        assert_eq!(log.room_within(Duration::from_secs(2)).await, Err(NoRoom));
        log.shared.pending().bytes.clear();
        assert_eq!(log.room_within(Duration::from_secs(2)).await, Ok(()));
    }
}
