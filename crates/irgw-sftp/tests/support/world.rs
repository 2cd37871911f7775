//! Inland Revenue, a provider with an OpenSSH server, and a set that is to go there; the ledger is in memory.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::num::NonZeroU8;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use irgw_core::{Clock, UnixTime};
use irgw_sftp::delivery::{
    Courier, Delivery, DeliveryFault, DeliveryId, Dialer, Event, Ledger, LedgerFault, Parcel, Partner,
    Sealed, Stage, Turn, Watch,
};
use irgw_sftp::fileset::Feed;
use irgw_sftp::pgp::{Algorithm, Compression, Limits, OwnKey, PartnerCert, Quarantine, Terms, decrypt};
use irgw_sftp::sealed_name;
use irgw_sftp::ssh::sftp::Folder;
use irgw_sftp::ssh::{HostPins, Timeouts};
use ring::digest;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::support::{PATIENCE, Sshd};

pub(crate) const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));

#[derive(Debug)]
pub(crate) struct Stopped;

impl Clock for Stopped {
    fn since_epoch(&self) -> Duration {
        Duration::from_secs(NOW.as_secs())
    }
}

/// A ledger in memory, for one delivery.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) stages: Mutex<BTreeMap<u32, Stage>>,
    pub(crate) turn: Mutex<u64>,
}

impl Memory {
    fn in_turn(&self, turn: Turn) -> Result<(), LedgerFault> {
        if *self.turn.lock().unwrap() == turn.number { Ok(()) } else { Err(LedgerFault::TurnLost) }
    }
}

impl Ledger for Memory {
    fn seal(&self, turn: Turn, parcel: u32, sealed: &Sealed) -> Result<(), LedgerFault> {
        self.in_turn(turn)?;
        self.stages.lock().unwrap().insert(parcel, Stage::Sealed(sealed.clone()));
        Ok(())
    }

    fn deliver(&self, turn: Turn, parcel: u32, now: UnixTime) -> Result<(), LedgerFault> {
        self.in_turn(turn)?;
        let mut stages = self.stages.lock().unwrap();
        let Some(Stage::Sealed(sealed)) = stages.get(&parcel).cloned() else {
            panic!("{parcel} is not sealed")
        };
        stages.insert(parcel, Stage::Delivered { sealed, at: now });
        Ok(())
    }
}

/// Writes down what happens, and says when the event of a number has.
#[derive(Default)]
pub(crate) struct Events {
    pub(crate) seen: Mutex<Vec<String>>,
    pub(crate) cut_after: Option<usize>,
    pub(crate) cut: Arc<Notify>,
}

impl Watch for Events {
    fn on(&self, _: DeliveryId, event: &Event<'_>) {
        if matches!(event, Event::Progress(..)) {
            return;
        }
        let mut seen = self.seen.lock().unwrap();
        seen.push(format!("{event:?}"));
        if self.cut_after == Some(seen.len()) {
            self.cut.notify_one();
        }
    }
}

/// Inland Revenue, a provider with an OpenSSH server, and a set that is to go there.
pub(crate) struct World {
    pub(crate) sshd: Arc<Sshd>,
    pub(crate) partner: Arc<Partner>,
    pub(crate) ours: Arc<OwnKey>,
    pub(crate) ours_public: PartnerCert,
    pub(crate) theirs: Vec<OwnKey>,
    pub(crate) source: tempfile::TempDir,
    pub(crate) ledger: Arc<Memory>,
    pub(crate) names: Vec<&'static str>,
    pub(crate) timeouts: Timeouts,
    pub(crate) patience: Duration,
    _listening: JoinSet<()>,
}

pub(crate) const SET: [&str; 3] = [
    "PSN_DAILY_PROVIDER_1500216000_2155445580_2155445927_201909091028315313_NZX.zip",
    "PSN_DAILY_PROVIDER_1500216000_2155445580_2155445927_201909091028315314_NZX.zip",
    "PSN_DAILY_PROVIDER_1500216000_2155445580_2155445927_201909091028316719_NZX_CONTROL.xml",
];

pub(crate) fn content(name: &str) -> Vec<u8> {
    name.bytes().cycle().take(300_000 + name.len()).collect()
}

impl World {
    pub(crate) async fn new(lines: &str) -> Option<World> {
        let sshd = Arc::new(Sshd::new(lines)?);
        let (address, listening) = sshd.clone().listen().await;
        let year = Duration::from_secs(365 * 86_400);
        let key = |name| OwnKey::generate(name, Algorithm::Curve25519, NOW, year).unwrap();
        let (ours, theirs) = (key("IR <ir@example.govt.nz>"), key("P <p@example.co.nz>"));
        let enrol = |key: &OwnKey| PartnerCert::enrol(&key.certificate(), NOW, Terms::default()).unwrap();
        let source = tempfile::tempdir().unwrap();
        for name in SET {
            std::fs::write(source.path().join(name), content(name)).unwrap();
        }
        let partner = Partner {
            provider: "p".parse().unwrap(),
            environment: "NZX".parse().unwrap(),
            platform: "1500216000".parse().unwrap(),
            host: "127.0.0.1".to_owned(),
            port: address.port(),
            login: sshd.target().user,
            pins: HostPins::only(sshd.pin()),
            inbox: sshd.files(),
            outbox: None,
            archive: None,
            certificate: enrol(&theirs),
            compression: Compression::None,
            connections: NonZeroU8::new(2).unwrap(),
        };
        Some(World {
            sshd,
            partner: Arc::new(partner),
            ours_public: enrol(&ours),
            ours: Arc::new(ours),
            theirs: vec![theirs],
            source,
            ledger: Arc::default(),
            names: SET.to_vec(),
            timeouts: Timeouts::default(),
            patience: PATIENCE,
            _listening: listening,
        })
    }

    /// The delivery as the next turn finds it.
    pub(crate) fn turn(&self) -> Delivery {
        let mut number = self.ledger.turn.lock().unwrap();
        *number += 1;
        let stages = self.ledger.stages.lock().unwrap();
        let parcels = (0..).zip(&self.names).map(|(number, name)| Parcel {
            number,
            name: (*name).to_owned(),
            bytes: content(name).len() as u64,
            digest: digest::digest(&digest::SHA256, &content(name)).as_ref().try_into().unwrap(),
            stage: stages.get(&number).cloned().unwrap_or(Stage::Waiting),
        });
        Delivery {
            turn: Turn { delivery: DeliveryId(1), number: *number },
            provider: self.partner.provider.clone(),
            environment: "NZX".to_owned(),
            feed: Feed::ReturnStatus,
            failures: 0,
            parcels: parcels.collect(),
        }
    }

    pub(crate) fn courier(&self, events: &Arc<Events>) -> Arc<Courier<Memory, Events>> {
        Arc::new(Courier {
            ledger: self.ledger.clone(),
            watch: events.clone(),
            signer: self.ours.clone(),
            dialer: self.dialer(),
            clock: Arc::new(Stopped),
        })
    }

    pub(crate) fn dialer(&self) -> Dialer {
        Dialer { key: self.sshd.user_key.clone(), timeouts: self.timeouts, patience: self.patience }
    }

    /// One attempt; what happened in it.
    pub(crate) async fn attempt(&self) -> (Result<(), DeliveryFault>, Vec<String>) {
        let events = Arc::new(Events::default());
        let delivery = self.turn();
        let outcome = self.courier(&events).carry_out(&self.partner, &delivery, self.source.path()).await;
        let seen = events.seen.lock().unwrap().clone();
        (outcome, seen)
    }

    /// One attempt that ends, as a process does that is killed, after so many events; whether it was over before.
    pub(crate) async fn attempt_cut_after(&self, events: usize) -> bool {
        let events = Arc::new(Events { cut_after: Some(events), ..Events::default() });
        let (delivery, courier) = (self.turn(), self.courier(&events));
        let carried = tokio::select! {
            biased;
            () = events.cut.notified() => false,
            outcome = courier.carry_out(&self.partner, &delivery, self.source.path()) => {
                outcome.unwrap();
                true
            }
        };
        self.sshd.end();
        carried
    }

    /// The same provider, at another port and with its inbox at another path.
    pub(crate) fn moved_to(&mut self, port: u16, inbox: Folder) {
        self.partner = Arc::new(Partner { port, inbox, ..(*self.partner).clone() });
    }

    /// What the ledger says is delivered has its name, and is what was sealed: whatever has happened so far (SFTP-4).
    pub(crate) fn expect_no_false_delivery(&self) {
        for (number, stage) in &*self.ledger.stages.lock().unwrap() {
            let Stage::Delivered { sealed, .. } = stage else { continue };
            let name = sealed_name(SET[*number as usize]);
            let there = std::fs::read(self.sshd.path(&name));
            let there = there.unwrap_or_else(|error| panic!("{name} is delivered, and there is: {error}"));
            assert_eq!(digest::digest(&digest::SHA256, &there).as_ref(), sealed.digest, "{name}");
        }
        let names = self.there();
        let is_there = |name: &&str| names.contains(&sealed_name(name));
        assert!(!is_there(&SET[2]) || SET[..2].iter().all(is_there), "{names:?}");
    }

    /// The names in the provider's inbox.
    pub(crate) fn there(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.sshd.path(""))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Each file is there once, and opens to what was submitted.
    pub(crate) fn expect_delivered(&self) {
        assert_eq!(self.there(), SET.map(sealed_name));
        for name in SET {
            let folder = tempfile::tempdir().unwrap();
            let message = std::fs::File::open(self.sshd.path(&sealed_name(name))).unwrap();
            let quarantine = Quarantine::create_in(folder.path()).unwrap();
            let signers = [self.ours_public.clone()];
            let verified =
                decrypt(&self.theirs, &signers, NOW, &Limits::default(), message, quarantine).unwrap();
            let path = folder.path().join("opened");
            verified.publish(&path).unwrap();
            assert_eq!(std::fs::read(path).unwrap(), content(name), "{name}");
        }
    }
}
