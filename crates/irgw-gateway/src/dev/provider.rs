//! The demo provider's end of file transfer: a file server that admits the gateway's key, and an intake behind it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use irgw_core::Clock;
use irgw_sftp::fileset::{EnvironmentCode, Expectation, Feed, PlatformId};
use irgw_sftp::intake::{Event, Folders, Intake, Limits, Originals, Settings};
use irgw_sftp::pgp::{OwnKey, PartnerCert};
use irgw_sftp::ssh::files::{Policy, Share};
use irgw_sftp::ssh::{Fingerprint, PrivateKey};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::DevError;
use crate::transfer::file_server::{Admitted, FileServer};

/// What the demo provider is made of.
pub(super) struct DemoProvider {
    /// Where it keeps its files.
    pub(super) folder: PathBuf,
    /// The platform id in the names of its files.
    pub(super) platform: PlatformId,
    /// The file environment that it is in.
    pub(super) environment: EnvironmentCode,
    /// What its server proves itself with.
    pub(super) host_key: PrivateKey,
    /// The one key that its server admits, and the user that has it.
    pub(super) user: &'static str,
    pub(super) admitted: Fingerprint,
    /// What files for it are encrypted to.
    pub(super) key: OwnKey,
    /// Whose signature they must have.
    pub(super) signer: PartnerCert,
}

/// What a demo provider's server holds, as the intake sees it.
pub(super) const INBOX: &str = "inbox";
/// What it has for the gateway, which removes it when it has fetched it.
pub(super) const OUTBOX: &str = "outbox";

impl DemoProvider {
    /// The folder that its server shows.
    pub(super) fn files(&self) -> PathBuf {
        self.folder.join("files")
    }

    /// Where files arrive, encrypted.
    pub(super) fn inbox(&self) -> PathBuf {
        self.files().join(INBOX)
    }

    /// What it knows of its feeds.
    fn state(&self, feed: Feed) -> PathBuf {
        self.folder.join(feed.name())
    }

    /// Where whole sets of a feed come out.
    pub(super) fn released(&self, feed: Feed) -> PathBuf {
        self.state(feed).join("released")
    }

    /// Serves and takes in until the tasks are aborted.
    ///
    /// # Errors
    /// When its folders cannot be used.
    pub(super) fn run(
        self,
        socket: TcpListener,
        clock: Arc<dyn Clock>,
    ) -> Result<Vec<JoinHandle<()>>, DevError> {
        let share = Share::open(&self.files(), Policy { outbox: Some(OUTBOX), ..Policy::inbox(QUOTA_BYTES) })
            .map_err(|error| DevError::file(&self.files(), error))?;
        let admitted = Admitted { user: self.user.to_owned(), keys: vec![self.admitted] };
        let server = FileServer::new(socket, &self.host_key, admitted, share, clock.clone());
        let mut tasks = vec![tokio::spawn(async move { match server.run().await {} })];
        for feed in [Feed::TransactionData, Feed::ReturnStatus] {
            let settings = Settings {
                // IR's published sets are years old, and are to go through.
                expectation: Expectation {
                    feed,
                    platform: self.platform,
                    environment: self.environment,
                    max_age: None,
                },
                is_inbox_shared: true,
                originals: Originals::Removed,
                limits: Limits::default(),
            };
            let folders = Folders { inbox: self.inbox(), state: self.state(feed) };
            let intake = Intake::open(folders, settings, vec![self.key.clone()], vec![self.signer.clone()])
                .map_err(|error| DevError::Provider(error.to_string()))?;
            tasks.push(tokio::spawn(take_in(intake, clock.clone())));
        }
        Ok(tasks)
    }
}

async fn take_in(mut intake: Intake, clock: Arc<dyn Clock>) {
    loop {
        let now = clock.now();
        let passed = tokio::task::spawn_blocking(move || {
            let pass = intake.pass(now);
            for release in intake.unannounced() {
                // The event line is all that the demo provider's people want.
                if let Err(trouble) = intake.announced(&release.set) {
                    tracing::warn!(%trouble, "the demo provider");
                }
            }
            (intake, pass)
        });
        let Ok((same, pass)) = passed.await else { return };
        intake = same;
        for event in &pass.events {
            match event {
                // What one feed's intake leaves alone is the other one's.
                Event::Ignored { .. } => tracing::debug!(event = event.to_json(now), "the demo provider"),
                event => tracing::info!(event = event.to_json(now), "the demo provider"),
            }
        }
        pass.troubles.iter().for_each(|trouble| tracing::warn!(%trouble, "the demo provider"));
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(200);
const QUOTA_BYTES: u64 = 16 << 30;
