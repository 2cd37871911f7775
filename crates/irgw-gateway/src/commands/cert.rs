//! `irgw cert check`: what the gateway would make of a client certificate.

use std::io::Write;
use std::path::PathBuf;

use irgw_core::{Rule, UnixTime};
use irgw_tls::{Outcome, assess};

use super::certificate_file::read_chain;
use super::{CommandError, PlaceArgs};
use crate::trust_files::TrustFiles;

/// The arguments of `irgw cert`.
#[derive(Debug, clap::Args)]
pub(crate) struct CertArgs {
    #[command(subcommand)]
    command: CertCommand,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, clap::Subcommand)]
enum CertCommand {
    /// Say for each rule whether a client certificate meets it
    #[command(after_help = "Example: irgw cert check provider.crt --dir irgw-dev
The roots and revocation lists are the named gateway's. Whether the Common Name is enrolled is another
question: irgw credential list.
Exit codes: 0 a handshake would accept it, 1 it would not and the rule is named, 2 a file cannot be read.")]
    Check {
        /// The end-entity certificate, then the intermediates, PEM; or the former alone, DER
        certificate: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Does what the command says.
///
/// # Errors
/// When the certificate would be refused, or a file cannot be used.
pub(crate) fn run(args: &CertArgs, now: UnixTime, out: &mut impl Write) -> Result<(), CommandError> {
    let CertCommand::Check { certificate, json } = &args.command;
    let config = args.place.config()?;
    let files = TrustFiles::read(&config.roots, now).map_err(CommandError::unusable)?;
    let chain = read_chain(certificate)?;
    let assessment = assess(&chain, files.trust(), now)?;
    if *json {
        writeln!(out, "{}", serde_json::to_string_pretty(&assessment).map_err(CommandError::unusable)?)?;
    } else {
        writeln!(out, "subject     {}\nissuer      {}", assessment.subject, assessment.issuer)?;
        writeln!(out, "valid       {} to {}", assessment.not_before, assessment.not_after)?;
        writeln!(out, "thumbprint  {}", assessment.thumbprint)?;
        for finding in &assessment.findings {
            let outcome = match finding.outcome {
                Outcome::Met => "met",
                Outcome::NotMet => "NOT MET",
                Outcome::NotJudged => "not judged",
            };
            writeln!(out, "{:<7} {outcome:<12} {}", finding.rule, finding.detail)?;
        }
    }
    if assessment.accepted {
        return Ok(());
    }
    let broken = assessment.findings.iter().find(|finding| finding.outcome == Outcome::NotMet);
    let rule = broken.map_or(Rule::Tls4, |finding| finding.rule);
    Err(CommandError::refused(rule, "a handshake would refuse this certificate"))
}
