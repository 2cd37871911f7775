//! IR's published file sets, where they are there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use irgw_sftp::fileset::{
    Assembly, ControlFile, ControlName, Expectation, FileName, FileTransfer, MemberName, Missing, State,
    ZipName,
};

use crate::made::{at, check, digest};
use crate::skipped;

struct Sample {
    control_name: ControlName,
    control: Vec<u8>,
    zips: Vec<(ZipName, Vec<u8>)>,
}

/// One sample for each folder; none, and a word about it, where there are no folders.
fn samples() -> Vec<Sample> {
    let Some(folder) = folder("data/ir/filesets") else { return Vec::new() };
    let mut samples = Vec::new();
    for folder in fs::read_dir(folder).unwrap() {
        let (mut control, mut zips) = (None, Vec::new());
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let read: FileName = name.parse().unwrap_or_else(|fault| panic!("{name}: {fault}"));
            assert_eq!(read.to_string(), name);
            let bytes = fs::read(&path).unwrap();
            match read {
                FileName::Control(name) => control = Some((name, bytes)),
                FileName::Zip(name) => zips.push((name, bytes)),
                FileName::Member(_) => panic!("{name} lies outside a zip"),
            }
        }
        let (control_name, control) = control.unwrap();
        samples.push(Sample { control_name, control, zips });
    }
    assert!(!samples.is_empty());
    samples
}

/// A folder beside the checkout, if it is there.
fn folder(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(name);
    if folder.exists() {
        return Some(folder);
    }
    skipped(&format!("IR's samples: there is no ../shared/{name}"));
    None
}

#[test]
fn control_files_are_read_and_printed_byte_for_byte() {
    for Sample { control_name, control: bytes, .. } in samples() {
        let control = ControlFile::parse(&bytes).unwrap_or_else(|fault| panic!("{control_name}: {fault}"));
        assert_eq!(control.to_xml().into_bytes(), bytes, "{control_name}");
        assert!(control.fits(&control_name));
    }
}

/// What `SetId` and `Assembly` take for granted.
#[test]
fn timestamps_of_a_set_differ_in_their_order() {
    for Sample { control_name, control, zips } in samples() {
        let control = ControlFile::parse(&control).unwrap();
        for (zip, _) in zips {
            let members = control.transfer(&zip).unwrap().children.iter().map(|child| child.name.timestamp());
            assert!(zip.0.timestamp < control_name.0.timestamp);
            for member in members {
                assert!((zip.0.timestamp..=control_name.0.timestamp).contains(&member), "{zip}");
            }
        }
    }
}

#[test]
fn zips_hold_what_their_control_files_list() {
    for Sample { control, zips, .. } in samples() {
        let control = ControlFile::parse(&control).unwrap();
        for (name, bytes) in &zips {
            let transfer = control.transfer(name).unwrap();
            let checked = check(bytes, transfer).unwrap_or_else(|fault| panic!("{name}: {fault}"));
            assert_eq!(checked.transfer(), transfer);
        }
    }
}

#[test]
fn a_count_that_is_one_off_is_noticed() {
    for Sample { control, zips, .. } in samples() {
        let control = ControlFile::parse(&control).unwrap();
        for (name, bytes) in &zips {
            let listed = control.transfer(name).unwrap();
            for child in 0..listed.children.len() {
                let mut transfer: FileTransfer = listed.clone();
                transfer.children[child].counts.periods += 1;
                assert!(check(bytes, &transfer).is_err());
                transfer.children[child].counts = listed.children[child].counts;
                transfer.children[child].counts.records += 1;
                assert!(check(bytes, &transfer).is_err());
            }
        }
    }
}

#[test]
fn sets_are_complete_in_either_order() {
    for sample in samples() {
        for control_first in [true, false] {
            let stem = sample.control_name.0;
            let expectation = Expectation {
                feed: stem.run.series().feed(),
                platform: stem.platform,
                environment: stem.environment,
                max_age: Some(std::time::Duration::from_secs(3600)),
            };
            let now = at(stem.timestamp.to_unix().as_secs() + 600);
            let mut set = Assembly::new(expectation);
            let control = |set: &mut Assembly| {
                let control = ControlFile::parse(&sample.control);
                set.control_arrived(sample.control_name, digest(&sample.control), control, now).unwrap();
            };
            if control_first {
                control(&mut set);
            }
            for (name, bytes) in &sample.zips {
                set.zip_arrived(*name, digest(bytes), now).unwrap();
            }
            if !control_first {
                assert_eq!(set.state(), State::Waiting { missing: vec![Missing::Control] });
                control(&mut set);
            }
            for (name, bytes) in &sample.zips {
                assert!(matches!(set.state(), State::Waiting { .. }));
                let outcome = check(bytes, set.transfer(name).unwrap());
                set.zip_checked(*name, digest(bytes), outcome).unwrap();
            }
            assert_eq!(set.state(), State::Complete);
            assert_eq!(set.release().unwrap().control_name(), sample.control_name);
        }
    }
}

/// A second reader of sets, not ours, agrees about one that is ours: `check_control.py` of the samples.
#[test]
fn a_built_set_passes_the_independent_checker() {
    let Some(checker) = folder("tools/check_control.py") else { return };
    if Command::new("python3").arg("--version").output().is_err() {
        return skipped("the independent checker: python3 is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    for first in [crate::made::TDS, crate::made::PSN] {
        let zips = if first == crate::made::TDS { 3 } else { 1 };
        let set = crate::made::set(first, zips);
        fs::write(folder.path().join(set.control_name.to_string()), set.control.to_xml()).unwrap();
        for (name, bytes) in &set.zips {
            fs::write(folder.path().join(name.to_string()), bytes).unwrap();
        }
    }
    let output = Command::new("python3").arg(checker).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let words = [
        "'files': 6",
        "'name_ok': 6",
        "'control': 2",
        "'zip_children_match': 4",
        "'txn_match': 9",
        "'total_ok': 2",
    ];
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(
        !said.contains("DIFF") && !said.contains("diff") && !said.contains("bad") && !said.contains("BAD"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "an issue was found: {said}");
}

#[test]
fn members_of_the_samples_are_named_by_the_grammar() {
    let names = samples().into_iter().flat_map(|sample| {
        let control = ControlFile::parse(&sample.control).unwrap();
        let children =
            control.transfers().iter().flat_map(|transfer| transfer.children.clone()).collect::<Vec<_>>();
        children.into_iter().map(|child| child.name)
    });
    for name in names {
        assert_eq!(name.to_string().parse::<MemberName>(), Ok(name));
    }
}
