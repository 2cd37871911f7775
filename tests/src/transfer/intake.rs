//! The demo provider's intake: files are put into its inbox, and its events and its status say what became of them.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Upshot;
use super::demo::Demo;
use super::message::MessageRecipe;
use super::set::File;
use crate::Error;
use crate::judge::text;
use crate::template::Values;

/// How long the provider may take: it looks five times a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// Puts files into the inbox, each whole under its name at once; the first one as the recipe says.
pub(super) fn put(
    demo: &Demo,
    message: &MessageRecipe,
    files: &[File],
    values: &Values,
) -> Result<(), Error> {
    for (number, (name, content)) in files.iter().enumerate() {
        let good = MessageRecipe::default();
        let message = if number == 0 { message } else { &good }.message(demo, content, values)?;
        // What begins with a dot is still under way.
        let temporary = demo.server.inbox.join(format!(".{name}.case"));
        std::fs::write(&temporary, message).map_err(Error::file(&temporary))?;
        let to = demo.server.inbox.join(sealed(name));
        std::fs::rename(&temporary, &to).map_err(Error::file(&to))?;
    }
    Ok(())
}

/// Waits until the intake has made up its mind about a set, of which these files have come.
pub(super) fn upshot(
    demo: &Demo,
    feed: &str,
    since: usize,
    set: &str,
    files: &[String],
) -> Result<Upshot, Error> {
    let state = demo.state(feed);
    let ours = |event: &Value| {
        let is_file = |name: &str| files.iter().any(|file| file == name || sealed(file) == name);
        text(event, "set") == set || is_file(text(event, "file")) || is_file(text(event, "name"))
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let events = demo.events(feed).find(since, ours, usize::MAX, Duration::ZERO);
        let upshot = decided(&events).or_else(|| waiting(&state, set, files, &events));
        if let Some(upshot) = upshot {
            let folder = state.join("released").join(set);
            if upshot.shows == crate::Shows::Refused && !was_released(&state, set) && folder.exists() {
                return Ok(Upshot::refused(Some(String::new()), "what was refused was released"));
            }
            return Ok(upshot);
        }
        if Instant::now() >= deadline {
            let told: Vec<String> = events.iter().map(Value::to_string).collect();
            let status = std::fs::read_to_string(state.join("status.json")).unwrap_or_default();
            let problem = format!("the provider decides nothing about {set}: {}; {status}", told.join(" "));
            return Err(Error::Target(problem));
        }
        // There is nothing to wake us.
        std::thread::sleep(Duration::from_millis(20));
    }
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
fn waiting(state: &Path, set: &str, files: &[String], events: &[Value]) -> Option<Upshot> {
    let arrived = |file: &&String| events.iter().any(|event| text(event, "file") == file.as_str());
    if files.iter().filter(arrived).count() < files.len() {
        return None;
    }
    let status: Value = serde_json::from_slice(&std::fs::read(state.join("status.json")).ok()?).ok()?;
    let texts = |value: &Value, name: &str| -> Vec<String> {
        let list = value.get(name).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let holds_all = |list: &[String]| files.iter().all(|file| list.contains(file));
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
