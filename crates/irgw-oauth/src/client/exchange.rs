//! One request and its answer: what is bounded, what is measured, and what a failure means.

use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, header};
use irgw_core::{Secret, UnixTime};
use oauth2::basic::BasicTokenType;
use oauth2::{
    EmptyExtraTokenFields, HttpRequest, HttpResponse, RequestTokenError, StandardTokenIntrospectionResponse,
    TokenIntrospectionResponse,
};

use super::answer::{Answer, Introspection, Tokens};
use super::http::{Http, RESPONSE_LIMIT_BYTES};
use super::{Client, Error, Skew, date, refusal};

/// The introspection endpoint's JSON.
pub(super) type Introspected = StandardTokenIntrospectionResponse<EmptyExtraTokenFields, BasicTokenType>;

/// How the `oauth2` crate sends: it is called with the request and wants the answer at once.
pub(super) type Call<'a> = &'a dyn Fn(HttpRequest) -> Result<HttpResponse, NoAnswer>;
/// What the `oauth2` crate makes of an answer.
pub(super) type Outcome<T> = Result<T, RequestTokenError<NoAnswer, refusal::Body>>;

/// There is no answer yet: the request was only made.
#[derive(Debug, thiserror::Error)]
#[error("the request was not sent")]
pub(super) struct NoAnswer;

/// What is kept of an answer beside its body.
struct Seen {
    status: u16,
    /// The server's clock: as its `Date` says, else as it was last known to run.
    server_time: UnixTime,
    skew: Skew,
}

impl<H: Http> Client<H> {
    /// One exchange. The `oauth2` crate is asked twice: for its request, then, with the answer that came, for what it
    /// says. In between nothing of it is held: its own asynchronous calls make futures that no other thread may go on with.
    pub(super) async fn exchange<T>(&self, ask: impl Fn(Call<'_>) -> Outcome<T>) -> Result<T, Error> {
        let (response, seen) = self.send(request(&ask)?).await?;
        answer(&ask, response, seen.status)
    }

    /// The same for tokens, with the time of their end by the server's clock.
    pub(super) async fn tokens(&self, ask: impl Fn(Call<'_>) -> Outcome<Answer>) -> Result<Tokens, Error> {
        let (response, seen) = self.send(request(&ask)?).await?;
        let answer = answer(&ask, response, seen.status)?;
        let expires_at = seen.server_time.as_secs().saturating_add(answer.expires_in);
        Ok(Tokens {
            access_token: Secret::new(answer.access_token.into_secret()),
            refresh_token: answer.refresh_token.map(|token| Secret::new(token.into_secret())),
            expires_at: UnixTime::since_unix_epoch(Duration::from_secs(expires_at)),
            skew: seen.skew,
            scope: answer.scope,
        })
    }

    /// Sends, and judges what holds for every answer.
    async fn send(&self, mut request: HttpRequest) -> Result<(HttpResponse, Seen), Error> {
        // OA-9: it is required, whatever the HTTP stack would do.
        let length = HeaderValue::from(request.body().len());
        request.headers_mut().insert(header::CONTENT_LENGTH, length);
        let sent = self.clock.since_epoch();
        let response = self.http.send(request).await?;
        let received = self.clock.since_epoch();
        let status = response.status().as_u16();
        let date = date(response.headers());
        let skew = match date {
            Some(date) => Skew::measure(date, sent, received),
            None => self.skew().unwrap_or_default(),
        };
        if date.is_some() {
            self.skew.store(skew.as_millis(), Ordering::Relaxed);
        }
        if response.body().len() > RESPONSE_LIMIT_BYTES {
            return Err(Error::Misunderstood { status, why: "it is longer than 64 KiB" });
        }
        match status {
            429 | 503 => Err(Error::Busy { status, retry_after: retry_after(response.headers()) }),
            300..400 => Err(Error::Misunderstood { status, why: "it is a redirect, which is not followed" }),
            _ => {
                let server_time = date.unwrap_or_else(|| skew.server_time(sent));
                Ok((response, Seen { status, server_time, skew }))
            }
        }
    }
}

fn request<T>(ask: impl Fn(Call<'_>) -> Outcome<T>) -> Result<HttpRequest, Error> {
    let made = Cell::new(None);
    // The outcome is that there is no answer.
    let _ = ask(&|request| {
        made.set(Some(request));
        Err(NoAnswer)
    });
    made.into_inner().ok_or(Error::Request)
}

/// What an answer says. What the `oauth2` crate keeps of a body that it cannot read may be a token, and is dropped here.
fn answer<T>(ask: impl Fn(Call<'_>) -> Outcome<T>, response: HttpResponse, status: u16) -> Result<T, Error> {
    let response = Cell::new(Some(response));
    ask(&|_| response.take().ok_or(NoAnswer)).map_err(|error| match error {
        RequestTokenError::Request(NoAnswer) => Error::Request,
        RequestTokenError::ServerResponse(body) => Error::Refused { status, error: body.read() },
        RequestTokenError::Parse(..) if status == 200 => {
            Error::Misunderstood { status, why: "its JSON is not what was asked for" }
        }
        RequestTokenError::Parse(..) => Error::Misunderstood { status, why: "it is no OAuth error" },
        RequestTokenError::Other(_) => {
            Error::Misunderstood { status, why: "it is empty, or not of the type application/json" }
        }
    })
}

/// What introspection says, in our words.
pub(super) fn introspection(answer: Introspected) -> Introspection {
    if !answer.active() {
        return Introspection::Inactive;
    }
    let time = |seconds: i64| {
        UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
    };
    let scopes = answer.scopes().map(|scopes| scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>());
    Introspection::Active {
        client_id: answer.client_id().map(|id| id.to_string()),
        username: answer.username().map(str::to_owned),
        subject: answer.sub().map(str::to_owned),
        scope: scopes.map(|scopes| scopes.join(" ")),
        expires_at: answer.exp().map(|at| time(at.timestamp())),
        issued_at: answer.iat().map(|at| time(at.timestamp())),
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
