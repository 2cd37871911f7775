//! One case as it is written in TOML: what is given, and what is expected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use irgw_core::{Channel, Environment, Rule};
use serde::Deserialize;

use crate::Error;
use crate::certificate::CertificateRecipe;
use crate::hello::HelloRecipe;
use crate::token::TokenRecipe;

/// One case: one file, named after the fact that it shows.
#[derive(Debug, Clone)]
pub struct Case {
    /// `<area>/<fact>`, from the file's path.
    pub name: String,
    /// What the file says.
    pub text: CaseText,
}

/// A case's file. Every text in it may hold `${…}`; CONTRIBUTING says how to write one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseText {
    /// The rule that it tests.
    pub rule: Rule,
    /// The fact, in a sentence.
    pub title: String,
    /// The attacks that it carries out, by id.
    #[serde(default)]
    pub attacks: Vec<String>,
    /// Where it applies.
    #[serde(default = "mutual")]
    pub environments: Vec<Environment>,
    /// A configuration of the runner's (`tests/configurations/NAME.toml`) laid over the environment's own. Such a case is
    /// not runnable remotely.
    #[serde(default)]
    pub configuration: Option<String>,
    /// What the caller does.
    #[serde(default)]
    pub given: Given,
    /// What must come of it.
    pub expect: Expect,
}

fn mutual() -> Vec<Environment> {
    vec![Environment::Test, Environment::Prod]
}

/// What the caller does.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// The listener; *default* cloud.
    #[serde(default)]
    pub channel: Option<Channel>,
    /// Bytes before the TLS handshake, such as a PROXY header.
    #[serde(default)]
    pub preface: Option<String>,
    /// How the caller speaks TLS.
    #[serde(default)]
    pub tls: Tls,
    /// A ClientHello made byte by byte, instead of a handshake.
    #[serde(default)]
    pub hello: Option<HelloRecipe>,
    /// The client certificate; *default* that of `providers[0]`.
    #[serde(default)]
    pub certificate: CertificateRecipe,
    /// The client-signed JWT; *default* none.
    #[serde(default)]
    pub token: Option<TokenRecipe>,
    /// The request.
    #[serde(default)]
    pub request: Request,
}

/// How the caller speaks TLS.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// `1.2`, `1.3`; *default* both.
    #[serde(default)]
    pub versions: Vec<String>,
    /// One suite by its IANA name; *default* the profile's six.
    #[serde(default)]
    pub suite: Option<String>,
    /// The server name to ask for, or `none`; *default* the address's host.
    #[serde(default)]
    pub sni: Option<String>,
    /// Whether an earlier session is resumed, if the server lets it.
    #[serde(default)]
    pub resume: bool,
}

/// The request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The request target.
    pub path: String,
    /// The Host fields.
    pub hosts: Vec<String>,
    /// More header lines, as they go on the wire.
    pub headers: Vec<String>,
    /// The body; a Content-Length goes with it.
    pub body: Option<String>,
    /// The whole request as it goes on the wire, instead of all of the above.
    pub raw: Option<String>,
    /// HTTP/2 header fields in their order, instead of all of the above.
    pub h2: Option<Vec<(String, String)>>,
    /// How often it is sent over the one connection; each answer must be as expected.
    pub times: usize,
}

impl Default for Request {
    fn default() -> Request {
        Request {
            method: "GET".into(),
            path: "/gateway/account/1".into(),
            hosts: vec!["${authority}".into()],
            headers: Vec::new(),
            body: None,
            raw: None,
            h2: None,
            times: 1,
        }
    }
}

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
    /// In whose words a refusal is told; *default* `suite`.
    #[serde(default)]
    pub dialect: Option<String>,
    /// The published code; type and text must be what SPEC section 6 has beside it.
    #[serde(default)]
    pub code: Option<String>,
    /// The body, all of it.
    #[serde(default)]
    pub body: Option<String>,
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

impl Case {
    /// Reads one case; its name is the path below `folder` without the ending.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a case.
    pub fn read(folder: &Path, path: &Path) -> Result<Case, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        let text: CaseText = toml::from_str(&text).map_err(|error| Error::content(path, error))?;
        let problem = if text.environments.is_empty() {
            Some("`environments` is empty")
        } else if text.expect.handshake.is_none()
            && text.expect.status.is_none()
            && text.expect.any_status.is_empty()
        {
            Some("`expect` needs `handshake`, `status` or `any_status`")
        } else if text.given.request.times == 0 {
            Some("`given.request.times` is 0")
        } else if text.expect.handshake == Some(Handshake::Refused)
            && text.expect.status.is_some_and(|status| status != 0)
        {
            Some("a refused handshake has no `status`")
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(Error::content(path, problem));
        }
        let name = path.strip_prefix(folder).unwrap_or(path).with_extension("");
        let name =
            name.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        Ok(Case { name, text })
    }

    /// Reads every case below `folder`, in the order of their names.
    ///
    /// # Errors
    /// The first file that is not a case.
    pub fn read_all(folder: &Path) -> Result<Vec<Case>, Error> {
        let mut cases =
            files(folder)?.iter().map(|path| Case::read(folder, path)).collect::<Result<Vec<_>, _>>()?;
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(cases)
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::file(folder))? {
        let path = entry.map_err(Error::file(folder))?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
    Ok(found)
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
