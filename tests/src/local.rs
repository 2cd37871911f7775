//! A gateway of the runner's own: `irgw dev` in a throw-away folder, and `irgw serve` beside it in other configurations.

use std::collections::HashMap;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use irgw_core::Environment;
use toml::{Table, Value};

use crate::Error;
use crate::dev::Dev;
use crate::run::Place;

/// How long a gateway may take until it answers; making the RSA keys of a new folder is what takes long.
const START_PATIENCE: Duration = Duration::from_secs(120);

/// The gateway's program: a binary, or a test binary that runs the gateway when a variable tells it to.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    variable: Option<&'static str>,
}

impl Program {
    /// The binary at this path.
    pub fn at(path: impl Into<PathBuf>) -> Program {
        Program { path: path.into(), variable: None }
    }

    /// The running program itself, which is a gateway when `variable` is set. So a test needs no other binary than its own.
    ///
    /// # Errors
    /// When the running program's path is not known.
    pub fn itself(variable: &'static str) -> Result<Program, Error> {
        let path = std::env::current_exe().map_err(Error::file("this program"))?;
        Ok(Program { path, variable: Some(variable) })
    }

    /// Whether its clock can be set.
    pub(crate) fn has_a_clock_to_set(&self) -> bool {
        self.variable.is_some()
    }

    /// A command of it, without arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        if let Some(variable) = self.variable {
            command.env(variable, "1");
        }
        command
    }
}

/// Set to seconds since the Unix epoch, it makes [`Program::itself`] serve with a clock that stands there.
pub const CLOCK: &str = "IRGW_TESTS_CLOCK";

/// A running environment. Dropping it stops its processes and removes its folder.
#[derive(Debug)]
pub struct Local {
    program: Program,
    folder: PathBuf,
    dev: Dev,
    dev_process: Option<Process>,
    variants: Mutex<HashMap<String, Variant>>,
}

/// `tests/configurations/NAME.toml`.
pub(crate) struct Overlay {
    table: Table,
    /// The runner sets the gateway's clock, which then stands.
    pub(crate) clock_stands: bool,
}

impl Overlay {
    pub(crate) fn read(name: &str) -> Result<Overlay, Error> {
        let path = crate::folder().join("configurations").join(name).with_extension("toml");
        let mut table = read_table(&path)?;
        // What the runner itself is told; the gateway knows no such table.
        let clock = table.remove("runner").and_then(|runner| runner.get("clock").cloned());
        match clock.as_ref().map(Value::as_str) {
            None => Ok(Overlay { table, clock_stands: false }),
            Some(Some("stands")) => Ok(Overlay { table, clock_stands: true }),
            Some(_) => Err(Error::content(path, "runner.clock can only be \"stands\"")),
        }
    }
}

/// A gateway in another configuration.
#[derive(Debug)]
struct Variant {
    place: Arc<Place>,
    _process: Process,
}

impl Local {
    /// Starts `irgw dev` in a new folder and waits until everything answers.
    ///
    /// # Errors
    /// When it does not start; the error has what it printed.
    pub fn start(program: Program, environment: Environment) -> Result<Local, Error> {
        let folder = new_folder()?;
        let log = folder.join("dev.log");
        let arguments = ["dev", "--ports", "auto", "--env", environment.name(), "--dir"];
        let mut process = Process::spawn(program.command().args(arguments).arg(&folder), &log)?;
        let identity = folder.join("dev.json");
        process.wait_for(&log, || identity.exists())?;
        let dev = Dev::read(&identity)?;
        Ok(Local { program, folder, dev, dev_process: Some(process), variants: Mutex::new(HashMap::new()) })
    }

    /// Stops `irgw dev` itself: whoever serves from the folder then is alone with it.
    pub fn stop_dev(&mut self) {
        self.dev_process = None;
    }

    /// What it says of itself.
    pub fn dev(&self) -> &Dev {
        &self.dev
    }

    /// Its folder: the `DIR` of `irgw dev --dir DIR`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path that the environment's own configuration has in its table `files`.
    pub(crate) fn files(&self, setting: &str) -> Result<PathBuf, Error> {
        let config = self.folder.join("irgw.toml");
        let table = read_table(&config)?;
        let path = table.get("files").and_then(|files| files.get(setting)?.as_str());
        let path =
            path.ok_or_else(|| Error::content(&config, format_args!("there is no files.{setting}")))?;
        Ok(self.folder.join(path))
    }

    /// The gateway's program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The gateway with `tests/configurations/NAME.toml` laid over its configuration; started when first asked for.
    pub(crate) fn place(&self, name: &str) -> Result<Arc<Place>, Error> {
        self.variant(name, || {
            let overlay = Overlay::read(name)?;
            let now = overlay.clock_stands.then(crate::run::seconds_now).transpose()?;
            Ok((overlay.table, now))
        })
    }

    /// A gateway over the same store whose clock stands that long before `now`.
    pub(crate) fn before(&self, now: u64, seconds: u64) -> Result<Arc<Place>, Error> {
        self.variant(&format!("{seconds}-seconds-before-{now}"), || Ok((Table::new(), Some(now - seconds))))
    }

    fn variant(
        &self,
        name: &str,
        what: impl FnOnce() -> Result<(Table, Option<u64>), Error>,
    ) -> Result<Arc<Place>, Error> {
        let mut variants = self.variants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(variant) = variants.get(name) {
            return Ok(variant.place.clone());
        }
        let (overlay, now) = what()?;
        let (dev, process) = self.serve_at(name, overlay, now)?;
        let place = Arc::new(Place::of(&dev, now)?);
        variants.insert(name.to_owned(), Variant { place: place.clone(), _process: process });
        Ok(place)
    }

    /// Starts `irgw serve` with `overlay` laid over the environment's own configuration, on ports of its own.
    ///
    /// # Errors
    /// When it does not start; the error has what it printed.
    pub fn serve(&self, name: &str, overlay: Table) -> Result<(Dev, Process), Error> {
        self.serve_at(name, overlay, None)
    }

    /// Writes the configuration that [`Local::serve`] would start a gateway with; its path.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn configure(&self, name: &str, overlay: Table) -> Result<PathBuf, Error> {
        let mut table = read_table(&self.folder.join("irgw.toml"))?;
        // Port 0 everywhere; what the gateway was given is in its log. An overlay may want another address.
        set(&mut table, &["operator", "listen"], "127.0.0.1:0".into());
        if let Some(Value::Array(listeners)) = table.get_mut("listener") {
            for listener in listeners.iter_mut().filter_map(Value::as_table_mut) {
                listener.insert("listen".into(), "127.0.0.1:0".into());
            }
        }
        // All of them share the store, and are nodes of one authorization server.
        if let Some(oauth) = &self.dev.oauth {
            set(&mut table, &["oauth", "issuer"], oauth.issuer.clone());
        }
        lay_over(&mut table, overlay);
        set(&mut table, &["audit", "file"], self.audit_log(name).display().to_string());
        let config = self.folder.join(format!("{name}.toml"));
        std::fs::write(&config, table.to_string()).map_err(Error::file(&config))?;
        Ok(config)
    }

    /// The audit log of the gateway with the configuration `name`.
    pub fn audit_log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}-audit.log"))
    }

    fn serve_at(&self, name: &str, overlay: Table, now: Option<u64>) -> Result<(Dev, Process), Error> {
        let config = self.configure(name, overlay)?;
        let table = read_table(&config)?;
        let mut dev = self.dev.clone();
        dev.audit_log = self.audit_log(name);
        File::create(&dev.audit_log).map_err(Error::file(&dev.audit_log))?;
        restrict(&dev.audit_log)?;
        let log = self.folder.join(format!("{name}.log"));
        let mut command = self.program.command();
        command.args(["serve", "--config"]).arg(&config);
        command.envs(now.map(|now| (CLOCK, now.to_string())));
        let mut process = Process::spawn(&mut command, &log)?;
        let wanted = table.get("listener").and_then(Value::as_array).map_or(0, Vec::len);
        let wanted = wanted + usize::from(table.contains_key("operator"));
        process.wait_for(&log, || ports(&log).len() >= wanted)?;
        for (who, port) in ports(&log) {
            match (who.as_str(), &mut dev.listeners.operator) {
                ("operator", Some(operator)) => operator.base_url = format!("http://127.0.0.1:{port}"),
                ("cloud", _) => dev.listeners.cloud.base_url = format!("https://localhost:{port}"),
                _ => dev.listeners.desktop.base_url = format!("https://localhost:{port}"),
            }
        }
        Ok((dev, process))
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// A child process; killed when dropped.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts a command, what it prints going to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(command: &mut Command, log: &Path) -> Result<Process, Error> {
        let out = File::create(log).map_err(Error::file(log))?;
        let err = out.try_clone().map_err(Error::file(log))?;
        let program = PathBuf::from(command.get_program());
        let child =
            command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().map_err(Error::file(program))?;
        Ok(Process(child))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits until `ready`.
    ///
    /// # Errors
    /// When the process ends first, or the patience does; with the end of its log.
    pub fn wait_for(&mut self, log: &Path, ready: impl Fn() -> bool) -> Result<(), Error> {
        let deadline = Instant::now() + START_PATIENCE;
        while !ready() {
            let ended = self.0.try_wait().map_err(Error::file(log))?;
            if ended.is_some() || Instant::now() >= deadline {
                let printed = std::fs::read_to_string(log).unwrap_or_default();
                let what =
                    ended.map_or("does not answer".to_owned(), |status| format!("ended with {status}"));
                return Err(Error::Target(format!("the process {what}: {printed}")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Waits for its end, as long as `patience`.
    pub fn ended(&mut self, patience: Duration) -> Option<std::process::ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            match self.0.try_wait() {
                Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Who listens on which port, from the lines `WHO SCHEME://ADDRESS` that a gateway prints when all are bound.
fn ports(log: &Path) -> Vec<(String, u16)> {
    let line = |line: &str| {
        let (who, url) = line.split_once(' ')?;
        let address: SocketAddr = url.split_once("://")?.1.parse().ok()?;
        Some((who.to_owned(), address.port()))
    };
    std::fs::read_to_string(log).unwrap_or_default().lines().filter_map(line).collect()
}

/// A port that nobody has at the moment.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| Error::Target(error.to_string()))
}

pub(crate) fn new_folder() -> Result<PathBuf, Error> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("irgw-tests-{}-{number}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    restrict(&folder)?;
    Ok(folder)
}

/// Nobody else may read what is in there.
fn restrict(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(Error::file(path))
}

fn read_table(path: &Path) -> Result<Table, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
    text.parse().map_err(|error: toml::de::Error| Error::content(path, error))
}

/// Lays one table over another: tables are merged, arrays of tables entry by entry, everything else is replaced.
fn lay_over(table: &mut Table, overlay: Table) {
    for (key, value) in overlay {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay_over(below, above),
            (Some(Value::Array(below)), Value::Array(above))
                if above.iter().all(Value::is_table) && !above.is_empty() =>
            {
                for (index, entry) in above.into_iter().enumerate() {
                    match (below.get_mut(index), entry) {
                        (Some(Value::Table(below)), Value::Table(above)) => lay_over(below, above),
                        (_, entry) => below.push(entry),
                    }
                }
            }
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

fn set(table: &mut Table, path: &[&str], value: String) {
    match path {
        [] => {}
        [last] => {
            table.insert((*last).to_owned(), Value::String(value));
        }
        [first, rest @ ..] => {
            if let Some(Value::Table(below)) = table.get_mut(*first) {
                set(below, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlay_merges_tables_and_entries() {
        let mut table: Table = "a = 1\n[b]\nc = 2\nd = 3\n[[e]]\nf = 4\n[[e]]\nf = 5\n".parse().unwrap();
        lay_over(&mut table, "a = 9\n[b]\nd = 8\n[[e]]\ng = 7\n".parse().unwrap());
        let expected: Table =
            "a = 9\n[b]\nc = 2\nd = 8\n[[e]]\nf = 4\ng = 7\n[[e]]\nf = 5\n".parse().unwrap();
        assert_eq!(table, expected);
    }
}
