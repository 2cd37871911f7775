//! `cargo xtask scan`: the scanners of others against a gateway, and what they find that tests/scan.toml does not explain.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use irgw_core::Environment;
use irgw_tests::scan::{Explanations, Scanned, Scanner, Surface};
use irgw_tests::{Local, Program, folder};

use crate::{Error, run};

/// Runs the scanners of others against a gateway.
///
/// Without --identity it builds irgw, starts `irgw dev` and `irgw receive serve` on free ports in a folder of their own, and
/// stops them at the end. What a scanner finds is explained in tests/scan.toml, or it fails; so does an explanation of what is not
/// found any more. A scanner that is not installed is SKIPPED, and never counts as passed. The exit code is 0 when nothing is left
/// to explain, 1 when something is, 2 when a scan could not be made.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask scan
  cargo xtask scan --only ssh-audit,schemathesis --json
  cargo xtask scan --identity irgw-dev/dev.json --only testssl

To install them (Debian 12):
  apt-get install testssl.sh
  python3 -m venv scanners && scanners/bin/pip install -r tests/scanners/requirements.txt sslyze
  export IRGW_SCANNERS=$PWD/scanners/bin IRGW_SSLYZE=$PWD/scanners/bin/sslyze")]
pub(crate) struct Args {
    /// A running gateway's `dev.json`; its demo provider's file server is scanned with it
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Only these: ssh-audit, http2, schemathesis, sslyze, testssl
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = named)]
    only: Vec<Scanner>,
    /// Print every finding, with its reason, as JSON
    #[arg(long)]
    json: bool,
}

fn named(name: &str) -> Result<Scanner, String> {
    let names = || Scanner::ALL.map(Scanner::name).join(", ");
    let found = Scanner::ALL.into_iter().find(|scanner| scanner.name() == name);
    found.ok_or_else(|| format!("there are {}", names()))
}

impl Args {
    pub(crate) fn run(&self) -> ExitCode {
        self.scan().unwrap_or_else(|error| {
            crate::explain(&error);
            ExitCode::from(2)
        })
    }

    fn scan(&self) -> Result<ExitCode, Error> {
        let step = Error::step::<irgw_tests::Error>;
        let explanations =
            Explanations::read(&folder().join("scan.toml")).map_err(step("read what is explained"))?;
        // Declared before the surface, so that the gateway outlives what is beside it.
        let local;
        let surface = match &self.identity {
            Some(identity) => Surface::of_identity(identity).map_err(step("use --identity"))?,
            None => {
                local = started()?;
                Surface::of_local(&local).map_err(step("start a file server"))?
            }
        };
        let mut scanned = Vec::new();
        for scanner in
            Scanner::ALL.into_iter().filter(|scanner| self.only.is_empty() || self.only.contains(scanner))
        {
            eprintln!("scan: {} at {}", scanner.name(), scanner.target());
            let findings = scanner.scan(&surface).map_err(step("finish a scan"))?;
            scanned.push(explanations.judge(scanner, findings));
        }
        match self.json {
            true => println!(
                "{}",
                serde_json::to_string_pretty(&scanned).map_err(Error::step("print the findings"))?
            ),
            false => print!("{}", table(&scanned)),
        }
        let is_clean = scanned.iter().all(|scanned| scanned.wrong().is_empty());
        Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A gateway of this checkout.
fn started() -> Result<Local, Error> {
    run::check(run::cargo().args(["build", "--quiet", "--package", "irgw-gateway", "--bin", "irgw"]))?;
    let own = env::current_exe().map_err(Error::step("find this program"))?;
    // Cargo's own `dev` profile, whatever this program was built with.
    let folder = own.ancestors().nth(2).unwrap_or(&own).join("debug");
    eprintln!("scan: starting irgw dev");
    Local::start(Program::at(folder.join("irgw")), Environment::Test)
        .map_err(Error::step::<irgw_tests::Error>("start irgw dev"))
}

fn table(scanned: &[Scanned]) -> String {
    let mut text =
        format!("{:<14}{:<20}{:>8}  {:>9}  result\n", "scanner", "target", "findings", "explained");
    for one in scanned {
        let (name, target) = (one.scanner.name(), one.scanner.target());
        let row = match (&one.findings, one.counts(), one.wrong().is_empty()) {
            (None, ..) => format!("{:>8}  {:>9}  SKIPPED: {}", "-", "-", one.scanner.to_install()),
            (_, (all, explained), true) => format!("{all:>8}  {explained:>9}  ok"),
            (_, (all, explained), false) => format!("{all:>8}  {explained:>9}  FAILED"),
        };
        text.push_str(&format!("{name:<14}{target:<20}{row}\n"));
    }
    for one in scanned {
        text.extend(one.wrong().iter().map(|line| format!("\n{}: {line}", one.scanner.name())));
    }
    text.trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_scanners_and_others_are_refused() {
        assert_eq!(named("ssh-audit"), Ok(Scanner::SshAudit));
        assert!(named("nmap").unwrap_err().contains("testssl"));
    }

    #[test]
    fn what_cannot_be_scanned_is_2() {
        let args = Args { identity: Some("no/such/dev.json".into()), only: Vec::new(), json: false };
        assert_eq!(format!("{:?}", args.run()), format!("{:?}", ExitCode::from(2)));
    }

    #[test]
    fn scanner_that_is_not_installed_is_skipped_in_the_table() {
        let skipped = Explanations::default().judge(Scanner::Testssl, None);
        let text = table(&[skipped]);
        assert!(text.contains("SKIPPED: apt-get install testssl.sh") && !text.contains("ok"), "{text}");
    }
}
