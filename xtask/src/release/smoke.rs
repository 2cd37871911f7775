//! Whether a built program works: its version, name resolution, and every conformance case.

use std::path::Path;
use std::sync::Arc;

use irgw_core::Environment;
use irgw_tests::{Case, Local, Outcome, Program, Selection, Skips, Target, folder, run};

use crate::Error;

/// Tries the program at `path`. What is wrong goes into `wrong`; what was done comes back.
pub(super) fn try_out(path: &Path, version: &str, wrong: &mut Vec<String>) -> Result<Vec<String>, Error> {
    let step = Error::step::<irgw_tests::Error>;
    let program = Program::at(path);
    let said = program.command().arg("--version").output().map_err(Error::at("run", path))?;
    let said = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    if said != format!("irgw {version}") {
        wrong.push(format!("`irgw --version` says {said:?} instead of irgw {version}"));
    }
    let local = Arc::new(Local::start(program, Environment::Test).map_err(step("start irgw dev"))?);
    wrong.extend(unresolved(&local)?);
    let target = Target::local(local).map_err(step("try the cases"))?;
    let cases = Case::read_all(&folder().join("cases")).map_err(step("read the cases"))?;
    let skips = Skips::read(&folder().join("skips.toml")).map_err(step("read the skips"))?;
    let report = run(&target, &cases, &skips, &Selection::default());
    let counts = report.counts;
    let failed = report.results.iter().filter(|result| matches!(result.outcome, Outcome::Failed { .. }));
    wrong.extend(failed.map(|result| format!("the conformance case {} failed", result.name)));
    if counts.passed == 0 {
        wrong.push("no conformance case passed".into());
    }
    Ok(vec![
        format!("{said}; it asked an authorization server at https://localhost"),
        format!(
            "conformance in test: {} passed, {} failed, {} skipped, {} need a clock to set, {} are for other environments",
            counts.passed,
            counts.failed,
            counts.skipped,
            counts.not_runnable_remotely,
            counts.other_environment
        ),
    ])
}

/// A static glibc brings its own resolver. So the program asks about a token at `https://localhost`, by name: the answer that it is
/// not active is exit code 1, and 2 is that nobody could be asked.
fn unresolved(local: &Local) -> Result<Option<String>, Error> {
    let mut ask = local.program().command();
    ask.args(["oauth", "introspect", "no-such-token", "--dev"]).arg(local.folder());
    let said = ask.output().map_err(Error::step("run irgw oauth introspect"))?;
    let complaint = String::from_utf8_lossy(&said.stderr).trim().to_owned();
    Ok((said.status.code() != Some(1))
        .then(|| format!("`irgw oauth introspect` cannot ask https://localhost: {complaint}")))
}
