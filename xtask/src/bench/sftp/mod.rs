//! `cargo xtask bench sftp`: file transfer beside the commands that it replaces, `gpg` and OpenSSH's `sftp`.

mod delay;
mod job;
mod measure;
mod ours;
mod parts;
mod script;
mod server;
mod sets;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Form;
use super::report::Report;
use super::setting::{first_line, machine};
use crate::{Error, run};

pub(super) use job::JobArgs;

use ours::Ours;
use script::Script;
use server::Sshd;

/// File transfer beside `gpg` and OpenSSH's `sftp`, measured in turns: the same files, keys, server and machine.
///
/// The server is OpenSSH's, started for the run on a loopback port with keys of its own. Both sides start their processes within
/// the measured time: the script `gpg` and then `sftp`, ours one process that connects, transfers and ends. Ours keeps a ledger on
/// disk (SQLite, `synchronous=FULL`) where it delivers, uploads under a temporary name, has the server write the file to its disk,
/// checks the size and renames. All of that but the temporary name is more than the script does.
///
/// Needs OpenSSH's server and client and GnuPG: apt-get install openssh-server openssh-client gnupg
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How often each is made; the median and the spread are reported
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: u64,
    /// Size of the file that is transferred, in MiB
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(8..=4096))]
    mebibytes: u64,
    /// How many providers one small set each is delivered to
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(20..=10_000))]
    providers: u64,
    /// How many deliveries there are at once to them: what the gateway's `files.deliveries` is by default
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=256))]
    at_once: u64,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    #[command(flatten)]
    form: Form,
}

/// A part of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Upload and download of one file
    Transfer,
    /// The same over a round trip of 30 ms
    Distance,
    /// One file encrypted, signed and uploaded
    Seal,
    /// A set of eight files encrypted, signed and uploaded
    Set,
    /// The most memory that an encrypted upload takes, by size of the file
    Memory,
    /// One small set for each of many providers
    Providers,
}

/// The round trip of [`Part::Distance`].
const ROUND_TRIP: Duration = Duration::from_millis(30);

/// What is started and measured.
struct Bench<'a> {
    args: &'a Args,
    folder: &'a Path,
    server: Sshd,
    script: Script,
    ours: Ours,
    /// The file that is transferred.
    file: PathBuf,
}

impl Args {
    pub(super) fn run(&self) -> Result<(), Error> {
        let programs = ["sshd", "sftp", "gpg"].map(|name| (name, run::find(name)));
        let [(_, Some(sshd)), (_, Some(sftp)), (_, Some(gpg))] = &programs else {
            for (name, _) in programs.iter().filter(|(_, found)| found.is_none()) {
                println!(
                    "SKIPPED: {name} is not installed: apt-get install openssh-server openssh-client gnupg"
                );
            }
            return Ok(());
        };
        let folder = tempfile::tempdir().map_err(Error::step("make a folder"))?;
        let server = Sshd::start(sshd, folder.path())?;
        let script = Script::new(gpg, sftp, folder.path(), &server)?;
        let ours = Ours::new(folder.path(), &server, &script)?;
        let file = folder.path().join("file.zip");
        write_noise(&file, self.mebibytes << 20)?;
        let bench = Bench { args: self, folder: folder.path(), server, script, ours, file };
        let mut setting = machine();
        setting.extend(bench.setting(gpg));
        let figures = bench.run()?;
        self.form.print(&Report { columns: ["irgw", "gpg and sftp"], setting, figures });
        Ok(())
    }

    fn has(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

impl Bench<'_> {
    fn setting(&self, gpg: &Path) -> Vec<(&'static str, String)> {
        let Args { rounds, mebibytes, .. } = self.args;
        let disk = run::read(Command::new("stat").args(["-f", "-c", "%T"]).arg(self.folder));
        vec![
            ("OpenSSH", first_line(Command::new("ssh").arg("-V"))),
            ("GnuPG", first_line(Command::new(gpg).arg("--version"))),
            (
                "keys",
                "OpenPGP RSA-3072, gpg's default, the same ones on both sides; SSH ECDSA P-256 for host and user".into(),
            ),
            (
                "ciphers",
                "each side's own first choice: irgw AES-256-GCM, sftp ChaCha20-Poly1305; OpenPGP AES-256".into(),
            ),
            (
                "files",
                format!(
                    "{mebibytes} MiB of noise behind a zip's magic number; both ends on {}",
                    disk.unwrap_or_default().trim()
                ),
            ),
            (
                "method",
                format!(
                    "median (least to greatest) of {rounds} rounds, in turn; from the start of the first process to the end of the \
                     last; dirty pages written back before each; client and server on the same cores, nothing pinned"
                ),
            ),
        ]
    }
}

/// Bytes that do not compress, the same each time, which begin as a zip archive does.
fn write_noise(path: &Path, bytes: u64) -> Result<(), Error> {
    let write = || {
        let mut file = std::io::BufWriter::with_capacity(1 << 20, fs::File::create(path)?);
        file.write_all(b"PK\x03\x04")?;
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut left = bytes.saturating_sub(4);
        while left > 0 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let word = state.to_le_bytes();
            let taken = usize::try_from(left).unwrap_or(word.len()).min(word.len());
            file.write_all(word.get(..taken).unwrap_or_default())?;
            left -= taken as u64;
        }
        file.into_inner()?.sync_all()
    };
    write().map_err(Error::at("write", path))
}
