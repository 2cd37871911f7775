//! The pages at which something ends: a problem, or done.

use bytes::Bytes;
use http::{Response, StatusCode};
use irgw_core::printable;
use maud::html;

use super::layout::{Page, ShowsFault, framed};
use super::text::Text;

/// What the page of a problem shows.
#[derive(Debug, Clone, Copy)]
pub struct Problem<'a> {
    /// Which one.
    pub kind: ProblemKind,
    /// The request's id, for the customer to quote and the operator to find.
    pub request_id: &'a str,
}

/// What a customer can be told about a request that failed; each has its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// 400: the transaction is over, used, unknown or another browser's.
    TimedOut,
    /// 400: the request is malformed.
    BadRequest,
    /// 404.
    NotFound,
    /// 429.
    TooManyRequests,
    /// 500.
    Internal,
    /// 503.
    Unavailable,
}

impl ProblemKind {
    /// All of them.
    pub const ALL: [ProblemKind; 6] = [
        ProblemKind::TimedOut,
        ProblemKind::BadRequest,
        ProblemKind::NotFound,
        ProblemKind::TooManyRequests,
        ProblemKind::Internal,
        ProblemKind::Unavailable,
    ];

    /// The response's status.
    pub fn status(self) -> StatusCode {
        match self {
            ProblemKind::TimedOut | ProblemKind::BadRequest => StatusCode::BAD_REQUEST,
            ProblemKind::NotFound => StatusCode::NOT_FOUND,
            ProblemKind::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            ProblemKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            ProblemKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Its title and its sentence.
    fn words(self, text: &Text) -> (&'static str, &'static str) {
        match self {
            ProblemKind::TimedOut => (text.problem_timed_out_heading, text.problem_timed_out),
            ProblemKind::BadRequest => (text.problem_bad_request_heading, text.problem_bad_request),
            ProblemKind::NotFound => (text.problem_not_found_heading, text.problem_not_found),
            ProblemKind::TooManyRequests => (text.problem_too_many_heading, text.problem_too_many),
            ProblemKind::Internal => (text.problem_internal_heading, text.problem_internal),
            ProblemKind::Unavailable => (text.problem_unavailable_heading, text.problem_unavailable),
        }
    }
}

/// The page of a problem, with its status: a title, a sentence and a reference, no form.
pub fn problem(text: &Text, view: &Problem<'_>) -> Response<Bytes> {
    let (heading, sentence) = view.kind.words(text);
    let body = html! {
        p.lead { (sentence) }
        p { (text.problem_reference) " " code { (printable(view.request_id)) } }
    };
    let page = Page {
        status: view.kind.status(),
        heading,
        beside: text.problem_beside,
        shows_fault: ShowsFault::Yes,
        redirect: None,
        above: html! {},
        body,
    };
    framed(text, page)
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Done {
    /// The login session ended.
    LoggedOut,
    /// The answer went to an application outside the browser; the page may be closed.
    Finished,
}

impl Done {
    /// All of them.
    pub const ALL: [Done; 2] = [Done::LoggedOut, Done::Finished];
}

/// The page that says that something is done, without a form.
pub fn done(text: &Text, what: Done) -> Response<Bytes> {
    let (heading, beside, sentence) = match what {
        Done::LoggedOut => (text.logged_out_heading, text.logged_out_heading_beside, text.logged_out),
        Done::Finished => (text.finished_heading, text.finished_heading_beside, text.finished),
    };
    let page = Page {
        status: StatusCode::OK,
        heading,
        beside,
        shows_fault: ShowsFault::No,
        redirect: None,
        above: html! {},
        body: html! { p.lead { (sentence) } },
    };
    framed(text, page)
}
