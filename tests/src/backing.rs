//! What has reached the backing service, by its own word: a refusal must not.

use std::time::Duration;

use serde_json::Value;

use crate::Shows;
use crate::audit::AuditLog;
use crate::case::Case;
use crate::dev::Dev;
use crate::exchange::Came;
use crate::judge::text;

/// The log of the backing service, where the target has one that can be read.
#[derive(Debug)]
pub(crate) struct Backing(Option<AuditLog>);

impl Backing {
    pub(crate) fn follow(dev: &Dev) -> Backing {
        Backing(dev.sample_log.as_deref().filter(|path| path.is_file()).map(AuditLog::follow))
    }

    /// Whether anything is known of what reaches it.
    pub(crate) fn is_watched(&self) -> bool {
        self.0.is_some()
    }

    /// A place in the log to look from.
    pub(crate) fn now(&self) -> usize {
        self.0.as_ref().map_or(0, AuditLog::now)
    }

    /// The requests since then for which this holds.
    pub(crate) fn seen(&self, since: usize, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        self.0.as_ref().map_or_else(Vec::new, |log| log.find(since, fits, usize::MAX, Duration::ZERO))
    }

    /// What has come of a connection although it was to be refused, or was: by the mark that its requests have in their
    /// User-Agent, and by the request ids of its answers and of its audit records. Bodies stream (GW-3): what broke off on the way
    /// was begun and has not come, and does not count.
    pub(crate) fn reached(
        &self,
        since: usize,
        case: &Case,
        came: &Came,
        records: &[Value],
        mark: &str,
    ) -> Vec<String> {
        let expect = &case.text.expect;
        let is_all_refused = expect.shows() == Some(Shows::Refused) && expect.earlier_status.is_none();
        let refused = records.iter().filter(|record| is_all_refused || text(record, "decision") == "refused");
        let mut ids: Vec<&str> = refused.map(|record| text(record, "request_id")).collect();
        if is_all_refused {
            ids.extend(came.answers.iter().filter_map(|answer| answer.header("x-request-id")));
        }
        ids.retain(|id| !id.is_empty());
        let ours = |seen: &Value| {
            is_whole(seen)
                && (ids.contains(&text(seen, "request_id"))
                    || is_all_refused && text(seen, "user_agent").contains(mark))
        };
        self.seen(since, ours).iter().map(told).collect()
    }
}

/// Whether the whole request came.
pub(crate) fn is_whole(seen: &Value) -> bool {
    seen.get("whole") != Some(&Value::Bool(false))
}

/// One request that came, in a line.
pub(crate) fn told(seen: &Value) -> String {
    let end = if is_whole(seen) { "" } else { ", broken off" };
    format!("{} {} ({}{end})", text(seen, "method"), text(seen, "path"), text(seen, "request_id"))
}
