//! Keys are exchanged anew while a big file is on its way (SFTP-1; E12). A binary of its own: the memory that is measured is the
//! whole process's.
//!
//! `IRGW_FILE_MIB=3072 cargo test -p irgw-sftp --test rekeying -- --nocapture` sends 3 GiB, which is over our own limit too.
#![cfg(all(feature = "ssh", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests do"
)]

#[path = "support/memory.rs"]
mod memory;
mod support;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use irgw_sftp::ssh::sftp::Start;
use memory::peak_mib;
use ring::digest;
use support::{Sshd, bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const MIB: u64 = 1 << 20;
/// What a transfer may need more than there was before it: 4 MiB under way in each direction, buffers, the SSH library.
const GROWTH_LIMIT_MIB: u64 = 64;
/// After so many bytes in one direction the client asks for new keys by itself.
const OWN_LIMIT_MIB: u64 = 1024;

#[tokio::test]
async fn keys_are_exchanged_anew_during_a_transfer_e12() {
    let size_mib = std::env::var("IRGW_FILE_MIB").map_or(200, |size| size.parse().unwrap());
    // The server asks for them six times on each way.
    let limit_mib = size_mib / 6;
    let Some(sshd) = Sshd::new(&format!("LogLevel DEBUG\nRekeyLimit {limit_mib}M")) else { return };
    let exchanges = there_and_back(&sshd, size_mib).await;
    // One at the beginning of the connection.
    assert!(exchanges > 10, "{exchanges} key exchanges");
    if size_mib <= OWN_LIMIT_MIB {
        println!("SKIPPED: the client's own limit: {size_mib} MiB do not reach it; IRGW_FILE_MIB=3072 does");
        return;
    }
    let Some(sshd) = Sshd::new("LogLevel DEBUG\nRekeyLimit 100G") else { return };
    let exchanges = there_and_back(&sshd, size_mib).await;
    assert!(exchanges > 2 * (size_mib - 1) / OWN_LIMIT_MIB, "{exchanges} key exchanges");
}

/// Uploads a file and downloads it again over one connection; how many key exchanges the server tells of.
async fn there_and_back(sshd: &Sshd, size_mib: u64) -> u64 {
    let mut remote = sshd.remote().await;
    let path = sshd.files().file(&"big".parse().unwrap());
    let size = size_mib * MIB;
    let before = peak_mib();

    let began = Instant::now();
    let mut sent = Sent { block: bytes(MIB as usize), at: 0, size, digest: sha256() };
    assert_eq!(remote.upload(&path, Start::Afresh, &mut sent).await, Ok(size));
    let up = began.elapsed();

    let began = Instant::now();
    let mut received = Received(sha256());
    assert_eq!(remote.download(&path, size, &mut received).await, Ok(size));
    let down = began.elapsed();
    assert_eq!(sent.digest.finish().as_ref(), received.0.finish().as_ref(), "something else came back");

    let growth = peak_mib() - before;
    assert!(growth < GROWTH_LIMIT_MIB, "{size_mib} MiB took {growth} MiB of memory");
    remote.into_stream().finish().await;
    let log = sshd.log().await;
    let exchanges = log.lines().filter(|line| line.contains("SSH2_MSG_NEWKEYS received")).count() as u64;
    let speed = |time: std::time::Duration| size_mib as f64 / time.as_secs_f64();
    println!(
        "{size_mib} MiB: up {:.1} s, {:.0} MiB/s; down {:.1} s, {:.0} MiB/s; {exchanges} key exchanges; {growth} MiB more than before, \
         {} MiB at most",
        up.as_secs_f64(),
        speed(up),
        down.as_secs_f64(),
        speed(down),
        peak_mib()
    );
    exchanges
}

fn sha256() -> digest::Context {
    digest::Context::new(&digest::SHA256)
}

/// A file that is made while it is read: blocks of 1 MiB that begin with their number, so that none can stand for another.
struct Sent {
    block: Vec<u8>,
    at: u64,
    size: u64,
    digest: digest::Context,
}

impl AsyncRead for Sent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Sent { block, at, size, digest } = &mut *self;
        let within = (*at % MIB) as usize;
        if within == 0 {
            block.splice(..8, (*at / MIB).to_le_bytes());
        }
        let count = buffer.remaining().min(block.len() - within).min((*size - *at) as usize);
        let part = &block[within..within + count];
        digest.update(part);
        buffer.put_slice(part);
        *at += count as u64;
        Poll::Ready(Ok(()))
    }
}

/// Keeps nothing of what is written but its digest.
struct Received(digest::Context);

impl AsyncWrite for Received {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, part: &[u8]) -> Poll<io::Result<usize>> {
        self.0.update(part);
        Poll::Ready(Ok(part.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
