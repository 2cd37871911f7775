//! Certificates, keys, roots, revocation lists and tokens, re-read when their files change (TLS-9, A19).

use std::sync::Arc;
use std::time::Duration;

use irgw_core::Clock;
use irgw_tls::server::Server;
use tokio::sync::watch;

use crate::clock_watch::ClockWatch;
use crate::identity_files::IdentityFiles;
use crate::metrics::Metrics;
use crate::own_files::OwnFiles;
use crate::transfer::keys::KeyFiles;
use crate::trust_files::TrustFiles;

/// How often files are looked at.
const INTERVAL: Duration = Duration::from_millis(500);

/// Watches files, and puts what it reads in force.
pub(crate) struct Reload {
    pub(crate) identities: Vec<(IdentityFiles, Arc<Server>)>,
    pub(crate) trust: TrustFiles,
    pub(crate) own: OwnFiles,
    pub(crate) transfer: Option<KeyFiles>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) clock_watch: ClockWatch,
    pub(crate) metrics: Arc<Metrics>,
    /// Told when roots or revocation lists have changed.
    pub(crate) changed: watch::Sender<()>,
}

impl Reload {
    /// Watches until it is dropped.
    pub(crate) async fn run(mut self) {
        let metrics = self.metrics.clone();
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            // Parsing a large revocation list takes its time, on a thread that serves nobody.
            match tokio::task::spawn_blocking(move || {
                self.look();
                self
            })
            .await
            {
                Ok(back) => self = back,
                Err(error) => {
                    tracing::error!(%error, "files are no longer re-read");
                    metrics.raise("files are no longer re-read");
                    return;
                }
            }
        }
    }

    /// Reads again what has changed. What cannot be used keeps what was in force, and raises an alarm that stands
    /// until it can: it is tried every time.
    fn look(&mut self) {
        self.clock_watch.look(&self.metrics, self.clock.since_epoch());
        let now = self.clock.now();
        for (files, server) in &mut self.identities {
            files.look(server, &self.metrics, now);
        }
        self.own.look(&self.metrics, now);
        if let Some(transfer) = &mut self.transfer {
            transfer.look(&self.metrics, now);
        }
        if self.trust.look(&self.metrics, now) {
            self.changed.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests;
