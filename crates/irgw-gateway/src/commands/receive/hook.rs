//! The program that a provider has run for each released set.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use irgw_sftp::intake::{Intake, Release, SetName};

/// Tells of releases: runs a program, or, where there is none, takes the event line for enough.
#[derive(Debug)]
pub(super) struct Hook {
    program: Option<PathBuf>,
    failed: BTreeMap<SetName, Failure>,
}

/// A set of which the program did not want to know yet.
#[derive(Debug)]
struct Failure {
    again: Instant,
    pause: Duration,
}

impl Hook {
    pub(super) fn new(program: Option<PathBuf>) -> Hook {
        Hook { program, failed: BTreeMap::new() }
    }

    /// Tells of every set that was released and not told of, and notes which were. What failed is tried again after a second,
    /// then two, and so on up to five minutes. Returns what went wrong, in words.
    pub(super) fn tell(&mut self, intake: &mut Intake, now: Instant) -> Vec<String> {
        let mut problems = Vec::new();
        for release in intake.unannounced() {
            if self.failed.get(&release.set).is_some_and(|failure| now < failure.again) {
                continue;
            }
            match self.run(&release) {
                Ok(()) => {
                    self.failed.remove(&release.set);
                    problems.extend(intake.announced(&release.set).err().map(|trouble| trouble.to_string()));
                }
                Err(problem) => {
                    let failure = self.failed.entry(release.set);
                    let failure = failure.or_insert(Failure { again: now, pause: FIRST_PAUSE / 2 });
                    failure.pause = (failure.pause * 2).min(LONGEST_PAUSE);
                    failure.again = now + failure.pause;
                    problems.push(format!("the hook for {}: {problem}", release.set));
                }
            }
        }
        problems
    }

    fn run(&self, release: &Release) -> Result<(), String> {
        let Some(program) = &self.program else { return Ok(()) };
        // Standard output is for events.
        let output = || io::stderr().as_fd().try_clone_to_owned();
        let output = output().map_err(|error| format!("cannot be run: {error}"))?;
        let status = Command::new(program)
            .arg(&release.folder)
            .env("IRGW_SET", release.set.to_string())
            .stdin(Stdio::null())
            .stdout(output)
            .status()
            .map_err(|error| format!("cannot be run: {error}"))?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("ended with {status}; it will be run again")),
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
