//! The scanners of others against a gateway: what they find, and whether `scan.toml` says why.
//!
//! ```text
//!   Surface (irgw dev, irgw receive serve) ──► Scanner ──► findings ──► Explanations ──► Scanned
//! ```
//!
//! A scanner that is not installed is skipped and says so. A finding that nobody explains fails, and so does an explanation of
//! what is not found any more.

mod explanations;
mod http2;
mod schemathesis;
mod ssh_audit;
mod sslyze;
mod surface;
mod testssl;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde::{Deserialize, Serialize};

pub use explanations::{Explanations, Judged, Scanned};
pub use surface::Surface;

use crate::Error;

/// A scanner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scanner {
    /// The cloud listener held to `sslyze-profile.json`.
    Sslyze,
    /// testssl.sh, both TLS listeners.
    Testssl,
    /// ssh-audit, the file server.
    SshAudit,
    /// Frames that RFC 9113 forbids, made by hyperframe and hpack, to the desktop listener.
    Http2,
    /// Schemathesis, all that `/openapi.json` describes.
    Schemathesis,
}

/// What a scanner complains of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The listener and the part of it, as `desktop HSTS`.
    pub of: String,
    /// In the scanner's words.
    pub says: String,
}

impl Scanner {
    /// All of them, the quickest first.
    pub const ALL: [Scanner; 5] =
        [Scanner::SshAudit, Scanner::Http2, Scanner::Schemathesis, Scanner::Sslyze, Scanner::Testssl];

    /// Its name on the command line and in `scan.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Scanner::Sslyze => "sslyze",
            Scanner::Testssl => "testssl",
            Scanner::SshAudit => "ssh-audit",
            Scanner::Http2 => "http2",
            Scanner::Schemathesis => "schemathesis",
        }
    }

    /// What it looks at.
    pub fn target(self) -> &'static str {
        match self {
            Scanner::Sslyze => "cloud",
            Scanner::Testssl => "cloud, desktop",
            Scanner::SshAudit => "file server",
            Scanner::Http2 => "desktop",
            Scanner::Schemathesis => "desktop, operator",
        }
    }

    /// How to get it.
    pub fn to_install(self) -> &'static str {
        match self {
            Scanner::Sslyze => "pip install sslyze in a venv, and IRGW_SSLYZE=VENV/bin/sslyze",
            Scanner::Testssl => "apt-get install testssl.sh",
            Scanner::SshAudit | Scanner::Http2 | Scanner::Schemathesis => {
                "pip install -r tests/scanners/requirements.txt in a venv, and IRGW_SCANNERS=VENV/bin"
            }
        }
    }

    /// Its program, if it is installed.
    pub fn program(self) -> Option<PathBuf> {
        // Absolute, since scanners are started in the folder that they write to.
        let named = |variable| std::env::var_os(variable).and_then(|path| std::path::absolute(path).ok());
        let with = named("IRGW_SCANNERS");
        match self {
            Scanner::Sslyze => match named("IRGW_SSLYZE") {
                Some(path) => Some(path).filter(|path| path.is_file()),
                None => on_path("sslyze"),
            },
            Scanner::Testssl => on_path("testssl").or_else(|| on_path("testssl.sh")),
            Scanner::Http2 => with.map(|folder| folder.join("python")).filter(|path| path.is_file()),
            Scanner::SshAudit | Scanner::Schemathesis => {
                let beside = with.map(|folder| folder.join(self.name())).filter(|path| path.is_file());
                beside.or_else(|| on_path(self.name()))
            }
        }
    }

    /// Scans; `None`: it is not installed.
    ///
    /// # Errors
    /// When the scanner breaks, or does not say what this reads.
    pub fn scan(self, surface: &Surface) -> Result<Option<Vec<Finding>>, Error> {
        let Some(program) = self.program() else { return Ok(None) };
        let found = match self {
            Scanner::Sslyze => sslyze::scan(&program, surface),
            Scanner::Testssl => testssl::scan(&program, surface),
            Scanner::SshAudit => ssh_audit::scan(&program, surface),
            Scanner::Http2 => http2::scan(&program, surface),
            Scanner::Schemathesis => schemathesis::scan(&program, surface),
        };
        found.map(Some)
    }

    /// What it did not do.
    fn broke(self, problem: &str, output: &Output) -> Error {
        let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        Error::Target(format!("{} {problem}: {}", self.name(), said.concat().trim()))
    }
}

impl Finding {
    fn new(of: impl Into<String>, says: impl Into<String>) -> Finding {
        Finding { of: of.into(), says: says.into() }
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn run(command: &mut Command) -> Result<Output, Error> {
    let program = PathBuf::from(command.get_program());
    command.stdin(Stdio::null()).output().map_err(Error::file(program))
}
