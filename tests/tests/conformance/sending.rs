//! A gateway alone with its folder, and the demo provider with OpenSSH's server, to which it delivers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use irgw_sftp::delivery::{DeliveryId, Stage};
use irgw_sftp::fileset::Feed;
use irgw_sftp::sealed_name;
use irgw_sftp::ssh::PrivateKey;
use irgw_store::{DeliveryEntry, DeliveryFilter, DeliveryState, Page, Store};
use irgw_tests::{Local, PgpKey, Process, Provider, SftpServer};
use libtest_mimic::Failed;

use crate::Result;
use crate::environments::{ensure, irgw, ran, text};
use crate::opener::Opener;
use crate::sets::{Addressee, Set};
use crate::sshd::Sshd;
use crate::tools::{irgw_in, provider};

/// The gateway, which runs when it is told to, and what there is at both ends.
pub(crate) struct Sending {
    pub(crate) local: Local,
    pub(crate) store: Store,
    /// The provider's server, and the folder into which files go there.
    pub(crate) sshd: Sshd,
    pub(crate) inbox: PathBuf,
    /// The gateway's configuration, of this name.
    name: &'static str,
    config: PathBuf,
    spool: PathBuf,
}

impl Sending {
    /// Stops `irgw dev`, whose demo provider gets a server of OpenSSH's with an inbox for all these environments. `overlay` is laid over the
    /// gateway's configuration.
    pub(crate) fn new(
        mut local: Local,
        program: &Path,
        environments: &[&str],
        name: &'static str,
        overlay: &str,
    ) -> Result<Sending> {
        local.stop_dev();
        let (_, server, _) = demo_provider(&local)?;
        let inbox = local.folder().join("sshd/inbox");
        fs::create_dir_all(&inbox)?;
        let key = PrivateKey::load(&server.client_key, None)?;
        let sshd = Sshd::start(program, &local.folder().join("sshd"), &key)?;
        let config = local.configure(name, overlay.parse()?)?;
        let table: toml::Table = fs::read_to_string(&config)?.parse()?;
        let spool = table.get("files").and_then(|files| files.get("spool")).and_then(|spool| spool.as_str());
        let spool = local.folder().join(spool.ok_or("the environment transfers no files")?);
        let store = Store::open_existing(&local.folder().join("irgw.sqlite"))?;
        let sending = Sending { local, store, sshd, inbox, name, config, spool };
        for environment in environments {
            let (_, _, pgp) = demo_provider(&sending.local)?;
            sending.enrol(environment, &pgp.certificate, &[])?;
        }
        Ok(sending)
    }

    /// Enrols the server for an environment, with a certificate; `more` are further options.
    pub(crate) fn enrol(&self, environment: &str, certificate: &Path, more: &[&str]) -> Result<()> {
        let (provider, server, _) = demo_provider(&self.local)?;
        let port = self.sshd.port.to_string();
        let set = ["provider", "file-server", "set", &provider.id, "--environment", environment];
        let at = ["--platform", &server.platform, "--host", "127.0.0.1", "--port", &port];
        let login = ["--user", &self.sshd.user, "--host-key", &self.sshd.host_key];
        let files = ["--inbox", text(&self.inbox), "--certificate", text(certificate)];
        let arguments = [set.as_slice(), &at, &login, &files, more].concat();
        let enrolled = irgw_in(&self.local, &arguments)?;
        ensure(enrolled.code == Some(0), || format!("{}{}", enrolled.out, enrolled.err))
    }

    /// Starts the gateway.
    pub(crate) fn live(&self) -> Result<Process> {
        self.live_with(&[])
    }

    /// Starts the gateway with environment variables.
    pub(crate) fn live_with(&self, variables: &[(&str, String)]) -> Result<Process> {
        let mut command = self.local.program().command();
        command.envs(variables.iter().cloned());
        Ok(Process::spawn(command.args(["serve", "--config", text(&self.config)]), &self.log())?)
    }

    /// What it says.
    pub(crate) fn log(&self) -> PathBuf {
        self.local.folder().join(format!("{}.log", self.name))
    }

    /// The folders in the spool.
    pub(crate) fn spooled(&self) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.spool)?.map(|entry| Ok(entry?.path()));
        let folders = entries.filter(|path| path.as_ref().map_or(true, |path| path.is_dir()));
        Ok(folders.collect::<std::io::Result<_>>()?)
    }

    /// Makes a set for an environment.
    pub(crate) fn set(&self, feed: Feed, environment: &str, number: u64) -> Result<Set> {
        let (_, server, _) = demo_provider(&self.local)?;
        let to = Addressee { platform: &server.platform, environment };
        Set::make(&self.local.folder().join("sets"), feed, to, number)
    }

    /// The command that submits a set.
    pub(crate) fn submission(&self, set: &Set) -> Result<Command> {
        let (provider, _, _) = demo_provider(&self.local)?;
        let mut command = self.local.program().command();
        command.args(["delivery", "submit", "--provider", &provider.id, "--feed", set.feed.name()]);
        command.args([text(&set.folder), "--dir", text(self.local.folder())]);
        Ok(command)
    }

    /// Submits a set; what was told beside its number.
    pub(crate) fn submit(&self, set: &Set) -> Result<String> {
        let submitted = ran(&mut self.submission(set)?)?;
        ensure(submitted.code == Some(0), || format!("{}{}", submitted.out, submitted.err))?;
        Ok(submitted.err)
    }

    /// The deliveries in a state, at most 1,000.
    pub(crate) fn deliveries(&self, state: DeliveryState) -> Result<Vec<DeliveryEntry>> {
        let filter = DeliveryFilter { state: Some(state), ..DeliveryFilter::default() };
        Ok(self.store.list_deliveries(&filter, &Page::first(1000)?)?.items)
    }

    pub(crate) fn queued(&self) -> Result<Vec<DeliveryEntry>> {
        self.deliveries(DeliveryState::Queued)
    }

    /// How many deliveries are not delivered; an error when one of them waits for an operator.
    pub(crate) fn open(&self) -> Result<usize> {
        let held = self.deliveries(DeliveryState::Held)?;
        ensure(held.is_empty(), || format!("held: {held:?}"))?;
        Ok(self.queued()?.len())
    }

    /// The names in the inbox.
    pub(crate) fn there(&self) -> Result<BTreeSet<String>> {
        let name = |entry: std::io::Result<fs::DirEntry>| -> Result<String> {
            entry?.file_name().into_string().map_err(|name| Failed::from(format!("{name:?}")))
        };
        fs::read_dir(&self.inbox)?.map(name).collect()
    }

    /// Each set is there once, as it was submitted, its control file after its zips, and nothing else; the ledger says so, and the
    /// audit log is whole.
    pub(crate) fn check(&self, sets: &[Set]) -> Result<()> {
        let wanted: BTreeSet<_> = sets.iter().flat_map(Set::names).map(|name| sealed_name(name)).collect();
        let there = self.there()?;
        ensure(there == wanted, || {
            let (more, fewer): (Vec<_>, Vec<_>) =
                (there.difference(&wanted).collect(), wanted.difference(&there).collect());
            format!("there is more: {more:?}; there is not: {fewer:?}")
        })?;
        let opener = Opener::new(&self.local)?;
        for set in sets {
            for name in set.names() {
                let opened = opener.open(&self.inbox.join(sealed_name(name)))?;
                ensure(opened == fs::read(set.folder.join(name))?, || {
                    format!("{name} is not what was submitted")
                })?;
            }
            let named_at = |name: &String| -> Result<(i64, i64)> {
                let metadata = fs::metadata(self.inbox.join(sealed_name(name)))?;
                // A rename sets it, and nothing has touched the files since.
                Ok((metadata.ctime(), metadata.ctime_nsec()))
            };
            let last = named_at(&set.control)?;
            for zip in &set.zips {
                ensure(named_at(zip)? <= last, || format!("{} was there before {zip}", set.control))?;
            }
        }
        self.check_ledger(sets.len())?;
        let log = self.local.audit_log(self.name);
        let key = self.local.folder().join("audit.key");
        let verified = irgw(&["audit", "verify", text(&log), "--key", text(&key)])?;
        ensure(verified.code == Some(0), || format!("irgw audit verify: {}{}", verified.out, verified.err))
    }

    /// The ledger says of every set that it is delivered, of every file once.
    fn check_ledger(&self, sets: usize) -> Result<()> {
        let mut states: BTreeMap<String, usize> = BTreeMap::new();
        let mut after = String::new();
        loop {
            let arguments = ["delivery", "list", "--json", "--limit", "1000"];
            let more = if after.is_empty() { Vec::new() } else { vec!["--after", &after] };
            let listed = irgw_in(&self.local, &[arguments.as_slice(), &more].concat())?;
            ensure(listed.code == Some(0), || listed.err.clone())?;
            let listed: serde_json::Value = serde_json::from_str(&listed.out)?;
            for delivery in listed.get("deliveries").and_then(|list| list.as_array()).into_iter().flatten() {
                let word = |name| delivery.get(name).map(ToString::to_string).unwrap_or_default();
                *states.entry(word("state")).or_default() += 1;
                let id = word("number").parse().map(DeliveryId)?;
                let parcels = self.store.delivery(id)?.delivery.parcels;
                let is_delivered = |stage: &Stage| matches!(stage, Stage::Delivered { .. });
                ensure(parcels.iter().all(|parcel| is_delivered(&parcel.stage)), || format!("{parcels:?}"))?;
            }
            match listed.get("next").and_then(|next| next.as_str()) {
                Some(next) => next.clone_into(&mut after),
                None => break,
            }
        }
        ensure(states == BTreeMap::from([("\"delivered\"".to_owned(), sets)]), || format!("{states:?}"))
    }
}

/// The demo provider, and what is known of its server and its key.
pub(crate) fn demo_provider(local: &Local) -> Result<(&Provider, &SftpServer, &PgpKey)> {
    let first = provider(local.dev(), 0)?;
    let absent = "the environment has no demo provider with a file server";
    Ok((first, first.sftp.as_ref().ok_or(absent)?, first.pgp.as_ref().ok_or(absent)?))
}
