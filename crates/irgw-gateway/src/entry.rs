//! A request's entry in the audit log: exactly one, whatever becomes of the request (GW-6).

use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use irgw_core::{Decision, Record, Rule, Scheme};

use crate::audit::AuditLog;
use crate::handle::{Desk, Visit, causes};
use crate::life::Cut;
use crate::metrics::Metrics;
use crate::policy::Admitted;
use crate::refusal::Refusal;

/// The audit record of a request under way; written once, also when the request is abandoned.
pub(crate) struct Entry<'a> {
    desk: &'a Desk,
    pub(crate) visit: &'a Visit,
    pub(crate) record: Record,
    began: Instant,
    /// Its caller was charged, or refused for want of credit.
    pub(crate) charged: bool,
    written: Written,
}

/// Who writes the record, and whether it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    NotYet,
    /// Work that goes on without the caller writes it: [`HandedOver`].
    ByOthers,
    Done,
}

impl<'a> Entry<'a> {
    pub(crate) fn new(desk: &'a Desk, visit: &'a Visit) -> Entry<'a> {
        let record = Record::new(desk.clock.since_epoch(), visit.peer.origin, desk.request_ids.next());
        Entry { desk, visit, record, began: Instant::now(), charged: false, written: Written::NotYet }
    }

    pub(crate) fn entered(&mut self, entered: &crate::policy::Entered) {
        self.charged = true;
        self.record.provider = entered.provider().cloned();
        self.record.mechanism = entered.provider().map(|_| Scheme::ClientCert);
    }

    pub(crate) fn admitted(&mut self, admitted: &Admitted) {
        self.record.identify(admitted.principal());
    }

    pub(crate) fn refuse(&mut self, refusal: &Refusal) {
        // What the caller did wrong while its body was being forwarded is no failure of the backing service.
        if self.record.decision != Decision::Failed || refusal.told.blames_the_caller() {
            self.record.decision = Decision::Refused;
        }
        self.record.reason = Some(refusal.rule);
        self.record.facts.extend(refusal.facts.iter().cloned());
        self.record.cause = Some(causes(&*refusal.cause));
    }

    pub(crate) fn finish(mut self, status: StatusCode) {
        self.record.status = Some(status.as_u16());
        self.write();
    }

    /// Gives the record to work that goes on when the caller goes away; it then writes the record.
    pub(crate) fn hand_over(&mut self) -> HandedOver {
        self.written = Written::ByOthers;
        HandedOver {
            record: self.record.clone(),
            began: self.began,
            audit: self.desk.audit.clone(),
            metrics: self.desk.metrics.clone(),
            is_ours: true,
        }
    }

    /// Takes it back, with what was decided meanwhile.
    pub(crate) fn take_back(&mut self, mut handed: HandedOver) {
        handed.is_ours = false;
        self.record = handed.record.clone();
        self.written = Written::NotYet;
    }

    fn write(&mut self) {
        if self.written == Written::NotYet {
            self.written = Written::Done;
            write(&mut self.record, self.began, &self.desk.audit, &self.desk.metrics);
        }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if self.written == Written::NotYet {
            let cut = self.visit.cut.get();
            self.record.reason = Some(cut.map_or(Rule::Gw3, |cut| cut.rule()));
            let cause = cut.map(Cut::to_string);
            self.record.cause =
                Some(cause.unwrap_or_else(|| "the caller went away before the answer".into()));
            self.write();
        }
    }
}

/// The record of work that goes on without its caller: what was decided is recorded also when nobody is told.
pub(crate) struct HandedOver {
    pub(crate) record: Record,
    began: Instant,
    audit: Arc<AuditLog>,
    metrics: Arc<Metrics>,
    is_ours: bool,
}

impl Drop for HandedOver {
    fn drop(&mut self) {
        if self.is_ours {
            self.record.facts.push(("answer", "not sent: the caller went away".to_owned()));
            write(&mut self.record, self.began, &self.audit, &self.metrics);
        }
    }
}

fn write(record: &mut Record, began: Instant, audit: &AuditLog, metrics: &Metrics) {
    record.duration = began.elapsed();
    metrics.count(record);
    audit.record(record);
}
