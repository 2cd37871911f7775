//! File sets of both feeds, as a backing service finishes them (FILE-1 to FILE-3).

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use irgw_sftp::fileset::{BuildLimits, Feed, SetBuilder, ZipName};

use crate::Result;

/// A set that lies in a folder of its own.
pub(crate) struct Set {
    pub(crate) feed: Feed,
    pub(crate) folder: PathBuf,
    /// The names of its zips.
    pub(crate) zips: Vec<String>,
    /// The name of its control file.
    pub(crate) control: String,
}

/// Whose a set is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addressee<'a> {
    pub(crate) platform: &'a str,
    pub(crate) environment: &'a str,
}

impl Set {
    /// Makes one below `parent`. Two sets differ in their names if they do in their numbers, of which there are 86,400.
    pub(crate) fn make(parent: &Path, feed: Feed, to: Addressee<'_>, number: u64) -> Result<Set> {
        let Addressee { platform, environment } = to;
        let folder = parent.join(format!("{}-{environment}-{number}", feed.name()));
        fs::create_dir_all(&folder)?;
        let time = format!("20190822{:02}{:02}{:02}", number / 3600 % 24, number / 60 % 60, number % 60);
        let (prefix, run, record, zips) = match feed {
            Feed::TransactionData => ("", "0".to_owned(), "<Tx Amt=\"1.00\"/>", 2),
            Feed::ReturnStatus => {
                let record = "<returnStatus><submissionKey>7</submissionKey></returnStatus>";
                ("PSN_", format!("21_{}", 1 + number), record, 1)
            }
        };
        let first: ZipName =
            format!("{prefix}DAILY_PROVIDER_{platform}_{run}_{time}0000_{environment}.zip").parse()?;
        let limits = BuildLimits { members: 2, ..BuildLimits::default() };
        let mut builder = SetBuilder::new(first.0, limits, |name: &ZipName| {
            File::create_new(folder.join(name.to_string()))
        });
        for member in 0..2 * zips {
            let name = format!(
                "{prefix}DAILY_AGENT_IRD_{:09}_{run}_{time}0000_{environment}.xml",
                132_000_000 + member
            );
            builder.add(name.parse()?, content(record, number + member).as_bytes())?;
        }
        let built = builder.finish(format!("{time}0001").parse()?)?;
        let control = built.control_name.to_string();
        fs::write(folder.join(&control), built.control.to_xml())?;
        let zips = built.zips.into_iter().map(|(name, _)| name.to_string()).collect();
        Ok(Set { feed, folder, zips, control })
    }

    /// The names of all its files.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.zips.iter().chain([&self.control])
    }
}

/// A member's XML, of a length that takes several packets however well it is compressed.
fn content(record: &str, seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut noise = String::new();
    while noise.len() < NOISE_BYTES {
        state = crate::kills::next(state);
        noise.push_str(&format!("{state:016x}"));
    }
    format!("<?xml version=\"1.0\"?><Customers><Period>{record}<Note>{noise}</Note></Period></Customers>")
}

const NOISE_BYTES: usize = 120_000;
