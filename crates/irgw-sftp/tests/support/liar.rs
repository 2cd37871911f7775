//! A server of the project's own whose answers are tampered with.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use irgw_core::{Channel, Clock, Missing, Origin, ProviderId, Transport};
use irgw_sftp::ssh::files::{Files, Policy, Share};
use irgw_sftp::ssh::{Fingerprint, Server, SshKey, Stream, UserKeys};
use russh_sftp::protocol::{Packet, Status, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::Sshd;

/// What is done with a request.
pub(crate) enum Answer {
    /// What it asks, and the answer is true.
    Truth,
    /// Nothing, and this is the answer.
    Undone(Packet),
    /// What it asks, and this is the answer.
    Done(Packet),
    /// What it asks, and there is no answer.
    Silence,
    /// What it asks, and the connection ends.
    End,
}

/// What a liar says to a request.
pub(crate) type Script = Box<dyn FnMut(&Packet) -> Answer + Send>;

/// A server of an [`Sshd`]'s folder, with its keys; it stops when it is dropped.
pub(crate) struct Liar {
    pub(crate) port: u16,
    script: Arc<Mutex<Script>>,
    _listening: JoinSet<()>,
}

impl Liar {
    /// A server that tells the truth until [`Liar::follow`].
    pub(crate) async fn of(sshd: &Sshd) -> Liar {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let share = Share::open(&sshd.path(""), Policy::general()).unwrap();
        let key = Arc::new(OneKey(sshd.user_key.fingerprint()));
        let keys = std::slice::from_ref(&sshd.host_key);
        let server = Server::new(keys, Arc::new(SshKey::new(key)), Arc::new(Epoch));
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(|_| Answer::Truth)));
        let said = script.clone();
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            loop {
                let (io, from) = listener.accept().await.unwrap();
                io.set_nodelay(true).unwrap();
                // One connection at a time is all that a script can follow.
                if let Ok((stream, _)) = server.establish(io, Origin::new(from, Channel::Files)).await {
                    answer_all(stream, share.session(), &said).await;
                }
            }
        });
        Liar { port, script, _listening: listening }
    }

    /// What is said from now on.
    pub(crate) fn follow(&self, script: impl FnMut(&Packet) -> Answer + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }
}

async fn answer_all(mut stream: Stream, mut files: Files, script: &Mutex<Script>) {
    let mut received = BytesMut::new();
    while let Ok(1..) = stream.read_buf(&mut received).await {
        while let Some(length) =
            received.first_chunk::<4>().map(|length| u32::from_be_bytes(*length) as usize)
        {
            if received.len() < 4 + length {
                break;
            }
            let request = received.split_to(4 + length).freeze().slice(4..);
            let packet = Packet::try_from(&mut request.clone()).unwrap();
            let said = match packet {
                Packet::Init(_) => Answer::Truth,
                packet => (script.lock().unwrap())(&packet),
            };
            let mut truth = || files.answer(request.clone()).unwrap();
            let reply = match said {
                Answer::Truth => truth(),
                Answer::Undone(reply) => Bytes::try_from(reply).unwrap(),
                Answer::Done(reply) => {
                    truth();
                    Bytes::try_from(reply).unwrap()
                }
                Answer::Silence => {
                    truth();
                    continue;
                }
                Answer::End => {
                    truth();
                    return;
                }
            };
            if stream.write_all(&reply).await.is_err() {
                return;
            }
        }
        let _ = stream.flush().await;
    }
}

/// A status as the answer to a request.
pub(crate) fn status(request: &Packet, status_code: StatusCode, words: &str) -> Packet {
    let (id, error_message) = (request.get_request_id(), words.into());
    Packet::Status(Status { id, status_code, error_message, language_tag: String::new() })
}

#[derive(Debug)]
struct OneKey(Fingerprint);

impl UserKeys for OneKey {
    fn by_key(&self, _: &str, key: Fingerprint) -> Result<ProviderId, Missing> {
        if key == self.0 { Ok(ProviderId::new("ird").unwrap()) } else { Err(Missing::Unknown) }
    }
}

#[derive(Debug)]
struct Epoch;

impl Clock for Epoch {
    fn since_epoch(&self) -> Duration {
        Duration::ZERO
    }
}
