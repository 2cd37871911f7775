//! What the tests of the store share: a clock that is set, certificates made at run time, short ways to say things.

#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod flow;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;

use std::time::Duration;

use irgw_core::{ClientKind, Environment, Grants, Thumbprint, UnixTime};
use irgw_m2m::{LegacySha1, SigningCert};
use irgw_oauth::customers::Subject;
use irgw_oauth::opaque::Digest;
use irgw_oauth::signing::Algorithm;
use irgw_store::{NewClient, NewClientCert, NewCustomer, NewSigningCert, Store};
use irgw_tls::CommonName;
use rcgen::{CertificateParams, KeyPair};

/// 2027-01-15, in the middle of everything's validity.
pub(crate) const NOW: UnixTime = at(1_800_000_000);

/// A point in time.
pub(crate) const fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// The store on a database of a server, and on the same one once more.
#[cfg(feature = "postgres")]
pub(crate) fn connect(database: &postgres::Database) -> Store {
    Store::connect(&server(&database.url)).unwrap()
}

/// Where a server is, by its URL.
#[cfg(feature = "postgres")]
pub(crate) fn server(url: &str) -> irgw_store::Server {
    irgw_store::Server::parse(url, std::path::Path::new(""), std::sync::Arc::new(Stopped)).unwrap()
}

/// A clock that always says [`NOW`].
#[derive(Debug)]
pub(crate) struct Stopped;

impl irgw_core::Clock for Stopped {
    fn since_epoch(&self) -> Duration {
        Duration::from_secs(NOW.as_secs())
    }
}

/// A certificate for signing, valid from 2026-01-01 to the first day of the year `until`.
pub(crate) fn signing_cert(until: i32) -> Cert {
    renewed(&KeyPair::generate().unwrap(), until)
}

/// Another certificate for the same key.
pub(crate) fn renewed(key: &KeyPair, until: i32) -> Cert {
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let der = params.self_signed(key).unwrap().der().to_vec();
    Cert { cert: SigningCert::enrol(&der, NOW).unwrap(), der }
}

/// A checked certificate and its DER.
#[derive(Debug, Clone)]
pub(crate) struct Cert {
    pub(crate) cert: SigningCert,
    pub(crate) der: Vec<u8>,
}

impl Cert {
    pub(crate) fn thumbprint(&self) -> Thumbprint {
        self.cert.thumbprint()
    }

    /// To be enrolled in `test` for `owner`, with the issuer value `issuer`.
    pub(crate) fn of(&self, owner: &str, issuer: &str) -> NewSigningCert {
        NewSigningCert {
            owner: owner.parse().unwrap(),
            environment: Environment::Test,
            issuer: issuer.to_owned(),
            cert: self.cert.clone(),
            der: self.der.clone(),
            legacy_sha1: LegacySha1::Refused,
        }
    }
}

/// A Common Name to be enrolled in `test` for `provider`.
pub(crate) fn client_cert(provider: &str, common_name: &str) -> NewClientCert {
    NewClientCert {
        provider: provider.parse().unwrap(),
        environment: Environment::Test,
        common_name: CommonName::parse(common_name).unwrap(),
        grants: Grants::default(),
        issuer_pin: None,
    }
}

/// A cloud client of `p` to be registered in `test`, whose secret is its id.
pub(crate) fn client(id: &str) -> NewClient {
    NewClient {
        id: id.parse().unwrap(),
        provider: "p".parse().unwrap(),
        environment: Environment::Test,
        name: id.to_owned(),
        kind: ClientKind::Cloud,
        algorithm: Algorithm::Es256,
        redirect_uris: vec!["https://app.example/answer".to_owned()],
        secret: digest(id),
    }
}

/// A customer to be added, whose password nobody knows.
pub(crate) fn customer(number: u8, user_id: &str) -> NewCustomer {
    NewCustomer {
        subject: Subject::from_random([number; 16]),
        user_id: user_id.parse().unwrap(),
        name: user_id.to_owned(),
        password: "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5$bm9ib2R5".to_owned(),
    }
}

/// The digest of a token.
pub(crate) fn digest(token: &str) -> Digest {
    Digest::of(token)
}

/// The same, in another environment.
pub(crate) fn in_prod<T: HasEnvironment>(mut new: T) -> T {
    *new.environment() = Environment::Prod;
    new
}

pub(crate) trait HasEnvironment {
    fn environment(&mut self) -> &mut Environment;
}

impl HasEnvironment for NewClientCert {
    fn environment(&mut self) -> &mut Environment {
        &mut self.environment
    }
}

impl HasEnvironment for NewClient {
    fn environment(&mut self) -> &mut Environment {
        &mut self.environment
    }
}

impl HasEnvironment for NewSigningCert {
    fn environment(&mut self) -> &mut Environment {
        &mut self.environment
    }
}

/// The providers `p` and `q`, and the resource owners `o` and `u`.
pub(crate) fn furnish(store: &Store) {
    for provider in ["p", "q"] {
        store.add_provider(&provider.parse().unwrap(), provider, NOW).unwrap();
    }
    for owner in ["o", "u"] {
        store.add_owner(&owner.parse().unwrap(), owner, NOW).unwrap();
    }
}
