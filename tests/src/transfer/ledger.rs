//! `irgw delivery`: a set is submitted, and the ledger is asked what became of it (SFTP-4).

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Upshot;
use super::command::{argument, irgw};
use super::demo::Demo;
use super::set::File;
use crate::Error;
use crate::judge::text;

/// How long a delivery may take; it is tried again after a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was submitted.
pub(super) struct Submitted {
    number: String,
    /// The command said that it knows it.
    pub(super) was_submitted_before: bool,
}

/// Submits a folder with these files, or says why it was refused.
pub(super) fn submit(
    demo: &Demo,
    number: u32,
    provider: &str,
    feed: &str,
    files: &[File],
) -> Result<Result<Submitted, Upshot>, Error> {
    let folder = demo.folder(number)?.join("set");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    for (name, content) in files {
        let path: PathBuf = folder.join(name);
        std::fs::write(&path, content).map_err(Error::file(&path))?;
    }
    let (folder, dir) = (argument(&folder)?, argument(demo.local()?.folder())?);
    let submit = ["delivery", "submit", "--provider", provider, "--feed", feed, folder, "--dir", dir];
    let ran = irgw(demo.local()?, &submit)?;
    if !ran.is_done() {
        return Ok(Err(ran.upshot()));
    }
    let was_submitted_before = ran.beside().contains("was submitted before");
    Ok(Ok(Submitted { number: ran.out.trim().to_owned(), was_submitted_before }))
}

/// Waits until a delivery has ended or, unless it must succeed, has failed for the first time.
pub(super) fn end(demo: &Demo, delivery: &Submitted, must_succeed: bool) -> Result<Upshot, Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let dir = argument(demo.local()?.folder())?;
        let ran = irgw(demo.local()?, &["delivery", "show", &delivery.number, "--json", "--dir", dir])?;
        let shown: Value = serde_json::from_str(&ran.out).map_err(Error::recipe)?;
        let entry = shown.pointer("/deliveries/0").unwrap_or(&Value::Null);
        let (state, fault) = (text(entry, "state"), text(entry, "fault"));
        let before = if delivery.was_submitted_before { ", was submitted before" } else { "" };
        match state {
            "delivered" => return Ok(Upshot::accepted(format!("delivered{before}"))),
            "queued" if fault.is_empty() => {}
            // A server whose seats are all taken ends a connection, and says nothing of the file.
            "queued"
                if (must_succeed || fault.starts_with("the connection ended"))
                    && Instant::now() < deadline => {}
            _ => return Ok(Upshot::refused(None, format!("{state}: {fault}"))),
        }
        if Instant::now() >= deadline {
            return Err(Error::Target(format!("nothing comes of delivery {}", delivery.number)));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
