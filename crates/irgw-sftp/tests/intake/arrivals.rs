//! Sets beside each other, files that come again, and what is told of them.

use std::collections::BTreeMap;
use std::fs;

use irgw_core::Rule;
use irgw_sftp::intake::{Event, Intake, OpenFault, Originals, SetName, Trouble};

use crate::support::{Made, NOW, PSN, Place, TDS, at, expectation, parties, seal, seal_by, settle};

fn released(events: &[Event]) -> Vec<SetName> {
    let sets = events.iter().filter_map(|event| match event {
        Event::Released { set, .. } => Some(*set),
        _ => None,
    });
    sets.collect()
}

fn rules(events: &[Event]) -> Vec<Rule> {
    let rules = events.iter().filter_map(|event| match event {
        Event::Refused { reason, .. } | Event::SetRefused { reason, .. } => Some(reason.rule),
        _ => None,
    });
    rules.collect()
}

/// The sets of two days, and of two frequencies.
fn days() -> [Made; 3] {
    [
        Made::new(TDS, 2),
        Made::new(&TDS.replace("20190822", "20190821"), 2),
        Made::new(&TDS.replace("DAILY", "WEEKLY"), 1),
    ]
}

#[test]
fn sets_under_way_at_once_do_not_mix() {
    let place = Place::new();
    let mut intake = place.open();
    let [today, yesterday, weekly] = days();
    // All first zips, then all second ones, then the control files.
    for made in [&today, &yesterday, &weekly] {
        place.send(&BTreeMap::from([made.zips[0].clone()]));
    }
    assert_eq!(released(&settle(&mut intake)), []);
    assert_eq!(place.status().unclaimed.len(), 3);
    for made in [&weekly, &today, &yesterday] {
        place.send(&BTreeMap::from([made.control.clone()]));
    }
    assert_eq!(released(&settle(&mut intake)), [weekly.set]);
    let waiting = place.status().waiting;
    assert_eq!(waiting.len(), 2);
    for (waiting, made) in waiting.iter().zip([&yesterday, &today]) {
        assert_eq!(waiting.set, made.set);
        assert_eq!(waiting.missing, [made.zips[1].0.clone()]);
        assert_eq!(waiting.arrived, [made.control.0.clone(), made.zips[0].0.clone()]);
    }
    place.send(&BTreeMap::from([today.zips[1].clone()]));
    assert_eq!(released(&settle(&mut intake)), [today.set]);
    place.send(&BTreeMap::from([yesterday.zips[1].clone()]));
    assert_eq!(released(&settle(&mut intake)), [yesterday.set]);
    for made in [today, yesterday, weekly] {
        assert_eq!(place.released(&made.set), made.files());
    }
    assert_eq!(place.status().released.len(), 3);
    assert!(place.names("inbox").is_empty());
}

#[test]
fn what_was_released_is_told_as_a_repeat_and_never_released_again() {
    let place = Place::new();
    let made = Made::new(TDS, 2);
    place.send(&made.files());
    let mut intake = place.open();
    assert_eq!(released(&settle(&mut intake)), [made.set]);
    fs::remove_dir_all(place.path("state/released").join(made.set.to_string())).unwrap();
    for is_restarted in [false, true] {
        if is_restarted {
            drop(intake);
            intake = place.open();
        }
        place.send(&made.files());
        let events = settle(&mut intake);
        assert_eq!(events.len(), 3);
        assert!(
            events
                .iter()
                .all(|event| matches!(event, Event::Repeated { set: Some(set), .. } if *set == made.set))
        );
        assert!(place.names("state/released").is_empty());
        assert!(place.names("inbox").is_empty());
    }
}

#[test]
fn other_content_under_a_released_name_goes_to_quarantine() {
    let place = Place::new();
    let made = Made::new(TDS, 1);
    place.send(&made.files());
    let mut intake = place.open();
    settle(&mut intake);
    let (name, _) = &made.zips[0];
    place.send(&BTreeMap::from([(name.clone(), b"other".to_vec())]));
    place.send(&BTreeMap::from([(made.control.0.clone(), b"<FileTransfers/>".to_vec())]));
    assert_eq!(rules(&settle(&mut intake)), [Rule::File4, Rule::File4]);
    let why = &place.status().quarantined[0].reason.why;
    assert!(why.contains("with other content was released in DAILY_PROVIDER_1500131086_1_"), "{why}");
}

#[test]
fn a_zip_is_never_part_of_two_sets() {
    let made = Made::new(TDS, 1);
    let again = made.control.0.replace("20190822093031", "20190822093032");
    let second = BTreeMap::from([(again, made.control.1.clone())]);
    // Both control files are there before the zip.
    let place = Place::new();
    let mut intake = place.open();
    place.send(&BTreeMap::from([made.control.clone()]));
    place.send(&second);
    assert_eq!(rules(&settle(&mut intake)), [Rule::File4, Rule::File4]);
    place.send(&made.zips.iter().cloned().collect());
    assert_eq!(released(&settle(&mut intake)), []);
    // The first set is released before the second control file comes.
    let place = Place::new();
    let mut intake = place.open();
    place.send(&made.files());
    assert_eq!(released(&settle(&mut intake)), [made.set]);
    place.send(&second);
    assert_eq!(rules(&settle(&mut intake)), [Rule::File4]);
    assert!(place.status().quarantined[0].reason.why.contains("second control file"));
}

#[test]
fn keys_of_the_return_status_feed_come_once() {
    let made = Made::new(PSN, 1);
    let later = Made::new(&PSN.replace("20190822093030", "20190822103030"), 1);
    let place = Place::expecting(expectation(PSN));
    let mut intake = place.open();
    place.send(&made.files());
    assert_eq!(released(&settle(&mut intake)), [made.set]);
    place.send(&later.files());
    let events = settle(&mut intake);
    assert_eq!((released(&events), rules(&events)), (vec![], vec![Rule::File4]));
    assert_eq!(place.names("state/released"), [made.set.to_string()]);

    let place = Place::expecting(expectation(PSN));
    let mut intake = place.open();
    place.send(&made.files().into_iter().chain(later.files()).collect());
    let events = settle(&mut intake);
    assert_eq!((released(&events), rules(&events)), (vec![], vec![Rule::File4, Rule::File4]));
}

#[test]
fn a_refused_set_can_come_again_put_right() {
    let place = Place::new();
    let mut intake = place.open();
    let made = Made::new(TDS, 2);
    let mut wrong = made.files();
    wrong.insert(made.zips[1].0.clone(), b"no zip".to_vec());
    for _ in 0..2 {
        place.send(&wrong);
        assert_eq!(rules(&settle(&mut intake)), [Rule::File4]);
        assert!(place.names("inbox").is_empty());
    }
    let quarantined = place.status().quarantined;
    assert_eq!(quarantined.len(), 6);
    assert!(quarantined.iter().all(|file| file.set == Some(made.set) && file.at == at(NOW)));
    assert!(quarantined[0].name.starts_with("2-DAILY"));
    assert!(quarantined[0].reason.why.contains("_1_201908220930300000_NZT.zip is refused: the zip"));
    place.send(&made.files());
    assert_eq!(released(&settle(&mut intake)), [made.set]);
}

#[test]
fn messages_that_do_not_verify_are_kept_with_their_reason() {
    let place = Place::new();
    let mut intake = place.open();
    let made = Made::new(TDS, 1);
    let forged = seal_by(&parties().stranger, &made.control.1);
    place.arrive(&made.control.0, &forged);
    place.arrive(&made.zips[0].0, &made.zips[0].1);
    let events = settle(&mut intake);
    assert_eq!(rules(&events), [Rule::Pgp2, Rule::Pgp2]);
    assert_eq!(place.files("state/quarantine")[&format!("{}.pgp", made.control.0)], forged);
    let [zip, control] = &place.status().quarantined[..] else { panic!() };
    assert!(control.reason.why.contains("which is not enrolled"), "{control:?}");
    // What a zip looks like to a reader of messages is not the point.
    assert_eq!((zip.reason.rule, zip.set), (Rule::Pgp2, None));
    let log = fs::read_to_string(place.path("state/events.jsonl")).unwrap();
    let line = log.lines().find(|line| line.contains("CONTROL")).unwrap();
    let start = format!(
        r#"{{"time":"2019-08-21T21:31:31Z","event":"refused","file":"{0}","quarantined":"{0}.pgp","rule":"PGP-2","why":""#,
        made.control.0
    );
    assert!(line.starts_with(&start), "{line}");
}

#[test]
fn files_for_others_are_refused_and_the_other_feed_is_left_alone() {
    let place = Place::new();
    let mut intake = place.open();
    let made = Made::new(TDS, 1);
    for (from, to) in [("1086", "1087"), ("NZT", "PRD"), ("20190822", "20190722"), ("20190822", "20190922")] {
        place.arrive(&made.zips[0].0.replace(from, to), b"not even looked at");
    }
    place.arrive(PSN, b"the other feed's");
    let events = settle(&mut intake);
    let mut refused = rules(&events);
    refused.sort();
    assert_eq!(refused, [Rule::Env2, Rule::File4, Rule::File4, Rule::File4]);
    assert_eq!(place.names("inbox"), [format!("{PSN}.pgp")]);
    assert_eq!(settle(&mut intake), []);
}

#[test]
fn waiting_files_survive_a_restart_and_damage_is_noticed() {
    let place = Place::new();
    let made = Made::new(TDS, 2);
    place.send(&BTreeMap::from([made.control.clone(), made.zips[0].clone()]));
    assert_eq!(settle(&mut place.open()).len(), 2);
    // Nothing is decrypted again.
    assert_eq!(settle(&mut place.open()), []);
    // What lies decrypted is not what was verified: it is decrypted again.
    fs::write(place.path("state/opened").join(&made.zips[0].0), b"rotten").unwrap();
    fs::write(place.path("state/opened").join(format!("{}.json", made.control.0)), b"{").unwrap();
    fs::write(place.path("state/opened/left-over"), b"").unwrap();
    assert_eq!(settle(&mut place.open()).len(), 2);
    place.send(&BTreeMap::from([made.zips[1].clone()]));
    assert_eq!(released(&settle(&mut place.open())), [made.set]);
    assert_eq!(place.released(&made.set), made.files());
}

#[test]
fn originals_are_archived_on_request() {
    let mut place = Place::new();
    place.settings.originals = Originals::Archived;
    let made = Made::new(TDS, 1);
    let sealed: BTreeMap<_, _> = made.files().into_iter().map(|(name, bytes)| (name, seal(&bytes))).collect();
    for (name, bytes) in &sealed {
        place.arrive(name, bytes);
    }
    settle(&mut place.open());
    let archived = place.files(&format!("state/archive/{}", made.set));
    let expected = sealed.into_iter().map(|(name, bytes)| (format!("{name}.pgp"), bytes)).collect();
    assert_eq!(archived, expected);
    assert!(place.names("inbox").is_empty());
}

#[test]
fn limits_leave_what_is_too_much_in_the_inbox() {
    let mut place = Place::new();
    place.settings.limits.files = 2;
    place.settings.limits.sets = 1;
    let [today, yesterday, _] = days();
    place.send(&BTreeMap::from([today.control.clone(), yesterday.control.clone()]));
    let mut intake = place.open();
    let pass = intake.pass(at(NOW));
    assert_eq!((pass.events.len(), pass.troubles), (1, vec![Trouble::TooManySets { limit: 1 }]));
    place.send(&today.zips.iter().cloned().chain(yesterday.zips.clone()).collect());
    let pass = intake.pass(at(NOW));
    assert!(pass.troubles.contains(&Trouble::Full { limit: 2 }), "{pass:?}");
    assert_eq!(place.names("inbox").len(), 6);
}

#[test]
fn a_release_is_told_until_it_is_acknowledged() {
    let place = Place::new();
    let made = Made::new(TDS, 1);
    place.send(&made.files());
    let mut intake = place.open();
    settle(&mut intake);
    drop(intake);
    let mut intake = place.open();
    let [release] = &intake.unannounced()[..] else { panic!() };
    assert_eq!(release.folder, place.path("state/released").join(made.set.to_string()));
    assert!(!place.status().released[0].is_announced);
    intake.announced(&made.set).unwrap();
    assert!(intake.unannounced().is_empty());
    drop(intake);
    assert!(place.open().unannounced().is_empty());
    assert!(place.status().released[0].is_announced);
}

#[test]
fn one_intake_has_the_state_folder() {
    let place = Place::new();
    let open = || Intake::open(place.folders(), place.settings.clone(), vec![], vec![]);
    let intake = place.open();
    assert_eq!(open().err(), Some(OpenFault::Taken { state: place.path("state") }));
    assert!(place.status().is_watched);
    drop(intake);
    assert!(!place.status().is_watched);
    fs::write(place.path("state/receipts/DAILY_PROVIDER_1500131086_1_201908220930308507_NZT.json"), b"{")
        .unwrap();
    assert!(matches!(open().err(), Some(OpenFault::Damaged { .. })));
}
