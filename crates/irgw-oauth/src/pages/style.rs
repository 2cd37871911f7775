//! The one stylesheet, under an address that changes with it.

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderValue, Response};

/// Where [`stylesheet`] is served; the pages add a query that names its content.
pub const STYLESHEET_PATH: &str = "/gateway3/oauth/style.css";

/// The stylesheet of all pages, to keep for a year: a changed one has another address.
pub fn stylesheet() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(STYLE.as_bytes()));
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Its address, with the hash of its content.
pub(super) fn address() -> String {
    format!("{STYLESHEET_PATH}?v={HASH:016x}")
}

/// FNV-1a: it tells versions apart and protects nothing.
const fn fnv1a(mut bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    while let [byte, rest @ ..] = bytes {
        hash = (hash ^ *byte as u64).wrapping_mul(0x0100_0000_01b3);
        bytes = rest;
    }
    hash
}

const STYLE: &str = include_str!("style.css");
const HASH: u64 = fnv1a(STYLE.as_bytes());

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_TYPE, "text/css; charset=utf-8"),
    (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn it_loads_nothing_from_elsewhere() {
        for word in ["url(", "@import", "expression("] {
            assert!(!STYLE.contains(word), "{word}");
        }
    }

    #[test]
    fn it_is_kept_for_a_year() {
        let response = stylesheet();
        assert_eq!(response.headers()["content-type"], "text/css; charset=utf-8");
        assert_eq!(response.headers()["cache-control"], "public, max-age=31536000, immutable");
        assert!(address().starts_with("/gateway3/oauth/style.css?v="));
    }
}
