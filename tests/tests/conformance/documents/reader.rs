//! A reader at a shell: types in a block of commands, waits until the prompt is back, and types in the next.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use irgw_tests::{Dev, folder, free_port, new_folder};
use libtest_mimic::Failed;

use crate::environments::program;

/// How long a block may take.
const PATIENCE: Duration = Duration::from_secs(240);

/// What documents listen on: `irgw dev` on the first four, a provider's file server on the last.
const PORTS: [u16; 5] = [4046, 4443, 4090, 4022, 2022];

/// Reads the names of files, and runs the commands in each; what they print goes beside them. One shell for all of them, so
/// that variables, the folder and what runs behind are there for the next.
const SHELL: &str = r#"set -e
while IFS= read -r block; do
    . "$block" >"$block.out" 2>&1 </dev/null
    echo done
done"#;

/// A reader. Dropping it ends the shell and everything that was started in it, and removes the folder.
pub(super) struct Reader {
    folder: PathBuf,
    shell: Child,
    typed: ChildStdin,
    done: Receiver<()>,
    blocks: usize,
    free: Vec<(u16, u16)>,
}

impl Reader {
    /// In an empty folder, with `irgw` and `cargo` on the `PATH`.
    pub(super) fn new() -> Result<Reader, Failed> {
        let place = new_folder()?;
        for name in ["here", "home", "blocks"] {
            std::fs::create_dir(place.join(name))?;
        }
        let gateway = program()?.command();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let programs = [folder().join("documents/bin")];
        // Debian keeps servers where only root's PATH looks.
        let path = programs.into_iter().chain(std::env::split_paths(&path)).chain(["/usr/sbin".into()]);
        let mut shell = Command::new("sh");
        shell.args(["-c", SHELL]).current_dir(place.join("here")).process_group(0);
        shell.envs(gateway.get_envs().filter_map(|(name, value)| Some((name, value?))));
        // The shell stands in another folder.
        shell.env("IRGW_PROGRAM", std::fs::canonicalize(gateway.get_program())?);
        shell.env("IRGW_SCREENS", place.join("blocks"));
        shell.env("PATH", std::env::join_paths(path)?).env("HOME", place.join("home"));
        shell.env("LC_ALL", "C.UTF-8").env_remove("RUST_LOG");
        let mut shell =
            shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        let typed = shell.stdin.take().ok_or("the shell has no input")?;
        let prompts = shell.stdout.take().ok_or("the shell has no output")?;
        let (tell, done) = channel();
        std::thread::spawn(move || {
            // Ends with the shell, or with the reader.
            for _ in BufReader::new(prompts).lines().map_while(Result::ok) {
                if tell.send(()).is_err() {
                    return;
                }
            }
        });
        let free = PORTS.into_iter().map(|usual| Ok((usual, free_port()?))).collect::<Result<_, Failed>>()?;
        Ok(Reader { folder: place, shell, typed, done, blocks: 0, free })
    }

    /// Runs commands, and gives back what they printed. The ports that the documents have are those of the gateway that runs.
    ///
    /// # Errors
    /// When a command fails or takes too long; with what was printed until then.
    pub(super) fn run(&mut self, commands: &str) -> Result<String, String> {
        self.blocks += 1;
        let block = self.folder.join("blocks").join(format!("{}.sh", self.blocks));
        let mut commands = commands.to_owned();
        for (usual, found) in self.ports() {
            commands = with_number(&commands, usual, found);
        }
        let told = |error: std::io::Error| error.to_string();
        std::fs::write(&block, commands).map_err(told)?;
        writeln!(self.typed, "{}", block.display()).map_err(told)?;
        let came_back = self.done.recv_timeout(PATIENCE);
        let printed = std::fs::read(block.with_extension("sh.out")).unwrap_or_default();
        let mut printed = String::from_utf8_lossy(&printed).into_owned();
        for (usual, found) in self.ports() {
            printed = with_number(&printed, found, usual);
        }
        match came_back {
            Ok(()) => Ok(printed),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                Err(format!("does not come back in {PATIENCE:?}; it printed:\n{printed}"))
            }
            Err(_) => Err(format!("a command failed; until then they printed:\n{printed}")),
        }
    }

    /// The ports that documents have, each with the one in its place: what the gateway in the folder has found, or a free one.
    fn ports(&self) -> Vec<(u16, u16)> {
        let entries = std::fs::read_dir(self.folder.join("here")).into_iter().flatten().flatten();
        let dev = entries.map(|entry| entry.path().join("dev.json")).find(|path| path.is_file());
        let dev = dev.and_then(|path| Dev::read(&path).ok());
        let in_place = |(usual, free): &(u16, u16)| {
            let found = dev.as_ref().and_then(|dev| found(dev, *usual));
            (*usual, found.unwrap_or(*free))
        };
        self.free.iter().map(in_place).collect()
    }
}

/// The port that this gateway has in the place of the usual one.
fn found(dev: &Dev, usual: u16) -> Option<u16> {
    let port = |url: &str| url.rsplit_once(':')?.1.parse().ok();
    match usual {
        4046 => port(&dev.listeners.cloud.base_url),
        4443 => port(&dev.listeners.desktop.base_url),
        4090 => port(&dev.listeners.operator.as_ref()?.base_url),
        4022 => Some(dev.providers.first()?.sftp.as_ref()?.port),
        _ => None,
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Everything that the shell started is in its process group.
        let group = format!("-{}", self.shell.id());
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).status();
        let _ = self.shell.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The text with one whole number in place of another.
fn with_number(text: &str, number: u16, other: u16) -> String {
    let (number, other) = (number.to_string(), other.to_string());
    let mut pieces = text.split(number.as_str()).peekable();
    let mut result = String::new();
    while let Some(piece) = pieces.next() {
        result.push_str(piece);
        if let Some(next) = pieces.peek() {
            let joined = piece.ends_with(|c: char| c.is_ascii_digit())
                || next.starts_with(|c: char| c.is_ascii_digit());
            result.push_str(if joined { &number } else { &other });
        }
    }
    result
}
