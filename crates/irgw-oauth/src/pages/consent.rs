//! The consent page: who asks for what, for how long, and two answers (OA-7).

use bytes::Bytes;
use http::{Response, StatusCode};
use irgw_core::UnixTime;
use maud::html;

use super::RedirectTarget;
use super::date::day;
use super::layout::{Page, ShowsFault, filled, framed, name, transaction};
use super::text::Text;
use crate::grants::CONSENT_LIFETIME;

/// What the consent page shows.
#[derive(Debug, Clone, Copy)]
pub struct Consent<'a> {
    /// Where both forms are posted to.
    pub action: &'a str,
    /// The value of their field `transaction`.
    pub transaction: &'a str,
    /// The name of the client that asks.
    pub client: &'a str,
    /// The name of its provider.
    pub provider: &'a str,
    /// Who is logged in.
    pub user_id: &'a str,
    /// When a consent that is given now ends: [`CONSENT_LIFETIME`] from now.
    pub until: UnixTime,
    /// Where the connected applications are.
    pub applications: &'a str,
    /// The client's redirect URI, where both answers lead; `None`: to this server only.
    pub redirect: Option<&'a RedirectTarget>,
}

/// The consent page: two forms, each with `transaction` and `decision`; the first says `allow`, the second `deny`.
pub fn consent(text: &Text, view: &Consent<'_>) -> Response<Bytes> {
    let years = CONSENT_LIFETIME.as_secs() / (365 * 86_400);
    let applications = html! { a href=(view.applications) { (text.connected_heading) } };
    let body = html! {
        p.lead { (filled(text.consent_asks, &[("client", name(view.client))])) }
        dl.facts {
            div { dt { (text.consent_client) } dd { (name(view.client)) } }
            div { dt { (text.consent_provider) } dd { (name(view.provider)) } }
            div { dt { (text.consent_user_id) } dd { (name(view.user_id)) } }
        }
        h2 { (text.consent_access_heading) }
        ul {
            li { (text.consent_access) }
            li { (text.consent_access_away) }
            li { (text.consent_access_password) }
        }
        h2 { (text.consent_lasts_heading) }
        p {
            (filled(text.consent_lasts, &[("years", html! { (years) }), ("date", day(text, view.until))]))
            " "
            (filled(text.consent_withdraw, &[("applications", applications)]))
        }
        p.note { (text.consent_caution) }
        div.answers {
            form method="post" action=(view.action) {
                (transaction(view.transaction))
                input type="hidden" name="decision" value="allow";
                button.primary type="submit" { (text.consent_allow) }
            }
            form method="post" action=(view.action) {
                (transaction(view.transaction))
                input type="hidden" name="decision" value="deny";
                button.secondary type="submit" { (text.consent_deny) }
            }
        }
    };
    framed(
        text,
        Page {
            status: StatusCode::OK,
            heading: text.consent_heading,
            beside: text.consent_heading_beside,
            shows_fault: ShowsFault::No,
            redirect: view.redirect,
            above: html! {},
            body,
        },
    )
}
