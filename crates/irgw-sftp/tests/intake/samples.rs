//! IR's published file sets, encrypted and signed by keys of ours, where they are there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use irgw_sftp::fileset::{Expectation, ZipName};

use crate::skipped;
use crate::support::{Place, settle};

#[test]
fn published_sets_are_released_byte_for_byte() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/ir/filesets");
    let Ok(folders) = fs::read_dir(&samples) else {
        return skipped("IR's samples: there is no ../shared/data/ir/filesets");
    };
    let mut sets = BTreeMap::<_, Vec<_>>::new();
    for folder in folders {
        let files = fs::read_dir(folder.unwrap().path()).unwrap().map(|file| file.unwrap().path());
        let files: BTreeMap<String, Vec<u8>> = files
            .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
            .collect();
        let zip: ZipName = files.keys().find_map(|name| name.parse().ok()).unwrap();
        let feed = zip.0.run.series().feed();
        sets.entry((feed, zip.0.platform, zip.0.environment)).or_default().push(files);
    }
    let mut released = 0;
    for ((feed, platform, environment), sets) in sets {
        let place = Place::expecting(Expectation { feed, platform, environment, max_age: None });
        for files in &sets {
            place.send(files);
        }
        settle(&mut place.open());
        for files in &sets {
            let control = files.keys().find_map(|name| name.strip_suffix("_CONTROL.xml")).unwrap();
            assert_eq!(&place.released(&control.parse().unwrap()), files, "{control}");
            released += 1;
        }
        assert!(place.names("inbox").is_empty());
    }
    assert_eq!(released, 5);
}
