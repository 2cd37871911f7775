//! The demo customers and OAuth clients: whom a developer logs in as, and what asks for it (OA-2, OA-7).

use irgw_core::{ClientKind, Environment, ProviderId, Secret, UnixTime};
use irgw_oauth::customers::Subject;
use irgw_oauth::opaque::{self, Digest, SECRET_CHARS};
use irgw_oauth::password;
use irgw_oauth::signing::Algorithm;
use irgw_oauth::totp::KEY_BYTES;
use irgw_oauth::vault::Vault;
use irgw_store::{NewClient, NewCustomer, Store};

use super::DevError;
use super::manifest::{Client, Customer};
use super::parties::random;

/// The applications of one provider, registered: one in the cloud, one native.
pub(super) fn clients(
    store: &Store,
    provider: &str,
    name: &str,
    environment: Environment,
    now: UnixTime,
) -> Result<Vec<Client>, DevError> {
    let domain = provider.split('-').next().unwrap_or(provider);
    let cloud =
        vec![format!("https://app.{domain}.example.nz/callback"), "https://localhost:8443/callback".into()];
    let native = vec!["http://127.0.0.1/callback".to_owned(), format!("nz.example.{domain}.app:/callback")];
    let kinds = [(ClientKind::Cloud, "", cloud), (ClientKind::Native, " Desktop", native)];
    kinds
        .into_iter()
        .map(|(kind, suffix, redirect_uris)| {
            let secret = opaque::draw(SECRET_CHARS).map_err(|_| DevError::Random)?;
            let id = format!("{provider}-{kind}");
            let new = NewClient {
                id: id.parse().expect("the demo's ids are well-formed"),
                provider: ProviderId::new(provider).expect("the demo's ids are well-formed"),
                environment,
                name: format!("{name}{suffix}"),
                kind,
                algorithm: Algorithm::default(),
                redirect_uris: redirect_uris.clone(),
                secret: Digest::of(secret.expose()),
            };
            store.add_client(&new, now)?;
            Ok(Client { client_id: id, client_secret: secret.expose().clone(), kind, redirect_uris })
        })
        .collect()
}

/// Three customers: two with a password alone, one with one-time passwords as well (RFC 6238).
pub(super) fn customers(store: &Store, vault: &Vault, now: UnixTime) -> Result<Vec<Customer>, DevError> {
    let demo = [
        ("tui.customer", "Tūī Customer", false),
        ("kea.customer", "Kea Customer", false),
        ("moa.customer", "Moa Customer", true),
    ];
    demo.into_iter()
        .map(|(user_id, name, has_totp)| {
            let password = opaque::draw(16).map_err(|_| DevError::Random)?;
            let subject = Subject::from_random(random()?);
            let new = NewCustomer {
                subject: subject.clone(),
                user_id: user_id.parse().expect("the demo's user ids are well-formed"),
                name: name.to_owned(),
                password: password::hash(&password).map_err(|_| DevError::Random)?,
            };
            store.add_customer(&new, now)?;
            let totp_secret = match has_totp {
                true => {
                    let key = Secret::new(random::<KEY_BYTES>()?.to_vec());
                    store.set_totp(vault, &subject, &key)?;
                    Some(irgw_oauth::totp::to_base32(&key))
                }
                false => None,
            };
            Ok(Customer { user_id: user_id.to_owned(), password: password.expose().clone(), totp_secret })
        })
        .collect()
}
