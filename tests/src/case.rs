//! One case as it is written in TOML: what is given, and what is expected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use irgw_core::{Channel, Environment, Rule};
use serde::Deserialize;

use crate::Error;
use crate::certificate::CertificateRecipe;
use crate::expect::{Expect, Handshake};
use crate::hello::HelloRecipe;
use crate::oauth::OAuthRecipe;
use crate::token::TokenRecipe;
use crate::transfer::{By, FileServerRecipe, KeyFolderRecipe, SetRecipe, SshRecipe};

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
    /// One case for each, named after it: a text for `${row}`, or texts by the names that they replace.
    #[serde(default)]
    pub rows: BTreeMap<String, Row>,
    /// What the caller does.
    #[serde(default)]
    pub given: Given,
    /// What must come of it.
    pub expect: Expect,
    /// The file as it is, for whoever shows it.
    #[serde(skip)]
    pub(crate) source: toml::Table,
}

/// In what one case of a table differs from the others.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Row {
    /// `${row}`.
    One(String),
    /// `${NAME}` for each.
    Named(BTreeMap<String, String>),
}

impl Row {
    /// The texts with their names.
    pub(crate) fn texts(&self) -> Vec<(&str, &str)> {
        match self {
            Row::One(text) => vec![("row", text)],
            Row::Named(texts) => texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect(),
        }
    }
}

fn mutual() -> Vec<Environment> {
    vec![Environment::Test, Environment::Prod]
}

/// What the caller does.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// The listener; *default* the desktop's for the authorization server's paths, the cloud's for all others.
    #[serde(default)]
    pub channel: Option<Channel>,
    /// What a client and a customer did before.
    #[serde(default)]
    pub oauth: Option<OAuthRecipe>,
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
    /// A connection to the demo provider's file server, instead of all of the above.
    #[serde(default)]
    pub ssh: Option<SshRecipe>,
    /// A set of files, instead of all of the above.
    #[serde(default)]
    pub set: Option<SetRecipe>,
    /// A file server that is enrolled, and to which the set is delivered.
    #[serde(default)]
    pub file_server: Option<FileServerRecipe>,
    /// A key folder that is checked.
    #[serde(default)]
    pub key_folder: Option<KeyFolderRecipe>,
}

impl Given {
    /// Whether files are what it is about, and no request.
    pub(crate) fn is_a_transfer(&self) -> bool {
        self.ssh.is_some() || self.is_a_fetch() || self.needs_the_gateways_folders()
    }

    /// Whether the gateway fetches it: what there is to see of that, `dev.json` names.
    pub(crate) fn is_a_fetch(&self) -> bool {
        self.set.as_ref().is_some_and(|set| set.by == By::Outbox)
    }

    /// Whether the gateway's own keys, folders or commands are needed.
    pub(crate) fn needs_the_gateways_folders(&self) -> bool {
        let is_put_by_the_gateway =
            self.set.as_ref().is_some_and(|set| set.by != By::Outbox || set.message.is_signed_by("gateway"));
        self.file_server.is_some() || self.key_folder.is_some() || is_put_by_the_gateway
    }

    /// Whether the operator's commands are needed.
    pub(crate) fn needs_the_command_line(&self) -> bool {
        let is_submitted = self.set.as_ref().is_some_and(|set| set.by == By::Submit);
        is_submitted || self.file_server.is_some() || self.key_folder.is_some()
    }

    /// The listener.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.unwrap_or(match self.request.is_for_the_authorization_server() {
            true => Channel::Desktop,
            false => Channel::Cloud,
        })
    }
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
    /// A form that is posted, with its media type, instead of a method and a body.
    pub form: Option<String>,
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
            form: None,
            raw: None,
            h2: None,
            times: 1,
        }
    }
}

impl Request {
    /// The method.
    pub(crate) fn method(&self) -> &str {
        if self.form.is_some() { "POST" } else { &self.method }
    }

    pub(crate) fn is_for_the_authorization_server(&self) -> bool {
        self.path.starts_with("/gateway3/") || self.path.starts_with("/.well-known/")
    }
}

impl Case {
    /// Reads a file's case, or its cases where it has rows; a name is the path below `folder` without the ending, then the
    /// row's.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a case.
    pub fn read(folder: &Path, path: &Path) -> Result<Vec<Case>, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        let source = text.parse().map_err(|error| Error::content(path, error))?;
        let text: CaseText = toml::from_str(&text).map_err(|error| Error::content(path, error))?;
        let text = CaseText { source, ..text };
        let problem = if text.environments.is_empty() {
            Some("`environments` is empty")
        } else if text.given.is_a_transfer() {
            text.expect.outcome.is_none().then_some("`expect` of a transfer needs `outcome`")
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
        if text.rows.is_empty() {
            return Ok(vec![Case { name, text }]);
        }
        let one = |(row, texts): (&String, &Row)| {
            let rows = BTreeMap::from([(row.clone(), texts.clone())]);
            Case { name: format!("{name}/{row}"), text: CaseText { rows, ..text.clone() } }
        };
        Ok(text.rows.iter().map(one).collect())
    }

    /// Reads every case below `folder`, in the order of their names.
    ///
    /// # Errors
    /// The first file that is not a case.
    pub fn read_all(folder: &Path) -> Result<Vec<Case>, Error> {
        let cases =
            files(folder)?.iter().map(|path| Case::read(folder, path)).collect::<Result<Vec<_>, _>>()?;
        let mut cases = cases.concat();
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
