//! Where a connection came from, and what its transport proved about the far end.

use std::any::Any;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::Channel;

/// Where a connection came from, known before anything is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The client's address: the socket's peer, or what a listed balancer's PROXY header says (IP-1).
    pub address: SocketAddr,
    /// The balancer that the connection came through.
    pub balancer: Option<SocketAddr>,
    /// The channel that the listener serves.
    pub channel: Channel,
}

impl Origin {
    /// A connection of `address` to a listener of `channel`. An IPv4-mapped IPv6 address becomes IPv4 (IP-1).
    pub fn new(address: SocketAddr, channel: Channel) -> Origin {
        Origin { address: canonical(address), balancer: None, channel }
    }

    /// The same connection, its true origin reported by `balancer`.
    pub fn through(balancer: SocketAddr, address: SocketAddr, channel: Channel) -> Origin {
        Origin { balancer: Some(canonical(balancer)), ..Origin::new(address, channel) }
    }

    /// The client's address without the port.
    pub fn ip(&self) -> IpAddr {
        self.address.ip()
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The far end of an established connection; shared by all its requests.
///
/// What the transport proved is a value of the transport's own crate (`irgw_tls::VerifiedCert`, …) with a private
/// constructor, so that only that transport can make it; [`Peer::evidence`] hands it to the authenticator of the same crate.
#[derive(Clone)]
pub struct Peer {
    /// Where the connection came from.
    pub origin: Origin,
    evidence: Option<Arc<dyn Any + Send + Sync>>,
}

impl Peer {
    /// A peer about whom nothing was proved.
    pub fn anonymous(origin: Origin) -> Peer {
        Peer { origin, evidence: None }
    }

    /// A peer with what its transport proved.
    pub fn proven<E: Any + Send + Sync>(origin: Origin, evidence: Arc<E>) -> Peer {
        Peer { origin, evidence: Some(evidence) }
    }

    /// What the transport proved, if it is an `E`.
    pub fn evidence<E: Any>(&self) -> Option<&E> {
        self.evidence.as_deref().and_then(|evidence| evidence.downcast_ref())
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("origin", &self.origin)
            .field("proven", &self.evidence.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_address_becomes_ipv4() {
        let origin = Origin::new("[::ffff:192.0.2.7]:5000".parse().unwrap(), Channel::Cloud);
        assert_eq!(origin.address, "192.0.2.7:5000".parse().unwrap());
    }

    #[test]
    fn evidence_is_found_by_its_type_alone() {
        let origin = Origin::new("192.0.2.7:5000".parse().unwrap(), Channel::Cloud);
        let peer = Peer::proven(origin, Arc::new(7_u32));
        assert_eq!(peer.evidence::<u32>(), Some(&7));
        assert_eq!(peer.evidence::<u64>(), None);
        assert_eq!(Peer::anonymous(origin).evidence::<u32>(), None);
    }
}
