//! `cargo xtask conformance`: the cases of `tests/` against any running gateway.

use std::path::PathBuf;
use std::process::ExitCode;

use irgw_tests::{Case, Requirements, Selection, Skips, Target, folder, run};

use crate::Error;

/// Tries the cases of tests/cases against a running gateway.
///
/// The gateway says who its demo parties are in a `dev.json`, as `irgw dev` writes it. A case that needs the clock set
/// or the gateway's files says "not runnable remotely"; it never counts as passed. The exit code is 0 when no case failed, 1
/// when one did, 2 when none could be tried.
///
/// A gateway to try it on: cargo run --release --bin irgw -- dev --dir irgw-dev
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask conformance --identity irgw-dev/dev.json
  cargo xtask conformance --identity dev.json --target https://gateway.example:4046 --only M2M-6
  cargo xtask conformance --identity dev.json --report report")]
pub(crate) struct Args {
    /// The target's `dev.json`
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
    /// Its cloud channel, where that is not what `dev.json` says
    #[arg(long, value_name = "URL")]
    target: Option<String>,
    /// Only the cases of this rule, or those whose name holds this
    #[arg(long, value_name = "RULE|NAME")]
    only: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Write conformance.json and conformance.md into this folder
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(&self) -> ExitCode {
        self.judge().unwrap_or_else(|error| {
            crate::explain(&error);
            ExitCode::from(2)
        })
    }

    fn judge(&self) -> Result<ExitCode, Error> {
        let step = Error::step::<irgw_tests::Error>;
        let target =
            Target::remote(&self.identity, self.target.as_deref()).map_err(step("use --identity"))?;
        // One line, rather than the same failure of every case.
        target.probe().map_err(step("try the cases"))?;
        let cases = Case::read_all(&folder().join("cases")).map_err(step("read the cases"))?;
        let skips = Skips::read(&folder().join("skips.toml")).map_err(step("read the skips"))?;
        let requirements =
            Requirements::read(&folder().join("requirements.toml")).map_err(step("read the requirements"))?;
        let report = run(&target, &cases, &skips, &Selection { only: self.only.clone() });
        if report.results.is_empty() {
            // A misspelt name must not look like a target without failures.
            let only = self.only.clone().unwrap_or_default();
            return Err(Error::NothingToTry { only });
        }
        match self.json {
            true => println!("{}", report.to_json()),
            false => print!("{}", report.to_text()),
        }
        if let Some(folder) = &self.report {
            report.write(folder, &requirements).map_err(step("write the report"))?;
        }
        Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(identity: PathBuf, target: Option<String>) -> String {
        let args = Args { identity, target, only: None, json: false, report: None };
        let error = args.judge().unwrap_err();
        assert_eq!(format!("{:?}", args.run()), format!("{:?}", ExitCode::from(2)));
        let source = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", source.unwrap_or_default())
    }

    /// A `dev.json` in a folder of its own, with a root that issued nothing.
    fn dev_json(port: u16) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let root = rcgen::CertificateParams::new(vec!["root".into()]).unwrap().self_signed(&key).unwrap();
        let ca_file = folder.path().join("root.crt");
        std::fs::write(&ca_file, root.pem()).unwrap();
        let audit_log = folder.path().join("audit.jsonl");
        std::fs::write(&audit_log, "").unwrap();
        let listener = format!(r#"{{"base_url":"https://localhost:{port}","ca_file":{ca_file:?}}}"#);
        let identity = folder.path().join("dev.json");
        let json = format!(
            r#"{{"environment":"test","audit_log":{audit_log:?},"providers":[],"client_ca":{{"certificate":"x","key":"x"}},
            "listeners":{{"cloud":{listener},"desktop":{listener}}}}}"#
        );
        std::fs::write(&identity, json).unwrap();
        (folder, identity)
    }

    #[test]
    fn what_cannot_be_tried_is_one_line_and_2() {
        assert!(judged("no/such/dev.json".into(), None).contains("cannot use no/such/dev.json"));
        // A port that was just let go.
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        drop(taken);
        let (_folder, identity) = dev_json(port);
        let said = judged(identity.clone(), None);
        assert!(said.contains(&format!("cannot reach localhost:{port}: ")), "{said}");
        let said = judged(identity, Some("http://localhost".into()));
        assert!(said.contains("is not https://HOST:PORT"), "{said}");
    }

    #[test]
    fn server_of_another_authority_is_one_line_and_2() {
        let key = rcgen::KeyPair::generate().unwrap();
        let other =
            rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![other.der().clone()], key)
                .unwrap();
        let config = std::sync::Arc::new(config);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // Ends with the test's process.
        std::thread::spawn(move || {
            for tcp in listener.incoming() {
                let mut connection = rustls::ServerConnection::new(config.clone()).unwrap();
                let _ = connection.complete_io(&mut tcp.unwrap());
            }
        });
        let (_folder, identity) = dev_json(port);
        let said = judged(identity, None);
        assert!(said.contains(&format!("cannot speak to localhost:{port}: ")), "{said}");
        assert!(said.contains("invalid peer certificate"), "{said}");
    }
}
