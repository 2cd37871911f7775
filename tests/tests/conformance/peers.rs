//! OAuth clients that others wrote, unmodified, each through the whole cloud flow: tests/peers.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use irgw_core::Environment;
use irgw_tests::{Local, Process, folder};
use libtest_mimic::{Completion, Trial};

use crate::environments::{Environments, ensure, installed, text};
use crate::tools::PATIENCE;
use crate::{Result, skipped};

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, script: &'static str, with: fn() -> Result<With>| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("peers::{name}_runs_the_cloud_flow"), move || match with()? {
            With::Nothing(reason) => Ok(skipped(reason)),
            With::Program(program) => runs(&environments.another(Environment::Test)?, program, script),
        })
    };
    vec![
        trial("openid_client", "openid-client.mjs", || node("openid-client")),
        trial("oauth4webapi", "oauth4webapi.mjs", || node("oauth4webapi")),
        trial("authlib", "authlib_flow.py", python),
    ]
}

/// What a script runs with, or why it cannot.
pub(crate) enum With {
    Program(Command),
    Nothing(&'static str),
}

/// Node.js, if it is new enough and has the package.
pub(crate) fn node(package: &str) -> Result<With> {
    let Some(node) = installed("node") else { return Ok(With::Nothing("Node.js is not installed")) };
    let printed = Command::new(&node).arg("--version").output()?.stdout;
    let printed = String::from_utf8_lossy(&printed).into_owned();
    let major = printed.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    let major: u32 = major.unwrap_or_default();
    if major < 18 {
        return Ok(With::Nothing("Node.js is older than 18"));
    }
    let mut command = Command::new(node);
    if major < 20 {
        // Debian 12's: what the packages sign and hash with is there, and by this name only when asked for.
        command.arg("--experimental-global-webcrypto");
    }
    Ok(match modules() {
        Some(modules) if modules.join(package).is_dir() => With::Program(command),
        _ => With::Nothing(
            "the npm packages are not installed (npm ci in a copy of tests/peers, and IRGW_NODE_MODULES=COPY/node_modules)",
        ),
    })
}

/// The folder `node_modules` that tests/peers/package.json asks for.
pub(crate) fn modules() -> Option<PathBuf> {
    std::env::var_os("IRGW_NODE_MODULES").map(PathBuf::from).filter(|path| path.is_dir())
}

fn python() -> Result<With> {
    let python = std::env::var_os("IRGW_PYTHON").map(PathBuf::from).filter(|path| path.is_file());
    Ok(python.map_or(
        With::Nothing(
            "Authlib is not installed (pip install -r tests/peers/requirements.txt in a venv, and IRGW_PYTHON=VENV/bin/python)",
        ),
        |python| With::Program(Command::new(python)),
    ))
}

fn runs(local: &Local, mut program: Command, script: &str) -> Result {
    let place = copied(local, "peers", script)?;
    run(local, program.arg(place.join(script)).arg(local.folder().join("dev.json")), script)?;
    Ok(Completion::Completed)
}

/// A copy of tests/AREA for one run in the environment's folder: Node.js looks for packages beside a script.
pub(crate) fn copied(local: &Local, area: &str, run: &str) -> Result<PathBuf> {
    let place = local.folder().join(format!("{area}-{run}"));
    std::fs::create_dir_all(&place)?;
    for entry in std::fs::read_dir(folder().join(area))? {
        let from = entry?.path();
        if let Some(name) = from.file_name().filter(|_| from.is_file()) {
            std::fs::copy(&from, place.join(name))?;
        }
    }
    if let Some(modules) = modules() {
        std::os::unix::fs::symlink(std::path::absolute(modules)?, place.join("node_modules"))?;
    }
    Ok(place)
}

/// Runs a script to its end, which must be a good one and in time.
pub(crate) fn run(local: &Local, command: &mut Command, name: &str) -> Result<()> {
    let log = local.folder().join(format!("{name}.out"));
    command.env("NODE_EXTRA_CA_CERTS", text(&local.dev().listeners.desktop.ca_file));
    let mut process = Process::spawn(command, &log)?;
    let status = process.ended(PATIENCE * 6);
    ensure(status.is_some_and(|status| status.success()), || {
        let printed = std::fs::read_to_string(&log).unwrap_or_default();
        let ended = status.map_or("it does not end".to_owned(), |status| status.to_string());
        format!("{name}: {ended}\n{printed}")
    })
}
