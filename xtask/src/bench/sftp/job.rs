//! What our side does in a process of its own, so that its start counts and its memory can be told.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use irgw_core::{Channel, Clock as _, Origin, Transport as _};
use irgw_sftp::delivery::{Courier, Dialer};
use irgw_sftp::pgp::{OwnKey, Protection};
use irgw_sftp::ssh::sftp::{Folder, Remote, RemotePath, Start};
use irgw_sftp::ssh::{Client, HostPins, PrivateKey, Target, Timeouts};
use irgw_store::{Database, DeliveryEntry, Store};
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::super::clock::Wall;
use crate::Error;

/// Does one job.
#[derive(Debug, clap::Args)]
pub(in super::super) struct JobArgs {
    /// The file that says which
    job: PathBuf,
}

/// What is to be done, on whose behalf.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) user_key: PathBuf,
    pub(super) work: Work,
}

/// What is to be done.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Work {
    Put {
        server: Server,
        from: PathBuf,
        to: String,
    },
    Get {
        server: Server,
        from: String,
        to: PathBuf,
    },
    /// Everything that is due in a ledger.
    Deliver {
        ledger: PathBuf,
        signing_key: PathBuf,
        at_once: usize,
    },
}

/// Where to log in.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) user: String,
    pub(super) host_key: String,
}

/// What the process says when it is done.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Done {
    /// The most memory that was resident.
    pub(super) peak_bytes: u64,
}

type Wrong = Box<dyn std::error::Error + Send + Sync>;

impl JobArgs {
    pub(in super::super) fn run(&self) -> Result<(), Error> {
        let done = self.work().map_err(Error::step("do the benchmark's job"))?;
        println!("{}", serde_json::to_string(&done).map_err(Error::step("say what was done"))?);
        Ok(())
    }

    fn work(&self) -> Result<Done, Wrong> {
        let Job { user_key, work } = serde_json::from_slice(&fs::read(&self.job)?)?;
        let key = PrivateKey::load(&user_key, None)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            match work {
                Work::Put { server, from, to } => put(&server, key, &from, &remote_path(&to)?).await,
                Work::Get { server, from, to } => get(&server, key, &remote_path(&from)?, &to).await,
                Work::Deliver { ledger, signing_key, at_once } => {
                    let signer = OwnKey::from_bytes(&fs::read(signing_key)?, Protection::Unprotected)?;
                    deliver(Database::File(ledger).open_existing()?, key, signer, at_once).await
                }
            }
        })?;
        Ok(Done { peak_bytes: peak_bytes()? })
    }
}

fn remote_path(path: &str) -> Result<RemotePath, Wrong> {
    let (folder, name) = path.rsplit_once('/').ok_or("a path without a folder")?;
    Ok(folder.parse::<Folder>()?.file(&name.parse()?))
}

async fn connect(server: &Server, key: PrivateKey) -> Result<Remote, Wrong> {
    let tcp = TcpStream::connect(server.address).await?;
    tcp.set_nodelay(true)?;
    let pins = HostPins::only(server.host_key.parse()?);
    let target = Target { user: server.user.clone(), key, pins, timeouts: Timeouts::default() };
    let origin = Origin::new(server.address, Channel::Cloud);
    let (stream, _) = Client::new(target).establish(tcp, origin).await?;
    Ok(Remote::open(stream, PATIENCE).await?)
}

async fn put(server: &Server, key: PrivateKey, from: &Path, to: &RemotePath) -> Result<(), Wrong> {
    let mut remote = connect(server, key).await?;
    let mut source = File::open(from).await?;
    source.set_max_buf_size(FILE_BUFFER_BYTES);
    remote.upload(to, Start::Afresh, &mut source).await?;
    remote.into_stream().finish().await;
    Ok(())
}

async fn get(server: &Server, key: PrivateKey, from: &RemotePath, to: &Path) -> Result<(), Wrong> {
    let mut remote = connect(server, key).await?;
    let mut sink = File::create(to).await?;
    sink.set_max_buf_size(FILE_BUFFER_BYTES);
    remote.download(from, u64::MAX, &mut sink).await?;
    remote.into_stream().finish().await;
    Ok(())
}

/// Carries out what is due, as the gateway's dispatcher does.
async fn deliver(store: Store, key: PrivateKey, signer: OwnKey, at_once: usize) -> Result<(), Wrong> {
    let store = Arc::new(store);
    let courier = Arc::new(Courier {
        ledger: store.clone(),
        watch: Arc::new(()),
        signer: Arc::new(signer),
        dialer: Dialer { key, timeouts: Timeouts::default(), patience: PATIENCE },
        clock: Arc::new(Wall),
    });
    let mut attempts: JoinSet<Result<(), Wrong>> = JoinSet::new();
    loop {
        let claim = || store.claim_delivery(&[], LEASE, Wall.now());
        while let Some(entry) = if attempts.len() < at_once { claim()? } else { None } {
            attempts.spawn(attempt(courier.clone(), entry));
        }
        match attempts.join_next().await {
            Some(ended) => ended??,
            None => return Ok(()),
        }
    }
}

async fn attempt(courier: Arc<Courier<Store, ()>>, entry: DeliveryEntry) -> Result<(), Wrong> {
    let partner = courier.ledger.partner(&entry.delivery.provider, entry.delivery.environment.parse()?)?;
    courier.carry_out(&Arc::new(partner), &entry.delivery, Path::new(&entry.folder)).await?;
    let (ledger, turn) = (courier.ledger.clone(), entry.delivery.turn);
    Ok(tokio::task::spawn_blocking(move || ledger.finish_delivery(turn, Wall.now())).await??)
}

/// The most memory that the process has had (`VmHWM`, proc_pid_status(5)).
fn peak_bytes() -> Result<u64, Wrong> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// The gateway's.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than any attempt takes: nobody prolongs a turn here.
const LEASE: Duration = Duration::from_secs(3600);
const FILE_BUFFER_BYTES: usize = 1 << 20;
