//! The load: as fast as it goes, at a constant rate, handshakes alone, or connections that do nothing.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Connection, Target};
use super::process::Process;
use super::statistics::percentile;
use crate::Error;

/// The generator's threads; it shares the machine's cores with the servers.
const THREADS: usize = 2;

/// Connections of a saturating load, over all threads.
pub(super) const CONNECTIONS: usize = 64;

/// Handshakes under way at once.
const HANDSHAKING: usize = 16;

/// Connections of a load at a constant rate, each a thread of its own.
const PACED: u32 = 32;

/// Before each measurement, so that caches, pools and frequencies are as they stay.
const WARM_UP: Duration = Duration::from_millis(500);

/// What one measurement counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Counted {
    /// Requests, or handshakes, per second.
    pub(super) per_second: f64,
    /// The server's CPU time for each, microseconds; the generator's is not in it.
    pub(super) cpu_us: f64,
    /// How much of the machine's time the server took, in cores.
    pub(super) cores: f64,
}

/// Requests over kept-alive connections, as many as the server answers.
///
/// Each thread goes round its connections: it waits for an answer and sends the next request at once, so that all
/// other connections have a request under way.
pub(super) fn saturate(target: &Target, server: &Process, span: Duration) -> Result<Counted, Error> {
    measure(server, span, |gate, count, stop| {
        let open = |_| target.connect();
        let mut connections = (0..CONNECTIONS / THREADS).map(open).collect::<Result<Vec<_>, _>>()?;
        gate.wait();
        for connection in &mut connections {
            connection.send(target)?;
        }
        while !stop.load(Ordering::Relaxed) {
            for connection in &mut connections {
                connection.receive()?;
                count.fetch_add(1, Ordering::Relaxed);
                connection.send(target)?;
            }
        }
        connections.iter_mut().try_for_each(Connection::receive)
    })
}

/// What one connection asks, each request made of the answer before.
pub(super) trait Dialogue: Send {
    /// The next request; `None`: there is nothing left to ask.
    fn request(&mut self) -> Option<Vec<u8>>;

    /// Is told the answer's body.
    fn answered(&mut self, body: &str) -> Result<(), Error>;
}

/// As [`saturate`], with a dialogue on each connection; they can go on afterwards.
pub(super) fn converse<D: Dialogue>(
    target: &Target,
    server: &Process,
    span: Duration,
    dialogues: &mut [D],
) -> Result<Counted, Error> {
    let each = dialogues.len().div_ceil(THREADS).max(1);
    let shares: Vec<_> = dialogues.chunks_mut(each).collect();
    let shares = Mutex::new(shares);
    measure(server, span, |gate, count, stop| {
        let share = shares.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let open = |dialogue| Ok((target.connect()?, dialogue));
        let mut pairs = share.iter_mut().map(open).collect::<Result<Vec<_>, Error>>()?;
        let ask = |connection: &mut Connection, dialogue: &mut D| {
            let request = dialogue.request().ok_or(Error::Server {
                server: server.name,
                complaint: "was faster than expected: there is nothing left to ask it".into(),
            })?;
            connection.ask(&request)
        };
        gate.wait();
        for (connection, dialogue) in &mut pairs {
            ask(connection, dialogue)?;
        }
        while !stop.load(Ordering::Relaxed) {
            for (connection, dialogue) in &mut pairs {
                connection.receive()?;
                dialogue.answered(connection.body())?;
                count.fetch_add(1, Ordering::Relaxed);
                ask(connection, dialogue)?;
            }
        }
        pairs.iter_mut().try_for_each(|(connection, dialogue)| {
            connection.receive()?;
            dialogue.answered(connection.body())
        })
    })
}

/// Full handshakes, each on a new TCP connection that is then closed, as many as the server makes.
pub(super) fn handshakes(target: &Target, server: &Process, span: Duration) -> Result<Counted, Error> {
    measure(server, span, |gate, count, stop| {
        gate.wait();
        thread::scope(|scope| {
            let workers: Vec<_> = (0..HANDSHAKING / THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        while !stop.load(Ordering::Relaxed) {
                            let connection = target.connect()?;
                            if connection.is_resumed() {
                                let complaint = "resumed a session".into();
                                return Err(Error::Server { server: server.name, complaint });
                            }
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(())
                    })
                })
                .collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
        })
    })
}

/// Runs `work` in each of the generator's threads; counts between the end of the warm-up and the end of the span.
///
/// `work` waits at the gate when it is ready, and returns soon after the stop sign.
fn measure<W>(server: &Process, span: Duration, work: W) -> Result<Counted, Error>
where
    W: Fn(&Gate<'_>, &AtomicU64, &AtomicBool) -> Result<(), Error> + Sync,
{
    let barrier = Barrier::new(THREADS + 1);
    let count = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let work = &work;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let gate = Gate::new(&barrier);
                    work(&gate, &count, &stop)
                })
            })
            .collect();
        barrier.wait();
        thread::sleep(WARM_UP);
        let before = Reading::take(server, &count);
        thread::sleep(span);
        let after = Reading::take(server, &count);
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))?;
        counted(before?, after?)
    })
}

/// Where a thread says that it is ready; one that fails before says so too, or all would wait for it.
struct Gate<'a> {
    barrier: &'a Barrier,
    passed: AtomicBool,
}

impl<'a> Gate<'a> {
    fn new(barrier: &'a Barrier) -> Gate<'a> {
        Gate { barrier, passed: AtomicBool::new(false) }
    }

    fn wait(&self) {
        if !self.passed.swap(true, Ordering::Relaxed) {
            self.barrier.wait();
        }
    }
}

impl Drop for Gate<'_> {
    fn drop(&mut self) {
        self.wait();
    }
}

/// A moment's counts.
struct Reading {
    at: Instant,
    count: u64,
    cpu: Duration,
}

impl Reading {
    fn take(server: &Process, count: &AtomicU64) -> Result<Reading, Error> {
        Ok(Reading { at: Instant::now(), count: count.load(Ordering::Relaxed), cpu: server.cpu()? })
    }
}

fn counted(before: Reading, after: Reading) -> Result<Counted, Error> {
    let requests = after.count.saturating_sub(before.count);
    if requests == 0 {
        return Err(Error::Server {
            server: "the server",
            complaint: "answered nothing in the whole span".into(),
        });
    }
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 requests")]
    let requests = requests as f64;
    let elapsed = (after.at - before.at).as_secs_f64();
    let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
    Ok(Counted { per_second: requests / elapsed, cpu_us: cpu / requests * 1e6, cores: cpu / elapsed })
}

/// Latencies at a constant rate, microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Latency {
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

/// Requests at a constant rate, whatever the server does. A latency is counted from the moment that a request was due,
/// so that a stalled server is charged for the requests that waited.
pub(super) fn pace(target: &Target, per_second: f64, span: Duration) -> Result<Latency, Error> {
    let interval = Duration::from_secs_f64(f64::from(PACED) / per_second.max(1.0));
    let barrier = Barrier::new(usize::try_from(PACED).unwrap_or(1));
    let (sender, latencies) = mpsc::channel();
    thread::scope(|scope| {
        let worker = |index: u32| {
            let sender = sender.clone();
            let barrier = &barrier;
            scope.spawn(move || {
                let gate = Gate::new(barrier);
                let mut connection = target.connect()?;
                gate.wait();
                let start = Instant::now();
                let mut due = interval * index / PACED;
                let mut own = Vec::new();
                while due < span + WARM_UP {
                    thread::sleep((start + due).saturating_duration_since(Instant::now()));
                    connection.send(target)?;
                    connection.receive()?;
                    if due > WARM_UP {
                        let taken = start.elapsed().saturating_sub(due);
                        own.push(u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX));
                    }
                    due += interval;
                }
                // The receiver outlives the scope.
                let _ = sender.send(own);
                Ok(())
            })
        };
        let workers: Vec<_> = (0..PACED).map(worker).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })?;
    drop(sender);
    let mut all: Vec<u64> = latencies.into_iter().flatten().collect();
    let mut at =
        |share| percentile(&mut all, share).map(|nanos| Duration::from_nanos(nanos).as_secs_f64() * 1e6);
    match (at(0.5), at(0.99)) {
        (Some(p50_us), Some(p99_us)) => Ok(Latency { p50_us, p99_us }),
        _ => Err(Error::Server {
            server: "the server",
            complaint: "was asked nothing in the whole span".into(),
        }),
    }
}

/// Connections that each had one answer and then do nothing; they stay open while the value lives.
pub(super) struct Idle {
    connections: Vec<Connection>,
}

impl Idle {
    /// Opens that many.
    pub(super) fn open(target: &Target, count: usize) -> Result<Idle, Error> {
        let some = |range: Range<usize>| {
            let open = |_| {
                let mut connection = target.connect()?;
                connection.send(target)?;
                connection.receive()?;
                Ok(connection)
            };
            range.map(open).collect::<Result<Vec<_>, Error>>()
        };
        let half = count / 2;
        let (first, second) = thread::scope(|scope| {
            let first = scope.spawn(|| some(0..half));
            let second = some(half..count);
            (first.join().expect("a worker does not panic"), second)
        });
        let mut connections = first?;
        connections.extend(second?);
        Ok(Idle { connections })
    }

    /// Asks once more on some of them, so that a server that closed them is found out.
    pub(super) fn check(&mut self, target: &Target) -> Result<(), Error> {
        for connection in self.connections.iter_mut().step_by(50) {
            connection.send(target)?;
            connection.receive()?;
        }
        Ok(())
    }
}

/// Of `count` connections that offer the session of the one before, how many the server took up, in per cent.
pub(super) fn reuse_per_cent(target: &Target, count: u32) -> Result<f64, Error> {
    let mut resumed = 0;
    for _ in 0..count {
        let mut connection = target.connect()?;
        connection.send(target)?;
        connection.receive()?;
        resumed += u32::from(connection.is_resumed());
    }
    Ok(f64::from(resumed) * 100.0 / f64::from(count.max(1)))
}
