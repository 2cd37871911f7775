//! A gateway that is killed in the middle of deliveries: each file arrives once, whole, in its order (SFTP-3 to SFTP-5; E08, E10).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use irgw_core::Environment;
use irgw_sftp::delivery::Stage;
use irgw_sftp::fileset::Feed;
use irgw_sftp::sealed_name;
use irgw_tests::Local;
use libtest_mimic::{Completion, Trial};

use crate::environments::{Environments, ensure, eventually, installed};
use crate::kills::next;
use crate::refresh::rounds;
use crate::sending::Sending;
use crate::sets::Set;
use crate::tools::PATIENCE;
use crate::{Result, skipped};

/// Where the moments of the kills come from.
const SEED: u64 = 0x1234_5678_9abc_def1;

/// The file environments of the sets. All have the same inbox.
const ENVIRONMENTS: [&str; 3] = ["NZT", "NZE", "NZF"];

const FEEDS: [Feed; 2] = [Feed::TransactionData, Feed::ReturnStatus];

/// How long after the step that is waited for a gateway is killed, at most.
const AFTER_MS: u64 = 60;

/// How many sets wait at most.
const BACKLOG: usize = 8;

/// A gateway that is not there any more loses its turns at once.
const OVERLAY: &str = "[files]\nlease_seconds = 1\nretry_seconds = 1\n";

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let environments = environments.clone();
    let name = "deliveries::each_file_arrives_once_and_whole_however_often_the_gateway_is_killed";
    vec![Trial::ignorable_test(name, move || match installed("sshd") {
        None => Ok(skipped("sshd is not installed")),
        Some(program) => kill_again_and_again(environments.another(Environment::Test)?, &program),
    })]
}

fn kill_again_and_again(local: Local, sshd: &Path) -> Result {
    let kills = rounds(40)?;
    let sending = Sending::new(local, sshd, &ENVIRONMENTS, "killed", OVERLAY)?;
    let world = World { sending, sets: Mutex::default() };
    let over = AtomicBool::new(false);
    let tally = thread::scope(|scope| {
        let submitting = scope.spawn(|| world.keep_submitting(&over));
        let tally = world.kill(kills, &submitting);
        over.store(true, Ordering::Relaxed);
        submitting.join().expect("the submitter does not panic")?;
        tally
    })?;
    // One more of each, so that every feed is swept once more.
    for feed in FEEDS {
        ENVIRONMENTS.iter().try_for_each(|environment| world.submit(feed, environment))?;
    }
    let gateway = world.sending.live()?;
    eventually(PATIENCE * 6, || world.sending.open(), |open| *open == 0)?;
    drop(gateway);
    // What a kill has left in the spool, a start removes.
    let gateway = world.sending.live()?;
    eventually(PATIENCE, || world.sending.spooled(), Vec::is_empty)?;
    drop(gateway);
    world.sending.check(&world.sets())?;
    let (sets, files) = world.submitted();
    let unrecorded = world.unrecorded()?;
    ensure(unrecorded == 0, || format!("{unrecorded} of {files} files have no audit record"))?;
    crate::say(&format!("{files} files in {sets} sets, {kills} kills: {tally:?}"));
    Ok(Completion::Completed)
}

/// Both ends, and what was submitted.
struct World {
    sending: Sending,
    sets: Mutex<Vec<Set>>,
}

/// How far a first delivery has come when the gateway's time is up.
#[derive(Debug, Clone, Copy)]
enum Step {
    Claimed,
    Uploading,
    Named,
}

impl Step {
    fn of(random: u64) -> Step {
        match random % 4 {
            0 => Step::Claimed,
            1 | 2 => Step::Uploading,
            _ => Step::Named,
        }
    }
}

/// How things stood when the gateway was killed.
#[derive(Debug, Default)]
struct Tally {
    /// Deliveries that were under way.
    under_way: u32,
    /// Files that were being uploaded.
    uploading: u32,
    /// Files that were about to have their names.
    sealed: u32,
    /// Files that had their names, and the ledger did not know.
    named: u32,
}

impl World {
    /// Kills the gateway so many times, each time soon after it has begun with something.
    fn kill(&self, kills: u32, submitting: &ScopedJoinHandle<'_, Result<()>>) -> Result<Tally> {
        let (mut random, mut tally) = (SEED, Tally::default());
        for _ in 0..kills {
            let before = (self.turns()?, self.sending.there()?);
            let gateway = self.sending.live()?;
            random = next(random);
            self.wait_for(Step::of(random), &before)?;
            thread::sleep(Duration::from_millis((random >> 8) % AFTER_MS));
            // A kill in the middle of whatever goes on then: SIGKILL, and it is waited for.
            drop(gateway);
            self.look(&mut tally)?;
            if submitting.is_finished() {
                break;
            }
        }
        Ok(tally)
    }

    /// Has sets submitted of all feeds and environments in turn, and waits while many are not delivered, until it is over.
    fn keep_submitting(&self, over: &AtomicBool) -> Result<()> {
        for environment in ENVIRONMENTS.iter().cycle() {
            for feed in FEEDS {
                while self.sending.queued()?.len() >= BACKLOG && !over.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(20));
                }
                if over.load(Ordering::Relaxed) {
                    return Ok(());
                }
                self.submit(feed, environment)?;
            }
        }
        Ok(())
    }

    fn submit(&self, feed: Feed, environment: &str) -> Result<()> {
        let number = u64::try_from(self.sets().len())?;
        let set = self.sending.set(feed, environment, number)?;
        self.sending.submit(&set)?;
        self.sets().push(set);
        Ok(())
    }

    fn sets(&self) -> MutexGuard<'_, Vec<Set>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many sets, and how many files, were submitted.
    fn submitted(&self) -> (usize, usize) {
        let sets = self.sets();
        (sets.len(), sets.iter().map(|set| set.names().count()).sum())
    }

    /// What is queued, and the turn that it had last.
    fn turns(&self) -> Result<BTreeMap<u64, u64>> {
        let turn =
            |entry: irgw_store::DeliveryEntry| (entry.delivery.turn.delivery.0, entry.delivery.turn.number);
        Ok(self.sending.queued()?.into_iter().map(turn).collect())
    }

    /// Waits until something has come so far that had not before: what was queued with its turns, and what was there.
    fn wait_for(&self, step: Step, before: &(BTreeMap<u64, u64>, BTreeSet<String>)) -> Result<()> {
        let (turns, names) = before;
        let come_so_far = || -> Result<bool> {
            let is_new = |name: &String, is_part| name.ends_with(".part") == is_part && !names.contains(name);
            Ok(match step {
                Step::Claimed => {
                    let later = |(id, turn): (&u64, &u64)| *turn > turns.get(id).copied().unwrap_or(0);
                    self.turns()?.iter().any(later)
                }
                Step::Uploading => self.sending.there()?.iter().any(|name| is_new(name, true)),
                Step::Named => self.sending.there()?.iter().any(|name| is_new(name, false)),
            })
        };
        let deadline = Instant::now() + PATIENCE;
        while !come_so_far()? {
            let log = || fs::read_to_string(self.sending.log()).unwrap_or_default();
            ensure(Instant::now() < deadline, || {
                format!("nothing is {step:?} after {PATIENCE:?}: {}", log())
            })?;
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// After a kill: how things stand. Nothing waits for an operator, and the gateway has not panicked.
    fn look(&self, tally: &mut Tally) -> Result<()> {
        let (there, log) = (self.sending.there()?, fs::read_to_string(self.sending.log())?);
        ensure(!log.contains("panicked at"), || log.clone())?;
        self.sending.open()?;
        for entry in self.sending.queued()? {
            let stages = entry
                .delivery
                .parcels
                .iter()
                .map(|parcel| (parcel, there.contains(&sealed_name(&parcel.name))));
            for (parcel, is_named) in stages.clone() {
                tally.sealed += u32::from(matches!(parcel.stage, Stage::Sealed(_)) && !is_named);
                tally.named += u32::from(matches!(parcel.stage, Stage::Sealed(_)) && is_named);
                let part = format!(".{}.{}.part", sealed_name(&parcel.name), entry.delivery.turn.number);
                tally.uploading += u32::from(parcel.stage == Stage::Waiting && there.contains(&part));
            }
            let is_begun = entry.delivery.turn.number > 0 && entry.stopped.is_none();
            tally.under_way += u32::from(is_begun);
        }
        Ok(())
    }

    /// How many files have no audit record.
    fn unrecorded(&self) -> Result<usize> {
        let log = fs::read_to_string(self.sending.local.audit_log("killed"))?;
        let mut recorded = BTreeSet::new();
        for record in log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()) {
            recorded.extend(record.get("file").and_then(|file| file.as_str()).map(str::to_owned));
        }
        Ok(self.sets().iter().flat_map(Set::names).filter(|name| !recorded.contains(*name)).count())
    }
}
