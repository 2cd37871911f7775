//! Whether systemd takes the unit, and how much it lets the service do.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use super::Release;
use super::outcome::Outcome;
use crate::{Error, run};

const UNIT: &str = "crates/irgw-gateway/packaging/irgw.service";

/// Where the unit expects the program.
const PROGRAM: &str = "/usr/local/bin/irgw";

/// The highest exposure, in tenths, that `systemd-analyze security` may find; 100 is a service without any restriction.
const EXPOSURE_LIMIT: u32 = 15;

/// The step: `systemd-analyze verify` and `systemd-analyze security`.
pub(super) fn check(release: &Release) -> Result<Outcome, Error> {
    let path = release.workspace.workspace_root.join(UNIT);
    let text = fs::read_to_string(&path).map_err(Error::at("read", &path))?;
    judge(&text)
}

fn judge(text: &str) -> Result<Outcome, Error> {
    if run::find("systemd-analyze").is_none() {
        return Ok(Outcome::skipped("systemd-analyze is not installed: apt-get install systemd"));
    }
    if !text.contains(PROGRAM) {
        return Ok(Outcome::failed(format!("{UNIT} does not start {PROGRAM}")));
    }
    // systemd looks whether the program is there; it need not be installed here, so another one stands in for it.
    let program = env::current_exe().map_err(Error::step("find this program"))?;
    let folder = tempfile::tempdir().map_err(Error::step("make a folder for the unit"))?;
    let copy = folder.path().join("irgw.service");
    fs::write(&copy, text.replace(PROGRAM, &program.to_string_lossy())).map_err(Error::at("write", &copy))?;
    let verified = analyze(&["verify", "--man=no", "--recursive-errors=no"], &copy)?;
    if !verified.0 || !verified.1.is_empty() {
        return Ok(Outcome::failed("systemd-analyze verify finds something").with(lines(&verified.1)));
    }
    let threshold = format!("--threshold={EXPOSURE_LIMIT}");
    let (within, said) = analyze(&["security", "--offline=true", "--no-pager", &threshold], &copy)?;
    let level = said.lines().find_map(|line| line.split_once("exposure level for irgw.service: "));
    let level = level.and_then(|(_, level)| level.split(' ').next()).unwrap_or("unknown");
    let said_of_it =
        format!("exposure {level} of 10, at most {}.{}", EXPOSURE_LIMIT / 10, EXPOSURE_LIMIT % 10);
    Ok(match within {
        true => Outcome::passed(format!("systemd-analyze verifies it; {said_of_it}")),
        false => Outcome::failed(said_of_it).with(lines(&said)),
    })
}

/// Whether it succeeded, and all that it wrote.
fn analyze(arguments: &[&str], unit: &Path) -> Result<(bool, String), Error> {
    let mut analyze = Command::new("systemd-analyze");
    let output =
        analyze.env("SYSTEMD_COLORS", "0").env("LC_ALL", "C.UTF-8").args(arguments).arg(unit).output();
    let output = output.map_err(|source| Error::Start { program: "systemd-analyze".into(), source })?;
    let written = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&written).trim().to_owned()))
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Verdict;
    use super::*;

    #[test]
    fn a_unit_that_systemd_does_not_understand_or_that_may_do_anything_fails() {
        if run::find("systemd-analyze").is_none() {
            println!("SKIPPED: systemd-analyze is not installed");
            return;
        }
        let good = fs::read_to_string(run::root().join(UNIT)).unwrap();
        assert_eq!(judge(&good).unwrap().verdict, Verdict::Passed, "{:?}", judge(&good));
        let misspelt = good.replace("ProtectSystem=", "ProtectSistem=");
        assert_eq!(judge(&misspelt).unwrap().verdict, Verdict::Failed);
        let free = format!("[Service]\nExecStart={PROGRAM} serve\n");
        assert_eq!(judge(&free).unwrap().verdict, Verdict::Failed);
        assert_eq!(judge("[Service]\n").unwrap().verdict, Verdict::Failed);
    }
}
