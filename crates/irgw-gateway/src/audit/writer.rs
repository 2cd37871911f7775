//! The thread that writes the audit log, and the buffer that it is handed records in.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use irgw_core::Record;
use tokio::sync::Notify;

use super::chained::Chained;
use super::line;
use super::seal::SealKey;

/// A buffer this full is written at once.
const BATCH_BYTES: usize = 1024 * 1024;
/// A record waits this long at most.
const BATCH_DELAY: Duration = Duration::from_millis(100);
/// Requests wait for room behind a buffer this full.
const FULL_BYTES: usize = 8 * 1024 * 1024;
/// The log of the process is told the last seal this often, and at the end.
const TELL_EVERY: Duration = Duration::from_secs(600);

/// The audit log (GW-6). Cheap to clone; the log is flushed and closed by [`AuditLog::close`].
#[derive(Debug, Clone)]
pub struct AuditLog {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    due: Condvar,
    /// A batch is in the file.
    room: Notify,
    /// How many records are in the file, of those that this process took.
    written: AtomicU64,
    failing: AtomicBool,
    disturbed: AtomicBool,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    records: u64,
    /// How many there have been.
    taken: u64,
    /// Somebody waits for them.
    hurried: bool,
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
    /// What an earlier process wrote and did not seal is kept, and marked as recovered.
    ///
    /// # Errors
    /// When the file cannot be opened, read, locked or written; another process that writes the same log, and a last seal of
    /// another key, are such errors.
    pub fn open(path: &Path, key: SealKey) -> io::Result<AuditLog> {
        let file = Chained::open(path, key)?;
        let shared = Arc::new(Shared::default());
        let for_writer = shared.clone();
        let writer = std::thread::Builder::new().name("audit".into()).spawn(move || {
            write(&for_writer, file);
            // Nobody waits for what nobody writes.
            for_writer.written.store(u64::MAX, Ordering::Release);
            for_writer.room.notify_waiters();
        })?;
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
        pending.taken += 1;
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

    /// Waits until what was recorded before is in the file, for somebody whose next step says that it is; or until the log is closed,
    /// when the rest has gone to the log of errors.
    pub async fn written(&self) {
        let wanted = {
            let mut pending = self.shared.pending();
            pending.hurried = true;
            pending.taken
        };
        self.shared.due.notify_one();
        loop {
            // Register before looking, so that what is written in between is not missed.
            let batch = self.shared.room.notified();
            if self.shared.written.load(Ordering::Acquire) >= wanted {
                return;
            }
            batch.await;
        }
    }

    /// Whether the last write failed; it is tried again all the time.
    pub fn is_failing(&self) -> bool {
        self.shared.failing.load(Ordering::Relaxed)
    }

    /// Whether somebody else has cut the file, written to it, or put another in its place, since this process opened it.
    pub fn is_disturbed(&self) -> bool {
        self.shared.disturbed.load(Ordering::Relaxed)
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
    let mut told = Instant::now();
    // The batch before, emptied: requests append to memory that is there, not to a buffer that grows under their lock.
    let mut spare = Vec::new();
    loop {
        let pending = shared.pending();
        let wait =
            |pending: &mut Pending| pending.bytes.len() < BATCH_BYTES && !pending.closing && !pending.hurried;
        let (mut pending, _) =
            shared.due.wait_timeout_while(pending, BATCH_DELAY, wait).unwrap_or_else(PoisonError::into_inner);
        let closing = pending.closing;
        let records = std::mem::take(&mut pending.records);
        pending.hurried = false;
        if pending.bytes.is_empty() {
            if closing {
                drop(pending);
                return file.tell();
            }
            continue;
        }
        let mut bytes = std::mem::replace(&mut pending.bytes, std::mem::take(&mut spare));
        drop(pending);
        if !persist(shared, &mut file, &bytes, records) {
            // `close` gives up what came since.
            give_up(&bytes);
            return file.tell();
        }
        shared.written.fetch_add(records, Ordering::Release);
        shared.room.notify_waiters();
        if bytes.capacity() <= 2 * BATCH_BYTES {
            bytes.clear();
            spare = bytes;
        }
        if told.elapsed() >= TELL_EVERY {
            file.tell();
            told = Instant::now();
        }
    }
}

/// Writes a batch, trying again until it is written; `false`: not within a second, and the log is being closed.
fn persist(shared: &Shared, file: &mut Chained, bytes: &[u8], records: u64) -> bool {
    let mut tries = 0;
    loop {
        let written = file.append(bytes, records);
        shared.disturbed.fetch_or(file.disturbed, Ordering::Relaxed);
        match written {
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

#[cfg(test)]
mod tests {
    use super::super::{Broken, Verified, Verifier};
    use super::*;
    use irgw_core::{Channel, Origin};
    use std::io::Write;
    use std::path::PathBuf;

    fn key() -> SealKey {
        SealKey::new(&[7; 32])
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        (folder, path)
    }

    fn record(id: &str) -> Record {
        let origin = Origin::new("192.0.2.7:5000".parse().unwrap(), Channel::Cloud);
        Record::new(Duration::from_secs(1), origin, id.into())
    }

    fn run(path: &Path, ids: &[&str]) {
        let log = AuditLog::open(path, key()).unwrap();
        ids.iter().for_each(|id| log.record(&record(id)));
        log.close();
    }

    fn verify(path: &Path) -> Result<Verified, Broken> {
        let mut verifier = Verifier::new(Some(key()), None);
        verifier.file(std::fs::read(path).unwrap().as_slice())?;
        Ok(verifier.verified().clone())
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

    #[test]
    fn every_record_is_written_and_sealed_over_restarts() {
        let (_folder, path) = folder();
        run(&path, &["a", "b"]);
        run(&path, &[]);
        run(&path, &["c"]);
        let verified = verify(&path).unwrap();
        assert_eq!((verified.records, verified.unsealed, verified.recovered), (3, 0, 0));
    }

    /// GW-6: only the batch under way was logged when the disk was full at the end; what had come since was lost.
    #[test]
    fn every_record_goes_to_the_log_of_errors_when_the_disk_is_full_at_the_end() {
        let log = AuditLog { shared: Arc::default() };
        let told = logged(|| {
            log.record(&record("in-the-batch"));
            log.shared.pending().closing = true;
            let full = Chained::at(Path::new("/dev/full"), key());
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

    #[tokio::test]
    async fn what_is_waited_for_is_in_the_file() {
        let (_folder, path) = folder();
        let log = AuditLog::open(&path, key()).unwrap();
        for id in ["first", "second"] {
            log.record(&record(id));
            log.written().await;
            assert!(std::fs::read_to_string(&path).unwrap().contains(id));
        }
        log.close();
        log.record(&record("late"));
        log.written().await;
    }

    #[test]
    fn last_seal_is_told_at_the_end() {
        let (_folder, path) = folder();
        let log = AuditLog { shared: Arc::default() };
        log.record(&record("a"));
        log.shared.pending().closing = true;
        let told = logged(|| write(&log.shared, Chained::open(&path, key()).unwrap()));
        let seal = verify(&path).unwrap().last_seal.to_string();
        assert!(told.contains(&seal), "{told}");
    }

    #[test]
    fn what_others_do_to_the_file_is_an_alarm() {
        let (_folder, path) = folder();
        let log = AuditLog { shared: Arc::default() };
        let file = Chained::open(&path, key()).unwrap();
        std::fs::write(&path, b"").unwrap();
        log.record(&record("a"));
        log.shared.pending().closing = true;
        write(&log.shared, file);
        assert!(log.is_disturbed() && !log.is_failing());
    }

    #[test]
    fn second_writer_of_a_log_is_refused() {
        let (_folder, path) = folder();
        let first = AuditLog::open(&path, key()).unwrap();
        assert_eq!(AuditLog::open(&path, key()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        first.close();
    }

    #[test]
    fn log_is_readable_by_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, path) = folder();
        run(&path, &["a"]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn edited_log_does_not_verify() {
        let (_folder, path) = folder();
        run(&path, &["a", "b"]);
        let edited = std::fs::read_to_string(&path).unwrap().replace("\"refused\"", "\"admitted\"");
        std::fs::write(&path, edited).unwrap();
        assert!(matches!(verify(&path), Err(Broken::Seal { .. })));
    }
}
