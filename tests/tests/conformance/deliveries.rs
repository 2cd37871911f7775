//! A gateway that is killed in the middle of deliveries: each file arrives once, whole, in its order (SFTP-3 to SFTP-5; E08, E10).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use irgw_core::{Environment, UnixTime};
use irgw_sftp::delivery::{DeliveryId, Stage};
use irgw_sftp::fileset::Feed;
use irgw_sftp::pgp::{Limits, OwnKey, PartnerCert, Protection, Quarantine, Terms, decrypt};
use irgw_sftp::sealed_name;
use irgw_sftp::ssh::PrivateKey;
use irgw_store::{DeliveryFilter, DeliveryState, Page, Store};
use irgw_tests::{Local, PgpKey, Process, Provider, SftpServer};
use libtest_mimic::{Completion, Failed, Trial};

use crate::environments::{Environments, ensure, eventually, installed, irgw, text};
use crate::kills::next;
use crate::refresh::rounds;
use crate::sets::{Addressee, Set};
use crate::sshd::Sshd;
use crate::tools::{PATIENCE, irgw_in, provider};
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
    let world = World::new(local, sshd)?;
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
    let gateway = world.live()?;
    eventually(PATIENCE * 6, || world.open(), |open| *open == 0)?;
    drop(gateway);
    // What a kill has left in the spool, a start removes.
    let gateway = world.live()?;
    eventually(PATIENCE, || world.spooled(), Vec::is_empty)?;
    drop(gateway);
    world.check()?;
    let (sets, files) = world.submitted();
    let unrecorded = world.unrecorded()?;
    crate::say(&format!(
        "{files} files in {sets} sets, {kills} kills: {tally:?}; {unrecorded} files without a record"
    ));
    Ok(Completion::Completed)
}

/// A gateway alone with its folder, the provider's server, and what was submitted.
struct World {
    local: Local,
    config: PathBuf,
    store: Store,
    spool: PathBuf,
    inbox: PathBuf,
    _sshd: Sshd,
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
    fn new(mut local: Local, program: &Path) -> Result<World> {
        local.stop_dev();
        let (_, server, pgp) = demo_provider(&local)?;
        let inbox = local.folder().join("sshd/inbox");
        fs::create_dir_all(&inbox)?;
        let key = PrivateKey::load(&server.client_key, None)?;
        let sshd = Sshd::start(program, &local.folder().join("sshd"), &key)?;
        let provider = &provider(local.dev(), 0)?.id;
        for environment in ENVIRONMENTS {
            let port = sshd.port.to_string();
            let enrolled = irgw_in(
                &local,
                &[
                    ["provider", "file-server", "set", provider, "--environment", environment].as_slice(),
                    &["--platform", &server.platform, "--host", "127.0.0.1", "--port", &port],
                    &["--user", &sshd.user, "--host-key", &sshd.host_key, "--inbox", text(&inbox)],
                    &["--certificate", text(&pgp.certificate)],
                ]
                .concat(),
            )?;
            ensure(enrolled.code == Some(0), || format!("{}{}", enrolled.out, enrolled.err))?;
        }
        let config = local.configure("killed", OVERLAY.parse()?)?;
        let table: toml::Table = fs::read_to_string(&config)?.parse()?;
        let spool = table.get("files").and_then(|files| files.get("spool")).and_then(|spool| spool.as_str());
        Ok(World {
            config,
            spool: local.folder().join(spool.ok_or("the environment transfers no files")?),
            store: Store::open_existing(&local.folder().join("irgw.sqlite"))?,
            inbox,
            _sshd: sshd,
            sets: Mutex::default(),
            local,
        })
    }

    /// Starts the gateway.
    fn live(&self) -> Result<Process> {
        let log = self.log();
        let mut command = self.local.program().command();
        Ok(Process::spawn(command.args(["serve", "--config", text(&self.config)]), &log)?)
    }

    /// What lies in the spool.
    fn spooled(&self) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.spool)?;
        Ok(entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?)
    }

    fn log(&self) -> PathBuf {
        self.local.folder().join("killed.log")
    }

    /// Kills the gateway so many times, each time soon after it has begun with something.
    fn kill(&self, kills: u32, submitting: &ScopedJoinHandle<'_, Result<()>>) -> Result<Tally> {
        let (mut random, mut tally) = (SEED, Tally::default());
        for _ in 0..kills {
            let before = (self.turns()?, self.there()?);
            let gateway = self.live()?;
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
                while self.queued()?.len() >= BACKLOG && !over.load(Ordering::Relaxed) {
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
        let (provider, server, _) = demo_provider(&self.local)?;
        let to = Addressee { platform: &server.platform, environment };
        let number = u64::try_from(self.sets().len())?;
        let set = Set::make(&self.local.folder().join("sets"), feed, to, number)?;
        let folder = text(&set.folder);
        let arguments = ["delivery", "submit", "--provider", &provider.id, "--feed", feed.name(), folder];
        let submitted = irgw_in(&self.local, &arguments)?;
        ensure(submitted.code == Some(0), || format!("{}{}", submitted.out, submitted.err))?;
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

    fn queued(&self) -> Result<Vec<irgw_store::DeliveryEntry>> {
        let filter = DeliveryFilter { state: Some(DeliveryState::Queued), ..DeliveryFilter::default() };
        Ok(self.store.list_deliveries(&filter, &Page::first(1000)?)?.items)
    }

    /// How many deliveries are not delivered; an error when one of them waits for an operator.
    fn open(&self) -> Result<usize> {
        let filter = DeliveryFilter { state: Some(DeliveryState::Held), ..DeliveryFilter::default() };
        let held = self.store.list_deliveries(&filter, &Page::first(1)?)?.items;
        ensure(held.is_empty(), || format!("held: {held:?}"))?;
        Ok(self.queued()?.len())
    }

    /// What is queued, and the turn that it had last.
    fn turns(&self) -> Result<BTreeMap<u64, u64>> {
        let turn =
            |entry: irgw_store::DeliveryEntry| (entry.delivery.turn.delivery.0, entry.delivery.turn.number);
        Ok(self.queued()?.into_iter().map(turn).collect())
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
                Step::Uploading => self.there()?.iter().any(|name| is_new(name, true)),
                Step::Named => self.there()?.iter().any(|name| is_new(name, false)),
            })
        };
        let deadline = Instant::now() + PATIENCE;
        while !come_so_far()? {
            let log = || fs::read_to_string(self.log()).unwrap_or_default();
            ensure(Instant::now() < deadline, || {
                format!("nothing is {step:?} after {PATIENCE:?}: {}", log())
            })?;
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// The names in the inbox.
    fn there(&self) -> Result<BTreeSet<String>> {
        let name = |entry: std::io::Result<fs::DirEntry>| -> Result<String> {
            entry?.file_name().into_string().map_err(|name| Failed::from(format!("{name:?}")))
        };
        fs::read_dir(&self.inbox)?.map(name).collect()
    }

    /// After a kill: how things stand. Nothing waits for an operator, and the gateway has not panicked.
    fn look(&self, tally: &mut Tally) -> Result<()> {
        let (there, log) = (self.there()?, fs::read_to_string(self.log())?);
        ensure(!log.contains("panicked at"), || log.clone())?;
        self.open()?;
        for entry in self.queued()? {
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

    /// Everything is where it must be, and nothing else is anywhere.
    fn check(&self) -> Result<()> {
        let sets = self.sets();
        let wanted: BTreeSet<_> = sets.iter().flat_map(Set::names).map(|name| sealed_name(name)).collect();
        let there = self.there()?;
        ensure(there == wanted, || {
            let (more, fewer): (Vec<_>, Vec<_>) =
                (there.difference(&wanted).collect(), wanted.difference(&there).collect());
            format!("there is more: {more:?}; there is not: {fewer:?}")
        })?;
        let opener = Opener::new(&self.local)?;
        for set in &*sets {
            for name in set.names() {
                let opened = opener.open(&self.inbox.join(sealed_name(name)))?;
                ensure(opened == fs::read(set.folder.join(name))?, || {
                    format!("{name} is not what was submitted")
                })?;
            }
            let named_at = |name: &String| -> Result<(i64, i64)> {
                let metadata = fs::metadata(self.inbox.join(sealed_name(name)))?;
                // A rename sets it, and nothing has touched the files since.
                Ok((metadata.ctime(), metadata.ctime_nsec()))
            };
            let last = named_at(&set.control)?;
            for zip in &set.zips {
                ensure(named_at(zip)? <= last, || format!("{} was there before {zip}", set.control))?;
            }
        }
        self.check_ledger(sets.len())?;
        let log = self.local.audit_log("killed");
        let key = self.local.folder().join("audit.key");
        let verified = irgw(&["audit", "verify", text(&log), "--key", text(&key)])?;
        ensure(verified.code == Some(0), || format!("irgw audit verify: {}{}", verified.out, verified.err))
    }

    /// How many files have no audit record, since the process was killed before it was written: their receipts are in the ledger.
    fn unrecorded(&self) -> Result<usize> {
        let log = fs::read_to_string(self.local.audit_log("killed"))?;
        let mut recorded = BTreeSet::new();
        for record in log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()) {
            recorded.extend(record.get("file").and_then(|file| file.as_str()).map(str::to_owned));
        }
        Ok(self.sets().iter().flat_map(Set::names).filter(|name| !recorded.contains(*name)).count())
    }

    /// The ledger says of every set that it is delivered, of every file once.
    fn check_ledger(&self, sets: usize) -> Result<()> {
        let mut states: BTreeMap<String, usize> = BTreeMap::new();
        let mut after = String::new();
        loop {
            let arguments = ["delivery", "list", "--json", "--limit", "1000"];
            let more = if after.is_empty() { Vec::new() } else { vec!["--after", &after] };
            let listed = irgw_in(&self.local, &[arguments.as_slice(), &more].concat())?;
            ensure(listed.code == Some(0), || listed.err.clone())?;
            let listed: serde_json::Value = serde_json::from_str(&listed.out)?;
            for delivery in listed.get("deliveries").and_then(|list| list.as_array()).into_iter().flatten() {
                let word = |name| delivery.get(name).map(ToString::to_string).unwrap_or_default();
                *states.entry(word("state")).or_default() += 1;
                let id = word("number").parse().map(DeliveryId)?;
                let parcels = self.store.delivery(id)?.delivery.parcels;
                let is_delivered = |stage: &Stage| matches!(stage, Stage::Delivered { .. });
                ensure(parcels.iter().all(|parcel| is_delivered(&parcel.stage)), || format!("{parcels:?}"))?;
            }
            match listed.get("next").and_then(|next| next.as_str()) {
                Some(next) => next.clone_into(&mut after),
                None => break,
            }
        }
        ensure(states == BTreeMap::from([("\"delivered\"".to_owned(), sets)]), || format!("{states:?}"))
    }
}

/// The demo provider, and what is known of its server and its key.
fn demo_provider(local: &Local) -> Result<(&Provider, &SftpServer, &PgpKey)> {
    let first = provider(local.dev(), 0)?;
    let absent = "the environment has no demo provider with a file server";
    Ok((first, first.sftp.as_ref().ok_or(absent)?, first.pgp.as_ref().ok_or(absent)?))
}

/// Opens what arrived, as the provider does.
struct Opener {
    keys: Vec<OwnKey>,
    signers: [PartnerCert; 1],
    folder: PathBuf,
}

impl Opener {
    fn new(local: &Local) -> Result<Opener> {
        let (_, _, pgp) = demo_provider(local)?;
        let signer = local.dev().gateway_pgp.as_ref().ok_or("the environment has no OpenPGP key")?;
        let signer = PartnerCert::enrol(&fs::read(&signer.certificate)?, UnixTime::now(), Terms::default())?;
        let folder = local.folder().join("opened");
        fs::create_dir_all(&folder)?;
        let key = OwnKey::from_bytes(&fs::read(&pgp.key)?, Protection::Unprotected)?;
        Ok(Opener { keys: vec![key], signers: [signer], folder })
    }

    fn open(&self, path: &Path) -> Result<Vec<u8>> {
        let quarantine = Quarantine::create_in(&self.folder)?;
        let message = fs::File::open(path)?;
        let limits = Limits::default();
        let verified = decrypt(&self.keys, &self.signers, UnixTime::now(), &limits, message, quarantine)?;
        let opened = self.folder.join("opened");
        verified.publish(&opened)?;
        let bytes = fs::read(&opened)?;
        fs::remove_file(&opened)?;
        Ok(bytes)
    }
}
