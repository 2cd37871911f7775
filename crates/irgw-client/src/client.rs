//! The client: a gateway's address, connections to it, and what each request proves.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::uri::{Authority, Scheme, Uri};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use irgw_core::Clock;
use irgw_oauth::client::{Client as OauthClient, ClientConfig, Skew, date};
use irgw_tls::ClientIdentity;
use irgw_tls::client::ServerRoots;
use tokio::time::timeout;

use crate::credential::Proof;
use crate::pool::{self, Pool};
use crate::{Connector, Credential, Error, Https, Reason, Refusal};

/// Sends requests to one gateway. Clones share its connections.
#[derive(Clone)]
pub struct Client {
    base: Authority,
    pool: Pool,
    credential: Arc<Credential>,
    clock: Arc<dyn Clock>,
    limits: Limits,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    answer_time: Duration,
    answer_bytes: usize,
}

/// What a [`Client`] is made from.
#[derive(Debug)]
#[must_use]
pub struct Builder {
    base: String,
    connector: Connector,
    limits: Limits,
}

impl Builder {
    /// The roots that the gateway's certificate must lead to; the Mozilla list unless said otherwise.
    pub fn roots(self, roots: ServerRoots) -> Builder {
        Builder { connector: Connector { roots, ..self.connector }, ..self }
    }

    /// The client certificate and its key, for the cloud channel (TLS-3).
    pub fn identity(self, identity: ClientIdentity) -> Builder {
        Builder { connector: self.connector.presenting(identity), ..self }
    }

    /// What tells the time; the system's clock unless said otherwise.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Builder {
        Builder { connector: self.connector.with_clock(clock), ..self }
    }

    /// How long a request may take, from a connection to the last byte of the answer; a minute unless said otherwise.
    pub fn answer_time(self, answer_time: Duration) -> Builder {
        Builder { limits: Limits { answer_time, ..self.limits }, ..self }
    }

    /// The longest body of an answer that is read; 16 MiB unless said otherwise.
    pub fn answer_bytes(self, answer_bytes: usize) -> Builder {
        Builder { limits: Limits { answer_bytes, ..self.limits }, ..self }
    }

    /// An OAuth client that asks the token endpoint of `config`, over one-way TLS by the same roots and clock.
    pub fn oauth(&self, config: ClientConfig) -> Arc<OauthClient<Https>> {
        let connector = Connector { identity: None, ..self.connector.clone() };
        let clock = connector.clock.clone();
        Arc::new(OauthClient::new(config, Https::new(connector), clock))
    }

    /// A client that proves nothing beside its certificate yet: [`Client::with`] gives it a token to send. It connects when the
    /// first request is sent.
    ///
    /// # Errors
    /// [`Error::Base`] when the gateway's address is not `https://HOST` or `https://HOST:PORT`.
    pub fn build(self) -> Result<Client, Error> {
        let base = authority(&self.base).ok_or(Error::Base(self.base))?;
        Ok(Client {
            base,
            clock: self.connector.clock.clone(),
            pool: pool::new(self.connector),
            credential: Arc::new(Credential::Certificate),
            limits: self.limits,
        })
    }
}

fn authority(base: &str) -> Option<Authority> {
    let uri: Uri = base.parse().ok()?;
    let is_alone = uri.path() == "/" && uri.query().is_none();
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    (uri.scheme() == Some(&Scheme::HTTPS) && is_alone).then(|| authority.clone())
}

impl Client {
    /// A client of the gateway at `https://HOST:4046` (cloud channel) or `https://HOST` (desktop channel).
    pub fn builder(base: impl Into<String>) -> Builder {
        Builder {
            base: base.into(),
            connector: Connector::new(ServerRoots::mozilla()),
            limits: Limits { answer_time: Duration::from_secs(60), answer_bytes: 16 << 20 },
        }
    }

    /// A client over the same connections whose requests prove this: a [`Signer`](crate::Signer) or a [`Login`](crate::Login).
    #[must_use]
    pub fn with(&self, credential: impl Into<Credential>) -> Client {
        Client { credential: Arc::new(credential.into()), ..self.clone() }
    }

    /// Sends a request for a path of the gateway, and returns what the service behind it answers, whatever its status.
    ///
    /// Where the gateway calls the token bad and there is a better one (a renewed access token; a token signed for the time that
    /// the gateway's clock shows) the request is sent once more: the gateway has not passed it on.
    ///
    /// # Errors
    /// [`Error::Refused`] where the gateway refused, and otherwise why there is no answer; [`Error::changed_nothing`] says
    /// whether it may be sent again.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let request = self.addressed(request)?;
        let proof = self.credential.proof(self.clock.since_epoch()).await?;
        let (answer, skew) = self.exchange(request.clone(), proof.as_ref()).await?;
        let refusal = match judged(answer) {
            Err(Error::Refused(refusal)) => refusal,
            judged => return judged,
        };
        let better = match (refusal.reason, &proof) {
            (Reason::BadToken, Some(refused)) => {
                self.credential.renewed(refused, skew, self.clock.since_epoch()).await?
            }
            _ => None,
        };
        let Some(better) = better else { return Err(Error::Refused(refusal)) };
        let (answer, _) = self.exchange(request, Some(&better)).await?;
        judged(answer)
    }

    /// The request with the gateway's host.
    fn addressed(&self, request: Request<Bytes>) -> Result<Request<Full<Bytes>>, Error> {
        if request.headers().contains_key(AUTHORIZATION) {
            return Err(Error::Authorization);
        }
        let uri = request.uri();
        let path = uri.path_and_query().filter(|path| path.as_str().starts_with('/'));
        let path = path.filter(|_| uri.authority().is_none()).ok_or(Error::Address)?.clone();
        let uri = Uri::builder().scheme(Scheme::HTTPS).authority(self.base.clone()).path_and_query(path);
        let mut request = request.map(Full::new);
        *request.uri_mut() = uri.build().map_err(|_| Error::Address)?;
        Ok(request)
    }

    /// Sends once; with the answer, how far the gateway's clock is ahead, where it says.
    async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        proof: Option<&Proof>,
    ) -> Result<(Response<Bytes>, Option<Skew>), Error> {
        if let Some(proof) = proof {
            request.headers_mut().insert(AUTHORIZATION, proof.field());
        }
        let Limits { answer_time, answer_bytes } = self.limits;
        let sent = self.clock.since_epoch();
        let answer = timeout(answer_time, self.answer(request, answer_bytes)).await;
        let answer = answer.unwrap_or_else(|_| {
            Err(Error::Unanswered(format!("no answer in {} s", answer_time.as_secs_f32()).into()))
        })?;
        let skew = date(answer.headers()).map(|date| Skew::measure(date, sent, self.clock.since_epoch()));
        Ok((answer, skew))
    }

    async fn answer(
        &self,
        request: Request<Full<Bytes>>,
        limit_bytes: usize,
    ) -> Result<Response<Bytes>, Error> {
        let answer = self.pool.request(request).await.map_err(unanswered)?;
        let (head, body) = answer.into_parts();
        match Limited::new(body, limit_bytes).collect().await {
            Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(Error::TooLong { limit_bytes }),
            Err(error) => Err(Error::Unanswered(error)),
        }
    }
}

/// What a service answered, or the gateway's refusal.
fn judged(answer: Response<Bytes>) -> Result<Response<Bytes>, Error> {
    match Refusal::read(&answer) {
        None => Ok(answer),
        Some(refusal) => Err(Error::Refused(Box::new(refusal))),
    }
}

/// Why the pool has no answer: whether there was a connection at all.
fn unanswered(error: hyper_util::client::legacy::Error) -> Error {
    match error.is_connect() {
        true => Error::Unsent(error.into()),
        false => Error::Unanswered(error.into()),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base)
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}
