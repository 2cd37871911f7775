//! One of the two ends of file transfer: where files appear for it, and what its intakes know of their feeds.

use std::path::{Path, PathBuf};

use crate::audit::AuditLog;

/// An end, with an intake for each feed.
#[derive(Debug)]
pub(super) struct End {
    /// Where files for it are put, encrypted: `NAME.pgp`.
    pub(super) door: PathBuf,
    /// Who signs them, and whom they are encrypted to.
    pub(super) sender: &'static str,
    pub(super) reader: &'static str,
    /// The folder with a state folder for each feed.
    states: PathBuf,
    events: [AuditLog; 2],
}

impl End {
    /// Follows an end's events from here on.
    pub(super) fn follow(door: &Path, states: &Path, sender: &'static str, reader: &'static str) -> End {
        let events = ["tds", "psn"].map(|feed| AuditLog::follow(&states.join(feed).join("events.jsonl")));
        End { door: door.to_owned(), sender, reader, states: states.to_owned(), events }
    }

    /// What the intake of a feed tells.
    pub(super) fn events(&self, feed: &str) -> &AuditLog {
        let [tds, psn] = &self.events;
        if feed == "psn" { psn } else { tds }
    }

    /// What the intake of a feed knows.
    pub(super) fn state(&self, feed: &str) -> PathBuf {
        self.states.join(feed)
    }
}
