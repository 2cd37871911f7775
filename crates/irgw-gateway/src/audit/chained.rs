//! The file of the audit log: each batch is sealed behind the one before it, whatever others do to the file.

use std::cmp::Ordering;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::seal::{Note, Seal, SealKey, SealLine};

/// What may stand behind the last seal at start. A crash leaves one batch at most, which is far less.
const TAIL_BYTES: u64 = 32 << 20;

/// The file, and the seal that the next batch continues.
#[derive(Debug)]
pub(super) struct Chained {
    pub(super) path: PathBuf,
    file: File,
    key: SealKey,
    /// The seal that the next batch is sealed behind.
    previous: Seal,
    /// How long the file is, unless somebody else has changed it.
    end: u64,
    /// Whether somebody else has.
    pub(super) disturbed: bool,
}

impl Chained {
    /// Opens the file, makes it where it is missing, and seals what an earlier process left unsealed, marked so.
    pub(super) fn open(path: &Path, key: SealKey) -> io::Result<Chained> {
        let file = open(path)?;
        let end = file.metadata()?.len();
        let path = path.to_owned();
        let mut chained = Chained { path, file, key, previous: Seal::START, end, disturbed: false };
        if end == 0 {
            chained.carry_on(0)?;
            return Ok(chained);
        }
        let tail = chained.find_seal()?;
        if !tail.is_empty() {
            let lines = chained.recover(&tail)?;
            tracing::warn!(file = %chained.path.display(), lines,
                "the audit log ended in lines without a seal; they are kept, and marked as recovered");
        }
        Ok(chained)
    }

    /// Writes a batch and its seal.
    pub(super) fn append(&mut self, bytes: &[u8], records: u64) -> io::Result<()> {
        self.look()?;
        self.seal(self.end, &[], bytes, records)
    }

    /// Tells the log of the process where the chain stands: a copy of the seal that the file's writer cannot change.
    pub(super) fn tell(&self) {
        tracing::info!(file = %self.path.display(), seal = %self.previous, "the audit log is sealed");
    }

    /// Looks at what others did to the file since the last batch, and says so when the chain goes on behind it.
    fn look(&mut self) -> io::Result<()> {
        if !self.is_in_place()? {
            return self.reopen();
        }
        let (length, was, seal) = (self.file.metadata()?.len(), self.end, self.previous);
        match length.cmp(&was) {
            Ordering::Equal => return Ok(()),
            Ordering::Greater => {
                let mut tail = vec![0; tail_length(length - was)?];
                self.file.read_exact_at(&mut tail, was)?;
                self.recover(&tail)?;
            }
            Ordering::Less => self.carry_on(length)?,
        }
        self.disturbed = true;
        let file = self.path.display();
        tracing::error!(%file, length, was, %seal, "somebody else cut the audit log or wrote to it behind this seal");
        Ok(())
    }

    fn is_in_place(&self) -> io::Result<bool> {
        let ours = self.file.metadata()?;
        match std::fs::metadata(&self.path) {
            Ok(found) => Ok((found.dev(), found.ino()) == (ours.dev(), ours.ino())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Goes on in the file that has the path now: the old one was moved away, or removed.
    fn reopen(&mut self) -> io::Result<()> {
        let (file, seal) = (open(&self.path)?, self.previous);
        let length = file.metadata()?.len();
        let before = std::mem::replace(&mut self.file, file);
        if let Err(error) = self.carry_on(length) {
            self.file = before;
            return Err(error);
        }
        let file = self.path.display();
        if length == 0 {
            tracing::info!(%file, %seal, "the audit log was moved away, sealed up to here, and goes on in a new file");
        } else {
            self.disturbed = true;
            tracing::error!(%file, %seal, "the audit log was moved away, and goes on in a file that is not empty");
        }
        Ok(())
    }

    /// Goes on with the chain at the end of a file that does not end in its last seal.
    fn carry_on(&mut self, mut length: u64) -> io::Result<()> {
        let mut last = [b'\n'];
        if length > 0 {
            self.file.read_exact_at(&mut last, length - 1)?;
        }
        if last != [b'\n'] {
            self.file.write_all(b"\n")?;
            length += 1;
        }
        self.seal(length, &[], &Note::Continues(self.previous).line(), 0)
    }

    /// Seals what stands behind the last seal, and says of it that it was found so. Returns how many lines it is.
    fn recover(&mut self, tail: &[u8]) -> io::Result<u64> {
        let note = |lines| Note::Recovered(lines).line();
        let lines = tail.split_inclusive(|byte| *byte == b'\n').count();
        let lines = u64::try_from(lines).unwrap_or(u64::MAX);
        // A line that was cut short stays, as evidence, and what follows gets a line of its own.
        let bytes = if tail.ends_with(b"\n") { note(lines) } else { [b"\n", &*note(lines)].concat() };
        self.seal(self.end + size(tail), tail, &bytes, 0)?;
        Ok(lines)
    }

    /// Writes `bytes` at `length`, where the file ends, and their seal, which covers `standing` before them.
    fn seal(&mut self, length: u64, standing: &[u8], bytes: &[u8], records: u64) -> io::Result<()> {
        let mut context = self.previous.context();
        context.update(standing);
        context.update(bytes);
        let seal = Seal::from(context);
        let batch = [bytes, &self.key.line(seal, records)].concat();
        if let Err(error) = self.file.write_all(&batch).and_then(|()| self.file.sync_data()) {
            // Half a batch is of no use. Where it cannot be cut off, the next look finds it and keeps it, marked.
            let _ = self.file.set_len(length);
            return Err(error);
        }
        (self.end, self.previous) = (length + size(&batch), seal);
        Ok(())
    }

    /// Finds the last seal, reading from the end, and returns what stands behind it.
    fn find_seal(&mut self) -> io::Result<Vec<u8>> {
        let length = self.end;
        let mut window = 64 * 1024;
        loop {
            // Twice as much each time, so that no byte is read more than twice on the whole.
            let start = length.saturating_sub(window);
            let mut tail = Vec::new();
            self.file.seek(SeekFrom::Start(start))?;
            Read::by_ref(&mut self.file).take(length - start).read_to_end(&mut tail)?;
            let mut end = tail.len();
            for line in tail.split_inclusive(|byte| *byte == b'\n').rev() {
                if let Some(found) = SealLine::read(line) {
                    if !self.key.vouches_for(&found) {
                        return Err(io::Error::other(
                            "another key made its last seal; put that key back, or move the log away",
                        ));
                    }
                    if !line.ends_with(b"\n") {
                        self.file.write_all(b"\n")?;
                        self.end += 1;
                    }
                    self.previous = found.seal;
                    let tail = tail.split_off(end);
                    self.end -= size(&tail);
                    return Ok(tail);
                }
                end -= line.len();
            }
            if start == 0 {
                let first = tail.split_inclusive(|byte| *byte == b'\n').next();
                if let Some(Note::Continues(seal)) = first.and_then(Note::read) {
                    self.previous = seal;
                }
                self.end = 0;
                return Ok(tail);
            }
            tail_length(window)?;
            window *= 2;
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    file.try_lock()
        .map_err(|_| io::Error::new(ErrorKind::WouldBlock, "another process writes this audit log"))?;
    Ok(file)
}

fn tail_length(length: u64) -> io::Result<usize> {
    match usize::try_from(length) {
        Ok(bytes) if length <= TAIL_BYTES => Ok(bytes),
        _ => Err(io::Error::other("more stands behind its last seal than a gateway leaves; move it away")),
    }
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::{Broken, Verified, Verifier};
    use super::*;
    use std::fs;

    const RECORD: &[u8] = b"{\"time\":\"2026-03-01T09:00:00.000Z\",\"decision\":\"refused\"}\n";

    impl Chained {
        /// A file that is not looked at first.
        pub(in super::super) fn at(path: &Path, key: SealKey) -> Chained {
            let file = open(path).unwrap();
            Chained { path: path.into(), file, key, previous: Seal::START, end: 0, disturbed: false }
        }
    }

    fn key() -> SealKey {
        SealKey::new(&[7; 32])
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        (folder, path)
    }

    fn write(path: &Path, records: u64) {
        let mut log = Chained::open(path, key()).unwrap();
        (0..records).for_each(|_| log.append(RECORD, 1).unwrap());
    }

    fn verify(paths: &[&Path]) -> Result<Verified, Broken> {
        let mut verifier = Verifier::new(Some(key()), None);
        paths.iter().try_for_each(|path| verifier.file(fs::read(path).unwrap().as_slice()))?;
        Ok(verifier.verified().clone())
    }

    fn append(path: &Path, bytes: &[u8]) {
        OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
    }

    /// A log whose seal had lost its line feed alone was "changed" for ever.
    #[test]
    fn crash_at_any_byte_leaves_a_log_that_verifies_and_goes_on() {
        let (_folder, path) = folder();
        write(&path, 1);
        let moved = path.with_extension("1");
        let mut log = Chained::open(&path, key()).unwrap();
        log.append(RECORD, 1).unwrap();
        let before = fs::metadata(&path).unwrap().len();
        log.append(RECORD, 1).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in before..=size(&whole) {
            let cut = &whole[..usize::try_from(length).unwrap()];
            fs::write(&moved, cut).unwrap();
            write(&moved, 1);
            let verified = verify(&[&moved]).unwrap_or_else(|broken| panic!("{length}: {broken}"));
            let is_sealed = length + 1 >= size(&whole);
            assert_eq!(verified.records, if is_sealed { 4 } else { 3 }, "{length}");
            assert_eq!(verified.recovered > 0, !is_sealed && length > before, "{length}");
            assert!(fs::read(&moved).unwrap().starts_with(cut), "{length}");
        }
    }

    #[test]
    fn crash_at_any_byte_of_a_new_file_keeps_the_chain() {
        let (_folder, path) = folder();
        let mut log = Chained::open(&path, key()).unwrap();
        log.append(RECORD, 1).unwrap();
        let old = path.with_extension("1");
        fs::rename(&path, &old).unwrap();
        log.append(RECORD, 1).unwrap();
        drop(log);
        let whole = fs::read(&path).unwrap();
        for length in 1..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            write(&path, 1);
            let verified = verify(&[&old, &path]);
            // Within the first line nothing is known of the chain yet.
            let knows = whole[..length].contains(&b'}');
            assert_eq!(verified.is_ok(), knows, "{length}: {verified:?}");
        }
    }

    /// A record that was forged while the gateway was stopped was sealed as if the gateway had made it.
    #[test]
    fn lines_that_are_found_unsealed_are_kept_and_marked() {
        let (_folder, path) = folder();
        write(&path, 1);
        append(&path, RECORD);
        append(&path, b"not a record\n{\"recovered\":2}\n");
        write(&path, 1);
        let verified = verify(&[&path]).unwrap();
        assert_eq!((verified.records, verified.recovered, verified.unsealed), (2, 3, 0));
        assert!(fs::read_to_string(&path).unwrap().contains("{\"recovered\":3}\n"));
    }

    #[test]
    fn log_of_another_key_is_not_continued() {
        let (_folder, path) = folder();
        write(&path, 1);
        let error = Chained::open(&path, SealKey::new(&[8; 32])).unwrap_err();
        assert!(error.to_string().contains("another key"), "{error}");
    }

    /// Reading the whole tail again for each further 64 KiB took time by the square.
    #[test]
    fn last_seal_is_found_before_a_long_tail() {
        let (_folder, path) = folder();
        write(&path, 1);
        append(&path, &vec![b'x'; 4 << 20]);
        write(&path, 1);
        let verified = verify(&[&path]).unwrap();
        assert_eq!((verified.records, verified.recovered), (2, 1));
        OpenOptions::new().write(true).open(&path).unwrap().set_len(80 << 20).unwrap();
        assert!(Chained::open(&path, key()).is_err());
    }

    #[test]
    fn moved_log_goes_on_in_a_new_file_that_names_the_seal() {
        let (_folder, path) = folder();
        let mut log = Chained::open(&path, key()).unwrap();
        log.append(RECORD, 1).unwrap();
        let old = path.with_extension("1");
        fs::rename(&path, &old).unwrap();
        log.append(RECORD, 1).unwrap();
        log.append(RECORD, 1).unwrap();
        assert!(!log.disturbed);
        assert_eq!(verify(&[&old, &path]).unwrap().records, 3);
        assert_eq!(verify(&[&path]).unwrap().continues, verify(&[&old]).unwrap().last_seal);
        fs::remove_file(&path).unwrap();
        log.append(RECORD, 1).unwrap();
        assert!(matches!(verify(&[&old, &path]), Err(Broken::Gap { line: 1 })));
        drop(log);
        write(&path, 1);
        assert_eq!(verify(&[&path]).unwrap().records, 2);
    }

    #[test]
    fn copied_and_emptied_log_goes_on_without_a_hole_and_says_so() {
        let (_folder, path) = folder();
        let mut log = Chained::open(&path, key()).unwrap();
        log.append(RECORD, 1).unwrap();
        let old = path.with_extension("1");
        fs::copy(&path, &old).unwrap();
        fs::write(&path, b"").unwrap();
        log.append(RECORD, 1).unwrap();
        assert!(log.disturbed);
        assert!(!fs::read(&path).unwrap().contains(&0));
        assert_eq!(verify(&[&old, &path]).unwrap().records, 2);
    }

    #[test]
    fn log_that_is_cut_while_it_is_written_shows_the_gap() {
        let (_folder, path) = folder();
        let mut log = Chained::open(&path, key()).unwrap();
        let first = fs::metadata(&path).unwrap().len();
        log.append(RECORD, 1).unwrap();
        for length in [first, first + 5] {
            OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
            log.disturbed = false;
            log.append(RECORD, 1).unwrap();
            assert!(log.disturbed);
            assert!(verify(&[&path]).is_err(), "{length}");
        }
    }

    #[test]
    fn lines_of_somebody_else_are_kept_and_marked_while_it_is_written() {
        let (_folder, path) = folder();
        let mut log = Chained::open(&path, key()).unwrap();
        append(&path, b"foreign");
        log.append(RECORD, 1).unwrap();
        assert!(log.disturbed);
        let verified = verify(&[&path]).unwrap();
        assert_eq!((verified.records, verified.recovered), (1, 1));
    }

    #[test]
    fn other_file_in_the_logs_place_is_kept_and_does_not_verify() {
        let (_folder, path) = folder();
        let mut log = Chained::open(&path, key()).unwrap();
        let earlier = path.with_extension("1");
        fs::copy(&path, &earlier).unwrap();
        log.append(RECORD, 1).unwrap();
        fs::rename(&earlier, &path).unwrap();
        log.append(RECORD, 1).unwrap();
        assert!(log.disturbed);
        assert!(matches!(verify(&[&path]), Err(Broken::Gap { line: 3 })));
    }
}
