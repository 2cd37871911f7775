//! What a provider reaches: the authorization server, this machine's clock beside it, and the cloud channel's door.

use http::header::HOST;
use http::{Request, Response, Uri};
use irgw_client::{Connector, Https};
use irgw_core::{Clock, Rule, printable};
use irgw_oauth::client::{Http, SendFault, date};
use irgw_tls::ClientIdentity;
use irgw_tls::client::ServerRoots;
use serde_json::Value;

use super::Belongings;
use super::report::Report;
use crate::SystemClock;
use crate::handle::{ENVIRONMENT, causes};
use crate::refusal::REASON_HEADER;

/// Connects to whatever was named.
pub(super) async fn look(
    belongings: &Belongings,
    roots: ServerRoots,
    identity: Option<ClientIdentity>,
    report: &mut Report,
) {
    if let Some(server) = &belongings.server {
        let connector = Connector::new(roots.clone());
        if reaches("token channel", &connector, server, report).await {
            metadata(&Https::new(connector), server, report).await;
        }
    }
    if let Some(cloud) = &belongings.cloud {
        let connector = match &identity {
            Some(identity) => Connector::new(roots).presenting(identity.clone()),
            None => Connector::new(roots),
        };
        // Without a certificate the door cannot be tried.
        if reaches("cloud channel", &connector, cloud, report).await && identity.is_some() {
            door(&Https::new(connector), cloud, report).await;
        }
    }
}

/// Whether there is TLS with a server that the roots know.
async fn reaches(what: &'static str, connector: &Connector, uri: &Uri, report: &mut Report) -> bool {
    match connector.visit(uri).await {
        Ok(server) => {
            let issuer = server.issuer().map_or("an issuer that is not read here".to_owned(), printable);
            report.good(what, Rule::Tls1, format!("TLS with the server, whose certificate is by {issuer}"));
            true
        }
        Err(error) => {
            let advice = "look at name, port and firewall; where it is the certificate, at --ca";
            report.bad(what, Rule::Tls1, causes(&error), advice);
            false
        }
    }
}

/// Whether the authorization server describes itself as the one that was named (RFC 8414 §3.3), and when.
async fn metadata(https: &Https, server: &Uri, report: &mut Report) {
    const WHAT: &str = "OAuth metadata";
    let path = server.path().trim_end_matches('/');
    let answer = match get(https, server, &format!("/.well-known/oauth-authorization-server{path}")).await {
        Ok(answer) => answer,
        Err(error) => return report.bad(WHAT, Rule::Oa1, said(error), "try again, or ask the operator"),
    };
    clock(&answer, report);
    let metadata: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let issuer = metadata.get("issuer").and_then(Value::as_str).unwrap_or_default();
    let named = server.to_string();
    if answer.status() == 200 && issuer.trim_end_matches('/') == named.trim_end_matches('/') {
        report.good(WHAT, Rule::Oa1, format!("the issuer is {}", printable(issuer)));
    } else {
        let found = format!("status {}, issuer \"{}\"", answer.status().as_u16(), printable(issuer));
        report.bad(WHAT, Rule::Oa1, found, "name the authorization server by its issuer: --server");
    }
}

/// How far this machine's clock is from the server's. An answer's Date is whole seconds, and was on its way.
fn clock(answer: &Response<Vec<u8>>, report: &mut Report) {
    const WHAT: &str = "clock";
    let Some(theirs) = date(answer.headers()) else { return };
    let (theirs, ours) = (theirs.as_secs(), SystemClock.now().as_secs());
    let apart = theirs.abs_diff(ours);
    if apart < SKEW_SECONDS {
        report.good(WHAT, Rule::M2m6, "this machine's and the server's agree");
    } else {
        let side = if ours > theirs { "ahead of" } else { "behind" };
        let found = format!("this machine's is {apart} s {side} the server's");
        report.bad(WHAT, Rule::M2m6, found, "synchronise it: tokens and codes are judged by the server's");
    }
}

/// Whether the door lets the certificate in. Who is enrolled is told that there is nothing here; everybody else, 403 (ENV-5).
async fn door(https: &Https, cloud: &Uri, report: &mut Report) {
    const WHAT: &str = "cloud channel";
    match get(https, cloud, "/gateway/").await {
        Ok(answer) if answer.status() == 403 => {
            let reason = answer.headers().get(REASON_HEADER).and_then(|rule| rule.to_str().ok());
            let rule = reason.and_then(|rule| rule.parse().ok()).unwrap_or(Rule::Tls6);
            let advice = "compare the Common Name and the environment with what was assigned";
            report.bad(
                WHAT,
                rule,
                "the certificate is good, and not enrolled here or its address is not allowed",
                advice,
            );
        }
        Ok(answer) if answer.headers().contains_key(ENVIRONMENT) => {
            report.good(
                WHAT,
                Rule::Env4,
                "this is mock, which asks for no certificate; the address is allowed",
            );
        }
        Ok(answer) if answer.status() == 429 || answer.status().is_server_error() => {
            let found = format!("the gateway answers {}", answer.status().as_u16());
            report.bad(WHAT, Rule::Tls10, found, "try again later, or ask the operator");
        }
        Ok(_) => report.good(WHAT, Rule::Tls6, "the certificate is enrolled: the door is open"),
        Err(error) => {
            let advice = "see what is said of the client certificate; the operator's log names the rule";
            report.bad(
                WHAT,
                Rule::Tls4,
                format!("the gateway does not take the certificate: {}", said(error)),
                advice,
            );
        }
    }
}

async fn get(https: &Https, host: &Uri, path: &str) -> Result<Response<Vec<u8>>, SendFault> {
    let authority = host.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(format!("https://{authority}{path}")).header(HOST, authority).body(Vec::new());
    https.send(request.map_err(|error| SendFault::Unsent(error.into()))?).await
}

fn said(error: SendFault) -> String {
    match error {
        SendFault::Unsent(cause) | SendFault::Unanswered(cause) => causes(&*cause),
    }
}

/// From here on a clock is wrong rather than read at another moment.
const SKEW_SECONDS: u64 = 5;

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use http::header::DATE;

    use super::*;

    /// The verdict on a clock that is so far from the server's.
    fn judged(theirs: SystemTime) -> Option<String> {
        let date = httpdate::fmt_http_date(theirs);
        let mut report = Report::default();
        clock(&Response::builder().header(DATE, date).body(Vec::new()).unwrap(), &mut report);
        report.verdict().err().map(|error| error.to_string())
    }

    #[test]
    fn clock_is_compared_with_the_servers() {
        let now = SystemTime::now();
        assert_eq!(judged(now), None);
        for theirs in [now - Duration::from_secs(60), now + Duration::from_secs(60)] {
            assert_eq!(judged(theirs).as_deref(), Some("refused by M2M-6: 1 of 1 findings are bad"));
        }
    }
}
