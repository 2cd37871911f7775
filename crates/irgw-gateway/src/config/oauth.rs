//! `[oauth]`: the authorization server (OA-1, OA-7, OA-10, OA-12).

use std::time::Duration;

use irgw_core::Environment;
use irgw_oauth::server::ConsentPage;

use toml::Spanned;

use super::file;
use super::source::Source;
use super::{OAuthConfig, Problem};

pub(super) fn oauth(
    source: &Source<'_>,
    oauth: &file::OAuth,
    environment: Environment,
) -> Result<OAuthConfig, Problem> {
    let days = source.number(&oauth.rotate_days, "oauth.rotate_days", 1..=3650, 90)?;
    let grace = source.number(&oauth.grace_seconds, "oauth.grace_seconds", 0..=60, 0)?;
    let consent = match &oauth.consent {
        Some(word) => {
            let words = [("ask", ConsentPage::Shown), ("skip", ConsentPage::Skipped)];
            let consent = source.word(word, "oauth.consent", &words)?;
            if consent == ConsentPage::Skipped && environment != Environment::Mock {
                let located = source.locate(word, "oauth.consent");
                return Err(located.problem(format_args!(
                    "\"skip\" is not allowed in {environment}; \"ask\" is (ENV-4, OA-7)"
                )));
            }
            consent
        }
        None if environment == Environment::Mock => ConsentPage::Skipped,
        None => ConsentPage::Shown,
    };
    let audience = oauth.audience.as_ref().map(|audience| source.locate(audience, "oauth.audience"));
    if let Some(audience) = audience.as_ref().filter(|audience| audience.value.is_empty()) {
        return Err(audience.problem("must not be empty; leave it out to have the issuer"));
    }
    Ok(OAuthConfig {
        vault: source.path(&oauth.vault, "oauth.vault"),
        issuer: oauth.issuer.as_ref().map(|text| issuer(source, text)).transpose()?,
        audience: audience.map(|audience| audience.value),
        grace: Duration::from_secs(grace),
        rotate_after: Duration::from_secs(days * 86_400),
        consent,
    })
}

/// An issuer is compared byte for byte, and the endpoints' addresses are made of it (RFC 8414 §2, C32).
fn issuer(source: &Source<'_>, text: &Spanned<String>) -> Result<String, Problem> {
    let issuer = source.locate(text, "oauth.issuer");
    let uri = issuer.value.parse::<http::Uri>().ok();
    let is_issuer = uri.is_some_and(|uri| {
        uri.scheme_str() == Some("https")
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.path() == PATH
    });
    if is_issuer && !issuer.value.contains(['?', '#']) {
        return Ok(issuer.value);
    }
    Err(issuer.problem(format_args!(
        "{:?} is not allowed; the URL of the authorization server is: \"https://HOST:PORT{PATH}\" (OA-10)",
        issuer.value
    )))
}

/// Where the authorization server is on every host.
const PATH: &str = "/gateway3/oauth/";
