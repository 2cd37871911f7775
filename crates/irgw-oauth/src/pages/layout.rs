//! What all pages have in common: the frame, names of others, sentences with places in them.

use bytes::Bytes;
use http::{Response, StatusCode};
use irgw_core::printable;
use maud::{DOCTYPE, Markup, html};

use super::text::Text;
use super::{RedirectTarget, response, style};

/// A page to be framed.
pub(super) struct Page<'a> {
    pub(super) status: StatusCode,
    /// Its heading, which is its title too.
    pub(super) heading: &'a str,
    /// The heading in the other language.
    pub(super) beside: &'a str,
    /// The page shows a fault: its title says so first, for who hears the title only.
    pub(super) shows_fault: ShowsFault,
    /// Where its forms may lead, beside this server.
    pub(super) redirect: Option<&'a RedirectTarget>,
    /// What stands above the heading.
    pub(super) above: Markup,
    /// What stands under the heading.
    pub(super) body: Markup,
}

/// Whether a page shows a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShowsFault {
    Yes,
    No,
}

/// The page in its frame, as a response.
pub(super) fn framed(text: &Text, page: Page<'_>) -> Response<Bytes> {
    let markup = html! {
        (DOCTYPE)
        html lang=(text.lang) {
            head {
                meta charset="utf-8";
                title {
                    @if page.shows_fault == ShowsFault::Yes { (text.error_prefix) " " }
                    (page.heading) " – " (text.service)
                }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                link rel="stylesheet" href=(style::address());
            }
            body {
                a.skip href="#main" { (text.skip) }
                header.top {
                    div.width {
                        p.service {
                            span { (text.service) }
                            " "
                            span.beside lang=(text.lang_beside) { (text.service_beside) }
                        }
                    }
                }
                main #main.width tabindex="-1" {
                    (page.above)
                    h1 {
                        span.beside lang=(text.lang_beside) { (page.beside) }
                        " "
                        span { (page.heading) }
                    }
                    (page.body)
                }
                footer.bottom { div.width { p { (text.caution) } } }
            }
        }
    };
    response::page(page.status, page.redirect, markup)
}

/// A name that others chose: what hides or turns text round is replaced, and its direction stays its own (C23).
pub(super) fn name(of_others: &str) -> Markup {
    html! { bdi.name { (printable(of_others)) } }
}

/// A sentence of the [`Text`] whose `{places}` are filled; one that is not among `places` stays as it is written.
pub(super) fn filled(sentence: &str, places: &[(&str, Markup)]) -> Markup {
    let Some((before, place, after)) = next_place(sentence) else { return html! { (sentence) } };
    html! {
        (before)
        @match places.iter().find(|(name, _)| *name == place) {
            Some((_, value)) => (value),
            None => { "{" (place) "}" }
        }
        (filled(after, places))
    }
}

/// What stands before a sentence's first `{place}`, its name, and what follows it.
pub(super) fn next_place(sentence: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = sentence.split_once('{')?;
    let (place, after) = rest.split_once('}')?;
    Some((before, place, after))
}

/// Above a form: what was wrong with what was sent. It takes the focus, and leads to the field of this id.
pub(super) fn fault(text: &Text, message: &str, field: &str) -> Markup {
    html! {
        div.fault role="alert" aria-labelledby="fault-heading" tabindex="-1" autofocus {
            h2 #fault-heading { (text.fault_heading) }
            p #(FAULT_ID) { a href={ "#" (field) } { (message) } }
        }
    }
}

/// What the fields describe themselves by when there is a [`fault`].
pub(super) const FAULT_ID: &str = "fault";

/// The field that ties a form to the browser's session (C21).
pub(super) fn transaction(value: &str) -> Markup {
    html! { input type="hidden" name="transaction" value=(value); }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_others_stay() {
        let value = html! { b { "Tūī & co" } };
        let markup = filled("<{client}> {other} {", &[("client", value)]);
        assert_eq!(markup.into_string(), "&lt;<b>Tūī &amp; co</b>&gt; {other} {");
    }

    #[test]
    fn a_name_cannot_turn_the_text_round() {
        assert_eq!(name("a\u{202e}b<i>").into_string(), "<bdi class=\"name\">a\u{fffd}b&lt;i&gt;</bdi>");
    }
}
