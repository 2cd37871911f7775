//! The requests of one connection that are being answered: told by the service and the answers, asked by the
//! connection's [`crate::life`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slab::Slab;
use tokio::time::Instant;

/// The requests of one connection, each until its answer's last byte was taken.
#[derive(Debug)]
pub(crate) struct UnderWay(Mutex<Requests>);

#[derive(Debug)]
struct Requests {
    steps: Slab<(Instant, Step)>,
    /// Since when there is none.
    idle_since: Instant,
}

/// Whom a request waits for.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The gateway or the backing service.
    Us,
    /// The client, since then: to take the next piece of its answer.
    Client(Instant),
}

impl UnderWay {
    pub(crate) fn new() -> UnderWay {
        UnderWay(Mutex::new(Requests { steps: Slab::new(), idle_since: Instant::now() }))
    }

    /// Counts a request until the guard is dropped.
    pub(crate) fn enter(self: &Arc<UnderWay>) -> Guard {
        let key = self.requests().steps.insert((Instant::now(), Step::Us));
        Guard { under_way: self.clone(), key }
    }

    /// Whether there is one.
    pub(crate) fn any(&self) -> bool {
        !self.requests().steps.is_empty()
    }

    /// How long the oldest has been under way.
    pub(crate) fn oldest(&self) -> Option<Duration> {
        self.requests().steps.iter().map(|(_, (since, _))| since.elapsed()).max()
    }

    /// How long there has been none.
    pub(crate) fn idle(&self) -> Option<Duration> {
        let requests = self.requests();
        requests.steps.is_empty().then(|| requests.idle_since.elapsed())
    }

    /// How long the slowest client of an answer has been waited for.
    pub(crate) fn client_waited_for(&self) -> Duration {
        let waited = |(_, (_, step)): (usize, &(Instant, Step))| match step {
            Step::Us => Duration::ZERO,
            Step::Client(since) => since.elapsed(),
        };
        self.requests().steps.iter().map(waited).max().unwrap_or_default()
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        // Every change is one step, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request that is being answered.
#[derive(Debug)]
pub(crate) struct Guard {
    under_way: Arc<UnderWay>,
    key: usize,
}

impl Guard {
    /// The client is to take a piece of its answer.
    pub(crate) fn awaits_client(&self) {
        self.set(Step::Client(Instant::now()));
    }

    /// The client took all there was.
    pub(crate) fn awaits_us(&self) {
        self.set(Step::Us);
    }

    fn set(&self, step: Step) {
        if let Some((_, known)) = self.under_way.requests().steps.get_mut(self.key) {
            *known = step;
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut requests = self.under_way.requests();
        requests.steps.try_remove(self.key);
        if requests.steps.is_empty() {
            requests.idle_since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slowest_client_counts_and_a_busy_service_does_not() {
        let under_way = Arc::new(UnderWay::new());
        let (first, second) = (under_way.enter(), under_way.enter());
        first.awaits_client();
        tokio::time::advance(Duration::from_secs(5)).await;
        second.awaits_client();
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(under_way.client_waited_for().as_secs(), 7);
        first.awaits_us();
        assert_eq!(under_way.client_waited_for().as_secs(), 2);
        assert!(under_way.any() && under_way.idle().is_none());
        assert_eq!(under_way.oldest().unwrap().as_secs(), 7);
        drop((first, second));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(under_way.idle().unwrap().as_secs(), 3);
    }
}
