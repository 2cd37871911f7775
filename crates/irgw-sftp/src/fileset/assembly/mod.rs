//! Puts a received set together, whatever order its files arrive in, and says when it may be released (FILE-4).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::mem;
use std::time::Duration;

use irgw_core::UnixTime;

use super::{CheckedZip, ControlFault, ControlFile, ControlName, FileTransfer, Series, ZipFault, ZipName};

mod complete;
mod expectation;
mod fault;

pub use complete::CompleteSet;
pub use expectation::{Expectation, SKEW};
pub use fault::{SetFault, Stray};

/// SHA-256 over a file as it was after decryption. This module computes none: whoever writes the file down does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// How long before its control file a zip of a set may have been made. In the samples it is a third of a second.
pub const SPAN: Duration = Duration::from_secs(24 * 3600);

/// One set that is being received: a pure state machine over arrivals and checks, in any order.
///
/// ```text
/// control_arrived ┐
/// zip_arrived     ├──► state: Waiting { missing } ──► Complete ──► release: CompleteSet
/// zip_checked     ┘                    └────────────► Quarantined, for good
/// ```
///
/// A set is complete when its control file and every zip that it lists has arrived, and each of those zips was found by
/// [`check_zip`](super::check_zip) to hold what this control file says. The control file defines the set, since names alone do not in the
/// transaction-data feed (see [`SetId`](super::SetId)): zips that arrive before it are held, and those that turn out to be another
/// set's are handed back. So there is one assembly for each control file: whoever receives offers a file to the assemblies that there
/// are, and begins another one where each of them says [`Stray::OtherSet`].
///
/// The same file again, by name and digest, changes nothing. What is wrong with a file before it belongs to any set is a [`Stray`], and
/// leaves the set as it is, so that nobody can stop a provider's set with a file of somebody else's; what is wrong with the set is a
/// [`SetFault`].
#[derive(Debug, Clone)]
pub struct Assembly {
    expectation: Expectation,
    control: Option<(ControlName, Digest, ControlFile)>,
    zips: BTreeMap<ZipName, Zip>,
    fault: Option<SetFault>,
}

/// A zip that has arrived.
#[derive(Debug, Clone, Copy)]
struct Zip {
    digest: Digest,
    /// Other bytes have arrived under this name, when it was not yet known whether it is of this set.
    is_disputed: bool,
    is_checked: bool,
}

/// How far a set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Something is still to come.
    Waiting {
        /// What; never empty.
        missing: Vec<Missing>,
    },
    /// Everything is there and right: [`Assembly::release`].
    Complete,
    /// Something is wrong with the set, and nothing that comes later makes it right.
    Quarantined {
        /// What was found first.
        why: SetFault,
    },
}

/// What a set is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The control file; without it, nothing is known of what else is missing.
    Control,
    /// A zip that the control file lists.
    Zip(ZipName),
    /// The check of a listed zip that has arrived.
    Check(ZipName),
}

/// What became of a file that was not a [`Stray`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offered {
    /// It was taken. [`Assembly::state`] may say now that the set is in quarantine because of it.
    Taken {
        /// Zips that were held and are another set's, as the control file tells.
        handed_back: Vec<ZipName>,
    },
    /// It was there already.
    Repeat,
}

const TAKEN: Offered = Offered::Taken { handed_back: Vec::new() };

impl Assembly {
    /// Nothing has arrived yet.
    pub fn new(expectation: Expectation) -> Assembly {
        Assembly { expectation, control: None, zips: BTreeMap::new(), fault: None }
    }

    /// A control file arrived, and this is what reading it gave.
    ///
    /// One that cannot be read puts the assembly into quarantine with all zips that it holds, since nothing tells which of them were
    /// its own; [`Assembly::zips`] has them, for the next assembly.
    ///
    /// # Errors
    /// When the file is not of this set; the set is as it was.
    pub fn control_arrived(
        &mut self,
        name: ControlName,
        digest: Digest,
        control: Result<ControlFile, ControlFault>,
        now: UnixTime,
    ) -> Result<Offered, Stray> {
        self.expectation.admit(&name.0, now)?;
        if let Some((known, known_digest, _)) = &self.control {
            let is_known = *known == name;
            let is_repeat = is_known && *known_digest == digest;
            let is_keyed = matches!(name.0.set_id().series, Series::ReturnStatus { .. });
            let is_second = is_keyed && known.0.set_id() == name.0.set_id();
            return if is_repeat {
                Ok(Offered::Repeat)
            } else if is_known {
                Ok(self.quarantine(SetFault::ControlChanged))
            } else if is_second {
                Ok(self.quarantine(SetFault::SecondControl(name)))
            } else {
                Err(Stray::OtherSet)
            };
        }
        let control = match control {
            Ok(control) => control,
            Err(fault) => return Ok(self.quarantine(SetFault::Control(fault))),
        };
        if let Err(fault) = agree(&name, &control) {
            return Ok(self.quarantine(fault));
        }
        let (ours, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            mem::take(&mut self.zips).into_iter().partition(|(zip, _)| is_of_set(zip, &name, &control));
        self.zips = ours;
        let fault = self.zips.iter().find_map(|(zip, held)| match control.transfer(zip) {
            None => Some(SetFault::Unlisted(*zip)),
            Some(_) if held.is_disputed => Some(SetFault::ZipChanged(*zip)),
            Some(_) => None,
        });
        self.control = Some((name, digest, control));
        if let Some(fault) = fault {
            self.quarantine(fault);
        }
        Ok(Offered::Taken { handed_back: others.into_keys().collect() })
    }

    /// A zip arrived, decrypted and with its signature verified; what is in it has not been looked at.
    ///
    /// # Errors
    /// When the file is not of this set; the set is as it was.
    pub fn zip_arrived(&mut self, name: ZipName, digest: Digest, now: UnixTime) -> Result<Offered, Stray> {
        self.expectation.admit(&name.0, now)?;
        let control = self.control.as_ref();
        if let Some((control_name, _, control)) = control
            && control.transfer(&name).is_none()
        {
            if !is_of_set(&name, control_name, control) {
                return Err(Stray::OtherSet);
            }
            return Ok(self.quarantine(SetFault::Unlisted(name)));
        }
        let is_known = control.is_some();
        let held = self.zips.len();
        match self.zips.entry(name) {
            Entry::Occupied(entry) if entry.get().digest == digest => Ok(Offered::Repeat),
            Entry::Occupied(_) if is_known => Ok(self.quarantine(SetFault::ZipChanged(name))),
            Entry::Occupied(mut entry) => {
                entry.get_mut().is_disputed = true;
                Ok(TAKEN)
            }
            Entry::Vacant(_) if held >= ControlFile::ZIP_LIMIT => Err(Stray::TooMany),
            Entry::Vacant(entry) => {
                entry.insert(Zip { digest, is_disputed: false, is_checked: false });
                Ok(TAKEN)
            }
        }
    }

    /// A zip that has arrived with this digest was checked against [`Assembly::transfer`], and this is what came of it.
    ///
    /// A check that could not read the zip ([`ZipFault::Io`]) says nothing about it: the check stays missing.
    ///
    /// # Errors
    /// [`Stray::OtherSet`] when no such zip is being waited for, or the check was against something else.
    pub fn zip_checked(
        &mut self,
        name: ZipName,
        digest: Digest,
        outcome: Result<CheckedZip, ZipFault>,
    ) -> Result<(), Stray> {
        let listed = self.control.as_ref().and_then(|(_, _, control)| control.transfer(&name));
        let (Some(listed), Some(zip)) = (listed, self.zips.get_mut(&name)) else {
            return Err(Stray::OtherSet);
        };
        if zip.digest != digest {
            return Err(Stray::OtherSet);
        }
        match outcome {
            Ok(checked) if checked.transfer() == listed => zip.is_checked = true,
            Ok(_) => return Err(Stray::OtherSet),
            Err(ZipFault::Io(_)) => {}
            Err(fault) => {
                self.quarantine(SetFault::Zip { name, fault: Box::new(fault) });
            }
        }
        Ok(())
    }

    /// What to check a zip against, once the control file is there and if it lists it.
    pub fn transfer(&self, name: &ZipName) -> Option<&FileTransfer> {
        self.control.as_ref().and_then(|(_, _, control)| control.transfer(name))
    }

    /// The zips that have arrived and were not handed back, by name: where the set is in quarantine, what goes there with it.
    pub fn zips(&self) -> impl Iterator<Item = (ZipName, Digest)> {
        self.zips.iter().map(|(name, zip)| (*name, zip.digest))
    }

    /// How far the set is.
    pub fn state(&self) -> State {
        if let Some(why) = &self.fault {
            return State::Quarantined { why: why.clone() };
        }
        let Some((_, _, control)) = &self.control else {
            return State::Waiting { missing: vec![Missing::Control] };
        };
        let names = control.transfers().iter().map(|transfer| transfer.name);
        let missing: Vec<Missing> = names
            .filter_map(|name| match self.zips.get(&name) {
                None => Some(Missing::Zip(name)),
                Some(zip) if !zip.is_checked => Some(Missing::Check(name)),
                Some(_) => None,
            })
            .collect();
        if missing.is_empty() { State::Complete } else { State::Waiting { missing } }
    }

    /// The complete set, or else the assembly as it was.
    ///
    /// What was released cannot be released again from here. Its files can arrive again; the record of what was released, by name
    /// and digest, is its caller's.
    ///
    /// # Errors
    /// When the state is not [`State::Complete`].
    pub fn release(self) -> Result<CompleteSet, Box<Assembly>> {
        match (self.state(), self.control) {
            (State::Complete, Some((control_name, control_digest, control))) => {
                let zips = self.zips.into_iter().map(|(name, zip)| (name, zip.digest)).collect();
                Ok(CompleteSet { control_name, control_digest, control, zips })
            }
            (_, control) => Err(Box::new(Assembly { control, ..self })),
        }
    }

    /// Keeps the first fault.
    fn quarantine(&mut self, fault: SetFault) -> Offered {
        self.fault.get_or_insert(fault);
        TAKEN
    }
}

/// Whether the control file's name and its content are of one set, and of one day.
fn agree(name: &ControlName, control: &ControlFile) -> Result<(), SetFault> {
    if !control.fits(name) {
        return Err(SetFault::ControlName);
    }
    let made = name.0.timestamp.to_unix().as_secs();
    let span = made.saturating_sub(SPAN.as_secs())..=made.saturating_add(SKEW.as_secs());
    let mut zips = control.transfers().iter().map(|transfer| transfer.name);
    match zips.find(|zip| !span.contains(&zip.0.timestamp.to_unix().as_secs())) {
        Some(zip) => Err(SetFault::OtherDay(zip)),
        None => Ok(()),
    }
}

/// Whether a zip is of the set of this control file: it is listed, or else the control file should have listed it. That it should,
/// the set's id says in the return-status feed. In the transaction-data feed, where all days have one id, it was made
/// between the first zip of the set and the control file.
fn is_of_set(zip: &ZipName, name: &ControlName, control: &ControlFile) -> bool {
    let is_between = || {
        let first = control.transfers().iter().map(|transfer| transfer.name.0.timestamp).min();
        first.is_some_and(|first| (first..=name.0.timestamp).contains(&zip.0.timestamp))
    };
    control.transfer(zip).is_some()
        || zip.0.set_id() == control.set_id()
            && match control.set_id().series {
                Series::ReturnStatus { .. } => true,
                Series::TransactionData(_) => is_between(),
            }
}
