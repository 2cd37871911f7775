//! A token file among processes, some of which die in the middle.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use irgw_core::ClientKind;

use super::super::testing::*;
use super::tests::*;
use super::*;

/// A server on a socket, for other processes. It counts, and answers one request at a time.
fn serve(server: Arc<Server>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut length = String::new();
            stream.read_line(&mut length).unwrap();
            let mut body = vec![0; length.trim().parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
            let response = server.refresh(&body).unwrap();
            let head = format!("{}\n", response.status().as_u16());
            // Whoever asked may be gone: that is what some tests are about.
            let _ = stream.get_mut().write_all(&[head.as_bytes(), response.body()].concat());
        }
    });
    port
}

/// Speaks to [`serve`]: the length and the form there, the status and the JSON back.
struct Socket {
    port: u16,
    dies: String,
}

impl Http for Socket {
    async fn send(&self, request: http::Request<Vec<u8>>) -> Sent {
        if self.dies == "before the request" {
            std::process::abort();
        }
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        writeln!(stream, "{}", request.body().len()).unwrap();
        stream.write_all(request.body()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        if self.dies == "after the answer" {
            std::process::abort();
        }
        let (status, body) = text.split_once('\n').unwrap();
        answer(status.parse().unwrap(), body)
    }
}

fn socket_client(port: u16, dies: &str) -> Client<Socket> {
    let http = Socket { port, dies: dies.to_owned() };
    let clock = Arc::new(TestClock::at(NOW + 28800));
    Client::new(config(ClientKind::Cloud, Some("s3cret")), http, clock)
}

/// What the tests below start as another process: it says which access token it got.
#[test]
#[ignore = "other tests start it as a process of its own"]
fn child() {
    let set = |name| std::env::var(name).unwrap();
    let client = socket_client(set("IRGW_TEST_PORT").parse().unwrap(), &set("IRGW_TEST_DIES"));
    let file = TokenFile::at(set("IRGW_TEST_FILE"));
    // Ready; go when told.
    println!("ready");
    io::stdin().read_line(&mut String::new()).unwrap();
    println!("got {}", access(block_on(file.fresh(&client, MARGIN))));
}

fn spawn(path: &Path, port: u16, dies: &str) -> std::process::Child {
    let test = concat!(module_path!(), "::child").split_once("::").unwrap().1;
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("IRGW_TEST_FILE", path)
        .env("IRGW_TEST_PORT", port.to_string())
        .env("IRGW_TEST_DIES", dies)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Starts them all, lets them go at once, and returns what each said.
fn race(children: Vec<std::process::Child>) -> Vec<String> {
    let mut readers = Vec::new();
    let mut children = children;
    for child in &mut children {
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.ends_with("ready\n") {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0, "it did not start");
        }
        readers.push(reader);
    }
    for child in &mut children {
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    let said = readers.into_iter().map(|mut reader| {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text.lines().find_map(|line| line.strip_prefix("got ")).unwrap_or_default().to_owned()
    });
    let said = said.collect();
    for child in &mut children {
        child.wait().unwrap();
    }
    said
}

#[test]
fn processes_refresh_once_for_an_expiry() {
    let (_folder, path) = folder();
    let (file, _, _) = expired(&path, |_| issued(1));
    let server = Arc::new(Server::default());
    let port = serve(server.clone());
    let said = race((0..4).map(|_| spawn(&path, port, "")).collect());
    assert_eq!(said, ["access-1"; 4]);
    assert_eq!(server.calls.load(Ordering::SeqCst), 1);
    drop(file);
}

/// C11: a process dies between the mark and the answer, or after the answer and before it is written.
#[test]
fn process_that_dies_in_a_refresh_leaves_it_possibly_lost() {
    for (dies, calls) in [("before the request", 0), ("after the answer", 1)] {
        let (_folder, path) = folder();
        let (file, _, _) = expired(&path, |_| issued(1));
        let server = Arc::new(Server::default());
        let port = serve(server.clone());
        assert_eq!(race(vec![spawn(&path, port, dies)]), [""], "it died {dies}");
        let next = block_on(file.fresh(&socket_client(port, ""), MARGIN));
        assert!(matches!(next, Err(RenewError::PossiblyLost { cause: None, .. })), "{dies}: {next:?}");
        let next = race(vec![spawn(&path, port, "")]);
        assert_eq!(next, [""], "{dies}: nobody tries it again");
        assert_eq!(server.calls.load(Ordering::SeqCst), calls, "{dies}");
    }
}
