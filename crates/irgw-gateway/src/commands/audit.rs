//! `irgw audit verify`: whether the audit log is as it was sealed.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use irgw_core::Rule;

use super::CommandError;
use super::place::PlaceArgs;
use crate::config::{Located, Place};
use crate::{Broken, Seal, SealKey, Verified, Verifier, material};

/// The arguments of `irgw audit`.
#[derive(Debug, clap::Args)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuditCommand {
    /// Check the seals of a log
    #[command(
        after_help = "Each batch of records ends in a seal over all bytes before it, which the key vouches for. Without the key
only the chain is checked, which anybody can make who can write the file. Keep the last seal elsewhere, the
gateway logs it: --seal shows with it whether batches were cut off at the end.
Examples:
  irgw audit verify --dir irgw-dev
  irgw audit verify audit.jsonl.1 audit.jsonl --key audit.key --seal 5f70…
Exit codes: 0 the log is as it was sealed, 1 it is not, or nothing is sealed, 2 it cannot be read."
    )]
    Verify {
        /// The log; when it was rotated, its files, oldest first
        files: Vec<PathBuf>,
        /// The key that the log was sealed with
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// A seal that the log must have reached
        #[arg(long, value_name = "HEX")]
        seal: Option<Seal>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

/// Does what the command says.
///
/// # Errors
/// When the log was changed, or cannot be read.
pub(crate) fn run(args: &AuditArgs, out: &mut impl Write) -> Result<(), CommandError> {
    let AuditCommand::Verify { files, key, seal, json, place } = &args.command;
    let (key, log) = match (key, place.is_named()) {
        (Some(file), _) => (Some(read_key(file)?), None),
        (None, true) => {
            let config = place.config()?;
            let key = material::audit_key(&config.audit_key).map_err(CommandError::unusable)?;
            (Some(key), Some(config.audit.value))
        }
        (None, false) => (None, None),
    };
    let files = if files.is_empty() { log.as_slice() } else { files };
    let Some(last) = files.last() else {
        return Err(CommandError::unusable("say which log: FILE, --dir DIR (of irgw dev) or --config FILE"));
    };
    let mut verifier = Verifier::new(key, *seal);
    for file in files {
        let unreadable = |error: &dyn Display| {
            CommandError::unusable(format_args!("cannot read {}: {error}", file.display()))
        };
        let log = File::open(file).map_err(|error| unreadable(&error))?;
        verifier.file(BufReader::new(log)).map_err(|broken| match broken {
            Broken::Io(error) => unreadable(&error),
            broken => refused(file, broken),
        })?;
    }
    let verified = verifier.verified();
    if verified.batches == 0 {
        return Err(refused(last, "nothing is sealed"));
    }
    if let (Some(seal), false) = (seal, verified.reached) {
        return Err(refused(
            last,
            format_args!("the log does not reach the seal {seal}; its end was cut off"),
        ));
    }
    if *json {
        let json = serde_json::to_string(verified).map_err(CommandError::unusable)?;
        writeln!(out, "{json}")?;
    } else {
        write!(out, "{}", Report { last, verified })?;
    }
    Ok(())
}

fn read_key(file: &Path) -> Result<SealKey, CommandError> {
    let place = Place { file: Arc::from(file), line: 0, key: "--key".into() };
    material::audit_key(&Located { value: file.to_owned(), place })
        .map_err(|problem| CommandError::unusable(problem.message))
}

fn refused(file: &Path, what: impl Display) -> CommandError {
    CommandError::refused(Rule::Gw6, format_args!("{}: {what}", file.display()))
}

/// What was verified, for people.
struct Report<'a> {
    last: &'a Path,
    verified: &'a Verified,
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Verified { keyed, records, batches, recovered, unsealed, continues, last_seal, .. } =
            self.verified;
        let records = count(*records, "record", "records");
        let batches = count(*batches, "sealed batch", "sealed batches");
        let (file, fit) =
            (self.last.display(), if *keyed { "as the gateway sealed it" } else { "a whole chain" });
        writeln!(f, "{file}: {records} in {batches}, {fit}")?;
        if !keyed {
            writeln!(
                f,
                "only the chain was checked: anybody who can write the file can make one; use --key, --dir or --config"
            )?;
        }
        if *continues != Seal::START {
            writeln!(
                f,
                "continues the seal {continues}; name the file before it too, to check that it is there"
            )?;
        }
        if *recovered > 0 {
            let lines = count(*recovered, "line", "lines");
            writeln!(
                f,
                "{lines} had been found without a seal, and nobody vouches for them: see \"recovered\""
            )?;
        }
        if *unsealed > 0 {
            writeln!(f, "{} behind the last seal, unsealed", count(*unsealed, "line", "lines"))?;
        }
        writeln!(f, "last seal {last_seal}")
    }
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::time::Duration;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: AuditArgs,
    }

    /// A log of one record, and its key's file.
    fn log() -> (tempfile::TempDir, PathBuf, PathBuf) {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (log, key) = (folder.path().join("audit.jsonl"), folder.path().join("audit.key"));
        std::fs::write(&key, "07".repeat(32) + "\n").unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let audit = crate::AuditLog::open(&log, SealKey::new(&[7; 32])).unwrap();
        let origin = irgw_core::Origin::new("192.0.2.7:5000".parse().unwrap(), irgw_core::Channel::Cloud);
        audit.record(&irgw_core::Record::new(Duration::ZERO, origin, "r1".into()));
        audit.close();
        (folder, log, key)
    }

    fn verify(args: &[&str]) -> Result<String, (u8, String)> {
        let line = Line::try_parse_from(["audit", "verify"].iter().chain(args));
        let line = line.map_err(|error| (2, error.to_string()))?;
        let mut out = Vec::new();
        match run(&line.args, &mut out) {
            Ok(()) => Ok(String::from_utf8(out).unwrap()),
            Err(error) => Err((error.exit_code(), error.to_string())),
        }
    }

    #[test]
    fn report_says_what_was_checked() {
        let (_folder, log, key) = log();
        let (log, key) = (log.to_str().unwrap(), key.to_str().unwrap());
        let keyed = verify(&[log, "--key", key]).unwrap();
        assert!(keyed.contains(": 1 record in 2 sealed batches, as the gateway sealed it\n"), "{keyed}");
        let seal = keyed.trim_end().rsplit(' ').next().unwrap();
        verify(&[log, "--key", key, "--seal", seal]).unwrap();
        let chain = verify(&[log]).unwrap();
        assert!(chain.contains("only the chain was checked") && !chain.contains("as the gateway"), "{chain}");
        assert!(
            verify(&[log, "--json"]).unwrap().starts_with("{\"keyed\":false,\"records\":1,\"batches\":2,")
        );
        let (code, said) = verify(&[log, "--seal", &"1".repeat(64)]).unwrap_err();
        assert!(code == 1 && said.contains("does not reach the seal 1111"), "{said}");
    }

    #[test]
    fn what_is_no_log_is_refused() {
        let (folder, log, key) = log();
        let (log, key) = (log.to_str().unwrap(), key.to_str().unwrap());
        let text = folder.path().join("text");
        std::fs::write(&text, "hello\n").unwrap();
        for (args, code, said) in [
            (&["/dev/null"][..], 1, "nothing is sealed"),
            (&[text.to_str().unwrap()], 1, "line 1 is no audit record"),
            (&[log, "--seal", "zz"], 2, "--seal"),
            (&[log, "--key", text.to_str().unwrap()], 2, "others may read"),
            (&[log, "--key", log], 2, "is no key"),
            (&["--key", key], 2, "say which log"),
            (&["/nowhere"], 2, "cannot read /nowhere"),
        ] {
            let (found, text) = verify(args).unwrap_err();
            assert!(found == code && text.contains(said), "{args:?}: {found} {text}");
        }
    }
}
