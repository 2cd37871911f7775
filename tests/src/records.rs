//! Holds the audit records of a connection to what a case expects, and to what holds for every record.

use std::net::SocketAddr;

use serde_json::Value;

use crate::Error;
use crate::answer::Answer;
use crate::case::Case;
use crate::der::civil;
use crate::exchange::Came;
use crate::expect::{Handshake, Reason};
use crate::judge::{Wrong, expand, fits, named, reason, text};
use crate::template::Values;

/// How many records the connection must leave.
pub(crate) fn expected(case: &Case, came: &Came) -> usize {
    let reset_by_the_library = case.text.expect.unread && case.text.given.request.h2.is_some();
    if reset_by_the_library { 0 } else { came.answers.len().max(1) }
}

/// Adds what is wrong with the records. `secrets` are the texts that no record may hold.
pub(crate) fn compare(
    wrong: &mut Wrong,
    case: &Case,
    came: &Came,
    records: &[Value],
    values: &Values,
    secrets: &[String],
) -> Result<(), Error> {
    for record in records {
        sound(wrong, case, came, record, values)?;
        let line = record.to_string();
        if secrets.iter().any(|secret| line.contains(secret)) {
            wrong.add("an audit record holds the token (G01)");
        }
    }
    let expect = &case.text.expect;
    if expect.handshake == Some(Handshake::Accepted) && expect.status.is_none() {
        return Ok(());
    }
    let expected = expected(case, came);
    if records.len() != expected {
        wrong.add(format!("there are {} audit records, not {expected}", records.len()));
    }
    let last = came.answers.len().saturating_sub(1);
    if came.answers.is_empty() {
        for record in records {
            decided(wrong, case, record, reason(case, 0, last).as_ref());
        }
    }
    for (index, answer) in came.answers.iter().enumerate() {
        let Some(record) = record_of(answer, records) else {
            wrong.add(format!("no audit record is of the answer {}", answer.status));
            continue;
        };
        decided(wrong, case, record, reason(case, answer.status, index).as_ref());
        let status = record.get("status").and_then(Value::as_u64);
        if status != Some(u64::from(answer.status)) && !(expect.unread && status.is_none()) {
            wrong.add(format!("the audit record's status is {status:?}, not {}", answer.status));
        }
        if index == last {
            for (name, expected) in &expect.audit {
                let expected = expand(expected, values)?;
                let got = record.get(name).unwrap_or(&Value::Null);
                if *got != expected {
                    wrong.add(format!("the audit record's {name} is {got}, not {expected}"));
                }
            }
        }
    }
    Ok(())
}

/// The record of an answer: the one with its request id, or without any where the answer has none. Of HTTP/2 answers the
/// header fields are not read; there is only one of them.
fn record_of<'a>(answer: &Answer, records: &'a [Value]) -> Option<&'a Value> {
    if answer.headers.is_empty() {
        return records.first();
    }
    let id = answer.header("x-request-id").unwrap_or_default();
    records.iter().find(|record| text(record, "request_id") == id)
}

/// The decision, the rule, and that nobody was asked before a refusal.
fn decided(wrong: &mut Wrong, case: &Case, record: &Value, reason: Option<&Reason>) {
    let decision = if reason.is_some() { "refused" } else { "admitted" };
    if !case.text.expect.audit.contains_key("decision") && text(record, "decision") != decision {
        wrong.add(format!("the audit record's decision is {:?}, not {decision:?}", text(record, "decision")));
    }
    let Some(reason) = reason else { return };
    let cause = text(record, "cause");
    if !fits(reason, text(record, "reason")) {
        let got = text(record, "reason");
        wrong.add(format!("the audit record names {got:?} ({cause}), not {}", named(reason)));
    }
    if cause.is_empty() {
        wrong.add("the audit record of a refusal has no cause");
    }
    if record.get("upstream_status").is_some_and(|status| !status.is_null()) {
        wrong.add("the backing service was asked, though the request is refused");
    }
}

/// What every record has (GW-6).
fn sound(wrong: &mut Wrong, case: &Case, came: &Came, record: &Value, values: &Values) -> Result<(), Error> {
    let now: i64 = values.text("${now}")?.parse().map_err(Error::recipe)?;
    let time = text(record, "time");
    if !time.ends_with('Z') || !(rfc3339(now - 60).as_str()..=&rfc3339(now + 300)).contains(&time) {
        wrong.add(format!("the audit record's time is {time:?}"));
    }
    let channel = case.text.given.channel().name();
    if text(record, "channel") != channel {
        wrong.add(format!("the audit record's channel is {:?}, not {channel}", text(record, "channel")));
    }
    let address = |name| text(record, name).parse::<SocketAddr>().ok();
    let connected = if record.get("balancer").is_some() { address("balancer") } else { address("peer") };
    // Between another host and the gateway there may be an address translation.
    let here = came.local.ip().is_loopback();
    if address("peer").is_none() || connected.is_none() || here && connected != Some(came.local) {
        wrong.add(format!("the audit record's peer is {:?}, not {}", text(record, "peer"), came.local));
    }
    if !record.get("duration_us").is_some_and(Value::is_u64) {
        wrong.add("the audit record has no duration_us");
    }
    Ok(())
}

/// A time as records have it, but for the fraction and the `Z`; such texts compare as the times do.
fn rfc3339(seconds: i64) -> String {
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::answer::End;

    fn record() -> Value {
        json!({
            "time": "2020-11-09T03:00:00.123Z", "request_id": "1", "channel": "cloud", "peer": "127.0.0.1:5000",
            "decision": "refused", "reason": "GW-1", "cause": "no service", "status": 404, "duration_us": 7,
        })
    }

    /// What is wrong with the records of a connection that had one answer, or none for the status 0.
    fn wrong(expect: &str, answer: Answer, records: &[Value]) -> Vec<String> {
        let text = format!("rule = \"GW-1\"\ntitle = \"A case\"\n[expect]\n{expect}");
        let case = Case { name: "a/case".into(), text: toml::from_str(&text).unwrap() };
        let answers = if answer.status == 0 { Vec::new() } else { vec![answer] };
        let local = "127.0.0.1:5000".parse().unwrap();
        let came = Came { local, handshake: Ok(Default::default()), answers, end: End::Closed };
        let mut values = Values::default();
        values.set("now", 1_604_890_800);
        let mut wrong = Wrong::default();
        compare(&mut wrong, &case, &came, records, &values, &["a-token-of-the-case".into()]).unwrap();
        wrong.into()
    }

    fn answer(status: u16, id: &str) -> Answer {
        let headers = vec![("x-request-id".into(), id.into()), ("date".into(), "now".into())];
        let headers = headers.into_iter().filter(|(_, value): &(String, String)| !value.is_empty());
        Answer { status, headers: headers.collect(), body: Vec::new() }
    }

    #[test]
    fn record_of_the_answer_is_right() {
        assert_eq!(wrong("status = 404", answer(404, "1"), &[record()]), Vec::<String>::new());
    }

    #[test]
    fn every_flaw_of_a_record_is_named() {
        for (name, value) in [
            ("time", json!("2020-11-09T04:00:00.123Z")),
            ("time", json!("2020-11-09T03:00:00.123+13:00")),
            ("channel", json!("desktop")),
            ("peer", json!("127.0.0.1:5001")),
            ("balancer", json!("127.0.0.1:5001")),
            ("duration_us", Value::Null),
            ("decision", json!("admitted")),
            ("reason", json!("GW-3")),
            ("cause", json!("")),
            ("cause", json!("no service for a-token-of-the-case")),
            ("status", json!(403)),
            ("upstream_status", json!(200)),
            ("request_id", json!("2")),
        ] {
            let mut flawed = record();
            flawed[name] = value;
            assert_eq!(wrong("status = 404", answer(404, "1"), &[flawed.clone()]).len(), 1, "{flawed}");
        }
    }

    #[test]
    fn no_record_and_two_records_are_wrong() {
        assert_eq!(wrong("status = 404", answer(404, "1"), &[]).len(), 2);
        assert_eq!(wrong("status = 404", answer(404, "1"), &[record(), record()]).len(), 1);
        assert_eq!(wrong("handshake = \"refused\"", answer(0, ""), &[]).len(), 1);
    }

    #[test]
    fn record_of_what_could_not_be_read_has_no_request_id() {
        let mut unread = record();
        assert_eq!(wrong("status = 400\nunread = true", answer(400, ""), &[unread.clone()]).len(), 1);
        unread.as_object_mut().unwrap().retain(|name, _| !["request_id", "status"].contains(&name.as_str()));
        assert!(wrong("status = 400\nunread = true", answer(400, ""), &[unread]).is_empty());
    }

    #[test]
    fn lost_answer_leaves_a_refusal_all_the_same() {
        let mut admitted = record();
        admitted["decision"] = json!("admitted");
        assert!(wrong("any_status = [431, 0]", answer(0, ""), &[record()]).is_empty());
        assert_eq!(wrong("any_status = [431, 0]", answer(0, ""), &[admitted]).len(), 1);
    }
}
