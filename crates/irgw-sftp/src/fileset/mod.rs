//! File sets: their names, their control files, and what makes one complete (FILE-1 to FILE-4).
//!
//! A set is one control file and the zips that it lists; each zip holds the members that the control file lists for it.
//!
//! ```text
//! sending      SetBuilder: members ──► zips + ControlFile
//! receiving    FileName ──► Assembly ◄── ControlFile::parse
//!                              ▲  │
//!                    check_zip ┘  └──► CompleteSet, which is what may be released
//! ```
//!
//! Nothing here opens a file, knows a transport or reads a clock: bytes, names and the time come in as arguments. Names are those of
//! files after decryption.
//!
//! ```
//! use std::{io::Cursor, time::Duration};
//! use irgw_core::UnixTime;
//! use irgw_sftp::fileset::*;
//!
//! // Somebody builds a set of one zip with one member.
//! let first: ZipName = "DAILY_PROVIDER_1500131086_0_201908220930300000_NZT.zip".parse()?;
//! let mut builder = SetBuilder::new(first.0, BuildLimits::default(), |_| Ok(Cursor::new(Vec::new())));
//! let member = "DAILY_CUSTOMER_0_201908220930300000_NZT.xml".parse()?;
//! builder.add(member, &b"<Customers><Period><Tx/></Period></Customers>"[..])?;
//! let built = builder.finish("201908220930310000".parse()?)?;
//!
//! // Somebody else receives it: names are read before anything else is looked at.
//! let expectation = Expectation {
//!     feed: Feed::TransactionData,
//!     platform: "1500131086".parse()?,
//!     environment: "NZT".parse()?,
//!     max_age: Some(Duration::from_secs(3600)),
//! };
//! let now = UnixTime::since_unix_epoch(Duration::from_secs(1_566_423_600));
//! let mut set = Assembly::new(expectation);
//! for (name, zip) in built.zips {
//!     let FileName::Zip(name) = name.to_string().parse()? else { continue };
//!     let (sha256, control_sha256) = (Digest([1; 32]), Digest([2; 32]));
//!     set.zip_arrived(name, sha256, now)?;
//!     assert_eq!(set.state(), State::Waiting { missing: vec![Missing::Control] });
//!
//!     let control = ControlFile::parse(built.control.to_xml().as_bytes());
//!     set.control_arrived(built.control_name, control_sha256, control, now)?;
//!     assert_eq!(set.state(), State::Waiting { missing: vec![Missing::Check(name)] });
//!
//!     let listed = set.transfer(&name).ok_or("not listed")?;
//!     let outcome = check_zip(zip, listed, &Caps::default());
//!     set.zip_checked(name, sha256, outcome)?;
//! }
//! let complete = set.release().map_err(|set| format!("{:?}", set.state()))?;
//! assert_eq!(complete.control().totals().records, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assembly;
mod build;
mod control;
mod count;
mod field;
mod name;
mod timestamp;
mod zip;

pub use assembly::{
    Assembly, CompleteSet, Digest, Expectation, Missing, Offered, SKEW, SPAN, SetFault, State, Stray,
};
pub use build::{BuildFault, BuildLimits, BuiltSet, SetBuilder};
pub use control::{ChildFile, ControlFault, ControlFile, Counts, FileTransfer};
pub use count::ContentFault;
pub use field::{AgentIrd, EnvironmentCode, Feed, Frequency, Key, PlatformId};
pub use name::{
    ControlName, FileName, MemberName, NAME_LIMIT_BYTES, NameFault, Run, Series, SetId, Stem, Subject,
    Summary, ZipName,
};
pub use timestamp::Timestamp;
pub use zip::{Caps, CheckedZip, MemberFlaw, ZipFault, check_zip};
