//! Certificates, keys, roots and revocation lists, re-read when their files change (TLS-9, A19).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use irgw_core::Clock;
use irgw_tls::ClientTrust;
use irgw_tls::server::Server;
use tokio::sync::watch;

use crate::config::{Config, ListenerConfig, Problem};
use crate::material;
use crate::metrics::Metrics;

/// How often files are looked at.
const INTERVAL: Duration = Duration::from_millis(500);

/// What tells one version of a file from the next without reading it; `None` while the file is not there.
type Version = Option<(u64, u64, i64, i64)>;

/// Watches files, and puts what it reads in force.
pub(crate) struct Reload {
    config: Arc<Config>,
    servers: Vec<(ListenerConfig, Arc<Server>)>,
    trust: Arc<ClientTrust>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    changed: watch::Sender<()>,
    seen: Vec<(PathBuf, Version)>,
}

impl Reload {
    pub(crate) fn new(
        config: Arc<Config>,
        servers: Vec<(ListenerConfig, Arc<Server>)>,
        trust: Arc<ClientTrust>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        changed: watch::Sender<()>,
    ) -> Reload {
        let seen = material::watched_files(&config).into_iter().map(|path| (version(&path), path));
        let seen = seen.map(|(version, path)| (path, version)).collect();
        Reload { config, servers, trust, clock, metrics, changed, seen }
    }

    /// Watches until it is dropped.
    pub(crate) async fn run(mut self) {
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
                    return;
                }
            }
        }
    }

    /// Reads everything again when any file has changed. What cannot be used keeps what was in force, and raises an
    /// alarm that stands until it can.
    fn look(&mut self) {
        let mut changed = false;
        for (path, seen) in &mut self.seen {
            let now = version(path);
            changed |= now != *seen;
            *seen = now;
        }
        if !changed {
            return;
        }
        for (listener, server) in &self.servers {
            let alarm = format!("certificate of {}", listener.listen.value);
            self.settle(
                &alarm,
                material::server_identity(listener).map(|identity| server.replace_identity(identity)),
            );
        }
        let trust =
            material::roots_and_crls(&self.config.roots, self.clock.now()).and_then(|(roots, crls)| {
                self.trust
                    .replace(roots, crls)
                    .map_err(|error| Problem::general(crate::handle::causes(&error)))
            });
        self.settle("roots and revocation lists", trust);
        self.changed.send_replace(());
    }

    fn settle(&self, alarm: &str, result: Result<(), Problem>) {
        match result {
            Ok(()) => {
                tracing::info!(what = alarm, "re-read");
                self.metrics.clear(alarm);
            }
            Err(problem) => {
                tracing::error!(what = alarm, %problem, "cannot be used; what was in force stays so");
                self.metrics.raise(alarm);
            }
        }
    }
}

fn version(path: &PathBuf) -> Version {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
}
