//! `irgw audit verify`: whether the audit log is as it was written.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::PathBuf;

use super::CommandError;
use crate::verify_audit_log;

/// The arguments of `irgw audit`.
#[derive(Debug, clap::Args)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuditCommand {
    /// Check the chain of seals over a log
    #[command(
        after_help = "Each batch of records ends in a seal over all bytes before it. Keep the last seal elsewhere:
it shows also whether whole batches were cut off at the end.
Exit codes: 0 the log is whole, 1 it was changed, 2 it cannot be read."
    )]
    Verify {
        /// The log
        file: PathBuf,
        /// A seal that the log must have reached
        #[arg(long, value_name = "HEX")]
        seal: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Does what the command says.
///
/// # Errors
/// When the log was changed, or cannot be read.
pub(crate) fn run(args: &AuditArgs, out: &mut impl Write) -> Result<(), CommandError> {
    let AuditCommand::Verify { file, seal, json } = &args.command;
    let unreadable = |error: &dyn std::fmt::Display| {
        CommandError::unusable(format_args!("cannot read {}: {error}", file.display()))
    };
    let log = File::open(file).map_err(|error| unreadable(&error))?;
    let verified = match verify_audit_log(BufReader::new(log)) {
        Ok(verified) => verified,
        Err(crate::Broken::Io(error)) => return Err(unreadable(&error)),
        Err(broken) => {
            let message = format!("{}: {broken}", file.display());
            return Err(CommandError::refused(irgw_core::Rule::Gw6, message));
        }
    };
    if let Some(seal) = seal
        && !verified.seals.contains(&seal.to_ascii_lowercase())
    {
        let message =
            format!("{}: the log does not reach the seal {seal}; its end was cut off", file.display());
        return Err(CommandError::refused(irgw_core::Rule::Gw6, message));
    }
    if *json {
        let json = serde_json::to_string(&verified).map_err(CommandError::unusable)?;
        writeln!(out, "{json}")?;
    } else {
        writeln!(
            out,
            "{}: {} records in {} sealed batches are as they were written",
            file.display(),
            verified.records,
            verified.batches
        )?;
        if verified.unsealed > 0 {
            writeln!(out, "{} lines behind the last seal are not sealed yet", verified.unsealed)?;
        }
        writeln!(out, "last seal {}", verified.last_seal)?;
    }
    Ok(())
}
