//! What a case expects: of the handshake, the answers, the backing service and the audit record.

use std::collections::BTreeMap;

use irgw_core::Rule;
use serde::Deserialize;

/// What must come of it. What is not said is not looked at, but for what holds always: see [`crate::run`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The handshake's end.
    #[serde(default)]
    pub handshake: Option<Handshake>,
    /// Whether an earlier session was resumed.
    #[serde(default)]
    pub resumed: Option<bool>,
    /// The status of every answer; `0`: no answer but the end of the connection, or of the HTTP/2 stream.
    #[serde(default)]
    pub status: Option<u16>,
    /// The status of every answer before the last, which alone is then judged in full; *default* the same.
    #[serde(default)]
    pub earlier_status: Option<u16>,
    /// The rule that refuses before the last request; *default* the same.
    #[serde(default)]
    pub earlier_reason: Option<Reason>,
    /// Several statuses are right: where the answer may be lost on the way, or RFC 9112 leaves the server a choice.
    #[serde(default)]
    pub any_status: Vec<u16>,
    /// The HTTP layer refuses what it cannot read. Its answer names no rule and has no request id; the record has none either.
    /// Over HTTP/2 it resets the stream, and there is no record.
    #[serde(default)]
    pub unread: bool,
    /// What it shows, where no status says it: a redirect, a page that is shown again, a transfer.
    #[serde(default)]
    pub outcome: Option<Shows>,
    /// In whose words a refusal is told; *default* `suite`.
    #[serde(default)]
    pub dialect: Option<String>,
    /// The published code; type and text must be what SPEC section 6 has beside it.
    #[serde(default)]
    pub code: Option<String>,
    /// The body, all of it.
    #[serde(default)]
    pub body: Option<String>,
    /// Members of the JSON body; an empty text stands for any. An `error` has its description beside it and nothing else.
    #[serde(default)]
    pub json: BTreeMap<String, serde_json::Value>,
    /// Members that the JSON body does not have.
    #[serde(default)]
    pub json_without: Vec<String>,
    /// Where the browser is sent; where nothing is said, it is sent nowhere.
    #[serde(default)]
    pub location: Option<Location>,
    /// Texts that the body holds, or what was told of a transfer.
    #[serde(default)]
    pub holds: Vec<String>,
    /// Texts that neither holds.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// Members of the header and the claims of the answer's access token; an empty text stands for any.
    #[serde(default)]
    pub claims: BTreeMap<String, serde_json::Value>,
    /// The rule that refuses; the case's own unless said otherwise.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// What the backing service saw.
    #[serde(default)]
    pub seen: Option<Seen>,
    /// Fields of the audit record.
    #[serde(default)]
    pub audit: BTreeMap<String, serde_json::Value>,
    /// Header fields of the answer; an empty text stands for any value.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Header fields that the answer does not have.
    #[serde(default)]
    pub absent_headers: Vec<String>,
    /// The connection ends after the answer.
    #[serde(default)]
    pub closes: bool,
    /// Within this time, rather than at once: for what the gateway reads again when it changes.
    #[serde(default)]
    pub within_seconds: u64,
}

/// Where a browser is sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// What stands before the parameters.
    pub to: String,
    /// The parameters, all of them; an empty text stands for any.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
}

/// The handshake's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Handshake {
    /// Completed.
    Accepted,
    /// Refused: an alert, or the connection's end, before any answer.
    Refused,
}

/// The rule that refuses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Reason {
    /// This one.
    Rule(Rule),
    /// One of these: more than one rule is broken.
    Any(Vec<Rule>),
}

/// What the backing service saw: its echo.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The method.
    #[serde(default)]
    pub method: Option<String>,
    /// The request target.
    #[serde(default)]
    pub path: Option<String>,
    /// Header fields; an empty text stands for any value.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Header fields that did not arrive.
    #[serde(default)]
    pub absent_headers: Vec<String>,
    /// A text that arrived nowhere in the request's head.
    #[serde(default)]
    pub nowhere: Option<String>,
    /// Members of the identity.
    #[serde(default)]
    pub identity: BTreeMap<String, serde_json::Value>,
    /// Members that the identity does not have, or that are null.
    #[serde(default)]
    pub identity_without: Vec<String>,
    /// The body.
    #[serde(default)]
    pub body: Option<String>,
}

/// What a case shows of its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shows {
    /// What the rule allows is let through.
    Accepted,
    /// What the rule forbids is refused.
    Refused,
}

impl Expect {
    /// What the case shows; `None` where it lets the target choose.
    pub fn shows(&self) -> Option<Shows> {
        if self.outcome.is_some() {
            return self.outcome;
        }
        let ways = self.any_status.iter().chain(&self.status);
        let mut ways = ways.map(|status| if is_success(*status) { Shows::Accepted } else { Shows::Refused });
        match self.handshake {
            Some(Handshake::Accepted) => Some(Shows::Accepted),
            Some(Handshake::Refused) => Some(Shows::Refused),
            None => ways.next().filter(|first| ways.all(|other| other == *first)),
        }
    }
}

/// 2xx (RFC 9110 §15.3).
pub(crate) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(expect: &str) -> Option<Shows> {
        toml::from_str::<Expect>(expect).unwrap().shows()
    }

    #[test]
    fn case_that_lets_the_target_choose_shows_nothing() {
        assert_eq!(shows("any_status = [200, 417]"), None);
        assert_eq!(shows("any_status = [431, 0]"), Some(Shows::Refused));
        assert_eq!(shows("status = 204"), Some(Shows::Accepted));
        assert_eq!(shows("handshake = \"accepted\"\nstatus = 403"), Some(Shows::Accepted));
    }
}
