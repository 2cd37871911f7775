//! What must hold for any request: shared by the fuzz target and the test that runs its corpus.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use irgw_core::{Channel, Origin, Record, UnixTime};
use irgw_oauth::Endpoint;

use crate::state::{ISSUER, REDIRECTS, SECRET, server};

/// Reads a request as a server does after HTTP: a line `METHOD TARGET`, fields, an empty line, the body. Its answer is one
/// that the endpoint has, leads nowhere but to a registered address, and is not kept by caches; its record holds no secret
/// that stands where secrets do.
pub fn request(data: &[u8]) {
    let Some((endpoint, request)) = parsed(data) else { return };
    let (head, body) = request.into_parts();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_781_006_400));
    let origin = Origin::new(([192, 0, 2, 7], 5000).into(), Channel::Desktop);
    let mut record = Record::new(Duration::from_secs(now.as_secs()), origin, "id".into());
    let _ = server().waits(endpoint, &body);
    let answer = server().answer(endpoint, &head, &body, now, &mut record);

    let status = answer.status().as_u16();
    assert_eq!(record.status, Some(status));
    assert!([200, 302, 303, 400, 401, 405, 411, 415, 503].contains(&status), "{status}");
    let told = record.cause.is_some_and(|cause| cause.contains(SECRET));
    assert!(!told || is_given_away(head.uri.query(), &body), "the record holds a secret");
    let field =
        |name| answer.headers().get(name).map(|value| value.to_str().expect("a field of ours is ASCII"));
    if let Some(location) = field(LOCATION) {
        let leads_to = |place: &str| {
            location.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('?'))
        };
        assert!(location.starts_with(ISSUER) || REDIRECTS.iter().any(|place| leads_to(place)), "{location}");
    }
    if !matches!(endpoint, Endpoint::Metadata | Endpoint::Jwks | Endpoint::Style) {
        assert!(field(CACHE_CONTROL).is_some_and(|value| value.contains("no-store")));
    }
    let media_type = field(CONTENT_TYPE).unwrap_or_default();
    if media_type.starts_with("application/json") {
        let json: Result<serde_json::Value, _> = serde_json::from_slice(answer.body());
        assert!(json.is_ok());
    }
    if media_type.starts_with("text/html") {
        let page = std::str::from_utf8(answer.body()).expect("a page is UTF-8").to_ascii_lowercase();
        assert!(!page.contains("<script") && !page.contains("javascript:"));
    }
}

/// Whether the caller wrote the secret where nobody looks for one, such as into a redirect URI, which a record may name.
fn is_given_away(query: Option<&str>, body: &[u8]) -> bool {
    let fields = [query.unwrap_or_default().as_bytes(), body].map(form_urlencoded::parse);
    fields
        .into_iter()
        .flatten()
        .any(|(name, value)| name.contains(SECRET) || (name != "client_secret" && value.contains(SECRET)))
}

fn parsed(data: &[u8]) -> Option<(Endpoint, Request<Bytes>)> {
    let end = data.windows(2).position(|pair| pair == b"\n\n")?;
    let (head, body) = data.split_at_checked(end)?;
    let mut lines = head.split(|byte| *byte == b'\n');
    let line = std::str::from_utf8(lines.next()?).ok()?;
    let (method, target) = line.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(target);
    for field in lines {
        let at = field.iter().position(|byte| *byte == b':')?;
        let (name, value) = field.split_at_checked(at)?;
        request = request.header(name, value.get(1..)?.trim_ascii());
    }
    let request = request.body(Bytes::copy_from_slice(body.get(2..)?)).ok()?;
    Some((server().endpoint(request.uri().path())?, request))
}
