//! Makes a set: members go in, zips and their control file come out (FILE-1 to FILE-3).

use std::collections::BTreeSet;
use std::io::{self, BufReader, Read, Seek, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::count::{CountError, count};
use super::{
    ChildFile, ControlFile, ControlName, Counts, Feed, FileTransfer, MemberName, Run, Stem, Subject, Summary,
    Timestamp, ZipName,
};

mod fault;

pub use fault::BuildFault;

/// When a zip is full and the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildLimits {
    /// The most members of a zip, summaries aside. More than 60,000 counts as 60,000: a zip that is read has fewer than 65,535.
    pub members: usize,
    /// A zip takes no further member once those it has are this many bytes long, before compression.
    pub bytes: u64,
}

impl Default for BuildLimits {
    /// 10,000 members, 1 GiB.
    fn default() -> BuildLimits {
        BuildLimits { members: 10_000, bytes: 1 << 30 }
    }
}

/// Builds the zips of one set, one behind the other, each member streamed through once.
///
/// The same members in the same order give the same bytes: entries carry no time. What the control file says of a member is
/// counted from its content, in the same way in which a receiver counts it.
///
/// ```
/// use std::io::Cursor;
/// use irgw_sftp::fileset::{BuildLimits, SetBuilder, ZipName};
///
/// let first: ZipName = "DAILY_PROVIDER_1500131086_0_201908220930305850_NZT.zip".parse()?;
/// let mut set = SetBuilder::new(first.0, BuildLimits::default(), |_| Ok(Cursor::new(Vec::new())));
/// let member = "DAILY_CUSTOMER_0_201908220930307257_NZT.xml".parse()?;
/// set.add(member, &b"<Customers><Period><Tx/></Period></Customers>"[..])?;
/// let built = set.finish("201908220930308507".parse()?)?;
/// assert_eq!(
///     built.control_name.to_string(),
///     "DAILY_PROVIDER_1500131086_1_201908220930308507_NZT_CONTROL.xml"
/// );
/// assert_eq!(built.control.totals().records, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SetBuilder<W: Write + Seek, O> {
    /// Of the zip that is being written, or will be next.
    stem: Stem,
    limits: BuildLimits,
    open: O,
    /// Of all members so far.
    names: BTreeSet<MemberName>,
    current: Option<Zip<W>>,
    full: Vec<(FileTransfer, W)>,
    is_broken: bool,
}

/// The zip that is being written.
struct Zip<W: Write + Seek> {
    writer: ZipWriter<W>,
    children: Vec<ChildFile>,
    bytes: u64,
}

/// A set that was built.
#[derive(Debug)]
pub struct BuiltSet<W> {
    /// The control file's name.
    pub control_name: ControlName,
    /// The control file.
    pub control: ControlFile,
    /// What the zips were written to, in the order of the control file.
    pub zips: Vec<(ZipName, W)>,
}

impl<W: Write + Seek, O: FnMut(&ZipName) -> io::Result<W>> SetBuilder<W, O> {
    /// Begins a set whose first zip has this stem; in the transaction-data feed its sequence is set to 0 (FILE-1).
    ///
    /// `open` is asked for each zip's file when its first member comes.
    pub fn new(mut stem: Stem, limits: BuildLimits, open: O) -> SetBuilder<W, O> {
        stem.run = numbered(stem.run, 0);
        SetBuilder {
            stem,
            limits,
            open,
            names: BTreeSet::new(),
            current: None,
            full: Vec::new(),
            is_broken: false,
        }
    }

    /// Adds a member, to a new zip if the current one is full, and says what it holds.
    ///
    /// # Errors
    /// When it is not of the set, is no XML that can be counted, or cannot be read or written; and in the return-status feed when
    /// there is no room, since its names do not number zips. The set cannot be finished then.
    pub fn add(&mut self, name: MemberName, content: impl Read) -> Result<Counts, BuildFault> {
        let is_full = |zip: &Zip<W>| {
            zip.children.len() >= self.limits.members.min(MEMBER_LIMIT) || zip.bytes >= self.limits.bytes
        };
        if self.current.as_ref().is_some_and(is_full) {
            self.close()?;
            if self.stem.run.series().feed() == Feed::ReturnStatus {
                return Err(self.broken(BuildFault::Full));
            }
            self.stem.run = numbered(self.stem.run, self.full.len());
        }
        self.write(name, content)
    }

    /// Adds a summary to the zip that is being written, and never begins a further one for it: call it after the last member,
    /// so that the summary is in the last zip (FILE-1). It has the zip's own name, as in the samples.
    ///
    /// # Errors
    /// As [`SetBuilder::add`].
    pub fn add_summary(&mut self, summary: Summary, content: impl Read) -> Result<Counts, BuildFault> {
        let Stem { platform, run, timestamp, environment } = self.stem;
        let name = MemberName::new(Subject::Summary(platform, summary), run, timestamp, environment);
        match name {
            Ok(name) => self.write(name, content),
            Err(fault) => Err(self.broken(BuildFault::Name(fault))),
        }
    }

    /// Ends the set, with the time at which its control file is made.
    ///
    /// # Errors
    /// When an earlier step failed, nothing was added, or the last zip cannot be written.
    pub fn finish(mut self, timestamp: Timestamp) -> Result<BuiltSet<W>, BuildFault> {
        if self.is_broken {
            return Err(BuildFault::Broken);
        }
        self.close()?;
        let (transfers, files): (Vec<_>, Vec<_>) = self.full.into_iter().unzip();
        let run = numbered(self.stem.run, transfers.len());
        let control = ControlFile::new(transfers).map_err(BuildFault::Control)?;
        let names = control.transfers().iter().map(|transfer| transfer.name);
        let zips = names.zip(files).collect();
        let control_name = ControlName(Stem { run, timestamp, ..self.stem });
        Ok(BuiltSet { control_name, control, zips })
    }

    fn write(&mut self, name: MemberName, content: impl Read) -> Result<Counts, BuildFault> {
        if self.is_broken {
            return Err(BuildFault::Broken);
        }
        if !name.is_of(&self.stem.set_id()) {
            return Err(self.broken(BuildFault::OtherSet(name)));
        }
        if !self.names.insert(name) {
            return Err(self.broken(BuildFault::Twice(name)));
        }
        self.copy(name, content).map_err(|fault| self.broken(fault))
    }

    fn copy(&mut self, name: MemberName, content: impl Read) -> Result<Counts, BuildFault> {
        let zip = match &mut self.current {
            Some(zip) => zip,
            None => {
                let file =
                    (self.open)(&ZipName(self.stem)).map_err(|error| BuildFault::Write(error.kind()))?;
                self.current.insert(Zip { writer: ZipWriter::new(file), children: Vec::new(), bytes: 0 })
            }
        };
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::DEFAULT);
        zip.writer.start_file(name.to_string(), options).map_err(|error| write_fault(&error))?;
        let mut copying = Copying { from: content, to: &mut zip.writer, bytes: zip.bytes, fault: None };
        let counted = count(BufReader::new(&mut copying), self.stem.run.series().feed());
        let (bytes, fault) = (copying.bytes, copying.fault);
        let counts = match (fault, counted) {
            (Some(fault), _) => return Err(fault),
            (None, Ok(counts)) => counts,
            (None, Err(CountError::Content(fault))) => return Err(BuildFault::Content { name, fault }),
            (None, Err(CountError::Read(error))) => return Err(BuildFault::Read(error.kind())),
        };
        zip.bytes = bytes;
        zip.children.push(ChildFile { name, counts });
        Ok(counts)
    }

    fn close(&mut self) -> Result<(), BuildFault> {
        let Some(zip) = self.current.take() else { return Ok(()) };
        let counts = Counts::sum(zip.children.iter().map(|child| child.counts));
        let Some(counts) = counts else { return Err(self.broken(BuildFault::TooMany)) };
        let transfer = FileTransfer { name: ZipName(self.stem), counts, children: zip.children };
        match zip.writer.finish() {
            Ok(file) => self.full.push((transfer, file)),
            Err(error) => return Err(self.broken(write_fault(&error))),
        }
        Ok(())
    }

    fn broken(&mut self, fault: BuildFault) -> BuildFault {
        self.is_broken = true;
        fault
    }
}

/// The same run, with this sequence where the feed has one.
fn numbered(run: Run, number: usize) -> Run {
    match run {
        Run::TransactionData { frequency, .. } => {
            Run::TransactionData { frequency, sequence: u32::try_from(number).unwrap_or(u32::MAX) }
        }
        run @ Run::ReturnStatus { .. } => run,
    }
}

fn write_fault(error: &zip::result::ZipError) -> BuildFault {
    match error {
        zip::result::ZipError::Io(error) => BuildFault::Write(error.kind()),
        _ => BuildFault::Write(io::ErrorKind::Other),
    }
}

/// Writes down what is read through it.
struct Copying<'a, R, W> {
    from: R,
    to: &'a mut W,
    /// What the zip holds, before compression.
    bytes: u64,
    fault: Option<BuildFault>,
}

impl<R: Read, W: Write> Read for Copying<'_, R, W> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(into).inspect_err(|error| {
            // An interrupted read is tried again by the reader above.
            if error.kind() != io::ErrorKind::Interrupted {
                self.fault = Some(BuildFault::Read(error.kind()));
            }
        })?;
        self.bytes = self.bytes.saturating_add(length as u64);
        if self.bytes > ZIP_LIMIT_BYTES {
            self.fault = Some(BuildFault::TooLarge);
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let bytes = into.get(..length).unwrap_or_default();
        self.to.write_all(bytes).inspect_err(|error| self.fault = Some(BuildFault::Write(error.kind())))?;
        Ok(length)
    }
}

/// With the three summaries, well below the 65,535 members from which on a zip is a Zip64 archive.
const MEMBER_LIMIT: usize = 60_000;

/// Before compression, which adds a thousandth at worst, so well below the 4 GiB from which on a zip is a Zip64 archive.
const ZIP_LIMIT_BYTES: u64 = 0xf000_0000;
