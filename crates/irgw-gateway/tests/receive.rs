//! `irgw receive` as processes: a file server, a client of OpenSSH's, a watch, and a signal at the end.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails is to panic"
)]
#![allow(clippy::print_stdout, reason = "what is skipped is said")]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use irgw_core::UnixTime;
use irgw_sftp::fileset::{BuildLimits, SetBuilder, ZipName};
use irgw_sftp::pgp::{Algorithm, Compression, OwnKey, PartnerCert, Protection, Terms, encrypt};
use irgw_sftp::sealed_name;
use irgw_sftp::ssh::{Curve, PrivateKey};

const SET: &str = "DAILY_PROVIDER_1500131086_1_201908220930310000_NZT";

/// A running `irgw`, killed when it is dropped.
struct Running {
    process: Child,
    lines: Box<dyn Iterator<Item = std::io::Result<String>>>,
}

impl Running {
    fn start(folder: &Path, arguments: &[&str]) -> Running {
        let mut process = Command::new(env!("CARGO_BIN_EXE_irgw"))
            .args(arguments)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = Box::new(BufReader::new(process.stdout.take().unwrap()).lines());
        Running { process, lines }
    }

    /// The next line that has these words in it.
    fn line(&mut self, words: &str) -> String {
        self.lines.find_map(|line| line.ok().filter(|line| line.contains(words))).expect(words)
    }

    /// Asks it to end, and says how it did.
    fn stop(&mut self) -> Option<i32> {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.process.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn write(path: PathBuf, bytes: &[u8]) {
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
}

/// Encrypts a set of one zip into files of the folder; their names.
fn seal_a_set(folder: &Path, ird: &OwnKey, own: &OwnKey, now: UnixTime) -> Vec<String> {
    let first: ZipName = "DAILY_PROVIDER_1500131086_0_201908220930300000_NZT.zip".parse().unwrap();
    let mut builder = SetBuilder::new(first.0, BuildLimits::default(), |_| Ok(Cursor::new(Vec::new())));
    let member = "DAILY_CUSTOMER_0_201908220930300000_NZT.xml".parse().unwrap();
    builder.add(member, &b"<A><Period><Tx/></Period></A>"[..]).unwrap();
    let built = builder.finish("201908220930310000".parse().unwrap()).unwrap();
    let control = (built.control_name.to_string(), built.control.to_xml().into_bytes());
    let zips = built.zips.into_iter().map(|(name, zip)| (name.to_string(), zip.into_inner()));
    let partner = PartnerCert::enrol(&own.certificate(), now, Terms::default()).unwrap();
    let sealed = zips.chain([control]).map(|(name, bytes)| {
        let name = sealed_name(&name);
        let file = fs::File::create(folder.join(&name)).unwrap();
        let mut message = encrypt(&[&partner], ird, Compression::None, now, file).unwrap();
        message.write_all(&bytes).unwrap();
        message.finish().unwrap();
        name
    });
    sealed.collect()
}

#[test]
fn a_set_comes_in_by_openssh_and_is_released() {
    if Command::new("sftp").arg("-h").stderr(Stdio::null()).status().is_err() {
        let _ = std::io::stderr().write_all(b"SKIPPED: OpenSSH's sftp is not installed\n");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir_all(folder.join("files/inbox")).unwrap();
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let year = Duration::from_secs(365 * 24 * 3600);
    let [ird, own] =
        ["ird", "own"].map(|who| OwnKey::generate(who, Algorithm::Curve25519, now, year).unwrap());
    write(folder.join("own.asc"), own.to_armored(Protection::Unprotected).unwrap().expose());
    write(folder.join("ird.asc"), &ird.certificate());
    let [host, client] = [(); 2].map(|()| PrivateKey::generate(Curve::P256).unwrap());
    write(folder.join("host.key"), host.to_openssh(None).unwrap().expose().as_bytes());
    write(folder.join("client.key"), client.to_openssh(None).unwrap().expose().as_bytes());
    write(folder.join("client.pub"), client.authorized_key("ird").as_bytes());

    let mut server = Running::start(
        folder,
        &[
            "receive",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--root",
            "files",
            "--host-key",
            "host.key",
            "--user",
            "ird",
            "--client-key",
            "client.pub",
        ],
    );
    let listening = server.line("listening at ");
    let address = listening.split_whitespace().nth(2).unwrap();
    let port = address.rsplit_once(':').unwrap().1;
    let watch = [
        "receive",
        "watch",
        "files/inbox",
        "--state",
        "tds",
        "--feed",
        "tds",
        "--platform",
        "1500131086",
        "--environment",
        "NZT",
        "--key",
        "own.asc",
        "--signer",
        "ird.asc",
    ];
    let mut watching = Running::start(folder, &watch);

    let names = seal_a_set(folder, &ird, &own, now);
    let batch: String = names
        .iter()
        .map(|name| format!("put {name} inbox/{name}.part\nrename inbox/{name}.part inbox/{name}\n"))
        .collect();
    write(folder.join("batch"), batch.as_bytes());
    write(folder.join("known_hosts"), format!("[127.0.0.1]:{port} {}", host.authorized_key("")).as_bytes());
    let sftp = |batch: &str| {
        let output = Command::new("sftp")
            .args(["-q", "-b", batch, "-P", port, "-i", "client.key", "-o", "IdentitiesOnly=yes"])
            .args([
                "-o",
                "UserKnownHostsFile=known_hosts",
                "-o",
                "StrictHostKeyChecking=yes",
                "ird@127.0.0.1",
            ])
            .current_dir(folder)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(sftp("batch"), (true, String::new()));
    assert_eq!(watching.line("released"), format!("released     {SET}, 2 files"));
    let released = fs::read_dir(folder.join("tds/released").join(SET)).unwrap().count();
    assert_eq!(released, 2);

    // The same again, and nothing can be removed.
    assert!(sftp("batch").0);
    watching.line("came again");
    write(folder.join("removing"), b"put own.asc inbox/x.pgp\nrm inbox/x.pgp\n");
    let (is_done, said) = sftp("removing");
    assert!(!is_done && said.contains("Permission denied"), "{said}");

    assert_eq!(watching.stop(), Some(0));
    assert_eq!(server.stop(), Some(0));
}
