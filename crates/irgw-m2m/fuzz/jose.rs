//! What the fuzzer and the test over its corpus do with one text.

use std::sync::Arc;
use std::time::Duration;

use irgw_core::{Missing, Thumbprint, UnixTime};
use irgw_m2m::identity::{self, Jwks};
use irgw_m2m::inspect::Outcome;
use irgw_m2m::{Against, Checks, Credential, M2m, Options, SigningCerts, inspect, is_well_formed};

/// Reads `token` in every way in which this crate reads tokens, and checks that the ways agree.
pub(crate) fn read(token: &str) {
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_604_890_800));
    let strict = M2m::new(Arc::new(NobodyEnrolled), Options::default());
    let mock = Options { checks: Checks::StructureAndTimes, ..Options::default() };
    let mock = M2m::new(Arc::new(NobodyEnrolled), mock);

    assert!(strict.judge(token, now).is_err(), "nobody is enrolled");
    assert!(identity::verify(token, &Jwks::default(), "account", now).is_err(), "no key is known");
    let inspection = inspect(token, &Against::default(), now);
    if is_well_formed(token) {
        let form = inspection.findings.get(1).map(|finding| finding.outcome);
        assert_eq!(form, Some(Outcome::Met), "a well-formed token has the form that M2M-2 asks for");
    }
    if mock.judge(token, now).is_ok() {
        assert!(inspection.findings.iter().all(|finding| !finding.explanation.is_empty()));
    }
}

#[derive(Debug)]
struct NobodyEnrolled;

impl SigningCerts for NobodyEnrolled {
    fn by_sha256(&self, _: &Thumbprint) -> Result<Arc<Credential>, Missing> {
        Err(Missing::Unknown)
    }

    fn by_sha1(&self, _: &[u8; 20]) -> Result<Arc<Credential>, Missing> {
        Err(Missing::Unknown)
    }
}
