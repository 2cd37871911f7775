//! The static programs: built so that two builds of a commit are the same, read as ELF, tried, and packed with what belongs to them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::elf::Needs;
use super::outcome::Outcome;
use super::target::Target;
use super::{Release, checksums, say, smoke};
use crate::{Error, run};

/// What is packed beside a program, from the workspace's root.
const BESIDE: [&str; 8] = [
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "crates/irgw-gateway/packaging/Dockerfile",
    "crates/irgw-gateway/packaging/irgw.service",
    "crates/irgw-gateway/packaging/irgw.sysusers",
    "docs/configuration.md",
];

/// The step: for each program of the published crates, `NAME-VERSION-TARGET.tar.gz` in the folder of what is handed out.
pub(super) fn build(release: &Release) -> Result<Outcome, Error> {
    let Some(target) = Target::choose()? else {
        return Ok(Outcome::skipped("static programs are built on Linux, for musl or for the host's glibc"));
    };
    let dist = release.dist();
    empty(&dist)?;
    let programs = release.workspace.programs();
    for (package, name) in &programs {
        say(&format!("building {name} for {}", target.triple));
        run::check(compile(release, &target)?.args(["--package", &package.name, "--bin", name]))?;
    }
    let built = release.workspace.target_directory.join(&target.triple).join("release");
    let (mut wrong, mut details) = (Vec::new(), Vec::new());
    for (_, name) in &programs {
        let program = fs::read(built.join(name)).map_err(Error::at("read", &built.join(name)))?;
        match Needs::read(&program) {
            Some(needs) if needs.nothing() => {}
            Some(needs) => wrong.push(format!("{name} is not static: {needs:?}")),
            None => wrong.push(format!("{name} is no 64-bit ELF program")),
        }
        details.push(format!("{name} {} bytes, SHA-256 {}", program.len(), checksums::sha256(&program)));
        pack(release, &target, &built.join(name))?;
    }
    if wrong.is_empty() {
        let Some((_, name)) = programs.iter().find(|(package, _)| package.name == "irgw-gateway") else {
            return Ok(Outcome::failed("there is no irgw-gateway to try"));
        };
        say("trying the program: irgw dev, and all conformance cases");
        details.extend(smoke::try_out(&built.join(name), release.workspace.version(), &mut wrong)?);
    }
    let names: Vec<_> = programs.iter().map(|(_, name)| *name).collect();
    let said =
        format!("{} for {}: static, with {} in it, and tried", names.join(", "), target.triple, target.libc);
    Ok(Outcome::unless(wrong, said).with(details))
}

/// `cargo build` whose result depends on the commit and the compiler alone: no path of this machine and no time is in it.
fn compile(release: &Release, target: &Target) -> Result<Command, Error> {
    let Release { workspace, tree, .. } = release;
    let folders = [
        (workspace.target_directory.clone(), "/target"),
        (workspace.workspace_root.clone(), "/irgw"),
        (run::cargo_home(), "/cargo"),
    ];
    let mut rust = vec!["-Ctarget-feature=+crt-static".to_owned()];
    let mut c = Vec::new();
    // Of several that fit, rustc takes the last and C compilers do too: the longest path comes last.
    let mut by_length = folders.to_vec();
    by_length.sort_by_key(|(from, _)| from.as_os_str().len());
    for (from, to) in by_length {
        rust.push(format!("--remap-path-prefix={}={to}", from.display()));
        c.push(format!("-ffile-prefix-map={}={to}", from.display()));
    }
    let mut build = run::cargo();
    build.current_dir(&workspace.workspace_root);
    build.args(["build", "--release", "--locked", "--target", &target.triple]);
    build.env("CARGO_TARGET_DIR", &workspace.target_directory);
    build.env("CARGO_ENCODED_RUSTFLAGS", rust.join("\x1f")).env_remove("RUSTFLAGS");
    build.env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    build.env(format!("CFLAGS_{}", target.variable()), c.join(" "));
    build.env("SOURCE_DATE_EPOCH", tree.epoch.to_string());
    Ok(build)
}

/// Puts the program with its papers into a folder, and that into an archive that is the same for the same content.
fn pack(release: &Release, target: &Target, program: &Path) -> Result<(), Error> {
    let root = &release.workspace.workspace_root;
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let stem = release.stem(&name, &target.triple);
    let folder = release.dist().join(&stem);
    fs::create_dir_all(&folder).map_err(Error::at("create", &folder))?;
    let from: Vec<PathBuf> = BESIDE.iter().map(|path| root.join(path)).collect();
    for file in from.iter().map(PathBuf::as_path).chain([program]) {
        let to = folder.join(file.file_name().unwrap_or_default());
        fs::copy(file, &to).map_err(Error::at("copy", file))?;
    }
    let archive = format!("{stem}.tar");
    let mut tar = Command::new("tar");
    tar.current_dir(release.dist()).args([
        "--create",
        "--format=ustar",
        "--sort=name",
        "--owner=0",
        "--group=0",
    ]);
    tar.args(["--numeric-owner", "--mode=u+rw,go=rX", &format!("--mtime=@{}", release.tree.epoch)]);
    run::read(tar.args(["--file", &archive, &stem]))?;
    run::read(Command::new("gzip").current_dir(release.dist()).args([
        "--no-name",
        "--best",
        "--force",
        &archive,
    ]))?;
    Ok(())
}

/// Leaves an empty folder.
fn empty(folder: &Path) -> Result<(), Error> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Error::at("empty", folder))?;
    }
    fs::create_dir_all(folder).map_err(Error::at("create", folder))
}
