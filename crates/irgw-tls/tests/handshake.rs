//! Whole handshakes over an in-memory pipe (TLS-1 to TLS-3, TLS-10; A01 to A05, A15, A19).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod support;

use std::sync::Arc;

use irgw_core::{Refusal, Rule, Transport};
use irgw_tls::client::{Client, ServerRoots, VerifiedServer};
use irgw_tls::server::Server;
use irgw_tls::{
    ClientIdentity, ClientTrust, Error, Flaw, HandshakeFault, IdentityFault, SUITES, ServerIdentity,
    VerifiedCert,
};
use rcgen::{ExtendedKeyUsagePurpose, KeyPair, SanType};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, SupportedCipherSuite};
use rustls_pki_types::ServerName;
use support::{Authority, NAME, NOW, SetClock, UNTIL, origin};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::TlsConnector;

const HOST: &str = "gateway.example.nz";

struct World {
    /// Issues the server's certificate.
    public: Authority,
    /// Issues the clients'.
    root: Authority,
    clock: Arc<SetClock>,
}

impl World {
    fn new() -> World {
        World { public: Authority::root("Public"), root: Authority::root("Root"), clock: SetClock::new() }
    }

    fn trust(&self) -> Arc<ClientTrust> {
        Arc::new(support::trust(&self.root))
    }

    fn server_pem(&self) -> (String, String) {
        let server = self.public.client_with(HOST, |params| {
            params.subject_alt_names = vec![SanType::DnsName(HOST.try_into().unwrap())];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        });
        (server.chain_pem(&[]), server.key_pem)
    }

    fn identity(&self) -> ServerIdentity {
        let (chain, key) = self.server_pem();
        ServerIdentity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap()
    }

    fn mutual(&self) -> Server {
        Server::mutual(self.identity(), self.trust(), self.clock.clone())
    }

    fn one_way(&self) -> Server {
        Server::one_way(self.identity(), self.clock.clone())
    }

    fn roots(&self) -> ServerRoots {
        ServerRoots::from_pem(self.public.pem().as_bytes()).unwrap()
    }

    fn client(&self, chain: &str, key: &str) -> Client {
        let identity = ClientIdentity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        Client::mutual(&self.roots(), HOST, identity, self.clock.clone()).unwrap()
    }

    /// A client of rustls's own, which is free to do what ours does not.
    fn foreign(
        &self,
        provider: CryptoProvider,
        version: ProtocolVersion,
        own: Option<(&str, &str)>,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.public.der.clone()).unwrap();
        let versions: &[_] = match version {
            ProtocolVersion::TLSv1_2 => &[&rustls::version::TLS12],
            _ => &[&rustls::version::TLS13],
        };
        let builder = ClientConfig::builder_with_details(Arc::new(provider), Arc::new(Noon))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        match own {
            Some((chain, key)) => {
                use rustls_pki_types::pem::PemObject;
                let chain = rustls_pki_types::CertificateDer::pem_slice_iter(chain.as_bytes());
                let key = rustls_pki_types::PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain.map(Result::unwrap).collect(), key).unwrap()
            }
            None => builder.with_no_client_auth(),
        }
    }
}

#[derive(Debug)]
struct Noon;

impl rustls::time_provider::TimeProvider for Noon {
    fn current_time(&self) -> Option<rustls_pki_types::UnixTime> {
        Some(support::at(NOW))
    }
}

/// What the server makes of a client, which writes a byte and reads one back where it gets so far.
async fn meet(server: &Server, client: Client) -> Result<Option<Arc<str>>, Error> {
    let (near, far) = duplex(1 << 16);
    let dial = async {
        let (mut stream, peer) = client.establish(near, origin()).await?;
        assert!(peer.evidence::<VerifiedServer>().is_some());
        let _ = stream.write_all(b"x").await;
        let mut byte = [0];
        let _ = stream.read(&mut byte).await;
        Ok::<_, Error>(())
    };
    let (served, _) = tokio::join!(serve(server, far), dial);
    served
}

/// Serves one connection: the name that its certificate proves.
async fn serve(server: &Server, io: DuplexStream) -> Result<Option<Arc<str>>, Error> {
    let (mut stream, peer) = server.establish(io, origin()).await?;
    let mut byte = [0];
    stream.read_exact(&mut byte).await.unwrap();
    stream.write_all(&byte).await.unwrap();
    stream.shutdown().await.unwrap();
    Ok(peer.evidence::<VerifiedCert>().map(|cert| cert.common_name().as_str().into()))
}

/// The same with a foreign client: also how its handshake went.
async fn meet_foreign(
    server: &Server,
    client: Arc<ClientConfig>,
) -> (Result<Option<Arc<str>>, Error>, Option<(ProtocolVersion, HandshakeKind)>) {
    let (near, far) = duplex(1 << 16);
    let dial = async {
        let name = ServerName::try_from(HOST).unwrap();
        let mut stream = TlsConnector::from(client).connect(name, near).await.ok()?;
        let _ = stream.write_all(b"x").await;
        let mut byte = [0];
        let _ = stream.read(&mut byte).await;
        let connection = stream.get_ref().1;
        Some((connection.protocol_version()?, connection.handshake_kind()?))
    };
    tokio::join!(serve(server, far), dial)
}

fn only(suite: SupportedCipherSuite) -> CryptoProvider {
    CryptoProvider { cipher_suites: vec![suite], ..ring::default_provider() }
}

fn version_of(suite: SupportedCipherSuite) -> ProtocolVersion {
    suite.version().version
}

#[tokio::test]
async fn a02_exactly_six_suites_are_accepted() {
    let world = World::new();
    let server = world.one_way();
    let mut accepted = Vec::new();
    for suite in ring::ALL_CIPHER_SUITES {
        let client = world.foreign(only(*suite), version_of(*suite), None);
        match meet_foreign(&server, Arc::new(client)).await.0 {
            Ok(_) => accepted.push(format!("{:?}", suite.suite()).replace("TLS13_", "TLS_")),
            Err(error) => assert_eq!(error.rule(), Rule::Tls2, "{error}"),
        }
    }
    accepted.sort();
    let mut expected = SUITES.map(String::from).to_vec();
    expected.sort();
    assert_eq!(accepted, expected);
}

#[tokio::test]
async fn tls_5_clients_of_every_accepted_key_prove_it_in_both_versions() {
    let world = World::new();
    let server = world.mutual();
    let rsa = KeyPair::from_pem_and_sign_algo(&support::rsa_pem(), &rcgen::PKCS_RSA_SHA256).unwrap();
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let p256 = world.root.client(NAME);
    let signed =
        |key: &KeyPair| support::pem("CERTIFICATE", &world.root.sign(&support::client_params(NAME), key));
    let rows = [
        ("P-256", p256.chain_pem(&[]), p256.key_pem.clone()),
        ("P-384", signed(&p384), p384.serialize_pem()),
        ("RSA", signed(&rsa), support::rsa_pem()),
    ];
    for (kind, chain, key) in &rows {
        for version in [ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3] {
            let client = world.foreign(ring::default_provider(), version, Some((chain, key)));
            let (served, seen) = meet_foreign(&server, Arc::new(client)).await;
            assert_eq!(served, Ok(Some(NAME.into())), "{kind} over {version:?}");
            assert_eq!(seen.map(|(version, _)| version), Some(version));
        }
        assert_eq!(meet(&server, world.client(chain, key)).await, Ok(Some(NAME.into())), "{kind}");
    }
}

#[tokio::test]
async fn tls_5_client_with_a_p521_key_proves_it() {
    let world = World::new();
    let (pkcs8, sec1, spki) = support::p521_key();
    let chain = support::pem("CERTIFICATE", &world.root.client_of(NAME, spki));
    for key in [pkcs8, sec1] {
        assert_eq!(meet(&world.mutual(), world.client(&chain, &key)).await, Ok(Some(NAME.into())));
    }
}

#[tokio::test]
async fn a04_mutual_listener_refuses_a_client_without_a_certificate() {
    let world = World::new();
    let server = world.mutual();
    for version in [ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3] {
        let client = world.foreign(ring::default_provider(), version, None);
        let error = meet_foreign(&server, Arc::new(client)).await.0.unwrap_err();
        assert_eq!(error, Error::NoCertificate { sni: Some(HOST.into()) });
        assert_eq!(error.rule(), Rule::Tls3);
    }
}

#[tokio::test]
async fn a05_refused_certificate_is_named_with_the_server_name_that_was_asked_for() {
    let world = World::new();
    let server = world.mutual();
    let stranger = Authority::root("Stranger").client(NAME);
    let client = world.client(&stranger.chain_pem(&[]), &stranger.key_pem);
    let error = meet(&server, client).await.unwrap_err();
    assert_eq!(error.rule(), Rule::Tls4);
    let facts = error.facts();
    assert!(facts.contains(&("sni", HOST.into())), "{facts:?}");
    assert!(facts.contains(&("issuer", "CN=Stranger".into())), "{facts:?}");
    let Error::Certificate { fault, .. } = error else { panic!("{error}") };
    assert_eq!(fault.flaw, Flaw::UnknownIssuer);
}

#[tokio::test]
async fn a05_somebody_elses_certificate_without_its_key_is_refused() {
    // ClientIdentity would refuse the pair; rustls's own client can be made to hold it.
    let world = World::new();
    let (theirs, mine) = (world.root.client(NAME), world.root.client("mine.example.nz"));
    for version in [ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3] {
        let mut client = world.foreign(ring::default_provider(), version, None);
        client.client_auth_cert_resolver = Arc::new(Mixed(Arc::new(rustls::sign::CertifiedKey::new(
            vec![theirs.der.clone()],
            ring::sign::any_supported_type(&{
                use rustls_pki_types::pem::PemObject;
                rustls_pki_types::PrivateKeyDer::from_pem_slice(mine.key_pem.as_bytes()).unwrap()
            })
            .unwrap(),
        ))));
        let error = meet_foreign(&world.mutual(), Arc::new(client)).await.0.unwrap_err();
        assert!(matches!(error, Error::Handshake { fault: HandshakeFault::Signature, .. }), "{error:?}");
        assert_eq!(error.rule(), Rule::Tls5);
    }
}

#[derive(Debug)]
struct Mixed(Arc<rustls::sign::CertifiedKey>);

impl rustls::client::ResolvesClientCert for Mixed {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(self.0.clone())
    }
    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a15_no_session_is_resumed_on_either_listener() {
    let world = World::new();
    let own = world.root.client(NAME);
    let chain = own.chain_pem(&[]);
    for server in [world.mutual(), world.one_way()] {
        for version in [ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3] {
            let mut client = world.foreign(ring::default_provider(), version, Some((&chain, &own.key_pem)));
            client.enable_early_data = true;
            let client = Arc::new(client);
            for turn in 0..3 {
                let (served, seen) = meet_foreign(&server, client.clone()).await;
                assert!(served.is_ok());
                let kind = seen.map(|(_, kind)| kind);
                assert!(
                    matches!(kind, Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest)),
                    "{kind:?} at {turn}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a16_certificate_that_expired_between_two_connections_is_refused() {
    let world = World::new();
    let server = world.mutual();
    let own = world.root.client(NAME);
    let client = || world.client(&own.chain_pem(&[]), &own.key_pem);
    world.clock.set(UNTIL);
    assert!(meet(&server, client()).await.is_ok());
    world.clock.set(UNTIL + 1);
    assert!(meet(&server, client()).await.is_err());
}

#[tokio::test]
async fn verified_certificate_is_shared_between_connections() {
    let world = World::new();
    let server = world.mutual();
    let own = world.root.client(NAME);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let client = world.client(&own.chain_pem(&[]), &own.key_pem);
        let (near, far) = duplex(1 << 16);
        let (served, dialled) =
            tokio::join!(server.establish(far, origin()), client.establish(near, origin()));
        dialled.unwrap();
        let (_, peer) = served.unwrap();
        seen.push(std::ptr::from_ref(peer.evidence::<VerifiedCert>().unwrap()));
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a01_old_versions_and_other_protocols_are_refused() {
    let world = World::new();
    let server = world.one_way();
    for (what, bytes, rule) in [
        ("TLS 1.1", hello([3, 2], &[0]), Rule::Tls1),
        ("TLS 1.0", hello([3, 1], &[0]), Rule::Tls1),
        ("SSL 3", hello([3, 0], &[0]), Rule::Tls1),
        ("compression alone", hello([3, 3], &[1]), Rule::Tls1),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n".to_vec(), Rule::Tls1),
        ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), Rule::Tls1),
        ("SSL 2", vec![0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10], Rule::Tls1),
        ("a record of 0 bytes for ever", [0x16, 3, 1, 0, 0].repeat(100), Rule::Tls1),
    ] {
        let (mut near, far) = duplex(1 << 16);
        near.write_all(&bytes).await.unwrap();
        near.shutdown().await.unwrap();
        let error = server.establish(far, origin()).await.map(|_| ()).unwrap_err();
        assert_eq!(error.rule(), rule, "{what}: {error}");
        assert!(matches!(error, Error::Handshake { .. } | Error::Stream { .. }), "{what}: {error:?}");
    }
}

/// A ClientHello as one of before 2008 would send it: no extensions.
fn hello(version: [u8; 2], compression: &[u8]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, 4, 0xc0, 0x2b, 0xc0, 0x2c]);
    body.push(compression.len().try_into().unwrap());
    body.extend_from_slice(compression);
    let handshake = [vec![1, 0, 0, body.len().try_into().unwrap()], body].concat();
    [vec![0x16, 3, 1, 0, handshake.len().try_into().unwrap()], handshake].concat()
}

#[tokio::test]
async fn stream_that_ends_early_is_told_from_a_refusal() {
    let world = World::new();
    let (near, far) = duplex(64);
    drop(near);
    let error = world.mutual().establish(far, origin()).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Stream { kind: std::io::ErrorKind::UnexpectedEof, .. }), "{error:?}");
}

#[tokio::test]
async fn h2_is_preferred_and_http_1_1_offered() {
    let world = World::new();
    let server = world.one_way();
    for (offered, agreed) in
        [(&[&b"http/1.1"[..], b"h2"][..], Some(&b"h2"[..])), (&[b"http/1.1"], Some(b"http/1.1")), (&[], None)]
    {
        let client = Client::one_way(&world.roots(), HOST, world.clock.clone()).unwrap().with_alpn(offered);
        let (near, far) = duplex(1 << 16);
        let (served, dialled) =
            tokio::join!(server.establish(far, origin()), client.establish(near, origin()));
        assert_eq!(served.unwrap().0.get_ref().1.alpn_protocol(), agreed);
        assert_eq!(dialled.unwrap().0.get_ref().1.alpn_protocol(), agreed);
    }
}

#[tokio::test]
async fn client_refuses_a_server_of_another_name_or_authority() {
    let world = World::new();
    let server = world.one_way();
    let other_name = Client::one_way(&world.roots(), "other.example.nz", world.clock.clone()).unwrap();
    let others = ServerRoots::from_pem(Authority::root("Other").pem().as_bytes()).unwrap();
    let other_roots = Client::one_way(&others, HOST, world.clock.clone()).unwrap();
    for client in [other_name, other_roots] {
        let (near, far) = duplex(1 << 16);
        let (_, dialled) = tokio::join!(server.establish(far, origin()), client.establish(near, origin()));
        let error = dialled.map(|_| ()).unwrap_err();
        assert!(
            matches!(error, Error::Handshake { fault: HandshakeFault::ServerCertificate, .. }),
            "{error:?}"
        );
    }
    assert!(Client::one_way(&world.roots(), "not a name", world.clock.clone()).is_err());
}

#[tokio::test]
async fn a19_identity_is_replaced_without_a_break() {
    let world = World::new();
    let server = world.one_way();
    let mut thumbprints = Vec::new();
    for _ in 0..2 {
        let client = Client::one_way(&world.roots(), HOST, world.clock.clone()).unwrap();
        let (near, far) = duplex(1 << 16);
        let (served, dialled) =
            tokio::join!(server.establish(far, origin()), client.establish(near, origin()));
        served.unwrap();
        thumbprints.push(dialled.unwrap().1.evidence::<VerifiedServer>().unwrap().thumbprint());
        server.replace_identity(world.identity());
    }
    assert_ne!(thumbprints[0], thumbprints[1]);
}

#[test]
fn a19_half_written_and_mismatched_pairs_are_refused() {
    let world = World::new();
    let ((chain, key), (_, other_key)) = (world.server_pem(), world.server_pem());
    let load = |chain: &str, key: &str| {
        ServerIdentity::from_pem(chain.as_bytes(), key.as_bytes()).map(|_| ()).map_err(|error| match error {
            Error::Identity(fault) => fault,
            other => panic!("{other}"),
        })
    };
    assert_eq!(load(&chain, &key), Ok(()));
    assert_eq!(load(&(key.clone() + &chain), &(chain.clone() + &key)), Ok(()), "both in one file");
    assert_eq!(load(&chain, &other_key), Err(IdentityFault::Mismatch));
    assert_eq!(load("", &key), Err(IdentityFault::NoCertificate));
    assert_eq!(load(&chain, ""), Err(IdentityFault::NoKey));
    for at in (0..chain.trim_end().len()).step_by(7) {
        assert!(load(&chain[..at], &key).is_err(), "{at} bytes of the chain");
    }
    for at in (0..key.trim_end().len()).step_by(7) {
        assert!(load(&chain, &key[..at]).is_err(), "{at} bytes of the key");
    }
}

#[test]
fn tls_2_server_key_of_another_kind_is_refused_with_the_reason() {
    let world = World::new();
    let rsa = KeyPair::from_pem_and_sign_algo(&support::rsa_pem(), &rcgen::PKCS_RSA_SHA256).unwrap();
    let chain = support::pem("CERTIFICATE", &world.public.sign(&support::client_params(HOST), &rsa));
    let error = ServerIdentity::from_pem(chain.as_bytes(), support::rsa_pem().as_bytes()).unwrap_err();
    assert_eq!(error.rule(), Rule::Tls2);
    assert_eq!(
        error.to_string(),
        "the server's key is RSA-3072; all six cipher suites need an elliptic-curve key on P-256 or P-384"
    );
    let (p521, _, spki) = support::p521_key();
    let chain = support::pem("CERTIFICATE", &world.public.client_of(HOST, spki));
    assert!(ServerIdentity::from_pem(chain.as_bytes(), p521.as_bytes()).is_err());
}

#[test]
fn identity_tells_whether_it_is_in_date() {
    let identity = World::new().identity();
    assert!(identity.is_current(support::at(NOW)) && identity.is_current(support::at(UNTIL)));
    assert!(!identity.is_current(support::at(UNTIL + 1)));
    assert!(!format!("{identity:?}").contains("PRIVATE"));
}
