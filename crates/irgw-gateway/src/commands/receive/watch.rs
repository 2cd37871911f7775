//! `irgw receive watch`: opens what arrives in a folder, and releases whole sets (FILE-4).

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use irgw_core::{Clock, Rule, UnixTime, printable};
use irgw_sftp::fileset::{EnvironmentCode, Expectation, Feed, PlatformId};
use irgw_sftp::intake::{Event, Folders, Intake, Limits, Originals, Pass, Settings};

use super::hook::Hook;
use super::keys::KeyArgs;
use crate::commands::CommandError;
use crate::commands::run::runtime;
use crate::commands::signals::Signals;

/// The arguments of `irgw receive watch`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "DIR is looked at once a second. Files must appear in it by a rename, as Inland Revenue's do; names that begin
with a dot or end in .part are still under way. What is not a file of the feeds, or is of the other feed, is left alone.

The state folder is for one watch alone, on the file system of DIR, and not in it. In it:
  released/SET/      whole sets, decrypted: take them away, and keep or remove them as you like
  quarantine/        what was refused, as it came, with NAME.reason.json beside it; to try a file again, move it back to DIR
  events.jsonl       a line of JSON for everything that happened
Whatever stops this, the machine's power included, starting it again goes on where it was: a set is released once. The hook is
run with the released folder as its argument and IRGW_SET in its environment, and again until it ends with 0; so after a crash
it may be run twice for one set. The next look waits until it ends. Keys and certificates are read at the start.

Exit codes, with --once: 0 looked, 1 something was refused (the rule is named), 2 something could not be done, or the hook failed."
)]
pub(super) struct WatchArgs {
    /// The folder that encrypted files arrive in
    #[arg(value_name = "DIR")]
    inbox: PathBuf,
    /// The folder for everything else; made (0700) when it is missing
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// tds (transaction data) or psn (return status)
    #[arg(long)]
    feed: Feed,
    /// The platform id in our files' names: 10 digits
    #[arg(long, value_name = "ID")]
    platform: PlatformId,
    /// The environment code in our files' names, such as PRD
    #[arg(long, value_name = "CODE")]
    environment: EnvironmentCode,
    #[command(flatten)]
    keys: KeyArgs,
    /// Refuse files that were made longer ago, by their names: 2d, 36h, 90m
    #[arg(long, value_name = "AGE", value_parser = age)]
    max_age: Option<Duration>,
    /// Keep the encrypted files of released sets, in the state folder's archive
    #[arg(long)]
    keep_originals: bool,
    /// The program to run for each released set
    #[arg(long, value_name = "PROGRAM")]
    hook: Option<PathBuf>,
    /// Look once, and end
    #[arg(long)]
    pub(super) once: bool,
    /// Print events as JSON, one a line
    #[arg(long)]
    json: bool,
}

/// Looks, once or until it is told to stop.
///
/// # Errors
/// When it does not start; with `--once`, what was refused or could not be done.
pub(super) fn run(args: &WatchArgs, clock: &impl Clock, out: &mut impl Write) -> Result<(), CommandError> {
    let settings = Settings {
        expectation: Expectation {
            feed: args.feed,
            platform: args.platform,
            environment: args.environment,
            max_age: args.max_age,
        },
        is_inbox_shared: false,
        originals: if args.keep_originals { Originals::Archived } else { Originals::Removed },
        limits: Limits::default(),
    };
    let folders = Folders { inbox: args.inbox.clone(), state: args.state.clone() };
    let (keys, signers) = (args.keys.own_keys()?, args.keys.signers(clock.now())?);
    let intake = Intake::open(folders, settings, keys, signers).map_err(CommandError::caused)?;
    let mut watch = Watch { intake, hook: Hook::new(args.hook.clone()), said: Vec::new() };
    if args.once {
        let now = clock.now();
        let (pass, problems) = watch.look(now);
        write_events(&pass.events, args.json, now, out)?;
        return verdict(&pass, &problems);
    }
    let runtime = runtime()?;
    let outcome = runtime.block_on(watch.go_on(args, clock, out));
    // What is being decrypted is begun anew by the next start.
    runtime.shutdown_background();
    outcome
}

/// An intake and whoever is to know of its releases.
struct Watch {
    intake: Intake,
    hook: Hook,
    /// The problems that the log has already.
    said: Vec<String>,
}

impl Watch {
    async fn go_on(
        mut self,
        args: &WatchArgs,
        clock: &impl Clock,
        out: &mut impl Write,
    ) -> Result<(), CommandError> {
        let mut signals = Signals::listen()?;
        let mut stop = std::pin::pin!(signals.stop("there is nothing to re-read; start anew for other keys"));
        tracing::info!(inbox = %args.inbox.display(), state = %args.state.display(), feed = %args.feed, "watching");
        loop {
            let now = clock.now();
            let looked = tokio::task::spawn_blocking(move || {
                let (pass, problems) = self.look(now);
                (self, pass, problems)
            });
            let (watch, pass, problems) = tokio::select! {
                looked = looked => looked.map_err(CommandError::caused)?,
                () = &mut stop => return Ok(()),
            };
            self = watch;
            write_events(&pass.events, args.json, now, out)?;
            out.flush()?;
            self.say(&problems);
            let pause = if problems.is_empty() { LOOK_AGAIN } else { TRY_AGAIN };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = &mut stop => return Ok(()),
            }
        }
    }

    /// One look, and what it was hindered by.
    fn look(&mut self, now: UnixTime) -> (Pass, Vec<String>) {
        let pass = self.intake.pass(now);
        let mut problems: Vec<String> = pass.troubles.iter().map(ToString::to_string).collect();
        problems.extend(self.hook.tell(&mut self.intake, Instant::now()));
        (pass, problems)
    }

    /// Logs the problems that are not those of the look before.
    fn say(&mut self, problems: &[String]) {
        for problem in problems.iter().filter(|problem| !self.said.contains(problem)) {
            tracing::error!(problem = printable(problem), "it will be tried again");
        }
        self.said = problems.to_vec();
    }
}

fn verdict(pass: &Pass, problems: &[String]) -> Result<(), CommandError> {
    if !problems.is_empty() {
        return Err(CommandError::unusable(printable(&problems.join("; "))));
    }
    let refused = pass.events.iter().find_map(|event| match event {
        Event::Refused { file, reason, .. } => Some((reason.rule, file.clone(), &reason.why)),
        Event::SetRefused { set, reason, .. } => Some((reason.rule, set.to_string(), &reason.why)),
        _ => None,
    });
    match refused {
        Some((rule, what, why)) => Err(refusal(rule, &what, why)),
        None => Ok(()),
    }
}

fn refusal(rule: Rule, what: &str, why: &str) -> CommandError {
    CommandError::refused(rule, format_args!("{what}: {}; it is in quarantine", printable(why)))
}

fn write_events(
    events: &[Event],
    json: bool,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    for event in events {
        if json {
            writeln!(out, "{}", event.to_json(now))?;
            continue;
        }
        match event {
            Event::Arrived { file } => writeln!(out, "arrived      {file}"),
            Event::Repeated { file, set: None } => writeln!(out, "came again   {file}"),
            Event::Repeated { file, set: Some(set) } => {
                writeln!(out, "came again   {file}; it was released in {set}")
            }
            Event::Refused { file, reason, .. } => {
                writeln!(out, "refused      {file} by {}: {}", reason.rule, printable(&reason.why))
            }
            Event::SetRefused { set, reason, .. } => {
                writeln!(out, "refused      the set {set} by {}: {}", reason.rule, printable(&reason.why))
            }
            Event::Released { set, files } => writeln!(out, "released     {set}, {} files", files.len()),
            Event::Ignored { name, why } => writeln!(out, "left alone   {name}: {why}"),
            // What a newer library tells.
            other => writeln!(out, "{}", other.to_json(now)),
        }?;
    }
    Ok(())
}

/// `2d`, `36h`, `90m` or `30s`.
fn age(text: &str) -> Result<Duration, String> {
    let wrong = || "a number and d, h, m or s are allowed, such as 2d".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        "d" => 86_400,
        "h" => 3_600,
        "m" => 60,
        "s" => 1,
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// After something could not be done: a full disk is not emptied within a second.
const TRY_AGAIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_is_a_number_and_a_unit() {
        for (text, seconds) in [("2d", 172_800), ("36h", 129_600), ("90m", 5_400), ("30s", 30), ("0s", 0)] {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)));
        }
        for bad in ["", "2", "d", "-1d", "2 d", "2w", "4294967296d", "é"] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }
}
