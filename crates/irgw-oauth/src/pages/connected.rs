//! The connected applications: which clients hold the customer's consent, each to be withdrawn (OA-19).

use bytes::Bytes;
use http::{Response, StatusCode};
use irgw_core::UnixTime;
use maud::{Markup, html};

use super::date::day;
use super::layout::{Page, ShowsFault, filled, framed, name, transaction};
use super::text::Text;

/// What the page of the connected applications shows.
#[derive(Debug, Clone, Copy)]
pub struct Connected<'a> {
    /// Where a withdrawal is posted to.
    pub withdraw: &'a str,
    /// Where the log-out is posted to.
    pub log_out: &'a str,
    /// The value of the field `transaction` of every form.
    pub transaction: &'a str,
    /// Who is logged in.
    pub user_id: &'a str,
    /// The clients that hold a consent, in the order in which they are shown.
    pub applications: &'a [Application<'a>],
    /// The name of the client whose consent was withdrawn just now.
    pub withdrawn: Option<&'a str>,
}

/// A client that holds the customer's consent.
#[derive(Debug, Clone, Copy)]
pub struct Application<'a> {
    /// The value of its form's field `client_id`.
    pub client_id: &'a str,
    /// Its name.
    pub client: &'a str,
    /// The name of its provider; `None` when the client was disabled.
    pub provider: Option<&'a str>,
    /// When it was authorised.
    pub since: UnixTime,
    /// When that ends.
    pub until: UnixTime,
}

/// The page of the connected applications: a form for each (`transaction`, `client_id`), then one to log out
/// (`transaction`).
pub fn connected(text: &Text, view: &Connected<'_>) -> Response<Bytes> {
    let body = html! {
        p.lead { (text.connected_user_id) " " strong { (name(view.user_id)) } }
        @if view.applications.is_empty() {
            p { (text.connected_none) }
        } @else {
            p { (text.connected_intro) }
            ul.cards {
                @for application in view.applications { (card(text, view, application)) }
            }
        }
        form.apart method="post" action=(view.log_out) {
            (transaction(view.transaction))
            button.secondary type="submit" { (text.connected_log_out) }
        }
    };
    let above = html! {
        @if let Some(client) = view.withdrawn {
            // It takes the focus: what is there when a page opens is not read out by itself.
            div.success role="status" aria-labelledby="success-heading" tabindex="-1" autofocus {
                h2 #success-heading { (text.connected_withdrawn_heading) }
                p { (filled(text.connected_withdrawn, &[("client", name(client))])) }
            }
        }
    };
    framed(
        text,
        Page {
            status: StatusCode::OK,
            heading: text.connected_heading,
            beside: text.connected_heading_beside,
            shows_fault: ShowsFault::No,
            redirect: None,
            above,
            body,
        },
    )
}

fn card(text: &Text, view: &Connected<'_>, application: &Application<'_>) -> Markup {
    let whose = filled(text.connected_withdraw_whose, &[("client", name(application.client))]);
    html! {
        li.card {
            h2 { (name(application.client)) }
            dl.facts {
                @if let Some(provider) = application.provider {
                    div { dt { (text.consent_provider) } dd { (name(provider)) } }
                }
                div { dt { (text.connected_since) } dd { (day(text, application.since)) } }
                div { dt { (text.connected_until) } dd { (day(text, application.until)) } }
            }
            form method="post" action=(view.withdraw) {
                (transaction(view.transaction))
                input type="hidden" name="client_id" value=(application.client_id);
                button.warning type="submit" {
                    (text.connected_withdraw)
                    span.unseen { " " (whose) }
                }
            }
        }
    }
}
