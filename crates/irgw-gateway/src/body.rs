//! Bodies that stream through the gateway, in both directions, within limits (GW-3).

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

use crate::upstream::Lease;
use crate::watched::UnderWayGuard;

/// Why a body ended before its end.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum BodyError {
    /// More bytes than the limit.
    TooLarge(u64),
    /// Nothing came for too long.
    Stalled(Duration),
    /// The sender's connection failed, or its framing is wrong.
    Broken(hyper::Error),
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyError::TooLarge(limit) => write!(f, "the body is larger than {limit} bytes"),
            BodyError::Stalled(patience) => {
                write!(f, "nothing of the body came for {} s", patience.as_secs())
            }
            BodyError::Broken(_) => f.write_str("the body broke off"),
        }
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            BodyError::Broken(error) => Some(error),
            BodyError::TooLarge(_) | BodyError::Stalled(_) => None,
        }
    }
}

/// An incoming body under a deadline for each piece; the timer exists only while a piece is waited for.
#[derive(Debug)]
struct Patient {
    body: Incoming,
    patience: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(body: Incoming, patience: Duration) -> Patient {
        Patient { body, patience, deadline: None }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.deadline = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)));
        }
        let patience = self.patience;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Some(Err(BodyError::Stalled(patience))))
    }
}

/// A request's body on its way to the backing service.
#[derive(Debug)]
pub(crate) struct RequestBody {
    inner: Patient,
    limit_bytes: u64,
    seen_bytes: u64,
}

impl RequestBody {
    /// Streams `body`, at most `limit_bytes` of it, waiting at most `patience` for each piece. Trailers are dropped:
    /// none is among the fields that are forwarded.
    pub(crate) fn new(body: Incoming, limit_bytes: u64, patience: Duration) -> RequestBody {
        RequestBody { inner: Patient::new(body, patience), limit_bytes, seen_bytes: 0 }
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
        loop {
            let Some(frame) = ready!(this.inner.poll_frame(cx)?) else { return Poll::Ready(None) };
            let Ok(data) = frame.into_data() else { continue };
            this.seen_bytes = this.seen_bytes.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
            if this.seen_bytes > this.limit_bytes {
                return Poll::Ready(Some(Err(BodyError::TooLarge(this.limit_bytes))));
            }
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
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
    /// The request is under way until its answer's last byte.
    under_way: Option<UnderWayGuard>,
}

impl ResponseBody {
    /// Streams a backing service's body and then returns its connection.
    pub(crate) fn upstream(body: Incoming, patience: Duration, lease: Lease) -> ResponseBody {
        let mut body =
            UpstreamBody { inner: Patient::new(body, patience), lease: Some(lease), under_way: None };
        body.release_at_end();
        ResponseBody::Upstream(body)
    }

    /// Keeps the request under way while an answer is streamed; the gateway's own words are short.
    pub(crate) fn guarded(mut self, guard: UnderWayGuard) -> ResponseBody {
        if let ResponseBody::Upstream(body) = &mut self {
            body.under_way = Some(guard);
        }
        self
    }
}

impl UpstreamBody {
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
                let frame = ready!(body.inner.poll_frame(cx));
                match &frame {
                    Some(Ok(_)) => body.release_at_end(),
                    Some(Err(_)) => body.lease = None,
                    None => {
                        if let Some(lease) = body.lease.take() {
                            lease.give_back();
                        }
                    }
                }
                Poll::Ready(frame)
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
