//! `irgw delivery …`: sets on their way to providers' file servers (SFTP-4, SFTP-5, FILE-4).

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use irgw_core::{ProviderId, Rule, UnixTime};
use irgw_sftp::delivery::{DeliveryId, Stage};
use irgw_sftp::fileset::Feed;
use irgw_store::{DeliveryEntry, DeliveryFilter, DeliveryState, Stopped, Store, Submitted};
use serde_json::{Value, json};

use super::listing::{FormArgs, List, rfc3339};
use super::{CommandError, ListArgs, PlaceArgs};
use crate::hex::hex;
use crate::transfer::submit::{SubmitError, submit};

/// Sets on their way to providers: submit, list, try again, give up
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DeliveryArgs {
    /// Which gateway's state.
    #[command(flatten)]
    pub place: PlaceArgs,
    #[command(subcommand)]
    command: DeliveryCommand,
}

const EXAMPLES: &str = "\
Examples:
  A folder that holds a control file and the zips that it lists, and nothing else:
    irgw delivery submit --provider kowhai --feed tds ./2026-11-24 --wait --dir DIR
  What has not arrived yet, and why:
    irgw delivery list --state queued --dir DIR
    irgw delivery show 17 --dir DIR
  The provider has put right what stopped it:
    irgw delivery retry 17 --dir DIR

A submitted set is delivered, whatever happens: exactly once for each name, encrypted to the provider and signed. It is tried
again after a pause by itself; what is `held` waits for an operator, and later sets of its feed wait behind it.";

#[derive(Debug, Clone, Subcommand)]
enum DeliveryCommand {
    /// Check a finished set, and have it delivered; the same set again changes nothing
    Submit {
        /// The provider that it is for
        #[arg(long)]
        provider: ProviderId,
        /// tds (transaction data) or psn (return status)
        #[arg(long)]
        feed: Feed,
        /// The folder with the set; it may be removed afterwards
        folder: PathBuf,
        /// Wait until every file is at the provider's, and show how far it is
        #[arg(long)]
        wait: bool,
        /// With --wait: give up waiting after so many seconds; the delivery goes on
        #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
        timeout: u64,
    },
    /// List deliveries, the oldest first
    List {
        /// Only those to this provider
        #[arg(long)]
        provider: Option<ProviderId>,
        /// queued, held, delivered or cancelled
        #[arg(long)]
        state: Option<DeliveryState>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show a delivery and each of its files
    Show {
        /// Its number
        id: DeliveryId,
        #[command(flatten)]
        form: FormArgs,
    },
    /// Try a delivery now that is held, or pauses after a failure
    Retry {
        /// Its number
        id: DeliveryId,
    },
    /// Give a delivery up; what is at the provider's stays there
    Cancel {
        /// Its number
        id: DeliveryId,
    },
    /// List what was delivered of a delivery: names, lengths and digests, before and after encryption
    Receipts {
        /// Its number
        id: DeliveryId,
        #[command(flatten)]
        form: FormArgs,
    },
}

/// Does what the command says, and writes what the operator is to know.
///
/// # Errors
/// What the rules or the store refuse.
pub(crate) fn run(
    args: &DeliveryArgs,
    store: &Store,
    spool: impl FnOnce() -> Result<PathBuf, CommandError>,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    match &args.command {
        DeliveryCommand::Submit { provider, feed, folder, wait, timeout } => {
            let id = submitted(store, &spool()?, provider, *feed, folder, now, out)?;
            if *wait { wait_for(store, id, Duration::from_secs(*timeout), out) } else { Ok(()) }
        }
        DeliveryCommand::List { provider, state, list } => {
            let filter = DeliveryFilter { provider: provider.clone(), state: *state };
            let listed = store.list_deliveries(&filter, &list.page()?)?;
            list.write(&[table(&listed.items, listed.next)], out)
        }
        DeliveryCommand::Show { id, form } => show(&store.delivery(*id)?, form, out),
        DeliveryCommand::Retry { id } => {
            store.retry_delivery(*id, now)?;
            Ok(writeln!(out, "delivery {id} is tried now")?)
        }
        DeliveryCommand::Cancel { id } => {
            store.cancel_delivery(*id, now)?;
            // What cannot be removed from here, the next start of the gateway removes.
            let _ = std::fs::remove_dir_all(store.delivery(*id)?.folder);
            Ok(writeln!(out, "delivery {id} is cancelled; files that were delivered stay where they are")?)
        }
        DeliveryCommand::Receipts { id, form } => receipts(&store.delivery(*id)?, form, out),
    }
}

fn submitted(
    store: &Store,
    spool: &Path,
    provider: &ProviderId,
    feed: Feed,
    folder: &Path,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<DeliveryId, CommandError> {
    let mut line = Line::new();
    let submitted =
        submit(store, spool, provider, feed, folder, now, |name| line.say(&format!("checking {name}")));
    line.end();
    match submitted? {
        Submitted::New(id) => {
            writeln!(out, "{id}")?;
            Ok(id)
        }
        Submitted::Before(id) => {
            writeln!(out, "{id}")?;
            writeln!(std::io::stderr(), "irgw: the same set was submitted before, as delivery {id}")?;
            Ok(id)
        }
    }
}

/// Waits until a delivery has ended.
fn wait_for(
    store: &Store,
    id: DeliveryId,
    limit: Duration,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let began = Instant::now();
    let mut line = Line::new();
    loop {
        let entry = store.delivery(id)?;
        line.say(&progress(&entry));
        let stopped = match entry.state {
            DeliveryState::Delivered => {
                line.end();
                return Ok(writeln!(out, "delivered")?);
            }
            DeliveryState::Queued if began.elapsed() < limit => None,
            DeliveryState::Queued => Some("is not delivered yet".to_owned()),
            state => Some(format!("is {}", state.name())),
        };
        if let Some(stopped) = stopped {
            line.end();
            let (rule, why) = match entry.stopped {
                Some(Stopped { rule, why }) => (rule.unwrap_or(Rule::Sftp4), format!(": {why}")),
                None => (Rule::Sftp4, String::new()),
            };
            return Err(CommandError::refused(rule, format_args!("delivery {id} {stopped}{why}")));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// How far a delivery is, in a line.
fn progress(entry: &DeliveryEntry) -> String {
    let parcels = &entry.delivery.parcels;
    let done = |parcel: &&irgw_sftp::delivery::Parcel| matches!(parcel.stage, Stage::Delivered { .. });
    let bytes = |parcels: &mut dyn Iterator<Item = u64>| parcels.sum::<u64>();
    let all = bytes(&mut parcels.iter().map(|parcel| parcel.bytes));
    // What was noted a moment ago may have its name by now, and be counted with it.
    let sent = bytes(&mut parcels.iter().filter(done).map(|parcel| parcel.bytes))
        .saturating_add(entry.sent)
        .min(all);
    // A set of empty files is done when its files are.
    let filled =
        usize::try_from(sent.saturating_mul(BAR_CELLS).checked_div(all).unwrap_or(BAR_CELLS)).unwrap_or(0);
    let cells = usize::try_from(BAR_CELLS).unwrap_or(0);
    let bar = format!("{}{}", "#".repeat(filled), ".".repeat(cells.saturating_sub(filled)));
    let files = parcels.iter().filter(done).count();
    let waits = entry.stopped.as_ref().map(|stopped| format!("  last: {}", stopped.why)).unwrap_or_default();
    format!("[{bar}] {files} of {} files, {sent} of {all} bytes{waits}", parcels.len())
}

const BAR_CELLS: u64 = 30;

/// One line of progress on standard error: rewritten in place on a terminal; elsewhere each new one is a line.
struct Line {
    is_terminal: bool,
    said: String,
}

impl Line {
    fn new() -> Line {
        Line { is_terminal: std::io::stderr().is_terminal(), said: String::new() }
    }

    fn say(&mut self, text: &str) {
        if text == self.said {
            return;
        }
        // Nothing is lost when nobody reads it.
        let _ = match self.is_terminal {
            true => write!(std::io::stderr(), "\r\x1b[K{text}"),
            false => writeln!(std::io::stderr(), "{text}"),
        };
        text.clone_into(&mut self.said);
    }

    fn end(&mut self) {
        if self.is_terminal && !self.said.is_empty() {
            let _ = writeln!(std::io::stderr());
        }
    }
}

fn table(entries: &[DeliveryEntry], next: Option<String>) -> List<'static> {
    let columns =
        &["number", "provider", "feed", "environment", "state", "delivered", "since", "due", "rule", "fault"];
    List { name: "deliveries", columns, rows: entries.iter().map(row).collect(), next }
}

fn row(entry: &DeliveryEntry) -> Vec<Value> {
    let parcels = &entry.delivery.parcels;
    let delivered = parcels.iter().filter(|parcel| matches!(parcel.stage, Stage::Delivered { .. })).count();
    vec![
        json!(entry.delivery.turn.delivery.0),
        json!(entry.delivery.provider.as_str()),
        json!(entry.delivery.feed.name()),
        json!(entry.delivery.environment),
        json!(entry.state.name()),
        json!(format!("{delivered}/{}", parcels.len())),
        json!(rfc3339(entry.since)),
        match entry.state {
            DeliveryState::Queued => json!(rfc3339(entry.due)),
            _ => Value::Null,
        },
        json!(entry.stopped.as_ref().and_then(|stopped| stopped.rule).map(Rule::id)),
        json!(entry.stopped.as_ref().map(|stopped| &stopped.why)),
    ]
}

fn show(entry: &DeliveryEntry, form: &FormArgs, out: &mut impl Write) -> Result<(), CommandError> {
    let delivery = table(std::slice::from_ref(entry), None);
    let rows = entry.delivery.parcels.iter().map(|parcel| {
        let (stage, at) = match &parcel.stage {
            Stage::Waiting => ("waiting", Value::Null),
            Stage::Sealed(_) => ("uploaded", Value::Null),
            Stage::Delivered { at, .. } => ("delivered", json!(rfc3339(*at))),
        };
        vec![json!(parcel.name), json!(parcel.bytes), json!(stage), at]
    });
    let columns = ["file", "bytes", "stage", "at"];
    let files = List { name: "files", columns: &columns, rows: rows.collect(), next: None };
    form.write(&[delivery, files], out)
}

fn receipts(entry: &DeliveryEntry, form: &FormArgs, out: &mut impl Write) -> Result<(), CommandError> {
    let rows = entry.delivery.parcels.iter().filter_map(|parcel| match &parcel.stage {
        Stage::Delivered { sealed, at } => Some(vec![
            json!(parcel.name),
            json!(rfc3339(*at)),
            json!(parcel.bytes),
            json!(hex(&parcel.digest)),
            json!(sealed.bytes),
            json!(hex(&sealed.digest)),
        ]),
        Stage::Waiting | Stage::Sealed(_) => None,
    });
    let columns = ["file", "delivered", "bytes", "sha256", "sealed bytes", "sealed sha256"];
    form.write(&[List { name: "receipts", columns: &columns, rows: rows.collect(), next: None }], out)
}

impl From<SubmitError> for CommandError {
    fn from(error: SubmitError) -> CommandError {
        match error {
            SubmitError::Store(error) => error.into(),
            other => match other.rule() {
                Some(rule) => CommandError::refused(rule, other),
                None => CommandError::unusable(other),
            },
        }
    }
}
