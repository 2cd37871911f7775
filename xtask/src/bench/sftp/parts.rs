//! What is measured.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::report::{Figure, Target};
use super::super::say;
use super::super::statistics::Spread;
use super::measure::{Taken, measure, times};
use super::ours::Pace;
use super::script::Compression;
use super::sets::{Control, Set};
use super::{Bench, Part, ROUND_TRIP, delay, write_noise};
use crate::Error;

impl Bench<'_> {
    pub(super) fn run(&self) -> Result<Vec<Figure>, Error> {
        let mut figures = Vec::new();
        if self.args.has(Part::Transfer) {
            figures.extend(self.transfer()?);
        }
        if self.args.has(Part::Distance) {
            figures.extend(self.distance()?);
        }
        if self.args.has(Part::Seal) {
            figures.extend(self.seal()?);
        }
        if self.args.has(Part::Set) {
            figures.extend(self.set()?);
        }
        if self.args.has(Part::Memory) {
            figures.extend(self.memory()?);
        }
        if self.args.has(Part::Providers) {
            figures.extend(self.providers()?);
        }
        Ok(figures)
    }

    fn transfer(&self) -> Result<Vec<Figure>, Error> {
        let server = self.server.address;
        let (mut put, mut synced, mut get, mut upload, mut download) =
            (vec![], vec![], vec![], vec![], vec![]);
        for round in 1..=self.args.rounds {
            say(&format!("upload and download, round {round}"));
            put.push(self.script_put(server, "put")?);
            upload.push(self.our_put(server)?);
            synced.push(self.script_put(server, "put -f")?);
            get.push(self.script_get(server)?);
            download.push(self.our_get(server)?);
        }
        let target = Some(Target::AtMostTimesOther(1.0));
        Ok([
            times(["upload / put", "  CPU"], &upload, &put, target),
            times(
                ["upload / put -f, which has it written to disk, as ours does", "  CPU"],
                &upload,
                &synced,
                target,
            ),
            times(["download / get", "  CPU"], &download, &get, target),
        ]
        .concat())
    }

    fn distance(&self) -> Result<Vec<Figure>, Error> {
        let far = delay::listen(self.server.address, ROUND_TRIP)?;
        let (mut put, mut get, mut upload, mut download) = (vec![], vec![], vec![], vec![]);
        for round in 1..=self.args.rounds {
            say(&format!("over {} ms, round {round}", ROUND_TRIP.as_millis()));
            put.push(self.script_put(far, "put")?);
            upload.push(self.our_put(far)?);
            get.push(self.script_get(far)?);
            download.push(self.our_get(far)?);
        }
        let target = Some(Target::AtMostTimesOther(0.7));
        Ok([
            times(["upload over 30 ms / put", "  CPU"], &upload, &put, target),
            times(["download over 30 ms / get", "  CPU"], &download, &get, target),
        ]
        .concat())
    }

    fn seal(&self) -> Result<Vec<Figure>, Error> {
        let set =
            Set::link(self.folder.join("one"), &self.file, 1, Control::None, self.server.files.join("one"))?;
        let pace = Pace { connections: 1, at_once: 1 };
        let (mut ours, mut plain, mut usual) = (vec![], vec![], vec![]);
        for round in 1..=self.args.rounds {
            say(&format!("encrypt, sign and upload, round {round}"));
            ours.push(self.our_delivery(&set, pace)?);
            plain.push(self.script_delivery(&set, Compression::None)?);
            usual.push(self.script_delivery(&set, Compression::Default)?);
        }
        let target = |times| Some(Target::AtMostTimesOther(times));
        Ok([
            times(
                ["encrypt, sign, upload / gpg --compress-algo none, put", "  CPU"],
                &ours,
                &plain,
                target(0.8),
            ),
            times(["encrypt, sign, upload / gpg as it comes, put", "  CPU"], &ours, &usual, target(0.25)),
        ]
        .concat())
    }

    fn set(&self) -> Result<Vec<Figure>, Error> {
        let eighth = self.folder.join("eighth.zip");
        write_noise(&eighth, (self.args.mebibytes << 20) / 8)?;
        let set =
            Set::link(self.folder.join("eight"), &eighth, 8, Control::Last, self.server.files.join("eight"))?;
        let pace = Pace { connections: 2, at_once: 1 };
        let (mut ours, mut plain) = (vec![], vec![]);
        for round in 1..=self.args.rounds {
            say(&format!("a set of eight, round {round}"));
            ours.push(self.our_delivery(&set, pace)?);
            plain.push(self.script_delivery(&set, Compression::None)?);
        }
        let what = ["a set of eight, two connections / gpg --compress-algo none, put, in sequence", "  CPU"];
        Ok(times(what, &ours, &plain, Some(Target::AtMostTimesOther(0.5))))
    }

    /// The most memory of the process that delivers one file.
    fn memory(&self) -> Result<Vec<Figure>, Error> {
        let pace = Pace { connections: 1, at_once: 1 };
        let mut figures = Vec::new();
        for (what, mebibytes) in [
            ("most memory, a file of 16 MiB", 16_u64),
            ("most memory, a file of 256 MiB", 256),
            ("most memory, a file of 1 GiB", 1024),
        ] {
            say(what);
            let zip = self.folder.join("measured.zip");
            write_noise(&zip, mebibytes << 20)?;
            let folder = self.folder.join(format!("memory-{mebibytes}"));
            let set = Set::link(folder, &zip, 1, Control::None, self.server.files.join("memory"))?;
            fs::remove_file(&zip).map_err(Error::at("remove", &zip))?;
            let mut peaks = Vec::new();
            for _ in 0..self.args.rounds {
                set.clear()?;
                let ledger = self.ours.submit(std::slice::from_ref(&set), pace)?;
                peaks.push(mebibytes_of(self.ours.deliver(&ledger, pace)?.peak_bytes));
                set.expect_arrived()?;
            }
            set.clear()?;
            fs::remove_dir_all(&set.folder).map_err(Error::at("remove", &set.folder))?;
            let target = Some(Target::Below(64.0));
            figures.push(Figure { what, unit: "MiB", gateway: Spread::of(peaks), other: None, target });
        }
        Ok(figures)
    }

    /// One small set for each of many providers; the script on [`SAMPLE`] of them, as many times as it takes.
    fn providers(&self) -> Result<Vec<Figure>, Error> {
        let small = self.folder.join("small.zip");
        write_noise(&small, SMALL_BYTES)?;
        let inboxes = self.server.files.join("providers");
        let first = Set::link(self.folder.join("small"), &small, 1, Control::Last, inboxes.join("0"))?;
        let count = usize::try_from(self.args.providers).unwrap_or(usize::MAX);
        let sets: Vec<Set> = (0..count).map(|number| first.to(inboxes.join(number.to_string()))).collect();
        let pace = Pace { connections: 1, at_once: usize::try_from(self.args.at_once).unwrap_or(1) };
        let (mut ours, mut script, mut peaks) = (vec![], vec![], vec![]);
        for round in 1..=self.args.rounds {
            say(&format!("{count} providers, round {round}"));
            sets.iter().try_for_each(Set::clear)?;
            let ledger = self.ours.submit(&sets, pace)?;
            ours.push(measure(self.folder, || {
                peaks.push(mebibytes_of(self.ours.deliver(&ledger, pace)?.peak_bytes));
                Ok(())
            })?);
            sets.iter().try_for_each(Set::expect_arrived)?;
            sets.iter().try_for_each(Set::clear)?;
            let (sample, sealed) = (sets.iter().take(SAMPLE as usize), self.scratch()?);
            let taken = measure(self.folder, || {
                sample.clone().try_for_each(|set| self.run_script(set, Compression::None, &sealed))
            })?;
            let whole = |part: Duration| part.mul_f64(self.args.providers as f64 / f64::from(SAMPLE));
            script.push(Taken { wall: whole(taken.wall), cpu: whole(taken.cpu) });
        }
        let what = ["one small set each for many providers / the same, from a sample of 20", "  CPU"];
        let mut figures = times(what, &ours, &script, Some(Target::AtMostTimesOther(0.1)));
        let target = Some(Target::Below(64.0));
        figures.push(Figure {
            what: "  most memory",
            unit: "MiB",
            gateway: Spread::of(peaks),
            other: None,
            target,
        });
        Ok(figures)
    }

    fn remote(&self) -> PathBuf {
        self.server.files.join("file.zip")
    }

    fn script_put(&self, address: SocketAddr, put: &str) -> Result<Taken, Error> {
        let remote = self.remote();
        forget(&remote)?;
        let line = format!("{put} {} {}\n", self.file.display(), remote.display());
        measure(self.folder, || self.script.transfer(address, &line))
    }

    fn our_put(&self, address: SocketAddr) -> Result<Taken, Error> {
        let remote = self.remote();
        forget(&remote)?;
        measure(self.folder, || self.ours.put(address, &self.file, &remote).map(drop))
    }

    fn script_get(&self, address: SocketAddr) -> Result<Taken, Error> {
        let local = self.folder.join("got.zip");
        forget(&local)?;
        let line = format!("get {} {}\n", self.remote().display(), local.display());
        measure(self.folder, || self.script.transfer(address, &line))
    }

    fn our_get(&self, address: SocketAddr) -> Result<Taken, Error> {
        let local = self.folder.join("got.zip");
        forget(&local)?;
        measure(self.folder, || self.ours.get(address, &self.remote(), &local).map(drop))
    }

    fn our_delivery(&self, set: &Set, pace: Pace) -> Result<Taken, Error> {
        set.clear()?;
        let ledger = self.ours.submit(std::slice::from_ref(set), pace)?;
        let taken = measure(self.folder, || self.ours.deliver(&ledger, pace).map(drop))?;
        set.expect_arrived()?;
        Ok(taken)
    }

    fn script_delivery(&self, set: &Set, compression: Compression) -> Result<Taken, Error> {
        set.clear()?;
        let sealed = self.scratch()?;
        let taken = measure(self.folder, || self.run_script(set, compression, &sealed))?;
        set.expect_arrived()?;
        Ok(taken)
    }

    /// Seals the files of a set one after another, and brings them to the server over one connection.
    fn run_script(&self, set: &Set, compression: Compression, sealed: &Path) -> Result<(), Error> {
        let mut lines = String::new();
        for (name, path) in set.files() {
            let name = irgw_sftp::sealed_name(name);
            let to = sealed.join(&name);
            self.script.seal(&path, &to, compression)?;
            lines.push_str(&format!("put {} {}\n", to.display(), set.inbox.join(&name).display()));
        }
        self.script.transfer(self.server.address, &lines)
    }

    /// An empty folder, for what the script seals.
    fn scratch(&self) -> Result<PathBuf, Error> {
        let sealed = self.folder.join("sealed");
        if sealed.exists() {
            fs::remove_dir_all(&sealed).map_err(Error::at("empty", &sealed))?;
        }
        fs::create_dir(&sealed).map_err(Error::at("make", &sealed))?;
        Ok(sealed)
    }
}

/// Providers that the script is measured on.
const SAMPLE: u32 = 20;

/// The zip of a small set.
const SMALL_BYTES: u64 = 64 * 1024;

/// Removes a file, if there is one.
fn forget(path: &Path) -> Result<(), Error> {
    match path.exists() {
        true => fs::remove_file(path).map_err(Error::at("remove", path)),
        false => Ok(()),
    }
}

fn mebibytes_of(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
