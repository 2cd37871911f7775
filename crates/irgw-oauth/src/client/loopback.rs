//! A native application's redirection endpoint: one request on the loopback interface (RFC 8252 §7.3).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::{Host, Url};

use super::{CallbackFault, ClientConfig, Pending};

/// Waits on the loopback interface for the browser to come back.
///
/// It answers one path, on the address that the redirect URI names and no other. Everything else, a request for an icon,
/// a connection that a browser opens ahead and leaves silent, a page somewhere that guesses the port, is answered or
/// dropped and waited past. It needs a tokio runtime with I/O and time.
///
/// ```no_run
/// # use std::time::Duration;
/// # use irgw_oauth::client::{Client, Http, Loopback};
/// # async fn example<H: Http>(client: Client<H>) -> Result<(), Box<dyn std::error::Error>> {
/// let loopback = Loopback::bind(client.config()).await?;
/// let (url, pending) = client.begin_at(loopback.redirect_uri())?;
/// println!("open {url}");
/// let callback = loopback.receive(&pending, Duration::from_secs(600)).await?;
/// let tokens = client.redeem(&pending.finish(&callback, client.now())?).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Loopback {
    listener: TcpListener,
    redirect_uri: String,
    /// `127.0.0.1:49152`, as a browser writes it into `Host`.
    authority: String,
    path: String,
}

/// Why the browser was not waited for, or did not come.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoopbackFault {
    /// None of the client's redirect URIs is on the loopback interface.
    #[error("the client has no redirect URI like http://127.0.0.1/callback")]
    NoLoopbackUri,
    /// None of the ports is free; the last one's trouble.
    #[error("cannot listen for {uri}")]
    Listen {
        /// The last redirect URI that was tried.
        uri: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Nobody came.
    #[error("the browser did not come back in {} s", .0.as_secs())]
    TimedOut(Duration),
    /// No connection can be accepted any more.
    #[error("cannot accept connections")]
    Accept(#[source] io::Error),
}

/// The longest request that is read, in bytes.
const HEAD_LIMIT_BYTES: usize = 16 * 1024;
/// Connections at a time. Browsers open some ahead.
const CONNECTION_LIMIT: usize = 16;
/// How long one connection may take for its request, and for its answer.
const CONNECTION_TIME: Duration = Duration::from_secs(5);

impl Loopback {
    /// Listens for the first of the client's loopback redirect URIs whose port is free; for one that was registered without
    /// a port, on any (OA-4). For `localhost`, on 127.0.0.1.
    ///
    /// # Errors
    /// [`LoopbackFault::NoLoopbackUri`], [`LoopbackFault::Listen`].
    pub async fn bind(config: &ClientConfig) -> Result<Loopback, LoopbackFault> {
        let mut last = LoopbackFault::NoLoopbackUri;
        for uri in config.redirect_uris() {
            let Some((url, address)) = loopback(uri) else { continue };
            match TcpListener::bind(address).await.and_then(|listener| Ok((listener.local_addr()?, listener)))
            {
                Ok((bound, listener)) => {
                    let redirect_uri = with_port(uri, bound.port());
                    let host = url.host_str().unwrap_or_default();
                    let authority = match bound.port() {
                        80 => host.to_owned(),
                        port => format!("{host}:{port}"),
                    };
                    return Ok(Loopback { listener, redirect_uri, authority, path: url.path().to_owned() });
                }
                Err(source) => last = LoopbackFault::Listen { uri: uri.to_owned(), source },
            }
        }
        Err(last)
    }

    /// What to begin the authorization with: [`Client::begin_at`](super::Client::begin_at).
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Waits for the callback of this authorization, for `limit` at most, and shows the customer that the window may be
    /// closed. What comes without its state is not taken (C09). Returns the query, for [`Pending::finish`].
    ///
    /// # Errors
    /// [`LoopbackFault::TimedOut`], [`LoopbackFault::Accept`]. Dropped, the future leaves nothing behind.
    pub async fn receive(&self, pending: &Pending, limit: Duration) -> Result<String, LoopbackFault> {
        timeout(limit, self.wait(pending)).await.map_err(|_| LoopbackFault::TimedOut(limit))?
    }

    async fn wait(&self, pending: &Pending) -> Result<String, LoopbackFault> {
        // Each task ends with a request, or, once that is answered, with none.
        let mut tasks: JoinSet<Option<(TcpStream, Request)>> = JoinSet::new();
        loop {
            let asked = tokio::select! {
                accepted = self.listener.accept(), if tasks.len() < CONNECTION_LIMIT => {
                    let (stream, _) = accepted.map_err(LoopbackFault::Accept)?;
                    tasks.spawn(async move { timeout(CONNECTION_TIME, read(stream)).await.ok().flatten() });
                    continue;
                }
                Some(ended) = tasks.join_next() => ended.ok().flatten(),
            };
            let Some((stream, request)) = asked else { continue };
            let answer = self.judge(&request, pending);
            let task = async move {
                // Whether the window shows something is all that is at stake.
                let _ = timeout(CONNECTION_TIME, write(stream, answer)).await;
            };
            if answer.is_the_callback() {
                task.await;
                return Ok(request.query);
            }
            tasks.spawn(async move {
                task.await;
                None
            });
        }
    }

    fn judge(&self, request: &Request, pending: &Pending) -> Answer {
        // A name that resolves to this machine makes a page of somebody's the same origin as us.
        if request.host != self.authority {
            return Answer::BadRequest;
        }
        if request.path != self.path {
            return Answer::NotFound;
        }
        if request.method != "GET" {
            return Answer::NotAllowed;
        }
        match pending.finish(&request.query, pending.issued_at()) {
            Ok(_) | Err(CallbackFault::Refused(_)) => Answer::Callback,
            Err(_) => Answer::BadRequest,
        }
    }
}

/// The loopback address that a redirect URI names; port 0 where it was registered without one.
fn loopback(uri: &str) -> Option<(Url, SocketAddr)> {
    let url = Url::parse(uri).ok().filter(|url| url.scheme() == "http")?;
    let address = match url.host()? {
        Host::Ipv4(address) => SocketAddr::from((address, url.port().unwrap_or(0))),
        Host::Ipv6(address) => SocketAddr::from((address, url.port().unwrap_or(0))),
        Host::Domain(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, url.port().unwrap_or(80))),
    };
    let is_loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].contains(&address.ip());
    is_loopback.then_some((url, address))
}

/// The registered URI with the port that was chosen, where it has none; letter for letter otherwise (OA-4).
fn with_port(uri: &str, port: u16) -> String {
    for prefix in ["http://127.0.0.1", "http://[::1]"] {
        match uri.strip_prefix(prefix) {
            Some(rest) if !rest.starts_with(':') => return format!("{prefix}:{port}{rest}"),
            _ => {}
        }
    }
    uri.to_owned()
}

/// What is looked at of a request.
struct Request {
    method: String,
    path: String,
    query: String,
    host: String,
}

/// Reads one request's head; `None`: there is none, or it is too long or malformed.
async fn read(mut stream: TcpStream) -> Option<(TcpStream, Request)> {
    let mut head = Vec::with_capacity(2048);
    loop {
        if let Some(request) = parse(&head).ok()? {
            return Some((stream, request));
        }
        if head.len() >= HEAD_LIMIT_BYTES || stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
}

/// The request, if all of its head is there.
fn parse(head: &[u8]) -> Result<Option<Request>, Malformed> {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut fields);
    if parsed.parse(head).map_err(|_| Malformed)?.is_partial() {
        return Ok(None);
    }
    let target = parsed.path.ok_or(Malformed)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut hosts = parsed.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("host"));
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Malformed) };
    let host = str::from_utf8(host.value).map_err(|_| Malformed)?;
    let text = str::to_owned;
    let (method, path, query) = (text(parsed.method.ok_or(Malformed)?), text(path), text(query));
    Ok(Some(Request { method, path, query, host: text(host) }))
}

/// It is no HTTP/1.1 request.
struct Malformed;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Callback,
    BadRequest,
    NotFound,
    NotAllowed,
}

impl Answer {
    fn is_the_callback(self) -> bool {
        self == Answer::Callback
    }
}

async fn write(mut stream: TcpStream, answer: Answer) -> io::Result<()> {
    let (status, page) = match answer {
        Answer::Callback => ("200 OK", PAGE),
        Answer::BadRequest => ("400 Bad Request", ""),
        Answer::NotFound => ("404 Not Found", ""),
        Answer::NotAllowed => ("405 Method Not Allowed\r\nallow: GET", ""),
    };
    let length = page.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {length}\r\n{FIELDS}\r\n"
    );
    stream.write_all(&[head.as_bytes(), page.as_bytes()].concat()).await?;
    stream.shutdown().await
}

/// The address has a code in it: it goes nowhere from here.
const FIELDS: &str = "cache-control: no-store\r\nreferrer-policy: no-referrer\r\nx-content-type-options: nosniff\r\n\
    content-security-policy: default-src 'none'; frame-ancestors 'none'\r\nconnection: close\r\n";

const PAGE: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Done</title></head>\n\
    <body><main><h1>You may close this window</h1>\n\
    <p>The application has the answer. Go back to it.</p></main></body></html>\n";

#[cfg(test)]
mod tests;
