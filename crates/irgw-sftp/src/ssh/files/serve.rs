//! A session over a byte stream, with and without a runtime.

use std::io::{self, Read, Write};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Files;
use crate::ssh::sftp::packet::take;

/// Serves one client until it ends the stream.
///
/// `idle` is how long it may say nothing, and how long it may take no answer. The requests that have come are answered
/// together on a thread for blocking work, at most 16 of them: what a client sends ahead waits in the stream. A dropped
/// future leaves the stream to its owner, and the thread to finish the requests that it has.
///
/// # Errors
/// [`Ended`], of whatever ends the stream but the client's end.
pub async fn serve<S>(stream: &mut S, mut files: Files, idle: Duration) -> Result<(), Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut received = BytesMut::new();
    loop {
        let requests = requests(&mut received)?;
        if requests.is_empty() {
            received.reserve(READ_BYTES);
            match timeout(idle, stream.read_buf(&mut received)).await {
                Ok(Ok(0)) if received.is_empty() => return Ok(()),
                Ok(Ok(0)) => return Err(Ended::Lost(io::ErrorKind::UnexpectedEof)),
                Ok(Ok(_)) => continue,
                Ok(Err(error)) => return Err(Ended::Lost(error.kind())),
                Err(_) => return Err(Ended::Idle),
            }
        }
        let answers: Result<Bytes, Ended>;
        (files, answers) = spawn_blocking(move || {
            let answers = answer_all(&mut files, requests);
            (files, answers)
        })
        .await
        .map_err(|_| Ended::Lost(io::ErrorKind::Other))?;
        let sent = send(stream, answers?, &mut received);
        timeout(idle, sent).await.map_err(|_| Ended::Idle)?.map_err(|error| Ended::Lost(error.kind()))?;
    }
}

/// Sends answers, and takes in what comes meanwhile: an SSH connection stands still in both directions while what came
/// for a channel is not read, and the answers would wait for ever for the client's leave to send more.
async fn send<S>(stream: &mut S, answers: Bytes, received: &mut BytesMut) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut read, mut write) = tokio::io::split(stream);
    let writing = async {
        write.write_all(&answers).await?;
        write.flush().await
    };
    let mut writing = std::pin::pin!(writing);
    let mut has_more = true;
    loop {
        received.reserve(READ_BYTES);
        tokio::select! {
            biased;
            written = &mut writing => return written,
            read = read.read_buf(received), if has_more => has_more = read? > 0 && received.len() < AHEAD_BYTES,
        }
    }
}

/// Serves one client over a pair of pipes, as OpenSSH's `sftp-server` does.
///
/// # Errors
/// As [`serve`].
pub fn serve_blocking(mut input: impl Read, mut output: impl Write, mut files: Files) -> Result<(), Ended> {
    let lost = |error: io::Error| Ended::Lost(error.kind());
    let mut received = BytesMut::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let requests = requests(&mut received)?;
        if !requests.is_empty() {
            output.write_all(&answer_all(&mut files, requests)?).map_err(lost)?;
            output.flush().map_err(lost)?;
            continue;
        }
        match input.read(&mut buffer) {
            Ok(0) if received.is_empty() => return Ok(()),
            Ok(0) => return Err(Ended::Lost(io::ErrorKind::UnexpectedEof)),
            Ok(read) => received.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(lost(error)),
        }
    }
}

/// The whole requests among the bytes that came, as many as may be answered together.
fn requests(received: &mut BytesMut) -> Result<Vec<Bytes>, Ended> {
    let mut requests = Vec::new();
    // A read of 12 bytes asks for an answer of 255 KiB: so few together that memory stays bounded.
    while requests.len() < TOGETHER
        && let Some(request) = take(received).map_err(|_| Ended::NotSftp)?
    {
        requests.push(request);
    }
    Ok(requests)
}

fn answer_all(files: &mut Files, requests: Vec<Bytes>) -> Result<Bytes, Ended> {
    let mut answers = BytesMut::new();
    for request in requests {
        answers.put(files.answer(request).map_err(|_| Ended::NotSftp)?);
    }
    Ok(answers.freeze())
}

const READ_BYTES: usize = 64 * 1024;
const TOGETHER: usize = 16;
/// What is taken in while answers are sent: more than a client may send before it reads.
const AHEAD_BYTES: usize = 8 << 20;

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ended {
    /// The client said nothing, or took no answer, for too long.
    #[error("the client was idle for too long")]
    Idle,
    /// The stream ended or failed.
    #[error("the connection was lost: {0}")]
    Lost(io::ErrorKind),
    /// The client does not speak SFTP version 3.
    #[error("the client does not speak SFTP version 3")]
    NotSftp,
}
