//! The names of the feeds' files: a zip, a control file, a member of a zip (FILE-1, FILE-2).

use std::fmt;

use super::{AgentIrd, EnvironmentCode, Feed, Frequency, Key, PlatformId, Timestamp};

mod fault;
mod read;

pub use fault::NameFault;

/// The most bytes a name may have. The longest that the grammar admits has 102.
pub const NAME_LIMIT_BYTES: usize = 128;

/// The name of any file of the feeds.
///
/// Only names of exactly this grammar are read, so a name that was read is one path component of printable ASCII, and prints as
/// it was written. `FREQ` is a [`Frequency`], `RUN` is `<sequence>` in the transaction-data feed and `<extract key>_<batch key>`
/// in the return-status feed, whose names begin with `PSN_` and whose frequency is `DAILY`:
///
/// ```text
/// [PSN_]FREQ_PROVIDER_<platform id>_RUN_<timestamp>_<environment>.zip
/// [PSN_]FREQ_PROVIDER_<platform id>_RUN_<timestamp>_<environment>_CONTROL.xml
/// [PSN_]FREQ_AGENT_IRD_<9 digits>_RUN_<timestamp>_<environment>.xml
/// [PSN_]FREQ_CUSTOMER_RUN_<timestamp>_<environment>.xml
///       FREQ_CUSTOMER_000000000_RUN_<timestamp>_<environment>.xml
///       FREQ_PROVIDER_<platform id>_RUN_<timestamp>_<environment>_INTERMEDIATION.xml
///       FREQ_PROVIDER_<platform id>_RUN_<timestamp>_<environment>_SOFTWARE_INTERMEDIATION.xml
///       FREQ_PROVIDER_<platform id>_RUN_<timestamp>_<environment>_PERMISSION.xml
/// ```
///
/// ```
/// use irgw_sftp::fileset::FileName;
///
/// let name: FileName = "DAILY_PROVIDER_1500131086_0_201908220930305850_NZT.zip".parse()?;
/// assert!(matches!(name, FileName::Zip(_)));
/// assert!("../DAILY_PROVIDER_1500131086_0_201908220930305850_NZT.zip".parse::<FileName>().is_err());
/// # Ok::<(), irgw_sftp::fileset::NameFault>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileName {
    /// A zip.
    Zip(ZipName),
    /// The control file of a set.
    Control(ControlName),
    /// A file inside a zip.
    Member(MemberName),
}

/// What a file's name says about the run that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Run {
    /// Of the transaction-data feed.
    TransactionData {
        /// How often.
        frequency: Frequency,
        /// The number of the zip in its set, from 0; in a control file's name, the number after the last zip's.
        sequence: u32,
    },
    /// Of the return-status feed.
    ReturnStatus {
        /// The extract key.
        extract: Key,
        /// The batch key.
        batch: Key,
    },
}

/// What every file of one set has in common, as far as one name alone can tell.
///
/// In the samples of both feeds, a set's zips, members and control file agree in these fields and differ in their timestamps, by
/// a fraction of a second. In the return-status feed the keys make this unique. In the transaction-data feed the next day's
/// set has the same, so there it takes the control file, which lists the zips by their names, to tell which set a zip is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId {
    /// Which run of the feed.
    pub series: Series,
    /// The provider that the set is for.
    pub platform: PlatformId,
    /// The environment that made it.
    pub environment: EnvironmentCode,
}

/// The part of [`Run`] in which all files of a set agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Series {
    /// Of the transaction-data feed.
    TransactionData(Frequency),
    /// Of the return-status feed.
    ReturnStatus {
        /// The extract key.
        extract: Key,
        /// The batch key.
        batch: Key,
    },
}

impl Run {
    /// The part in which all files of a set agree.
    pub fn series(self) -> Series {
        match self {
            Run::TransactionData { frequency, .. } => Series::TransactionData(frequency),
            Run::ReturnStatus { extract, batch } => Series::ReturnStatus { extract, batch },
        }
    }
}

impl Series {
    /// The feed.
    pub fn feed(self) -> Feed {
        match self {
            Series::TransactionData(_) => Feed::TransactionData,
            Series::ReturnStatus { .. } => Feed::ReturnStatus,
        }
    }
}

/// What the names of a zip and of a control file are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stem {
    /// The provider that the file is for.
    pub platform: PlatformId,
    /// Which run of the feed.
    pub run: Run,
    /// When the file was made.
    pub timestamp: Timestamp,
    /// The environment that made it.
    pub environment: EnvironmentCode,
}

impl Stem {
    /// What all files of the set have in common.
    pub fn set_id(&self) -> SetId {
        SetId { series: self.run.series(), platform: self.platform, environment: self.environment }
    }
}

/// The name of a zip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZipName(pub Stem);

/// The name of a control file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ControlName(pub Stem);

/// The name of a file inside a zip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberName {
    subject: Subject,
    run: Run,
    timestamp: Timestamp,
    environment: EnvironmentCode,
}

/// Whom or what a member is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The customers of one tax agent.
    Agent(AgentIrd),
    /// The provider's own customers.
    Customer,
    /// The same, in the spelling with nine zeros; seen in samples of the transaction-data feed only.
    ZeroCustomer,
    /// A summary of the provider's links; transaction-data feed only.
    Summary(PlatformId, Summary),
}

/// The summaries of a provider's links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Summary {
    /// `INTERMEDIATION`
    Intermediation,
    /// `SOFTWARE_INTERMEDIATION`
    SoftwareIntermediation,
    /// `PERMISSION`: not in the published text, but in published samples.
    Permission,
}

impl Summary {
    /// The words at the end of the name.
    pub const fn words(self) -> &'static str {
        match self {
            Summary::Intermediation => "INTERMEDIATION",
            Summary::SoftwareIntermediation => "SOFTWARE_INTERMEDIATION",
            Summary::Permission => "PERMISSION",
        }
    }
}

impl MemberName {
    /// Puts a name together.
    ///
    /// # Errors
    /// [`NameFault::Shape`] for a subject that the feed has no names for.
    pub fn new(
        subject: Subject,
        run: Run,
        timestamp: Timestamp,
        environment: EnvironmentCode,
    ) -> Result<MemberName, NameFault> {
        match (subject, run) {
            (Subject::ZeroCustomer | Subject::Summary(..), Run::ReturnStatus { .. }) => Err(NameFault::Shape),
            _ => Ok(MemberName { subject, run, timestamp, environment }),
        }
    }

    /// Whom or what it is about.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// Which run of the feed made it.
    pub fn run(&self) -> Run {
        self.run
    }

    /// When it was made.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The environment that made it.
    pub fn environment(&self) -> EnvironmentCode {
        self.environment
    }

    /// Whether a file of this name can be of this set: the run's series, the environment and, where there is one, the
    /// platform id agree.
    pub fn is_of(&self, set: &SetId) -> bool {
        let is_platform = match self.subject {
            Subject::Summary(platform, _) => platform == set.platform,
            Subject::Agent(_) | Subject::Customer | Subject::ZeroCustomer => true,
        };
        is_platform && self.run.series() == set.series && self.environment == set.environment
    }
}

/// The words of a name in front of those that every name has.
fn write_start(f: &mut fmt::Formatter<'_>, run: Run) -> fmt::Result {
    match run {
        Run::TransactionData { frequency, .. } => write!(f, "{frequency}_"),
        Run::ReturnStatus { .. } => write!(f, "PSN_{}_", Frequency::Daily),
    }
}

/// The words that every name has.
fn write_rest(f: &mut fmt::Formatter<'_>, run: Run, at: Timestamp, by: EnvironmentCode) -> fmt::Result {
    match run {
        Run::TransactionData { sequence, .. } => write!(f, "_{sequence}_{at}_{by}"),
        Run::ReturnStatus { extract, batch } => write!(f, "_{extract}_{batch}_{at}_{by}"),
    }
}

impl fmt::Display for Stem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_start(f, self.run)?;
        write!(f, "PROVIDER_{}", self.platform)?;
        write_rest(f, self.run, self.timestamp, self.environment)
    }
}

impl fmt::Display for ZipName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.zip", self.0)
    }
}

impl fmt::Display for ControlName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_CONTROL.xml", self.0)
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_start(f, self.run)?;
        match self.subject {
            Subject::Agent(ird) => write!(f, "AGENT_IRD_{ird}")?,
            Subject::Customer => f.write_str("CUSTOMER")?,
            Subject::ZeroCustomer => write!(f, "CUSTOMER_{ZEROS}")?,
            Subject::Summary(platform, _) => write!(f, "PROVIDER_{platform}")?,
        }
        write_rest(f, self.run, self.timestamp, self.environment)?;
        match self.subject {
            Subject::Summary(_, summary) => write!(f, "_{}.xml", summary.words()),
            Subject::Agent(_) | Subject::Customer | Subject::ZeroCustomer => f.write_str(".xml"),
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileName::Zip(name) => fmt::Display::fmt(name, f),
            FileName::Control(name) => fmt::Display::fmt(name, f),
            FileName::Member(name) => fmt::Display::fmt(name, f),
        }
    }
}

/// What stands in a customer file's name in the place of an agent's number.
const ZEROS: &str = "000000000";

#[cfg(test)]
mod tests;
