//! Which header fields pass the gateway, in each direction (GW-3, TLS-11; RFC 9110 §7.6.1).

use std::fmt;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// The request fields that are forwarded. All others are dropped, so that no spelling of an identity can pass.
static FORWARDED: [HeaderName; 27] = [
    header::ACCEPT,
    header::ACCEPT_CHARSET,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_LOCATION,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::DATE,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::PRAGMA,
    header::RANGE,
    header::USER_AGENT,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("prefer"),
    HeaderName::from_static("soapaction"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

/// Response fields that tell of the inside, or that only the gateway may set; besides these, what starts with
/// `x-gateway-`.
static WITHHELD: [HeaderName; 11] = [
    header::ALT_SVC,
    header::REFRESH,
    header::SERVER,
    header::SET_COOKIE,
    header::STRICT_TRANSPORT_SECURITY,
    header::VIA,
    HeaderName::from_static("proxy-status"),
    HeaderName::from_static("x-aspnet-version"),
    HeaderName::from_static("x-backend-server"),
    HeaderName::from_static("x-powered-by"),
    HeaderName::from_static("x-request-id"),
];

/// Whether the field belongs to one connection and is never forwarded.
pub(crate) fn is_hop_by_hop(name: &HeaderName) -> bool {
    static HOP: [HeaderName; 10] = [
        header::CONNECTION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        HeaderName::from_static("http2-settings"),
    ];
    HOP.contains(name)
}

/// Whether some server reads an identity, an origin or another target out of the field (TLS-11). Underscores count as
/// hyphens, as servers that hand fields to CGI read them.
pub(crate) fn claims_identity(name: &HeaderName) -> bool {
    let name = name.as_str().replace('_', "-");
    let prefixes = [
        "x-forwarded",
        "x-client",
        "x-ssl",
        "x-ir-",
        "x-gateway",
        "x-original",
        "x-rewrite",
        "x-remote",
        "x-real",
        "x-auth",
        "x-user",
        "x-http-method",
        "x-method",
        "x-request-id",
        "ssl-",
        "client-cert",
        "forwarded",
        "remote-",
        "true-client",
        "cf-",
        "host",
        "cookie",
        "via",
    ];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// The request fields to forward, in their order.
///
/// # Errors
/// [`Nominated`] when `Connection` names a field that the backing service needs: forwarding without it would change what
/// the request says (D06).
pub(crate) fn forwarded(request: &HeaderMap, also: &[HeaderName]) -> Result<HeaderMap, Nominated> {
    let passes = |name: &HeaderName| FORWARDED.contains(name) || also.contains(name);
    for value in request.get_all(header::CONNECTION) {
        let options = value.to_str().map_err(|_| Nominated("a field name that is not ASCII".into()))?;
        for option in options.split(',').map(str::trim) {
            let nominated = HeaderName::from_bytes(option.as_bytes()).ok();
            if nominated.is_some_and(|name| passes(&name) || name == header::HOST || claims_identity(&name)) {
                return Err(Nominated(option.to_owned()));
            }
        }
    }
    let mut forwarded = HeaderMap::with_capacity(request.len() + 4);
    for (name, value) in request.iter().filter(|(name, _)| passes(name)) {
        forwarded.append(name, value.clone());
    }
    Ok(forwarded)
}

/// `Connection` names a field that must reach the backing service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Nominated(String);

impl fmt::Display for Nominated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the Connection field names {:?}, which is not hop-by-hop", self.0)
    }
}

impl std::error::Error for Nominated {}

/// Removes from a backing service's answer what belongs to its connection or tells of the inside (D15), and `identity`,
/// the field that carries the identity token, should the backing service echo it.
///
/// `origin` is the backing service's `scheme://authority`: a `Location` or `Content-Location` under it becomes a path,
/// another absolute one is removed, a relative one stays.
pub(crate) fn withhold(response: &mut HeaderMap, origin: &str, identity: &HeaderName) {
    let options = response
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let nominated: Vec<_> =
        options.filter_map(|option| HeaderName::from_bytes(option.trim_ascii()).ok()).collect();
    for name in nominated {
        response.remove(name);
    }
    let is_inside = |name: &HeaderName| {
        is_hop_by_hop(name)
            || WITHHELD.contains(name)
            || name.as_str().starts_with("x-gateway-")
            || name == identity
    };
    let unwanted: Vec<HeaderName> = response.keys().filter(|name| is_inside(name)).cloned().collect();
    for name in unwanted {
        response.remove(name);
    }
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        if let Some(location) = response.remove(&name)
            && let Some(location) = outside_location(&location, origin)
        {
            response.insert(name, location);
        }
    }
}

/// A reference that leads nowhere but to the host that it comes from (RFC 3986 §4.2).
fn outside_location(location: &HeaderValue, origin: &str) -> Option<HeaderValue> {
    let text = location.to_str().ok()?;
    let reference = match text.strip_prefix(origin) {
        Some("") => "/",
        Some(path) if path.starts_with('/') => path,
        _ => text,
    };
    let first_segment = reference.split(['/', '?', '#']).next().unwrap_or_default();
    // "//host" and "/\\host" are other hosts to a browser, and a colon in the first segment ends a scheme.
    let stays = !first_segment.contains(':') && !reference.contains('\\') && !reference.starts_with("//");
    stays.then(|| HeaderValue::from_str(reference).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        let field = |(name, value): &(&str, &str)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        fields.iter().map(field).collect()
    }

    /// D05: no spelling of an identity header passes.
    #[test]
    fn claimed_identities_are_dropped() {
        let claims = [
            "X-Client-Cert",
            "Client-Cert",
            "X-Forwarded-Client-Cert",
            "X-Forwarded-For",
            "X_Forwarded_For",
            "Forwarded",
            "X-SSL-Client-S-DN",
            "X-IR-Client",
            "X_IR_Client",
            "X-Gateway-Identity",
            "x_gateway_identity",
            "X-Forwarded-Uri",
            "X-Original-URL",
            "X-HTTP-Method-Override",
            "X-Request-Id",
            "Cookie",
            "X-Anything",
        ];
        let fields: Vec<_> = claims.iter().map(|name| (*name, "forged")).collect();
        assert!(forwarded(&map(&fields), &[]).unwrap().is_empty());
    }

    #[test]
    fn usual_and_configured_fields_pass_in_order() {
        let own = HeaderName::from_static("x-correlation");
        let sent = map(&[("accept", "a"), ("accept", "b"), ("x-correlation", "c"), ("te", "trailers")]);
        let kept = forwarded(&sent, &[own]).unwrap();
        assert_eq!(kept, map(&[("accept", "a"), ("accept", "b"), ("x-correlation", "c")]));
    }

    /// D06: a field that the backing service needs cannot be made hop-by-hop.
    #[test]
    fn nominating_an_end_to_end_field_is_refused() {
        for option in
            ["Authorization", "close, authorization", "X-Gateway-Identity", "content-length", "Host"]
        {
            assert!(forwarded(&map(&[("connection", option)]), &[]).is_err(), "{option}");
        }
        assert!(forwarded(&map(&[("connection", "keep-alive, x-whatever")]), &[]).is_ok());
    }

    /// D15: an answer tells nothing of the inside.
    #[test]
    fn inside_is_withheld_from_answers() {
        let mut answer = map(&[
            ("server", "nginx"),
            ("set-cookie", "a=b"),
            ("connection", "x-inside"),
            ("x-inside", "1"),
            ("x-gateway-reason", "forged"),
            ("x-gateway-identity", "echoed"),
            ("x-who", "echoed"),
            ("refresh", "0; url=http://10.0.0.1"),
            ("content-location", "http://10.0.0.2/x"),
            ("content-type", "text/plain"),
            ("location", "http://10.0.0.1:9000/gateway/account/1"),
        ]);
        withhold(&mut answer, "http://10.0.0.1:9000", &HeaderName::from_static("x-who"));
        assert_eq!(answer, map(&[("content-type", "text/plain"), ("location", "/gateway/account/1")]));
    }

    #[test]
    fn relative_location_stays() {
        for location in ["next/1", "?page=2", "../x", "/gateway/account/2"] {
            let mut answer = map(&[("location", location)]);
            withhold(&mut answer, "http://10.0.0.1:9000", &HeaderName::from_static("x-who"));
            assert_eq!(answer, map(&[("location", location)]));
        }
    }

    #[test]
    fn location_elsewhere_is_removed() {
        for location in [
            "http://inside.example/x",
            "//inside.example/x",
            "/\\inside",
            "http://10.0.0.1:90001/",
            "javascript:alert(1)",
            "mailto:inside",
        ] {
            let mut answer = map(&[("location", location)]);
            withhold(&mut answer, "http://10.0.0.1:9000", &HeaderName::from_static("x-who"));
            assert!(answer.is_empty(), "{location}");
        }
    }
}
