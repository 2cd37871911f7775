//! The login page: user ID and password.

use bytes::Bytes;
use http::{Response, StatusCode};
use irgw_core::printable;
use maud::html;

use super::RedirectTarget;
use super::layout::{FAULT_ID, Page, ShowsFault, fault, filled, framed, name, transaction};
use super::text::Text;

/// What the login page shows.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    /// Where the form is posted to.
    pub action: &'a str,
    /// The value of its field `transaction`.
    pub transaction: &'a str,
    /// The name of the client that asks; `None`: the customer came for the connected applications.
    pub client: Option<&'a str>,
    /// The user ID as it was sent before, to be corrected; empty at first.
    pub user_id: &'a str,
    /// Why the page is shown again.
    pub fault: Option<LoginFault>,
    /// Where the login may lead when consent stands already; `None`: to this server only.
    pub redirect: Option<&'a RedirectTarget>,
}

/// Why a login has to be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginFault {
    /// Whatever was wrong with the user ID, the password or the number of attempts: one text for all (OA-18, C25).
    Refused,
    /// Too many others are logging in; it says nothing about this customer.
    Busy,
}

/// The login page: one form, with `transaction`, `user_id` and `password`. The password is never shown again.
pub fn login(text: &Text, view: &Login<'_>) -> Response<Bytes> {
    let message = view.fault.map(|fault| match fault {
        LoginFault::Refused => text.login_refused,
        LoginFault::Busy => text.login_busy,
    });
    let invalid = (view.fault == Some(LoginFault::Refused)).then_some("true");
    let described = message.map(|_| FAULT_ID);
    let body = html! {
        p.lead {
            @match view.client {
                Some(client) => (filled(text.login_asks, &[("client", name(client))])),
                None => (text.login_alone),
            }
        }
        form method="post" action=(view.action) {
            (transaction(view.transaction))
            div.field {
                label for="user_id" { (text.login_user_id) }
                input #user_id name="user_id" type="text" value=(printable(view.user_id)) required
                    autocomplete="username" autocapitalize="none" spellcheck="false"
                    aria-invalid=[invalid] aria-describedby=[described];
            }
            div.field {
                label for="password" { (text.login_password) }
                input #password name="password" type="password" required
                    autocomplete="current-password"
                    aria-invalid=[invalid] aria-describedby=[described];
            }
            button.primary type="submit" { (text.login_button) }
        }
    };
    framed(
        text,
        Page {
            status: StatusCode::OK,
            heading: text.login_heading,
            beside: text.login_heading_beside,
            shows_fault: if message.is_some() { ShowsFault::Yes } else { ShowsFault::No },
            redirect: view.redirect,
            above: html! { @if let Some(message) = message { (fault(text, message, "user_id")) } },
            body,
        },
    )
}
