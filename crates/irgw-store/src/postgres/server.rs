//! Where a PostgreSQL server is, and how it is reached.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use irgw_core::{Clock, Secret};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, NoTls};

use crate::Error;
use crate::postgres::tls::Tls;

/// A database on a PostgreSQL server. Neither form of it shows the password.
#[derive(Clone)]
pub struct Server {
    config: Box<Config>,
    tls: Option<Tls>,
}

impl Server {
    /// Reads `postgres://USER[:PASSWORD]@HOST[:PORT][,HOST…]/DATABASE[?KEY=VALUE&…]`, as PostgreSQL's own programs do.
    ///
    /// A host is a name, an address, or the percent-encoded folder of a Unix socket. One that is not on this machine is
    /// reached by TLS alone: the key `sslrootcert` names the PEM file of the authorities that the server's certificate must
    /// come from, in `folder` unless its path is absolute. The name in the certificate is compared too, so `sslmode` can
    /// be `verify-full`, or be left out, or be `disable` on this machine. Of several hosts the first that takes changes is
    /// used.
    ///
    /// # Errors
    /// [`Error::Url`], and [`Error::Insecure`] for a host elsewhere without authorities.
    pub fn parse(url: &str, folder: &Path, clock: Arc<dyn Clock>) -> Result<Server, Error> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(Error::Url("it begins with postgres://"));
        }
        let (url, roots) = take_key(url, "sslrootcert");
        let (url, mode) = take_key(&url, "sslmode");
        // What was wrong may quote the password.
        let mut config: Config = url.parse().map_err(|_| Error::Url("it cannot be read"))?;
        if config.get_user().is_none() || config.get_dbname().is_none() || config.get_hosts().is_empty() {
            return Err(Error::Url("it names a user, a host and a database"));
        }
        let elsewhere = config.get_hosts().iter().find(|host| !is_here(host));
        let elsewhere = elsewhere.map(describe).or_else(|| {
            config.get_hostaddrs().iter().find(|address| !address.is_loopback()).map(IpAddr::to_string)
        });
        let roots = match (mode.as_deref(), roots) {
            (Some("disable"), _) => None,
            (None | Some("require" | "verify-full"), Some(roots)) => Some(folder.join(roots)),
            (None, None) => None,
            (Some("require" | "verify-full"), None) if elsewhere.is_none() => {
                return Err(Error::Url("TLS needs sslrootcert=FILE too"));
            }
            (Some("require" | "verify-full"), None) => None,
            _ => return Err(Error::Url("sslmode is verify-full or disable")),
        };
        if let (Some(host), None) = (elsewhere, &roots) {
            return Err(Error::Insecure(host));
        }
        config.ssl_mode(if roots.is_some() { SslMode::Require } else { SslMode::Disable });
        config
            .application_name("irgw")
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(SILENCE)
            .tcp_user_timeout(SILENCE)
            .keepalives_idle(SILENCE)
            .keepalives_interval(Duration::from_secs(1))
            .keepalives_retries(3);
        let tls = roots.map(|roots| Tls { roots, clock });
        Ok(Server { config: Box::new(config), tls })
    }

    /// Whether the URL had a password.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// The same server, with this password.
    #[must_use]
    pub fn with_password(mut self, password: &Secret<String>) -> Server {
        self.config.password(password.expose());
        self
    }

    /// A session, and what carries it until it ends.
    pub(super) async fn connect(&self) -> Result<(Client, Connection), Error> {
        Ok(match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                (client, carry(connection))
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                (client, carry(connection))
            }
        })
    }
}

/// Carries a session's messages; ends with it, or when the server is gone.
pub(super) type Connection = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn carry<S, T>(connection: tokio_postgres::Connection<S, T>) -> Connection
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Its error is what the session's next statement is told.
    Box::pin(async move { drop(connection.await) })
}

/// The URL without a key, and the key's last value.
fn take_key(url: &str, key: &str) -> (String, Option<String>) {
    let Some((address, keys)) = url.split_once('?') else { return (url.to_owned(), None) };
    let is_asked = |pair: &&str| pair.split('=').next() == Some(key);
    let (asked, others): (Vec<_>, Vec<_>) = keys.split('&').partition(is_asked);
    let value = asked.last().map(|pair| pair.split_once('=').unwrap_or_default().1.to_owned());
    (if others.is_empty() { address.to_owned() } else { format!("{address}?{}", others.join("&")) }, value)
}

/// Whether the host is this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn describe(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        // As it stands in a URL.
        Host::Unix(folder) => folder.display().to_string().replace('/', "%2F"),
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hosts, ports) = (self.config.get_hosts(), self.config.get_ports());
        let hosts = hosts.iter().enumerate().map(|(index, host)| {
            // One port is that of all hosts.
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            format!("{}:{port}", describe(host))
        });
        let (user, database) = (self.config.get_user(), self.config.get_dbname());
        let hosts = hosts.collect::<Vec<_>>().join(",");
        write!(f, "postgres://{}@{hosts}/{}", user.unwrap_or_default(), database.unwrap_or_default())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How long a server may be silent before it is taken for gone.
const SILENCE: Duration = Duration::from_secs(4);
