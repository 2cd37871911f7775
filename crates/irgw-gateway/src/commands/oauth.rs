//! `irgw oauth login|refresh|introspect|revoke`: the provider's side of OAuth 2.0 at the command line.

mod party;
mod words;

use std::io::{BufRead, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use irgw_client::{Connector, Https};
use irgw_core::{ClientKind, Clock, Rule, Secret, printable};
use irgw_oauth::client::{
    Client, FileFault, Introspection, Loopback, LoopbackFault, TokenFile, TokenKind, Tokens,
};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use self::party::PartyArgs;
use self::words::{callback, exchange, renewal, unusable};
use super::CommandError;
use super::listing::rfc3339;
use crate::SystemClock;

/// The arguments of `irgw oauth`.
#[derive(Debug, clap::Args)]
pub(crate) struct OauthArgs {
    #[command(subcommand)]
    command: OauthCommand,
    #[command(flatten)]
    party: PartyArgs,
}

#[derive(Debug, clap::Subcommand)]
enum OauthCommand {
    /// Log a customer in and keep the tokens in a file
    #[command(
        after_help = "It prints an address; open it in a browser. A native client then waits on the loopback interface
for the browser to come back. For a cloud client, paste the address that the browser was sent to
at the end: nothing need answer there, the address line has it.
Examples:
  irgw oauth login --dev irgw-dev
      the development gateway's first client
  irgw oauth login --server https://HOST/gateway3/oauth --client-id ID \\
      --redirect-uri http://127.0.0.1/callback --tokens tokens.json
      a native client: no secret, and the port is chosen now
  irgw oauth login --server https://HOST/gateway3/oauth --client-id ID --client-secret-file secret \\
      --redirect-uri https://app.example.nz/callback --tokens tokens.json
      a cloud client
Exit codes: 0 logged in, 1 refused and the rule is named, 2 wrong arguments or surroundings."
    )]
    Login {
        /// How long to wait for the browser
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        wait: u64,
        /// Print the tokens too
        #[arg(long)]
        show: bool,
    },
    /// Renew the tokens in the file, unless the access token is good for a while
    #[command(
        after_help = "A refresh token works once (OA-12). This is safe to run beside the application that uses the file,
and as often as you like: one refreshes, the others take its result. If a refresh was cut off
before its answer was seen, it says so and does not try again, since using the token a second time
would revoke every token of the login. Then log in again.
Example: irgw oauth refresh --dev irgw-dev --show --json | jq -r .access_token
Exit codes: 0 the access token is good, 1 log in again, 2 try later, or something else is wrong."
    )]
    Refresh {
        /// Renew when it is good for less than this
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        margin: u64,
        /// Renew in any case: the gateway refused the access token before its time
        #[arg(long)]
        force: bool,
        /// Print the tokens too
        #[arg(long)]
        show: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask the authorization server about a token
    #[command(after_help = "Without TOKEN it is one of the file's.
Exit codes: 0 it is active, 1 it is not (OA-14), 2 nobody can tell.")]
    Introspect {
        /// The token, or - for standard input, where other users of this machine do not see it
        token: Option<String>,
        /// access or refresh: which of the file's, and a hint to the server
        #[arg(long, value_name = "KIND", default_value = "access", value_parser = kind)]
        kind: TokenKind,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a token back; without TOKEN the file's login, which ends, and the file is removed
    #[command(
        after_help = "Revoking a refresh token ends its family, revoking an access token ends that token (OA-15)."
    )]
    Revoke {
        /// The token, or - for standard input, where other users of this machine do not see it
        token: Option<String>,
        /// access or refresh: a hint to the server about TOKEN
        #[arg(long, value_name = "KIND", default_value = "refresh", value_parser = kind)]
        kind: TokenKind,
    },
}

fn kind(text: &str) -> Result<TokenKind, String> {
    match text {
        "access" => Ok(TokenKind::Access),
        "refresh" => Ok(TokenKind::Refresh),
        _ => Err("access and refresh are allowed".to_owned()),
    }
}

/// Does what the command says. A pasted address and a token given as `-` come from `input`.
///
/// # Errors
/// What the authorization server refuses, and what cannot be used.
pub(crate) fn run(
    args: &OauthArgs,
    input: &mut impl BufRead,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let party = args.party.party()?;
    let client = Client::new(party.config, Https::new(Connector::new(party.roots)), Arc::new(SystemClock));
    let file = party.tokens.map(TokenFile::at);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::unusable(format_args!("cannot start: {error}")))?;
    runtime.block_on(async {
        match &args.command {
            OauthCommand::Login { wait, show } => {
                let wait = Duration::from_secs(*wait);
                login(&client, &named(file)?, wait, *show, input, out).await
            }
            OauthCommand::Refresh { margin, force, show, json } => {
                let file = named(file)?;
                let before = file.read(&client).map_err(|fault| unusable(&fault))?;
                let refresh = async {
                    match (&before, force) {
                        (Some(kept), true) => file.renew(&client, kept.tokens.access_token()).await,
                        _ => file.fresh(&client, Duration::from_secs(*margin)).await,
                    }
                };
                let tokens = patiently(refresh).await?.map_err(|error| renewal(&error))?;
                let is_new = before
                    .is_none_or(|kept| kept.tokens.access_token().expose() != tokens.access_token().expose());
                match json {
                    true => write_json(&tokens, is_new, *show, out),
                    false => {
                        writeln!(out, "{}", if is_new { "renewed" } else { "still good" })?;
                        write(&client, &tokens, *show, out)
                    }
                }
            }
            OauthCommand::Introspect { token, kind, json } => {
                let token = match token {
                    Some(token) => given(token, input)?,
                    None => {
                        let kept = named(file)?.read(&client).map_err(|fault| unusable(&fault))?;
                        let none =
                            || CommandError::unusable("the file has no such token; log in, or give TOKEN");
                        let tokens = kept.ok_or_else(none)?.tokens;
                        let chosen = match kind {
                            TokenKind::Access => Some(tokens.access_token()),
                            TokenKind::Refresh => tokens.refresh_token(),
                        };
                        Secret::new(chosen.ok_or_else(none)?.expose().clone())
                    }
                };
                let said = client.introspect(&token, *kind).await.map_err(|error| exchange(&error))?;
                introspected(&said, *json, out)
            }
            OauthCommand::Revoke { token: Some(token), kind } => {
                let token = given(token, input)?;
                client.revoke(&token, *kind).await.map_err(|error| exchange(&error))?;
                Ok(writeln!(out, "revoked, if it was this client's")?)
            }
            OauthCommand::Revoke { token: None, .. } => {
                let file = named(file)?;
                file.revoke(&client).await.map_err(|error| renewal(&error))?;
                Ok(writeln!(out, "revoked; {} is removed", file.path().display())?)
            }
        }
    })
}

/// Lets a refresh come to its end when the terminal or a supervisor asks to stop: cut off, it loses the login (C11). Asked
/// twice, it stops.
async fn patiently<T>(refresh: impl Future<Output = T>) -> Result<T, CommandError> {
    let listen =
        |kind| signal(kind).map_err(|error| CommandError::unusable(format_args!("no signals: {error}")));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut refresh = std::pin::pin!(refresh);
    for _ in 0..2 {
        tokio::select! {
            done = &mut refresh => return Ok(done),
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::warn!(
            "waiting for the refresh to end, since cutting it off would lose the login; again to stop"
        );
    }
    Err(CommandError::unusable("stopped in the middle of a refresh"))
}

async fn login(
    client: &Client<Https>,
    file: &TokenFile,
    wait: Duration,
    show: bool,
    input: &mut impl BufRead,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    // Before the customer takes the trouble: another client's tokens are not written over.
    match file.read(client) {
        Ok(_) | Err(FileFault::Exposed { .. }) => {}
        Err(fault) => return Err(unusable(&fault)),
    }
    let loopback = match Loopback::bind(client.config()).await {
        Ok(loopback) => Some(loopback),
        Err(LoopbackFault::NoLoopbackUri) => None,
        Err(fault) => return Err(unusable(&fault)),
    };
    let begun = match &loopback {
        Some(loopback) => client.begin_at(loopback.redirect_uri()),
        None => client.begin(),
    };
    let (url, pending) = begun.map_err(|error| exchange(&error))?;
    writeln!(out, "open this address in a browser:\n\n  {url}\n")?;
    let answer = match loopback {
        Some(loopback) => {
            writeln!(out, "waiting at {} for {} s", loopback.redirect_uri(), wait.as_secs())?;
            out.flush()?;
            loopback.receive(&pending, wait).await.map_err(|fault| unusable(&fault))?
        }
        None => {
            write!(out, "then paste the address that it was sent to ({}?code=…): ", pending.redirect_uri())?;
            out.flush()?;
            line(input)?
        }
    };
    let code = pending.finish(&answer, client.now()).map_err(|fault| callback(&fault))?;
    let tokens = client.redeem(&code).await.map_err(|error| exchange(&error))?;
    file.store(client, &tokens).await.map_err(|fault| unusable(&fault))?;
    writeln!(out, "logged in; the tokens are in {}", file.path().display())?;
    write(client, &tokens, show, out)
}

/// What was got, without the tokens themselves unless they are asked for.
fn write(
    client: &Client<Https>,
    tokens: &Tokens,
    show: bool,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let theirs = tokens.skew().server_time(SystemClock.since_epoch());
    let seconds = tokens.expires_at().as_secs().saturating_sub(theirs.as_secs());
    let until = rfc3339(tokens.expires_at());
    writeln!(out, "access token   until {until} by the server's clock, {} min", seconds / 60)?;
    let refresh = match (tokens.refresh_token(), client.config().kind()) {
        (Some(_), _) => "yes; it works once (irgw oauth refresh)",
        (None, ClientKind::Native) => "none: a native client logs in again (OA-12)",
        (None, ClientKind::Cloud) => "none: log in again",
    };
    writeln!(out, "refresh token  {refresh}")?;
    if let Some(scope) = tokens.scope() {
        writeln!(out, "scope          {}", printable(scope))?;
    }
    match tokens.skew().as_millis() / 1000 {
        0 => {}
        ahead @ 1.. => writeln!(out, "clock          this machine's is {ahead} s slow; set it")?,
        behind => writeln!(out, "clock          this machine's is {} s fast; set it", behind.unsigned_abs())?,
    }
    if show {
        writeln!(out, "access_token   {}", printable(tokens.access_token().expose()))?;
        if let Some(token) = tokens.refresh_token() {
            writeln!(out, "refresh_token  {}", printable(token.expose()))?;
        }
    }
    Ok(())
}

fn write_json(tokens: &Tokens, is_new: bool, show: bool, out: &mut impl Write) -> Result<(), CommandError> {
    let mut told = json!({
        "renewed": is_new,
        "expires_at": tokens.expires_at().as_secs(),
        "scope": tokens.scope(),
        "has_refresh_token": tokens.refresh_token().is_some(),
    });
    if let (true, Some(members)) = (show, told.as_object_mut()) {
        members.insert("access_token".to_owned(), json!(tokens.access_token().expose()));
        members.insert("refresh_token".to_owned(), json!(tokens.refresh_token().map(Secret::expose)));
    }
    Ok(writeln!(out, "{told}")?)
}

fn introspected(said: &Introspection, json: bool, out: &mut impl Write) -> Result<(), CommandError> {
    let Introspection::Active { client_id, username, subject, scope, expires_at, issued_at } = said else {
        if json {
            writeln!(out, "{}", json!({ "active": false }))?;
        }
        return Err(CommandError::refused(
            Rule::Oa14,
            "the token is not active: it is over, revoked, unknown, or another client's",
        ));
    };
    if json {
        let told = json!({
            "active": true, "client_id": client_id, "username": username, "sub": subject, "scope": scope,
            "exp": expires_at.map(|at| at.as_secs()), "iat": issued_at.map(|at| at.as_secs()),
        });
        return Ok(writeln!(out, "{told}")?);
    }
    writeln!(out, "active")?;
    for (name, value) in
        [("client_id", client_id), ("username", username), ("sub", subject), ("scope", scope)]
    {
        writeln!(out, "  {name:<10} {}", value.as_deref().map_or("-".to_owned(), printable))?;
    }
    for (name, time) in [("iat", issued_at), ("exp", expires_at)] {
        writeln!(out, "  {name:<10} {}", time.map_or("-".to_owned(), rfc3339))?;
    }
    Ok(())
}

fn named(file: Option<TokenFile>) -> Result<TokenFile, CommandError> {
    file.ok_or_else(|| CommandError::unusable("say which file holds the tokens: --tokens FILE"))
}

/// A token as an argument, or from standard input.
fn given(token: &str, input: &mut impl BufRead) -> Result<Secret<String>, CommandError> {
    let text = if token == "-" { line(input)? } else { token.to_owned() };
    Ok(Secret::new(text.trim().to_owned()))
}

/// One line, bounded.
fn line(input: &mut impl BufRead) -> Result<String, CommandError> {
    const LIMIT_BYTES: u64 = 16 * 1024;
    let mut text = String::new();
    let read = input.take(LIMIT_BYTES).read_line(&mut text);
    match read.map_err(|error| CommandError::unusable(format_args!("cannot read standard input: {error}")))? {
        0 => Err(CommandError::unusable("standard input ended before there was a line")),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
