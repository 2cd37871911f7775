//! ssh-audit: which algorithms the file server offers, and what it says of each.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use super::{Finding, Scanner, Surface, run};
use crate::Error;

/// Every warning and failure of an algorithm, every CVE and every note, about the connection rate too.
pub(super) fn scan(program: &Path, surface: &Surface) -> Result<Vec<Finding>, Error> {
    let (host, port) = surface.file_server()?;
    let output = run(Command::new(program).args(["--json", "--port", &port.to_string(), host]))?;
    // 2 and 3 tell of warnings and failures.
    let report = match output.status.code() {
        Some(0 | 2 | 3) => serde_json::from_slice(&output.stdout).ok(),
        _ => None,
    };
    let report: Report =
        report.ok_or_else(|| Scanner::SshAudit.broke("said nothing of each algorithm; 3.9 does", &output))?;
    Ok(report.findings())
}

#[derive(Deserialize)]
struct Report {
    kex: Vec<Algorithm>,
    key: Vec<Algorithm>,
    enc: Vec<Algorithm>,
    mac: Vec<Algorithm>,
    cves: Vec<Value>,
    additional_notes: Vec<String>,
}

#[derive(Deserialize)]
struct Algorithm {
    algorithm: String,
    /// Version 2 (Debian 12's) reports none, which would look like a server without flaws.
    notes: Notes,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Notes {
    fail: Vec<String>,
    warn: Vec<String>,
}

impl Report {
    fn findings(self) -> Vec<Finding> {
        let kinds = [("kex", self.kex), ("key", self.key), ("enc", self.enc), ("mac", self.mac)];
        let algorithms =
            kinds.into_iter().flat_map(|(kind, list)| list.into_iter().map(move |one| (kind, one)));
        let of_algorithms = algorithms.flat_map(|(kind, Algorithm { algorithm, notes })| {
            let notes = notes.fail.into_iter().chain(notes.warn);
            notes.map(move |note| Finding::new(format!("{kind} {algorithm}"), note))
        });
        let cves = self.cves.iter().map(|cve| Finding::new("cve", cve.to_string()));
        let notes = self.additional_notes.into_iter().map(|note| Finding::new("note", note));
        of_algorithms.chain(cves).chain(notes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_failures_and_notes_are_findings_and_information_is_not() {
        let report = serde_json::json!({
            "kex": [{ "algorithm": "a", "notes": { "fail": ["weak"], "warn": ["old"], "info": ["known"] } }],
            "key": [{ "algorithm": "b", "notes": {} }], "enc": [], "mac": [], "cves": [],
            "additional_notes": ["no throttling"],
        });
        let expected = [("kex a", "weak"), ("kex a", "old"), ("note", "no throttling")];
        let report: Report = serde_json::from_value(report).unwrap();
        assert_eq!(report.findings(), expected.map(|(of, says)| Finding::new(of, says)));
    }

    #[test]
    fn report_of_a_version_without_notes_is_none() {
        let report = serde_json::json!({
            "kex": [{ "algorithm": "a" }], "key": [], "enc": [], "mac": [], "cves": [], "additional_notes": [],
        });
        assert!(serde_json::from_value::<Report>(report).is_err());
    }
}
