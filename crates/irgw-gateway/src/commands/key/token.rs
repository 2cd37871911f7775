//! `irgw key list` and `rotate`: the keys that access tokens are signed with (OA-10, C18).

use std::io::Write;

use clap::Subcommand;
use irgw_core::{Environment, UnixTime};
use irgw_oauth::signing::Algorithm;
use irgw_oauth::vault::Vault;
use irgw_store::{Store, TokenKey};
use serde_json::json;

use crate::commands::CommandError;
use crate::commands::listing::{FormArgs, List, rfc3339};
use crate::rotation::{self, Haste};

#[derive(Debug, Clone, Subcommand)]
pub(super) enum TokenKeyCommand {
    /// List the keys that sign access tokens in the gateway's environment, retired ones too
    List {
        #[command(flatten)]
        form: FormArgs,
    },
    /// Make the next key for access tokens: announced at once, it signs an hour later, and the old one's tokens are good until they expire
    Rotate {
        /// What it signs with: ES256, RS256 or RS512; keys of the others stay as they are
        #[arg(long, default_value_t = Algorithm::Es256)]
        algorithm: Algorithm,
        /// Sign with it at once: who verifies tokens must ask for unknown keys
        #[arg(long)]
        at_once: bool,
        /// The same, and refuse the tokens of the old keys at once
        #[arg(long)]
        end_old: bool,
    },
}

/// Does what the command says, wholly or not at all, and writes what the operator is to know.
///
/// # Errors
/// What the store refuses, and when a key cannot be made or sealed.
pub(super) fn run(
    command: &TokenKeyCommand,
    store: &Store,
    environment: Environment,
    vault: impl FnOnce() -> Result<Vault, CommandError>,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    match command {
        TokenKeyCommand::List { form } => list(&store.list_token_keys(environment)?, form, now, out),
        TokenKeyCommand::Rotate { algorithm, at_once, end_old } => {
            let haste = match (at_once, end_old) {
                (_, true) => Haste::EndOld,
                (true, false) => Haste::AtOnce,
                (false, false) => Haste::Announced,
            };
            let rotated = rotation::rotate(store, &vault()?, environment, *algorithm, haste, now)
                .map_err(CommandError::caused)?;
            writeln!(out, "{}", rotated.id)?;
            writeln!(out, "signs {algorithm} in {environment} from {}", rfc3339(rotated.signs_from))?;
            for (id, until) in rotated.retired {
                writeln!(out, "tokens of {id} are good until {}", rfc3339(until))?;
            }
            Ok(())
        }
    }
}

fn list(keys: &[TokenKey], form: &FormArgs, now: UnixTime, out: &mut impl Write) -> Result<(), CommandError> {
    let rows = keys.iter().map(|key| {
        let state = if rotation::is_over(key, now) {
            "over"
        } else if key.signs_from > now {
            "announced"
        } else {
            "good"
        };
        vec![
            json!(key.id),
            json!(key.environment),
            json!(key.algorithm.name()),
            json!(state),
            json!(rfc3339(key.signs_from)),
            json!(key.verifies_until.map(rfc3339)),
        ]
    });
    let columns = &["id", "environment", "algorithm", "state", "signs from", "verifies until"];
    form.write(&[List { name: "keys", columns, rows: rows.collect(), next: None }], out)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Irgw {
        #[command(subcommand)]
        command: TokenKeyCommand,
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000 + seconds))
    }

    fn run(store: &Store, line: &str, now: UnixTime) -> String {
        let args = Irgw::try_parse_from(std::iter::once("key").chain(line.split_whitespace())).unwrap();
        let mut out = Vec::new();
        let vault = || Ok(Vault::new(&[7; 32]));
        super::run(&args.command, store, Environment::Test, vault, now, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// The id of the key that signs.
    fn signing(store: &Store, algorithm: Algorithm, now: UnixTime) -> String {
        let keyring = store.keyring(Environment::Test, &Vault::new(&[7; 32]), now).unwrap();
        keyring.signing(algorithm, now).unwrap().id().to_owned()
    }

    /// OA-10, C18: the old key verifies until its last token expires.
    #[test]
    fn keys_follow_each_other() {
        let store = Store::in_memory().unwrap();
        let id = |printed: &str| printed.lines().next().unwrap().to_owned();
        let first = id(&run(&store, "rotate", at(0)));
        assert_eq!(signing(&store, Algorithm::Es256, at(0)), first, "the first one signs at once");
        let printed = run(&store, "rotate", at(10));
        let second = id(&printed);
        assert!(
            printed.ends_with(&format!("tokens of {first} are good until 2027-01-15T17:02:10Z\n")),
            "{printed}"
        );
        assert_eq!(signing(&store, Algorithm::Es256, at(3_609)), first);
        assert_eq!(signing(&store, Algorithm::Es256, at(3_610)), second);
        let third = id(&run(&store, "rotate --end-old", at(4_000)));
        assert_eq!(signing(&store, Algorithm::Es256, at(4_000)), third);
        let listed: serde_json::Value = serde_json::from_str(&run(&store, "list --json", at(4_000))).unwrap();
        let states: Vec<_> =
            listed["keys"].as_array().unwrap().iter().map(|key| key["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["over", "over", "good"]);
    }

    /// OA-10: RSA on request; a key of one algorithm does not end another's.
    #[test]
    fn algorithms_have_keys_of_their_own() {
        let store = Store::in_memory().unwrap();
        run(&store, "rotate", at(0));
        run(&store, "rotate --algorithm RS256", at(1));
        signing(&store, Algorithm::Rs256, at(1));
        let listed = run(&store, "list", at(1));
        assert!(listed.lines().count() == 3 && listed.contains("RS256"), "{listed}");
        assert_eq!(run(&Store::in_memory().unwrap(), "list", at(0)), "no keys\n");
    }
}
