//! Our side: ledgers of what is to be delivered, and the process that does a job.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use irgw_core::ProviderId;
use irgw_sftp::delivery::Partner;
use irgw_sftp::fileset::Feed;
use irgw_sftp::pgp::{Compression, PartnerCert, Terms};
use irgw_sftp::ssh::HostPins;
use irgw_store::{Database, NewDelivery, NewParcel};
use ring::digest;

use super::super::pki;
use super::job::{Done, Job, Server, Work};
use super::script::Script;
use super::server::Sshd;
use super::sets::{ENVIRONMENT, PLATFORM, Set};
use crate::{Error, run};

/// What our jobs need.
pub(super) struct Ours {
    folder: PathBuf,
    user: String,
    user_key: PathBuf,
    host_key: String,
    server: SocketAddr,
    signing_key: PathBuf,
    certificate: PartnerCert,
}

/// How a ledger's deliveries are carried out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Connections to one provider.
    pub(super) connections: u8,
    /// Deliveries at once.
    pub(super) at_once: usize,
}

impl Ours {
    /// With the keys that gpg made for the script.
    pub(super) fn new(folder: &Path, server: &Sshd, script: &Script) -> Result<Ours, Error> {
        let signing_key = folder.join("signing_key.asc");
        let text = script.signing_key()?;
        let write = || {
            let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(&signing_key)?;
            std::io::Write::write_all(&mut file, text.as_bytes())
        };
        write().map_err(Error::at("write", &signing_key))?;
        let now = pki::now().map_err(Error::step("tell the time"))?;
        let certificate = PartnerCert::enrol(script.certificate()?.as_bytes(), now, Terms::default())
            .map_err(Error::step("enrol the recipient's certificate"))?;
        Ok(Ours {
            folder: folder.into(),
            user: server.user.clone(),
            user_key: server.user_key.clone(),
            host_key: server.host_key.clone(),
            server: server.address,
            signing_key,
            certificate,
        })
    }

    /// Uploads a file to the server at `address`, which is the server or on the way to it.
    pub(super) fn put(&self, address: SocketAddr, from: &Path, to: &Path) -> Result<Done, Error> {
        self.work(Work::Put { server: self.at(address), from: from.into(), to: to.display().to_string() })
    }

    /// Downloads one.
    pub(super) fn get(&self, address: SocketAddr, from: &Path, to: &Path) -> Result<Done, Error> {
        self.work(Work::Get { server: self.at(address), from: from.display().to_string(), to: to.into() })
    }

    /// Delivers what [`Ours::submit`] put into the ledger.
    pub(super) fn deliver(&self, ledger: &Path, pace: Pace) -> Result<Done, Error> {
        let signing_key = self.signing_key.clone();
        self.work(Work::Deliver { ledger: ledger.into(), signing_key, at_once: pace.at_once })
    }

    /// A new ledger in which these sets are due, each for a provider of its own.
    pub(super) fn submit(&self, sets: &[Set], pace: Pace) -> Result<PathBuf, Error> {
        self.fill(sets, pace).map_err(Error::step("make a ledger"))
    }

    fn fill(&self, sets: &[Set], pace: Pace) -> Result<PathBuf, Box<dyn std::error::Error + Send + Sync>> {
        let path = self.folder.join("ledger.sqlite");
        for suffix in ["", "-wal", "-shm"] {
            // What the last round left, if there was one.
            let _ = fs::remove_file(format!("{}{suffix}", path.display()));
        }
        let store = Database::File(path.clone()).open()?;
        let now = pki::now()?;
        for (number, set) in sets.iter().enumerate() {
            let provider = ProviderId::new(&format!("provider-{number}"))?;
            store.batch(|batch| batch.add_provider(&provider, "A provider", now).map(drop))?;
            store.set_partner(&self.partner(&provider, set, pace)?, now)?;
            let parcels = set.files().map(|(name, path)| {
                let content = fs::read(path)?;
                let digest = digest::digest(&digest::SHA256, &content).as_ref().try_into().unwrap_or([0; 32]);
                Ok(NewParcel { name: name.to_owned(), bytes: content.len() as u64, digest })
            });
            let new = NewDelivery {
                provider,
                environment: ENVIRONMENT.to_owned(),
                feed: Feed::TransactionData,
                folder: set.folder.display().to_string(),
                parcels: parcels.collect::<Result<_, std::io::Error>>()?,
            };
            store.submit_delivery(&new, now)?;
        }
        Ok(path)
    }

    fn partner(
        &self,
        provider: &ProviderId,
        set: &Set,
        pace: Pace,
    ) -> Result<Partner, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Partner {
            provider: provider.clone(),
            environment: ENVIRONMENT.parse()?,
            platform: PLATFORM.parse()?,
            host: self.server.ip().to_string(),
            port: self.server.port(),
            login: self.user.clone(),
            pins: HostPins::only(self.host_key.parse()?),
            inbox: set.inbox.display().to_string().parse()?,
            outbox: None,
            archive: None,
            certificate: self.certificate.clone(),
            compression: Compression::None,
            connections: NonZeroU8::new(pace.connections).unwrap_or(NonZeroU8::MIN),
        })
    }

    fn at(&self, address: SocketAddr) -> Server {
        Server { address, user: self.user.clone(), host_key: self.host_key.clone() }
    }

    fn work(&self, work: Work) -> Result<Done, Error> {
        let job = self.folder.join("job.json");
        let text = serde_json::to_vec(&Job { user_key: self.user_key.clone(), work })
            .map_err(Error::step("write a job"))?;
        fs::write(&job, text).map_err(Error::at("write", &job))?;
        let own = env::current_exe().map_err(Error::step("find this program"))?;
        let said = run::read(Command::new(own).args(["bench", "sftp-job"]).arg(&job))?;
        serde_json::from_str(&said).map_err(|source| Error::Output { what: "the benchmark's job", source })
    }
}
