//! Sizes, times and rates, with their defaults.

use std::time::Duration;

/// Sizes, times and rates (GW-3, GW-4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once, of each listener.
    pub connections: usize,
    /// Connections at once from one address (an IPv6 address counts as its /64), of each listener.
    pub connections_per_address: usize,
    /// From accept to the end of the TLS handshake.
    pub handshake: Duration,
    /// From a request's first byte to the end of its header.
    pub header: Duration,
    /// A request's header.
    pub header_bytes: usize,
    /// A request's body.
    pub body_bytes: u64,
    /// Between two pieces of a body, in either direction.
    pub body_idle: Duration,
    /// A kept-alive connection without a request.
    pub idle: Duration,
    /// A connection's age; then it is closed after the request under way.
    pub connection_age: Duration,
    /// HTTP/2 streams at once on one connection.
    pub streams: u32,
    /// To connect to a backing service.
    pub connect: Duration,
    /// From the last piece of a request to its answer's header.
    pub answer: Duration,
    /// Connections at once to each backing service.
    pub upstream_connections: usize,
    /// Idle connections kept to each backing service.
    pub upstream_idle_connections: usize,
    /// From the stop signal to the end of the last request.
    pub drain: Duration,
    /// Requests per second of one provider (or, where none is known, one address).
    pub requests_per_second: u32,
    /// Requests that may come at once after a pause.
    pub burst: u32,
    /// Requests under way of one provider (or, where none is known, one address).
    pub requests_under_way: usize,
    /// How long the registry may go unconfirmed before requests are answered 503 (OA-16).
    pub max_staleness: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 16_384,
            connections_per_address: 8192,
            handshake: Duration::from_secs(10),
            header: Duration::from_secs(10),
            header_bytes: 32 * 1024,
            body_bytes: 32 * 1024 * 1024,
            body_idle: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            connection_age: Duration::from_secs(3600),
            streams: 100,
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(60),
            upstream_connections: 4096,
            upstream_idle_connections: 256,
            drain: Duration::from_secs(30),
            requests_per_second: 500,
            burst: 1000,
            requests_under_way: 256,
            max_staleness: Duration::from_secs(10),
        }
    }
}
