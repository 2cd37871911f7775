//! `irgw customer …`: the customers of the built-in directory (ENV-1, OA-7, OA-19).

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use irgw_core::{ClientId, Logon, Secret, UnixTime};
use irgw_oauth::customers::{SecondStep, Subject};
use irgw_oauth::grants::Grants;
use irgw_oauth::password::{self, PASSWORD_LIMIT_BYTES};
use irgw_oauth::vault::Vault;
use irgw_store::{NewCustomer, Store};
use serde_json::json;

use super::listing::{FormArgs, List, rfc3339};
use super::{CommandError, ListArgs, PlaceArgs};
use crate::bounded::{self, Readers};

/// Customers who log in: add, list, disable, passwords, one-time passwords, consents
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CustomerArgs {
    /// Which gateway's state.
    #[command(flatten)]
    pub place: PlaceArgs,
    #[command(subcommand)]
    command: CustomerCommand,
}

const EXAMPLES: &str = "\
Examples:
  The password comes from a file that nobody else may read, or from standard input; never from the command line:
    irgw customer add tui.baker --name 'Ana Tūī' --password-file password.txt --dir DIR
  Ask for a one-time password, too:
    irgw customer totp tui.baker --dir DIR
  What the customer allowed, and end one of it for the customer:
    irgw customer consents tui.baker --dir DIR
    irgw customer revoke tui.baker kowhai-web --dir DIR

A change is in force on running gateways within a second.";

#[derive(Debug, Clone, Subcommand)]
enum CustomerCommand {
    /// Add a customer; the password is read from standard input, one line
    Add {
        /// The myIR user id; case and the space around it do not count
        user_id: Logon,
        /// How pages address the customer; the user id when left out
        #[arg(long)]
        name: Option<String>,
        /// Read the password from this file instead
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// List customers, disabled ones too
    List {
        #[command(flatten)]
        list: ListArgs,
    },
    /// Disable a customer for ever, end the logins and revoke all tokens
    Disable {
        /// The myIR user id
        user_id: Logon,
    },
    /// Set a new password, read from standard input, one line, and end the logins; what applications hold stays
    Password {
        /// The myIR user id
        user_id: Logon,
        /// Read the password from this file instead
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Ask the customer for one-time passwords from now on, end the logins, and print their key (RFC 6238)
    Totp {
        /// The myIR user id
        user_id: Logon,
        /// Ask for none any more
        #[arg(long)]
        off: bool,
    },
    /// List the consents of a customer that stand
    Consents {
        /// The myIR user id
        user_id: Logon,
        #[command(flatten)]
        form: FormArgs,
    },
    /// Withdraw a customer's consent to a client, and revoke all tokens under it (OA-19)
    Revoke {
        /// The myIR user id
        user_id: Logon,
        /// The client
        client: ClientId,
    },
}

impl CustomerArgs {
    /// Refuses to read a password where it would be shown.
    ///
    /// # Errors
    /// When standard input is a terminal, and a password is read from it.
    pub(crate) fn expect_no_terminal(&self) -> Result<(), CommandError> {
        match self.command {
            CustomerCommand::Add { password_file: None, .. }
            | CustomerCommand::Password { password_file: None, .. }
                if io::stdin().is_terminal() =>
            {
                Err(CommandError::unusable(
                    "a terminal would show the password: pipe it in, or name a file with --password-file",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Does what the command says, wholly or not at all, and writes what the operator is to know. `input` is standard input;
/// `vault` is asked for where something is to be sealed.
///
/// # Errors
/// What the profile or the store refuses.
pub(crate) fn run(
    args: &CustomerArgs,
    store: &Store,
    vault: impl FnOnce() -> Result<Vault, CommandError>,
    input: &mut impl Read,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    match &args.command {
        CustomerCommand::Add { user_id, name, password_file } => {
            let new = NewCustomer {
                subject: Subject::from_random(random()?),
                user_id: user_id.clone(),
                name: name.clone().unwrap_or_else(|| user_id.to_string()),
                password: hashed(password_file.as_deref(), input)?,
            };
            store.add_customer(&new, now)?;
            writeln!(out, "customer {user_id} added; tokens say sub {}", new.subject)?;
        }
        CustomerCommand::List { list } => self::list(store, list, out)?,
        CustomerCommand::Disable { user_id } => {
            let since = store.disable_customer(&store.subject_of(user_id.as_str())?, now)?;
            writeln!(
                out,
                "customer {user_id} is disabled since {}, and all tokens are revoked",
                rfc3339(since)
            )?;
        }
        CustomerCommand::Password { user_id, password_file } => {
            let subject = store.subject_of(user_id.as_str())?;
            store.set_password(&subject, &hashed(password_file.as_deref(), input)?)?;
            writeln!(out, "customer {user_id} has a new password, and logs in anew")?;
        }
        CustomerCommand::Totp { user_id, off: true } => {
            store.clear_totp(&store.subject_of(user_id.as_str())?)?;
            writeln!(out, "customer {user_id} is asked for a password alone")?;
        }
        CustomerCommand::Totp { user_id, off: false } => {
            let subject = store.subject_of(user_id.as_str())?;
            let key = Secret::new(random::<KEY_BYTES>()?.to_vec());
            store.set_totp(&vault()?, &subject, &key)?;
            let key = Secret::new(base32(key.expose()));
            writeln!(out, "customer {user_id} is asked for 6 digits after the password")?;
            writeln!(out, "the key for the customer's app, which is not shown again:")?;
            writeln!(out, "{}", key.expose())?;
            let (user, key) = (percent_encoded(user_id.as_str()), key.expose());
            writeln!(out, "otpauth://totp/irgw:{user}?secret={key}&issuer=irgw")?;
        }
        CustomerCommand::Consents { user_id, form } => {
            let subject = store.subject_of(user_id.as_str())?;
            let consents = store.consents(&subject, now).map_err(CommandError::caused)?;
            let rows = consents.iter().map(|consent| {
                let (since, until) = (rfc3339(consent.since), rfc3339(consent.expires_at));
                vec![json!(consent.client), json!(since), json!(until)]
            });
            let columns = &["client", "since", "until"];
            form.write(&[List { name: "consents", columns, rows: rows.collect(), next: None }], out)?;
        }
        CustomerCommand::Revoke { user_id, client } => {
            let subject = store.subject_of(user_id.as_str())?;
            store.client(client)?;
            match store.withdraw(&subject, client, now).map_err(CommandError::caused)? {
                true => writeln!(out, "customer {user_id} no longer allows client {client} anything")?,
                false => writeln!(out, "customer {user_id} allowed client {client} nothing")?,
            }
        }
    }
    Ok(())
}

fn list(store: &Store, list: &ListArgs, out: &mut impl Write) -> Result<(), CommandError> {
    let listed = store.list_customers(&list.page()?)?;
    let rows = listed.items.iter().map(|customer| {
        vec![
            json!(customer.user_id),
            json!(customer.name),
            json!(customer.subject.as_str()),
            json!(match customer.second_step {
                SecondStep::None => None,
                SecondStep::Totp => Some("totp"),
            }),
            json!(rfc3339(customer.since)),
            json!(customer.disabled.map(rfc3339)),
        ]
    });
    let columns = &["user id", "name", "sub", "second step", "since", "disabled"];
    list.write(&[List { name: "customers", columns, rows: rows.collect(), next: listed.next }], out)
}

/// The hash of the password in a file or on standard input.
fn hashed(file: Option<&Path>, input: &mut impl Read) -> Result<String, CommandError> {
    let password = match file {
        Some(file) => password_in(file)?,
        None => password_from(input)?,
    };
    password::hash(&password).map_err(CommandError::caused)
}

/// The password in a file that nobody else may read (A20).
fn password_in(file: &Path) -> Result<Secret<String>, CommandError> {
    let bytes = bounded::read(file, 2 * PASSWORD_LIMIT_BYTES as u64, Readers::Nobody);
    let bytes = bytes.map_err(|error| CommandError::unusable(error).about(file))?;
    password(bytes).map_err(|error| error.about(file))
}

/// The password on standard input.
fn password_from(input: &mut impl Read) -> Result<Secret<String>, CommandError> {
    let mut bytes = Vec::new();
    let read = input.take(2 * PASSWORD_LIMIT_BYTES as u64).read_to_end(&mut bytes);
    read.map_err(|error| CommandError::unusable(format_args!("cannot read standard input: {error}")))?;
    password(bytes)
}

/// One line, without its end.
fn password(bytes: Vec<u8>) -> Result<Secret<String>, CommandError> {
    let text = Secret::new(
        String::from_utf8(bytes).map_err(|_| CommandError::unusable("the password is not UTF-8 text"))?,
    );
    let line = text.expose().strip_suffix('\n').unwrap_or(text.expose());
    let line = line.strip_suffix('\r').unwrap_or(line);
    let is_one_line = !line.contains(char::is_control);
    if !is_one_line || line.chars().count() < LEAST_CHARS || line.len() > PASSWORD_LIMIT_BYTES {
        return Err(CommandError::unusable(format_args!(
            "a password is one line of {LEAST_CHARS} or more characters and {PASSWORD_LIMIT_BYTES} bytes at most"
        )));
    }
    Ok(Secret::new(line.to_owned()))
}

fn random<const N: usize>() -> Result<[u8; N], CommandError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(CommandError::unusable)?;
    Ok(bytes)
}

/// RFC 4648 §6, of whole groups of 5 bytes.
fn base32(bytes: &[u8]) -> String {
    let digit = |bits: u64| {
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".get(bits as usize % 32).copied().unwrap_or(b'A'))
    };
    let group = |group: &[u8]| {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        (0..8).rev().map(move |at| digit(bits >> (5 * at))).collect::<String>()
    };
    bytes.chunks_exact(5).map(group).collect()
}

/// RFC 3986 §2.1: all but unreserved characters.
fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// The length of a key of one-time passwords: HMAC-SHA-1's (RFC 4226 §4, R6).
const KEY_BYTES: usize = 20;

/// The least that a password has (NIST SP 800-63B §5.1.1.2).
const LEAST_CHARS: usize = 8;

#[cfg(test)]
mod tests;
