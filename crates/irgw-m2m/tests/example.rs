//! The example service answers whom the gateway sent, and nobody else.
#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows them in tests, which clippy takes for #[test] functions alone"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use irgw_core::{Environment, Scheme, UnixTime};
use irgw_m2m::identity::{Identity, IdentityKey, Jwks, sign};

/// The example, running; stopped when dropped.
struct Service {
    process: Child,
    address: String,
}

impl Service {
    fn start(keys: &str) -> Service {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys");
        std::fs::write(&file, keys).unwrap();
        let mut process = Command::new(example())
            .args([file.to_str().unwrap(), "account", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Service { process, address }
    }

    fn ask(&self, fields: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Cargo builds examples beside the tests: `<target>/<profile>/examples` is next to this test's own `deps`.
fn example() -> std::path::PathBuf {
    let own = std::env::current_exe().unwrap();
    let profile = own.parent().and_then(|deps| deps.parent()).unwrap();
    profile.join("examples/internal_service").with_extension(std::env::consts::EXE_EXTENSION)
}

#[test]
fn it_answers_whom_the_gateway_sent() {
    if !example().exists() {
        // Not println: libtest keeps what a passing test prints.
        let reason = "the example is not built; `cargo test` without `--test` builds it";
        let _ = std::io::stderr().write_all(format!("SKIPPED: {reason}\n").as_bytes());
        return;
    }
    let (key, _) = IdentityKey::generate().unwrap();
    let (stranger, _) = IdentityKey::generate().unwrap();
    let token = |key: &IdentityKey, audience: &str| {
        let identity = Identity {
            provider: "kowhai-payroll".parse().ok(),
            owner: "kowhai".parse().ok(),
            ..Identity::new(
                "g",
                audience,
                Environment::Test,
                Scheme::M2m,
                UnixTime::now(),
                Duration::from_secs(60),
            )
        };
        sign(&identity, key).unwrap()
    };
    let service = Service::start(&Jwks::of([key.public()]).to_json());
    let good = format!("X-Gateway-Identity: {}\r\n", token(&key, "account"));
    let answer = service.ask(&good);
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains("provider       kowhai-payroll\n"),
        "{answer}"
    );
    for refused in [
        String::new(),
        good.repeat(2),
        format!("X-Gateway-Identity: {}\r\n", token(&key, "income")),
        format!("X-Gateway-Identity: {}\r\n", token(&stranger, "account")),
        "X-Gateway-Identity: a.b.c\r\n".to_owned(),
    ] {
        assert!(service.ask(&refused).starts_with("HTTP/1.1 401 "), "{refused}");
    }
}
