//! What stands in a delivery's way at the provider's end, and goes away again: the ledger says in words what it is, and nothing counts as
//! delivered before it is (SFTP-4, PGP-1; E09, F01).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use irgw_core::{Environment, UnixTime};
use irgw_sftp::fileset::Feed;
use irgw_tests::CLOCK;
use libtest_mimic::{Completion, Trial};
use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::cert::CertBuilder;
use openpgp::serialize::SerializeInto;
use openpgp::types::KeyFlags;

use crate::environments::{Environments, ensure, eventually, installed, ran};
use crate::sending::Sending;
use crate::tools::{PATIENCE, irgw_in, member};
use crate::{Result, skipped};

const ENVIRONMENT: &str = "NZT";

const OVERLAY: &str = "[files]\nretry_seconds = 1\nlongest_retry_seconds = 1\n";

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, run: fn(&Sending) -> Result| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("obstacles::{name}"), move || match installed("sshd") {
            None => Ok(skipped("sshd is not installed")),
            Some(program) => {
                let local = environments.another(Environment::Test)?;
                run(&Sending::new(local, &program, &[ENVIRONMENT], "obstacles", OVERLAY)?)
            }
        })
    };
    vec![
        trial("full_disk_is_told_and_waited_for", full_disk),
        trial("certificate_that_has_expired_is_told_and_nothing_is_uploaded", expired_certificate),
    ]
}

/// E09.
fn full_disk(sending: &Sending) -> Result {
    let Some(disk) = SmallDisk::mount(&sending.inbox)? else {
        return Ok(skipped("a small disk cannot be mounted here"));
    };
    let ballast = disk.0.join(".ballast");
    fs::write(&ballast, vec![7; SmallDisk::BYTES - ROOM_BYTES])?;
    let set = sending.set(Feed::TransactionData, ENVIRONMENT, 0)?;
    sending.submit(&set)?;
    let gateway = sending.live()?;
    let (state, fault) = stopped(sending)?;
    ensure(state == "queued" && fault.contains("disk is full"), || format!("{state}: {fault}"))?;
    let there = sending.there()?;
    let has_its_name = |name: &String| there.contains(&irgw_sftp::sealed_name(name));
    ensure(!set.names().any(has_its_name), || format!("{there:?}"))?;
    fs::remove_file(&ballast)?;
    eventually(PATIENCE, || sending.open(), |open| *open == 0)?;
    drop(gateway);
    sending.check(&[set])?;
    Ok(Completion::Completed)
}

/// Less than a zip of the sets has.
const ROOM_BYTES: usize = 40 << 10;

/// F01.
fn expired_certificate(sending: &Sending) -> Result {
    if std::env::var_os("IRGW_BIN").is_some() {
        return Ok(skipped("another binary has no clock that can be set"));
    }
    // When the certificate was enrolled, both kinds were good.
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let now = UnixTime::now().as_secs();
    for (number, (kind, primary, subkey)) in
        [("primary key", Some(days(10)), None), ("subkey", None, Some(days(10)))].into_iter().enumerate()
    {
        let certificate = certificate(primary, subkey)?;
        let path = sending.local.folder().join("expires.pgp");
        fs::write(&path, certificate.armored().to_vec()?)?;
        sending.enrol(ENVIRONMENT, &path, &[])?;
        sending.submit(&sending.set(Feed::TransactionData, ENVIRONMENT, u64::try_from(number)?)?)?;
        let gateway = sending.live_with(&[(CLOCK, (now + 11 * 86_400).to_string())])?;
        let (state, fault) = stopped(sending)?;
        drop(gateway);
        let whose = match kind {
            "subkey" => certificate.keys().subkeys().next().map(|key| key.key().fingerprint()),
            _ => Some(certificate.fingerprint()),
        };
        let whose = whose.ok_or("the certificate has no subkey")?.to_hex();
        let told = |text: &str| fault.to_lowercase().contains(&text.to_lowercase());
        let is_told = told(kind) && told(&whose) && told("expired on");
        ensure(is_told && state != "delivered", || format!("{kind} {whose}: {state}: {fault}"))?;
        let there = sending.there()?;
        ensure(there.is_empty(), || format!("there is {there:?}"))?;
        let cancelled = irgw_in(&sending.local, &["delivery", "cancel", &(number + 1).to_string()])?;
        ensure(cancelled.code == Some(0), || cancelled.err)?;
    }
    Ok(Completion::Completed)
}

/// A certificate to encrypt to, whose keys are good for so long.
fn certificate(primary: Option<Duration>, subkey: Option<Duration>) -> Result<Cert> {
    let builder = CertBuilder::new().add_userid("A provider <sftp@example.nz>").set_validity_period(primary);
    let flags = KeyFlags::empty().set_transport_encryption();
    Ok(builder.add_subkey(flags, subkey, None).generate()?.0)
}

/// Waits until the first delivery that is not over has been stopped: its state, and what the ledger says of it.
fn stopped(sending: &Sending) -> Result<(String, String)> {
    let look = || -> Result<Option<(String, String)>> {
        let listed = irgw_in(&sending.local, &["delivery", "list", "--json"])?;
        ensure(listed.code == Some(0), || listed.err.clone())?;
        let listed: serde_json::Value = serde_json::from_str(&listed.out)?;
        let entries = listed.get("deliveries").and_then(|list| list.as_array()).into_iter().flatten();
        let told =
            entries.map(|entry| (member(entry, "state").to_owned(), member(entry, "fault").to_owned()));
        Ok(told.into_iter().find(|(state, fault)| state != "cancelled" && !fault.is_empty()))
    };
    let found = eventually(PATIENCE, look, Option::is_some)?;
    found.ok_or_else(|| "nothing stopped it".into())
}

/// A disk of 1 MiB in memory, until it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    const BYTES: usize = 1 << 20;

    /// At a folder; `None` where this user may not mount one.
    fn mount(folder: &Path) -> Result<Option<SmallDisk>> {
        let size = format!("size={}", SmallDisk::BYTES);
        let mounted = ran(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(folder));
        Ok(mounted.is_ok_and(|mounted| mounted.code == Some(0)).then(|| SmallDisk(folder.to_owned())))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server may still have a file open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
