//! The pool of connections to one backing service.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};

use super::connect::{ConnectError, Connector};
use crate::body::RequestBody;

/// Connections that are tried before a request is given up unsent: each had been closed by the time it was to be used.
const TRIES: usize = 5;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UpstreamTimes {
    /// To connect, TLS included.
    pub connect: Duration,
    /// From sending a request to its answer's header.
    pub answer: Duration,
    /// An idle connection is kept this long: shorter than what backing services usually do.
    pub idle: Duration,
}

/// One backing service. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Upstream(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connector: Connector,
    origin: String,
    times: UpstreamTimes,
    idle_limit: usize,
    idle: Mutex<Vec<Idle>>,
    /// The one HTTP/2 connection, where the backing service offers HTTP/2.
    multiplexed: Mutex<Option<http2::SendRequest<RequestBody>>>,
}

#[derive(Debug)]
struct Idle {
    sender: http1::SendRequest<RequestBody>,
    since: Instant,
}

/// A connection that sends the next request.
#[derive(Debug)]
pub(super) enum Connection {
    /// One request at a time.
    Http1(http1::SendRequest<RequestBody>),
    /// Many at once.
    Http2(http2::SendRequest<RequestBody>),
}

/// The right to a connection while its answer is read.
#[derive(Debug)]
pub(crate) struct Lease {
    upstream: Upstream,
    sender: Option<http1::SendRequest<RequestBody>>,
}

impl Lease {
    /// Returns the connection to the pool, the answer having been read to its end.
    pub(crate) fn give_back(self) {
        let Some(sender) = self.sender.filter(|sender| !sender.is_closed()) else { return };
        let shared = &self.upstream.0;
        let mut idle = shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < shared.idle_limit {
            idle.push(Idle { sender, since: Instant::now() });
        }
    }
}

/// Why a backing service gave no answer. The request was sent at most once.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum SendError {
    /// No connection; nothing was sent.
    Connect(ConnectError),
    /// The connection broke, or the answer is not HTTP; the request may have been seen.
    Broken(hyper::Error),
    /// No answer in time; the request may have been seen.
    Timeout(Duration),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Connect(_) => f.write_str("cannot connect to the backing service"),
            SendError::Broken(_) => {
                f.write_str("the backing service broke off; it may have seen the request")
            }
            SendError::Timeout(limit) => {
                write!(
                    f,
                    "no answer from the backing service in {} s; it may have seen the request",
                    limit.as_secs()
                )
            }
        }
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SendError::Connect(error) => Some(error),
            SendError::Broken(error) => Some(error),
            SendError::Timeout(_) => None,
        }
    }
}

impl Upstream {
    /// A pool for the backing service that `connector` reaches.
    pub(crate) fn new(connector: Connector, times: UpstreamTimes, idle_limit: usize) -> Upstream {
        let origin = connector.origin();
        let shared = Shared {
            connector,
            origin,
            times,
            idle_limit,
            idle: Mutex::default(),
            multiplexed: Mutex::default(),
        };
        Upstream(Arc::new(shared))
    }

    /// Its `scheme://authority`.
    pub(crate) fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The Host that its requests carry.
    pub(crate) fn authority(&self) -> &http::HeaderValue {
        self.0.connector.authority()
    }

    /// Sends a request whose target is in origin-form, and returns the answer's header and a lease on the connection.
    ///
    /// A request that was not written to a connection because it had just been closed is sent on another. One that the
    /// backing service may have seen never is. Dropping the future closes the connection.
    ///
    /// # Errors
    /// [`SendError`].
    pub(crate) async fn send(
        &self,
        request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Lease), SendError> {
        let limit = self.0.times.answer;
        tokio::time::timeout(limit, self.send_once(request)).await.unwrap_or(Err(SendError::Timeout(limit)))
    }

    async fn send_once(
        &self,
        mut request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Lease), SendError> {
        for _ in 0..TRIES {
            let (unsent, error) = match self.connection().await? {
                Connection::Http1(mut sender) => {
                    if sender.ready().await.is_err() {
                        continue;
                    }
                    match sender.try_send_request(request).await {
                        Ok(response) => {
                            return Ok((response, Lease { upstream: self.clone(), sender: Some(sender) }));
                        }
                        Err(error) => parts(error),
                    }
                }
                Connection::Http2(mut sender) => {
                    if sender.ready().await.is_err() {
                        self.forget_multiplexed();
                        continue;
                    }
                    *request.uri_mut() = self.absolute(request.uri());
                    *request.version_mut() = http::Version::HTTP_2;
                    request.headers_mut().remove(http::header::HOST);
                    match sender.try_send_request(request).await {
                        Ok(response) => {
                            return Ok((response, Lease { upstream: self.clone(), sender: None }));
                        }
                        Err(error) => parts(error),
                    }
                }
            };
            request = unsent.ok_or(SendError::Broken(error))?;
        }
        Err(SendError::Connect(ConnectError::Closed))
    }

    async fn connection(&self) -> Result<Connection, SendError> {
        let shared = &self.0;
        if let Some(sender) = shared.multiplexed.lock().unwrap_or_else(PoisonError::into_inner).clone()
            && !sender.is_closed()
        {
            return Ok(Connection::Http2(sender));
        }
        // The most recent first: the others grow old and are closed.
        loop {
            let idle = shared.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(idle) if idle.since.elapsed() > shared.times.idle => {
                    shared.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
                }
                Some(idle) if idle.sender.is_closed() => {}
                Some(idle) => return Ok(Connection::Http1(idle.sender)),
                None => break,
            }
        }
        let connecting = tokio::time::timeout(shared.times.connect, shared.connector.connect()).await;
        let connection = connecting.unwrap_or(Err(ConnectError::Timeout(shared.times.connect)));
        let connection = connection.map_err(SendError::Connect)?;
        if let Connection::Http2(sender) = &connection {
            *shared.multiplexed.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
        }
        Ok(connection)
    }

    fn forget_multiplexed(&self) {
        *self.0.multiplexed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// HTTP/2 carries scheme and authority in the target.
    fn absolute(&self, target: &Uri) -> Uri {
        if target.authority().is_some() {
            return target.clone();
        }
        let path = target.path_and_query().map_or("/", |path| path.as_str());
        format!("{}{path}", self.0.origin).parse().expect("an origin and a path make a URI")
    }
}

fn parts(mut error: TrySendError<Request<RequestBody>>) -> (Option<Request<RequestBody>>, hyper::Error) {
    (error.take_message(), error.into_error())
}
