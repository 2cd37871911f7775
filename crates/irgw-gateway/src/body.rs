//! Bodies that stream through the gateway, in both directions, within limits (GW-3).

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::throttle::Turn;
use crate::under_way::Guard;
use crate::upload::Upload;
use crate::upstream::Lease;

/// Why a body ended before its end.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub(crate) enum BodyError {
    /// More bytes than the limit.
    TooLarge(u64),
    /// Nothing came for too long, or too little in all.
    Stalled(Duration),
    /// The sender's connection failed, or its framing is wrong.
    Broken(Arc<hyper::Error>),
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyError::TooLarge(limit) => write!(f, "the body is larger than {limit} bytes"),
            BodyError::Stalled(patience) => {
                write!(f, "nothing of the body came for {} s, or too little", patience.as_secs())
            }
            BodyError::Broken(_) => f.write_str("the body broke off"),
        }
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            BodyError::Broken(error) => Some(&**error),
            BodyError::TooLarge(_) | BodyError::Stalled(_) => None,
        }
    }
}

/// How fast a body must come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// A piece within the patience.
    EachPiece,
    /// Besides, the waiting in all is the patience and a second for each [`PACE_BYTES`]: a caller's body may not drip.
    AndInAll,
}

/// What a second of waiting must bring.
const PACE_BYTES: u64 = 1024;

/// An incoming body under a deadline for each piece; the timer exists only while a piece is waited for.
#[derive(Debug)]
struct Patient {
    body: Incoming,
    patience: Duration,
    pace: Pace,
    seen_bytes: u64,
    /// Waiting for pieces, in all.
    waited: Duration,
    wait: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Patient {
    fn new(body: Incoming, patience: Duration, pace: Pace) -> Patient {
        Patient { body, patience, pace, seen_bytes: 0, waited: Duration::ZERO, wait: None }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            if let Some((since, _)) = self.wait.take() {
                self.waited += since.elapsed();
            }
            let frame = frame.transpose().map_err(|error| BodyError::Broken(Arc::new(error)))?;
            let length = frame.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len);
            self.seen_bytes = self.seen_bytes.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
            return Poll::Ready(frame.map(Ok));
        }
        let left = match self.pace {
            Pace::EachPiece => self.patience,
            Pace::AndInAll => {
                let allowed = self.patience + Duration::from_secs(self.seen_bytes / PACE_BYTES);
                allowed.saturating_sub(self.waited).min(self.patience)
            }
        };
        let wait = self.wait.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(left))));
        ready!(wait.1.as_mut().poll(cx));
        Poll::Ready(Some(Err(BodyError::Stalled(self.patience))))
    }
}

/// A request's body on its way to the backing service.
#[derive(Debug)]
pub(crate) struct RequestBody {
    inner: Patient,
    limit_bytes: u64,
    upload: Option<Arc<Upload>>,
}

impl RequestBody {
    /// Streams `body`, at most `limit_bytes` of it, waiting at most `patience` for each piece and a second for each KiB
    /// in all. Trailers are dropped: none is among the fields that are forwarded.
    pub(crate) fn new(body: Incoming, limit_bytes: u64, patience: Duration) -> RequestBody {
        let upload = (!body.is_end_stream()).then(|| Arc::new(Upload::new()));
        RequestBody { inner: Patient::new(body, patience, Pace::AndInAll), limit_bytes, upload }
    }

    /// How the upload goes; `None`: there is nothing to upload.
    pub(crate) fn upload(&self) -> Option<Arc<Upload>> {
        self.upload.clone()
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            let Some(frame) = ready!(self.inner.poll_frame(cx)?) else { return Poll::Ready(None) };
            let Ok(data) = frame.into_data() else { continue };
            return Poll::Ready(Some(match self.inner.seen_bytes > self.limit_bytes {
                true => Err(BodyError::TooLarge(self.limit_bytes)),
                false => Ok(data),
            }));
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let data = ready!(this.poll_data(cx));
        if let Some(upload) = &this.upload {
            match &data {
                Some(Err(error)) => upload.end(Err(error.clone())),
                Some(Ok(_)) if !this.inner.body.is_end_stream() => upload.move_on(),
                Some(Ok(_)) | None => upload.end(Ok(())),
            }
        }
        Poll::Ready(data.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.body.size_hint()
    }
}

/// A body on its way to the client.
#[derive(Debug)]
pub(crate) enum ResponseBody {
    /// The gateway's own words.
    Own(Option<Bytes>),
    /// A backing service's, streamed.
    Upstream(UpstreamBody),
}

/// A backing service's body; its connection goes back to the pool at the body's end, and is closed when it is dropped before.
#[derive(Debug)]
pub(crate) struct UpstreamBody {
    inner: Patient,
    lease: Option<Lease>,
    /// The request is under way, and counts as its caller's, until its answer's last byte.
    under_way: Option<Guard>,
    _turn: Turn,
}

impl ResponseBody {
    /// Streams a backing service's body and then returns its connection.
    pub(crate) fn upstream(body: Incoming, patience: Duration, lease: Lease, turn: Turn) -> ResponseBody {
        let inner = Patient::new(body, patience, Pace::EachPiece);
        let mut body = UpstreamBody { inner, lease: Some(lease), under_way: None, _turn: turn };
        body.release_at_end();
        ResponseBody::Upstream(body)
    }

    /// Keeps the request under way while an answer is streamed; the gateway's own words are short.
    pub(crate) fn guarded(mut self, guard: Guard) -> ResponseBody {
        if let ResponseBody::Upstream(body) = &mut self {
            guard.awaits_client();
            body.under_way = Some(guard);
        }
        self
    }
}

impl UpstreamBody {
    /// The next piece. Trailers are dropped: none is among the fields that an answer may have (D15).
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            let Some(frame) = ready!(self.inner.poll_frame(cx)?) else { return Poll::Ready(None) };
            if let Ok(data) = frame.into_data() {
                return Poll::Ready(Some(Ok(data)));
            }
        }
    }

    fn release_at_end(&mut self) {
        if self.inner.body.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
    }
}

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> ResponseBody {
        ResponseBody::Own(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            ResponseBody::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            ResponseBody::Upstream(body) => {
                let poll = body.poll_data(cx);
                if let Some(guard) = &body.under_way {
                    match &poll {
                        Poll::Ready(_) => guard.awaits_client(),
                        Poll::Pending => guard.awaits_us(),
                    }
                }
                let data = ready!(poll);
                match &data {
                    Some(Ok(_)) => body.release_at_end(),
                    Some(Err(_)) => body.lease = None,
                    None => {
                        if let Some(lease) = body.lease.take() {
                            lease.give_back();
                        }
                    }
                }
                Poll::Ready(data.map(|data| data.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ResponseBody::Own(bytes) => bytes.is_none(),
            ResponseBody::Upstream(body) => body.inner.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ResponseBody::Own(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| u64::try_from(b.len()).unwrap_or(0)))
            }
            ResponseBody::Upstream(body) => body.inner.body.size_hint(),
        }
    }
}
