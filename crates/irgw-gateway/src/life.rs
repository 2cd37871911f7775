//! A connection's life from its first request to its end, and why it is ended.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use irgw_core::{Credential, Presented, Rule};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use crate::body::ResponseBody;
use crate::config::Limits;
use crate::handle::{Desk, Visit, causes};
use crate::under_way::UnderWay;
use crate::watched::Stalled;

/// How far a gateway's end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It serves.
    Serving,
    /// Nothing more is accepted; requests under way are answered.
    Draining,
    /// The drain time has run out: what is still under way is dropped, and recorded as such.
    Cutting,
}

/// Why a connection was cut with requests under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Its caller may no longer come in, by this rule.
    Barred(Rule),
    /// The gateway stops, and the drain time has run out.
    Stopped,
    /// It is twice as old as a connection may be.
    TooOld,
    /// The client does not take its answer.
    NotRead,
}

impl Cut {
    /// The rule that ends it.
    pub(crate) fn rule(self) -> Rule {
        match self {
            Cut::Barred(rule) => rule,
            Cut::Stopped | Cut::TooOld | Cut::NotRead => Rule::Gw3,
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cut::Barred(_) => "the caller's access ended before the answer",
            Cut::Stopped => "the gateway stopped before the answer",
            Cut::TooOld => "the connection grew too old before the answer",
            Cut::NotRead => "the caller took nothing of an answer",
        })
    }
}

/// One connection, from its first request on.
pub(crate) struct Life {
    pub(crate) desk: Arc<Desk>,
    pub(crate) visit: Arc<Visit>,
    pub(crate) under_way: Arc<UnderWay>,
    /// How far the gateway's end has come.
    pub(crate) phase: watch::Receiver<Phase>,
    /// Told when enrolment, roots or revocation lists have changed.
    pub(crate) changes: watch::Receiver<()>,
}

/// What is to become of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    /// It ends after the requests under way.
    Retires,
    Ends(Option<Cut>),
}

impl Life {
    /// Handles the connection's requests.
    pub(crate) fn service(
        &self,
    ) -> impl Service<
        Request<Incoming>,
        Response = Response<ResponseBody>,
        Error = Infallible,
        Future: Send + 'static,
    > + use<> {
        let (desk, visit, under_way) = (self.desk.clone(), self.visit.clone(), self.under_way.clone());
        service_fn(move |request| {
            let (desk, visit, guard) = (desk.clone(), visit.clone(), under_way.enter());
            async move {
                let response = desk.handle(&visit, request).await;
                Ok(response.map(|body| body.guarded(guard)))
            }
        })
    }

    /// Serves until the connection ends. Asks it to end after the requests under way when it is old or idle, or the
    /// gateway drains; drops it (`None`) when that takes too long, when its client takes nothing of an answer, or when its
    /// caller's access ends in the middle of a request (TLS-10).
    pub(crate) async fn spend<C: Future>(
        mut self,
        mut connection: Pin<&mut C>,
        retire: impl Fn(Pin<&mut C>),
    ) -> Option<C::Output> {
        let mut look = tokio::time::interval(period(&self.desk.limits));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let began = Instant::now();
        let mut retired = None;
        let mut last_call: Option<Instant> = None;
        self.changes.mark_unchanged();
        loop {
            let fate = tokio::select! {
                biased;
                ended = connection.as_mut() => return Some(ended),
                Ok(()) = self.changes.changed() => {
                    last_call = self.barred().map(|_| Instant::now() + LAST_CALL);
                    Fate::Stays
                }
                () = tokio::time::sleep_until(last_call.unwrap_or(began)), if last_call.is_some() => {
                    last_call = None;
                    self.judge_caller()
                }
                Ok(()) = self.phase.changed() => self.judge_phase(),
                _ = look.tick() => self.judge_pace(began.elapsed(), retired.map(|since: Instant| since.elapsed())),
            };
            match fate {
                Fate::Stays => {}
                Fate::Retires if retired.is_some() => {}
                Fate::Retires => {
                    retired = Some(Instant::now());
                    retire(connection.as_mut());
                }
                Fate::Ends(cut) => {
                    if let Some(cut) = cut {
                        // The first reason stands; there is no second.
                        let _ = self.visit.cut.set(cut);
                    }
                    return None;
                }
            }
        }
    }

    /// The rule by which the caller may no longer come in.
    fn barred(&self) -> Option<Rule> {
        let now = self.desk.clock.now();
        let presented = Presented { peer: &self.visit.peer, credential: Credential::None, now };
        self.visit.door.enter(&presented).err().map(|refusal| refusal.rule)
    }

    /// Whether a request of a caller who may no longer come in goes on. Without one the connection may stay: its next
    /// request is refused, and told so.
    fn judge_caller(&self) -> Fate {
        match self.barred() {
            Some(rule) if self.under_way.oldest() >= Some(LAST_CALL) => Fate::Ends(Some(Cut::Barred(rule))),
            _ => Fate::Stays,
        }
    }

    fn judge_phase(&self) -> Fate {
        match *self.phase.borrow() {
            Phase::Serving => Fate::Stays,
            Phase::Draining => Fate::Retires,
            Phase::Cutting => Fate::Ends(Some(Cut::Stopped)),
        }
    }

    fn judge_pace(&self, age: Duration, retired: Option<Duration>) -> Fate {
        let limits = &self.desk.limits;
        let idle = self.under_way.idle();
        if age > limits.connection_age.saturating_mul(2) {
            return Fate::Ends(Some(Cut::TooOld));
        }
        if self.under_way.client_waited_for() > limits.body_idle {
            return Fate::Ends(Some(Cut::NotRead));
        }
        // It was asked to go, has nothing to do, and does not go.
        if retired.is_some_and(|since| since > limits.header) && idle.is_some_and(|idle| idle > limits.header)
        {
            return Fate::Ends(None);
        }
        match age > limits.connection_age || idle.is_some_and(|idle| idle > limits.idle) {
            true => Fate::Retires,
            false => Fate::Stays,
        }
    }
}

/// What was under way when the caller's access ended may end in this time: with the registry's interval, within the second
/// of TLS-10.
const LAST_CALL: Duration = Duration::from_millis(500);

/// How often a connection is looked at: a fraction of the shortest limit.
fn period(limits: &Limits) -> Duration {
    let limits = [limits.connection_age, limits.idle, limits.body_idle, limits.header];
    let shortest = limits.into_iter().min().unwrap_or_default();
    (shortest / 4).clamp(Duration::from_millis(100), Duration::from_secs(5))
}

/// Why a connection's end is a refusal of its own: bytes that are no request, or a header that dribbles in. What was
/// handled has its record already.
pub(crate) fn refusal(error: &hyper::Error) -> Option<String> {
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    let stalled = io.and_then(|error| error.get_ref()?.downcast_ref::<Stalled>());
    (error.is_parse() || stalled == Some(&Stalled::Header)).then(|| causes(error))
}
