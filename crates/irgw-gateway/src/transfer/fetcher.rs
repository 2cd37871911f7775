//! Fetches and takes in what providers have put into their outboxes (SFTP-1, SFTP-3, FILE-4).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use irgw_core::{Clock, ProviderId};
use irgw_sftp::delivery::{Partner, fetch};
use irgw_sftp::fileset::{EnvironmentCode, Expectation, Feed};
use irgw_sftp::intake::{Event, Folders, Intake, Limits, Originals, Pass, Settings};
use irgw_sftp::ssh::sftp::RemoteFile;
use irgw_store::Store;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::dispatcher::dialer;
use super::keys::TransferKeys;
use super::record::{refused, released};
use crate::audit::AuditLog;
use crate::kept::Alarm;
use crate::life::Phase;
use crate::metrics::Metrics;
use crate::private_files::{self, LockError};

/// What fetches files, in this process.
pub(crate) struct Fetcher {
    pub(crate) store: Arc<Store>,
    pub(crate) keys: watch::Receiver<Arc<TransferKeys>>,
    pub(crate) every: Duration,
    /// The folder of what was received: `PROVIDER.ENVIRONMENT/inbox`, and beside it a state folder for each feed.
    pub(crate) received: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) audit: Arc<AuditLog>,
}

/// What was fetched and is still in its outbox, because the provider does not let us remove it.
type Left = HashMap<(ProviderId, String), RemoteFile>;

impl Fetcher {
    /// Works until the gateway drains.
    pub(crate) async fn run(self, mut phase: watch::Receiver<Phase>) {
        let fetcher = Arc::new(self);
        let (mut left, mut alarms) = (Left::new(), HashMap::new());
        loop {
            tokio::select! {
                () = fetcher.round(&mut left, &mut alarms) => {}
                _ = phase.wait_for(|phase| *phase >= Phase::Draining) => return,
            }
            tokio::select! {
                () = tokio::time::sleep(fetcher.every) => {}
                _ = phase.wait_for(|phase| *phase >= Phase::Draining) => return,
            }
        }
    }

    /// Each provider in turn: a server that does not answer holds the others up for as long as it may take to connect.
    async fn round(self: &Arc<Fetcher>, left: &mut Left, alarms: &mut HashMap<ProviderId, Alarm>) {
        let store = self.store.clone();
        let listed = tokio::task::spawn_blocking(move || store.list_partners(None)).await;
        let partners = match listed {
            Ok(Ok(partners)) => partners,
            Ok(Err(error)) => return tracing::warn!(%error, "nothing is fetched"),
            Err(error) => return tracing::error!(%error, "nothing is fetched"),
        };
        let has_outbox = partners.into_iter().filter(|enrolled| enrolled.disabled.is_none());
        for partner in has_outbox.map(|enrolled| enrolled.partner).filter(|partner| partner.outbox.is_some())
        {
            let provider = partner.provider.clone();
            let outcome = self.visit(Arc::new(partner), left).await;
            let alarm = alarms
                .entry(provider.clone())
                .or_insert_with(|| Alarm::new(format!("fetching from {provider}")));
            alarm.settle(&self.metrics, outcome.err());
        }
    }

    /// Fetches from one provider, and takes in what has come.
    async fn visit(self: &Arc<Fetcher>, partner: Arc<Partner>, left: &mut Left) -> Result<(), String> {
        let folder = self.received.join(folder_name(&partner.provider, partner.environment));
        let inbox = folder.join("inbox");
        private_files::make_directory(&inbox).map_err(|error| format!("{}: {error}", inbox.display()))?;
        // Gateways that share the folder take turns: two would write to the same file, and each intake wants its folders alone.
        let _turn = match private_files::lock(&folder.join("fetching")) {
            Ok(turn) => turn,
            Err(LockError::Held(_)) => return Ok(()),
            Err(LockError::File(error)) => return Err(format!("{}: {error}", folder.display())),
        };
        let keys = self.keys.borrow().clone();
        let known = |name: &str, file: &RemoteFile| {
            left.get(&(partner.provider.clone(), name.to_owned())) != Some(file)
        };
        let fetched = fetch(&dialer(&keys), &partner, &inbox, LIMIT_BYTES, known).await;
        for file in fetched.as_ref().into_iter().flatten() {
            tracing::info!(provider = %partner.provider, file = file.name, "fetched");
            if !file.is_cleared {
                tracing::warn!(provider = %partner.provider, file = file.name, "cannot be removed from the outbox");
                left.insert((partner.provider.clone(), file.name.clone()), file.file);
            }
        }
        // What came before goes on, whether or not there was anything now.
        for feed in [Feed::TransactionData, Feed::ReturnStatus] {
            let (fetcher, partner, keys) = (self.clone(), partner.clone(), keys.clone());
            let (inbox, state) = (inbox.clone(), folder.join(feed.name()));
            let taken =
                tokio::task::spawn_blocking(move || fetcher.take_in(&partner, &keys, feed, inbox, &state))
                    .await;
            taken.map_err(|error| error.to_string())??;
        }
        fetched.map(drop).map_err(|fault| fault.to_string())
    }

    /// One pass over what has come of a feed.
    fn take_in(
        &self,
        partner: &Partner,
        keys: &TransferKeys,
        feed: Feed,
        inbox: PathBuf,
        state: &Path,
    ) -> Result<(), String> {
        let settings = Settings {
            expectation: Expectation {
                feed,
                platform: partner.platform,
                environment: partner.environment,
                max_age: None,
            },
            is_inbox_shared: true,
            originals: Originals::Archived,
            limits: Limits::default(),
        };
        let folders = Folders { inbox, state: state.to_owned() };
        let (keys, signers) = (keys.decrypting_pgp().to_vec(), vec![partner.certificate.clone()]);
        let mut intake = Intake::open(folders, settings, keys, signers).map_err(|fault| fault.to_string())?;
        let now = self.clock.now();
        let Pass { events, troubles } = intake.pass(now);
        for event in &events {
            let (provider, line) = (&partner.provider, event.to_json(now));
            match event {
                Event::Refused { .. } | Event::SetRefused { .. } => {
                    tracing::warn!(%provider, event = line, "received")
                }
                Event::Ignored { .. } => tracing::debug!(%provider, event = line, "received"),
                _ => tracing::info!(%provider, event = line, "received"),
            }
            if let Some(record) = refused(provider, event, self.clock.since_epoch()) {
                self.audit.record(&record);
            }
        }
        // Before it is noted that this was done: at worst a release is recorded twice.
        let releases = intake.unannounced();
        for release in &releases {
            self.audit.record(&released(&partner.provider, &release.set, self.clock.since_epoch()));
        }
        if !releases.is_empty() {
            Handle::current().block_on(self.audit.written());
        }
        for release in releases {
            intake.announced(&release.set).map_err(|trouble| trouble.to_string())?;
        }
        match troubles.first() {
            Some(trouble) => Err(trouble.to_string()),
            None => Ok(()),
        }
    }
}

/// One path component for a provider in a file environment: its id may hold anything.
pub(crate) fn folder_name(provider: &ProviderId, environment: EnvironmentCode) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let id: String = provider
        .as_str()
        .bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") })
        .collect();
    format!("{id}.{environment}")
}

/// The most bytes that a fetched file may have: a zip of the feeds has less than 4 GiB.
const LIMIT_BYTES: u64 = 5 << 30;
