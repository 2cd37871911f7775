//! What refresh tokens are tried with: families in the environment's own store, and a client that asks over HTTPS.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use irgw_core::{ClientId, Logon, TokenFamily, UnixTime};
use irgw_oauth::customers::Subject;
use irgw_oauth::grants::{
    Authorisation, Authorised, CODE_LIFETIME, CONSENT_LIFETIME, Code, Consent, Grants, Redemption,
};
use irgw_oauth::opaque::{CODE_CHARS, Digest, NAME_CHARS, REFRESH_TOKEN_CHARS, draw};
use irgw_store::{Page, Store};
use irgw_tests::{Client, Dev, Local};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;

use crate::Result;
use crate::tools::{PATIENCE, Tls, field, provider, read_head};

/// Limits that a race does not reach.
pub(crate) const LIMITS: &str =
    "[limits]\nrequests_per_second = 1000000\nburst = 1000000\nrequests_under_way = 1000\n";

/// How many rounds a trial makes: so many, or what `IRGW_ROUNDS` says.
pub(crate) fn rounds(usual: u32) -> Result<u32> {
    match std::env::var("IRGW_ROUNDS") {
        Ok(text) => Ok(text.parse().map_err(|_| format!("IRGW_ROUNDS is a number, and not {text:?}"))?),
        Err(_) => Ok(usual),
    }
}

/// The cloud client of the environment's first provider.
pub(crate) fn cloud_client(dev: &Dev) -> Result<&Client> {
    let found = provider(dev, 0)?.clients.iter().find(|client| client.kind == irgw_core::ClientKind::Cloud);
    found.ok_or_else(|| "the environment has no cloud client".into())
}

/// The environment's store, opened beside its gateways.
pub(crate) struct Families {
    pub(crate) store: Store,
    client: ClientId,
    redirect_uri: String,
    subject: Subject,
    logon: Logon,
}

impl Families {
    /// For the cloud client of the first provider, and the first customer.
    pub(crate) fn of(local: &Local) -> Result<Families> {
        Families::on(local.dev(), Store::open_existing(&local.folder().join("irgw.sqlite"))?)
    }

    /// The same in another store, where they are enrolled too.
    pub(crate) fn on(dev: &Dev, store: Store) -> Result<Families> {
        let client = cloud_client(dev)?;
        let customers = store.list_customers(&Page::first(1)?)?;
        let customer = customers.items.into_iter().next().ok_or("the environment has no customer")?;
        Ok(Families {
            store,
            client: client.client_id.parse()?,
            redirect_uri: client.redirect_uris.first().ok_or("the client has no redirect URI")?.clone(),
            subject: customer.subject,
            logon: customer.user_id,
        })
    }

    /// Begins a family, as the pages and the token endpoint do; its refresh token.
    pub(crate) fn begin(&self) -> Result<String> {
        let now = UnixTime::now();
        let later = |span: Duration| UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + span);
        let (code, refresh) = (draw(CODE_CHARS)?, draw(REFRESH_TOKEN_CHARS)?);
        let consent =
            Consent { client: self.client.clone(), since: now, expires_at: later(CONSENT_LIFETIME) };
        let authorisation = Authorisation {
            digest: Digest::of(code.expose()),
            code: Code {
                client: self.client.clone(),
                subject: self.subject.clone(),
                logon: self.logon.clone(),
                redirect_uri: self.redirect_uri.clone(),
                challenge: None,
                expires_at: later(CODE_LIFETIME),
                family: None,
            },
            consent: Some(consent),
            transaction: (Digest::of(draw(NAME_CHARS)?.expose()), later(CODE_LIFETIME)),
        };
        if self.store.authorise(&authorisation, now)? != Authorised::Yes {
            return Err("the code was not kept".into());
        }
        let family: TokenFamily = draw(NAME_CHARS)?.expose().parse()?;
        let redemption = Redemption {
            code: Digest::of(code.expose()),
            client: self.client.clone(),
            redirect_uri: self.redirect_uri.clone(),
            challenge: None,
            family,
            refresh: Some(Digest::of(refresh.expose())),
        };
        self.store.redeem(&redemption, now)??;
        Ok(refresh.expose().clone())
    }

    /// What the database says of a refresh token.
    pub(crate) fn state(&self, token: &str) -> Result<State> {
        let found = self.store.refresh_token(&Digest::of(token))?;
        Ok(match found {
            None => State::Missing,
            Some(found) if found.is_revoked => State::Revoked,
            Some(found) if found.spent_at.is_some() => State::Spent,
            Some(_) => State::Live,
        })
    }
}

/// How a refresh token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Missing,
    Live,
    /// It has a successor.
    Spent,
    /// Its family is revoked.
    Revoked,
}

/// One connection to an authorization server, as the cloud client.
pub(crate) struct Asker {
    stream: Tls,
    authority: String,
    credentials: String,
}

impl Asker {
    pub(crate) fn connect(dev: &Dev) -> Result<Asker> {
        let listener = &dev.listeners.desktop;
        let client = cloud_client(dev)?;
        let authority = listener.base_url.trim_start_matches("https://").to_owned();
        let port: u16 = authority.rsplit(':').next().unwrap_or_default().parse()?;
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(&listener.ca_file)?;
        roots.add_parsable_certificates(certificates.collect::<std::result::Result<Vec<_>, _>>()?);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?;
        let socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        // Secrets are of unreserved characters, and stand in a form as they are.
        let credentials = format!("client_id={}&client_secret={}", client.client_id, client.client_secret);
        Ok(Asker { stream: StreamOwned::new(connection, socket), authority, credentials })
    }

    /// Exchanges a refresh token: the status, and the members of the answer.
    pub(crate) fn refresh(&mut self, token: &str) -> Result<(u16, Value)> {
        self.post("token", &format!("grant_type=refresh_token&refresh_token={token}"))
    }

    /// Asks whether a token is live.
    pub(crate) fn is_active(&mut self, token: &str) -> Result<bool> {
        let (_, answer) = self.post("introspect", &format!("token={token}"))?;
        Ok(answer.get("active").and_then(Value::as_bool).unwrap_or_default())
    }

    /// Posts a form to an endpoint, with the client's credentials: the status, and the members of the answer.
    pub(crate) fn post(&mut self, endpoint: &str, form: &str) -> Result<(u16, Value)> {
        let (authority, body) = (&self.authority, format!("{form}&{}", self.credentials));
        let request = format!(
            "POST /gateway3/oauth/{endpoint} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes())?;
        self.stream.flush()?;
        let head = read_head(&mut self.stream)?;
        let length = field(&head, "content-length").ok_or_else(|| format!("no length: {head}"))?;
        let mut body = vec![0; length.parse()?];
        self.stream.read_exact(&mut body)?;
        let status = head.split(' ').nth(1).unwrap_or_default().parse()?;
        // A revocation is answered by nothing.
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? };
        Ok((status, body))
    }
}

/// A text member of an answer.
pub(crate) fn text_of<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer.get(name).and_then(Value::as_str).unwrap_or_default()
}
