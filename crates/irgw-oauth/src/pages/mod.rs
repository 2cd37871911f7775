//! The pages that customers see (OA-7, OA-19): from what a page shows to the whole response, and nothing else.
//!
//! ```text
//!   login ──► one_time_code ──► consent ──► the application
//!   login ──► connected ──► withdraw, log out ──► done
//!   anything ──► problem
//! ```
//!
//! No script and no inline style, on any page; every response has the headers of one function. A form's fields are named:
//!
//! | page | fields |
//! |---|---|
//! | [`login`] | `transaction`, `user_id`, `password` |
//! | [`one_time_code`] | `transaction`, `code` |
//! | [`consent`] | first form: `transaction`, `decision=allow`; second form: `transaction`, `decision=deny` |
//! | [`connected`] | each application: `transaction`, `client_id`; log out: `transaction` |
//!
//! The answers to [`login`], [`one_time_code`] and [`consent`] may redirect to the client, so each takes a [`RedirectTarget`]:
//! without it, Chromium blocks the redirect and shows nothing. `Referrer-Policy: no-referrer` has browsers send `Origin: null` with
//! the forms; what binds them to a session is `transaction`, not the origin.
//!
//! A status other than 200 is set by [`problem`]; who wants another one sets it on the response.
//!
//! ```
//! use irgw_oauth::pages::{self, Problem, ProblemKind, text::EN};
//!
//! let view = Problem { kind: ProblemKind::TimedOut, request_id: "01J9ZQ" };
//! let response = pages::problem(&EN, &view);
//! assert_eq!(response.status(), 400);
//! assert_eq!(response.headers()["cache-control"], "no-store");
//! ```

mod connected;
mod consent;
mod date;
mod layout;
mod login;
mod one_time_code;
mod outcome;
mod redirect;
mod response;
mod style;
pub mod text;

pub use connected::{Application, Connected, connected};
pub use consent::{Consent, consent};
pub use login::{Login, LoginFault, login};
pub use one_time_code::{OneTimeCode, OneTimeCodeFault, one_time_code};
pub use outcome::{Done, Problem, ProblemKind, done, problem};
pub use redirect::RedirectTarget;
pub use style::{STYLESHEET_PATH, stylesheet};

#[cfg(test)]
mod tests;
