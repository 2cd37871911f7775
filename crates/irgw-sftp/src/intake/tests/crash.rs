//! Whatever was under way when the power went, the next run ends where this one would have.

use super::*;

/// Runs until the power goes after so many changes. Says whether it lasted.
fn run_until_cut(place: &Place, scene: &Scene, changes: u32) -> bool {
    let mut intake = place.open(scene);
    intake.disk.power.set(Some(changes));
    for _ in 0..3 {
        if !intake.pass(now()).troubles.is_empty() {
            return false;
        }
    }
    true
}

/// Tries a run that is cut after each number of changes, and gives what is left to `then`.
fn cut_everywhere(
    originals: Originals,
    scene: &Scene,
    sealed: &BTreeMap<String, Vec<u8>>,
    then: impl Fn(&Place),
) {
    let mut changes = 0;
    loop {
        let place = Place::new(originals);
        place.deliver(sealed);
        let lasted = run_until_cut(&place, scene, changes);
        then(&place);
        if lasted {
            assert!(changes > 20, "only {changes} changes were made");
            return;
        }
        changes += 1;
    }
}

fn nothing_is_under_way(place: &Place) {
    for folder in ["inbox", "state/opened", "state/staging", "state/work"] {
        assert_eq!(place.files(folder).into_keys().collect::<Vec<_>>(), Vec::<String>::new(), "{folder}");
    }
}

#[test]
fn a_set_is_released_whole_and_once() {
    let scene = Scene::new();
    let released = format!("state/released/{}", scene.set);
    cut_everywhere(Originals::Removed, &scene, &scene.sealed, |place| {
        // Before the next run, the provider takes away what it finds.
        let taken = place.files(&released);
        assert!(taken.is_empty() || taken == scene.files, "half a set was to be seen");
        let _ = fs::remove_dir_all(place.root.path().join(&released));

        let mut intake = place.open(&scene);
        let events = settle(&mut intake);
        nothing_is_under_way(place);
        let again = place.files(&released);
        assert!(again.is_empty() || taken.is_empty(), "it was released twice");
        assert!(again == scene.files || taken == scene.files, "it was not released");
        let log = fs::read_to_string(intake.folders.events()).unwrap();
        assert!(log.contains(r#""event":"released""#));
        let told: Vec<_> = intake.unannounced().into_iter().map(|release| release.set).collect();
        assert_eq!(told, [scene.set]);
        intake.announced(&scene.set).unwrap();
        drop(events);

        // And the same files come again.
        drop(intake);
        place.deliver(&scene.sealed);
        let mut intake = place.open(&scene);
        let events = settle(&mut intake);
        assert_eq!(events.len(), 3);
        assert!(
            events.iter().all(|event| matches!(event, Event::Repeated { set: Some(_), .. })),
            "{events:?}"
        );
        assert_eq!(place.files(&released), again);
        assert!(intake.unannounced().is_empty());
        nothing_is_under_way(place);
    });
}

#[test]
fn originals_of_a_released_set_are_all_archived() {
    let scene = Scene::new();
    cut_everywhere(Originals::Archived, &scene, &scene.sealed, |place| {
        settle(&mut place.open(&scene));
        nothing_is_under_way(place);
        assert_eq!(place.files(&format!("state/released/{}", scene.set)), scene.files);
        assert_eq!(place.files(&format!("state/archive/{}", scene.set)), scene.sealed);
    });
}

#[test]
fn a_wrong_set_is_refused_whole_and_can_come_again() {
    let scene = Scene::new();
    // The two zips have changed places, so neither holds what is listed for it.
    let mut swapped = scene.sealed.clone();
    let [first, second] =
        [0, 1].map(|at| format!("DAILY_PROVIDER_1500131086_{at}_201908220930300000_NZT.zip.pgp"));
    let one = swapped.insert(first.clone(), scene.sealed[&second].clone()).unwrap();
    swapped.insert(second, one);
    cut_everywhere(Originals::Removed, &scene, &swapped, |place| {
        let mut intake = place.open(&scene);
        settle(&mut intake);
        nothing_is_under_way(place);
        let mut quarantined = place.files("state/quarantine");
        quarantined.retain(|name, _| !name.ends_with(".json"));
        assert_eq!(quarantined, swapped, "an original was lost");
        assert_eq!(place.files("state/released"), BTreeMap::new());
        let status = Status::read(&intake.folders.state, 10).unwrap();
        assert_eq!(status.quarantined.len(), 3);
        assert!(status.is_watched && status.waiting.is_empty());
        assert!(status.quarantined.iter().all(|file| file.set == Some(scene.set)), "{status:?}");

        place.deliver(&scene.sealed);
        settle(&mut intake);
        assert_eq!(place.files(&format!("state/released/{}", scene.set)), scene.files);
    });
}

#[test]
fn a_second_cut_while_the_first_is_mended_does_no_harm() {
    let scene = Scene::new();
    let released = format!("state/released/{}", scene.set);
    for first in (0..60).step_by(3) {
        for second in (0..40).step_by(7) {
            let place = Place::new(Originals::Removed);
            place.deliver(&scene.sealed);
            run_until_cut(&place, &scene, first);
            run_until_cut(&place, &scene, second);
            let mut intake = place.open(&scene);
            settle(&mut intake);
            nothing_is_under_way(&place);
            assert_eq!(place.files(&released), scene.files, "after {first} and {second}");
        }
    }
}
