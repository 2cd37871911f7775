//! A scripted authorization server for tests: it records requests and answers what it was told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use irgw_core::{ClientKind, Clock, Secret};

use super::{Client, ClientConfig, Endpoints, Http, SendFault};

type Request = http::Request<Vec<u8>>;
type Response = http::Response<Vec<u8>>;
type Script = dyn FnMut(&Request) -> Result<Response, SendFault> + Send;

/// An [`Http`] that asks a function.
pub(super) struct Scripted {
    script: Mutex<Box<Script>>,
    pub(super) requests: Arc<Mutex<Vec<Request>>>,
}

impl Http for Scripted {
    async fn send(&self, request: Request) -> Result<Response, SendFault> {
        let answer = (self.script.lock().unwrap())(&request);
        self.requests.lock().unwrap().push(request);
        answer
    }
}

/// A clock in milliseconds, which a test sets.
#[derive(Debug, Clone)]
pub(super) struct TestClock(pub(super) Arc<AtomicU64>);

impl TestClock {
    pub(super) fn at(seconds: u64) -> TestClock {
        TestClock(Arc::new(AtomicU64::new(seconds * 1000)))
    }

    pub(super) fn set(&self, seconds: u64) {
        self.0.store(seconds * 1000, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn since_epoch(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

pub(super) const NOW: u64 = 1_800_000_000;

pub(super) fn config(kind: ClientKind, secret: Option<&str>) -> ClientConfig {
    let uri = match kind {
        ClientKind::Cloud => "https://app.example.nz/cb",
        ClientKind::Native => "http://127.0.0.1/cb",
    };
    let secret = secret.map(|text| Secret::new(text.to_owned()));
    let endpoints = Endpoints::below("https://ir.example.nz/gateway3/oauth");
    ClientConfig::new(&endpoints, "tui".parse().unwrap(), secret, &[uri], kind).unwrap()
}

/// A cloud client whose server is `script`, at [`NOW`].
pub(super) fn client(
    script: impl FnMut(&Request) -> Result<Response, SendFault> + Send + 'static,
) -> (Client<Scripted>, TestClock) {
    let clock = TestClock::at(NOW);
    let http = Scripted { script: Mutex::new(Box::new(script)), requests: Arc::default() };
    (Client::new(config(ClientKind::Cloud, Some("s3cret")), http, Arc::new(clock.clone())), clock)
}

/// The requests that were sent.
pub(super) fn requests(client: &Client<Scripted>) -> Vec<Request> {
    std::mem::take(&mut *client.http.requests.lock().unwrap())
}

pub(super) fn answer(status: u16, body: &str) -> Result<Response, SendFault> {
    let answer = http::Response::builder().status(status).header("content-type", "application/json");
    Ok(answer.body(body.as_bytes().to_vec()).unwrap())
}

/// Tokens number `n` of a family: each with its own access and refresh token.
pub(super) fn issued(n: usize) -> Result<Response, SendFault> {
    answer(
        200,
        &format!(
            r#"{{"access_token":"access-{n}","token_type":"Bearer","expires_in":28800,"scope":"MYIR.Services","refresh_token":"refresh-{n}"}}"#
        ),
    )
}

pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub(super) fn broken() -> Box<dyn std::error::Error + Send + Sync> {
    "connection reset".into()
}
