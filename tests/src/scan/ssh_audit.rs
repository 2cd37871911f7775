//! ssh-audit: which algorithms the file server offers, and what it says of each.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Finding, Scanner, Surface, run};
use crate::Error;

/// Every warning and failure of an algorithm, every CVE and every note, about the connection rate too.
pub(super) fn scan(program: &Path, surface: &Surface) -> Result<Vec<Finding>, Error> {
    let (host, port) = surface.file_server();
    let output = run(Command::new(program).args(["--json", "--port", &port.to_string(), host]))?;
    // 2 and 3 tell of warnings and failures.
    let report = match output.status.code() {
        Some(0 | 2 | 3) => serde_json::from_slice(&output.stdout).ok(),
        _ => None,
    };
    report.map(|report| findings(&report)).ok_or_else(|| Scanner::SshAudit.broke("audited nothing", &output))
}

fn findings(report: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for kind in ["kex", "key", "enc", "mac"] {
        for algorithm in list(report, kind) {
            let name = algorithm["algorithm"].as_str().unwrap_or_default();
            let notes = ["fail", "warn"].into_iter().flat_map(|level| list(&algorithm["notes"], level));
            findings.extend(notes.map(|note| Finding::new(format!("{kind} {name}"), words(note))));
        }
    }
    findings.extend(list(report, "cves").iter().map(|cve| Finding::new("cve", words(cve))));
    findings.extend(list(report, "additional_notes").iter().map(|note| Finding::new("note", words(note))));
    findings
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
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
        assert_eq!(findings(&report), expected.map(|(of, says)| Finding::new(of, says)));
    }
}
