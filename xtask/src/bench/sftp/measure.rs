//! What a transfer takes: time on the clock and on the processors.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::process::children_cpu;
use super::super::report::{Figure, Target};
use super::super::statistics::Spread;
use crate::{Error, run};

/// What one transfer took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) wall: Duration,
    /// Of the client's processes; the server's come on top, and GnuPG's agent's.
    pub(super) cpu: Duration,
}

/// Does the work, after the file system of `folder` has written back what came before.
pub(super) fn measure(folder: &Path, work: impl FnOnce() -> Result<(), Error>) -> Result<Taken, Error> {
    run::check(Command::new("sync").arg("-f").arg(folder))?;
    let before = children_cpu()?;
    let began = Instant::now();
    work()?;
    let wall = began.elapsed();
    Ok(Taken { wall, cpu: children_cpu()?.saturating_sub(before) })
}

/// A figure of the time, which has the target, and one of the CPU time.
pub(super) fn times(
    [what, cpu]: [&'static str; 2],
    ours: &[Taken],
    other: &[Taken],
    target: Option<Target>,
) -> Vec<Figure> {
    let figure = |what, of: fn(&Taken) -> Duration, target| {
        let spread =
            |taken: &[Taken]| Spread::of(taken.iter().map(|one| of(one).as_secs_f64() * 1000.0).collect());
        Figure { what, unit: "ms", gateway: spread(ours), other: spread(other), target }
    };
    vec![figure(what, |one| one.wall, target), figure(cpu, |one| one.cpu, None)]
}
