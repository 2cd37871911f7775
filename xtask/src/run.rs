//! Running other programs: cargo, git and the tools that may or may not be installed.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// The workspace's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ stands in the workspace")
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Where an installed program is: on `PATH`, or where Debian keeps daemons.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Runs to the end with the terminal as output; anything but success is an error.
pub(crate) fn check(command: &mut Command) -> Result<(), Error> {
    let status = command.status().map_err(|source| Error::Start { program: name(command), source })?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed { command: line(command), status, said: String::new() })
}

/// Cargo's own folder, with the registry and the advisory database.
pub(crate) fn cargo_home() -> PathBuf {
    let named = env::var_os("CARGO_HOME").map(PathBuf::from);
    let usual = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    named.or_else(usual).unwrap_or_default()
}

/// Runs to the end and gives what was written to standard output.
pub(crate) fn read(command: &mut Command) -> Result<String, Error> {
    read_from(command, Stdio::null())
}

/// The same with something to read at standard input.
pub(crate) fn read_from(command: &mut Command, input: Stdio) -> Result<String, Error> {
    let output =
        command.stdin(input).output().map_err(|source| Error::Start { program: name(command), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = format!("\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    Err(Error::Failed { command: line(command), status: output.status, said })
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}
