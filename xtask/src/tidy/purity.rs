//! What library crates leave to their callers: time, randomness, the environment, state of the whole process.

use super::{Finding, Source};

/// Every check of this module.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let checks = [environment_is_the_gateways, time_is_an_argument, no_global_state, core_is_pure];
    if library(&source.path).is_none() {
        return vec![];
    }
    checks.iter().flat_map(|check| check(source)).collect()
}

/// Only the gateway reads configuration and the environment.
fn environment_is_the_gateways(source: &Source) -> Vec<Finding> {
    words(
        source,
        &["env::var", "env::args", "env::vars"],
        "only irgw-gateway reads the environment; take it as an argument",
    )
}

/// `now` comes in as an argument; whoever owns a `Clock` reads that.
fn time_is_an_argument(source: &Source) -> Vec<Finding> {
    words(source, &["SystemTime::now", "UnixTime::now"], "reads the clock; take `now` as an argument")
}

/// No state is the whole process's.
fn no_global_state(source: &Source) -> Vec<Finding> {
    const CELLS: [&str; 7] = ["ArcSwap", "Atomic", "Mutex", "OnceCell", "OnceLock", "RefCell", "RwLock"];
    let global = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("pub ").or_else(|| line.strip_prefix("pub(crate) ")).unwrap_or(line);
        line.starts_with("thread_local!")
            || line.starts_with("static ") && CELLS.iter().any(|cell| line.contains(cell))
    };
    let found = code(source).filter(|(_, line)| global(line));
    found
        .map(|(number, _)| source.find(number, "is state of the whole process; let the caller own it"))
        .collect()
}

/// The core does no I/O, draws no randomness and computes no signature.
fn core_is_pure(source: &Source) -> Vec<Finding> {
    if library(&source.path) != Some("irgw-core") {
        return vec![];
    }
    let impure = [
        "std::fs",
        "std::io",
        "TcpStream",
        "UdpSocket",
        "Instant::now",
        "RandomState",
        "std::thread",
        "std::process",
    ];
    words(source, &impure, "irgw-core does no I/O, reads no clock and draws no randomness")
}

/// The library crate whose source this is.
fn library(path: &str) -> Option<&str> {
    let (name, rest) = path.strip_prefix("crates/")?.split_once('/')?;
    let below = !["irgw-gateway", "irgw-client"].contains(&name);
    let code = rest.starts_with("src/") && rest.ends_with(".rs") && !rest.ends_with("tests.rs");
    (below && code).then_some(name)
}

/// The lines before the tests, which stand last, comments left out.
fn code(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let lines = source.lines().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn words(source: &Source, words: &[&str], message: &str) -> Vec<Finding> {
    let found = code(source).filter(|(_, line)| words.iter().any(|word| line.contains(word)));
    found.map(|(number, _)| source.find(number, message)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<Option<usize>> {
        let source = Source { path: path.into(), text: text.into() };
        check(&source).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_library_that_reads_the_environment_is_found() {
        assert_eq!(
            found("crates/irgw-tls/src/a.rs", "//! A.\nlet home = std::env::var(\"HOME\");"),
            [Some(2)]
        );
        assert_eq!(found("crates/irgw-gateway/src/a.rs", "let home = std::env::var(\"HOME\");"), []);
    }

    #[test]
    fn a_library_that_reads_the_clock_is_found() {
        assert_eq!(found("crates/irgw-m2m/src/a.rs", "let now = UnixTime::now();"), [Some(1)]);
        assert_eq!(found("crates/irgw-m2m/examples/a.rs", "let now = UnixTime::now();"), []);
        assert_eq!(found("crates/irgw-m2m/src/a.rs", "#[cfg(test)]\nlet now = UnixTime::now();"), []);
        assert_eq!(found("crates/irgw-m2m/src/a.rs", "/// let now = UnixTime::now();"), []);
    }

    #[test]
    fn global_state_is_found() {
        assert_eq!(
            found("crates/irgw-tls/src/a.rs", "static COUNT: AtomicU64 = AtomicU64::new(0);"),
            [Some(1)]
        );
        assert_eq!(
            found("crates/irgw-tls/src/a.rs", "    pub(crate) static A: OnceLock<u8> = OnceLock::new();"),
            [Some(1)]
        );
        assert_eq!(found("crates/irgw-tls/src/a.rs", "static NAMES: &[&str] = &[];"), []);
    }

    #[test]
    fn io_in_the_core_is_found() {
        assert_eq!(found("crates/irgw-core/src/a.rs", "use std::fs::File;"), [Some(1)]);
        assert_eq!(found("crates/irgw-store/src/a.rs", "use std::fs::File;"), []);
    }
}
