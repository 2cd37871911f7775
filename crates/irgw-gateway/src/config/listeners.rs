//! `[[listener]]`: the ways in, their hosts and allow-lists (ENV-3, ENV-4, IP-1).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use irgw_core::{Channel, Environment};
use rustls_pki_types::DnsName;
use toml::Spanned;

use super::file::{self, File};
use super::source::Source;
use super::{ClientCertificates, ListenerConfig, Problem};

/// The ways in.
pub(super) fn listeners(
    source: &Source<'_>,
    file: &File,
    environment: Environment,
) -> Result<Vec<ListenerConfig>, Problem> {
    if file.listener.is_empty() {
        return Err(Problem {
            place: Some(source.place(0..0, "listener")),
            message: "there is no [[listener]]; add one with `channel = \"cloud\"`".into(),
        });
    }
    let mut taken: BTreeMap<SocketAddr, usize> = BTreeMap::new();
    let mut listeners = Vec::new();
    for (index, spanned) in file.listener.iter().enumerate() {
        let listener = spanned.get_ref();
        let key = |name: &str| format!("listener[{index}].{name}");
        let listen = source.address(&listener.listen, key("listen"))?;
        if listen.value.port() != 0 && taken.insert(listen.value, index).is_some() {
            return Err(
                listen.problem(format_args!("another listener has {}; give each its own", listen.value))
            );
        }
        let allow = allow(source, spanned, &key("allow"), environment)?;
        let mutual = listener.channel == Channel::Cloud && environment != Environment::Mock;
        listeners.push(ListenerConfig {
            channel: listener.channel,
            listen,
            certificate: source.path(&listener.certificate, key("certificate")),
            key: source.path(&listener.key, key("key")),
            hosts: hosts(source, &listener.hosts, &key("hosts"), environment)?,
            balancers: source.networks(&listener.balancers, &key("balancers"))?,
            allow,
            client_certificates: if mutual {
                ClientCertificates::Required
            } else {
                ClientCertificates::NotAsked
            },
        });
    }
    Ok(listeners)
}

/// IR's own hosts for real customers: nobody is to take a mock gateway for them (G05).
const PRODUCTION_HOSTS: [&str; 1] = ["services.ird.govt.nz"];

fn hosts(
    source: &Source<'_>,
    names: &[Spanned<String>],
    key: &str,
    environment: Environment,
) -> Result<Vec<String>, Problem> {
    let check = |(index, spanned): (usize, &Spanned<String>)| {
        let located = source.locate(spanned, format_args!("{key}[{index}]"));
        let name = match located.value.trim_matches(['[', ']']).parse() {
            Ok(IpAddr::V4(address)) => address.to_string(),
            // As Host has it (RFC 3986 §3.2.2).
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            Err(_) => located.value.to_ascii_lowercase(),
        };
        let is_dns = DnsName::try_from(name.as_str()).is_ok() && !name.ends_with('.');
        if !is_dns && !name.starts_with('[') {
            return Err(located.problem(format_args!(
                "{:?} is not allowed; a host name or an IP address is, without scheme, port or wildcard",
                located.value
            )));
        }
        if environment == Environment::Mock && PRODUCTION_HOSTS.contains(&name.as_str()) {
            return Err(located.problem(format_args!("{name} is not allowed in mock; a host of its own is")));
        }
        Ok(name)
    };
    names.iter().enumerate().map(check).collect()
}

/// The allow-list of a listener; in mock it stands for the client certificate, so it must be one (ENV-4, ENV-5).
fn allow(
    source: &Source<'_>,
    listener: &Spanned<file::Listener>,
    key: &str,
    environment: Environment,
) -> Result<Option<Vec<IpNet>>, Problem> {
    let list = listener.get_ref().allow.as_ref();
    let networks = list.map(|list| source.networks(list, key)).transpose()?;
    let wrong = |message: &str| {
        let place = Some(source.place(listener.span(), key));
        Err(Problem { place, message: message.into() })
    };
    match &networks {
        Some(networks) if networks.is_empty() => {
            wrong("must not be empty: nobody could come in; leave it out, or list networks")
        }
        Some(networks)
            if environment == Environment::Mock && networks.iter().any(|net| net.prefix_len() == 0) =>
        {
            wrong("lets everybody in, which is not allowed in mock; networks longer than /0 are")
        }
        None if environment == Environment::Mock => wrong(
            "is required in mock, where no client certificate is asked for; \
             a list of networks such as [\"127.0.0.0/8\"] is allowed",
        ),
        _ => Ok(networks),
    }
}
