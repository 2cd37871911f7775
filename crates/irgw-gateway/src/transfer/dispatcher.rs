//! Carries out what the ledger says is due: several providers at once, each within its limits (SFTP-4, E16).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use irgw_core::{Clock, ProviderId, Rule, UnixTime};
use irgw_sftp::delivery::{Courier, DeliveryFault, DeliveryId, Dialer, LedgerFault, Stage, Turn};
use irgw_sftp::ssh::Timeouts;
use irgw_store::{DeliveryEntry, Stopped, Store};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::journal::Journal;
use super::keys::TransferKeys;
use super::record::delivered;
use super::retry::{Breakers, Pauses};
use super::spool::tidy;
use super::trouble::Trouble;
use crate::audit::AuditLog;
use crate::kept::Alarm;
use crate::life::Phase;
use crate::metrics::Metrics;

/// How deliveries are carried out.
#[derive(Debug, Clone)]
pub struct DeliveryConfig {
    /// How many at once.
    pub at_once: usize,
    /// For how long a process that says nothing any more keeps its turn.
    pub lease: Duration,
    /// How long they pause after failures.
    pub pauses: Pauses,
    /// After how many failures in a row the operator is told.
    pub alarm_after: u32,
}

/// What carries deliveries out, in this process.
pub(crate) struct Dispatcher {
    pub(crate) store: Arc<Store>,
    pub(crate) keys: watch::Receiver<Arc<TransferKeys>>,
    pub(crate) config: DeliveryConfig,
    pub(crate) spool: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) audit: Arc<AuditLog>,
    pub(crate) breakers: Mutex<Breakers>,
}

impl Dispatcher {
    /// Works until the gateway drains. What is under way then is cut, and goes on when its turn has lapsed.
    pub(crate) async fn run(self: Arc<Dispatcher>, mut phase: watch::Receiver<Phase>) {
        let spool = self.spool.clone();
        if let Err(error) = self.ask(move |store| tidy(store, &spool)).await {
            tracing::warn!(%error, "the spool is not tidied");
        }
        let room = Arc::new(Semaphore::new(self.config.at_once));
        let mut attempts = JoinSet::new();
        let (mut ledger, mut trouble) = (Alarm::new("ledger"), Trouble::default());
        let mut looked: Option<Instant> = None;
        loop {
            while attempts.try_join_next().is_some() {}
            if looked.is_none_or(|looked| looked.elapsed() >= LOOK_FOR_TROUBLE) {
                looked = Some(Instant::now());
                let failures = self.config.alarm_after;
                // What the ledger cannot say now is said by its own alarm, below.
                if let Ok(troubled) = self.ask(move |store| store.troubled_deliveries(failures)).await {
                    trouble.settle(&self.metrics, &troubled);
                }
            }
            let claimed = async {
                // The semaphore is never closed.
                let permit = room.clone().acquire_owned().await.ok();
                (permit, self.claim().await)
            };
            let (permit, claimed) = tokio::select! {
                claimed = claimed => claimed,
                _ = phase.wait_for(|phase| *phase >= Phase::Draining) => return,
            };
            let problem = claimed.as_ref().err().map(|error| format!("no delivery goes out: {error}"));
            ledger.settle(&self.metrics, problem);
            match claimed {
                Ok(Some(entry)) => {
                    let dispatcher = self.clone();
                    attempts.spawn(async move {
                        dispatcher.attempt(entry).await;
                        drop(permit);
                    });
                }
                Ok(None) | Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    async fn claim(&self) -> Result<Option<DeliveryEntry>, irgw_store::Error> {
        let resting: Vec<ProviderId> = self.breakers().resting(Instant::now()).cloned().collect();
        let (lease, now) = (self.config.lease, self.clock.now());
        self.ask(move |store| store.claim_delivery(&resting, lease, now)).await
    }

    /// One attempt, and what comes of it.
    async fn attempt(&self, entry: DeliveryEntry) {
        let (turn, provider) = (entry.delivery.turn, entry.delivery.provider.clone());
        let journal = Arc::new(Journal::default());
        let outcome = tokio::select! {
            outcome = self.carry_out(&entry, journal.clone()) => outcome,
            fault = self.keep(turn, &journal) => Err(fault),
        };
        let progress = journal.has_delivered();
        match outcome {
            Ok(()) => {
                self.breakers().close(&provider);
                self.finish(&entry).await;
            }
            Err(stop) if stop.is_of_a_lost_turn() => {
                tracing::info!(delivery = %turn.delivery, "another process has taken it over, or it was cancelled");
            }
            Err(stop) => self.put_off(&entry, &stop, progress).await,
        }
    }

    async fn carry_out(&self, entry: &DeliveryEntry, journal: Arc<Journal>) -> Result<(), Stop> {
        let keys = self.keys.borrow().clone();
        let courier = Arc::new(Courier {
            ledger: self.store.clone(),
            watch: journal,
            signer: Arc::new(keys.signing_pgp().clone()),
            dialer: dialer(&keys),
            clock: self.clock.clone(),
        });
        let (provider, environment) = (entry.delivery.provider.clone(), entry.delivery.environment.clone());
        let partner = self
            .ask(move |store| {
                let environment = environment.parse().map_err(|_| corrupt(&environment))?;
                store.partner(&provider, environment)
            })
            .await?;
        let folder = Path::new(&entry.folder);
        Ok(courier.carry_out(&Arc::new(partner), &entry.delivery, folder).await?)
    }

    /// Keeps the turn until it is lost, and notes how far it is for those who watch.
    async fn keep(&self, turn: Turn, journal: &Journal) -> Stop {
        let lease = self.config.lease;
        let (mut kept, mut noted) = (Instant::now(), 0);
        loop {
            tokio::time::sleep(NOTE_AGAIN.min(lease / 3)).await;
            let (sent, now) = (journal.sent(), self.clock.now());
            if sent == noted && kept.elapsed() < lease / 3 {
                continue;
            }
            match self.ask(move |store| store.keep_turn(turn, sent, lease, now)).await {
                Ok(()) => (kept, noted) = (Instant::now(), sent),
                // What cannot be written now may be at the next time; when the turn has lapsed, the ledger says so.
                Err(irgw_store::Error::Busy | irgw_store::Error::Unreachable(_)) => {}
                Err(error) => return Stop::Store(error),
            }
        }
    }

    async fn finish(&self, entry: &DeliveryEntry) {
        let (turn, now) = (entry.delivery.turn, self.clock.now());
        let finished = match self.record(turn.delivery).await {
            Ok(()) => self.ask(move |store| store.finish_delivery(turn, now)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = finished {
            tracing::warn!(delivery = %turn.delivery, %error, "every file has its name, and that could not be written down");
            return;
        }
        tracing::info!(delivery = %turn.delivery, provider = %entry.delivery.provider, "delivered");
        // Only what was put there by the submission, and nothing is lost if it stays.
        if let Err(error) = std::fs::remove_dir_all(&entry.folder) {
            tracing::debug!(folder = entry.folder, %error, "the spool's folder stays until the next start");
        }
    }

    /// Postpones or holds a delivery that was stopped.
    async fn put_off(&self, entry: &DeliveryEntry, stop: &Stop, progress: bool) {
        let (turn, stopped) = (entry.delivery.turn, Stopped { rule: stop.rule(), why: stop.to_string() });
        let failures = if progress { 1 } else { entry.delivery.failures.saturating_add(1) };
        let (delivery, provider) = (turn.delivery, &entry.delivery.provider);
        if stop.is_for_an_operator() {
            let why = stopped.why.clone();
            let held = self.ask(move |store| store.hold_delivery(turn, &stopped)).await;
            // Whoever has the turn now may be getting on well.
            if !matches!(held, Err(irgw_store::Error::TurnLost(_))) {
                tracing::error!(%delivery, %provider, fault = why, "held: an operator is needed");
            }
            return tell(delivery, held);
        }
        let pause = self.config.pauses.after(failures, chance());
        if stop.is_of_the_server() {
            self.breakers().note(provider, Instant::now() + pause);
        }
        tracing::warn!(%delivery, %provider, fault = stopped.why, again_in = pause.as_secs(), "not delivered yet");
        let due =
            UnixTime::since_unix_epoch(Duration::from_secs(self.clock.now().as_secs()).saturating_add(pause));
        let put = self.ask(move |store| store.postpone_delivery(turn, &stopped, progress, due)).await;
        tell(delivery, put);
    }

    /// Writes an audit record for each file of a delivery that is whole. Before the ledger says that it is finished: what was not
    /// written when a process ended is written by the next turn, and at worst twice.
    async fn record(&self, id: DeliveryId) -> Result<(), irgw_store::Error> {
        let entry = self.ask(move |store| store.delivery(id)).await?;
        for parcel in &entry.delivery.parcels {
            let Stage::Delivered { sealed, .. } = &parcel.stage else { continue };
            let record = delivered(id, &entry.delivery.provider, parcel, sealed, self.clock.since_epoch());
            self.audit.record(&record);
        }
        self.audit.written().await;
        Ok(())
    }

    fn breakers(&self) -> std::sync::MutexGuard<'_, Breakers> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the store, on a thread that may wait for the disk.
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Store) -> Result<T, irgw_store::Error> + Send + 'static,
    ) -> Result<T, irgw_store::Error> {
        let store = self.store.clone();
        let asked = tokio::task::spawn_blocking(move || ask(&store)).await;
        asked.unwrap_or(Err(irgw_store::Error::Thread(std::io::ErrorKind::Other)))
    }
}

/// What stopped an attempt.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Fault(#[from] DeliveryFault),
    #[error(transparent)]
    Store(#[from] irgw_store::Error),
}

impl Stop {
    /// Whether another process has the delivery now, or nobody, since it was cancelled.
    fn is_of_a_lost_turn(&self) -> bool {
        matches!(
            self,
            Stop::Fault(DeliveryFault::Ledger(LedgerFault::TurnLost))
                | Stop::Store(irgw_store::Error::TurnLost(_))
        )
    }

    /// The rule; `None` for a fault of our own surroundings.
    fn rule(&self) -> Option<Rule> {
        match self {
            Stop::Fault(fault) => Some(fault.rule()),
            Stop::Store(error) => error.rule(),
        }
    }

    /// Whether no repetition mends it.
    fn is_for_an_operator(&self) -> bool {
        match self {
            Stop::Fault(fault) => fault.is_for_an_operator(),
            // The file server is not enrolled, or disabled.
            Stop::Store(_) => self.rule().is_some(),
        }
    }

    /// Whether other deliveries to the same server would meet it too.
    fn is_of_the_server(&self) -> bool {
        matches!(self, Stop::Fault(DeliveryFault::Unreachable(_) | DeliveryFault::Transport(_)))
    }
}

/// What connects to providers' servers.
pub(super) fn dialer(keys: &TransferKeys) -> Dialer {
    Dialer { key: keys.live_ssh().clone(), timeouts: Timeouts::default(), patience: PATIENCE }
}

fn tell(delivery: DeliveryId, written: Result<(), irgw_store::Error>) {
    if let Err(error) = written {
        tracing::warn!(%delivery, %error, "what stopped the delivery could not be written down; it goes on when its turn has lapsed");
    }
}

fn corrupt(environment: &str) -> irgw_store::Error {
    irgw_store::Error::Corrupt(format!("{environment:?} is no file environment"))
}

/// A number from 0 to 1, by chance.
fn chance() -> f64 {
    let mut byte = [128; 1];
    // Without randomness all pauses are of their middle length.
    let _ = SystemRandom::new().fill(&mut byte);
    f64::from(byte[0]) / 255.0
}

/// How often the ledger is looked at when nothing is due.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How often the ledger is told how far an attempt is, while it gets further.
const NOTE_AGAIN: Duration = Duration::from_secs(1);

/// How often the ledger is looked through for deliveries that need somebody.
const LOOK_FOR_TROUBLE: Duration = Duration::from_secs(2);

/// How long to wait for each answer of a server.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    /// Both who carries a delivery out and who keeps its turn may be the first to find that it is lost. Nothing is wrong then.
    #[test]
    fn lost_turn_is_told_from_what_an_operator_is_needed_for() {
        let lost = [
            Stop::Fault(DeliveryFault::Ledger(LedgerFault::TurnLost)),
            Stop::Store(irgw_store::Error::TurnLost(7)),
        ];
        assert!(lost.iter().all(Stop::is_of_a_lost_turn));
        let taken = Stop::Fault(DeliveryFault::NameTaken { name: "a".to_owned() });
        assert!(!taken.is_of_a_lost_turn() && taken.is_for_an_operator());
    }
}
