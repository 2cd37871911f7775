//! Takes in what is new in the inbox: decrypts it, and keeps it for its set or puts it into quarantine (PGP-2).

use std::fs::File;

use irgw_core::UnixTime;

use super::arrival::Arrival;
use super::disk::trouble;
use super::inbox::{self, ENTRY_LIMIT, Entry, Version};
use super::judge::admit;
use super::sha256::Sha256;
use super::{Deed, Event, Intake, Limits, Refusal, Trouble, Unexpected};
use crate::fileset::{ControlFile, FileName, Stray};
use crate::pgp::{self, DecryptFault, Quarantine, Verified};
use crate::sealed_name;

impl Intake {
    /// Opens what is new in the inbox.
    pub(super) fn look(&mut self, now: UnixTime, troubles: &mut Vec<Trouble>) {
        let entries = match inbox::list(&self.folders.inbox) {
            Ok((entries, is_crowded)) => {
                troubles.extend(is_crowded.then_some(Trouble::Crowded { limit: ENTRY_LIMIT }));
                entries
            }
            Err(trouble) => return troubles.push(trouble),
        };
        for entry in entries {
            let outcome = match entry {
                Entry::File(name, version) => self.receive(name, version, now),
                Entry::Other(name, why) => self.ignore(name, why, now),
            };
            match outcome {
                // It is the same for all that follow.
                Err(full @ Trouble::Full { .. }) => return troubles.push(full),
                Err(full @ Trouble::TooManySets { .. }) if troubles.contains(&full) => {}
                outcome => troubles.extend(outcome.err()),
            }
        }
    }

    fn ignore(&mut self, name: String, why: Unexpected, now: UnixTime) -> Result<(), Trouble> {
        if self.ignored.len() < IGNORED_LIMIT && self.ignored.insert(name.clone()) {
            self.tell(now, Event::Ignored { name, why })?;
        }
        Ok(())
    }

    /// Takes in one file of the inbox.
    fn receive(&mut self, name: FileName, version: Version, now: UnixTime) -> Result<(), Trouble> {
        let known = self.arrivals.find(&name);
        if known.is_some_and(|known| known.original == version) || self.receipts.is_busy(&name) {
            return Ok(());
        }
        match admit(self.settings.expectation, &name, now) {
            Ok(()) => {}
            Err(Stray::Feed) if self.settings.is_inbox_shared => return Ok(()),
            Err(Stray::Feed) => {
                return self.ignore(sealed_name(&name.to_string()), Unexpected::OtherFeed, now);
            }
            // It has arrived in time before; what came again is told below.
            Err(_) if known.is_some() => {}
            Err(stray) => return self.refuse_file(&name, version, &Refusal::Stray(stray), now),
        }
        if known.is_none() {
            self.expect_room(&name)?;
        }
        let original = self.folders.original(&name);
        let Some(file) = inbox::open(&original, version)? else { return Ok(()) };
        let opened = self.decrypt(&name, file, now)?;
        // Somebody writes to it under its final name, or has put another in its place: the next pass looks again.
        if Version::at(&original)? != Some(version) {
            return Ok(());
        }
        match opened {
            Ok(verified) => self.take_in(name, version, verified, now),
            Err(DecryptFault::Source(kind)) => Err(Trouble::Io { deed: Deed::Read, path: original, kind }),
            Err(DecryptFault::Sink(kind)) => {
                Err(Trouble::Io { deed: Deed::Write, path: self.folders.work(), kind })
            }
            Err(fault) => self.refuse_file(&name, version, &Refusal::Message(fault), now),
        }
    }

    fn expect_room(&self, name: &FileName) -> Result<(), Trouble> {
        let Limits { files, sets, .. } = self.settings.limits;
        if self.arrivals.len() >= files {
            return Err(Trouble::Full { limit: files });
        }
        if matches!(name, FileName::Control(_)) && self.control_names().count() >= sets {
            return Err(Trouble::TooManySets { limit: sets });
        }
        Ok(())
    }

    fn decrypt(
        &self,
        name: &FileName,
        file: File,
        now: UnixTime,
    ) -> Result<Result<Verified, DecryptFault>, Trouble> {
        let work = self.folders.work();
        self.disk.change()?;
        let quarantine = Quarantine::create_in(&work).map_err(trouble(Deed::Write, &work))?;
        let mut limits = self.settings.limits.message;
        if let FileName::Control(_) = name {
            limits.bytes = limits.bytes.min(ControlFile::LIMIT_BYTES as u64);
        }
        Ok(pgp::decrypt(&self.keys, &self.signers, now, &limits, file, quarantine))
    }

    /// What becomes of a file that has verified.
    fn take_in(
        &mut self,
        name: FileName,
        version: Version,
        verified: Verified,
        now: UnixTime,
    ) -> Result<(), Trouble> {
        let sha256 = verified.open().and_then(Sha256::of);
        let sha256 = sha256.map_err(trouble(Deed::Read, &self.folders.work()))?;
        if let Some((set, digest)) = self.receipts.spent(&name) {
            if digest != sha256.0 {
                return self.refuse_file(&name, version, &Refusal::Replaced(set), now);
            }
            self.tell(now, Event::Repeated { file: name.to_string(), set: Some(set) })?;
            return self.remove_original(&name, version);
        }
        if let Some(known) = self.arrivals.find(&name) {
            let mut arrival = Arrival { original: version, ..known.clone() };
            if arrival.sha256 == sha256 {
                self.tell(now, Event::Repeated { file: name.to_string(), set: None })?;
            } else {
                arrival.disputed_by = Some(sha256);
                self.is_changed = true;
            }
            return self.arrivals.keep(&self.folders, &self.disk, arrival);
        }
        let path = self.folders.opened_file(&name);
        let signer = verified.signer().to_string();
        self.disk.change()?;
        verified.publish(&path).map_err(trouble(Deed::Write, &path))?;
        self.tell(now, Event::Arrived { file: name.to_string() })?;
        let arrival = Arrival { name, sha256, disputed_by: None, original: version, at: now, signer };
        self.arrivals.keep(&self.folders, &self.disk, arrival)?;
        self.is_changed = true;
        Ok(())
    }
}

/// Names of things in the inbox that are remembered as told of.
const IGNORED_LIMIT: usize = 1_000;
