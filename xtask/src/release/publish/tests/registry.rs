//! A registry on loopback, as far as cargo asks one: a sparse index, downloads, and the call that publishes
//! (The Cargo Book, "Registry Index" and "Registry Web API").

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::release::checksums::sha256;

/// The registry; its thread ends with the test's process.
pub(super) struct Local {
    address: SocketAddr,
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Default)]
struct Shelf {
    /// In the order of their arrival: the line of the index, and the package.
    crates: Vec<(String, Value, Vec<u8>)>,
    refused: String,
}

impl Local {
    pub(super) fn start() -> Local {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let served = shelf.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // Cargo closes connections as it likes.
                let _ = answer(stream.unwrap(), address, &served);
            }
        });
        Local { address, shelf }
    }

    /// Where its index is, as cargo's configuration has it.
    pub(super) fn index(&self) -> String {
        format!("sparse+http://{}/index/", self.address)
    }

    /// From now on, this crate is not taken.
    pub(super) fn refuse(&self, name: &str) {
        self.shelf.lock().unwrap().refused = name.into();
    }

    /// The names of the crates that were taken, in order.
    pub(super) fn published(&self) -> Vec<String> {
        self.shelf.lock().unwrap().crates.iter().map(|(name, ..)| name.clone()).collect()
    }
}

fn answer(mut stream: TcpStream, address: SocketAddr, shelf: &Mutex<Shelf>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut fields = BTreeMap::new();
    for line in reader.by_ref().lines() {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        fields.insert(name.to_lowercase(), value.to_owned());
    }
    let length = fields.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = first.split(' ').nth(1).unwrap();
    let mut shelf = shelf.lock().unwrap();
    let found = match (first.split(' ').next().unwrap(), path) {
        ("GET", "/index/config.json") => Some(
            json!({ "dl": format!("http://{address}/dl"), "api": format!("http://{address}") })
                .to_string()
                .into(),
        ),
        ("GET", path) if path.starts_with("/index/") => {
            let named = |(name, ..): &&(String, Value, Vec<u8>)| path.ends_with(&format!("/{name}"));
            shelf.crates.iter().find(named).map(|(_, line, _)| format!("{line}\n").into_bytes())
        }
        ("GET", path) => {
            let named = |(name, ..): &&(String, Value, Vec<u8>)| path.starts_with(&format!("/dl/{name}/"));
            shelf.crates.iter().find(named).map(|(.., package)| package.clone())
        }
        ("PUT", "/api/v1/crates/new")
            if fields.get("authorization").is_some_and(|token| token == "secret") =>
        {
            Some(shelf.take(&body).to_string().into_bytes())
        }
        _ => None,
    };
    let (status, body) = found.map_or(("404 Not Found", vec![]), |body| ("200 OK", body));
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body)
}

impl Shelf {
    /// Takes what is published: a length and the metadata, a length and the package.
    fn take(&mut self, body: &[u8]) -> Value {
        let piece = |at: usize| {
            let length = u32::from_le_bytes(body[at..at + 4].try_into().unwrap()) as usize;
            &body[at + 4..at + 4 + length]
        };
        let metadata: Value = serde_json::from_slice(piece(0)).unwrap();
        let package = piece(4 + piece(0).len());
        let name = metadata["name"].as_str().unwrap();
        if name == self.refused {
            return json!({ "errors": [{ "detail": "the shelf is full" }] });
        }
        let deps: Vec<Value> = metadata["deps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|dependency| {
                let mut entry = dependency.clone();
                entry["req"] = entry["version_req"].take();
                entry
            })
            .collect();
        let line = json!({ "name": name, "vers": metadata["vers"], "deps": deps, "features": {}, "yanked": false,
            "cksum": sha256(package) });
        self.crates.push((name.to_owned(), line, package.to_vec()));
        json!({ "warnings": { "invalid_categories": [], "invalid_badges": [], "other": [] } })
    }
}
