//! An end's intake: files are put where they appear for it, and its events and its status say what became of them.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Upshot;
use super::demo::Demo;
use super::end::End;
use super::message::MessageRecipe;
use super::set::File;
use crate::judge::text;
use crate::template::Values;
use crate::{Error, Shows};

/// How long an end may take: the provider looks five times a second, the gateway of a development directory once.
const PATIENCE: Duration = Duration::from_secs(30);

/// Puts files where they appear for an end, each whole under its name at once; the first one as the recipe says.
pub(super) fn put(
    demo: &Demo,
    end: &End,
    message: &MessageRecipe,
    files: &[File],
    values: &Values,
) -> Result<(), Error> {
    for (number, (name, content)) in files.iter().enumerate() {
        let good = MessageRecipe::default();
        let message = if number == 0 { message } else { &good }.message(demo, end, content, values)?;
        // What begins with a dot is still under way.
        let temporary = end.door.join(format!(".{name}.case"));
        std::fs::write(&temporary, message).map_err(Error::file(&temporary))?;
        let to = end.door.join(sealed(name));
        std::fs::rename(&temporary, &to).map_err(Error::file(&to))?;
    }
    Ok(())
}

/// Waits until the intake has made up its mind about a set, of which these files have come, and looks whether everything is where it
/// must be then.
pub(super) fn upshot(
    end: &End,
    feed: &str,
    since: usize,
    set: &str,
    files: &[File],
) -> Result<Upshot, Error> {
    let state = end.state(feed);
    let ours = |event: &Value| {
        let is_file = |told: &str| files.iter().any(|(name, _)| name == told || sealed(name) == told);
        text(event, "set") == set || is_file(text(event, "file")) || is_file(text(event, "name"))
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let events = end.events(feed).find(since, ours, usize::MAX, Duration::ZERO);
        let upshot = decided(&events).or_else(|| waiting(&state, set, files, &events));
        // What is told of is done a moment later.
        let misplaced =
            upshot.as_ref().and_then(|upshot| misplaced(end, &state, set, files, upshot, &events));
        match (upshot, misplaced) {
            (Some(upshot), None) => return Ok(upshot),
            (Some(upshot), Some(problem)) if Instant::now() >= deadline => {
                let told = format!("{}, but {problem}", upshot.told);
                return Err(Error::Target(told));
            }
            (None, _) if Instant::now() >= deadline => {
                let told: Vec<String> = events.iter().map(Value::to_string).collect();
                let status = std::fs::read_to_string(state.join("status.json")).unwrap_or_default();
                let problem = format!("nothing is decided about {set}: {}; {status}", told.join(" "));
                return Err(Error::Target(problem));
            }
            _ => {}
        }
        // There is nothing to wake us.
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What is not where it must be. A set that was released lies there byte for byte, alone, and nothing of it where it came from; what
/// was refused is in quarantine, with its reason, and not released.
fn misplaced(
    end: &End,
    state: &Path,
    set: &str,
    files: &[File],
    upshot: &Upshot,
    events: &[Value],
) -> Option<String> {
    let released = state.join("released").join(set);
    if upshot.shows == Shows::Accepted {
        let is_as_sent =
            |(name, content): &File| std::fs::read(released.join(name)).is_ok_and(|there| there == *content);
        let count = std::fs::read_dir(&released).map_or(0, Iterator::count);
        let left = files.iter().find(|(name, _)| end.door.join(sealed(name)).exists());
        return match files.iter().find(|file| !is_as_sent(file)) {
            Some((name, _)) => Some(format!("{name} was not released as it was sent")),
            None if count != files.len() => Some(format!("{count} files were released")),
            None => left.map(|(name, _)| format!("{name} is still where it came from")),
        };
    }
    if released.exists() && !was_released(state, set) {
        return Some("it was released".into());
    }
    let put_aside = events.iter().filter_map(|event| event.get("quarantined")?.as_str());
    let lacking = |name: &&str| {
        let aside = state.join("quarantine");
        !aside.join(name).is_file() || !aside.join(format!("{name}.reason.json")).is_file()
    };
    put_aside.into_iter().find(lacking).map(|name| format!("{name} is not in quarantine with its reason"))
}

/// The first event that says what became of the set.
fn decided(events: &[Value]) -> Option<Upshot> {
    events.iter().find_map(|event| match text(event, "event") {
        "released" => Some(Upshot::accepted("released")),
        "repeated" if event.get("set").is_some() => Some(Upshot::accepted("was released before")),
        "refused" | "set-refused" => Some(Upshot::refused(
            Some(text(event, "rule").to_owned()),
            format!("quarantined: {}", text(event, "why")),
        )),
        "ignored" => Some(Upshot::refused(None, format!("left alone: {}", text(event, "why")))),
        _ => None,
    })
}

/// Whether the status says that all files have come and the set waits for others.
fn waiting(state: &Path, set: &str, files: &[File], events: &[Value]) -> Option<Upshot> {
    let arrived = |(name, _): &&File| events.iter().any(|event| text(event, "file") == name.as_str());
    if files.iter().filter(arrived).count() < files.len() {
        return None;
    }
    let status: Value = serde_json::from_slice(&std::fs::read(state.join("status.json")).ok()?).ok()?;
    let texts = |value: &Value, name: &str| -> Vec<String> {
        let list = value.get(name).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let holds_all = |list: &[String]| files.iter().all(|(name, _)| list.contains(name));
    if holds_all(&texts(&status, "unclaimed")) {
        return Some(Upshot::refused(None, "waits for the control file"));
    }
    let sets = status.get("waiting").and_then(Value::as_array).into_iter().flatten();
    let waiting = sets.into_iter().find(|waiting| text(waiting, "set") == set)?;
    let missing = texts(waiting, "missing").join(" and ");
    holds_all(&texts(waiting, "arrived")).then(|| Upshot::refused(None, format!("waits for {missing}")))
}

/// Whether a set was released before what came of it now.
fn was_released(state: &Path, set: &str) -> bool {
    state.join("receipts").join(format!("{set}.json")).exists()
}

/// The name that a file has on the way.
pub(super) fn sealed(name: &str) -> String {
    format!("{name}.pgp")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn first_decision_counts() {
        let arrived = json!({ "event": "arrived", "file": "a" });
        assert_eq!(decided(std::slice::from_ref(&arrived)), None);
        let refused = json!({ "event": "refused", "file": "b", "rule": "PGP-2", "why": "not signed" });
        let upshot = decided(&[arrived, refused]).unwrap();
        assert_eq!(
            (upshot.rule.as_deref(), upshot.told.as_str()),
            (Some("PGP-2"), "quarantined: not signed")
        );
    }
}
