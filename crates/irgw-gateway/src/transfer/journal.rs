//! What one attempt at a delivery reaches, for the log and for those who watch.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use irgw_sftp::delivery::{DeliveryId, Event, Watch};

/// Counts what an attempt reaches, and says it in the log.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Reached>);

#[derive(Debug, Default)]
struct Reached {
    /// How many bytes were sent of each file that has no name yet.
    sent: HashMap<String, u64>,
    has_delivered: bool,
}

impl Journal {
    /// How many bytes were sent of files that have no name yet.
    pub(super) fn sent(&self) -> u64 {
        self.reached().sent.values().sum()
    }

    /// Whether any file came to have its name.
    pub(super) fn has_delivered(&self) -> bool {
        self.reached().has_delivered
    }

    fn reached(&self) -> std::sync::MutexGuard<'_, Reached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Journal {
    fn on(&self, delivery: DeliveryId, event: &Event<'_>) {
        match event {
            Event::Progress(name, bytes) => {
                *self.reached().sent.entry((*name).to_owned()).or_default() += bytes;
            }
            Event::Delivered(name) => {
                let mut reached = self.reached();
                reached.sent.remove(*name);
                reached.has_delivered = true;
                tracing::info!(%delivery, name, "has its name at the provider's");
            }
            Event::Taken(name) => {
                tracing::warn!(
                    %delivery,
                    name,
                    "was uploaded by an earlier attempt and is gone: the provider has taken it, or removed it"
                );
            }
            Event::NextHostKey => {
                tracing::warn!(%delivery, "the server has changed over to its next host key: enrol it as the current one");
            }
            event => tracing::debug!(%delivery, ?event),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_counts_until_it_has_its_name() {
        let journal = Journal::default();
        let on = |event: Event<'_>| journal.on(DeliveryId(1), &event);
        on(Event::Progress("a.zip", 7));
        on(Event::Progress("b.zip", 2));
        on(Event::Progress("a.zip", 1));
        assert_eq!((journal.sent(), journal.has_delivered()), (10, false));
        on(Event::Delivered("a.zip"));
        assert_eq!((journal.sent(), journal.has_delivered()), (2, true));
    }
}
