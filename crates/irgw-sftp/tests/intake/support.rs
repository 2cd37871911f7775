//! Two parties, sets that one sends to the other, and the other's folders.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use irgw_core::UnixTime;
use irgw_sftp::fileset::{BuildLimits, BuiltSet, Expectation, SetBuilder, ZipName};
use irgw_sftp::intake::{Event, Folders, Intake, Limits, Originals, Pass, SetName, Settings, Status};
use irgw_sftp::pgp::{Algorithm, Compression, OwnKey, PartnerCert, Terms, encrypt};
use irgw_sftp::sealed_name;
use tempfile::TempDir;

pub(crate) const TDS: &str = "DAILY_PROVIDER_1500131086_0_201908220930300000_NZT.zip";
pub(crate) const PSN: &str = "PSN_DAILY_PROVIDER_1500216000_21_22_201908220930300000_NZT.zip";

/// When everything happens: a minute after the sets of this day were made.
pub(crate) const NOW: u64 = 1_566_423_091;

pub(crate) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// Who sends, who receives, and a stranger. The same for all tests, since keys take time.
pub(crate) struct Parties {
    pub(crate) sender: OwnKey,
    pub(crate) receiver: OwnKey,
    pub(crate) stranger: OwnKey,
}

pub(crate) fn parties() -> &'static Parties {
    static PARTIES: OnceLock<Parties> = OnceLock::new();
    PARTIES.get_or_init(|| {
        let made = |who| {
            let year = Duration::from_secs(365 * 24 * 3600);
            OwnKey::generate(who, Algorithm::Curve25519, at(NOW - 1000), year).unwrap()
        };
        Parties { sender: made("sender"), receiver: made("receiver"), stranger: made("stranger") }
    })
}

pub(crate) fn cert(key: &OwnKey) -> PartnerCert {
    PartnerCert::enrol(&key.certificate(), at(NOW), Terms::default()).unwrap()
}

/// What the sender sends.
pub(crate) fn seal(bytes: &[u8]) -> Vec<u8> {
    seal_by(&parties().sender, bytes)
}

pub(crate) fn seal_by(signer: &OwnKey, bytes: &[u8]) -> Vec<u8> {
    let receiver = cert(&parties().receiver);
    let mut message = encrypt(&[&receiver], signer, Compression::None, at(NOW), Vec::new()).unwrap();
    message.write_all(bytes).unwrap();
    message.finish().unwrap()
}

/// A set as it is before it is encrypted.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) set: SetName,
    pub(crate) control: (String, Vec<u8>),
    pub(crate) zips: Vec<(String, Vec<u8>)>,
}

impl Made {
    /// A set of so many zips with one member each, whose first zip has this name.
    pub(crate) fn new(first: &str, zips: usize) -> Made {
        let first: ZipName = first.parse().unwrap();
        let limits = BuildLimits { members: 1, ..BuildLimits::default() };
        let mut builder = SetBuilder::new(first.0, limits, |_| Ok(Cursor::new(Vec::new())));
        let (start, run) = match first.to_string() {
            psn if psn.starts_with("PSN_") => {
                let words: Vec<String> = psn.split('_').map(str::to_owned).collect();
                ("PSN_DAILY".to_owned(), format!("{}_{}", words[4], words[5]))
            }
            tds => (tds.split('_').next().unwrap().to_owned(), "0".to_owned()),
        };
        let (timestamp, environment) = (first.0.timestamp, first.0.environment);
        for number in 0..zips {
            let agent = 132_000_000 + number;
            let name = format!("{start}_AGENT_IRD_{agent}_{run}_{timestamp}_{environment}.xml");
            let record = if start.starts_with("PSN") { "<submissionKey>7</submissionKey>" } else { "<Tx/>" };
            let content = format!("<A>{}</A>", format!("<Period>{record}</Period>").repeat(number + 1));
            builder.add(name.parse().unwrap(), content.as_bytes()).unwrap();
        }
        // A second later.
        let finished = timestamp.to_string().replace("300000", "310000").parse().unwrap();
        let BuiltSet { control_name, control, zips } = builder.finish(finished).unwrap();
        Made {
            set: SetName(control_name),
            control: (control_name.to_string(), control.to_xml().into_bytes()),
            zips: zips.into_iter().map(|(name, zip)| (name.to_string(), zip.into_inner())).collect(),
        }
    }

    /// All its files, by name.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.zips.iter().cloned().chain([self.control.clone()]).collect()
    }
}

pub(crate) fn expectation(first: &str) -> Expectation {
    let stem = first.parse::<ZipName>().unwrap().0;
    Expectation {
        feed: stem.run.series().feed(),
        platform: stem.platform,
        environment: stem.environment,
        max_age: Some(Duration::from_secs(2 * 24 * 3600)),
    }
}

/// The receiver's folders.
pub(crate) struct Place {
    root: TempDir,
    pub(crate) settings: Settings,
    pub(crate) keys: Vec<OwnKey>,
    pub(crate) signers: Vec<PartnerCert>,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place::expecting(expectation(TDS))
    }

    pub(crate) fn expecting(expectation: Expectation) -> Place {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("inbox")).unwrap();
        Place {
            root,
            settings: Settings {
                expectation,
                is_inbox_shared: false,
                originals: Originals::Removed,
                limits: Limits::default(),
            },
            keys: vec![parties().receiver.clone()],
            signers: vec![cert(&parties().sender)],
        }
    }

    pub(crate) fn folders(&self) -> Folders {
        Folders { inbox: self.path("inbox"), state: self.path("state") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn open(&self) -> Intake {
        Intake::open(self.folders(), self.settings.clone(), self.keys.clone(), self.signers.clone()).unwrap()
    }

    /// Puts an encrypted file into the inbox as a sender does.
    pub(crate) fn arrive(&self, name: &str, sealed: &[u8]) {
        let (under_way, whole) =
            (self.path("inbox").join(".under-way"), self.path("inbox").join(sealed_name(name)));
        fs::write(&under_way, sealed).unwrap();
        fs::rename(under_way, whole).unwrap();
    }

    /// Encrypts files and puts them into the inbox.
    pub(crate) fn send(&self, files: &BTreeMap<String, Vec<u8>>) {
        for (name, bytes) in files {
            self.arrive(name, &seal(bytes));
        }
    }

    pub(crate) fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return BTreeMap::new() };
        let entries = entries.map(|entry| entry.unwrap());
        entries
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap_or_default())
            })
            .collect()
    }

    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        self.files(folder).into_keys().collect()
    }

    /// The files of a released set; nothing when it was not released.
    pub(crate) fn released(&self, set: &SetName) -> BTreeMap<String, Vec<u8>> {
        self.files(&format!("state/released/{set}"))
    }

    pub(crate) fn status(&self) -> Status {
        Status::read(&self.path("state"), 100).unwrap()
    }
}

/// Passes until nothing more happens; nothing may hinder it.
pub(crate) fn settle(intake: &mut Intake) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let Pass { events: new, troubles } = intake.pass(at(NOW));
        assert_eq!(troubles, []);
        if new.is_empty() {
            return events;
        }
        events.extend(new);
    }
}
