//! What an intake waits for, has released and has refused, for another process to see.

use std::path::Path;

use irgw_core::UnixTime;
use serde::{Deserialize, Serialize};

use super::disk::{Disk, names, read};
use super::folders::{self, JSON};
use super::judge::{Judged, Verdict};
use super::pass::is_at_work;
use super::quarantine::{Note, REASON};
use super::receipt::{Receipt, Stage};
use super::{Folders, Reason, SetName, Trouble, wire};
use crate::fileset::{Missing, ZipName};

/// How an intake stands, as its state folder tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// An intake is at work on the folder now.
    pub is_watched: bool,
    /// Sets whose control file has arrived and that are not complete.
    pub waiting: Vec<Waiting>,
    /// Zips that no control file lists yet.
    pub unclaimed: Vec<String>,
    /// Released sets, the latest first; at most as many as were asked for.
    pub released: Vec<Released>,
    /// Files in quarantine, by name; at most as many as were asked for.
    pub quarantined: Vec<Quarantined>,
}

/// A set that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Which.
    pub set: SetName,
    /// Its files that have arrived.
    pub arrived: Vec<String>,
    /// Its zips that have not.
    pub missing: Vec<String>,
}

/// A released set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Released {
    /// Which.
    pub set: SetName,
    /// When.
    #[serde(with = "wire::seconds")]
    pub at: UnixTime,
    /// How many files it has, the control file included.
    pub files: usize,
    /// Whoever is to know has acknowledged it.
    pub is_announced: bool,
}

/// A file in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Its name in the folder `quarantine`.
    pub name: String,
    /// When it was put there.
    #[serde(with = "wire::seconds")]
    pub at: UnixTime,
    /// The set that was refused with it.
    pub set: Option<SetName>,
    /// Why.
    #[serde(flatten)]
    pub reason: Reason,
}

impl Status {
    /// Reads a state folder, whether or not an intake is at work on it. Nothing in it is changed.
    ///
    /// # Errors
    /// When it cannot be read, or is no state folder.
    pub fn read(state: &Path, at_most: usize) -> Result<Status, Trouble> {
        let snapshot = read(&folders::status(state))?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Snapshot { waiting, unclaimed } = snapshot.unwrap_or_default();
        Ok(Status {
            is_watched: is_at_work(state)?,
            waiting,
            unclaimed,
            released: released(state, at_most)?,
            quarantined: quarantined(state, at_most)?,
        })
    }
}

fn released(state: &Path, at_most: usize) -> Result<Vec<Released>, Trouble> {
    let folder = folders::receipts(state);
    let mut released = Vec::new();
    for file in names(&folder)?.iter().filter(|file| file.ends_with(JSON)) {
        let Some(bytes) = read(&folder.join(file))? else { continue };
        let Ok(receipt) = serde_json::from_slice::<Receipt>(&bytes) else { continue };
        if let Stage::Released | Stage::Announced = receipt.stage {
            released.push(Released {
                set: receipt.set,
                at: receipt.at,
                files: receipt.files.len(),
                is_announced: receipt.stage == Stage::Announced,
            });
        }
    }
    released.sort_by_key(|set| std::cmp::Reverse((set.at.as_secs(), set.set)));
    released.truncate(at_most);
    Ok(released)
}

fn quarantined(state: &Path, at_most: usize) -> Result<Vec<Quarantined>, Trouble> {
    let folder = folders::quarantine(state);
    let mut quarantined = Vec::new();
    for file in names(&folder)? {
        let Some(name) = file.strip_suffix(REASON) else { continue };
        // The reason is written before the file is moved.
        if quarantined.len() >= at_most || !folder.join(name).exists() {
            continue;
        }
        let Some(bytes) = read(&folder.join(&file))? else { continue };
        let Ok(Note { at, set, reason }) = serde_json::from_slice(&bytes) else { continue };
        quarantined.push(Quarantined { name: name.to_owned(), at, set, reason });
    }
    Ok(quarantined)
}

/// What `status.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Snapshot {
    waiting: Vec<Waiting>,
    unclaimed: Vec<String>,
}

impl Snapshot {
    pub(super) fn new(judged: &[Judged], unclaimed: Vec<ZipName>) -> Snapshot {
        let waiting = judged.iter().filter_map(|Judged { set, files, verdict }| {
            let Verdict::Waiting(missing) = verdict else { return None };
            let missing = missing.iter().filter_map(|missing| match missing {
                Missing::Zip(zip) => Some(zip.to_string()),
                // It is there, and could not be read.
                Missing::Check(_) | Missing::Control => None,
            });
            let arrived = files.iter().map(ToString::to_string).collect();
            Some(Waiting { set: *set, arrived, missing: missing.collect() })
        });
        Snapshot {
            waiting: waiting.collect(),
            unclaimed: unclaimed.iter().map(ToString::to_string).collect(),
        }
    }

    pub(super) fn write(&self, folders: &Folders, disk: &Disk) -> Result<(), Trouble> {
        let json = serde_json::to_vec_pretty(self).expect("a status is JSON");
        disk.write(&folders::status(&folders.state), &json)
    }
}
