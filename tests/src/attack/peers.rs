//! A hostile SSH client at the demo provider's file server, byte by byte (E03, E04).

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::trial::{Came, PATIENCE, Trial, ended, ensure, survived};
use crate::dev::SftpServer;
use crate::{Error, Target};

pub(super) const TRIALS: &[Trial] = &[
    Trial {
        name: "peers::broken_ssh_ends_the_connection",
        attacks: &["E03"],
        title: "A packet of four gigabytes, one of nothing, a flood before the version and noise after it each end the connection",
        body: |target| at_file_server(target, broken_ssh_ends_the_connection),
    },
    Trial {
        name: "peers::silent_ssh_ends_at_the_deadline",
        attacks: &["E03", "A18"],
        title: "Clients that say nothing have few places between them, are let go at the deadline, and then others are greeted",
        body: |target| at_file_server(target, silent_ssh_ends_at_the_deadline),
    },
];

fn at_file_server(target: &Target, body: fn(&SftpServer) -> Result<Came, Error>) -> Result<Came, Error> {
    let server = target.dev().providers.first().and_then(|provider| provider.sftp.as_ref());
    match server {
        Some(server) => body(server),
        None => Ok(Came::NotRun("dev.json names no file server".into())),
    }
}

/// A connection whose server has said its version.
fn greeted(server: &SftpServer) -> Result<TcpStream, Error> {
    let broken = |error: std::io::Error| Error::Target(format!("{}:{}: {error}", server.host, server.port));
    let mut addresses = (server.host.as_str(), server.port).to_socket_addrs().map_err(broken)?;
    let address = addresses.next().ok_or_else(|| Error::Target(format!("{} has no address", server.host)))?;
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(10)).map_err(broken)?;
    // Longer than the server's deadline, which is what is waited for.
    stream.set_read_timeout(Some(Duration::from_secs(45))).map_err(broken)?;
    stream.set_write_timeout(Some(Duration::from_secs(10))).map_err(broken)?;
    let mut version = [0; 8];
    stream.read_exact(&mut version).map_err(broken)?;
    ensure(&version == b"SSH-2.0-", || format!("the file server says {version:?}"))?;
    Ok(stream)
}

/// A place is free once the server has noticed that another client is gone.
fn eventually_greeted(server: &SftpServer) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match greeted(server) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= deadline => return Err(error),
            // There is nothing to wake us.
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn broken_ssh_ends_the_connection(server: &SftpServer) -> Result<Came, Error> {
    const VERSION: &[u8] = b"SSH-2.0-OpenSSH_9.6\r\n";
    // RFC 4253 §6: a length, a padding length, a payload.
    let packet = |length: u32, rest: &[u8]| [VERSION, &length.to_be_bytes(), rest].concat();
    let attacks = [
        ("a packet of four gigabytes", packet(u32::MAX, &[4, 20]), 1),
        ("a packet of nothing", packet(0, &[0; 64]), 1),
        ("a packet that is all padding", packet(12, &[255; 12]), 1),
        (
            "a service request before any keys",
            packet(28, &[&[10, 5, 0, 0, 0, 12][..], b"ssh-userauth", &[0; 10]].concat()),
            1,
        ),
        ("noise", packet(0x2020_2020, &[0x5a; 4096]), 16),
        ("a version without end", vec![b'x'; 64 * 1024], 64),
        ("another protocol", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), 1),
    ];
    let count = attacks.len();
    for (what, bytes, times) in attacks {
        let mut stream = greeted(server)?;
        for _ in 0..times {
            // The server may have had enough.
            if stream.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = stream.shutdown(std::net::Shutdown::Write);
        ended(&mut stream).map_err(|error| Error::Target(format!("{what}: {error}")))?;
    }
    eventually_greeted(server)?;
    survived(format!("{count} ways to break SSH ended the connection, and the next client is greeted"))
}

fn silent_ssh_ends_at_the_deadline(server: &SftpServer) -> Result<Came, Error> {
    const CLIENTS: usize = 100;
    // Beyond what one address may have, the server greets nobody.
    let mut silent: Vec<_> = (0..CLIENTS).filter_map(|_| greeted(server).ok()).collect();
    let held = silent.len();
    ensure(held < CLIENTS, || format!("one address has {CLIENTS} connections, and none was refused"))?;
    let last = silent.last_mut().ok_or_else(|| Error::Target("the file server greets nobody".into()))?;
    let took = ended(last)?;
    drop(silent);
    eventually_greeted(server)?;
    survived(format!("{held} of {CLIENTS} silent clients were greeted and let go after {took:.0?}"))
}
