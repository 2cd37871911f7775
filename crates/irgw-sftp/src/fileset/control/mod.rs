//! The control file: which zips make up a set, what each holds, and how much of it (FILE-3).

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use super::{ControlName, Feed, MemberName, Run, SetId, ZipName};

mod fault;
mod read;

pub use fault::ControlFault;

/// How much a set, a zip or a member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Counts {
    /// Transactions, or returns in the return-status feed.
    pub records: u64,
    /// Periods.
    pub periods: u64,
}

impl Counts {
    /// The sum; `None` if it does not fit.
    pub(super) fn sum(mut counts: impl Iterator<Item = Counts>) -> Option<Counts> {
        counts.try_fold(Counts::default(), |sum, more| {
            let records = sum.records.checked_add(more.records)?;
            Some(Counts { records, periods: sum.periods.checked_add(more.periods)? })
        })
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records in {} periods", self.records, self.periods)
    }
}

/// One member of a zip, as a control file lists it: `ChildFile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChildFile {
    /// Its name.
    pub name: MemberName,
    /// What it holds.
    pub counts: Counts,
}

/// One zip, as a control file lists it: `FileTransfer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileTransfer {
    /// Its name.
    pub name: ZipName,
    /// What it holds: the sum over its members.
    pub counts: Counts,
    /// Its members, in the order of the control file, which is not that of the zip.
    pub children: Vec<ChildFile>,
}

/// A control file that agrees with itself (FILE-3).
///
/// It lists at least one zip. All zips are of one set and no two have one name; in the transaction-data feed their sequences are 0
/// and up without a gap (FILE-1). Every member's name fits the set, and none is there twice, in whichever zip. The counts of a
/// zip are the sum over its members, and the totals the sum over the zips.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlFile {
    set: SetId,
    totals: Counts,
    transfers: Vec<FileTransfer>,
}

impl ControlFile {
    /// The most bytes that are read: enough for 200,000 members.
    pub const LIMIT_BYTES: usize = 32 * 1024 * 1024;

    /// The most zips that a set may have.
    pub const ZIP_LIMIT: usize = 10_000;

    /// Makes the control file of these zips.
    ///
    /// # Errors
    /// When they cannot be one set.
    pub fn new(transfers: Vec<FileTransfer>) -> Result<ControlFile, ControlFault> {
        let first = transfers.first().ok_or(ControlFault::Empty)?;
        if transfers.len() > Self::ZIP_LIMIT {
            return Err(ControlFault::TooManyZips);
        }
        let set = first.name.0.set_id();
        let (mut zips, mut members) = (BTreeSet::new(), BTreeSet::new());
        for transfer in &transfers {
            if transfer.name.0.set_id() != set {
                return Err(ControlFault::OtherSet(transfer.name));
            }
            if !zips.insert(transfer.name) {
                return Err(ControlFault::ZipTwice(transfer.name));
            }
            for child in &transfer.children {
                if !child.name.is_of(&set) {
                    return Err(ControlFault::OtherSetMember(child.name));
                }
                if !members.insert(child.name) {
                    return Err(ControlFault::MemberTwice(child.name));
                }
            }
            if Counts::sum(transfer.children.iter().map(|child| child.counts)) != Some(transfer.counts) {
                return Err(ControlFault::ZipCounts(transfer.name));
            }
        }
        let sequences = zips.iter().map(|zip| sequence(zip.0.run));
        if !sequences.enumerate().all(|(at, sequence)| sequence.is_none_or(|sequence| sequence == at)) {
            return Err(ControlFault::Sequence);
        }
        let totals =
            Counts::sum(transfers.iter().map(|transfer| transfer.counts)).ok_or(ControlFault::Totals)?;
        Ok(ControlFile { set, totals, transfers })
    }

    /// Reads a control file.
    ///
    /// The shape is exactly this, with `TransactionCount` in the transaction-data feed and `ReturnCount` in the return-status feed:
    ///
    /// ```xml
    /// <?xml version="1.0"?>
    /// <FileTransfers TotalTransactionCount="4" TotalPeriodCount="1">
    ///   <FileTransfer FileName="DAILY_PROVIDER_1500131086_0_201908220930305850_NZT.zip" TransactionCount="4" PeriodCount="1">
    ///     <ChildFile FileName="DAILY_CUSTOMER_0_201908220930307257_NZT.xml" TransactionCount="4" PeriodCount="1" />
    ///   </FileTransfer>
    /// </FileTransfers>
    /// ```
    ///
    /// An element or an attribute that is not shown here is refused, declarations of namespace prefixes and comments aside: a
    /// receiver that skips what it does not know releases a set that was not what the sender described. There is no DTD, and no
    /// reference, since neither names nor counts ever need one. At most [`ControlFile::LIMIT_BYTES`] of UTF-8.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<ControlFile, ControlFault> {
        let (totals, transfers) = read::read(bytes)?;
        let control = ControlFile::new(transfers)?;
        if control.totals != totals.counts {
            return Err(ControlFault::Totals);
        }
        if control.set.series.feed() != totals.feed {
            return Err(ControlFault::OtherFeed);
        }
        Ok(control)
    }

    /// Prints the control file as IR prints it: two spaces a level, line feeds, none behind the last line.
    pub fn to_xml(&self) -> String {
        let mut xml = String::new();
        self.write_xml(&mut xml).expect("a string takes all that is written to it");
        xml
    }

    fn write_xml(&self, xml: &mut String) -> fmt::Result {
        let records = records_word(self.set.series.feed());
        let counts = |total: &str, counts: Counts| {
            format!(" {total}{records}=\"{}\" {total}PeriodCount=\"{}\"", counts.records, counts.periods)
        };
        writeln!(xml, "<?xml version=\"1.0\"?>")?;
        writeln!(xml, "<FileTransfers {NAMESPACES}{}>", counts("Total", self.totals))?;
        for zip in &self.transfers {
            writeln!(xml, "  <FileTransfer FileName=\"{}\"{}>", zip.name, counts("", zip.counts))?;
            for member in &zip.children {
                writeln!(xml, "    <ChildFile FileName=\"{}\"{} />", member.name, counts("", member.counts))?;
            }
            writeln!(xml, "  </FileTransfer>")?;
        }
        xml.write_str("</FileTransfers>")
    }

    /// What the names of the set's files have in common.
    pub fn set_id(&self) -> SetId {
        self.set
    }

    /// What the set holds.
    pub fn totals(&self) -> Counts {
        self.totals
    }

    /// The set's zips, in the order of the control file.
    pub fn transfers(&self) -> &[FileTransfer] {
        &self.transfers
    }

    /// The zip of this name, if the set has it.
    pub fn transfer(&self, name: &ZipName) -> Option<&FileTransfer> {
        self.transfers.iter().find(|transfer| transfer.name == *name)
    }

    /// Whether a control file of this name can have this content: it is of the same set and, in the transaction-data feed, its
    /// sequence is the number after the last zip's (FILE-1).
    pub fn fits(&self, name: &ControlName) -> bool {
        let follows = sequence(name.0.run).is_none_or(|sequence| sequence == self.transfers.len());
        follows && name.0.set_id() == self.set
    }
}

fn sequence(run: Run) -> Option<usize> {
    match run {
        Run::TransactionData { sequence, .. } => usize::try_from(sequence).ok(),
        Run::ReturnStatus { .. } => None,
    }
}

/// What a feed calls its records in the attributes of zips and members; the totals' attribute has `Total` in front.
fn records_word(feed: Feed) -> &'static str {
    match feed {
        Feed::TransactionData => "TransactionCount",
        Feed::ReturnStatus => "ReturnCount",
    }
}

/// Declared in every sample and used in none.
const NAMESPACES: &str = concat!(
    "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" ",
    "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""
);

#[cfg(test)]
mod tests;
