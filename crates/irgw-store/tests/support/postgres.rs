//! A throw-away PostgreSQL server of the installed binaries, or the one that `IRGW_TEST_POSTGRES` names.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};

/// An empty database, gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Database {
    /// `postgres://USER@HOST/NAME`.
    pub(crate) url: String,
    name: String,
}

impl Database {
    /// One of its own for each caller; `None`, and it is said why, where there is no server.
    pub(crate) fn create() -> Option<Database> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = match &*SERVER {
            Ok(server) => server,
            Err(reason) => {
                // Not `eprintln!`, which the harness keeps to itself.
                let _ = std::io::stderr().write_all(format!("SKIPPED: postgres: {reason}\n").as_bytes());
                return None;
            }
        };
        let name = format!("irgw_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        query(&server.url, &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"));
        let (address, keys) = server.url.split_once('?').unwrap_or((&server.url, ""));
        let url = format!("{}/{name}?{keys}", address.rsplit_once('/').unwrap().0);
        Some(Database { url: url.trim_end_matches('?').to_owned(), name })
    }

    /// What a statement says, past the store, as a wrong program would ask.
    pub(crate) fn query(&self, statement: &str) -> String {
        query(&self.url, statement)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Ok(server) = &*SERVER {
            query(&server.url, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

/// A server for all tests of this process, and what is to be said where there is none.
static SERVER: LazyLock<Result<Server, String>> =
    LazyLock::new(|| match std::env::var("IRGW_TEST_POSTGRES") {
        Ok(url) => Ok(Server { url, folder: PathBuf::new(), watch: None }),
        Err(_) => Server::start(None),
    });

/// What a server of one's own speaks TLS with, on a port of this machine.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) port: u16,
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    /// Of its database `postgres`.
    pub(crate) url: String,
    /// Where its socket and its data are.
    pub(crate) folder: PathBuf,
    watch: Option<Mutex<Child>>,
}

impl Server {
    /// Starts one of its own, reached by a socket, and by TLS if that is asked for. It ends with this, or with this process,
    /// whatever ends that: the shell that watches it reads until the pipe is closed.
    pub(crate) fn start(secured: Option<&Secured>) -> Result<Server, String> {
        let binaries = binaries().ok_or("initdb is not installed: apt-get install postgresql")?;
        // The server refuses to run as root.
        let root =
            std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        let mut command = Command::new(if root { "runuser" } else { "sh" });
        if root {
            command.args(["-u", "postgres", "--", "sh"]);
        }
        command.args(["-c", WATCH, "sh"]).arg(&binaries).current_dir("/").env_remove("PGPORT");
        if let Some(Secured { port, certificate_pem, key_pem }) = secured {
            command.env("PGPORT", port.to_string()).env("CERTIFICATE", certificate_pem).env("KEY", key_pem);
        }
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("{command:?}: {error}"))?;
        let mut folder = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut folder)
            .map_err(|error| error.to_string())?;
        let folder = PathBuf::from(folder.trim_end());
        if folder == Path::new("") {
            let output = child.wait_with_output().map_err(|error| error.to_string())?;
            return Err(format!(
                "the server does not start: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ));
        }
        let host = folder.to_str().unwrap().replace('/', "%2F");
        let port = secured.map_or(5432, |secured| secured.port);
        let url = format!("postgres://irgw@{host}:{port}/postgres");
        Ok(Server { url, folder, watch: Some(Mutex::new(child)) })
    }

    /// What the operator's own client is answered.
    pub(crate) fn query(&self, statement: &str) -> String {
        query(&self.url, statement)
    }

    /// Ends the server (`stop`), kills all of it (`crash`), or starts it again with its data (`start`).
    pub(crate) fn tell(&self, word: &str) {
        let mut watch = self.watch.as_ref().unwrap().lock().unwrap();
        writeln!(watch.stdin.as_mut().unwrap(), "{word}").unwrap();
        let mut answer = String::new();
        BufReader::new(watch.stdout.as_mut().unwrap()).read_line(&mut answer).unwrap();
        assert_eq!(answer.trim_end(), word);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(watch) = &mut self.watch {
            let child = watch.get_mut().unwrap();
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

/// What the operator's own client answers.
fn query(url: &str, statement: &str) -> String {
    run("psql", &["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement])
}

/// What one of PostgreSQL's own programs prints.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let path = binaries().map_or_else(|| PathBuf::from(program), |folder| folder.join(program));
    let output = Command::new(path).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Where all of the server's programs are that are needed: in the path, or where Debian puts those of each version.
fn binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    let programs = ["initdb", "postgres", "pg_isready", "psql"];
    folders.into_iter().find(|folder| programs.iter().all(|program| folder.join(program).exists()))
}

/// Makes a server in a new folder below /tmp, wherever TMPDIR is: a socket's path is short, and the server's user must get there.
/// It prints the folder when it answers, and ends and removes it when nobody writes any more.
/// The role `cautious` has to know its password; all others are trusted.
const WATCH: &str = r#"
set -e
binaries=$1
folder=$(mktemp -d /tmp/irgw-postgres.XXXXXX)
data=$folder/data
server=
stop() { if [ -n "$server" ]; then kill -INT "$server"; wait "$server" || true; server=; fi; }
crash() {
    kill -KILL "$server" $(cat "/proc/$server/task/$server/children")
    wait "$server" || true
    server=
}
start() {
    "$binaries/postgres" -D "$data" >>"$folder/log" 2>&1 </dev/null &
    server=$!
    until "$binaries/pg_isready" -q -h "$folder" -U irgw -d postgres; do
        kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
        sleep 0.05
    done
}
trap 'stop; rm -rf "$folder"' EXIT
"$binaries/initdb" -D "$data" -U irgw -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$folder/log" 2>&1 ||
    { cat "$folder/log" >&2; exit 1; }
printf '%s\n' 'local all cautious scram-sha-256' 'local all all trust' 'hostssl all all 127.0.0.1/32 trust' >"$data/pg_hba.conf"
cat >>"$data/postgresql.conf" <<END
unix_socket_directories = '$folder'
listen_addresses = ''
fsync = off
max_connections = 200
END
if [ -n "$CERTIFICATE" ]; then
    (umask 077 && printf %s "$CERTIFICATE" >"$data/server.crt" && printf %s "$KEY" >"$data/server.key")
    printf '%s\n' "ssl = on" "listen_addresses = '127.0.0.1'" >>"$data/postgresql.conf"
fi
start
echo "$folder"
while read -r word; do "$word"; echo "$word"; done
"#;
