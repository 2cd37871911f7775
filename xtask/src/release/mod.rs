//! `cargo xtask release`: what a release needs, step by step, and a report of it.

mod binaries;
mod changelog;
mod checksums;
mod elf;
mod image;
mod m2m;
mod minimal;
mod native;
mod outcome;
mod packages;
mod parts;
mod publish;
mod report;
mod sbom;
mod semver;
mod smoke;
mod target;
mod tree;
mod unit;
mod versions;
mod workspace;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::ValueEnum;

use self::changelog::Stage;
use self::outcome::{Outcome, Verdict};
use self::publish::Registry;
use self::report::{Report, Row};
use self::tree::Tree;
use self::workspace::Workspace;
use crate::{Error, deny, run};

/// Checks, packs, builds and, when told to, publishes a release.
///
/// Nothing is published without --publish: what it would do is tried instead. Every step passes, fails, or is SKIPPED with the
/// reason, and a run goes on after a failure, so that one run shows everything. DIR gets release.json, release.md and the
/// folder dist/ with what is handed out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask release                                  all steps; nothing is published
  cargo xtask release --only versions,changelog,m2m    some of them
  cargo xtask release --publish --without semver       the first release, which has nothing to compare with
Exit codes: 0 nothing failed, 1 a step failed, 2 nothing was done: the arguments, the folder or the checkout cannot be used.
docs/releasing.md says what each step needs, and how to release.")]
pub(crate) struct Args {
    /// Only these steps, in their usual order
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STEP")]
    only: Vec<Step>,
    /// Publish nothing; this is so without the flag too
    #[arg(long, conflicts_with = "publish")]
    dry_run: bool,
    /// Publish on crates.io, after all other steps have passed
    #[arg(long, conflicts_with_all = ["only", "allow_dirty"])]
    publish: bool,
    /// Publish although these steps were SKIPPED
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STEP", requires = "publish")]
    without: Vec<Step>,
    /// Go on with changes that are not committed
    #[arg(long)]
    allow_dirty: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Where report and dist/ go; target/release-report unless named
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Nothing differs from the commit; its tag, if any, is the version's
    Tree,
    /// The crates, what they require of each other, and Cargo.lock are in step
    Versions,
    /// CHANGELOG.md has an entry
    Changelog,
    /// Advisories, licences, bans and sources, by cargo-deny
    Deny,
    /// How many crates come with irgw-m2m, and that they do not become more
    M2m,
    /// The unit of systemd, by systemd-analyze
    Unit,
    /// The Dockerfile, by a linter
    Image,
    /// The version fits what changed in the interfaces, by cargo-semver-checks
    Semver,
    /// Every direct dependency may be as old as the manifests say
    Minimal,
    /// Every crate packs, and builds alone from its package
    Packages,
    /// Static programs: built, read, tried with all conformance cases, packed
    Binaries,
    /// A bill of materials for each program, in CycloneDX
    Sbom,
    /// SHA256SUMS of what is handed out
    Checksums,
    /// The order, and cargo publish --dry-run; with --publish, publishing
    Publish,
}

/// What the steps work on.
struct Release {
    workspace: Workspace,
    tree: Tree,
    /// The compiler, as it names itself.
    rustc: String,
    /// Where the report goes.
    folder: PathBuf,
    stage: Stage,
}

impl Args {
    pub(crate) fn run(&self) -> ExitCode {
        match self.release() {
            Ok(report) if report.count(Verdict::Failed) == 0 => ExitCode::SUCCESS,
            Ok(_) => ExitCode::FAILURE,
            Err(error) => {
                crate::explain(&error);
                ExitCode::from(2)
            }
        }
    }

    fn release(&self) -> Result<Report, Error> {
        let release = self.begin()?;
        let mut report = Report {
            version: release.workspace.version().into(),
            commit: release.tree.commit.clone(),
            rustc: release.rustc.clone(),
            publish: self.publish,
            steps: Vec::new(),
        };
        for step in
            Step::value_variants().iter().filter(|step| self.only.is_empty() || self.only.contains(step))
        {
            let started = Instant::now();
            let outcome = match (step, self.publish) {
                (Step::Publish, true) => self.publish(&release, &report),
                _ => step.take(&release),
            };
            let outcome = outcome.unwrap_or_else(|error| Outcome::failed(crate::error::chain(&error)));
            let row = Row::new(&step.name(), outcome, started.elapsed());
            eprintln!("{row}");
            report.steps.push(row);
            // After each step, so that a run that was ended leaves what it has found.
            report.write(&release.folder)?;
        }
        eprintln!("{}; the report is {}", report.summary(), release.folder.join("release.md").display());
        if self.json {
            print!("{}", report.json());
        }
        Ok(report)
    }

    /// What must be right before anything is done.
    fn begin(&self) -> Result<Release, Error> {
        let tree = Tree::read(run::root())?;
        if let (Some(first), false) = (tree.changes.first(), self.allow_dirty) {
            return Err(Error::Input(format!(
                "`{}` is not committed, {} changes in all: commit them, or give --allow-dirty",
                first.trim(),
                tree.changes.len()
            )));
        }
        let workspace = Workspace::read(run::root())?;
        let folder = self.report.clone().unwrap_or_else(|| workspace.target_directory.join("release-report"));
        fs::create_dir_all(&folder).map_err(Error::at("create", &folder))?;
        let folder = folder.canonicalize().map_err(Error::at("find", &folder))?;
        let rustc =
            run::read(Command::new("rustc").arg("--version").current_dir(run::root()))?.trim().to_owned();
        let stage = if self.publish { Stage::Publication } else { Stage::Rehearsal };
        Ok(Release { workspace, tree, rustc, folder, stage })
    }

    /// Publishes, unless a step before did not pass.
    fn publish(&self, release: &Release, report: &Report) -> Result<Outcome, Error> {
        let accepted: Vec<String> = self.without.iter().map(|step| step.name()).collect();
        let stands = |row: &&Row| match row.outcome.verdict {
            Verdict::Passed => false,
            Verdict::Failed => true,
            Verdict::Skipped => !accepted.contains(&row.step),
        };
        let standing: Vec<&str> = report.steps.iter().filter(stands).map(|row| row.step.as_str()).collect();
        if !standing.is_empty() {
            let said = format!("nothing was published: {} did not pass", standing.join(", "));
            return Ok(Outcome::failed(said));
        }
        publish::publish(&release.workspace, &Registry::usual())
    }
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value().expect("no step is hidden").get_name().to_owned()
    }

    fn take(self, release: &Release) -> Result<Outcome, Error> {
        let Release { workspace, tree, stage, .. } = release;
        match self {
            Step::Tree => Ok(tree.check(workspace.version())),
            Step::Versions => Ok(versions::check(workspace)),
            Step::Changelog => changelog::check(workspace, *stage),
            Step::Deny => Ok(match deny::check()? {
                None => Outcome::passed("cargo-deny finds nothing in advisories, licences, bans and sources"),
                Some(skipped) => Outcome::skipped(skipped),
            }),
            Step::M2m => m2m::check(workspace),
            Step::Unit => unit::check(release),
            Step::Image => image::check(release),
            Step::Semver => semver::check(release),
            Step::Minimal => minimal::check(release),
            Step::Packages => packages::check(release),
            Step::Binaries => binaries::build(release),
            Step::Sbom => sbom::write(release),
            Step::Checksums => checksums::write(&release.dist()),
            Step::Publish => publish::rehearse(release),
        }
    }
}

impl Release {
    /// The folder of what is handed out.
    fn dist(&self) -> PathBuf {
        self.folder.join("dist")
    }

    /// `irgw-0.1.0-x86_64-unknown-linux-musl`.
    fn stem(&self, program: &str, triple: &str) -> String {
        format!("{program}-{}-{triple}", self.workspace.version())
    }
}

/// Progress, which is not part of the report.
fn say(what: &str) {
    eprintln!("release: {what}");
}

#[cfg(test)]
mod tests;
