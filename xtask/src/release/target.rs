//! Which target a static program is built for, and with which C library.

use std::fmt;
use std::path::Path;
use std::process::Command;

use crate::{Error, run};

/// A target that static programs are built for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// `x86_64-unknown-linux-musl`.
    pub(super) triple: String,
    pub(super) libc: Libc,
}

/// The C library that is linked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Libc {
    Musl,
    Glibc,
}

impl Target {
    /// musl where Rust's std for it and a C compiler for it are installed, or else the host's glibc. `None` where the host is
    /// not Linux.
    pub(super) fn choose() -> Result<Option<Target>, Error> {
        let said = run::read(Command::new("rustc").arg("-vV").current_dir(run::root()))?;
        let Some(host) = said.lines().find_map(|line| line.strip_prefix("host: ")) else { return Ok(None) };
        let sysroot = run::read(Command::new("rustc").args(["--print", "sysroot"]).current_dir(run::root()))?;
        let libraries = Path::new(sysroot.trim()).join("lib/rustlib");
        let has =
            |triple: &str| libraries.join(triple).join("lib").is_dir() && run::find("musl-gcc").is_some();
        Ok(of_host(host, has))
    }

    /// The triple as `CFLAGS_…` and `CARGO_TARGET_…` have it.
    pub(super) fn variable(&self) -> String {
        self.triple.replace('-', "_")
    }
}

fn of_host(host: &str, has: impl Fn(&str) -> bool) -> Option<Target> {
    let (machine, rest) = host.split_once('-')?;
    if !rest.contains("linux") {
        return None;
    }
    let musl = format!("{machine}-unknown-linux-musl");
    match has(&musl) {
        true => Some(Target { triple: musl, libc: Libc::Musl }),
        false if rest.ends_with("gnu") => Some(Target { triple: host.into(), libc: Libc::Glibc }),
        false => None,
    }
}

impl fmt::Display for Libc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Libc::Musl => "musl",
            Libc::Glibc => "glibc",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn musl_is_taken_where_it_can_be_built() {
        let of = |host, has: bool| of_host(host, |_| has).map(|target| target.triple);
        assert_eq!(of("aarch64-unknown-linux-gnu", true).as_deref(), Some("aarch64-unknown-linux-musl"));
        assert_eq!(of("aarch64-unknown-linux-gnu", false).as_deref(), Some("aarch64-unknown-linux-gnu"));
        assert_eq!(of("aarch64-apple-darwin", true), None);
    }
}
