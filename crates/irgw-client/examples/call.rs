//! A provider's request: mutual TLS and a token that it signs, to an `irgw dev` or to whatever a `dev.json` describes.
//!
//! ```text
//! cargo run -p irgw-client --example call -- FOLDER PATH
//! ```

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use bytes::Bytes;
use http::Request;
use irgw_client::tls::ClientIdentity;
use irgw_client::tls::client::ServerRoots;
use irgw_client::{Client, Signer, UnixTime};
use serde_json::Value;

const HELP: &str = "\
Sends GET PATH through the gateway that FOLDER/dev.json describes, as its first provider, with a token of its first signing
certificate, and prints what comes back.

Usage: call FOLDER PATH
Example: call irgw-dev /gateway/account/1
Exit codes: 0 a service answered, 1 there is no answer and why.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let said = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [folder, path] if !folder.starts_with('-') => call(Path::new(folder), path),
        _ => Ok(HELP.to_owned()),
    };
    let (text, code) = match said {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(error) => (format!("{}\n", causes(&*error)), ExitCode::FAILURE),
    };
    let _ = std::io::stdout().write_all(text.as_bytes());
    code
}

fn call(folder: &Path, path: &str) -> Result<String, Box<dyn Error>> {
    let dev: Value = serde_json::from_slice(&std::fs::read(folder.join("dev.json"))?)?;
    let text = |pointer: &str| {
        dev.pointer(pointer).and_then(Value::as_str).ok_or_else(|| format!("dev.json has no {pointer}"))
    };
    let file = |pointer: &str| -> Result<Vec<u8>, Box<dyn Error>> { Ok(std::fs::read(text(pointer)?)?) };

    let identity = ClientIdentity::from_pem(&file("/providers/0/certificate")?, &file("/providers/0/key")?)?;
    let (key, certificate) =
        (file("/providers/0/signing/0/key")?, file("/providers/0/signing/0/certificate")?);
    let signer =
        Signer::from_pem(&key, &certificate, text("/providers/0/signing/0/issuer")?, UnixTime::now())?;
    let client = Client::builder(text("/listeners/cloud/base_url")?)
        .roots(ServerRoots::from_pem(&file("/listeners/cloud/ca_file")?)?)
        .identity(identity)
        .build()?
        .with(signer);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(client.send(Request::get(path).body(Bytes::new())?))?;
    Ok(format!("{}\n{}\n", answer.status(), String::from_utf8_lossy(answer.body())))
}

/// The error and what it comes from, in a line.
fn causes(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", causes(source)),
        None => error.to_string(),
    }
}
