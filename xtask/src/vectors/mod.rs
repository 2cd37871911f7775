//! `cargo xtask vectors`: test vectors of others through irgw-tls and irgw-m2m.
//!
//! ```text
//!   limbo.json ───────────► limbo: Chain ──► path: irgw_tls::ClientTrust ───────┐
//!   Wycheproof's files ──► wycheproof ──┬──► signature: irgw-m2m, irgw-tls ─────┼──► case: Judged ──► report
//!                                       └──► jwk: irgw-m2m ─────────────────────┘        ▲
//!   xtask/vectors/*.toml: what differs on purpose, and why ──► differences ──────────────┘
//! ```

mod case;
mod der;
mod differences;
mod jwk;
mod limbo;
mod path;
mod report;
mod signature;
mod source;
mod wycheproof;

#[cfg(test)]
mod tests;

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use case::{Case, Judged};
use differences::Differences;
use report::{Report, Suite};

use crate::{Error, run};

/// Judges test vectors of others: x509-limbo through irgw-tls, Wycheproof through irgw-m2m and irgw-tls.
///
/// What differs from what the vectors expect is listed with its reason in xtask/vectors/; anything else that differs, and an
/// entry that no longer does, fails. A case that panics or takes longer than ten seconds is reported as that, and
/// the run goes on. The exit code is 0 when nothing differs without a reason, 1 when something does, 2 when there is
/// nothing to judge.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask vectors
  cargo xtask vectors --dir DIR                 limbo.json (or limbo-core.json) and Wycheproof's files, plain or .gz
  cargo xtask vectors --limbo limbo.json --results results.json
  cargo xtask vectors --limbo clients.json --client --json")]
pub(crate) struct Args {
    /// Where the vectors are [default: ../shared/data/vectors]
    #[arg(long, value_name = "DIR", conflicts_with = "limbo")]
    dir: Option<PathBuf>,
    /// Only this file of x509-limbo's schema, plain or gzip
    #[arg(long, value_name = "FILE")]
    limbo: Option<PathBuf>,
    /// Take every case of the file for a client's certificate, as the gateway's listeners do
    #[arg(long, requires = "limbo")]
    client: bool,
    /// Write what became of each case of x509-limbo's, in limbo's schema of results
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Whose certificates the chains of x509-limbo are taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// As each case says.
    AsAsked,
    /// A client's, unless a case asks for another purpose by name.
    Client,
}

/// How long one case may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl Args {
    pub(crate) fn run(&self) -> Result<ExitCode, Error> {
        let mut report = Report::default();
        let judged = match &self.limbo {
            Some(file) => Some(self.limbo(file, &mut report)?),
            None => self.folder(&mut report)?,
        };
        if let Some(path) = &self.results {
            let judged = judged.ok_or_else(|| {
                Error::Input("--results is for cases of x509-limbo's, and there are none".into())
            })?;
            let results =
                serde_json::to_vec_pretty(&limbo::Results::new(&judged)).expect("texts can be written");
            fs::write(path, results)
                .map_err(|error| Error::Input(format!("cannot write {}: {error}", path.display())))?;
        }
        match self.json {
            true => println!("{}", report.to_json()),
            false => print!("{}", report.to_text()),
        }
        Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// A set of its own: the list may name cases that it has not, or has otherwise.
    fn limbo(&self, file: &Path, report: &mut Report) -> Result<Vec<Judged>, Error> {
        let purpose = if self.client { Purpose::Client } else { Purpose::AsAsked };
        let judged = judge(limbo::read(file, purpose)?);
        let suite = Suite::new("x509-limbo", vec![file.into()], &judged, &Differences::limbo());
        report.suites.push(suite.of_another_set());
        Ok(judged)
    }

    /// What there is in the folder; gives x509-limbo's cases.
    fn folder(&self, report: &mut Report) -> Result<Option<Vec<Judged>>, Error> {
        let usual = run::root().join(USUAL);
        let dir = self.dir.clone().unwrap_or_else(|| usual.canonicalize().unwrap_or(usual));
        if self.dir.is_some() && !dir.is_dir() {
            return Err(Error::Input(format!(
                "{} is no folder; --dir names one with vectors",
                dir.display()
            )));
        }
        let limbo = suites(&dir, report)?;
        if self.dir.is_some() && report.suites.is_empty() {
            return Err(Error::Input(format!(
                "there are no vectors in {}; limbo.json and Wycheproof's files are looked for",
                dir.display()
            )));
        }
        Ok(limbo)
    }
}

/// Beside the checkout, from the workspace's root.
const USUAL: &str = "../shared/data/vectors";

/// Judges x509-limbo's set and Wycheproof's files as far as they are in the folder, and notes which are not; gives
/// x509-limbo's cases.
fn suites(dir: &Path, report: &mut Report) -> Result<Option<Vec<Judged>>, Error> {
    let mut limbo = None;
    match find(&[dir], &["limbo", "limbo-core"]) {
        Some(file) => {
            let judged = judge(limbo::read(&file, Purpose::AsAsked)?);
            report.suites.push(Suite::new("x509-limbo", vec![file], &judged, &Differences::limbo()));
            limbo = Some(judged);
        }
        None => report.absent.push(dir.join("limbo.json")),
    }
    let (mut files, mut cases) = (Vec::new(), Vec::new());
    for name in wycheproof::FILES {
        match find(&[dir, &dir.join("wycheproof"), &dir.join("testvectors_v1")], &[name]) {
            Some(file) => {
                cases.extend(wycheproof::read(&file, name)?);
                files.push(file);
            }
            None => report.absent.push(dir.join("wycheproof").join(name).with_extension("json")),
        }
    }
    if !files.is_empty() {
        report.suites.push(Suite::new("Wycheproof", files, &judge(cases), &Differences::wycheproof()));
    }
    Ok(limbo)
}

/// The first of these files that there is, plain or gzip.
fn find(folders: &[&Path], names: &[&str]) -> Option<PathBuf> {
    let files = names.iter().flat_map(|name| [format!("{name}.json"), format!("{name}.json.gz")]);
    let paths: Vec<_> = files.flat_map(|file| folders.iter().map(move |folder| folder.join(&file))).collect();
    paths.into_iter().find(|path| path.is_file())
}

/// Judges one case after the other; on a terminal it says how far it is.
fn judge(cases: Vec<Case>) -> Vec<Judged> {
    let shows = std::io::stderr().is_terminal();
    let all = cases.len();
    let judged = cases.into_iter().enumerate().map(|(index, case)| {
        if shows && index % 100 == 0 {
            eprint!("\r{index} of {all}");
        }
        case.run(PATIENCE)
    });
    let judged = judged.collect();
    if shows {
        eprint!("\r\x1b[K");
    }
    judged
}
