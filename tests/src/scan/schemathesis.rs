//! Schemathesis: requests that `/openapi.json` allows and forbids, and whether each answer is one that it describes.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use super::{Finding, Scanner, Surface, run};
use crate::{Error, folder};

/// Requests of each operation and phase. More of them find no more, and the desktop listener has a rate limit.
const EXAMPLES: &str = "50";
/// One seed, so that a finding comes again.
const SEED: &str = "1";

/// Both parts of the description, each at its own address, by every check there is.
pub(super) fn scan(program: &Path, surface: &Surface) -> Result<Vec<Finding>, Error> {
    let operator = surface.operator()?;
    let token =
        operator.token_file.as_ref().map(|file| std::fs::read_to_string(file).map_err(Error::file(file)));
    let token = token.transpose()?.unwrap_or_default();
    let desktop = &surface.dev().listeners.desktop;
    let client = surface.client()?;
    let redirect_uri = client.redirect_uris.first().map(String::as_str).unwrap_or_default();
    let mut findings = Vec::new();
    for (tag, url) in [("oauth", &desktop.base_url), ("operator", &operator.base_url)] {
        let reports = surface.file(&format!("schemathesis-{tag}"));
        let mut command = Command::new(program);
        command.arg("--config-file").arg(folder().join("scanners/schemathesis.toml")).arg("run");
        command.arg(format!("{}/openapi.json", operator.base_url));
        command.args(["--url", url, "--include-tag", tag, "--max-examples", EXAMPLES, "--seed", SEED]);
        // Where a browser would be sent is nobody that is to be asked.
        command.args(["--max-redirects", "0", "--continue-on-failure", "--no-color"]);
        command.args(["--generation-database", "none", "--report", "json", "--report-dir"]).arg(&reports);
        command.arg("--tls-verify").arg(&desktop.ca_file).current_dir(surface.file(""));
        command.env("IRGW_CLIENT_ID", &client.client_id).env("IRGW_CLIENT_SECRET", &client.client_secret);
        command.env("IRGW_REDIRECT_URI", redirect_uri).env("IRGW_OPERATOR_TOKEN", token.trim());
        let output = run(&mut command)?;
        let report = written(&reports).filter(|report| report.complete);
        let report = report.ok_or_else(|| Scanner::Schemathesis.broke("did not run to its end", &output))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        findings.extend(findings_of(&report, &printed));
    }
    Ok(findings)
}

/// The one report in the folder.
fn written(reports: &Path) -> Option<Report> {
    let entry = std::fs::read_dir(reports).ok()?.flatten().next()?;
    serde_json::from_slice(&std::fs::read(entry.path()).ok()?).ok()
}

#[derive(Deserialize)]
struct Report {
    complete: bool,
    operations: Operations,
    failures: Vec<Failure>,
    errors: Vec<Value>,
}

#[derive(Deserialize)]
struct Operations {
    selected: u32,
    tested: u32,
}

#[derive(Deserialize)]
struct Failure {
    code: String,
    title: String,
    operations: Vec<String>,
}

/// The kinds of failures, each where it was seen, with the request that shows it; what could not be tried; what was not tried.
fn findings_of(report: &Report, printed: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Failure { code, title, operations } in &report.failures {
        for operation in operations {
            let shown = example(printed, operation).map(|curl| format!(": {curl}")).unwrap_or_default();
            findings.push(Finding::new(operation, format!("{code} {title}{shown}")));
        }
    }
    findings.extend(report.errors.iter().map(|error| Finding::new("error", error.to_string())));
    let Operations { selected, tested } = report.operations;
    if tested == 0 || tested != selected {
        findings.push(Finding::new("operations", format!("{tested} of {selected} were tried")));
    }
    findings
}

/// The first request that is printed under the operation's heading.
fn example<'a>(printed: &'a str, operation: &str) -> Option<&'a str> {
    let heading = format!("_ {operation} _");
    let under = printed.split_once(&heading)?.1;
    under.lines().map(str::trim).find(|line| line.starts_with("curl "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(tested: u32, failures: &str) -> Report {
        let text = format!(
            r#"{{"complete":true,"operations":{{"selected":2,"tested":{tested}}},"failures":[{failures}],"errors":[]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn failure_is_a_finding_of_each_operation_with_the_request_that_shows_it() {
        let report = report(2, r#"{"code":"ST103","title":"Undocumented","operations":["GET /a","GET /b"]}"#);
        let printed = "____ GET /a ____\n1. x\n\n    curl -X GET 'https://localhost/a?b'\n";
        let expected = [
            Finding::new("GET /a", "ST103 Undocumented: curl -X GET 'https://localhost/a?b'"),
            Finding::new("GET /b", "ST103 Undocumented"),
        ];
        assert_eq!(findings_of(&report, printed), expected);
    }

    #[test]
    fn operation_that_was_not_tried_is_a_finding() {
        assert_eq!(findings_of(&report(1, ""), "").len(), 1);
        assert!(findings_of(&report(2, ""), "").is_empty());
    }
}
