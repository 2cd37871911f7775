//! Gateways that fetch from one provider's OpenSSH server into one folder: each file comes once, and lies in the provider's archive afterwards
//! (SFTP-1, FILE-4; E10).

use std::fs;
use std::path::Path;
use std::sync::Arc;

use irgw_core::{Environment, UnixTime};
use irgw_sftp::fileset::Feed;
use irgw_sftp::pgp::{Compression, OwnKey, PartnerCert, Protection, Terms, encrypt};
use irgw_sftp::sealed_name;
use libtest_mimic::{Completion, Trial};

use crate::environments::{Environments, ensure, eventually, installed, text};
use crate::sending::{Sending, demo_provider};
use crate::sets::Set;
use crate::tools::PATIENCE;
use crate::{Result, skipped};

const ENVIRONMENT: &str = "NZT";

const OVERLAY: &str = "[files]\nfetch_seconds = 1\n";

/// How many sets of each feed.
const SETS: u64 = 6;

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let environments = environments.clone();
    let name = "fetching::gateways_that_share_a_folder_fetch_each_file_once_and_put_it_aside";
    vec![Trial::ignorable_test(name, move || match installed("sshd") {
        None => Ok(skipped("sshd is not installed")),
        Some(program) => {
            let local = environments.another(Environment::Test)?;
            fetch_together(&Sending::new(local, &program, &[], "fetching", OVERLAY)?)
        }
    })]
}

fn fetch_together(sending: &Sending) -> Result {
    let (_, server, pgp) = demo_provider(&sending.local)?;
    let outbox = sending.local.folder().join("sshd/outbox");
    let archive = outbox.join("fetched");
    fs::create_dir_all(&archive)?;
    let folders = ["--outbox", text(&outbox), "--archive", text(&archive)];
    sending.enrol(ENVIRONMENT, &pgp.certificate, &folders)?;
    let received = server.received.as_ref().ok_or("the environment does not say what it receives")?;
    let gateways =
        ["one", "another"].map(|name| sending.local.serve(name, OVERLAY.parse().unwrap_or_default()));
    let mut sets = Vec::new();
    for number in 0..SETS {
        for feed in [Feed::TransactionData, Feed::ReturnStatus] {
            let set = sending.set(feed, ENVIRONMENT, number)?;
            put(sending, &set, &outbox)?;
            sets.push(set);
        }
    }
    let missing = || -> Result<Vec<String>> {
        let is_released = |set: &&Set| {
            let name = set.control.trim_end_matches("_CONTROL.xml");
            !received.join(set.feed.name()).join("released").join(name).is_dir()
        };
        Ok(sets.iter().filter(is_released).map(|set| set.control.clone()).collect())
    };
    let waited = eventually(PATIENCE * 2, missing, Vec::is_empty);
    for feed in [Feed::TransactionData, Feed::ReturnStatus] {
        let quarantine = received.join(feed.name()).join("quarantine");
        let aside: Vec<_> = fs::read_dir(quarantine)?.flatten().map(|entry| entry.file_name()).collect();
        ensure(aside.is_empty(), || format!("in quarantine: {aside:?}"))?;
    }
    waited?;
    for set in &sets {
        let name = set.control.trim_end_matches("_CONTROL.xml");
        let released = received.join(set.feed.name()).join("released").join(name);
        for name in set.names() {
            ensure(fs::read(released.join(name))? == fs::read(set.folder.join(name))?, || name.clone())?;
            let sealed = sealed_name(name);
            ensure(archive.join(&sealed).is_file() && !outbox.join(&sealed).exists(), || sealed.clone())?;
        }
    }
    for gateway in gateways {
        drop(gateway?);
    }
    for name in ["one", "another"] {
        let log = fs::read_to_string(sending.local.folder().join(format!("{name}.log")))?;
        ensure(!log.contains(" ERROR ") && !log.contains("panicked"), || log.clone())?;
    }
    Ok(Completion::Completed)
}

/// Puts a set into the outbox, as the provider does: encrypted to the gateway, signed, each file whole under its name.
fn put(sending: &Sending, set: &Set, outbox: &Path) -> Result<()> {
    let (_, _, pgp) = demo_provider(&sending.local)?;
    let ours = OwnKey::from_bytes(&fs::read(&pgp.key)?, Protection::Unprotected)?;
    let theirs = sending.local.dev().gateway_pgp.as_ref().ok_or("the environment has no OpenPGP key")?;
    let now = UnixTime::now();
    let theirs = PartnerCert::enrol(&fs::read(&theirs.certificate)?, now, Terms::default())?;
    for name in set.names() {
        let (part, sealed) = (outbox.join(format!(".{name}.part")), outbox.join(sealed_name(name)));
        let mut message = encrypt(&[&theirs], &ours, Compression::None, now, fs::File::create(&part)?)?;
        std::io::copy(&mut fs::File::open(set.folder.join(name))?, &mut message)?;
        message.finish()?;
        fs::rename(part, sealed)?;
    }
    Ok(())
}
