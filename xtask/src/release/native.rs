//! What is linked into a program besides crates: Rust's own library, the C library, SQLite.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::target::{Libc, Target};
use crate::{Error, run};

/// A library that no Cargo.lock names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Native {
    pub(super) name: &'static str,
    /// Empty where nobody says.
    pub(super) version: String,
    pub(super) purl: String,
    /// An SPDX expression.
    pub(super) license: &'static str,
    /// The crate that brings it; the program itself where there is none.
    pub(super) within: Option<&'static str>,
}

/// All of them. `sqlite` is the folder of libsqlite3-sys, where that is linked.
pub(super) fn linked(target: &Target, sqlite: Option<&Path>) -> Result<Vec<Native>, Error> {
    let mut linked = vec![rust()?, libc(target.libc)];
    if let Some(folder) = sqlite {
        let header = folder.join("sqlite3/sqlite3.h");
        let text = fs::read_to_string(&header).map_err(Error::at("read", &header))?;
        linked.push(self::sqlite(&text));
    }
    Ok(linked)
}

fn rust() -> Result<Native, Error> {
    let said = run::read(Command::new("rustc").arg("-vV").current_dir(run::root()))?;
    let version = said.lines().find_map(|line| line.strip_prefix("release: ")).unwrap_or_default();
    Ok(Native {
        name: "rust-std",
        version: version.into(),
        purl: format!("pkg:github/rust-lang/rust@{version}"),
        license: "Apache-2.0 OR MIT",
        within: None,
    })
}

/// The C library that the compiler links: Debian's package where there is one, musl as Rust brings it.
fn libc(libc: Libc) -> Native {
    if libc == Libc::Musl {
        let purl = "pkg:generic/musl".into();
        return Native { name: "musl", version: String::new(), purl, license: "MIT", within: None };
    }
    let debian =
        run::read(Command::new("dpkg-query").args(["--show", "--showformat", "${Version}", "libc6-dev"]));
    let license = "LGPL-2.1-or-later";
    match debian {
        Ok(version) if !version.is_empty() => {
            let purl = format!("pkg:deb/debian/libc6-dev@{}", version.replace('+', "%2B"));
            Native { name: "glibc", version, purl, license, within: None }
        }
        _ => {
            let said = run::read(Command::new("ldd").arg("--version")).unwrap_or_default();
            let version = said.lines().next().and_then(|line| line.rsplit(' ').next()).unwrap_or_default();
            let purl = format!("pkg:generic/glibc@{version}");
            Native { name: "glibc", version: version.into(), purl, license, within: None }
        }
    }
}

/// SQLite, by what its header says.
fn sqlite(header: &str) -> Native {
    let defined = header.lines().find_map(|line| line.strip_prefix("#define SQLITE_VERSION "));
    let version = defined.map(|rest| rest.trim().trim_matches('"')).unwrap_or_default();
    Native {
        name: "sqlite",
        version: version.into(),
        purl: format!("pkg:generic/sqlite@{version}"),
        license: "blessing",
        within: Some("libsqlite3-sys"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_says_its_version_in_its_header() {
        let native =
            sqlite("#define SQLITE_VERSION_NUMBER 3054001\n#define SQLITE_VERSION        \"3.54.1\"\n");
        assert_eq!(native.purl, "pkg:generic/sqlite@3.54.1");
    }

    #[test]
    fn the_compiler_and_the_c_library_say_theirs() {
        let target = Target { triple: String::new(), libc: Libc::Glibc };
        let linked = linked(&target, None).unwrap();
        let names: Vec<_> = linked.iter().map(|native| native.name).collect();
        assert_eq!(names, ["rust-std", "glibc"]);
        assert!(
            linked.iter().all(|native| native.version.starts_with(|c: char| c.is_ascii_digit())),
            "{linked:?}"
        );
    }
}
