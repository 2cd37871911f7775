//! The words on the pages, one file per language.
//!
//! A language is a [`Text`]: copy [`EN`]'s file, translate it, name it in [`ALL`]. The compiler finds a text that is missing, the
//! tests one that is never shown and a `{place}` that is lost or unknown.

mod en;

pub use en::EN;

/// Every language there is.
pub const ALL: &[&Text] = &[&EN];

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Every word that the pages say in one language; `{…}` is filled by the page.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Text {
            $($(#[$doc])* pub(super) $name: &'static str,)*
        }

        #[cfg(test)]
        impl Text {
            /// Each text's name and words.
            pub(super) fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name),)*]
            }

            /// A text made of this one's names and words.
            pub(super) fn map(&self, words: impl Fn(&str, &str) -> String) -> Text {
                Text { $($name: words(stringify!($name), self.$name).leak(),)* }
            }
        }
    };
}

texts! {
    /// The language of this text (BCP 47).
    lang,
    /// The language of the texts that stand beside the headings.
    lang_beside,
    /// The service, at the head of each page and in its title.
    service,
    service_beside,
    /// The link that jumps over the head of the page.
    skip,
    /// At the foot of each page.
    caution,
    /// Before the title of a page that shows a fault.
    error_prefix,
    /// The heading above a fault.
    fault_heading,
    /// A date: `{day}`, `{month}`, `{year}`.
    date,
    /// The twelve months, a space between them.
    months,

    login_heading,
    login_heading_beside,
    /// Who asks: `{client}`.
    login_asks,
    /// Instead of that, when no client asks.
    login_alone,
    login_user_id,
    login_password,
    login_button,
    /// The one text for every reason why a login failed (OA-18).
    login_refused,
    login_busy,

    code_heading,
    code_heading_beside,
    code_asks,
    code_label,
    code_hint,
    /// What a browser says when the code is not six digits.
    code_format,
    code_button,
    code_refused,

    consent_heading,
    consent_heading_beside,
    /// Who asks for what: `{client}`.
    consent_asks,
    consent_client,
    consent_provider,
    consent_user_id,
    consent_access_heading,
    /// The scope MYIR.Services in plain words: what is allowed.
    consent_access,
    consent_access_away,
    /// What is not allowed.
    consent_access_password,
    consent_lasts_heading,
    /// `{years}`, `{date}`.
    consent_lasts,
    /// `{applications}`: the link to the connected applications.
    consent_withdraw,
    consent_caution,
    consent_allow,
    consent_deny,

    connected_heading,
    connected_heading_beside,
    connected_user_id,
    connected_intro,
    connected_none,
    connected_since,
    connected_until,
    connected_withdraw,
    /// `{client}`: what the button says to who does not see which application it stands beside.
    connected_withdraw_whose,
    /// `{client}`: after a withdrawal.
    connected_withdrawn_heading,
    connected_withdrawn,
    connected_log_out,

    problem_beside,
    problem_timed_out_heading,
    problem_timed_out,
    problem_bad_request_heading,
    problem_bad_request,
    problem_not_found_heading,
    problem_not_found,
    problem_too_many_heading,
    problem_too_many,
    problem_internal_heading,
    problem_internal,
    problem_unavailable_heading,
    problem_unavailable,
    /// Before the request's id.
    problem_reference,

    logged_out_heading,
    logged_out_heading_beside,
    logged_out,
    finished_heading,
    finished_heading_beside,
    finished,
}
