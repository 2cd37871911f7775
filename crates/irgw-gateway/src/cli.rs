//! The `irgw` command line: its arguments, its output, its exit codes.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use irgw_core::Clock;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::UtcTime;

use crate::SystemClock;
use crate::commands::audit::AuditArgs;
use crate::commands::cert::CertArgs;
use crate::commands::client::ClientArgs;
use crate::commands::credential::CredentialArgs;
use crate::commands::customer::CustomerArgs;
use crate::commands::delivery::DeliveryArgs;
use crate::commands::doctor::DoctorArgs;
use crate::commands::key::KeyArgs;
use crate::commands::m2m::M2mArgs;
use crate::commands::oauth::OauthArgs;
use crate::commands::provider::ProviderArgs;
use crate::commands::receive::ReceiveArgs;
use crate::commands::run::{DevArgs, ServeArgs};
use crate::commands::{self, CommandError};

/// The gateway's identity and access layer, and the tools around it
#[derive(Debug, Parser)]
#[command(
    name = "irgw",
    version,
    propagate_version = true,
    after_help = "First steps: irgw dev
Exit codes: 0 done, 1 refused (a rule is named), 2 wrong arguments, files or surroundings.
RUST_LOG sets what is logged to standard error, e.g. RUST_LOG=irgw_gateway=debug."
)]
pub struct Cli {
    /// How to log: text, json; text on a terminal is coloured
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole gateway on this machine, with a throw-away PKI and enrolled demo parties
    Dev(DevArgs),
    /// Run the server
    Serve(ServeArgs),
    /// Check a configuration and every file that it names
    Check(ServeArgs),
    /// Enrol providers and resource owners, and link them
    Provider(ProviderArgs),
    /// Enrol, list, revoke and renew client-certificate names and signing certificates
    Credential(CredentialArgs),
    /// Register OAuth clients, change their secrets, disable them
    Client(ClientArgs),
    /// Add and disable customers, see and end what they allowed
    Customer(CustomerArgs),
    /// Make, announce and rotate keys: for access tokens, SSH and OpenPGP
    Key(KeyArgs),
    /// Have file sets delivered to providers, see how far they are
    Delivery(DeliveryArgs),
    /// Sign, verify and explain client-signed JWTs
    M2m(M2mArgs),
    /// Log a customer in, and renew, ask about and give back the tokens (OAuth 2.0)
    Oauth(OauthArgs),
    /// Receive what the gateway delivers, at the provider's end: file server, whole sets, status
    Receive(ReceiveArgs),
    /// Say what the gateway would make of a client certificate
    Cert(CertArgs),
    /// Look at everything that a provider has, before the first call, and say what to do
    Doctor(DoctorArgs),
    /// Verify the audit log
    Audit(AuditArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example: irgw completions bash > /etc/bash_completion.d/irgw")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(&cli);
    let mut out = io::stdout().lock();
    let outcome = run(&cli.command, &mut out).and_then(|()| Ok(out.flush()?));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads through `head` has seen enough.
        Err(CommandError::Output(io::ErrorKind::BrokenPipe)) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when standard error is closed too.
            let _ = writeln!(io::stderr(), "irgw: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(command: &Command, out: &mut impl Write) -> Result<(), CommandError> {
    let now = SystemClock.now();
    match command {
        Command::Dev(args) => commands::run::dev(args, out),
        Command::Serve(args) => commands::run::serve(args, out),
        Command::Check(args) => commands::run::check(args, out),
        Command::Provider(args) => {
            let store = args.store()?;
            commands::provider::run(args, &store, now, out)
        }
        Command::Credential(args) => {
            let services = args.place.config()?.services;
            let (store, environment) = args.place.store()?;
            commands::credential::run(args, &store, environment, &services, now, out)
        }
        Command::Client(args) => {
            let (store, environment) = args.place.store()?;
            commands::client::run(args, &store, environment, now, out)
        }
        Command::Customer(args) => {
            args.expect_no_terminal()?;
            let store = args.place.store()?.0;
            let vault = || args.place.vault(&store);
            commands::customer::run(args, &store, vault, &mut io::stdin().lock(), now, out)
        }
        Command::Key(args) => commands::key::run(args, now, out),
        Command::Delivery(args) => {
            let (store, _) = args.place.store()?;
            let spool = || args.place.files().map(|files| files.spool.value);
            commands::delivery::run(args, &store, spool, now, out)
        }
        Command::M2m(args) => commands::m2m::run(args, now, out),
        Command::Oauth(args) => commands::oauth::run(args, &mut io::stdin().lock(), out),
        Command::Receive(args) => commands::receive::run(args, &SystemClock, out),
        Command::Cert(args) => commands::cert::run(args, now, out),
        Command::Doctor(args) => commands::doctor::run(args, now, out),
        Command::Audit(args) => commands::audit::run(args, out),
        Command::Completions { shell } => {
            // clap_complete panics where it cannot write; a vector takes everything.
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "irgw", &mut script);
            Ok(out.write_all(&script)?)
        }
    }
}

fn log_to_stderr(cli: &Cli) {
    let serves = match &cli.command {
        Command::Dev(_) | Command::Serve(_) => true,
        Command::Receive(args) => args.goes_on(),
        _ => false,
    };
    let usual = if serves { "info" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(UtcTime::rfc_3339())
        .with_target(false)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let installed = match cli.log.as_str() {
        "json" => builder.json().try_init(),
        _ => builder.try_init(),
    };
    installed.expect("this process installs its log once");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a pipe is when its reader, such as `head`, has ended.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn completions_into_a_closed_pipe_are_an_error() {
        let cli = Cli::parse_from(["irgw", "completions", "bash"]);
        assert_eq!(run(&cli.command, &mut Closed), Err(CommandError::Output(io::ErrorKind::BrokenPipe)));
    }
}
