//! A scripted authorization server behind TLS, a terminal, and somebody at it.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc;

use clap::Parser;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use irgw_core::{Channel, Origin, Transport};
use irgw_tls::{ServerIdentity, server};

use super::*;

#[derive(Debug, Parser)]
pub(super) struct Irgw {
    #[command(flatten)]
    pub(super) oauth: OauthArgs,
}

pub(super) type Form = BTreeMap<String, String>;
/// What the server answers to a path and a form; `None`: it breaks the connection.
pub(super) type Script = fn(&str, &Form) -> Option<(u16, String)>;

/// A scripted authorization server, and a folder with its root and a place for tokens.
pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    pub(super) port: u16,
    pub(super) seen: Arc<Mutex<Vec<(String, Form)>>>,
}

impl World {
    pub(super) fn new(script: Script) -> World {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
        let key = made.signing_key.serialize_pem();
        let identity = ServerIdentity::from_pem(made.cert.pem().as_bytes(), key.as_bytes()).unwrap();
        let tls = server::Server::one_way(identity, Arc::new(SystemClock));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (told, port) = mpsc::channel();
        let kept = seen.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                told.send(listener.local_addr().unwrap().port()).unwrap();
                loop {
                    let (tcp, address) = listener.accept().await.unwrap();
                    serve(&tls, tcp, address, script, &kept).await;
                }
            });
        });
        World { folder, port: port.recv().unwrap(), seen }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The words that name the server, with those of the test before them.
    pub(super) fn args(&self, words: &[&str], redirect_uri: &str) -> OauthArgs {
        let mut all: Vec<String> = ["oauth"].iter().chain(words).map(|word| (*word).to_owned()).collect();
        let server = format!("https://localhost:{}/gateway3/oauth", self.port);
        let (ca, tokens) = (self.path("ca.pem"), self.path("tokens.json"));
        for (option, value) in [
            ("--server", server.as_str()),
            ("--client-id", "tui"),
            ("--redirect-uri", redirect_uri),
            ("--ca", ca.to_str().unwrap()),
            ("--tokens", tokens.to_str().unwrap()),
        ] {
            all.extend([option.to_owned(), value.to_owned()]);
        }
        if redirect_uri.starts_with("https:") {
            let secret = self.path("secret");
            std::fs::write(&secret, "s3cret\n").unwrap();
            std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
            all.extend(["--client-secret-file".to_owned(), secret.to_str().unwrap().to_owned()]);
        }
        Irgw::try_parse_from(all).unwrap().oauth
    }

    /// Runs a cloud client's command.
    pub(super) fn cloud(&self, words: &[&str]) -> Result<String, (u8, String)> {
        let mut out = Vec::new();
        run(&self.args(words, "https://app.example.nz/cb"), &mut Cursor::new(""), &mut out)
            .map_err(|error| (error.exit_code(), error.to_string()))?;
        Ok(String::from_utf8(out).unwrap())
    }

    /// Logs a cloud client in; `paste` makes the pasted address out of the state.
    pub(super) fn log_in(&self, paste: fn(&str) -> String) -> Result<String, (u8, String)> {
        let args = self.args(&["login"], "https://app.example.nz/cb");
        let (screen, printed) = screen();
        let pasted = Pasted { printed, paste, left: Cursor::default() };
        let mut pasted = std::io::BufReader::new(pasted);
        let mut out = screen.clone();
        run(&args, &mut pasted, &mut out).map_err(|error| (error.exit_code(), error.to_string()))?;
        let text = screen.text.lock().unwrap().clone();
        Ok(text)
    }

    pub(super) fn calls(&self, path: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|(seen, _)| seen.ends_with(path)).count()
    }
}

async fn serve(
    tls: &server::Server,
    tcp: tokio::net::TcpStream,
    address: SocketAddr,
    script: Script,
    seen: &Arc<Mutex<Vec<(String, Form)>>>,
) {
    // A client that does not trust the certificate ends here.
    let Ok((stream, _)) = tls.establish(tcp, Origin::new(address, Channel::Desktop)).await else { return };
    let answer = service_fn(|request: Request<Incoming>| async move {
        assert_eq!(request.headers()["host"].to_str().unwrap().split(':').next(), Some("localhost"));
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let form: Form = form_urlencoded(&body);
        seen.lock().unwrap().push((path.clone(), form.clone()));
        let Some((status, body)) = script(&path, &form) else { return Err("it breaks off") };
        let response = Response::builder().status(status).header("content-type", "application/json");
        Ok::<_, &str>(response.body(Full::new(Bytes::from(body))).unwrap())
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

/// The form, by the one parser of queries that is there: that of addresses.
fn form_urlencoded(body: &[u8]) -> Form {
    let text = std::str::from_utf8(body).unwrap();
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A terminal: what is written is kept, and each write is told.
#[derive(Clone)]
pub(super) struct Screen {
    pub(super) text: Arc<Mutex<String>>,
    told: mpsc::Sender<String>,
}

pub(super) fn screen() -> (Screen, mpsc::Receiver<String>) {
    let (told, printed) = mpsc::channel();
    (Screen { text: Arc::default(), told }, printed)
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.text.lock().unwrap().push_str(&text);
        let _ = self.told.send(text);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Waits for the address on the screen; its state.
pub(super) fn state(printed: &mpsc::Receiver<String>) -> String {
    let mut text = String::new();
    while !text.contains("state=") || !text.ends_with('\n') {
        text.push_str(&printed.recv().unwrap());
    }
    let rest = text.split("state=").nth(1).unwrap();
    rest.split(['&', '\n']).next().unwrap().to_owned()
}

/// Somebody who pastes an address, once the one to open is on the screen.
struct Pasted {
    printed: mpsc::Receiver<String>,
    paste: fn(&str) -> String,
    left: Cursor<String>,
}

impl Read for Pasted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left.get_ref().is_empty() {
            self.left = Cursor::new((self.paste)(&state(&self.printed)) + "\n");
        }
        self.left.read(buffer)
    }
}
