//! `cargo xtask conformance`: the cases of `tests/` against any running gateway.

use std::path::PathBuf;
use std::process::ExitCode;

use irgw_tests::{Case, Requirements, Selection, Skips, Target, folder, run};

use crate::Error;

/// Tries the cases of tests/cases against a running gateway.
///
/// The gateway says who its demo parties are in a `dev.json`, as `irgw dev` writes it. A case that needs the clock set
/// or the gateway's files says "not runnable remotely"; it never counts as passed. The exit code is 0 only when no case
/// failed.
///
/// A gateway to try it on: cargo run --release --bin irgw -- dev --dir irgw-dev
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask conformance --identity irgw-dev/dev.json
  cargo xtask conformance --identity dev.json --target https://gateway.example:4046 --only M2M-6
  cargo xtask conformance --identity dev.json --report report")]
pub(crate) struct Args {
    /// The target's `dev.json`
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
    /// Its cloud channel, where that is not what `dev.json` says
    #[arg(long, value_name = "URL")]
    target: Option<String>,
    /// Only the cases of this rule, or those whose name holds this
    #[arg(long, value_name = "RULE|NAME")]
    only: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Write conformance.json and conformance.md into this folder
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(&self) -> Result<ExitCode, Error> {
        let step = Error::step::<irgw_tests::Error>;
        let target =
            Target::remote(&self.identity, self.target.as_deref()).map_err(step("reach the target"))?;
        let cases = Case::read_all(&folder().join("cases")).map_err(step("read the cases"))?;
        let skips = Skips::read(&folder().join("skips.toml")).map_err(step("read the skips"))?;
        let requirements =
            Requirements::read(&folder().join("requirements.toml")).map_err(step("read the requirements"))?;
        let report = run(&target, &cases, &skips, &Selection { only: self.only.clone() });
        if report.results.is_empty() {
            // A misspelt name must not look like a target without failures.
            let only = self.only.clone().unwrap_or_default();
            return Err(Error::NothingToTry { only });
        }
        match self.json {
            true => println!("{}", report.to_json()),
            false => print!("{}", report.to_text()),
        }
        if let Some(folder) = &self.report {
            report.write(folder, &requirements).map_err(step("write the report"))?;
        }
        Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
