//! The signals that end a server, and the one that does not.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::CommandError;

/// What a server hears from a terminal or a supervisor, from when this is made: a signal that comes while it starts waits for it,
/// and does not kill it half-started.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Begins to listen, in a runtime.
    ///
    /// # Errors
    /// When the system gives no signals.
    pub(super) fn listen() -> Result<Signals, CommandError> {
        let listen =
            |kind| signal(kind).map_err(|error| CommandError::unusable(format_args!("no signals: {error}")));
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for SIGINT (Ctrl-C) or SIGTERM. SIGHUP, which others send after they moved a log, ends nothing; the log says
    /// `hangup` then.
    pub(super) async fn stop(&mut self, hangup: &str) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hangup.recv() => tracing::info!("SIGHUP: {hangup}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn send(name: &str) {
        let id = std::process::id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// SIGHUP ended the process: logrotate's usual stanza stopped the gateway. And SIGTERM did, of one that was still starting.
    #[tokio::test]
    async fn hangup_stops_nothing_and_an_early_stop_waits() {
        let mut signals = Signals::listen().unwrap();
        let mut also = signal(SignalKind::hangup()).unwrap();
        send("-HUP");
        {
            let mut stopped = std::pin::pin!(signals.stop("nothing"));
            tokio::select! {
                biased;
                _ = also.recv() => {}
                () = &mut stopped => panic!("SIGHUP stopped it"),
            }
        }
        send("-TERM");
        // Nobody waits yet.
        let mut terminated = signal(SignalKind::terminate()).unwrap();
        send("-TERM");
        terminated.recv().await;
        signals.stop("nothing").await;
    }
}
