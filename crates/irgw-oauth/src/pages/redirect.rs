//! Where a browser may be sent after a form: the `form-action` source of a redirect URI.

use url::{Host, Url};

/// The `form-action` source (CSP 3 §6.4.1) of a client's redirect URI.
///
/// ```
/// use irgw_oauth::pages::RedirectTarget;
///
/// let source = |uri| RedirectTarget::of(uri).map(|target| target.source().to_owned());
/// assert_eq!(source("https://app.example.nz/back?x=1").as_deref(), Some("https://app.example.nz"));
/// assert_eq!(source("http://127.0.0.1:53121/back").as_deref(), Some("http://127.0.0.1:53121"));
/// assert_eq!(source("nz.example.app:/back").as_deref(), Some("nz.example.app:"));
/// assert_eq!(source("not a URI"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectTarget {
    source: String,
}

impl RedirectTarget {
    /// The source that covers `redirect_uri` and as little more as the grammar can say: its origin; all of a private-use
    /// scheme; all of `http:` for `[::1]`, since a source cannot name an IPv6 address. `None`: it is no absolute URI.
    pub fn of(redirect_uri: &str) -> Option<RedirectTarget> {
        let url = Url::parse(redirect_uri).ok()?;
        let source = match (url.scheme(), url.host()) {
            (scheme @ ("http" | "https"), Some(Host::Domain(_) | Host::Ipv4(_))) => {
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                format!("{scheme}://{}{port}", url.host_str()?)
            }
            _ => return RedirectTarget::onward(redirect_uri),
        };
        // A host may hold what ends a source or the directive; a scheme may not.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+:/".contains(&byte);
        source.bytes().all(is_plain).then_some(RedirectTarget { source })
    }

    /// The source that covers every URI of `redirect_uri`'s scheme, for clients whose redirect URI redirects to another host in
    /// its turn: Chromium stops there without a word to the customer unless that is allowed too (seen in 148).
    pub fn onward(redirect_uri: &str) -> Option<RedirectTarget> {
        let url = Url::parse(redirect_uri).ok()?;
        Some(RedirectTarget { source: format!("{}:", url.scheme()) })
    }

    /// The source, as it stands in the policy.
    pub fn source(&self) -> &str {
        &self.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(uri: &str) -> Option<String> {
        RedirectTarget::of(uri).map(|target| target.source)
    }

    #[test]
    fn an_ipv6_loopback_address_is_named_by_its_scheme() {
        assert_eq!(source("http://[::1]:8080/back").as_deref(), Some("http:"));
    }

    #[test]
    fn a_default_port_is_left_out_and_another_kept() {
        assert_eq!(source("https://app.example.nz:443/").as_deref(), Some("https://app.example.nz"));
        assert_eq!(source("https://app.example.nz:8443/").as_deref(), Some("https://app.example.nz:8443"));
    }

    #[test]
    fn onward_is_the_whole_scheme() {
        for (uri, scheme) in [("https://a.nz/b", "https:"), ("nz.example.app:/b", "nz.example.app:")] {
            assert_eq!(RedirectTarget::onward(uri).unwrap().source(), scheme);
        }
    }

    #[test]
    fn nothing_ends_the_directive() {
        for uri in
            ["https://a;script-src*/", "https://a,b/", "https://'self'/", "https://a b/", "https://*.nz/"]
        {
            assert_eq!(source(uri), None, "{uri}");
        }
        assert_eq!(source("nz.example.app:;script-src *").as_deref(), Some("nz.example.app:"));
    }
}
