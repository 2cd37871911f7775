//! A set is released when it is right, and never otherwise (E11).

use std::time::Duration;

use irgw_sftp::fileset::{
    Assembly, BuiltSet, ControlFault, ControlFile, ControlName, Expectation, Feed, Missing, Offered, SKEW,
    SetFault, State, Stray, ZipFault, ZipName,
};
use proptest::prelude::*;

use crate::made::{MADE, PSN, TDS, at, check, control_name, digest, set};

const DAY: u64 = 24 * 3600;

fn expectation(first: &str) -> Expectation {
    let stem = first.parse::<ZipName>().unwrap().0;
    Expectation {
        feed: stem.run.series().feed(),
        platform: stem.platform,
        environment: stem.environment,
        max_age: Some(Duration::from_secs(DAY)),
    }
}

fn assembly(first: &str) -> Assembly {
    Assembly::new(expectation(first))
}

fn taken() -> Result<Offered, Stray> {
    Ok(Offered::Taken { handed_back: Vec::new() })
}

fn give_control(assembly: &mut Assembly, set: &BuiltSet<Vec<u8>>) -> Result<Offered, Stray> {
    let xml = set.control.to_xml();
    let control = ControlFile::parse(xml.as_bytes());
    assembly.control_arrived(set.control_name, digest(xml.as_bytes()), control, at(MADE))
}

fn give_zip(assembly: &mut Assembly, name: ZipName, bytes: &[u8]) -> Result<Offered, Stray> {
    assembly.zip_arrived(name, digest(bytes), at(MADE))
}

/// Checks what can be checked, as a receiver does after every arrival.
fn check_what_is_there(assembly: &mut Assembly, files: &[(ZipName, Vec<u8>)]) {
    let State::Waiting { missing } = assembly.state() else { return };
    for missing in missing {
        let Missing::Check(name) = missing else { continue };
        // The first file of a name is the one that was taken.
        let (_, bytes) = files.iter().find(|(file, _)| *file == name).unwrap();
        let outcome = check(bytes, assembly.transfer(&name).unwrap());
        assembly.zip_checked(name, digest(bytes), outcome).unwrap();
    }
}

fn why(assembly: &Assembly) -> Option<SetFault> {
    match assembly.state() {
        State::Quarantined { why } => Some(why),
        _ => None,
    }
}

fn zip(name: &str) -> ZipName {
    name.parse().unwrap()
}

#[test]
fn what_is_missing_is_named() {
    let set = set(TDS, 2);
    let [(first, first_bytes), (second, _)] = &set.zips[..] else { panic!() };
    let mut assembly = assembly(TDS);
    assert_eq!(assembly.state(), State::Waiting { missing: vec![Missing::Control] });
    assert_eq!(give_zip(&mut assembly, *first, first_bytes), taken());
    assert_eq!(assembly.state(), State::Waiting { missing: vec![Missing::Control] });
    assert_eq!(give_control(&mut assembly, &set), taken());
    let missing = vec![Missing::Check(*first), Missing::Zip(*second)];
    assert_eq!(assembly.state(), State::Waiting { missing });
    let assembly = assembly.release().unwrap_err();
    assert!(matches!(assembly.state(), State::Waiting { .. }));
}

#[test]
fn the_same_file_again_changes_nothing() {
    let set = set(TDS, 1);
    let (name, bytes) = &set.zips[0];
    let mut assembly = assembly(TDS);
    assert_eq!(give_zip(&mut assembly, *name, bytes), taken());
    assert_eq!(give_zip(&mut assembly, *name, bytes), Ok(Offered::Repeat));
    assert_eq!(give_control(&mut assembly, &set), taken());
    assert_eq!(give_control(&mut assembly, &set), Ok(Offered::Repeat));
    check_what_is_there(&mut assembly, &set.zips);
    assert_eq!(give_zip(&mut assembly, *name, bytes), Ok(Offered::Repeat));
    assert_eq!(assembly.state(), State::Complete);
}

#[test]
fn other_bytes_under_one_name_are_quarantined_in_either_order() {
    let set = set(TDS, 1);
    let (name, bytes) = &set.zips[0];
    for control_first in [true, false] {
        let mut assembly = assembly(TDS);
        if control_first {
            give_control(&mut assembly, &set).unwrap();
        }
        give_zip(&mut assembly, *name, bytes).unwrap();
        give_zip(&mut assembly, *name, b"other").unwrap();
        if !control_first {
            give_control(&mut assembly, &set).unwrap();
        }
        assert_eq!(why(&assembly), Some(SetFault::ZipChanged(*name)));
    }
    let mut assembly = assembly(TDS);
    give_control(&mut assembly, &set).unwrap();
    let changed = assembly.control_arrived(set.control_name, digest(b""), ControlFile::parse(b""), at(MADE));
    assert_eq!(changed, taken());
    assert_eq!(why(&assembly), Some(SetFault::ControlChanged));
}

#[test]
fn a_zip_too_many_is_quarantined_in_either_order() {
    for (first, extra) in [(TDS, TDS.replace("_0_", "_1_")), (PSN, PSN.replace("300000", "300001"))] {
        let set = set(first, 1);
        let extra = zip(&extra);
        for control_first in [true, false] {
            let mut assembly = assembly(first);
            if control_first {
                give_control(&mut assembly, &set).unwrap();
            }
            assert_eq!(give_zip(&mut assembly, extra, b"x"), taken());
            if !control_first {
                give_control(&mut assembly, &set).unwrap();
            }
            assert_eq!(why(&assembly), Some(SetFault::Unlisted(extra)));
        }
    }
}

#[test]
fn zips_of_an_earlier_and_a_later_set_are_handed_back() {
    let set = set(TDS, 1);
    let (name, bytes) = &set.zips[0];
    let others =
        [zip(&TDS.replace("20190822093030", "20190822093029")), zip(&TDS.replace("093030", "103030"))];
    let mut held = assembly(TDS);
    for other in others {
        assert_eq!(give_zip(&mut held, other, b"x"), taken());
    }
    assert_eq!(give_zip(&mut held, *name, bytes), taken());
    assert_eq!(give_control(&mut held, &set), Ok(Offered::Taken { handed_back: others.to_vec() }));
    for other in others {
        assert_eq!(give_zip(&mut held, other, b"x"), Err(Stray::OtherSet));
    }
    check_what_is_there(&mut held, &set.zips);
    assert_eq!(held.state(), State::Complete);
}

#[test]
fn strays_leave_the_set_as_it_is() {
    let mut assembly = assembly(TDS);
    for (from, to, stray) in [
        ("1086", "1087", Stray::Platform),
        ("NZT", "PRD", Stray::Environment),
        ("20190822", "20190821", Stray::TooOld),
        ("20190822", "20190823", Stray::Ahead),
    ] {
        assert_eq!(give_zip(&mut assembly, zip(&TDS.replace(from, to)), b"x"), Err(stray));
    }
    assert_eq!(give_zip(&mut assembly, zip(PSN), b"x"), Err(Stray::Feed));
    assert_eq!(assembly.state(), State::Waiting { missing: vec![Missing::Control] });
}

#[test]
fn age_is_judged_to_the_second() {
    let made = MADE - 1;
    for (now, expected) in [
        (made + DAY, taken()),
        (made + DAY + 1, Err(Stray::TooOld)),
        (made - SKEW.as_secs(), taken()),
        (made - SKEW.as_secs() - 1, Err(Stray::Ahead)),
    ] {
        assert_eq!(assembly(TDS).zip_arrived(zip(TDS), digest(b""), at(now)), expected, "{now}");
    }
    let mut whenever = Assembly::new(Expectation { max_age: None, ..expectation(TDS) });
    assert_eq!(whenever.zip_arrived(zip(TDS), digest(b""), at(0)), taken());
}

#[test]
fn control_file_that_does_not_go_with_its_name_or_its_day_is_quarantined_e11() {
    let set = set(TDS, 1);
    let quarantined = |name: &str, now: u64| {
        let mut assembly = assembly(TDS);
        let control = Ok(set.control.clone());
        assert_eq!(assembly.control_arrived(control_name(name), digest(b""), control, at(now)), taken());
        why(&assembly)
    };
    let name = set.control_name.to_string();
    assert_eq!(quarantined(&name.replace("_1_", "_2_"), MADE), Some(SetFault::ControlName));
    assert_eq!(quarantined(&name.replace("DAILY", "WEEKLY"), MADE), Some(SetFault::ControlName));
    let other_day = Some(SetFault::OtherDay(zip(TDS)));
    assert_eq!(quarantined(&name.replace("20190822", "20190823"), MADE + DAY), other_day);
    assert_eq!(quarantined(&name.replace("093031", "083029"), MADE), other_day);
    assert_eq!(quarantined(&name.replace("093031", "083030"), MADE), None);
    assert_eq!(quarantined(&name, MADE), None);
}

/// In the hour that is gone through twice, a control file's timestamp can be earlier than its zips'.
#[test]
fn a_set_that_is_made_while_clocks_are_set_back_is_complete() {
    let mut set = set(TDS, 1);
    set.control_name = control_name(&set.control_name.to_string().replace("093031", "083100"));
    let (name, bytes) = &set.zips[0];
    for control_first in [true, false] {
        let mut assembly = assembly(TDS);
        if control_first {
            assert_eq!(give_control(&mut assembly, &set), taken());
        }
        assert_eq!(give_zip(&mut assembly, *name, bytes), taken());
        if !control_first {
            assert_eq!(give_control(&mut assembly, &set), taken());
        }
        check_what_is_there(&mut assembly, &set.zips);
        assert_eq!(assembly.state(), State::Complete);
    }
}

#[test]
fn control_file_that_is_corrupt_is_quarantined_e11() {
    let mut assembly = assembly(TDS);
    let name = set(TDS, 1).control_name;
    give_zip(&mut assembly, zip(TDS), b"x").unwrap();
    let control = ControlFile::parse(b"\xff");
    assert_eq!(assembly.control_arrived(name, digest(b""), control, at(MADE)), taken());
    assert_eq!(why(&assembly), Some(SetFault::Control(ControlFault::Encoding)));
    assert_eq!(assembly.zips().collect::<Vec<_>>(), [(zip(TDS), digest(b"x"))]);
}

#[test]
fn keys_of_the_return_status_feed_have_one_control_file() {
    let set = set(PSN, 1);
    let mut assembly = assembly(PSN);
    assert_eq!(expectation(PSN).feed, Feed::ReturnStatus);
    give_control(&mut assembly, &set).unwrap();
    let offer = |assembly: &mut Assembly, name: ControlName| {
        assembly.control_arrived(name, digest(b""), Ok(set.control.clone()), at(MADE))
    };
    let other = set.control_name.to_string().replace("_22_", "_23_").parse().unwrap();
    assert_eq!(offer(&mut assembly, other), Err(Stray::OtherSet));
    let second: ControlName = set.control_name.to_string().replace("310000", "320000").parse().unwrap();
    assert_eq!(offer(&mut assembly, second), taken());
    assert_eq!(why(&assembly), Some(SetFault::SecondControl(second)));
}

#[test]
fn a_check_counts_only_for_what_it_was_made_of() {
    let (ours, theirs) = (set(TDS, 1), set(TDS, 2));
    let (name, bytes) = &ours.zips[0];
    let checked = check(bytes, ours.control.transfer(name).unwrap());
    let mut assembly = assembly(TDS);
    assert_eq!(assembly.zip_checked(*name, digest(bytes), checked.clone()), Err(Stray::OtherSet));
    give_zip(&mut assembly, *name, bytes).unwrap();
    assert_eq!(assembly.zip_checked(*name, digest(bytes), checked.clone()), Err(Stray::OtherSet));
    give_control(&mut assembly, &ours).unwrap();
    assert_eq!(assembly.zip_checked(*name, digest(b"x"), checked.clone()), Err(Stray::OtherSet));
    let (their_name, their_bytes) = &theirs.zips[0];
    let of_others = check(their_bytes, theirs.control.transfer(their_name).unwrap());
    assert_eq!(assembly.zip_checked(*name, digest(bytes), of_others), Err(Stray::OtherSet));
    let unread = Err(ZipFault::Io(std::io::ErrorKind::TimedOut));
    assert_eq!(assembly.zip_checked(*name, digest(bytes), unread), Ok(()));
    assert_eq!(assembly.state(), State::Waiting { missing: vec![Missing::Check(*name)] });
    assert_eq!(assembly.zip_checked(*name, digest(bytes), checked), Ok(()));
    assert_eq!(assembly.state(), State::Complete);
}

#[test]
fn held_zips_are_bounded() {
    let mut assembly = assembly(TDS);
    for sequence in 0..ControlFile::ZIP_LIMIT {
        let name = zip(&TDS.replace("_0_", &format!("_{sequence}_")));
        assert_eq!(give_zip(&mut assembly, name, b"x"), taken());
    }
    assert_eq!(give_zip(&mut assembly, zip(&TDS.replace("_0_", "_10000_")), b"x"), Err(Stray::TooMany));
}

/// What goes wrong on the way.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mishap {
    Nothing,
    /// A file arrives again.
    Repeat,
    /// A zip never comes.
    Missing,
    /// The control file never comes.
    NoControl,
    /// A zip too many, of the set by its name.
    Extra,
    /// A zip of another provider, environment or day besides.
    Stray(&'static str, &'static str),
    /// A zip comes as that of another provider, environment or day.
    Renamed(&'static str, &'static str),
    /// A zip is cut short by a byte.
    Corrupt,
    /// A zip comes a second time, with other bytes.
    Changed,
    /// A zip has the content of another one.
    Swapped,
}

fn mishap() -> impl Strategy<Value = Mishap> {
    let change = prop::sample::select(vec![("1086", "1087"), ("NZT", "PRD"), ("20190822", "20190821")]);
    prop_oneof![
        Just(Mishap::Nothing),
        Just(Mishap::Repeat),
        Just(Mishap::Missing),
        Just(Mishap::NoControl),
        Just(Mishap::Extra),
        change.clone().prop_map(|(from, to)| Mishap::Stray(from, to)),
        change.prop_map(|(from, to)| Mishap::Renamed(from, to)),
        Just(Mishap::Corrupt),
        Just(Mishap::Changed),
        Just(Mishap::Swapped),
    ]
}

/// A file on its way; `None` is the control file.
type File = (Option<ZipName>, Vec<u8>);

fn files(set: &BuiltSet<Vec<u8>>, mishap: Mishap, victim: usize) -> Vec<File> {
    let mut files: Vec<File> = set.zips.iter().map(|(name, bytes)| (Some(*name), bytes.clone())).collect();
    let renamed = |from, to| set.zips[victim].0.to_string().replace(from, to).parse().unwrap();
    match mishap {
        Mishap::Nothing | Mishap::NoControl => {}
        Mishap::Repeat => files.push(files[victim].clone()),
        Mishap::Missing => drop(files.remove(victim)),
        Mishap::Extra => files.push((Some(zip(&TDS.replace("_0_", "_99_"))), files[victim].1.clone())),
        Mishap::Stray(from, to) => files.push((Some(renamed(from, to)), files[victim].1.clone())),
        Mishap::Renamed(from, to) => files[victim].0 = Some(renamed(from, to)),
        Mishap::Corrupt => drop(files[victim].1.pop()),
        Mishap::Changed => files.push((files[victim].0, b"other".to_vec())),
        Mishap::Swapped => files[victim].1 = files[(victim + 1) % files.len()].1.clone(),
    }
    if mishap != Mishap::NoControl {
        files.push((None, set.control.to_xml().into_bytes()));
    }
    files
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_set_is_released_when_it_is_right_in_any_order(
        (zips, victim) in (1_usize..4).prop_flat_map(|zips| (Just(zips), 0..zips)),
        mishap in mishap(),
        order in prop::collection::vec(any::<u32>(), 6),
    ) {
        let set = set(TDS, zips);
        let mut files = files(&set, mishap, victim);
        let mut order = order.into_iter();
        files.sort_by_cached_key(|_| order.next());
        let needed = set.zips.len() + 1;

        let mut assembly = assembly(TDS);
        let mut arrived = Vec::new();
        for (name, bytes) in &files {
            prop_assert!(arrived.len() + 1 >= needed || assembly.state() != State::Complete);
            match name {
                Some(name) => {
                    let offered = give_zip(&mut assembly, *name, bytes);
                    let is_stray = matches!(mishap, Mishap::Stray(from, to) | Mishap::Renamed(from, to)
                        if name.to_string() == set.zips[victim].0.to_string().replace(from, to));
                    prop_assert_eq!(offered.is_err(), is_stray);
                    arrived.push((*name, bytes.clone()));
                }
                None => prop_assert!(give_control(&mut assembly, &set).is_ok()),
            }
            check_what_is_there(&mut assembly, &arrived);
        }

        let state = assembly.state();
        let released = assembly.release();
        match mishap {
            Mishap::Nothing | Mishap::Repeat | Mishap::Stray(..) => {
                let released = released.expect("the set is right");
                let digests: Vec<_> = set.zips.iter().map(|(name, bytes)| (*name, digest(bytes))).collect();
                prop_assert_eq!(released.zips(), digests);
                prop_assert_eq!(released.control(), &set.control);
            }
            // With one zip, there is no other to swap it with.
            Mishap::Swapped if zips == 1 => prop_assert!(released.is_ok()),
            Mishap::Missing | Mishap::NoControl | Mishap::Renamed(..) => {
                let is_waiting = matches!(state, State::Waiting { .. });
                prop_assert!(released.is_err() && is_waiting);
            }
            Mishap::Extra | Mishap::Corrupt | Mishap::Changed | Mishap::Swapped => {
                let is_quarantined = matches!(state, State::Quarantined { .. });
                prop_assert!(released.is_err() && is_quarantined);
            }
        }
    }
}
