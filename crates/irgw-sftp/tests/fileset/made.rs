//! Sets that the tests make.

use std::io::Cursor;
use std::time::Duration;

use irgw_core::UnixTime;
use irgw_sftp::fileset::{
    BuildLimits, BuiltSet, Caps, CheckedZip, ControlName, Digest, FileTransfer, SetBuilder, Summary,
    ZipFault, ZipName, check_zip,
};

/// The first zip of a made set of each feed; its control file is made a second later.
pub(crate) const TDS: &str = "DAILY_PROVIDER_1500131086_0_201908220930300000_NZT.zip";
pub(crate) const PSN: &str = "PSN_DAILY_PROVIDER_1500216000_21_22_201908220930300000_NZT.zip";

/// The sets' control files are made at this time: 9:30:31 on 22 August 2019 in New Zealand.
pub(crate) const MADE: u64 = 1_566_423_031;

/// A set of `zips` zips with two members each, and a summary in the last.
pub(crate) fn set(first: &str, zips: usize) -> BuiltSet<Vec<u8>> {
    let first: ZipName = first.parse().unwrap();
    let limits = BuildLimits { members: 2, ..BuildLimits::default() };
    let mut builder = SetBuilder::new(first.0, limits, |_| Ok(Cursor::new(Vec::new())));
    for number in 0..2 * zips {
        let name = format!("DAILY_AGENT_IRD_{:09}_0_201908220930300000_NZT.xml", 132_000_000 + number);
        let name = if first.0.to_string().starts_with("PSN_") {
            name.replace("DAILY", "PSN_DAILY").replace("_0_", "_21_22_")
        } else {
            name
        };
        let record = if name.starts_with("PSN_") { RETURN } else { TRANSACTION };
        builder.add(name.parse().unwrap(), content(record, number).as_bytes()).unwrap();
    }
    if first.0.to_string().starts_with("DAILY") {
        builder.add_summary(Summary::Intermediation, &b"<Links/>"[..]).unwrap();
    }
    let built = builder.finish("201908220930310000".parse().unwrap()).unwrap();
    BuiltSet {
        control_name: built.control_name,
        control: built.control,
        zips: built.zips.into_iter().map(|(name, file)| (name, file.into_inner())).collect(),
    }
}

/// What the feeds count in a member.
pub(crate) const TRANSACTION: &str = "<Tx Amt=\"1.00\" />";
const RETURN: &str = "<returnStatus><submissionKey>7</submissionKey></returnStatus>";

/// A member's XML with one more record and period than its number.
pub(crate) fn content(record: &str, number: usize) -> String {
    let periods = format!("<Period>{record}</Period>").repeat(number + 1);
    format!("<?xml version=\"1.0\"?>\r\n<Customers>{periods}</Customers>")
}

pub(crate) fn check(bytes: &[u8], transfer: &FileTransfer) -> Result<CheckedZip, ZipFault> {
    check_zip(Cursor::new(bytes), transfer, &Caps::default())
}

pub(crate) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// No digest, but different for different bytes, which is all that is asked of it here.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    let mut digest = [0_u8; 32];
    digest[..8].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
    for (at, byte) in bytes.iter().enumerate() {
        let slot = 8 + at % 24;
        digest[slot] = digest[slot].rotate_left(3) ^ byte.wrapping_add(1);
    }
    Digest(digest)
}

pub(crate) fn control_name(text: &str) -> ControlName {
    text.parse().unwrap()
}
