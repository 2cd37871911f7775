//! What trials are made with: the programs of others, the gateway's command line, its records, and a bare TLS connection.

use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use irgw_tests::{Dev, Local, Provider};
use libtest_mimic::Failed;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;

use crate::Result;
use crate::environments::{Ran, ensure, eventually, irgw, ran, text};

/// How long anything may take that is not itself what is timed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A provider, or an error that says that the target has none.
pub(crate) fn provider(dev: &Dev, index: usize) -> Result<&Provider> {
    dev.providers.get(index).ok_or_else(|| Failed::from(format!("the environment has no providers[{index}]")))
}

/// Runs the gateway's command line on the environment's folder.
pub(crate) fn irgw_in(local: &Local, arguments: &[&str]) -> Result<Ran> {
    irgw(&[arguments, &["--dir", text(local.folder())]].concat())
}

/// A token that `irgw m2m sign` makes for a provider's first signing certificate.
pub(crate) fn token(provider: &Provider) -> Result<String> {
    let signing = provider.signing.first().ok_or("no signing certificate")?;
    sign(text(&signing.key), text(&signing.certificate), &signing.issuer)
}

/// A token that `irgw m2m sign` makes.
pub(crate) fn sign(key: &str, certificate: &str, issuer: &str) -> Result<String> {
    let signed = irgw(&["m2m", "sign", "--key", key, "--certificate", certificate, "--issuer", issuer])?;
    ensure(signed.code == Some(0), || format!("irgw m2m sign: {}", signed.err))?;
    Ok(signed.out.trim().to_owned())
}

/// openssl's arguments for a key on P-256.
pub(crate) const P256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// A certificate that openssl makes, self-signed unless `more` says otherwise: the paths of its key and of itself.
pub(crate) fn certificate(
    folder: &Path,
    name: &str,
    key: &[&str],
    days: &str,
    more: &[&str],
) -> Result<(String, String)> {
    let path = |extension: &str| text(&folder.join(format!("{name}.{extension}"))).to_owned();
    let (secret, certificate) = (path("key"), path("crt"));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-nodes", "-days", days, "-subj", &format!("/CN={name}"), "-newkey"]);
    let made = ran(command.args(key).args(["-keyout", &secret, "-out", &certificate]).args(more))?;
    ensure(made.code == Some(0), || made.err.clone())?;
    Ok((secret, certificate))
}

/// What curl came back with.
#[derive(Debug)]
pub(crate) struct Answer {
    /// `000` when there is none.
    pub(crate) status: String,
    /// `1.1` or `2`.
    pub(crate) version: String,
    /// The head and the body, and what curl says of an error.
    pub(crate) text: String,
    /// curl's exit code.
    pub(crate) code: Option<i32>,
}

/// Asks for a URL by curl, as a provider if there is one.
pub(crate) fn curl(dev: &Dev, caller: Option<&Provider>, url: &str, more: &[&str]) -> Result<Answer> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--path-as-is", "--max-time", "20", "--dump-header", "-"]);
    command.args(["--write-out", "\n%{http_code} %{http_version}"]);
    command.args(["--cacert", text(&dev.listeners.cloud.ca_file)]);
    if let Some(provider) = caller {
        command.args(["--cert", text(&provider.certificate), "--key", text(&provider.key)]);
    }
    let ran = ran(command.args(more).arg(url))?;
    let (text, line) = ran.out.rsplit_once('\n').unwrap_or(("", &ran.out));
    let (status, version) = line.split_once(' ').unwrap_or((line, ""));
    let text = if ran.code == Some(0) { text.to_owned() } else { format!("{text}{}", ran.err) };
    Ok(Answer { status: status.into(), version: version.into(), text, code: ran.code })
}

/// Asks the cloud channel by curl as `providers[0]`: the status, and the answer with its head.
pub(crate) fn ask(dev: &Dev, path: &str, token: &str, more: &[&str]) -> Result<(String, String)> {
    ask_as(dev, provider(dev, 0)?, path, token, more)
}

/// Asks the cloud channel by curl as a provider: the status, and the answer with its head.
pub(crate) fn ask_as(
    dev: &Dev,
    caller: &Provider,
    path: &str,
    token: &str,
    more: &[&str],
) -> Result<(String, String)> {
    let authorization = format!("Authorization: {token}");
    let url = format!("{}{path}", dev.listeners.cloud.base_url);
    let answer = curl(dev, Some(caller), &url, &[&["-H", &authorization], more].concat())?;
    Ok((answer.status, answer.text))
}

/// A field of the first head or of a head alone.
pub(crate) fn field(answer: &str, name: &str) -> Option<String> {
    let line = |line: &str| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    };
    answer.lines().take_while(|line| !line.trim().is_empty()).find_map(line)
}

/// Waits for the audit record that fits.
pub(crate) fn recorded(dev: &Dev, fits: impl Fn(&Value) -> bool) -> Result<Value> {
    let look = || -> Result<Option<Value>> {
        let log = std::fs::read_to_string(&dev.audit_log)?;
        Ok(log.lines().filter_map(|line| serde_json::from_str(line).ok()).find(|record| fits(record)))
    };
    let found = eventually(PATIENCE, look, Option::is_some)?;
    found.ok_or_else(|| "no such record".into())
}

/// Waits for the audit record of the answer with this head.
pub(crate) fn record_of(dev: &Dev, answer: &str) -> Result<Value> {
    let id = field(answer, "x-request-id").ok_or_else(|| format!("no request id: {answer}"))?;
    recorded(dev, |record| member(record, "request_id") == id)
}

/// A record's member; empty when it is not there.
pub(crate) fn member<'a>(record: &'a Value, name: &str) -> &'a str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A TLS connection to the cloud channel.
pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Connects to the cloud channel; reads and writes wait for the patience and no longer.
pub(crate) fn connect(dev: &Dev) -> Result<TcpStream> {
    let port = dev.listeners.cloud.base_url.rsplit(':').next().unwrap_or_default();
    let stream = TcpStream::connect(("127.0.0.1", port.parse::<u16>()?))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Connects to the cloud channel as a provider, for an application protocol, and completes the client's handshake.
pub(crate) fn tls(dev: &Dev, caller: &Provider, protocol: &str) -> Result<Tls> {
    let certificates =
        |path: &Path| CertificateDer::pem_file_iter(path)?.collect::<std::result::Result<Vec<_>, _>>();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&dev.listeners.cloud.ca_file)?);
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(
            certificates(&caller.certificate)?,
            PrivateKeyDer::from_pem_file(&caller.key)?,
        )?;
    config.alpn_protocols = vec![protocol.into()];
    let mut connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?;
    let mut stream = connect(dev)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(connection, stream))
}

/// A request's head on the cloud channel, as it goes over [`tls`]; `more` are whole lines.
pub(crate) fn head(dev: &Dev, method: &str, path: &str, token: &str, more: &str) -> String {
    let authority = dev.listeners.cloud.base_url.trim_start_matches("https://");
    format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: {token}\r\n{more}\r\n")
}

/// Reads an answer's head, byte by byte, so that nothing of the body is taken.
pub(crate) fn read_head(stream: &mut impl Read) -> Result<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream
            .read_exact(&mut byte)
            .map_err(|error| format!("no answer: {error} after {:?}", String::from_utf8_lossy(&bytes)))?;
        bytes.extend(byte);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
