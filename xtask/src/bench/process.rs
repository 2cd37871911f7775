//! A server that the benchmark started: how much CPU time and memory it and its children take, and its end.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;

/// How long a server may take to listen.
const START_LIMIT: Duration = Duration::from_secs(20);

/// The kernel counts CPU time for programs in hundredths of a second, whatever its own tick.
const TICKS_PER_SECOND: u64 = 100;

/// A server and its child processes; killed, and waited for, when dropped.
pub(super) struct Process {
    pub(super) name: &'static str,
    child: Child,
    started: Instant,
}

impl Process {
    /// Starts a server; what it writes goes to `log`.
    pub(super) fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Process, Error> {
        let file = fs::File::create(log).map_err(Error::at("write", log))?;
        let errors = file.try_clone().map_err(Error::at("write", log))?;
        command.stdin(Stdio::null()).stdout(file).stderr(errors);
        let started = Instant::now();
        let child = command.spawn().map_err(|source| Error::Start { program: name.into(), source })?;
        Ok(Process { name, child, started })
    }

    /// Waits until something listens at `address`; gives the time since the start.
    pub(super) fn wait_for(&mut self, address: SocketAddr, log: &Path) -> Result<Duration, Error> {
        loop {
            if TcpStream::connect(address).is_ok() {
                return Ok(self.started.elapsed());
            }
            let ended = self.child.try_wait().map_err(Error::step("wait for a server"))?;
            if ended.is_some() || self.started.elapsed() > START_LIMIT {
                let said = fs::read_to_string(log).unwrap_or_default();
                let how = if ended.is_some() { "ended" } else { "does not listen" };
                return Err(Error::Server {
                    server: self.name,
                    complaint: format!("{how}: {}", said.trim()),
                });
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// When it was started.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// CPU time of the process and its children so far, user and system.
    pub(super) fn cpu(&self) -> Result<Duration, Error> {
        let ticks = self.tree()?.iter().map(|stat| stat.ticks).sum::<u64>();
        Ok(Duration::from_millis(ticks * (1000 / TICKS_PER_SECOND)))
    }

    /// Resident memory of the process and its children, bytes.
    pub(super) fn resident_bytes(&self) -> Result<u64, Error> {
        let resident = |stat: &Stat| {
            let path = format!("/proc/{}/status", stat.pid);
            let text = fs::read_to_string(&path).map_err(Error::at("read", Path::new(&path)))?;
            let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let kibibytes = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
            Ok(kibibytes.unwrap_or(0) * 1024)
        };
        self.tree()?.iter().map(resident).sum()
    }

    fn tree(&self) -> Result<Vec<Stat>, Error> {
        let root = self.child.id();
        let folder = Path::new("/proc");
        let entries = fs::read_dir(folder).map_err(Error::at("read", folder))?;
        let stats = entries
            .filter_map(|entry| Stat::parse(&fs::read_to_string(entry.ok()?.path().join("stat")).ok()?));
        Ok(descendants(root, stats.map(|stat| (stat.pid, stat)).collect()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; both calls then do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What /proc/PID/stat says of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    pid: u32,
    parent: u32,
    ticks: u64,
}

impl Stat {
    /// `PID (NAME) STATE PPID …`; NAME may hold anything, so what follows its last `)` is read (proc_pid_stat(5)).
    fn parse(text: &str) -> Option<Stat> {
        let (head, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let user: u64 = fields.get(11)?.parse().ok()?;
        let system: u64 = fields.get(12)?.parse().ok()?;
        let pid = head.split(' ').next()?.parse().ok()?;
        Some(Stat { pid, parent: fields.get(1)?.parse().ok()?, ticks: user + system })
    }
}

fn descendants(root: u32, all: BTreeMap<u32, Stat>) -> Vec<Stat> {
    let is_below = |stat: &&Stat| {
        let mut pid = stat.pid;
        // A chain of parents is as long as there are processes at most.
        for _ in 0..all.len() {
            if pid == root {
                return true;
            }
            let Some(parent) = all.get(&pid).map(|stat| stat.parent) else { return false };
            pid = parent;
        }
        false
    };
    all.values().filter(is_below).copied().collect()
}

/// CPU time, user and system, of the processes that this one started and waited for, and of theirs.
pub(super) fn children_cpu() -> Result<Duration, Error> {
    let path = Path::new("/proc/self/stat");
    let text = fs::read_to_string(path).map_err(Error::at("read", path))?;
    let ticks = ended_children(&text).unwrap_or(0);
    Ok(Duration::from_millis(ticks * (1000 / TICKS_PER_SECOND)))
}

/// `cutime` and `cstime` of /proc/PID/stat.
fn ended_children(text: &str) -> Option<u64> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(13);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// A loopback address that nothing listens on.
pub(super) fn free_address() -> Result<SocketAddr, Error> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr();
    bind().map_err(Error::step("find a free port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_past_any_name() {
        let text = "42 (a) b (c) S 7 1 1 0 -1 0 1 2 3 4 100 23 0 0 20 0 1 0";
        assert_eq!(Stat::parse(text), Some(Stat { pid: 42, parent: 7, ticks: 123 }));
        assert_eq!(Stat::parse("42 (cut"), None);
        assert_eq!(ended_children("42 (a) b (c) S 7 1 1 0 -1 0 1 2 3 4 100 23 5 6 20 0 1 0"), Some(11));
    }

    #[test]
    fn children_of_children_count() {
        let stat = |pid, parent| (pid, Stat { pid, parent, ticks: 1 });
        let all = BTreeMap::from([stat(1, 0), stat(2, 1), stat(3, 2), stat(4, 1)]);
        let found: Vec<_> = descendants(2, all).iter().map(|stat| stat.pid).collect();
        assert_eq!(found, [2, 3]);
    }

    #[test]
    fn own_processes_are_measured() {
        let folder = tempfile::tempdir().unwrap();
        let process =
            Process::start("cat", Command::new("sleep").arg("60"), &folder.path().join("log")).unwrap();
        assert!(process.resident_bytes().unwrap() > 0);
        assert!(process.cpu().unwrap() < Duration::from_secs(1));
    }
}
