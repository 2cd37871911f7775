//! `cargo xtask attack`: the attacks of `tests/attacks.toml` on any running gateway.

use std::process::ExitCode;

use irgw_tests::attack::{Pack, attack};

use crate::Error;
use crate::judged::{self, Judged};

/// Carries out the attacks of tests/attacks.toml on a running gateway.
///
/// Certificates and chains made on the spot, TLS and HTTP byte by byte, forged tokens, races, floods, hostile SSH: for each id its cases and
/// trials, and what came of them. Every id says whether the target survived it, failed it, or why it was not tried here and which tests show
/// it instead. The floods are bounded, and take two minutes; the target is busy meanwhile, and nobody else should need it.
///
/// The exit code is 0 when nothing that was tried failed, 1 when something did or the backing service saw a request that was refused, 2 when
/// nothing could be tried.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask attack --identity irgw-dev/dev.json
  cargo xtask attack --identity dev.json --target https://gateway.example:4046 --only B
  cargo xtask attack --identity dev.json --only D11 --json
  cargo xtask attack --identity dev.json --html attacks.html --junit attacks.xml")]
pub(crate) struct Args {
    #[command(flatten)]
    judged: Judged,
    /// Only this attack (B13), those of this section (B), or the cases and trials whose name holds this
    #[arg(long, value_name = "ID|SECTION|NAME")]
    only: Option<String>,
}

impl Args {
    pub(crate) fn run(&self) -> ExitCode {
        judged::code(self.judge())
    }

    fn judge(&self) -> Result<bool, Error> {
        let target = self.judged.target()?;
        let pack = Pack::read().map_err(Error::step("read the attacks"))?;
        let report = attack(&target, &pack, self.only.as_deref(), judged::progress);
        judged::progress("");
        if report.attacks.is_empty() {
            let only = self.only.clone().unwrap_or_default();
            return Err(Error::NoAttack { only });
        }
        match self.judged.json {
            true => println!("{}", report.to_json()),
            false => print!("{}", report.to_text()),
        }
        self.judged.write(|| report.to_html(&pack.attacks), || report.to_junit())?;
        Ok(report.is_clean())
    }
}
