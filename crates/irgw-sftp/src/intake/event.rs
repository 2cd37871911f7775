//! What an intake tells.

use irgw_core::UnixTime;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Reason, SetName};
use crate::fileset::NameFault;

/// Something that happened. `events.jsonl` has each as one line of JSON, which begins with the time and the kind:
///
/// ```json
/// {"time":"2026-05-28T20:26:40Z","event":"arrived","file":"DAILY_PROVIDER_1500131086_0_201908220930305850_NZT.zip"}
/// {"time":"2026-05-28T20:26:41Z","event":"released","set":"DAILY_PROVIDER_1500131086_1_201908220930308507_NZT","files":["…"]}
/// {"time":"2026-05-28T20:26:42Z","event":"refused","file":"…","quarantined":"….pgp","rule":"PGP-2","why":"the message is not signed"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// A file was decrypted, its signature verified, and it waits for its set.
    Arrived {
        /// Its name, without `.pgp`.
        file: String,
    },
    /// A file came again with the content that it had; after its release it was removed from the inbox.
    Repeated {
        /// Its name.
        file: String,
        /// The set that it was released in.
        #[serde(skip_serializing_if = "Option::is_none")]
        set: Option<SetName>,
    },
    /// A file was put into quarantine.
    Refused {
        /// Its name.
        file: String,
        /// Its name in the folder `quarantine`.
        quarantined: String,
        /// Why.
        #[serde(flatten)]
        reason: Reason,
    },
    /// A set was put into quarantine, with those of its files that have arrived.
    SetRefused {
        /// Which.
        set: SetName,
        /// The files.
        files: Vec<String>,
        /// Why.
        #[serde(flatten)]
        reason: Reason,
    },
    /// A set was released.
    Released {
        /// Which; the folder in `released` has this name.
        set: SetName,
        /// The files in it: the control file and the zips.
        files: Vec<String>,
    },
    /// There is something in the inbox that is left alone. Told once a run.
    Ignored {
        /// Its name, fit for a terminal and at most 128 characters long.
        name: String,
        /// Why.
        #[serde(serialize_with = "super::wire::text::serialize")]
        why: Unexpected,
    },
}

/// Why something in the inbox is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unexpected {
    /// Its name does not end in `.pgp`.
    #[error("its name does not end in {}", crate::SUFFIX)]
    Ending,
    /// Its name is not that of a file of the feeds.
    #[error("{0}")]
    Name(NameFault),
    /// Its name is that of a file that comes in a zip.
    #[error("a file of this name comes in a zip")]
    Member,
    /// It is a folder, a link, a pipe or a device.
    #[error("it is not a file")]
    NotAFile,
    /// It is of the other feed, which another intake may be waiting for.
    #[error("it is of the other feed")]
    OtherFeed,
}

impl Event {
    /// The line in `events.jsonl`, without its end.
    pub fn to_json(&self, time: UnixTime) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            time: String,
            #[serde(flatten)]
            event: &'a Event,
        }
        let line = Line { time: rfc3339(time), event: self };
        serde_json::to_string(&line).expect("names and words are JSON")
    }
}

fn rfc3339(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    let date = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    date.and_then(|date| date.format(&Rfc3339).ok()).unwrap_or_else(|| format!("second {}", time.as_secs()))
}
