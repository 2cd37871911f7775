//! Which sets the files that have arrived make up: a pure function of what has arrived, in whatever order it did (FILE-4, E11).

use std::collections::{BTreeMap, BTreeSet};

use super::arrival::{Arrival, Arrivals};
use super::receipt::Receipts;
use super::{Refusal, SetName};
use crate::fileset::{
    Assembly, CheckedZip, CompleteSet, ControlFault, ControlFile, ControlName, Expectation, FileName,
    Missing, Offered, Series, SetFault, State, Stray, ZipFault, ZipName,
};

/// What reading each control file gave.
pub(super) type Controls = BTreeMap<ControlName, Result<ControlFile, ControlFault>>;

/// What checking each zip against a control file gave.
pub(super) type Checks = BTreeMap<(ControlName, ZipName), Result<CheckedZip, ZipFault>>;

/// A set as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) set: SetName,
    /// Its files that have arrived, the control file among them.
    pub(super) files: Vec<FileName>,
    pub(super) verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Waiting(Vec<Missing>),
    Complete(Box<CompleteSet>),
    Refused(Refusal),
}

/// What the verdicts rest on.
pub(super) struct Judge<'a> {
    expectation: Expectation,
    arrivals: &'a Arrivals,
    controls: &'a Controls,
    receipts: &'a Receipts,
    /// Which control files list a zip.
    listed: BTreeMap<ZipName, BTreeSet<ControlName>>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        expectation: Expectation,
        arrivals: &'a Arrivals,
        controls: &'a Controls,
        receipts: &'a Receipts,
    ) -> Judge<'a> {
        let mut listed = BTreeMap::<_, BTreeSet<_>>::new();
        for (name, control) in controls {
            for transfer in control.iter().flat_map(ControlFile::transfers) {
                listed.entry(transfer.name).or_default().insert(*name);
            }
        }
        Judge { expectation, arrivals, controls, receipts, listed }
    }

    /// The set of one control file that has arrived.
    pub(super) fn judge(&self, name: ControlName, checks: &Checks) -> Judged {
        let (assembly, files) = self.assemble(name, checks);
        let verdict = match (self.conflict(name), assembly.state()) {
            (Some(refusal), _) => Verdict::Refused(refusal),
            (None, State::Quarantined { why }) => Verdict::Refused(Refusal::Set(why)),
            (None, State::Waiting { missing }) => Verdict::Waiting(missing),
            (None, State::Complete) => match assembly.release() {
                Ok(complete) => Verdict::Complete(Box::new(complete)),
                Err(_) => Verdict::Waiting(Vec::new()),
            },
        };
        Judged { set: SetName(name), files, verdict }
    }

    /// The zips that have arrived and are of no set, as far as is known.
    pub(super) fn unclaimed(&self, judged: &[Judged]) -> Vec<ZipName> {
        let claimed: BTreeSet<&FileName> = judged.iter().flat_map(|set| &set.files).collect();
        let free = self.arrivals().filter(|arrival| !claimed.contains(&arrival.name));
        free.filter_map(|arrival| zip_name(&arrival.name)).collect()
    }

    /// What has arrived, but for the files of sets about which it was decided and not yet done.
    fn arrivals(&self) -> impl Iterator<Item = &'a Arrival> {
        self.arrivals.iter().filter(|arrival| !self.receipts.is_busy(&arrival.name))
    }

    /// What is wrong with a control file for the sake of another one.
    fn conflict(&self, name: ControlName) -> Option<Refusal> {
        let Some(Ok(control)) = self.controls.get(&name) else { return None };
        if let Some(set) = self.receipts.repeated_by(control) {
            return Some(Refusal::Spent(set));
        }
        control.transfers().iter().find_map(|transfer| {
            let other = self.listed.get(&transfer.name)?.iter().find(|other| **other != name)?;
            Some(Refusal::Contested { zip: transfer.name, other: *other })
        })
    }

    fn assemble(&self, name: ControlName, checks: &Checks) -> (Assembly, Vec<FileName>) {
        let mut assembly = Assembly::new(self.expectation);
        let mut files = Vec::new();
        let Some((arrival, control)) =
            self.arrivals.find(&FileName::Control(name)).zip(self.controls.get(&name))
        else {
            return (assembly, files);
        };
        let offer_control = |assembly: &mut Assembly, name: ControlName, arrival: &Arrival| {
            let Some(control) = self.controls.get(&name) else { return };
            for sha256 in arrival.digests() {
                // It was admitted when it arrived, by the same expectation.
                let _ = assembly.control_arrived(name, sha256.0, control.clone(), arrival.at);
            }
        };
        offer_control(&mut assembly, name, arrival);
        files.push(arrival.name);
        let Ok(listing) = control else { return (assembly, files) };
        // Its name or its day is wrong, and so nothing but its list tells which zips are its own.
        let is_misnamed = matches!(
            assembly.state(),
            State::Quarantined { why: SetFault::ControlName | SetFault::OtherDay(_) }
        );
        // A second control file for the same keys spoils both.
        if let Series::ReturnStatus { .. } = name.0.set_id().series {
            for other in self.controls.keys().filter(|other| other.0.set_id() == name.0.set_id()) {
                if let Some(arrival) = self.arrivals.find(&FileName::Control(*other)) {
                    offer_control(&mut assembly, *other, arrival);
                }
            }
        }
        for arrival in self.arrivals() {
            let Some(zip) = zip_name(&arrival.name) else { continue };
            // A zip that a control file lists is of that set and no other.
            if self.listed.get(&zip).is_some_and(|by| !by.contains(&name)) {
                continue;
            }
            if is_misnamed && listing.transfer(&zip).is_none() {
                continue;
            }
            let digests = arrival.digests();
            let offered: Vec<Result<Offered, Stray>> =
                digests.map(|sha256| assembly.zip_arrived(zip, sha256.0, arrival.at)).collect();
            if offered.iter().all(Result::is_err) {
                continue;
            }
            files.push(arrival.name);
            if let Some(outcome) = checks.get(&(name, zip)) {
                // It was checked against this very entry, and is still there: nothing is stray.
                let _ = assembly.zip_checked(zip, arrival.sha256.0, outcome.clone());
            }
        }
        (assembly, files)
    }
}

/// Whether a file of this name may come now, or why not.
///
/// # Errors
/// Why not.
pub(super) fn admit(
    expectation: Expectation,
    name: &FileName,
    now: irgw_core::UnixTime,
) -> Result<(), Stray> {
    let stem = match name {
        FileName::Zip(ZipName(stem)) | FileName::Control(ControlName(stem)) => *stem,
        // Left alone long before.
        FileName::Member(_) => return Err(Stray::OtherSet),
    };
    // What an empty assembly says of a zip is what the expectation says of any name.
    Assembly::new(expectation).zip_arrived(ZipName(stem), crate::fileset::Digest([0; 32]), now).map(drop)
}

fn zip_name(name: &FileName) -> Option<ZipName> {
    match name {
        FileName::Zip(zip) => Some(*zip),
        FileName::Control(_) | FileName::Member(_) => None,
    }
}
