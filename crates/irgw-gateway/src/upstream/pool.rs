//! The pool of connections to one backing service.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header::HOST;
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use tokio::sync::Semaphore;

use super::connect::{ConnectError, Connector};
use crate::body::{BodyError, RequestBody};
use crate::upload::Upload;

/// Connections that are tried before a request is given up unsent: each had been closed by the time it was to be used.
const TRIES: usize = 5;

/// A connection whose answer was just read may need this long to see that it is free; more means that it is not.
const A_MOMENT: Duration = Duration::from_millis(100);

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
    /// One permit for each open connection.
    open: Arc<Semaphore>,
}

#[derive(Debug)]
struct Idle {
    sender: Sender,
    since: Instant,
}

/// A connection that sends the next request. One request at a time, in HTTP/2 too: no caller waits behind another's flow
/// control or takes the streams that a backing service allows (D19).
#[derive(Debug)]
pub(super) enum Sender {
    /// HTTP/1.1.
    Http1(http1::SendRequest<RequestBody>),
    /// HTTP/2, where the backing service offers it.
    Http2(http2::SendRequest<RequestBody>),
}

impl Sender {
    fn is_closed(&self) -> bool {
        match self {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }

    fn is_ready(&self) -> bool {
        match self {
            Sender::Http1(sender) => sender.is_ready(),
            Sender::Http2(sender) => sender.is_ready(),
        }
    }

    async fn ready(&mut self) -> hyper::Result<()> {
        match self {
            Sender::Http1(sender) => sender.ready().await,
            Sender::Http2(sender) => sender.ready().await,
        }
    }

    /// Whether the connection takes a request now, or in a moment: it may have been closed, or be busy still.
    async fn takes_a_request(&mut self) -> bool {
        self.is_ready() || matches!(tokio::time::timeout(A_MOMENT, self.ready()).await, Ok(Ok(())))
    }

    async fn try_send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        match self {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(request).await,
        }
    }
}

/// The right to a connection while its answer is read.
#[derive(Debug)]
pub(crate) struct Lease {
    upstream: Upstream,
    sender: Sender,
    upload: Option<Arc<Upload>>,
}

impl Lease {
    /// Returns the connection to the pool, the answer having been read to its end. Where the request is still being
    /// uploaded the connection is closed: the next request would wait for the end of this caller's.
    pub(crate) fn give_back(self) {
        let is_whole = self.upload.is_none_or(|upload| upload.is_whole());
        if !is_whole || self.sender.is_closed() {
            return;
        }
        let shared = &self.upstream.0;
        let mut idle = shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < shared.idle_limit {
            idle.push(Idle { sender: self.sender, since: Instant::now() });
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
    /// The caller's body was too large, too slow or broke off; the request may have been seen.
    Upload(BodyError),
    /// There are as many connections as there may be; nothing was sent.
    Full,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Connect(_) => f.write_str("cannot connect to the backing service"),
            SendError::Broken(_) => {
                f.write_str("the backing service broke off; it may have seen the request")
            }
            SendError::Upload(_) => f.write_str("the request's body did not come whole"),
            SendError::Full => f.write_str("the backing service has all the connections that it may have"),
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
            SendError::Upload(error) => Some(error),
            SendError::Timeout(_) | SendError::Full => None,
        }
    }
}

impl Upstream {
    /// A pool of at most `open_limit` connections to the backing service that `connector` reaches, of which `idle_limit` are
    /// kept.
    pub(crate) fn new(
        connector: Connector,
        times: UpstreamTimes,
        open_limit: usize,
        idle_limit: usize,
    ) -> Upstream {
        let origin = connector.origin();
        let open = Arc::new(Semaphore::new(open_limit.min(Semaphore::MAX_PERMITS)));
        let shared = Shared { connector, origin, times, idle_limit, idle: Mutex::default(), open };
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
    /// backing service may have seen never is. The answer must begin within the time for it, counted from the last piece
    /// of the request's body that the backing service took. Dropping the future closes the connection.
    ///
    /// # Errors
    /// [`SendError`].
    pub(crate) async fn send(
        &self,
        request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Lease), SendError> {
        let limit = self.0.times.answer;
        let Some(upload) = request.body().upload() else {
            let sent = tokio::time::timeout(limit, self.send_once(request, None)).await;
            return sent.unwrap_or(Err(SendError::Timeout(limit)));
        };
        let sent = tokio::select! {
            sent = self.send_once(request, Some(upload.clone())) => sent,
            () = upload.rests(limit) => Err(SendError::Timeout(limit)),
        };
        match upload.fault() {
            Some(fault) if sent.is_err() => Err(SendError::Upload(fault)),
            _ => sent,
        }
    }

    async fn send_once(
        &self,
        mut request: Request<RequestBody>,
        upload: Option<Arc<Upload>>,
    ) -> Result<(Response<Incoming>, Lease), SendError> {
        let target = request.uri().clone();
        for _ in 0..TRIES {
            let mut sender = self.connection().await?;
            if !sender.takes_a_request().await {
                continue;
            }
            self.address(&mut request, &target, &sender);
            match sender.try_send(request).await {
                Ok(response) => return Ok((response, Lease { upstream: self.clone(), sender, upload })),
                Err(error) => {
                    let (unsent, error) = parts(error);
                    request = unsent.ok_or(SendError::Broken(error))?;
                }
            }
        }
        Err(SendError::Connect(ConnectError::Closed))
    }

    async fn connection(&self) -> Result<Sender, SendError> {
        let shared = &self.0;
        // The most recent first: the others grow old and are closed.
        loop {
            let idle = shared.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(idle) if idle.since.elapsed() > shared.times.idle => {
                    shared.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
                }
                Some(idle) if idle.sender.is_closed() => {}
                Some(idle) => return Ok(idle.sender),
                None => break,
            }
        }
        let Ok(permit) = shared.open.clone().try_acquire_owned() else { return Err(SendError::Full) };
        // Boxed: rare, and large enough to make up most of every request's future.
        let connecting = Box::pin(shared.connector.connect(permit));
        let connecting = tokio::time::timeout(shared.times.connect, connecting).await;
        connecting.unwrap_or(Err(ConnectError::Timeout(shared.times.connect))).map_err(SendError::Connect)
    }

    /// Writes target and host as the connection's protocol has them.
    fn address(&self, request: &mut Request<RequestBody>, target: &Uri, sender: &Sender) {
        match sender {
            Sender::Http1(_) => {
                *request.uri_mut() = target.clone();
                *request.version_mut() = Version::HTTP_11;
                request.headers_mut().insert(HOST, self.authority().clone());
            }
            Sender::Http2(_) => {
                let path = target.path_and_query().map_or("/", |path| path.as_str());
                let absolute = format!("{}{path}", self.0.origin);
                *request.uri_mut() = absolute.parse().expect("an origin and a path make a URI");
                *request.version_mut() = Version::HTTP_2;
                request.headers_mut().remove(HOST);
            }
        }
    }
}

fn parts(mut error: TrySendError<Request<RequestBody>>) -> (Option<Request<RequestBody>>, hyper::Error) {
    (error.take_message(), error.into_error())
}
