//! Sets in every order of arrival, with every mishap: released when they are right, and never otherwise (E11).

use std::collections::BTreeMap;

use irgw_sftp::intake::Event;
use proptest::prelude::*;

use crate::support::{Made, Place, TDS, seal, settle};

/// What goes wrong on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mishap {
    Nothing,
    /// A file comes twice, encrypted anew.
    Repeat,
    /// A zip never comes.
    Missing,
    /// The control file never comes.
    NoControl,
    /// A zip too many, of the set by its name.
    Extra,
    /// A zip of another provider, environment or day comes besides.
    Stray(&'static str, &'static str),
    /// A zip comes under the name of another provider, environment or day.
    Renamed(&'static str, &'static str),
    /// A zip is cut short by a byte, and then signed.
    Corrupt,
    /// An encrypted file is cut short by a byte.
    CutOff,
    /// A zip has the content of another one.
    Swapped,
    /// A zip comes a second time, with other bytes.
    Changed,
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
        Just(Mishap::CutOff),
        Just(Mishap::Swapped),
        Just(Mishap::Changed),
    ]
}

/// What is put into the inbox: names, and encrypted files.
fn parcels(made: &Made, mishap: Mishap, victim: usize) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = made.zips.clone();
    let renamed = |from, to| made.zips[victim].0.replace(from, to);
    match mishap {
        Mishap::Nothing | Mishap::NoControl | Mishap::CutOff => {}
        Mishap::Repeat => files.push(files[victim].clone()),
        Mishap::Missing => drop(files.remove(victim)),
        Mishap::Extra => files.push((TDS.replace("_0_", "_99_"), files[victim].1.clone())),
        Mishap::Stray(from, to) => files.push((renamed(from, to), files[victim].1.clone())),
        Mishap::Renamed(from, to) => files[victim].0 = renamed(from, to),
        Mishap::Corrupt => cut_short(&mut files[victim].1),
        Mishap::Swapped => files[victim].1 = files[(victim + 1) % files.len()].1.clone(),
        Mishap::Changed => files.push((files[victim].0.clone(), b"other".to_vec())),
    }
    if mishap != Mishap::NoControl {
        files.push(made.control.clone());
    }
    let mut parcels: Vec<_> = files.into_iter().map(|(name, bytes)| (name, seal(&bytes))).collect();
    if mishap == Mishap::CutOff {
        cut_short(&mut parcels[victim].1);
    }
    parcels
}

fn cut_short(bytes: &mut Vec<u8>) {
    bytes.truncate(bytes.len() - 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_set_is_released_when_it_is_right_in_any_order(
        (zips, victim) in (1_usize..4).prop_flat_map(|zips| (Just(zips), 0..zips)),
        mishap in mishap(),
        order in prop::collection::vec(any::<u32>(), 6),
        // How many files come before each look; and whether the intake starts anew in between.
        together in 1_usize..4,
        is_restarted in any::<bool>(),
    ) {
        let made = Made::new(TDS, zips);
        let mut parcels = parcels(&made, mishap, victim);
        let mut order = order.into_iter();
        // Stable: where a file comes twice, which is first does not depend on its name.
        parcels.sort_by_cached_key(|_| order.next());

        let place = Place::new();
        let mut intake = place.open();
        let mut events = Vec::new();
        let mut sent = BTreeMap::<_, Vec<u8>>::new();
        for parcels in parcels.chunks(together) {
            for (name, sealed) in parcels {
                // One name in one look is one file: the second replaces the first before anybody has seen it.
                if sent.contains_key(name) {
                    events.extend(settle(&mut intake));
                }
                place.arrive(name, sealed);
                sent.insert(name.clone(), sealed.clone());
            }
            if is_restarted {
                drop(intake);
                intake = place.open();
            }
            events.extend(settle(&mut intake));
        }

        let released = place.released(&made.set);
        let is_right = match mishap {
            Mishap::Nothing | Mishap::Repeat | Mishap::Stray(..) => true,
            // With one zip, there is no other to swap it with.
            Mishap::Swapped => zips == 1,
            // Whether the other content came before or after the release: what was released is right all the same.
            Mishap::Changed | Mishap::Extra => !released.is_empty(),
            _ => false,
        };
        if is_right {
            prop_assert_eq!(&released, &made.files());
            prop_assert_eq!(intake.unannounced().len(), 1);
            let told = events.iter().filter(|event| matches!(event, Event::Released { .. })).count();
            prop_assert_eq!(told, 1);
        } else {
            prop_assert!(released.is_empty());
            prop_assert_eq!(place.names("state/released"), Vec::<String>::new());
        }
        // An early release is one before the set was complete; of a changed or an extra file, only a late one comes after it.
        if let Mishap::Changed | Mishap::Extra = mishap && is_right {
            let is_waiting = place.names("state/quarantine").is_empty();
            let status = place.status();
            prop_assert!(!is_waiting || !status.unclaimed.is_empty(), "{:?}", status);
        }
        // Nothing that was sent is lost: it was released, or waits, or is in quarantine.
        let refused = place.names("state/quarantine");
        let waiting = place.names("inbox");
        for name in sent.keys() {
            let sealed = format!("{name}.pgp");
            let is_somewhere = released.contains_key(name) || waiting.contains(&sealed) || refused.contains(&sealed);
            prop_assert!(is_somewhere, "{} is nowhere", name);
        }
        prop_assert_eq!(place.names("state/staging"), Vec::<String>::new());
        prop_assert_eq!(place.names("state/work"), Vec::<String>::new());
    }
}
