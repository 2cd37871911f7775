//! A case of somebody's vectors: what it expects, and what was made of it.

use std::any::Any;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;
use std::{panic, thread};

/// One case, ready to be judged.
pub(super) struct Case {
    /// Names it, in groups: `rfc5280::nc::permitted-dns-match`.
    pub(super) id: String,
    pub(super) expected: Expected,
    pub(super) judge: Box<dyn FnOnce() -> Verdict + Send>,
}

/// Whether a text of somebody's may be part of a case's id, which is printed.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What the vectors say about a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Accepted,
    Refused,
    /// Wycheproof's `acceptable`: of a form that only old standards allow.
    Either,
}

/// What was made of a case, or why nothing was.
pub(super) enum Verdict {
    Accepted,
    /// For this reason.
    Refused(String),
    /// Not judged, for this reason.
    Skipped(String),
}

/// What came of judging a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Accepted,
    Refused(String),
    Skipped(String),
    /// The judge panicked, and said so.
    Crashed(String),
    /// The judge took longer than it may.
    Hung,
}

/// A case that was judged.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    pub(super) id: String,
    pub(super) expected: Expected,
    pub(super) outcome: Outcome,
}

impl Case {
    /// Judges the case on a thread of its own, which is left behind where it does not end within `patience`.
    pub(super) fn run(self, patience: Duration) -> Judged {
        let Case { id, expected, judge } = self;
        let (send, receive) = sync_channel(1);
        let thread = thread::Builder::new().spawn(move || {
            let judged = panic::catch_unwind(panic::AssertUnwindSafe(judge));
            // Nobody waits any more for a case that hung.
            let _ = send.send(judged);
        });
        let outcome = match thread.map(|_| receive.recv_timeout(patience)) {
            Ok(Ok(Ok(Verdict::Accepted))) => Outcome::Accepted,
            Ok(Ok(Ok(Verdict::Refused(why)))) => Outcome::Refused(why),
            Ok(Ok(Ok(Verdict::Skipped(why)))) => Outcome::Skipped(why),
            Ok(Ok(Err(panic))) => Outcome::Crashed(said(&*panic)),
            Ok(Err(RecvTimeoutError::Timeout)) => Outcome::Hung,
            Ok(Err(RecvTimeoutError::Disconnected)) => Outcome::Crashed("its thread ended".into()),
            Err(error) => Outcome::Crashed(format!("its thread did not start: {error}")),
        };
        Judged { id, expected, outcome }
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic").to_owned()
}

impl Judged {
    /// The case's group: its id without the last part.
    pub(super) fn group(&self) -> &str {
        self.id.rsplit_once("::").map_or("", |(group, _)| group)
    }

    /// Accepted, and should not have been.
    pub(super) fn is_wrongly_accepted(&self) -> bool {
        matches!((self.expected, &self.outcome), (Expected::Refused, Outcome::Accepted))
    }

    /// Refused, and should not have been.
    pub(super) fn is_wrongly_refused(&self) -> bool {
        matches!((self.expected, &self.outcome), (Expected::Accepted, Outcome::Refused(_)))
    }

    /// As expected.
    pub(super) fn is_right(&self) -> bool {
        matches!(self.outcome, Outcome::Accepted | Outcome::Refused(_))
            && !self.is_wrongly_accepted()
            && !self.is_wrongly_refused()
    }
}

impl Outcome {
    /// One word.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Refused(_) => "refused",
            Outcome::Skipped(_) => "skipped",
            Outcome::Crashed(_) => "crashed",
            Outcome::Hung => "hung",
        }
    }

    /// Why, where there is more to say.
    pub(super) fn context(&self) -> Option<&str> {
        match self {
            Outcome::Refused(why) | Outcome::Skipped(why) | Outcome::Crashed(why) => Some(why),
            Outcome::Accepted | Outcome::Hung => None,
        }
    }
}

impl Expected {
    /// One word.
    pub(super) fn name(self) -> &'static str {
        match self {
            Expected::Accepted => "accepted",
            Expected::Refused => "refused",
            Expected::Either => "either",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(expected: Expected, judge: impl FnOnce() -> Verdict + Send + 'static) -> Case {
        Case { id: "a::b::c".into(), expected, judge: Box::new(judge) }
    }

    /// Waits as long as a panic may take to print where it was.
    fn judged(expected: Expected, judge: impl FnOnce() -> Verdict + Send + 'static) -> Judged {
        case(expected, judge).run(Duration::from_secs(60))
    }

    #[test]
    fn panic_is_a_crash_of_its_case_alone() {
        let judged = judged(Expected::Refused, || panic!("at byte {}", 7));
        assert_eq!(judged.outcome, Outcome::Crashed("at byte 7".into()));
        assert!(!judged.is_right() && !judged.is_wrongly_accepted());
    }

    #[test]
    fn judge_without_an_end_is_left_behind() {
        let (_keep, never) = sync_channel::<()>(0);
        let endless = case(Expected::Refused, move || {
            let _ = never.recv();
            Verdict::Accepted
        });
        let judged = endless.run(Duration::from_millis(200));
        assert_eq!((judged.outcome.name(), judged.is_right()), ("hung", false));
    }

    #[test]
    fn verdict_is_right_or_wrong_in_one_way() {
        let refused = || Verdict::Refused("no".into());
        let found = [
            judged(Expected::Accepted, || Verdict::Accepted),
            judged(Expected::Accepted, refused),
            judged(Expected::Refused, || Verdict::Accepted),
            judged(Expected::Either, refused),
            judged(Expected::Refused, || Verdict::Skipped("no".into())),
        ];
        let ways = found.map(|case| [case.is_right(), case.is_wrongly_refused(), case.is_wrongly_accepted()]);
        let [right, refused, accepted, none] =
            [[true, false, false], [false, true, false], [false, false, true], [false, false, false]];
        assert_eq!(ways, [right, refused, accepted, right, none]);
        assert_eq!(judged(Expected::Either, || Verdict::Accepted).group(), "a::b");
    }
}
