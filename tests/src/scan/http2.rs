//! Frames that RFC 9113 forbids, by `scanners/http2.py`: what h2spec does, in a form that a package registry has.
//!
//! The runner's own frames are whole requests that no client library would send, and floods; here each frame stands alone, in every
//! state of a stream, and is made by an implementation of others.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::{Finding, Scanner, Surface, run};
use crate::{Error, folder};

/// Every answer that is not the RFC's, from the desktop listener.
pub(super) fn scan(python: &Path, surface: &Surface) -> Result<Vec<Finding>, Error> {
    let desktop = &surface.dev().listeners.desktop;
    let oauth = surface.dev().oauth.as_ref();
    let issuer = oauth.ok_or_else(|| Error::Target("dev.json names no authorization server".into()))?;
    let address = desktop.base_url.trim_start_matches("https://");
    let (host, port) = address.split_once(':').unwrap_or((address, "443"));
    let root = issuer.issuer.trim_start_matches(&desktop.base_url);
    let mut command = Command::new(python);
    command.arg(folder().join("scanners/http2.py")).args([host, port]).arg(&desktop.ca_file);
    let output = run(command.args([format!("{root}jwks"), format!("{root}introspect")]))?;
    findings(&output.stdout).ok_or_else(|| Scanner::Http2.broke("did not run to its end", &output))
}

/// What the script prints.
#[derive(Deserialize)]
struct Report {
    /// How many checks were made.
    checks: u32,
    findings: Vec<Finding>,
}

fn findings(printed: &[u8]) -> Option<Vec<Finding>> {
    let report: Report = serde_json::from_slice(printed).ok()?;
    // A run that checked nothing has found nothing either.
    (report.checks > 0).then_some(report.findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_read_and_a_run_without_checks_is_none() {
        let printed = br#"{"checks":2,"findings":[{"of":"6.7 PING","says":"closed, not pong"}]}"#;
        assert_eq!(findings(printed), Some(vec![Finding::new("6.7 PING", "closed, not pong")]));
        assert_eq!(findings(br#"{"checks":0,"findings":[]}"#), None);
        assert_eq!(findings(b"Traceback"), None);
    }
}
