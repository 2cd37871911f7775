//! Alarms for deliveries that need somebody: read off the ledger, so that they outlive the process that failed (SFTP-4).

use std::collections::{BTreeMap, HashMap};

use irgw_store::{DeliveryEntry, DeliveryState};

use crate::kept::Alarm;
use crate::metrics::Metrics;

/// The alarms that stand, one for each provider.
#[derive(Default)]
pub(super) struct Trouble(HashMap<String, Alarm>);

impl Trouble {
    /// Raises an alarm for each provider with a delivery in trouble, and ends those of the others. Of several deliveries the oldest
    /// one is told of: the others wait behind it, or come after it.
    pub(super) fn settle(&mut self, metrics: &Metrics, troubled: &[DeliveryEntry]) {
        let mut oldest = BTreeMap::new();
        for entry in troubled {
            oldest.entry(format!("delivery to {}", entry.delivery.provider)).or_insert_with(|| words(entry));
        }
        for (name, alarm) in &mut self.0 {
            alarm.settle(metrics, oldest.remove(name));
        }
        for (name, problem) in oldest {
            let alarm = self.0.entry(name.clone()).or_insert_with(|| Alarm::new(name));
            alarm.settle(metrics, Some(problem));
        }
    }
}

fn words(entry: &DeliveryEntry) -> String {
    let id = entry.delivery.turn.delivery;
    let fault = entry.stopped.as_ref().map_or("no reason was written down", |stopped| &stopped.why);
    match entry.state {
        DeliveryState::Held => {
            format!("delivery {id} is held: {fault}; irgw delivery retry {id} when it is mended, or cancel")
        }
        _ => format!("delivery {id} has failed {} times: {fault}", entry.delivery.failures),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use irgw_core::UnixTime;
    use irgw_sftp::delivery::{Delivery, DeliveryId, Turn};
    use irgw_sftp::fileset::Feed;
    use irgw_store::Stopped;

    fn entry(provider: &str, id: u64, state: DeliveryState) -> DeliveryEntry {
        DeliveryEntry {
            delivery: Delivery {
                turn: Turn { delivery: DeliveryId(id), number: 1 },
                provider: provider.parse().unwrap(),
                environment: "NZT".to_owned(),
                feed: Feed::TransactionData,
                failures: 7,
                parcels: Vec::new(),
            },
            state,
            folder: String::new(),
            since: UnixTime::now(),
            ended: None,
            due: UnixTime::now(),
            sent: 0,
            stopped: Some(Stopped { rule: None, why: "why".to_owned() }),
        }
    }

    #[test]
    fn alarm_stands_as_long_as_the_ledger_says_so() {
        let (mut trouble, metrics) = (Trouble::default(), Metrics::new());
        let stands = |provider: &str| {
            metrics.render().contains(&format!("irgw_alarm{{alarm=\"delivery to {provider}\"}} 1"))
        };
        let (held, failing) = (entry("p", 3, DeliveryState::Held), entry("q", 4, DeliveryState::Queued));
        trouble.settle(&metrics, &[held.clone(), failing]);
        assert!(stands("p") && stands("q"));
        trouble.settle(&metrics, &[held]);
        assert!(stands("p") && !stands("q"));
        trouble.settle(&metrics, &[]);
        assert!(!stands("p"));
    }
}
