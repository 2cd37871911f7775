//! A provider's SFTP server as Inland Revenue will find it: its host key, and that a key which nobody let in stays out.

use std::path::PathBuf;
use std::str::FromStr;

use irgw_core::{Channel, Origin, Refusal, Rule, Transport};
use irgw_sftp::ssh::{Client, Curve, Error, HostPin, HostPins, PrivateKey, Target, Timeouts};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::report::Report;
use crate::bounded::{self, Readers};
use crate::commands::CommandError;
use crate::handle::causes;

/// Where a file server is: `USER@HOST:PORT`, the port 22 unless it is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) user: String,
    pub(super) host: String,
    pub(super) port: u16,
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Address, &'static str> {
        const FORM: &str = "it has the form USER@HOST:PORT";
        let (user, place) = text.rsplit_once('@').ok_or(FORM)?;
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') => (host, port.parse().map_err(|_| FORM)?),
            _ => (place, 22),
        };
        let host = host.trim_matches(['[', ']']);
        if user.is_empty() || host.is_empty() {
            return Err(FORM);
        }
        Ok(Address { user: user.into(), host: host.into(), port })
    }
}

/// A file server, and the file with the public half of its host key.
#[derive(Debug)]
pub(super) struct FileServer {
    pub(super) address: Address,
    pub(super) host_key: PathBuf,
}

const WHAT: &str = "file server";

/// Connects to it with a key that was made this moment.
///
/// # Errors
/// When the file with its host key cannot be read.
pub(super) async fn look(server: &FileServer, report: &mut Report) -> Result<(), CommandError> {
    let pin = pin(server)?;
    let key = PrivateKey::generate(Curve::P256).map_err(CommandError::caused)?;
    let Address { user, host, port } = &server.address;
    let timeouts = Timeouts::default();
    let connecting = timeout(timeouts.establish, TcpStream::connect((host.as_str(), *port))).await;
    let connected = connecting.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    let (place, tcp) = match connected.and_then(|tcp| Ok((tcp.peer_addr()?, tcp))) {
        Ok(connected) => connected,
        Err(error) => {
            let found = format!("no connection to {host}:{port}: {error}");
            report.bad(WHAT, Rule::Sftp1, found, "look at name, port and firewall");
            return Ok(());
        }
    };
    let fingerprint = pin.fingerprint();
    let target = Target { user: user.clone(), key, pins: HostPins::only(pin), timeouts };
    match Client::new(target).establish(tcp, Origin::new(place, Channel::Cloud)).await {
        Err(Error::KeyRefused { .. }) => {
            report.good(
                WHAT,
                Rule::Sftp2,
                format!("its host key is {fingerprint}, and a stranger's key is refused"),
            );
        }
        Err(error @ Error::HostKey(_)) => {
            let advice = "hand over the key that it has, or see who stands between";
            report.bad(WHAT, Rule::Sftp2, causes(&error), advice);
        }
        Err(error) => {
            report.bad(
                WHAT,
                error.rule(),
                causes(&error),
                "serve SSH 2.0 with sftp, ECDSA keys and AES-GCM; keys alone",
            );
        }
        Ok(_) => {
            let found = format!("it lets {user} in with any key");
            report.bad(WHAT, Rule::Sftp2, found, "admit Inland Revenue's key alone");
        }
    }
    Ok(())
}

fn pin(server: &FileServer) -> Result<HostPin, CommandError> {
    let file = &server.host_key;
    let unusable = |why: &dyn std::fmt::Display| CommandError::unusable(why).about(file);
    let bytes = bounded::read(file, 64 * 1024, Readers::Anybody).map_err(|error| unusable(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| unusable(&"it is not text"))?;
    text.trim().parse().map_err(|error| unusable(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_user_host_and_port() {
        let address =
            |user: &str, host: &str, port| Ok(Address { user: user.into(), host: host.into(), port });
        assert_eq!("ird@sftp.example.nz".parse(), address("ird", "sftp.example.nz", 22));
        assert_eq!("ird@sftp.example.nz:2022".parse(), address("ird", "sftp.example.nz", 2022));
        assert_eq!("ird@[::1]:2022".parse(), address("ird", "::1", 2022));
        for wrong in ["sftp.example.nz", "@host", "ird@", "ird@host:port", "ird@host:70000"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
