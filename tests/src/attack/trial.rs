//! Attacks that are more than one request: code that carries its attacks' ids, for any target.

use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::attack::{floods, lasting, noise, openssl, peers, races, stalling};
use crate::case::Given;
use crate::token::TokenRecipe;
use crate::{Error, Target};

/// How long anything may take that is not itself what is timed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An attack that is carried out by code.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// `AREA::FACT`.
    pub name: &'static str,
    /// The attacks that it carries out, by id.
    pub attacks: &'static [&'static str],
    /// What is done and what must come of it, in a sentence.
    pub title: &'static str,
    pub(crate) body: fn(&Target) -> Result<Came, Error>,
}

/// What came of a trial that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// The target survived; in a few words, what was seen.
    Survived(String),
    /// It cannot be tried here, and why.
    NotRun(String),
}

impl Trial {
    /// Carries it out. It takes seconds to half a minute, and sends a bounded number of bytes.
    ///
    /// # Errors
    /// What the target did that it must not, or why it could not be asked.
    pub fn run(&self, target: &Target) -> Result<Came, Error> {
        let came = (self.body)(target)?;
        if matches!(came, Came::Survived(_)) {
            served(target)?;
        }
        Ok(came)
    }
}

/// All of them, the quick ones first.
pub fn trials() -> Vec<Trial> {
    let all: [&[Trial]; 7] = [
        openssl::TRIALS,
        lasting::TRIALS,
        races::TRIALS,
        noise::TRIALS,
        peers::TRIALS,
        stalling::TRIALS,
        floods::TRIALS,
    ];
    all.concat()
}

/// Fails with `message` unless `holds`.
pub(crate) fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Target(message())) }
}

pub(crate) fn survived(what: impl Into<String>) -> Result<Came, Error> {
    Ok(Came::Survived(what.into()))
}

/// A good request with a good token.
pub(crate) fn good() -> Given {
    Given { token: Some(TokenRecipe::default()), ..Given::default() }
}

/// A good request over a connection of its own is answered, at the latest when the provider's rate allows it again.
pub(crate) fn served(target: &Target) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, body) = target.open(&good())?.ask()?;
        if status == 200 {
            return Ok(());
        }
        if status != 429 || Instant::now() >= deadline {
            return Err(Error::Target(format!("a good request meanwhile is answered {status} {body}")));
        }
        // The token bucket fills by itself; there is nothing to wake us.
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Reads until the far end ends the connection; how long that took.
pub(crate) fn ended(stream: &mut impl Read) -> Result<Duration, Error> {
    let began = Instant::now();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(began.elapsed()),
            Ok(_) if began.elapsed() < 2 * PATIENCE => {}
            Ok(_) => return Err(Error::Target("the connection does not end".into())),
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
            {
                return Err(Error::Target(format!("the connection does not end: {error}")));
            }
            // Reset, or an end without close_notify.
            Err(_) => return Ok(began.elapsed()),
        }
    }
}

/// Where a program is, if it is installed.
pub fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Debian keeps servers where only root's PATH looks.
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}
