//! The headers that every page has (C22, C23, C28), and its bytes.

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderValue, Response, StatusCode};
use maud::Markup;

use super::RedirectTarget;

/// A page as a response. `redirect`: where the answer to one of its forms may lead, beside this server; browsers hold
/// `form-action` against every redirect after the form, not only against its own address.
pub(super) fn page(status: StatusCode, redirect: Option<&RedirectTarget>, body: Markup) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.into_string()));
    *response.status_mut() = status;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, content_security_policy(redirect));
    response
}

fn content_security_policy(redirect: Option<&RedirectTarget>) -> HeaderValue {
    let source = redirect.map(RedirectTarget::source).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'{space}{source}; base-uri 'none'; \
         frame-ancestors 'none'",
        space = if source.is_empty() { "" } else { " " }
    );
    HeaderValue::try_from(policy).unwrap_or(STRICTEST)
}

/// Instead of a policy that is no header value, which a [`RedirectTarget`] does not make.
const STRICTEST: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

const HEADERS: [(HeaderName, &str); 10] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CACHE_CONTROL, "no-store"),
    (header::PRAGMA, "no-cache"),
    // For browsers that do not know frame-ancestors.
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // With it, browsers send `Origin: null` with the forms, even to this server.
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];
