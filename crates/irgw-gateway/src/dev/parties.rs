//! The enrolled demo parties: two providers, six resource owners, their certificates. Made once a directory.

use std::path::{Path, PathBuf};
use std::{fs, io};

use irgw_core::{Environment, Grants, Logon, OwnerId, ProviderId, ServiceName, UnixTime};
use irgw_m2m::SigningCert;
use irgw_m2m::identity::IdentityKey;
use irgw_oauth::vault::Vault;
use irgw_store::{Batch, NewClientCert, NewSigningCert, Store};
use irgw_tls::CommonName;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use super::authority::{Authority, Issued, KeyKind, signing};
use super::manifest::{BatchCertificate, Customer, Provider, Signing};
use super::{DevError, Layout, files, intact, oauth};
use crate::hex::hex;

/// What was made, so that a restart keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Parties {
    pub(super) environment: Environment,
    pub(super) providers: Vec<Provider>,
    #[serde(default)]
    pub(super) customers: Vec<Customer>,
}

struct Owner {
    id: &'static str,
    name: &'static str,
    logon: &'static str,
    alg: &'static str,
    key: KeyKind,
}

struct Demo {
    id: &'static str,
    name: &'static str,
    domain: &'static str,
    key: KeyKind,
    owners: &'static [Owner],
}

/// A provider acts for itself and for its customers (M2M-9); each owner signs with another kind of key.
const DEMO: &[Demo] = &[
    Demo {
        id: "kowhai-payroll",
        name: "Kōwhai Payroll Limited",
        domain: "kowhai.example.nz",
        key: KeyKind::P384,
        owners: &[
            Owner {
                id: "kowhai-payroll",
                name: "Kōwhai Payroll Limited",
                logon: "kowhai.office",
                alg: "ES256",
                key: KeyKind::P256,
            },
            Owner {
                id: "tui-bakery",
                name: "Tūī Bakery",
                logon: "tui.bakery",
                alg: "RS256",
                key: KeyKind::Rsa2048,
            },
            Owner {
                id: "kea-transport",
                name: "Kea Transport",
                logon: "kea.transport",
                alg: "RS512",
                key: KeyKind::Rsa2048,
            },
            Owner {
                id: "weka-farms",
                name: "Weka Farms",
                logon: "weka.farms",
                alg: "ES384",
                key: KeyKind::P384,
            },
            Owner {
                id: "ruru-books",
                name: "Ruru Books",
                logon: "ruru.books",
                alg: "ES512",
                key: KeyKind::P521,
            },
        ],
    },
    Demo {
        id: "rimu-accounting",
        name: "Rimu Accounting",
        domain: "rimu.example.nz",
        key: KeyKind::Rsa2048,
        owners: &[Owner {
            id: "rimu-accounting",
            name: "Rimu Accounting",
            logon: "rimu.office",
            alg: "ES256",
            key: KeyKind::P256,
        }],
    },
];

/// The services that want a certificate of their own (TLS-12), and the one that a certificate is granted.
const BATCH_SERVICES: [&str; 2] = ["tds-summary", "tds-transactions-batch"];
const GRANTED_SERVICE: &str = "customer-service";

/// The directory's parties: those that are there, or new ones.
pub(super) fn make_or_keep(
    layout: &Layout,
    environment: Environment,
    now: UnixTime,
) -> Result<Parties, DevError> {
    match fs::read(layout.parties()) {
        Ok(json) => {
            let parties: Parties = serde_json::from_slice(&json)
                .map_err(|error| DevError::Damaged(layout.parties(), error.to_string()))?;
            if parties.environment != environment {
                return Err(DevError::OtherEnvironment {
                    dir: layout.dir.clone(),
                    made_for: parties.environment,
                });
            }
            intact::check(layout, &parties)?;
            Ok(parties)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(layout, environment, now),
        Err(error) => Err(DevError::Damaged(layout.parties(), error.to_string())),
    }
}

/// Makes everything, `parties.json` last: without it an interrupted attempt is begun anew.
fn make(layout: &Layout, environment: Environment, now: UnixTime) -> Result<Parties, DevError> {
    let write =
        |path: &Path, content: &str| files::write(path, content).map_err(|error| DevError::file(path, error));
    for suffix in ["", "-wal", "-shm"] {
        let path = PathBuf::from(format!("{}{suffix}", layout.store().display()));
        files::remove(&path).map_err(|error| DevError::file(&path, error))?;
    }
    let root = Authority::root("irgw dev root", now)?;
    let issuer = root.intermediate("irgw dev issuer")?;
    write(&layout.pki("root.crt"), &root.certificate)?;
    write(&layout.pki("root.key"), root.key.expose())?;
    write(&layout.pki("issuer.crt"), &issuer.certificate)?;
    write(&layout.pki("issuer.key"), issuer.key.expose())?;
    write(&layout.pki("issuer.crl"), &issuer.revocation_list()?)?;
    let server = root.server(&["localhost", "127.0.0.1", "::1"])?;
    write(&layout.pki("server.crt"), &server.certificate)?;
    write(&layout.pki("server.key"), server.key.expose())?;
    let (_, identity) = IdentityKey::generate()?;
    write(&layout.pki("identity.key"), identity.expose())?;
    write(&layout.operator_token(), &format!("{}\n", hex(&random::<24>()?)))?;

    let store = Store::open(&layout.store())?;
    let mut providers = Vec::new();
    for demo in DEMO {
        let (mut provider, enrol) = party(layout, &issuer, demo, environment, now)?;
        store.batch(|batch| enrol(batch, now))?;
        provider.clients = oauth::clients(&store, demo.id, demo.name, environment, now)?;
        providers.push(provider);
    }
    let vault_key: [u8; 32] = random()?;
    write(&layout.vault(), &format!("{}\n", hex(&vault_key)))?;
    let customers = oauth::customers(&store, &Vault::new(&vault_key), now)?;
    let parties = Parties { environment, providers, customers };
    let json = serde_json::to_vec_pretty(&parties)
        .map_err(|error| DevError::Damaged(layout.parties(), error.to_string()))?;
    files::write(&layout.parties(), json).map_err(|error| DevError::file(&layout.parties(), error))?;
    Ok(parties)
}

type Enrol = Box<dyn FnOnce(&mut Batch<'_>, UnixTime) -> Result<(), irgw_store::Error>>;

/// One provider: its files, and how it is enrolled.
fn party(
    layout: &Layout,
    issuer: &Authority,
    demo: &'static Demo,
    environment: Environment,
    now: UnixTime,
) -> Result<(Provider, Enrol), DevError> {
    let id: ProviderId = demo.id.parse().expect("the demo's ids are well-formed");
    let main = client(layout, issuer, demo, demo.id, demo.key)?;
    let granted = Grants { services: [service(GRANTED_SERVICE)].into(), exclusive: false };
    let mut certs = vec![(main.common_name.clone(), granted)];
    let batch = match demo.owners.len() {
        1 => None,
        _ => {
            let batch = client(layout, issuer, demo, &format!("{}-batch", demo.id), KeyKind::P256)?;
            let services: Vec<ServiceName> = BATCH_SERVICES.map(service).into();
            let grants = Grants { services: services.iter().cloned().collect(), exclusive: true };
            certs.push((batch.common_name.clone(), grants));
            Some(BatchCertificate {
                common_name: batch.common_name.to_string(),
                certificate: batch.certificate,
                key: batch.key,
                services,
            })
        }
    };
    let mut signers = Vec::new();
    let mut listed = Vec::new();
    for owner in demo.owners {
        let issued = signing(owner.name, owner.key, now)?;
        let (certificate, key) =
            save(layout, &format!("{}-{}", owner.id, owner.alg.to_lowercase()), &issued, "")?;
        let cert = SigningCert::enrol(&issued.der, now)?;
        listed.push(Signing {
            alg: owner.alg.to_owned(),
            certificate,
            key,
            thumbprint: cert.thumbprint(),
            issuer: owner.name.to_owned(),
            resource_owner: owner.id.to_owned(),
            logons: vec![owner.logon.to_owned()],
        });
        signers.push((
            owner,
            NewSigningCert {
                owner: owner.id.parse().expect("the demo's ids are well-formed"),
                environment,
                issuer: owner.name.to_owned(),
                cert,
                der: issued.der,
                legacy_sha1: irgw_m2m::LegacySha1::Refused,
            },
        ));
    }
    let provider = Provider {
        id: demo.id.to_owned(),
        common_name: main.common_name.to_string(),
        certificate: main.certificate,
        key: main.key,
        batch,
        signing: listed,
        clients: Vec::new(),
        sftp: None,
        pgp: None,
    };
    let enrol = move |batch: &mut Batch<'_>, now: UnixTime| {
        batch.add_provider(&id, demo.name, now)?;
        for (common_name, grants) in certs {
            let new =
                NewClientCert { provider: id.clone(), environment, common_name, grants, issuer_pin: None };
            batch.enrol_client_cert(&new, now)?;
        }
        for (owner, new) in signers {
            let owner_id: OwnerId = new.owner.clone();
            let logon: Logon = owner.logon.parse().expect("the demo's logons are well-formed");
            batch.add_owner(&owner_id, owner.name, now)?;
            batch.link(&id, &owner_id, now)?;
            batch.link_logon(&owner_id, &logon, now)?;
            batch.enrol_signing_cert(&new, now)?;
        }
        Ok(())
    };
    Ok((provider, Box::new(enrol)))
}

struct Identity {
    common_name: CommonName,
    certificate: PathBuf,
    key: PathBuf,
}

/// A client certificate with an assigned Common Name (CN-1), and its chain.
fn client(
    layout: &Layout,
    issuer: &Authority,
    demo: &Demo,
    name: &str,
    kind: KeyKind,
) -> Result<Identity, DevError> {
    let common_name = CommonName::assign(random()?, demo.domain).expect("the demo's domains are well-formed");
    let issued = issuer.client(common_name.as_str(), kind)?;
    let (certificate, key) = save(layout, name, &issued, &issuer.certificate)?;
    Ok(Identity { common_name, certificate, key })
}

fn save(layout: &Layout, name: &str, issued: &Issued, above: &str) -> Result<(PathBuf, PathBuf), DevError> {
    let (certificate, key) = (layout.pki(&format!("{name}.crt")), layout.pki(&format!("{name}.key")));
    let chain = format!("{}{above}", issued.certificate);
    files::write(&certificate, chain).map_err(|error| DevError::file(&certificate, error))?;
    files::write(&key, issued.key.expose()).map_err(|error| DevError::file(&key, error))?;
    Ok((certificate, key))
}

fn service(name: &str) -> ServiceName {
    name.parse().expect("the published names are well-formed")
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], DevError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| DevError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(layout: &Layout) -> Result<Parties, String> {
        make_or_keep(layout, Environment::Test, UnixTime::now()).map_err(|error| error.to_string())
    }

    #[test]
    fn damaged_directory_is_noticed_and_a_whole_one_kept() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::make(folder.path()).unwrap();
        let made = keep(&layout).unwrap();
        let provider = &made.providers[0];
        let (store, signing) = (layout.store(), &provider.signing[4]);
        for path in [
            &layout.pki("root.crt"),
            &layout.pki("issuer.key"),
            &layout.pki("issuer.crl"),
            &layout.pki("server.key"),
            &layout.pki("identity.key"),
            &layout.operator_token(),
            &provider.certificate,
            &provider.key,
            &provider.batch.as_ref().unwrap().certificate,
            &signing.certificate,
            &signing.key,
            &store,
        ] {
            let whole = fs::read(path).unwrap();
            for damage in [None, Some("garbage")] {
                match damage {
                    None => fs::remove_file(path).unwrap(),
                    Some(text) => files::write(path, text).unwrap(),
                }
                let refused = keep(&layout).unwrap_err();
                let named = refused.starts_with(&format!("{} is damaged: ", path.display()));
                assert!(named && refused.ends_with("; remove the directory to begin anew"), "{refused}");
                assert!(damage.is_some() || !path.exists(), "{} was made anew", path.display());
            }
            files::write(path, whole).unwrap();
        }
        // Another one's certificate.
        let whole = fs::read(&signing.certificate).unwrap();
        fs::copy(&provider.signing[0].certificate, &signing.certificate).unwrap();
        assert!(keep(&layout).is_err());
        files::write(&signing.certificate, whole).unwrap();
        // A store in which nobody is enrolled.
        fs::rename(&store, folder.path().join("aside")).unwrap();
        drop(Store::open(&store).unwrap());
        let refused = keep(&layout).unwrap_err();
        assert!(refused.contains("irgw.sqlite is damaged: kowhai-payroll's"), "{refused}");
        fs::rename(folder.path().join("aside"), &store).unwrap();
        assert_eq!(keep(&layout).unwrap().providers[0].common_name, provider.common_name);
        // Who was revoked is still known.
        Store::open(&store).unwrap().revoke_client_cert(&provider.common_name, UnixTime::now()).unwrap();
        assert!(keep(&layout).is_ok());
    }
}
