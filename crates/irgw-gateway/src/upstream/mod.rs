//! Backing services: pooled connections, and requests that are never sent twice (D16).

mod connect;
mod pool;

pub(crate) use connect::Connector;
pub(crate) use pool::{Lease, SendError, Upstream, UpstreamTimes};
