//! The page of two-step verification: the code of the authenticator app (RFC 6238).

use bytes::Bytes;
use http::{Response, StatusCode};
use maud::html;

use super::RedirectTarget;
use super::layout::{FAULT_ID, Page, ShowsFault, fault, framed, transaction};
use super::text::Text;

/// What the page of two-step verification shows.
#[derive(Debug, Clone, Copy)]
pub struct OneTimeCode<'a> {
    /// Where the form is posted to.
    pub action: &'a str,
    /// The value of its field `transaction`.
    pub transaction: &'a str,
    /// Why the page is shown again.
    pub fault: Option<OneTimeCodeFault>,
    /// Where the login may lead when consent stands already; `None`: to this server only.
    pub redirect: Option<&'a RedirectTarget>,
}

/// Why the code has to be entered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OneTimeCodeFault {
    /// Wrong, out of date or used: one text for all (C26).
    Refused,
}

/// The page of two-step verification: one form, with `transaction` and `code`, six digits.
pub fn one_time_code(text: &Text, view: &OneTimeCode<'_>) -> Response<Bytes> {
    let message = view.fault.map(|OneTimeCodeFault::Refused| text.code_refused);
    let described = if message.is_some() { format!("code-hint {FAULT_ID}") } else { "code-hint".to_owned() };
    let body = html! {
        p.lead { (text.code_asks) }
        form method="post" action=(view.action) {
            (transaction(view.transaction))
            div.field {
                label for="code" { (text.code_label) }
                p.hint #code-hint { (text.code_hint) }
                input #code.digits name="code" type="text" required
                    inputmode="numeric" autocomplete="one-time-code" pattern="[0-9]{6}" title=(text.code_format)
                    aria-invalid=[message.map(|_| "true")] aria-describedby=(described);
            }
            button.primary type="submit" { (text.code_button) }
        }
    };
    framed(
        text,
        Page {
            status: StatusCode::OK,
            heading: text.code_heading,
            beside: text.code_heading_beside,
            shows_fault: if message.is_some() { ShowsFault::Yes } else { ShowsFault::No },
            redirect: view.redirect,
            above: html! { @if let Some(message) = message { (fault(text, message, "code")) } },
            body,
        },
    )
}
