//! x509-limbo's schema of cases and of results (<https://x509-limbo.com>, `limbo-schema.json`, version 1).

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::case::{Case, Expected, Judged, Outcome, Verdict, is_name};
use super::path::Adapted;
use super::{Purpose, source};
use crate::Error;

/// A suite of cases; members that nothing here looks at are passed over.
#[derive(Deserialize)]
struct Suite {
    version: u64,
    testcases: Vec<Chain>,
}

/// A case: a chain of certificates, and what to ask of it.
#[derive(Deserialize)]
pub(super) struct Chain {
    pub(super) id: String,
    pub(super) validation_kind: Kind,
    pub(super) trusted_certs: Vec<String>,
    pub(super) untrusted_intermediates: Vec<String>,
    pub(super) peer_certificate: String,
    validation_time: Option<String>,
    pub(super) extended_key_usage: Vec<String>,
    expected_result: Expectation,
    pub(super) expected_peer_name: Option<PeerName>,
    #[serde(default)]
    pub(super) expected_peer_names: Vec<PeerName>,
    pub(super) max_chain_depth: Option<u64>,
    #[serde(default)]
    pub(super) crls: Vec<String>,
}

/// Whose certificate is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Kind {
    Client,
    Server,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Expectation {
    Success,
    Failure,
}

/// A name that the certificate must be for.
#[derive(Deserialize)]
pub(super) struct PeerName {
    /// `DNS`, `IP` or `RFC822`.
    pub(super) kind: String,
    pub(super) value: String,
}

/// The cases of a file in the schema, plain or gzip.
///
/// # Errors
/// [`Error::Input`]: the file cannot be used, or a case in it contradicts the schema.
pub(super) fn read(path: &Path, purpose: Purpose) -> Result<Vec<Case>, Error> {
    let suite: Suite = source::read(path, source::LIMIT_BYTES)?;
    let unusable = |why: String| Error::Input(format!("cannot use {}: {why}", path.display()));
    if suite.version != 1 {
        return Err(unusable(format!("it is in version {} of limbo's schema; 1 is read", suite.version)));
    }
    if let Some(chain) = suite.testcases.iter().find(|chain| !is_name(&chain.id)) {
        return Err(unusable(format!("{:?} is no id of a case", chain.id)));
    }
    let mut ids = BTreeSet::new();
    let repeated = suite.testcases.iter().find(|chain| !ids.insert(chain.id.as_str()));
    if let Some(chain) = repeated {
        return Err(unusable(format!("two cases are named {:?}", chain.id)));
    }
    suite.testcases.into_iter().map(|chain| chain.into_case(purpose).map_err(unusable)).collect()
}

impl Chain {
    fn into_case(self, purpose: Purpose) -> Result<Case, String> {
        let now = self.now()?;
        let expected = match self.expected_result {
            Expectation::Success => Expected::Accepted,
            Expectation::Failure => Expected::Refused,
        };
        let id = self.id.clone();
        let judge = Box::new(move || match Adapted::new(&self, purpose, now) {
            Some(adapted) => match adapted.verify() {
                Ok(()) => Verdict::Accepted,
                Err(why) => Verdict::Refused(why),
            },
            None => Verdict::Skipped("it asks for a purpose that no TLS certificate has".into()),
        });
        Ok(Case { id, expected, judge })
    }

    /// When it is judged, in seconds since the epoch; cases that name no time are made to be good in 2024.
    fn now(&self) -> Result<u64, String> {
        let Some(text) = &self.validation_time else { return Ok(DEFAULT_TIME) };
        let time = OffsetDateTime::parse(text, &Rfc3339).ok();
        let seconds = time.and_then(|time| u64::try_from(time.unix_timestamp()).ok());
        seconds.ok_or_else(|| format!("the validation_time {text:?} of {} is none", self.id))
    }
}

/// 2024-06-01.
const DEFAULT_TIME: u64 = 1_717_200_000;

/// What became of a suite, in limbo's schema of results.
#[derive(Serialize)]
pub(super) struct Results<'a> {
    version: u8,
    harness: &'static str,
    results: Vec<Evaluation<'a>>,
}

#[derive(Serialize)]
struct Evaluation<'a> {
    id: &'a str,
    actual_result: &'static str,
    context: Option<String>,
}

impl<'a> Results<'a> {
    /// Of these cases. The schema knows no crash and no hang: each is a failure whose context begins with the word.
    pub(super) fn new(judged: &'a [Judged]) -> Results<'a> {
        let results = judged.iter().map(|case| {
            let actual_result = match &case.outcome {
                Outcome::Accepted => "SUCCESS",
                Outcome::Skipped(_) => "SKIPPED",
                Outcome::Refused(_) | Outcome::Crashed(_) | Outcome::Hung => "FAILURE",
            };
            let context = match &case.outcome {
                Outcome::Crashed(said) => Some(format!("crash: {said}")),
                Outcome::Hung => Some("hang".to_owned()),
                other => other.context().map(str::to_owned),
            };
            Evaluation { id: &case.id, actual_result, context }
        });
        Results {
            version: 1,
            harness: concat!("irgw-", env!("CARGO_PKG_VERSION")),
            results: results.collect(),
        }
    }
}
