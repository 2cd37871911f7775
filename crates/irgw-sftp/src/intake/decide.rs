//! Judges the sets, and does what the verdicts say (FILE-4).

use std::fs::{self, File};

use irgw_core::UnixTime;

use super::disk::trouble;
use super::judge::{Judge, Judged, Verdict};
use super::status::Snapshot;
use super::{Deed, Intake, Trouble};
use crate::fileset::{ControlFile, ControlName, FileName, Missing, ZipFault, ZipName, check_zip};

impl Intake {
    /// Judges every set, and does what the verdicts say.
    pub(super) fn judge(&mut self, now: UnixTime, troubles: &mut Vec<Trouble>) {
        if !std::mem::take(&mut self.is_changed) {
            return;
        }
        let before = troubles.len();
        troubles.extend(self.read_controls().err());
        self.check_zips(troubles);
        let judge = self.judge_of_now();
        let judged: Vec<Judged> = self.controls.keys().map(|name| judge.judge(*name, &self.checks)).collect();
        let snapshot = Snapshot::new(&judged, judge.unclaimed(&judged));
        for Judged { set, files, verdict } in &judged {
            let outcome = match verdict {
                Verdict::Waiting(_) => Ok(()),
                Verdict::Complete(complete) => self.release(complete, now),
                Verdict::Refused(refusal) => self.refuse_set(*set, files, refusal, now),
            };
            troubles.extend(outcome.err());
        }
        if self.snapshot.as_ref() != Some(&snapshot) {
            match snapshot.write(&self.folders, &self.disk) {
                Ok(()) => self.snapshot = Some(snapshot),
                Err(trouble) => troubles.push(trouble),
            }
        }
        self.is_changed |= troubles.len() > before;
    }

    fn judge_of_now(&self) -> Judge<'_> {
        Judge::new(self.settings.expectation, &self.arrivals, &self.controls, &self.receipts)
    }

    /// Reads the control files that have not been read.
    fn read_controls(&mut self) -> Result<(), Trouble> {
        let is_open = |name: &ControlName| !self.receipts.is_busy(&FileName::Control(*name));
        let names: Vec<ControlName> = self.control_names().filter(is_open).collect();
        self.controls.retain(|name, _| names.contains(name));
        for name in names.into_iter().filter(|name| !self.controls.contains_key(name)).collect::<Vec<_>>() {
            let path = self.folders.opened_file(&FileName::Control(name));
            let bytes = fs::read(&path).map_err(trouble(Deed::Read, &path))?;
            self.controls.insert(name, ControlFile::parse(&bytes));
        }
        Ok(())
    }

    /// Checks the zips that are there and whose control file is.
    fn check_zips(&mut self, troubles: &mut Vec<Trouble>) {
        let judge = self.judge_of_now();
        let unchecked: Vec<(ControlName, ZipName)> = self
            .controls
            .keys()
            .flat_map(|name| match judge.judge(*name, &self.checks).verdict {
                Verdict::Waiting(missing) => missing
                    .into_iter()
                    .filter_map(|missing| match missing {
                        Missing::Check(zip) => Some((*name, zip)),
                        _ => None,
                    })
                    .collect(),
                _ => Vec::new(),
            })
            .collect();
        for (name, zip) in unchecked {
            let path = self.folders.opened_file(&FileName::Zip(zip));
            let Some(Ok(control)) = self.controls.get(&name) else { continue };
            let Some(transfer) = control.transfer(&zip) else { continue };
            let outcome = File::open(&path)
                .map_err(|error| ZipFault::Io(error.kind()))
                .and_then(|file| check_zip(file, transfer, &self.settings.limits.zip));
            match outcome {
                Err(ZipFault::Io(kind)) => troubles.push(Trouble::Io { deed: Deed::Read, path, kind }),
                outcome => drop(self.checks.insert((name, zip), outcome)),
            }
        }
    }

    pub(super) fn control_names(&self) -> impl Iterator<Item = ControlName> {
        self.arrivals.iter().filter_map(|arrival| match arrival.name {
            FileName::Control(name) => Some(name),
            FileName::Zip(_) | FileName::Member(_) => None,
        })
    }

    /// Forgets what was found out for a set that is over.
    pub(super) fn forget_control(&mut self, name: &ControlName) {
        self.controls.remove(name);
        self.checks.retain(|(control, _), _| control != name);
        self.is_changed = true;
    }
}
