//! `irgw delivery submit` that is killed at any moment: the ledger has the whole set or nothing of it, and what is submitted again is
//! delivered once (SFTP-4; E08, E10).

use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use irgw_core::Environment;
use irgw_sftp::fileset::Feed;
use irgw_store::{DeliveryEntry, DeliveryState};
use libtest_mimic::{Completion, Trial};

use crate::environments::{Environments, ensure, eventually, installed};
use crate::kills::next;
use crate::refresh::rounds;
use crate::sending::Sending;
use crate::sets::Set;
use crate::tools::PATIENCE;
use crate::{Result, skipped};

/// Where the moments of the kills come from.
const SEED: u64 = 0x0bad_5eed_0bad_5eed;

/// The file environment of the sets.
const ENVIRONMENT: &str = "NZT";

const OVERLAY: &str = "[files]\nlease_seconds = 1\nretry_seconds = 1\n";

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let environments = environments.clone();
    let name = "deliveries::submission_that_is_killed_leaves_the_whole_set_or_nothing";
    vec![Trial::ignorable_test(name, move || match installed("sshd") {
        None => Ok(skipped("sshd is not installed")),
        Some(program) => {
            let local = environments.another(Environment::Test)?;
            let sending = Sending::new(local, Path::new(&program), &[ENVIRONMENT], "submissions", OVERLAY)?;
            kill_again_and_again(&sending)
        }
    })]
}

/// How far submissions had come when they were killed.
#[derive(Debug, Default)]
struct Tally {
    /// Nothing was in the spool.
    before: u32,
    /// Files were in the spool, and nothing in the ledger.
    linked: u32,
    /// The set was in the ledger, and the process did not end.
    written: u32,
    /// The process was faster.
    ended: u32,
}

fn kill_again_and_again(sending: &Sending) -> Result {
    let kills = rounds(20)?;
    let (mut random, mut tally, mut sets) = (SEED, Tally::default(), Vec::new());
    // While nobody delivers, what is in the spool and in the ledger stays as the submission has left it.
    let whole = sending.set(Feed::TransactionData, ENVIRONMENT, 0)?;
    let began = Instant::now();
    sending.submit(&whole)?;
    let usual = began.elapsed();
    sets.push(whole);
    for number in 1..=u64::from(kills) {
        random = next(random);
        let feed = if random & 1 == 0 { Feed::TransactionData } else { Feed::ReturnStatus };
        let set = sending.set(feed, ENVIRONMENT, number)?;
        let spooled = sending.spooled()?.len();
        let mut submission = sending.submission(&set)?;
        let child = submission.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        // One half at any moment, the other when the files have begun to be linked.
        let has_begun = if random & 2 == 0 { None } else { Some(spooled) };
        let has_ended = kill(sending, child, usual, has_begun, random >> 8)?;
        let ledger = of_set(sending, &set)?;
        ensure(ledger.len() <= 1, || format!("twice in the ledger: {ledger:?}"))?;
        for entry in &ledger {
            let names = entry.delivery.parcels.iter().map(|parcel| &parcel.name);
            ensure(names.eq(set.names()), || format!("not whole: {entry:?}"))?;
            for name in set.names() {
                let link = Path::new(&entry.folder).join(name);
                ensure(link.is_file(), || format!("{} is not there", link.display()))?;
            }
        }
        match (has_ended, ledger.is_empty(), sending.spooled()?.len() > spooled) {
            (true, ..) => tally.ended += 1,
            (false, false, _) => tally.written += 1,
            (false, true, true) => tally.linked += 1,
            (false, true, false) => tally.before += 1,
        }
        let told = sending.submit(&set)?;
        let is_known = told.contains("was submitted before");
        ensure(is_known != ledger.is_empty(), || format!("{} in the ledger; {told}", ledger.len()))?;
        ensure(of_set(sending, &set)?.len() == 1, || format!("submitted again: {told}"))?;
        sets.push(set);
    }
    let gateway = sending.live()?;
    eventually(PATIENCE * 3, || sending.open(), |open| *open == 0)?;
    drop(gateway);
    // What a kill has left in the spool, a start removes.
    let gateway = sending.live()?;
    eventually(PATIENCE, || sending.spooled(), Vec::is_empty)?;
    drop(gateway);
    sending.check(&sets)?;
    crate::say(&format!("{kills} submissions killed: {tally:?}; a whole one takes {usual:?}"));
    Ok(Completion::Completed)
}

/// Kills a submission by SIGKILL, at a moment that `random` says: within the `usual` time, or soon after there is more in the spool than
/// there was. Whether it had ended by itself.
fn kill(
    sending: &Sending,
    mut child: Child,
    usual: Duration,
    spooled: Option<usize>,
    random: u64,
) -> Result<bool> {
    let until = match spooled {
        None => usual,
        Some(spooled) => {
            let deadline = Instant::now() + PATIENCE;
            while sending.spooled()?.len() <= spooled
                && child.try_wait()?.is_none()
                && Instant::now() < deadline
            {
                thread::sleep(Duration::from_micros(200));
            }
            usual / 4
        }
    };
    thread::sleep(until.mul_f64((random % 1000) as f64 / 1000.0));
    let has_ended = child.try_wait()?.is_some();
    child.kill()?;
    child.wait()?;
    Ok(has_ended)
}

/// What the ledger has of a set.
fn of_set(sending: &Sending, set: &Set) -> Result<Vec<DeliveryEntry>> {
    let mut entries = sending.deliveries(DeliveryState::Queued)?;
    entries.retain(|entry| {
        entry.delivery.parcels.iter().any(|parcel| set.names().any(|name| *name == parcel.name))
    });
    Ok(entries)
}
