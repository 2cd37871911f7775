//! On what machine, with what versions and how a run was made.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::run;

/// The programs that take part.
pub(super) struct Programs<'a> {
    pub(super) haproxy: &'a Path,
    pub(super) nginx: &'a Path,
}

/// Name and value, in reading order; what cannot be found out is left out.
pub(super) fn describe(programs: &Programs<'_>) -> Vec<(&'static str, String)> {
    let mut setting = machine();
    setting.extend([
        ("HAProxy", first_line(Command::new(programs.haproxy).arg("-v"))),
        ("OpenSSL", first_line(Command::new("openssl").arg("version"))),
        ("nginx", first_line(Command::new(programs.nginx).arg("-v"))),
        (
            "TLS",
            "1.2, ECDHE-ECDSA-AES128-GCM-SHA256, server certificate P-256, client paths of two certificates"
                .into(),
        ),
    ]);
    setting
}

/// What every benchmark says: the machine, the compiler and the commit.
pub(super) fn machine() -> Vec<(&'static str, String)> {
    let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let cpu = after(&file("/proc/cpuinfo"), "model name").unwrap_or_default();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let memory = after(&file("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let memory = memory.trim_end_matches(" kB").parse::<u64>().map_or(0, |kibibytes| kibibytes >> 20);
    let load = file("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    let kernel = file("/proc/sys/kernel/osrelease");
    let system = after(&file("/etc/os-release").replace('=', ":"), "PRETTY_NAME").unwrap_or_default();
    let commit =
        run::read(Command::new("git").current_dir(run::root()).args(["rev-parse", "--short", "HEAD"]));
    let dirty = run::read(Command::new("git").current_dir(run::root()).args([
        "status",
        "--porcelain",
        "--",
        "crates",
    ]));
    let changed = if dirty.is_ok_and(|listed| listed.is_empty()) { "" } else { " with uncommitted changes" };
    vec![
        ("machine", format!("{cpu}, {cores} cores, {memory} GiB; load average {load} before the run")),
        ("system", format!("{}, Linux {}", system.trim_matches('"'), kernel.trim())),
        ("rustc", first_line(Command::new("rustc").arg("--version"))),
        ("irgw", format!("{}{changed}", commit.unwrap_or_default().trim())),
    ]
}

/// The first line that a program says of itself, wherever it says it.
pub(super) fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    let text = String::from_utf8_lossy(&output).into_owned();
    text.lines().next().unwrap_or_default().split(" - ").next().unwrap_or_default().to_owned()
}
