//! A long way to the server: a TCP proxy that hands everything on a fixed time after it came, as much of it as comes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;

/// Listens on a loopback port until the program ends. Each byte arrives half a round trip later, in either direction.
///
/// What is on its way is held in memory, without a bound: both ends bound what they send ahead.
pub(super) fn listen(server: SocketAddr, round_trip: Duration) -> Result<SocketAddr, Error> {
    let bind = || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok::<_, std::io::Error>((listener.local_addr()?, listener))
    };
    let (address, listener) = bind().map_err(Error::step("listen for the delaying proxy"))?;
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            // A client whose server cannot be reached sees its connection close.
            if let Ok(far) = TcpStream::connect(server) {
                let _ = join(near, far, round_trip / 2);
            }
        }
    });
    Ok(address)
}

fn join(near: TcpStream, far: TcpStream, delay: Duration) -> std::io::Result<()> {
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    forward(near.try_clone()?, far.try_clone()?, delay);
    forward(far, near, delay);
    Ok(())
}

/// Hands on what is read from one side, and its end.
fn forward(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 256 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let piece = buffer.get(..read).unwrap_or_default().to_vec();
            if sender.send((Instant::now() + delay, piece)).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (due, piece) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&piece).is_err() {
                break;
            }
        }
        // Whoever reads there sees the end; the connection may be gone already.
        let _ = to.shutdown(Shutdown::Write);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_takes_a_round_trip_and_is_whole() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let round_trip = Duration::from_millis(20);
        let address = listen(server.local_addr().unwrap(), round_trip).unwrap();
        let echo = thread::spawn(move || {
            let (mut connection, _) = server.accept().unwrap();
            let mut got = Vec::new();
            connection.read_to_end(&mut got).unwrap();
            connection.write_all(&got).unwrap();
        });
        let sent = vec![7; 1_000_000];
        let began = Instant::now();
        let mut connection = TcpStream::connect(address).unwrap();
        connection.write_all(&sent).unwrap();
        connection.shutdown(Shutdown::Write).unwrap();
        let mut got = Vec::new();
        connection.read_to_end(&mut got).unwrap();
        assert!(began.elapsed() >= round_trip);
        assert_eq!(got, sent);
        echo.join().unwrap();
    }
}
