//! One gateway for each environment, started when first asked for and shared by all trials.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use irgw_core::Environment;
pub(crate) use irgw_tests::attack::installed;
use irgw_tests::{Local, Program, Target};
use libtest_mimic::Failed;

/// Set for the processes of this binary that are gateways.
pub(crate) const RUN_THE_GATEWAY: &str = "IRGW_TESTS_RUN_THE_GATEWAY";

/// A gateway, and the target that the cases see.
type Started = (Arc<Local>, Arc<Target>);

/// The gateways that were started.
#[derive(Default)]
pub(crate) struct Environments(Mutex<HashMap<&'static str, Result<Started, String>>>);

impl Environments {
    /// The environment's gateway as the cases see it.
    pub(crate) fn target(&self, environment: Environment) -> Result<Arc<Target>, Failed> {
        self.started(environment).map(|(_, target)| target)
    }

    /// The environment's gateway with its folder.
    pub(crate) fn local(&self, environment: Environment) -> Result<Arc<Local>, Failed> {
        self.started(environment).map(|(local, _)| local)
    }

    /// A gateway of a trial's own, for one that fails logins or needs all of its own.
    pub(crate) fn another(&self, environment: Environment) -> Result<Local, Failed> {
        let program = self.local(environment)?.program().clone();
        Ok(Local::start(program, environment)?)
    }

    /// The panics that the gateways' logs tell of: none, whatever was sent to them (D20).
    pub(crate) fn panics(&self) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut panics = Vec::new();
        for (local, _) in all.values().flatten() {
            let files = std::fs::read_dir(local.folder()).into_iter().flatten().flatten();
            for path in
                files.map(|entry| entry.path()).filter(|path| path.extension() == Some("log".as_ref()))
            {
                let log = std::fs::read(&path).unwrap_or_default();
                let lines = String::from_utf8_lossy(&log).into_owned();
                let told = lines.lines().filter(|line| line.contains("panicked at"));
                panics.extend(told.map(|line| format!("{}: {line}", path.display())));
            }
        }
        panics
    }

    fn started(&self, environment: Environment) -> Result<Started, Failed> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let started = all
            .entry(environment.name())
            .or_insert_with(|| start(environment).map_err(|error| error.to_string()));
        started.clone().map_err(|error| format!("no {environment} gateway: {error}").into())
    }
}

fn start(environment: Environment) -> Result<Started, irgw_tests::Error> {
    let local = Arc::new(Local::start(program()?, environment)?);
    let target = Arc::new(Target::local(local.clone())?);
    Ok((local, target))
}

/// The gateway's program.
pub(crate) fn program() -> Result<Program, irgw_tests::Error> {
    match std::env::var_os("IRGW_BIN") {
        Some(path) => Ok(Program::at(path)),
        None => Program::itself(RUN_THE_GATEWAY),
    }
}

/// `serve --config FILE`, with a clock that stands at `seconds` since the Unix epoch; until it is killed.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the runner reads the addresses, and shows what a gateway that does not start has printed"
)]
pub(crate) fn serve_at(seconds: u64) -> ExitCode {
    let Some(file) = std::env::args_os().nth(3).map(PathBuf::from) else { return ExitCode::FAILURE };
    let serve = || -> Result<(), Box<dyn std::error::Error>> {
        let config = irgw_gateway::Config::load(&file)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let clock = Arc::new(irgw_gateway::SetClock::at(seconds));
        let gateway = runtime.block_on(irgw_gateway::Gateway::start(config, clock))?;
        for (channel, address) in gateway.addresses() {
            println!("{channel} https://{address}");
        }
        if let Some(address) = gateway.operator_address() {
            println!("operator http://{address}");
        }
        runtime.block_on(std::future::pending::<()>());
        Ok(())
    };
    if let Err(error) = serve() {
        eprintln!("{error}");
    }
    ExitCode::FAILURE
}

/// A command's standard output, error output and exit code, as text.
pub(crate) struct Ran {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

/// Runs a command to its end.
pub(crate) fn ran(command: &mut Command) -> Result<Ran, Failed> {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ran { out: text(stdout), err: text(stderr), code: status.code() })
}

/// Runs the gateway's command line.
pub(crate) fn irgw(arguments: &[&str]) -> Result<Ran, Failed> {
    ran(program()?.command().args(arguments))
}

/// Asks again until `done`, or fails with the last answer after `patience`.
pub(crate) fn eventually<T: std::fmt::Debug>(
    patience: Duration,
    mut ask: impl FnMut() -> Result<T, Failed>,
    done: impl Fn(&T) -> bool,
) -> Result<T, Failed> {
    let deadline = Instant::now() + patience;
    loop {
        let answer = ask()?;
        if done(&answer) {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            return Err(format!("after {patience:?} still {answer:?}").into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Fails with `message` unless `holds`.
pub(crate) fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(message().into()) }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("paths of the tests are UTF-8")
}
