//! `irgw dev`, `irgw serve`, `irgw check`: the server in its three ways.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use irgw_core::{Clock, Environment};

use super::CommandError;
use super::signals::Signals;
use crate::dev::{Dev, Options, Ports};
use crate::{Config, Drained, Gateway, SystemClock, material};

/// The arguments of `irgw dev`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  irgw dev                                 in ./irgw-dev, on the usual ports
  irgw dev --dir /tmp/one --ports auto     as many as you like at once
  irgw dev --env mock                      no client certificates, fewer checks
Scripts read DIR/dev.json; it is written when everything answers.")]
pub(crate) struct DevArgs {
    /// The directory for keys, certificates, the store and the audit log
    #[arg(long, value_name = "DIR", default_value = "irgw-dev")]
    dir: PathBuf,
    /// Whose rules hold
    #[arg(long, value_name = "ENV", default_value = "test", value_parser = environment)]
    env: Environment,
    /// usual: 4046, 4443 and 4090; auto: free ones
    #[arg(long, value_name = "PORTS", default_value = "usual", value_parser = ["usual", "auto"])]
    ports: String,
    /// Show nothing but warnings
    #[arg(long, short)]
    quiet: bool,
}

/// The arguments of `irgw serve` and `irgw check`.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// The configuration file; docs/configuration.md explains every setting
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

fn environment(text: &str) -> Result<Environment, String> {
    text.parse().map_err(|_| "mock, test and prod are allowed".to_owned())
}

/// Runs the development gateway until it is told to stop.
///
/// # Errors
/// When it does not start.
pub(crate) fn dev(args: &DevArgs, out: &mut impl Write) -> Result<(), CommandError> {
    let ports = if args.ports == "auto" { Ports::Auto } else { Ports::Usual };
    // As far as it goes: on a laptop nobody needs sixteen thousand connections.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let options = Options { dir: args.dir.clone(), environment: args.env, ports };
    if !args.dir.join("parties.json").exists() && !args.quiet && std::io::stderr().is_terminal() {
        tracing::info!("making keys and certificates; this takes a few seconds once");
    }
    runtime()?.block_on(async {
        let mut signals = Signals::listen()?;
        let dev = Dev::start(&options, Arc::new(SystemClock)).await.map_err(CommandError::unusable)?;
        if !args.quiet {
            write!(out, "{}", dev.screen())?;
            out.flush()?;
        }
        signals.stop(HANGUP).await;
        tracing::info!("draining");
        report(dev.drain().await);
        Ok(())
    })
}

/// Runs a configured server until it is told to stop.
///
/// # Errors
/// When it does not start.
pub(crate) fn serve(args: &ServeArgs, out: &mut impl Write) -> Result<(), CommandError> {
    if std::env::var_os("SSLKEYLOGFILE").is_some() {
        return Err(CommandError::unusable(
            "SSLKEYLOGFILE is set; unset it: a server writes no session keys",
        ));
    }
    let config = Config::load(&args.config).map_err(CommandError::unusable)?;
    runtime()?.block_on(async {
        let mut signals = Signals::listen()?;
        let descriptors = descriptors(&config);
        let gateway = Gateway::start(config, Arc::new(SystemClock)).await.map_err(CommandError::unusable)?;
        raise_file_limit(descriptors);
        for (channel, address) in gateway.addresses() {
            writeln!(out, "{channel} https://{address}")?;
        }
        if let Some(address) = gateway.operator_address() {
            writeln!(out, "operator http://{address}")?;
        }
        out.flush()?;
        signals.stop(HANGUP).await;
        tracing::info!("draining");
        report(gateway.drain().await);
        Ok(())
    })
}

/// Checks a configuration and every file that it names, and starts nothing.
///
/// # Errors
/// The first thing that is wrong.
pub(crate) fn check(args: &ServeArgs, out: &mut impl Write) -> Result<(), CommandError> {
    let config = Config::load(&args.config).map_err(CommandError::unusable)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    material::check(&config, &clock).map_err(CommandError::unusable)?;
    writeln!(
        out,
        "{} is good: store {}, {}, {}, {}",
        args.config.display(),
        config.store.value,
        config.environment,
        counted(config.listeners.len(), "listener"),
        counted(config.services.services().len(), "service")
    )?;
    Ok(())
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| CommandError::unusable(format_args!("cannot start: {error}")))
}

const HANGUP: &str = "changed files are re-read, and a moved audit log is begun anew, without it";

fn report(drained: Drained) {
    match drained {
        Drained::Whole => tracing::info!("every request was answered"),
        Drained::Cut(connections) => {
            tracing::warn!(connections, "the drain time ran out; connections were cut")
        }
    }
}

/// Files that may be open at once: the connections to every listener and to every backing service, and some of our own.
fn descriptors(config: &Config) -> u64 {
    let inwards = config.limits.connections.saturating_mul(config.listeners.len());
    let outwards = config.limits.upstream_connections.saturating_mul(config.upstreams.len());
    u64::try_from(inwards.saturating_add(outwards).saturating_add(256)).unwrap_or(u64::MAX)
}

/// The usual soft limit of 1,024 is for interactive programs.
fn raise_file_limit(wanted: u64) {
    match rlimit::increase_nofile_limit(wanted) {
        Ok(limit) if limit < wanted => {
            tracing::warn!(
                limit,
                wanted,
                "the limit of open files is below what limits.connections and limits.upstream_connections may need"
            );
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
    }
}
