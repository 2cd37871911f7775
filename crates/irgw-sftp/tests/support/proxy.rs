//! A network that fails: a TCP proxy that cuts a connection, or lets it stall, after a given number of bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What becomes of one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fate {
    /// How many bytes go through.
    pub(crate) bytes: u64,
    /// Which bytes are counted.
    pub(crate) direction: Direction,
    /// What happens then.
    pub(crate) fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection ends at once, in both directions.
    Cut,
    /// Nothing more goes through in that direction until [`Proxy::recover`]. Then all that was sent arrives, late.
    Stall,
}

/// A proxy in front of a server on the loopback.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    fates: Arc<Mutex<VecDeque<Fate>>>,
    recovered: watch::Sender<u64>,
    under_way: Arc<Mutex<JoinSet<()>>>,
    _listening: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn before(port: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own_port = listener.local_addr().unwrap().port();
        let fates = Arc::new(Mutex::new(VecDeque::<Fate>::new()));
        let (recovered, recovery) = watch::channel(0);
        let under_way = Arc::new(Mutex::new(JoinSet::new()));
        let mut listening = JoinSet::new();
        let (next, connections) = (fates.clone(), under_way.clone());
        listening.spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let fate = next.lock().unwrap().pop_front();
                connections.lock().unwrap().spawn(connect(near, far, fate, recovery.clone()));
            }
        });
        Proxy { port: own_port, fates, recovered, under_way, _listening: listening }
    }

    /// What becomes of the next connections, in the order in which they are made. Nothing happens to those after them.
    pub(crate) fn expect(&self, fates: impl IntoIterator<Item = Fate>) {
        *self.fates.lock().unwrap() = fates.into_iter().collect();
    }

    /// Lets go on what stalls.
    pub(crate) fn recover(&self) {
        self.recovered.send_modify(|times| *times += 1);
    }

    /// Lets go on what stalls, from now on, and waits until all connections have ended.
    pub(crate) async fn ended(&self) {
        self.recovered.send_replace(FOR_GOOD);
        let mut connections = std::mem::take(&mut *self.under_way.lock().unwrap());
        while connections.join_next().await.is_some() {}
    }
}

/// In place of how often the network has recovered.
const FOR_GOOD: u64 = u64::MAX;

async fn connect(near: TcpStream, far: TcpStream, fate: Option<Fate>, recovery: watch::Receiver<u64>) {
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (near.into_split(), far.into_split());
    let in_direction = |direction| fate.filter(|fate| fate.direction == direction);
    let mut directions = JoinSet::new();
    directions.spawn(forward(from_client, to_server, in_direction(Direction::ToServer), recovery.clone()));
    directions.spawn(forward(from_server, to_client, in_direction(Direction::ToClient), recovery));
    while let Some(ended) = directions.join_next().await {
        if ended.is_ok_and(|end| end == End::Cut) {
            // The other direction is dropped, and its sockets with it.
            return;
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Closed,
    Cut,
}

async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    fate: Option<Fate>,
    mut recovery: watch::Receiver<u64>,
) -> End {
    if let Some(Fate { bytes, fault, .. }) = fate {
        let begun = *recovery.borrow();
        match tokio::io::copy(&mut (&mut from).take(bytes), &mut to).await {
            Ok(passed) if passed < bytes => return close(to).await,
            Ok(_) if fault == Fault::Stall => {
                drop(recovery.wait_for(|times| *times > begun || *times == FOR_GOOD).await)
            }
            Ok(_) | Err(_) => return End::Cut,
        }
    }
    let _ = tokio::io::copy(&mut from, &mut to).await;
    close(to).await
}

async fn close(mut to: impl AsyncWrite + Unpin) -> End {
    let _ = to.shutdown().await;
    End::Closed
}
