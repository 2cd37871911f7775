//! Schemathesis: requests that `/openapi.json` allows and forbids, and whether each answer is one that it describes.

use std::path::Path;
use std::process::Command;

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
        let report = written(&reports).filter(|report| report["complete"] == true);
        let report = report.ok_or_else(|| Scanner::Schemathesis.broke("did not run to its end", &output))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        findings.extend(findings_of(&report, &printed));
    }
    Ok(findings)
}

/// The one report in the folder.
fn written(reports: &Path) -> Option<Value> {
    let entry = std::fs::read_dir(reports).ok()?.flatten().next()?;
    serde_json::from_slice(&std::fs::read(entry.path()).ok()?).ok()
}

/// The kinds of failures, each where it was seen, with the requests that show it; what could not be tried; what was not tried.
fn findings_of(report: &Value, printed: &str) -> Vec<Finding> {
    let list = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let mut findings = Vec::new();
    for failure in list("failures") {
        let says = format!("{} {}", words(&failure["code"]), words(&failure["title"]));
        for operation in failure["operations"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let shown = example(printed, operation).map(|curl| format!("{says}: {curl}"));
            findings.push(Finding::new(operation, shown.unwrap_or_else(|| says.clone())));
        }
    }
    findings.extend(list("errors").iter().map(|error| Finding::new("error", error.to_string())));
    let operations = &report["operations"];
    if operations["tested"] != operations["total"] && operations["tested"] != operations["selected"] {
        findings.push(Finding::new("operations", format!("not all were tried: {operations}")));
    }
    findings
}

/// The first request that is printed under the operation's heading.
fn example<'a>(printed: &'a str, operation: &str) -> Option<&'a str> {
    let heading = format!("_ {operation} _");
    let under = printed.split_once(&heading)?.1;
    under.lines().map(str::trim).find(|line| line.starts_with("curl "))
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_is_a_finding_of_each_operation_with_the_request_that_shows_it() {
        let report = serde_json::json!({
            "operations": { "total": 3, "selected": 2, "tested": 2 },
            "failures": [{ "code": "ST103", "title": "Undocumented", "operations": ["GET /a", "GET /b"] }],
            "errors": [],
        });
        let printed = "____ GET /a ____\n1. x\n\n    curl -X GET 'https://localhost/a?b'\n";
        let expected = [
            Finding::new("GET /a", "ST103 Undocumented: curl -X GET 'https://localhost/a?b'"),
            Finding::new("GET /b", "ST103 Undocumented"),
        ];
        assert_eq!(findings_of(&report, printed), expected);
    }

    #[test]
    fn operation_that_was_not_tried_is_a_finding() {
        let report = serde_json::json!({ "operations": { "total": 3, "selected": 2, "tested": 1 } });
        assert_eq!(findings_of(&report, "").len(), 1);
    }
}
