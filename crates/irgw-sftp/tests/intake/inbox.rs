//! What else can lie in an inbox (E06, E07).

use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use irgw_sftp::intake::{Event, Folders, Intake, OpenFault, Unexpected};

use crate::support::{Made, PSN, Place, TDS, seal, settle};

#[test]
fn what_is_no_file_of_the_feeds_is_told_once_and_never_touched() {
    let place = Place::new();
    let inbox = place.path("inbox");
    let made = Made::new(TDS, 1);
    let named = |at: &str| inbox.join(format!("{}.pgp", TDS.replace("_0_", at)));
    fs::write(place.path("elsewhere"), seal(&made.zips[0].1)).unwrap();
    symlink(place.path("elsewhere"), named("_0_")).unwrap();
    symlink("/dev/zero", named("_1_")).unwrap();
    fs::create_dir(named("_2_")).unwrap();
    assert!(Command::new("mkfifo").arg(named("_3_")).status().unwrap().success());
    fs::write(inbox.join(TDS), b"not encrypted").unwrap();
    fs::write(inbox.join("DAILY_CUSTOMER_0_201908220930300000_NZT.xml.pgp"), b"").unwrap();
    fs::write(inbox.join("-rf.pgp"), b"").unwrap();
    fs::write(inbox.join(std::ffi::OsStr::from_bytes(b"a\xff\x1b[2J.pgp")), b"").unwrap();
    fs::write(inbox.join(".hidden.pgp"), b"").unwrap();
    fs::write(inbox.join(format!("{TDS}.pgp.7.part")), b"half").unwrap();
    let before = fs::read_dir(&inbox).unwrap().count();

    let mut intake = place.open();
    let events = settle(&mut intake);
    let ignored: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::Ignored { name, why } => (name.as_str(), *why),
            event => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(ignored.len(), 8, "{ignored:?}");
    let whys = |wanted| ignored.iter().filter(|(_, why)| *why == wanted).count();
    assert_eq!((whys(Unexpected::NotAFile), whys(Unexpected::Ending), whys(Unexpected::Member)), (4, 1, 1));
    assert!(ignored.iter().all(|(name, _)| !name.contains('\x1b')));
    assert_eq!(settle(&mut intake), []);
    assert_eq!(fs::read_dir(&inbox).unwrap().count(), before);
    assert!(place.names("state/quarantine").is_empty());
}

/// Whoever opens an intake for each pass is not told of the other feed's waiting files again and again.
#[test]
fn other_feeds_files_are_passed_over_in_silence_where_they_belong() {
    let mut place = Place::new();
    let other = Made::new(PSN, 1);
    place.arrive(&other.zips[0].0, &seal(&other.zips[0].1));
    let events = settle(&mut place.open());
    assert!(matches!(&events[..], [Event::Ignored { why: Unexpected::OtherFeed, .. }]), "{events:?}");
    let log = fs::read(place.path("state/events.jsonl")).unwrap();

    place.settings.is_inbox_shared = true;
    for _ in 0..2 {
        assert_eq!(settle(&mut place.open()), []);
    }
    assert_eq!(fs::read(place.path("state/events.jsonl")).unwrap(), log);
    assert_eq!(place.names("inbox").len(), 1);
}

/// A name that was a link when it was listed and a file when it is opened, or the other way round, is no way out.
#[test]
fn a_link_to_a_good_file_is_not_followed() {
    let place = Place::new();
    let made = Made::new(TDS, 1);
    fs::write(place.path("elsewhere"), seal(&made.control.1)).unwrap();
    symlink(place.path("elsewhere"), place.path("inbox").join(format!("{}.pgp", made.control.0))).unwrap();
    let events = settle(&mut place.open());
    assert!(matches!(&events[..], [Event::Ignored { why: Unexpected::NotAFile, .. }]), "{events:?}");
    assert!(place.path("elsewhere").exists());
}

#[test]
fn folders_that_cannot_be_used_are_refused_at_the_start() {
    let place = Place::new();
    let open = |inbox: &str, state: &str| {
        let folders = Folders { inbox: place.path(inbox), state: place.path(state) };
        Intake::open(folders, place.settings.clone(), vec![], vec![]).map(drop)
    };
    assert!(matches!(open("absent", "state"), Err(OpenFault::Trouble(_))));
    for (inbox, state) in [("inbox", "inbox"), ("inbox", "inbox/state"), ("", "state")] {
        assert!(matches!(open(inbox, state), Err(OpenFault::Apart { .. })), "{inbox} {state}");
    }
    fs::create_dir(place.path("open")).unwrap();
    fs::set_permissions(place.path("open"), Permissions::from_mode(0o750)).unwrap();
    let exposed = open("inbox", "open").unwrap_err();
    assert!(exposed.to_string().contains("(mode 0750); run: chmod 700 "), "{exposed}");
    assert_eq!(open("inbox", "good"), Ok(()));
    let mode = fs::metadata(place.path("good")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
