//! HAProxy as the yardstick: mutual TLS alone, and mutual TLS with `jwt_verify`.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::pki::Pki;
use super::process::{Process, free_address};
use crate::Error;

/// A running HAProxy with two frontends.
pub(super) struct Haproxy {
    pub(super) process: Process,
    /// Mutual TLS and no more.
    pub(super) mutual: SocketAddr,
    /// Mutual TLS, and an ES256 JWT in `Authorization`.
    pub(super) jwt: SocketAddr,
}

impl Haproxy {
    /// Starts one with its files in `folder`, which holds the certificates of [`write_certificates`].
    pub(super) fn start(program: &Path, folder: &Path, upstream: SocketAddr) -> Result<Haproxy, Error> {
        let (mutual, jwt) = (free_address()?, free_address()?);
        let config = folder.join("haproxy.cfg");
        let text = configuration(folder, mutual, jwt, upstream);
        fs::write(&config, text).map_err(Error::at("write", &config))?;
        let log = folder.join("haproxy.log");
        let mut process =
            Process::start("HAProxy", Command::new(program).arg("-db").arg("-f").arg(&config), &log)?;
        process.wait_for(mutual, &log)?;
        process.wait_for(jwt, &log)?;
        Ok(Haproxy { process, mutual, jwt })
    }
}

/// Writes the certificates and keys that both servers read.
pub(super) fn write_certificates(pki: &Pki, folder: &Path) -> Result<(), Error> {
    let files = [
        ("server.pem", format!("{}{}", pki.server_chain, pki.server_key)),
        ("server-chain.pem", pki.server_chain.clone()),
        ("server-key.pem", pki.server_key.clone()),
        ("roots.pem", pki.roots.concat()),
        ("signing-public.pem", pki.signing.public_key.clone()),
    ];
    let roots = pki.roots.iter().enumerate().map(|(index, root)| (format!("root-{index}.pem"), root.clone()));
    for (name, text) in files.map(|(name, text)| (name.to_owned(), text)).into_iter().chain(roots) {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Error::at("write", &path))?;
    }
    Ok(())
}

/// As little work as the job allows: no log, no look-up of the common name, one signing key for all tokens, nothing of
/// a token checked but its algorithm and signature. Two threads, as the gateway has.
fn configuration(folder: &Path, mutual: SocketAddr, jwt: SocketAddr, upstream: SocketAddr) -> String {
    let folder = folder.display();
    let tls = format!(
        "ssl crt {folder}/server.pem ca-file {folder}/roots.pem verify required force-tlsv12 no-tls-tickets \
         ciphers ECDHE-ECDSA-AES128-GCM-SHA256 alpn http/1.1 backlog 4096"
    );
    format!(
        "global
    nbthread 2
    maxconn 8000
    tune.ssl.cachesize 0
    tune.ssl.ssl-ctx-cache-size 0

defaults
    mode http
    option http-keep-alive
    option dontlog-normal
    http-reuse always
    maxconn 8000
    timeout connect 5s
    timeout client 600s
    timeout server 60s
    timeout http-request 10s
    timeout http-keep-alive 600s

frontend mutual
    bind {mutual} {tls}
    default_backend upstream

frontend jwt
    bind {jwt} {tls}
    http-request set-var(txn.token) req.hdr(authorization)
    http-request set-var(txn.alg) var(txn.token),jwt_header_query('$.alg')
    http-request deny deny_status 401 unless {{ var(txn.alg) -m str ES256 }}
    http-request deny deny_status 401 unless {{ var(txn.token),jwt_verify(txn.alg,\"{folder}/signing-public.pem\") -m int 1 }}
    default_backend upstream

backend upstream
    server nginx {upstream} pool-max-conn -1 pool-purge-delay 600s
"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::client::{Offer, Target, identities, request};
    use super::super::load;
    use super::super::nginx::Nginx;
    use super::super::pki::Pki;
    use super::*;
    use crate::run;

    /// The load generator against software that is not ours: what it counts is what was asked for.
    #[test]
    fn the_load_is_answered_and_measured() {
        let (Some(haproxy), Some(nginx)) = (run::find("haproxy"), run::find("nginx")) else {
            println!("SKIPPED: HAProxy or nginx is not installed");
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki::new().unwrap();
        write_certificates(&pki, folder.path()).unwrap();
        let nginx = Nginx::start(&nginx, folder.path()).unwrap();
        let haproxy = Haproxy::start(&haproxy, folder.path(), nginx.address).unwrap();
        let identities = |offer| identities(&pki, &pki.p256, offer).unwrap();
        let tokens = pki.signing.tokens(10).unwrap();
        let signed: Vec<_> = tokens.iter().map(|token| request(Some(token))).collect();

        let span = Duration::from_millis(200);
        let mutual = Target::new(haproxy.mutual, identities(Offer::Nothing), vec![request(None)]);
        let verified = Target::new(haproxy.jwt, identities(Offer::Nothing), signed);
        for target in [&mutual, &verified] {
            let counted = load::saturate(target, &haproxy.process, span).unwrap();
            assert!(counted.per_second > 10.0 && counted.cpu_us > 1.0, "{counted:?}");
            let counted = load::handshakes(target, &haproxy.process, span).unwrap();
            assert!(counted.per_second > 1.0 && counted.cpu_us > 1.0, "{counted:?}");
            let latency = load::pace(target, 200.0, span).unwrap();
            assert!(latency.p50_us > 1.0 && latency.p50_us <= latency.p99_us, "{latency:?}");
        }
        load::Idle::open(&mutual, 10).unwrap().check(&mutual).unwrap();

        let mut tampered = tokens.first().unwrap().clone();
        tampered.replace_range(100..101, if tampered.get(100..101) == Some("A") { "B" } else { "A" });
        for wrong in [request(Some(&tampered)), request(None)] {
            let target = Target::new(haproxy.jwt, identities(Offer::Nothing), vec![wrong]);
            assert!(
                load::Idle::open(&target, 1).is_err(),
                "HAProxy let a request without a good token through"
            );
        }
    }
    /// The proof that sessions are not resumed is worth something only if it can find that they are.
    #[test]
    fn resumption_is_off_and_would_be_found() {
        let (Some(program), Some(nginx)) = (run::find("haproxy"), run::find("nginx")) else {
            println!("SKIPPED: HAProxy or nginx is not installed");
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki::new().unwrap();
        write_certificates(&pki, folder.path()).unwrap();
        let nginx = Nginx::start(&nginx, folder.path()).unwrap();
        let reuse = |address| {
            let identities = identities(&pki, pki.p256.get(..1).unwrap(), Offer::EarlierSession).unwrap();
            load::reuse_per_cent(&Target::new(address, identities, vec![request(None)]), 10).unwrap()
        };
        let haproxy = Haproxy::start(&program, folder.path(), nginx.address).unwrap();
        assert_eq!(reuse(haproxy.mutual), 0.0);

        let address = free_address().unwrap();
        let caching = configuration(folder.path(), address, free_address().unwrap(), nginx.address)
            .replace("tune.ssl.cachesize 0", "tune.ssl.cachesize 1000");
        let config = folder.path().join("caching.cfg");
        fs::write(&config, caching).unwrap();
        let log = folder.path().join("caching.log");
        let mut command = Command::new(program);
        let mut caching = Process::start("HAProxy", command.arg("-db").arg("-f").arg(&config), &log).unwrap();
        caching.wait_for(address, &log).unwrap();
        assert_eq!(reuse(address), 90.0);
    }
}
