//! `cargo xtask bench`: the gateway beside HAProxy; the authorization server beside oidc-provider; file transfer beside GnuPG and
//! OpenSSH; verification of tokens; look-ups.

mod client;
mod clock;
mod gateway;
mod haproxy;
mod irgw;
mod load;
mod nginx;
mod oauth;
mod pki;
mod process;
mod report;
mod setting;
mod sftp;
mod statistics;

use std::env;
use std::process::Command;

use clap::{Parser, Subcommand};

use crate::{Error, run};

/// Measures speed and memory. Nothing here passes or fails: figures are read by people, docs/benchmarks.md holds them.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The gateway beside HAProxy: requests, handshakes, latency, memory, start
    Gateway(gateway::Args),
    /// The authorization server beside oidc-provider; access tokens beside client-signed JWTs; many families
    Oauth(oauth::Args),
    /// File transfer beside gpg and sftp: upload, download, sets, memory, many providers
    Sftp(sftp::Args),
    /// One transfer or some deliveries, in a process of their own: what `sftp` starts
    #[command(hide = true)]
    SftpJob(sftp::JobArgs),
    /// irgw_m2m::verify, cold and warm, beside the bare signature check
    M2m,
    /// A look-up among 1,000, 100,000 and 1,000,000 credentials
    Lookup,
}

impl Args {
    pub(crate) fn run(&self) -> Result<(), Error> {
        match &self.what {
            What::Gateway(_) | What::Oauth(_) | What::Sftp(_) if cfg!(debug_assertions) => optimised(),
            What::Gateway(args) => args.run(),
            What::Oauth(args) => args.run(),
            What::Sftp(args) => args.run(),
            What::SftpJob(args) => args.run(),
            What::M2m => {
                run::check(run::cargo().args(["bench", "--package", "irgw-m2m", "--bench", "verify"]))
            }
            What::Lookup => {
                run::check(run::cargo().args(["bench", "--package", "irgw-store", "--bench", "lookup"]))
            }
        }
    }
}

/// Builds the gateway and this program optimised, and runs this command again in the optimised one, with as many open
/// files as the machine allows: thousands of connections are opened from here.
fn optimised() -> Result<(), Error> {
    let build = ["build", "--release", "--package", "irgw-gateway", "--package", "xtask", "--bins"];
    run::check(run::cargo().args(build))?;
    let own = env::current_exe().map_err(Error::step("find this program"))?;
    let folder = own.parent().and_then(std::path::Path::parent).map(|target| target.join("release"));
    let program = folder.unwrap_or_default().join("xtask");
    let mut again = Command::new("sh");
    again
        .args(["-c", r#"ulimit -n "$(ulimit -Hn)"; exec "$0" "$@""#])
        .arg(program)
        .args(env::args_os().skip(1));
    run::check(&mut again)
}

/// The form that a report is printed in; a table for a terminal unless another one is asked for.
#[derive(Debug, clap::Args)]
struct Form {
    /// Print JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print Markdown, for docs/benchmarks.md
    #[arg(long)]
    markdown: bool,
}

impl Form {
    fn print(&self, report: &report::Report) {
        match (self.json, self.markdown) {
            (true, _) => println!("{:#}", report.json()),
            (_, true) => print!("{}", report.markdown()),
            _ => print!("{}", report.table()),
        }
    }
}

/// Progress, which is not part of the report.
fn say(what: &str) {
    eprintln!("bench: {what}");
}
