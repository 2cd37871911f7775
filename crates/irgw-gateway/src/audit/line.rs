//! A record as a line of JSON.

use std::time::Duration;

use irgw_core::Record;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

/// RFC 3339 with milliseconds, in UTC.
const TIME: &[FormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
    channel: &'static str,
    peer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    balancer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mechanism: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logon: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<Bounded<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbprint: Option<irgw_core::Thumbprint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<irgw_core::Rule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Bounded<'a>>,
    #[serde(flatten)]
    facts: Facts<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_status: Option<u16>,
    duration_us: u64,
}

struct Facts<'a>(&'a [(&'static str, String)]);

impl Serialize for Facts<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, Bounded(value))))
    }
}

/// What a caller has a hand in, cut and marked behind [`TEXT_CHARACTERS`]: nobody fills the disk with one request.
struct Bounded<'a>(&'a str);

const TEXT_CHARACTERS: usize = 256;

impl Serialize for Bounded<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.char_indices().nth(TEXT_CHARACTERS) {
            Some((end, _)) => serializer.collect_str(&format_args!("{}…", &self.0[..end])),
            None => serializer.serialize_str(self.0),
        }
    }
}

/// Appends the record's line, with its line feed.
pub(super) fn append(line: &mut Vec<u8>, record: &Record) {
    let view = Line {
        time: rfc3339(record.time),
        request_id: &record.request_id,
        channel: record.channel().name(),
        peer: record.origin.address.to_string(),
        balancer: record.origin.balancer.map(|address| address.to_string()),
        provider: record.provider.as_ref().map(|id| id.as_str()),
        mechanism: record.mechanism.map(|scheme| scheme.name()),
        owner: record.owner.as_ref().map(|id| id.as_str()),
        logon: record.logon.as_ref().map(|id| id.as_str()),
        client: record.client.as_ref().map(|id| id.as_str()),
        jti: record.jti.as_deref().map(Bounded),
        thumbprint: record.thumbprint,
        service: record.service.as_ref().map(|id| id.as_str()),
        decision: record.decision.name(),
        reason: record.reason,
        cause: record.cause.as_deref().map(Bounded),
        facts: Facts(&record.facts),
        status: record.status,
        upstream_status: record.upstream_status,
        duration_us: u64::try_from(record.duration.as_micros()).unwrap_or(u64::MAX),
    };
    serde_json::to_writer(&mut *line, &view).expect("strings and numbers serialise, and memory takes them");
    line.push(b'\n');
}

fn rfc3339(since_epoch: Duration) -> String {
    let nanos = i128::try_from(since_epoch.as_nanos()).unwrap_or(0);
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(TIME).expect("every component is in the date")
}

#[cfg(test)]
mod tests {
    use super::*;
    use irgw_core::{Channel, Decision, Origin, Rule};

    #[test]
    fn record_is_one_line_of_json_whatever_it_holds() {
        let origin = Origin::new("192.0.2.7:5000".parse().unwrap(), Channel::Cloud);
        let mut record = Record::new(Duration::from_millis(1_604_890_800_123), origin, "r1".into());
        record.decision = Decision::Refused;
        record.reason = Some(Rule::M2m6);
        record.cause = Some("line\nbreak \u{202e} \"quote\"".into());
        record.facts = vec![("subject", "CN=a\r\n{\"decision\":\"admitted\"}".into())];
        let mut line = Vec::new();
        append(&mut line, &record);
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(json["time"], "2020-11-09T03:00:00.123Z");
        assert_eq!(json["reason"], "M2M-6");
        assert_eq!(json["decision"], "refused");
        assert_eq!(json["subject"], "CN=a\r\n{\"decision\":\"admitted\"}");
    }
    /// One anonymous request made a line of 30 KB.
    #[test]
    fn long_texts_of_callers_are_cut_and_marked() {
        let origin = Origin::new("192.0.2.7:5000".parse().unwrap(), Channel::Cloud);
        let mut record = Record::new(Duration::ZERO, origin, "r1".into());
        let kept = "ā".repeat(256);
        record.cause = Some(kept.clone());
        record.jti = Some(format!("{kept}x").into());
        record.facts = vec![("subject", "\u{1}".repeat(30_000))];
        let mut line = Vec::new();
        append(&mut line, &record);
        let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(json["cause"], kept);
        assert_eq!(json["jti"], format!("{kept}…"));
        assert_eq!(json["subject"].as_str().unwrap().chars().count(), 257);
        assert!(line.len() < 4096, "{}", line.len());
    }
}
