//! `cargo xtask conformance`: the cases of `tests/` against any running gateway.

use std::path::PathBuf;
use std::process::ExitCode;

use irgw_tests::{Case, Requirements, Selection, Skips, folder, run};

use crate::Error;
use crate::judged::{self, Judged};

/// Tries the cases of tests/cases against a running gateway.
///
/// The gateway says who its demo parties are in a `dev.json`, as `irgw dev` writes it. A case that needs the clock set
/// or the gateway's files says "not runnable remotely"; it never counts as passed. The exit code is 0 when no case failed, 1
/// when one did or a refused request reached the backing service, 2 when none could be tried.
///
/// A gateway to try it on: cargo run --release --bin irgw -- dev --dir irgw-dev
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask conformance --identity irgw-dev/dev.json
  cargo xtask conformance --identity dev.json --target https://gateway.example:4046 --only M2M-6
  cargo xtask conformance --identity dev.json --html conformance.html --junit conformance.xml
  cargo xtask conformance --identity dev.json --only m2m/exp-past --save made   # the certificate and the token of the case")]
pub(crate) struct Args {
    #[command(flatten)]
    judged: Judged,
    /// Only the cases of this rule, or those whose name holds this
    #[arg(long, value_name = "RULE|NAME")]
    only: Option<String>,
    /// Write conformance.json, .md, .html and .xml into this folder
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Keep client.crt, client.key and token as they were made for the last case, so that it can be sent by hand
    #[arg(long, value_name = "DIR", requires = "only")]
    save: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(&self) -> ExitCode {
        judged::code(self.judge())
    }

    fn judge(&self) -> Result<bool, Error> {
        let step = Error::step::<irgw_tests::Error>;
        let mut target = self.judged.target()?;
        if let Some(folder) = &self.save {
            std::fs::create_dir_all(folder).map_err(Error::at("make", folder))?;
            target = target.saving(folder.clone());
        }
        let cases = Case::read_all(&folder().join("cases")).map_err(step("read the cases"))?;
        let skips = Skips::read(&folder().join("skips.toml")).map_err(step("read the skips"))?;
        let requirements =
            Requirements::read(&folder().join("requirements.toml")).map_err(step("read the requirements"))?;
        let selection = Selection { only: self.only.clone(), progress: Some(progress) };
        let report = run(&target, &cases, &skips, &selection);
        judged::progress("");
        if report.results.is_empty() {
            // A misspelt name must not look like a target without failures.
            let only = self.only.clone().unwrap_or_default();
            return Err(Error::NothingToTry { only });
        }
        match self.judged.json {
            true => println!("{}", report.to_json()),
            false => print!("{}", report.to_text()),
        }
        self.judged.write(|| report.to_html(&requirements, &skips), || report.to_junit())?;
        if let Some(folder) = &self.report {
            report.write(folder, &requirements, &skips).map_err(step("write the report"))?;
        }
        Ok(report.is_clean())
    }
}

fn progress(done: usize, all: usize) {
    judged::progress(&format!("{done} of {all} cases"));
}
