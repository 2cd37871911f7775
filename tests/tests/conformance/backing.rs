//! A backing service of a few lines, which does what no real one would, and remembers what it was asked.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::Result;
use crate::tools::field;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Which connection it came over, counted from 0.
    pub(crate) connection: usize,
    /// Which request of its connection it is, counted from 0.
    pub(crate) nth: usize,
    /// Head and body.
    pub(crate) text: String,
}

impl Seen {
    /// The last segment of its path.
    pub(crate) fn name(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default().rsplit('/').next().unwrap_or_default()
    }
}

/// What it does with a request that was read whole.
pub(crate) enum Reply {
    /// Writes this, and reads the next request.
    Keep(Vec<u8>),
    /// Writes this, and closes the connection.
    Last(Vec<u8>),
    /// Writes the first, and then the second until the connection ends.
    Endless(Vec<u8>, Vec<u8>),
    /// Writes nothing, until the connection ends.
    Silence,
}

/// A good answer.
pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The backing service, which serves until the process ends; a blocked accept has nobody to wake it.
pub(crate) struct Backing {
    pub(crate) url: String,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Default)]
struct Memory {
    seen: Vec<Seen>,
    ended: usize,
}

impl Backing {
    pub(crate) fn start(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Result<Backing> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let (memory, reply) = (Arc::<Mutex<Memory>>::default(), Arc::new(reply));
        let kept = memory.clone();
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let (kept, reply) = (kept.clone(), reply.clone());
                std::thread::spawn(move || {
                    // A connection that breaks is one that ended.
                    let _ = serve(stream, number, &*reply, &kept);
                    kept.lock().unwrap_or_else(PoisonError::into_inner).ended += 1;
                });
            }
        });
        Ok(Backing { url, memory })
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).seen.clone()
    }

    /// How many connections have ended.
    pub(crate) fn ended(&self) -> usize {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).ended
    }
}

fn serve(
    mut stream: TcpStream,
    connection: usize,
    reply: &impl Fn(&Seen) -> Reply,
    memory: &Mutex<Memory>,
) -> std::io::Result<()> {
    for nth in 0.. {
        let Some(text) = request(&mut stream)? else { return Ok(()) };
        let seen = Seen { connection, nth, text };
        memory.lock().unwrap_or_else(PoisonError::into_inner).seen.push(seen.clone());
        match reply(&seen) {
            Reply::Keep(answer) => stream.write_all(&answer)?,
            Reply::Last(answer) => return stream.write_all(&answer),
            Reply::Endless(first, again) => {
                stream.write_all(&first)?;
                loop {
                    stream.write_all(&again)?;
                }
            }
            Reply::Silence => {
                while stream.read(&mut [0; 64])? > 0 {}
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The next request with a body of its Content-Length; `None` when the connection ended before or within it.
fn request(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut buffer)?;
        bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = field(head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Ok(Some(text.into_owned()));
            }
        }
        if count == 0 {
            return Ok(None);
        }
    }
}
