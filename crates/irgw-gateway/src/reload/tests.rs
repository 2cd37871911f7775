//! Files that change, go wrong and come right again, each by itself (TLS-4, TLS-9; A14, A19, A20).

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use irgw_core::{Environment, UnixTime};
use irgw_m2m::identity::{IdentityKey, PublicJwk};
use irgw_tls::{ClientEku, CrlPolicy, Flaw};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::*;
use crate::SetClock;
use crate::config::{
    ClientCertificates, IdentityConfig, ListenerConfig, Located, OperatorConfig, Place, RootConfig,
    RootSource,
};
use crate::identity::IdentityTokens;

const NOW: u64 = 1_781_006_400;
const DAY: u64 = 86_400;
const SERIAL: u64 = 0x7777;

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn date(seconds: u64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(seconds.try_into().unwrap()).unwrap()
}

struct Authority {
    params: CertificateParams,
    key: KeyPair,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Authority {
        Authority::until(name, NOW + 365 * DAY)
    }

    fn until(name: &str, not_after: u64) -> Authority {
        let mut params = dated(name, not_after);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { params, key, pem }
    }

    fn client(&self) -> CertificateDer<'static> {
        let mut params = dated("client.example.nz", NOW + 365 * DAY);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(SerialNumber::from(SERIAL));
        let issuer = Issuer::from_params(&self.params, &self.key);
        params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().der().clone()
    }

    fn list(&self, number: u64, revoked: &[u64]) -> String {
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date(NOW),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date(NOW),
            next_update: date(NOW + 365 * DAY),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&Issuer::from_params(&self.params, &self.key)).unwrap().pem().unwrap()
    }
}

fn dated(name: &str, not_after: u64) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date(NOW - DAY);
    params.not_after = date(not_after);
    params
}

/// Puts a new file in the old one's place, so that no two versions look alike.
fn put(path: &Path, content: impl AsRef<[u8]>) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::set_permissions(&new, Permissions::from_mode(0o600)).unwrap();
    fs::rename(&new, path).unwrap();
}

fn located<T>(value: T) -> Located<T> {
    Located { value, place: Place { file: Path::new("irgw.toml").into(), line: 1, key: "key".into() } }
}

/// A folder with a root and its revocation list for each authority, named by number.
struct Folder(tempfile::TempDir);

impl Folder {
    fn of(authorities: &[&Authority]) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        for (number, authority) in authorities.iter().enumerate() {
            put(&folder.root(number), &authority.pem);
            put(&folder.list(number), authority.list(1, &[]));
        }
        folder
    }

    fn root(&self, number: usize) -> PathBuf {
        self.0.path().join(format!("{number}.crt"))
    }

    fn list(&self, number: usize) -> PathBuf {
        self.0.path().join(format!("{number}.crl"))
    }

    fn configs(&self, count: usize) -> Vec<RootConfig> {
        let config = |number| RootConfig {
            source: RootSource::File(located(self.root(number))),
            client_eku: ClientEku::ClientAuth,
            crls: vec![located(self.list(number))],
            crl_policy: CrlPolicy::WhereLoaded,
        };
        (0..count).map(config).collect()
    }

    /// A `Reload` that has read these files.
    fn reload(&self, count: usize) -> Reload {
        Reload {
            identities: Vec::new(),
            trust: TrustFiles::read(&self.configs(count), at(NOW)).unwrap(),
            own: own(self.0.path()),
            transfer: None,
            clock: Arc::new(SetClock::at(NOW)),
            clock_watch: ClockWatch::since_last_write(Path::new("")),
            metrics: Arc::new(Metrics::new()),
            changed: watch::Sender::new(()),
        }
    }
}

impl Reload {
    fn flaw(&self, client: &CertificateDer<'_>) -> Option<Flaw> {
        match self.trust.trust().verify(client, &[], self.clock.now()) {
            Ok(_) => None,
            Err(irgw_tls::Error::Certificate { fault, .. }) => Some(fault.flaw),
            Err(other) => panic!("{other}"),
        }
    }

    /// The alarms that stand.
    fn alarms(&self) -> Vec<String> {
        let text = self.metrics.render();
        let alarms = text.lines().filter(|line| line.starts_with("irgw_alarm{") && line.ends_with(" 1"));
        alarms.map(str::to_owned).collect()
    }
}

#[test]
fn a14_bad_list_of_one_root_holds_up_no_revocation_under_another() {
    let (one, two) = (Authority::new("One"), Authority::new("Two"));
    let folder = Folder::of(&[&one, &two]);
    let mut reload = folder.reload(2);
    let client = one.client();
    put(&folder.list(1), "garbage");
    reload.look();
    assert_eq!(reload.alarms().len(), 1);
    assert_eq!(reload.flaw(&client), None);
    put(&folder.list(0), one.list(2, &[SERIAL]));
    reload.look();
    assert_eq!(reload.flaw(&client), Some(Flaw::Revoked));
    assert!(reload.alarms().iter().all(|alarm| alarm.contains("1.crl")), "{:?}", reload.alarms());
    put(&folder.list(1), two.list(2, &[SERIAL]));
    reload.look();
    assert_eq!(reload.flaw(&two.client()), Some(Flaw::Revoked));
    assert!(reload.alarms().is_empty());
}

#[test]
fn a14_older_list_or_one_of_another_issuer_undoes_no_revocation() {
    let (one, other) = (Authority::new("One"), Authority::new("Other"));
    let folder = Folder::of(&[&one]);
    let mut reload = folder.reload(1);
    put(&folder.list(0), one.list(300, &[SERIAL]));
    reload.look();
    for list in [one.list(299, &[]), one.list(2, &[]), other.list(301, &[])] {
        put(&folder.list(0), list);
        reload.look();
        assert_eq!(reload.flaw(&one.client()), Some(Flaw::Revoked));
        assert_eq!(reload.alarms().len(), 1);
    }
    put(&folder.list(0), other.list(1, &[]) + &one.list(301, &[]));
    reload.look();
    assert_eq!(reload.flaw(&one.client()), None);
    assert!(reload.alarms().is_empty());
}

#[test]
fn a14_list_that_a_known_issuer_did_not_sign_is_not_put_in_force() {
    let one = Authority::new("One");
    let folder = Folder::of(&[&one]);
    let mut reload = folder.reload(1);
    let list = one.list(2, &[]);
    let der = rustls_pki_types::CertificateRevocationListDer::from_pem_slice(list.as_bytes()).unwrap();
    let mut der = der.to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    put(&folder.list(0), der);
    reload.look();
    assert_eq!(reload.flaw(&one.client()), None);
    assert_eq!(reload.alarms().len(), 1);
}

#[test]
fn a14_root_that_expired_holds_up_neither_start_nor_revocation() {
    let (one, old) = (Authority::new("One"), Authority::until("Old", NOW - 1));
    let folder = Folder::of(&[&one, &old]);
    let mut reload = folder.reload(2);
    let checked = reload.trust.check_dates(at(NOW)).unwrap_err().to_string();
    assert!(checked.contains("expired"), "{checked}");
    reload.look();
    assert!(reload.alarms().iter().all(|alarm| alarm.contains("1.crt out of date")), "{:?}", reload.alarms());
    assert_eq!(reload.alarms().len(), 1);
    assert_eq!(reload.flaw(&old.client()), Some(Flaw::Expired { not_after: NOW - 1 }));
    put(&folder.list(0), one.list(2, &[SERIAL]));
    reload.look();
    assert_eq!(reload.flaw(&one.client()), Some(Flaw::Revoked));
    put(&folder.root(1), Authority::new("New").pem);
    reload.look();
    assert!(reload.alarms().is_empty());
}

#[test]
fn file_that_cannot_be_used_is_tried_again_although_it_does_not_change() {
    let (one, two) = (Authority::new("One"), Authority::new("Two"));
    let folder = Folder::of(&[&one, &two]);
    let mut reload = folder.reload(2);
    // The first root moves to the second file before it leaves its own.
    put(&folder.root(1), two.pem.clone() + &one.pem);
    reload.look();
    assert_eq!(reload.alarms().len(), 1);
    assert_eq!(reload.flaw(&two.client()), None);
    put(&folder.root(0), Authority::new("Three").pem);
    reload.look();
    assert!(reload.alarms().is_empty());
    assert_eq!(reload.flaw(&one.client()), None);
}

#[test]
fn a14_list_that_changes_while_the_gateway_starts_is_noticed() {
    let one = Authority::new("One");
    let folder = Folder::of(&[&one]);
    let files = TrustFiles::read(&folder.configs(1), at(NOW)).unwrap();
    put(&folder.list(0), one.list(2, &[SERIAL]));
    let mut reload = Reload { trust: files, ..folder.reload(1) };
    reload.look();
    assert_eq!(reload.flaw(&one.client()), Some(Flaw::Revoked));
}

/// A pair that is valid until `not_after`, in two files.
fn put_pair(config: &ListenerConfig, not_after: u64) {
    let key = KeyPair::generate().unwrap();
    put(&config.certificate.value, dated("localhost", not_after).self_signed(&key).unwrap().pem());
    put(&config.key.value, key.serialize_pem());
}

fn listener(folder: &Path) -> ListenerConfig {
    ListenerConfig {
        channel: irgw_core::Channel::Desktop,
        listen: located("127.0.0.1:4443".parse().unwrap()),
        certificate: located(folder.join("server.crt")),
        key: located(folder.join("server.key")),
        hosts: Vec::new(),
        balancers: Vec::new(),
        allow: None,
        client_certificates: ClientCertificates::NotAsked,
    }
}

/// A `Reload` that presents the pair of `config`, and no roots.
fn presenting(config: &ListenerConfig, clock: Arc<dyn Clock>) -> Reload {
    let files = IdentityFiles::read(config).unwrap();
    let server = Server::one_way(files.identity().clone(), clock.clone());
    Reload {
        identities: vec![(files, Arc::new(server))],
        trust: TrustFiles::read(&[], at(NOW)).unwrap(),
        own: own(config.key.value.parent().unwrap()),
        transfer: None,
        clock,
        clock_watch: ClockWatch::since_last_write(Path::new("")),
        metrics: Arc::new(Metrics::new()),
        changed: watch::Sender::new(()),
    }
}

fn presented_until(reload: &Reload) -> u64 {
    reload.identities[0].0.identity().facts().not_after
}

#[test]
fn a20_key_is_read_when_others_may_no_longer_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = listener(folder.path());
    put_pair(&config, NOW + DAY);
    let mut reload = presenting(&config, Arc::new(SetClock::at(NOW)));
    put_pair(&config, NOW + 2 * DAY);
    fs::set_permissions(&config.key.value, Permissions::from_mode(0o644)).unwrap();
    reload.look();
    assert_eq!((reload.alarms().len(), presented_until(&reload)), (1, NOW + DAY));
    fs::set_permissions(&config.key.value, Permissions::from_mode(0o600)).unwrap();
    reload.look();
    assert_eq!((reload.alarms().len(), presented_until(&reload)), (0, NOW + 2 * DAY));
}

#[test]
fn a19_certificate_that_is_not_valid_does_not_replace_one_that_is() {
    let folder = tempfile::tempdir().unwrap();
    let config = listener(folder.path());
    put_pair(&config, NOW + DAY);
    let clock = Arc::new(SetClock::at(NOW));
    let mut reload = presenting(&config, clock.clone());
    put_pair(&config, NOW - 1);
    reload.look();
    assert_eq!((reload.alarms().len(), presented_until(&reload)), (1, NOW + DAY));
    // Once neither is valid the newer may stand, and the alarm says that it is not.
    clock.set(NOW + DAY + 1);
    reload.look();
    assert_eq!(presented_until(&reload), NOW - 1);
    assert!(reload.alarms().iter().all(|alarm| alarm.contains("out of date")), "{:?}", reload.alarms());
    assert_eq!(reload.alarms().len(), 1);
    put_pair(&config, NOW + 3 * DAY);
    reload.look();
    assert_eq!((reload.alarms().len(), presented_until(&reload)), (0, NOW + 3 * DAY));
}

#[test]
fn certificate_that_expires_in_service_raises_an_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let config = listener(folder.path());
    put_pair(&config, NOW + DAY);
    let clock = Arc::new(SetClock::at(NOW + DAY));
    let mut reload = presenting(&config, clock.clone());
    reload.look();
    assert!(reload.alarms().is_empty());
    clock.set(NOW + DAY + 1);
    reload.look();
    assert_eq!(reload.alarms().len(), 1);
}

/// A key and an operator's token in `folder`.
fn own(folder: &Path) -> OwnFiles {
    let (key, token) = (folder.join("identity.key"), folder.join("operator.token"));
    put(&key, IdentityKey::generate().unwrap().1.expose());
    put(&token, "1".repeat(32));
    let identity = IdentityConfig {
        key: located(key),
        issuer: "https://gateway.example/".into(),
        lifetime: Duration::from_secs(300),
        header: "x-gateway-identity".parse().unwrap(),
    };
    let operator =
        OperatorConfig { listen: located("127.0.0.1:0".parse().unwrap()), token_file: located(token) };
    OwnFiles::read(&identity, Some(&operator), Environment::Test).unwrap()
}

/// G06: what signed and what is announced are both published until the change is over.
#[test]
fn g06_identity_key_is_exchanged_while_both_are_published() {
    let folder = tempfile::tempdir().unwrap();
    let config = listener(folder.path());
    put_pair(&config, NOW + DAY);
    let clock = Arc::new(SetClock::at(NOW));
    let mut reload = presenting(&config, clock.clone());
    let identity = reload.own.identity().clone();
    let [key] = published(&identity).try_into().unwrap();
    let (next, pem) = IdentityKey::generate().unwrap();
    put(&folder.path().join("identity.key"), "half a key");
    reload.look();
    assert_eq!((reload.alarms().len(), published(&identity)), (1, vec![key.clone()]));
    put(&folder.path().join("identity.key"), pem.expose());
    reload.look();
    assert!(reload.alarms().is_empty());
    assert_eq!(published(&identity), [key.clone(), next.public().clone()]);
    clock.set(NOW + 300);
    reload.look();
    assert_eq!(published(&identity), [next.public().clone(), key]);
    clock.set(NOW + 300 + 300 + 60);
    reload.look();
    assert_eq!(published(&identity), [next.public().clone()]);
}

fn published(identity: &IdentityTokens) -> Vec<PublicJwk> {
    identity.published().keys().to_vec()
}

#[test]
fn operators_token_is_exchanged_at_once_and_a_weak_one_is_not_taken() {
    let folder = Folder::of(&[]);
    let mut reload = folder.reload(0);
    let token = reload.own.operator_token().unwrap();
    let file = folder.0.path().join("operator.token");
    put(&file, "weak");
    reload.look();
    assert_eq!(reload.alarms().len(), 1);
    assert!(token.borrow().is(&"1".repeat(32)));
    put(&file, "2".repeat(32));
    reload.look();
    assert!(reload.alarms().is_empty());
    assert!(token.borrow().is(&"2".repeat(32)) && !token.borrow().is(&"1".repeat(32)));
}

/// A clock that is broken.
#[derive(Debug)]
struct Broken;

impl Clock for Broken {
    fn since_epoch(&self) -> Duration {
        panic!("no time")
    }
}

#[tokio::test]
async fn end_of_re_reading_raises_an_alarm() {
    let folder = Folder::of(&[]);
    let metrics = Arc::new(Metrics::new());
    let reload = Reload { clock: Arc::new(Broken), metrics: metrics.clone(), ..folder.reload(0) };
    reload.run().await;
    assert!(metrics.render().contains("irgw_alarm{alarm=\"files are no longer re-read\"} 1"));
}
