//! What `conformance` and `attack` are told alike: whom to judge, as whom, and where the reports go.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use irgw_tests::Target;

use crate::Error;

/// Whom to judge, and where the reports go.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Judged {
    /// The target's `dev.json`
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: PathBuf,
    /// Its cloud channel, where that is not what `dev.json` says
    #[arg(long, value_name = "URL")]
    pub(crate) target: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a page for people: no scripts, nothing from elsewhere
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write JUnit XML for CI
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

impl Judged {
    /// The target, which answers.
    pub(crate) fn target(&self) -> Result<Target, Error> {
        let step = Error::step::<irgw_tests::Error>;
        let target =
            Target::remote(&self.identity, self.target.as_deref()).map_err(step("use --identity"))?;
        // One line, rather than the same failure of every case.
        target.probe().map_err(step("try anything"))?;
        for path in [&self.html, &self.junit].into_iter().flatten() {
            // Before minutes of work, rather than after.
            std::fs::File::create(path).map_err(Error::at("write", path))?;
        }
        Ok(target)
    }

    /// Writes the files that were asked for.
    pub(crate) fn write(
        &self,
        html: impl FnOnce() -> String,
        junit: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        let write = |path: &Path, text: String| std::fs::write(path, text).map_err(Error::at("write", path));
        self.html.as_ref().map_or(Ok(()), |path| write(path, html()))?;
        self.junit.as_ref().map_or(Ok(()), |path| write(path, junit()))
    }
}

/// The exit code: 0 when nothing failed, 1 when something did, 2 and one line when nothing could be tried.
pub(crate) fn code(judged: Result<bool, Error>) -> ExitCode {
    match judged {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            crate::explain(&error);
            ExitCode::from(2)
        }
    }
}

/// Says how far it is, where somebody looks: over the same line again and again.
pub(crate) fn progress(what: &str) {
    let mut terminal = std::io::stderr();
    if terminal.is_terminal() {
        // The terminal may be gone; the work goes on.
        let _ = write!(terminal, "\r\u{1b}[K{what}").and_then(|()| terminal.flush());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;

    /// What the command says of a target that cannot be tried; its exit code is 2.
    fn said(identity: &Path, target: Option<&str>) -> String {
        let judged =
            Judged { identity: identity.into(), target: target.map(str::to_owned), ..Judged::default() };
        let error = judged.target().unwrap_err();
        let source = std::error::Error::source(&error).map(|source| {
            let cause = source.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{source}{cause}")
        });
        let said = format!("{error}: {}", source.unwrap_or_default());
        assert!(!said.contains('\n'), "{said}");
        assert_eq!(format!("{:?}", code(Err(error))), format!("{:?}", ExitCode::from(2)));
        said
    }

    /// A `dev.json` in a folder of its own, whose authority is in date until so many seconds from now.
    fn dev_json(port: u16, lasts: i64) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut root = rcgen::CertificateParams::new(vec!["root".into()]).unwrap();
        let now = time::OffsetDateTime::now_utc();
        (root.not_before, root.not_after) =
            (now - Duration::from_secs(1000), now + time::Duration::seconds(lasts));
        let ca_file = folder.path().join("root.crt");
        std::fs::write(&ca_file, root.self_signed(&key).unwrap().pem()).unwrap();
        let audit_log = folder.path().join("audit.jsonl");
        std::fs::write(&audit_log, "").unwrap();
        let listener = format!(r#"{{"base_url":"https://localhost:{port}","ca_file":{ca_file:?}}}"#);
        let identity = folder.path().join("dev.json");
        let json = format!(
            r#"{{"environment":"test","audit_log":{audit_log:?},"providers":[],
            "client_ca":{{"certificate":{ca_file:?},"key":"x"}},"listeners":{{"cloud":{listener},"desktop":{listener}}}}}"#
        );
        std::fs::write(&identity, json).unwrap();
        (folder, identity)
    }

    /// A port that was just let go.
    fn free_port() -> u16 {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn identity_that_is_none_is_one_line_and_2() {
        assert!(
            said("no/such/dev.json".as_ref(), None).contains("cannot use no/such/dev.json: No such file")
        );
        let folder = tempfile::tempdir().unwrap();
        assert!(said(folder.path(), None).contains("Is a directory"));
        let path = folder.path().join("dev.json");
        for (text, problem) in [("", "EOF"), ("listen = 1", "expected"), ("{\"version\":1}", "missing field")]
        {
            std::fs::write(&path, text).unwrap();
            let said = said(&path, None);
            assert!(said.contains("dev.json: ") && said.contains(problem), "{said}");
        }
    }

    #[test]
    fn target_that_is_not_there_is_one_line_and_2() {
        let port = free_port();
        let (_folder, identity) = dev_json(port, 1000);
        assert!(said(&identity, None).contains(&format!("cannot reach localhost:{port}: ")));
        assert!(said(&identity, Some("http://localhost")).contains("is not https://HOST:PORT"));
        assert!(said(&identity, Some("https://localhost:port")).contains("is not https://HOST:PORT"));
        // A name that nobody can have (RFC 6761 §6.4).
        assert!(said(&identity, Some("https://gateway.invalid:4046")).contains("gateway.invalid: "));
    }

    #[test]
    fn expired_identity_is_one_line_and_2() {
        let (_folder, identity) = dev_json(free_port(), -1);
        let said = said(&identity, None);
        assert!(said.contains("root.crt: expired on ") && said.contains("irgw dev"), "{said}");
    }

    #[test]
    fn target_that_hangs_up_is_one_line_and_2() {
        let port = free_port();
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        let (folder, identity) = dev_json(port, 1000);
        std::thread::spawn(move || drop(listener.accept()));
        let said = said(&identity, None);
        assert!(said.contains(&format!("cannot speak to localhost:{port}: ")), "{said}");
        drop(folder);
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
        let (_folder, identity) = dev_json(port, 1000);
        let said = said(&identity, None);
        assert!(said.contains(&format!("cannot speak to localhost:{port}: ")), "{said}");
        assert!(said.contains("invalid peer certificate"), "{said}");
    }
}
