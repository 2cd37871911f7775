//! testssl.sh: protocols, suites, certificates, headers and known attacks, on both TLS listeners.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::{Finding, Scanner, Surface, run};
use crate::Error;

/// What it is asked for: protocols, suites by kind, forward secrecy, preference, certificate, headers and known attacks. What only
/// lists (each suite, simulated clients) takes longer than all of it, and never has a severity.
const SECTIONS: [&str; 7] =
    ["--protocols", "--std", "--fs", "--server-preference", "--server-defaults", "--headers", "--vulnerable"];

/// All that has a severity above `INFO`. The cloud listener asks for a certificate that this version cannot show, so there it
/// sees the handshake alone.
pub(super) fn scan(program: &Path, surface: &Surface) -> Result<Vec<Finding>, Error> {
    let listeners = &surface.dev().listeners;
    // Where there are headers to judge: the page that customers begin at.
    let page = surface.dev().oauth.as_ref().map(|oauth| format!("{}applications", oauth.issuer));
    let desktop = page.unwrap_or_else(|| listeners.desktop.base_url.clone());
    let targets =
        [("cloud", &listeners.cloud, &listeners.cloud.base_url), ("desktop", &listeners.desktop, &desktop)];
    let mut findings = Vec::new();
    for (name, listener, url) in targets {
        let report = surface.file(&format!("testssl-{name}.json"));
        let mut command = Command::new(program);
        // One address of a name that has several, and no name server is asked.
        command.args(["--warnings", "batch", "--color", "0", "--quiet", "--nodns", "min", "--ip", "one"]);
        command.args(SECTIONS).arg("--add-ca").arg(&listener.ca_file).arg("--jsonfile").arg(&report);
        let output = run(command.arg(url))?;
        let read =
            std::fs::read(&report).ok().and_then(|text| serde_json::from_slice::<Vec<Entry>>(&text).ok());
        let is_whole = |entries: &Vec<Entry>| entries.iter().any(|entry| entry.id == "scanTime");
        let entries = read
            .filter(is_whole)
            .ok_or_else(|| Scanner::Testssl.broke("did not scan to its end", &output))?;
        findings.extend(entries.iter().filter_map(|entry| finding(name, entry)));
    }
    Ok(findings)
}

/// One line of its report.
#[derive(Deserialize)]
struct Entry {
    id: String,
    severity: String,
    finding: String,
}

/// `WARN` is what it says of itself and of what it could not try, not of the listener.
fn finding(listener: &str, Entry { id, severity, finding }: &Entry) -> Option<Finding> {
    let is_well = matches!(severity.as_str(), "OK" | "INFO" | "WARN" | "DEBUG");
    (!is_well).then(|| Finding::new(format!("{listener} {id}"), format!("{severity}: {finding}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_above_information_is_a_finding() {
        let entry = |severity: &str| {
            let entry = Entry { id: "RC4".into(), severity: severity.into(), finding: "offered".into() };
            finding("cloud", &entry)
        };
        assert_eq!(entry("LOW"), Some(Finding::new("cloud RC4", "LOW: offered")));
        assert!(
            ["MEDIUM", "HIGH", "CRITICAL", "FATAL"].into_iter().all(|severity| entry(severity).is_some())
        );
        assert_eq!((entry("OK"), entry("INFO"), entry("WARN")), (None, None, None));
    }
}
