//! An internal service behind the gateway: it links `irgw-m2m` alone, and answers nobody whom the gateway did not send.
//!
//! ```text
//! cargo run -p irgw-m2m --example internal_service -- JWKS AUDIENCE [ADDRESS]
//! ```
//!
//! `--help` says what these are; docs/backing-services.md walks through it beside `irgw dev`.
//!
//! Each request must carry one `X-Gateway-Identity` with a token that the gateway signed for this service. The answer
//! says who is calling; everything else is 401. A real service reads its requests with an HTTP server and keeps the three lines of [`caller`].

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use irgw_core::UnixTime;
use irgw_m2m::identity::{self, Identity, Jwks};

const HELP: &str = "\
An internal service behind the gateway: it says who is calling, and refuses whom the gateway did not send.

Usage: internal_service JWKS AUDIENCE [ADDRESS]

  JWKS      a file with the gateway's public keys, from /identity/jwks.json on its operator's listener
  AUDIENCE  the name of this service in the gateway's service table, e.g. account
  ADDRESS   where to listen; 127.0.0.1:8085 unless said otherwise
";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (keys, audience, address) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--help" | "-h", ..] => return Ok(write!(std::io::stdout(), "{HELP}")?),
        [keys, audience] => (keys, audience.to_owned(), "127.0.0.1:8085"),
        [keys, audience, address] => (keys, audience.to_owned(), address),
        _ => return Err("JWKS and AUDIENCE are needed; --help says what they are".into()),
    };
    let service = Service { keys: Jwks::from_json(&std::fs::read_to_string(keys)?)?, audience };

    let listener = TcpListener::bind(address)?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    for stream in listener.incoming() {
        // One caller's broken connection is not the service's end.
        if let Err(error) = stream.and_then(|stream| service.answer(stream)) {
            writeln!(std::io::stderr(), "a connection failed: {error}")?;
        }
    }
    Ok(())
}

struct Service {
    keys: Jwks,
    audience: String,
}

impl Service {
    /// Who is calling: the whole of what a service has to do.
    fn caller(&self, field: Option<&str>, now: UnixTime) -> Result<Identity, String> {
        let token = field.ok_or("no X-Gateway-Identity, or more than one")?;
        identity::verify(token, &self.keys, &self.audience, now).map_err(|error| error.to_string())
    }

    /// Reads one request and answers it.
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let field = identity_field(&stream)?;
        let (status, body) = match self.caller(field.as_deref(), UnixTime::now()) {
            Ok(caller) => ("200 OK", greeting(&caller)),
            // Why is for the log: a caller who came past the gateway learns nothing.
            Err(reason) => {
                writeln!(std::io::stderr(), "refused: {reason}")?;
                ("401 Unauthorized", "unauthorized\n".to_owned())
            }
        };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    }
}

/// Reads a request's head, and finds the one field that matters; two of them count as none.
fn identity_field(stream: &TcpStream) -> std::io::Result<Option<String>> {
    let mut head = BufReader::new(stream).take(64 * 1024);
    let mut found = Vec::new();
    let mut line = String::new();
    while head.read_line(&mut line)? > 2 {
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("x-gateway-identity") => {
                found.push(value.trim().to_owned());
            }
            _ => {}
        }
        line.clear();
    }
    Ok(found.pop().filter(|_| found.is_empty()))
}

fn greeting(caller: &Identity) -> String {
    let unnamed = "(none)";
    format!(
        "provider       {}\nresource owner {}\nlogon          {}\nmechanism      {}\nenvironment    {}\n",
        caller.provider.as_ref().map_or(unnamed, |provider| provider.as_str()),
        caller.owner.as_ref().map_or(unnamed, |owner| owner.as_str()),
        caller.logon.as_ref().map_or(unnamed, |logon| logon.as_str()),
        caller.mechanism,
        caller.environment,
    )
}
