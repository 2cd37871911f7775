//! Address allow-lists (IP-1), and the authenticator over one.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use irgw_core::{Authenticator, Barrier, Presented, Proof, Rejection, Rule, Scheme, Verdict};

/// Proves a caller by its address alone: the socket's, or a listed balancer's word (IP-1, ENV-4).
#[derive(Debug)]
pub(crate) struct IpAllow {
    networks: Vec<IpNet>,
}

impl IpAllow {
    /// Admits the addresses in these networks and no others.
    pub(crate) fn new(networks: Vec<IpNet>) -> IpAllow {
        IpAllow { networks }
    }
}

impl Authenticator for IpAllow {
    fn scheme(&self) -> Scheme {
        Scheme::IpAllow
    }

    fn authenticate(&self, presented: &Presented<'_>) -> Verdict {
        let address = presented.peer.origin.ip();
        if contains(&self.networks, address) {
            Verdict::Accept(Proof::Address)
        } else {
            let cause = format!("address {address} is not on the listener's allow-list");
            Verdict::Reject(Rejection::not_permitted(Rule::Ip1, Barrier::Provider, cause))
        }
    }
}

/// Whether the address lies in one of the networks; an IPv4-mapped one is IPv4.
pub(crate) fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// Parses a network in CIDR notation, or a single address.
///
/// # Errors
/// [`InvalidNetwork`]: not CIDR, host bits set, or an IPv4-mapped IPv6 network (written as IPv4 instead).
pub(crate) fn network(text: &str) -> Result<IpNet, InvalidNetwork> {
    let network: IpNet = match text.parse::<IpAddr>() {
        Ok(address) => address.into(),
        Err(_) => text.parse().map_err(|_| InvalidNetwork::Syntax(text.to_owned()))?,
    };
    if network.trunc() != network {
        return Err(InvalidNetwork::HostBits { text: text.to_owned(), meant: network.trunc() });
    }
    if matches!(network, IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some()) {
        return Err(InvalidNetwork::Mapped(text.to_owned()));
    }
    Ok(network)
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum InvalidNetwork {
    /// Neither an address nor CIDR notation.
    Syntax(String),
    /// Bits are set behind the prefix.
    HostBits {
        /// The text.
        text: String,
        /// The network that it lies in.
        meant: IpNet,
    },
    /// An IPv4-mapped IPv6 network.
    Mapped(String),
}

impl fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidNetwork::Syntax(text) => {
                write!(f, "{text:?} is not allowed; an address or a network such as 192.0.2.0/24 is")
            }
            InvalidNetwork::HostBits { text, meant } => {
                write!(f, "{text:?} has bits set behind its prefix; did you mean {meant}")
            }
            InvalidNetwork::Mapped(text) => write!(f, "{text:?} is IPv4-mapped; write it as an IPv4 network"),
        }
    }
}

impl std::error::Error for InvalidNetwork {}

#[cfg(test)]
mod tests {
    use super::*;

    /// D08: what an address is compared by has one spelling.
    #[test]
    fn mapped_address_matches_as_ipv4_and_others_do_not() {
        let networks = [network("192.0.2.0/25").unwrap(), network("2001:db8::/33").unwrap()];
        for (address, expected) in [
            ("192.0.2.0", true),
            ("192.0.2.127", true),
            ("192.0.2.128", false),
            ("192.0.1.255", false),
            ("::ffff:192.0.2.5", true),
            ("64:ff9b::192.0.2.5", false),
            ("2001:db8:7fff::1", true),
            ("2001:db8:8000::1", false),
        ] {
            assert_eq!(contains(&networks, address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn odd_networks_are_refused() {
        for text in ["", "192.0.2", "192.0.2.0/33", "0192.0.2.1", "192.0.2.0x1", "fe80::1%eth0", "any"] {
            assert!(matches!(network(text), Err(InvalidNetwork::Syntax(_))), "{text}");
        }
        assert!(matches!(network("192.0.2.1/24"), Err(InvalidNetwork::HostBits { .. })));
        assert!(matches!(network("::ffff:192.0.2.0/120"), Err(InvalidNetwork::Mapped(_))));
        assert_eq!(network("192.0.2.1"), network("192.0.2.1/32"));
    }
}
