//! Counters for the operator, in OpenMetrics text.

use std::fmt::Write;

use irgw_core::{Channel, Record};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The gateway's counters. One per running gateway; nothing is global to the process.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    decisions: Family<DecisionLabels, Counter>,
    durations: Histogram,
    /// Connections open at the moment.
    pub connections: Gauge,
    /// Alarms that stand, by name: a file that could not be re-read, a log that cannot be written.
    alarms: Family<AlarmLabels, Gauge>,
    token_hits: Gauge,
    token_misses: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    channel: &'static str,
    decision: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AlarmLabels {
    alarm: String,
}

impl Metrics {
    /// All counters at zero.
    pub(crate) fn new() -> Metrics {
        let mut registry = Registry::with_prefix("irgw");
        let decisions = Family::default();
        let durations =
            Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0]);
        let (connections, alarms) = (Gauge::default(), Family::default());
        let (token_hits, token_misses) = (Gauge::default(), Gauge::default());
        registry.register("decisions", "Decisions, by channel, outcome and rule", decisions.clone());
        registry.register(
            "request_seconds",
            "From a request's arrival to its answer's header",
            durations.clone(),
        );
        registry.register("connections", "Connections open at the moment", connections.clone());
        registry.register("alarm", "1 while the alarm stands", alarms.clone());
        registry.register("m2m_remembered", "Signatures that were known to be good", token_hits.clone());
        registry.register("m2m_checked", "Signatures that had to be checked", token_misses.clone());
        Metrics { registry, decisions, durations, connections, alarms, token_hits, token_misses }
    }

    /// Notes how the memory of verified tokens is doing.
    pub(crate) fn note_tokens(&self, counts: &irgw_m2m::CacheCounts) {
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.token_hits.set(gauge(counts.hits));
        self.token_misses.set(gauge(counts.misses));
    }

    /// Counts a decision.
    pub(crate) fn count(&self, record: &Record) {
        let labels = DecisionLabels {
            channel: Channel::name(record.channel()),
            decision: record.decision.name(),
            reason: record.reason.map_or("", |rule| rule.id()),
        };
        self.decisions.get_or_create(&labels).inc();
        self.durations.observe(record.duration.as_secs_f64());
    }

    /// Raises an alarm.
    pub(crate) fn raise(&self, alarm: &str) {
        self.alarms.get_or_create(&AlarmLabels { alarm: alarm.to_owned() }).set(1);
    }

    /// Ends an alarm.
    pub(crate) fn clear(&self, alarm: &str) {
        self.alarms.get_or_create(&AlarmLabels { alarm: alarm.to_owned() }).set(0);
    }

    /// All of it as OpenMetrics text.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            let _ = writeln!(text, "# incomplete: {error}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use irgw_core::{Origin, Rule};
    use std::time::Duration;

    #[test]
    fn decisions_are_counted_by_rule() {
        let metrics = Metrics::new();
        let origin = Origin::new("192.0.2.7:5000".parse().unwrap(), Channel::Cloud);
        let mut record = Record::new(Duration::ZERO, origin, "r".into());
        record.reason = Some(Rule::M2m6);
        metrics.count(&record);
        metrics.raise("crl");
        let text = metrics.render();
        assert!(
            text.contains(r#"irgw_decisions_total{channel="cloud",decision="refused",reason="M2M-6"} 1"#),
            "{text}"
        );
        assert!(text.contains(r#"irgw_alarm{alarm="crl"} 1"#), "{text}");
    }
}
