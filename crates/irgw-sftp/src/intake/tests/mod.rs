//! An intake whose power is cut before each of its changes on disk.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::time::Duration;

use irgw_core::UnixTime;
use tempfile::TempDir;

use super::{Event, Folders, Intake, Limits, Originals, Pass, SetName, Settings, Status};
use crate::fileset::{BuildLimits, Expectation, SetBuilder, ZipName};
use crate::pgp::{Algorithm, Compression, OwnKey, PartnerCert, Terms, encrypt};
use crate::sealed_name;

mod crash;

const FIRST: &str = "DAILY_PROVIDER_1500131086_0_201908220930300000_NZT.zip";
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// 9:31 on 22 August 2019 in New Zealand.
fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_566_423_060))
}

/// Two parties and a set of two zips that one sends to the other.
struct Scene {
    set: SetName,
    /// The set's files by name.
    files: BTreeMap<String, Vec<u8>>,
    /// The same, encrypted and signed, with `.pgp` behind their names.
    sealed: BTreeMap<String, Vec<u8>>,
    key: OwnKey,
    signer: PartnerCert,
}

impl Scene {
    fn new() -> Scene {
        let made = |who| OwnKey::generate(who, Algorithm::Curve25519, now(), YEAR).unwrap();
        let (sender, key) = (made("sender"), made("receiver"));
        let receiver = PartnerCert::enrol(&key.certificate(), now(), Terms::default()).unwrap();
        let signer = PartnerCert::enrol(&sender.certificate(), now(), Terms::default()).unwrap();
        let limits = BuildLimits { members: 1, ..BuildLimits::default() };
        let first: ZipName = FIRST.parse().unwrap();
        let mut builder = SetBuilder::new(first.0, limits, |_| Ok(Cursor::new(Vec::new())));
        for agent in ["132000001", "132000002"] {
            let member = format!("DAILY_AGENT_IRD_{agent}_0_201908220930300000_NZT.xml");
            builder.add(member.parse().unwrap(), &b"<A><Period><Tx/></Period></A>"[..]).unwrap();
        }
        let built = builder.finish("201908220930310000".parse().unwrap()).unwrap();
        let mut files =
            BTreeMap::from([(built.control_name.to_string(), built.control.to_xml().into_bytes())]);
        files.extend(built.zips.into_iter().map(|(name, zip)| (name.to_string(), zip.into_inner())));
        let seal = |bytes: &Vec<u8>| {
            let mut message = encrypt(&[&receiver], &sender, Compression::None, now(), Vec::new()).unwrap();
            message.write_all(bytes).unwrap();
            message.finish().unwrap()
        };
        let sealed = files.iter().map(|(name, bytes)| (sealed_name(name), seal(bytes))).collect();
        Scene { set: SetName(built.control_name), files, sealed, key, signer }
    }
}

/// The folders of one run.
struct Place {
    root: TempDir,
    originals: Originals,
}

impl Place {
    fn new(originals: Originals) -> Place {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("inbox")).unwrap();
        Place { root, originals }
    }

    fn folders(&self) -> Folders {
        Folders { inbox: self.root.path().join("inbox"), state: self.root.path().join("state") }
    }

    fn open(&self, scene: &Scene) -> Intake {
        let stem = FIRST.parse::<ZipName>().unwrap().0;
        let expectation = Expectation {
            feed: stem.run.series().feed(),
            platform: stem.platform,
            environment: stem.environment,
            max_age: None,
        };
        let settings = Settings {
            expectation,
            is_inbox_shared: false,
            originals: self.originals,
            limits: Limits::default(),
        };
        let (keys, signers) = (vec![scene.key.clone()], vec![scene.signer.clone()]);
        Intake::open(self.folders(), settings, keys, signers).unwrap()
    }

    fn deliver(&self, files: &BTreeMap<String, Vec<u8>>) {
        for (name, bytes) in files {
            fs::write(self.folders().inbox.join(name), bytes).unwrap();
        }
    }

    fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        files(&self.root.path().join(folder))
    }
}

/// The files in a folder, and nothing where there is none.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeMap::new() };
    let entries = entries.map(|entry| entry.unwrap());
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap_or_default()))
        .collect()
}

/// Passes until nothing more is done.
fn settle(intake: &mut Intake) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let Pass { events: new, troubles } = intake.pass(now());
        assert_eq!(troubles, []);
        if new.is_empty() {
            return events;
        }
        events.extend(new);
    }
}

#[test]
fn a_misnamed_control_file_takes_no_zip_of_another_set_along() {
    let (scene, place) = (Scene::new(), Place::new(Originals::Removed));
    let other = "WEEKLY_PROVIDER_1500131086_0_201908220930300000_NZT.zip";
    let control = format!("{}_CONTROL.xml", scene.set);
    let misnamed = control.replace("1500131086_2_", "1500131086_7_");
    place.deliver(&BTreeMap::from([
        (sealed_name(other), scene.sealed[&sealed_name(FIRST)].clone()),
        (sealed_name(&misnamed), scene.sealed[&sealed_name(&control)].clone()),
    ]));
    let mut intake = place.open(&scene);
    settle(&mut intake);
    let status = Status::read(&intake.folders.state, 10).unwrap();
    assert_eq!(status.unclaimed, [other]);
    assert_eq!(status.quarantined.len(), 1, "{status:?}");
}
