//! State in which something is found of everything: two clients, a customer, a code, a refresh token, a login.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use irgw_core::{ClientId, ClientKind, Logon, Secret, TokenFamily, UnixTime};
use irgw_oauth::customers::{Customer, Customers, SecondStep, Subject};
use irgw_oauth::grants::{
    Attempts, Authorisation, Authorised, CodeFault, Consent, Granted, Grants, Redemption, RefreshFault,
    RefreshToken, Revocations, Session,
};
use irgw_oauth::opaque::Digest;
use irgw_oauth::registration::{Client, Clients, RedirectUri};
use irgw_oauth::server::{ConsentPage, Settings, State};
use irgw_oauth::signing::{Algorithm, Keyring, Keys, SigningKey, TimedKey};
use irgw_oauth::vault::Vault;
use irgw_oauth::{AccessTokens, AuthorizationServer, Unavailable};

/// What every link of the server's begins with.
pub const ISSUER: &str = "https://localhost/gateway3/oauth/";
/// Where the clients' answers go.
pub const REDIRECTS: [&str; 2] = ["https://kowhai.example/callback", "nz.example.weka:/callback"];
/// The secret of the cloud client `kowhai`; the native one is `weka`.
pub const SECRET: &str = "a-client-secret";

/// The server, made once: its key is drawn.
pub fn server() -> &'static AuthorizationServer {
    static SERVER: OnceLock<AuthorizationServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let settings = Settings {
            issuer: ISSUER.into(),
            audience: "https://localhost/gateway/".into(),
            grace: Duration::from_secs(10),
            consent: ConsentPage::Shown,
        };
        let state = Arc::new(Found::new());
        let tokens = AccessTokens::new(ISSUER.into(), settings.audience.clone(), state.clone(), 0);
        let state = State {
            clients: state.clone(),
            customers: state.clone(),
            grants: state.clone(),
            revocations: state.clone(),
            keys: state,
            tokens: Arc::new(tokens),
            vault: Arc::new(Vault::new(&[7; 32])),
        };
        AuthorizationServer::new(settings, state)
    })
}

#[derive(Debug)]
struct Found {
    keyring: Arc<Keyring>,
    clients: [Arc<Client>; 2],
    family: TokenFamily,
    logon: Logon,
}

impl Found {
    fn new() -> Found {
        let (key, _) = SigningKey::generate().expect("the system gives randomness");
        let key = TimedKey { key, signs_from: at(0), verifies_until: None };
        let [cloud, native] = REDIRECTS;
        let client = |id: &str, kind, uri, secrets| {
            Arc::new(Client {
                id: id.parse().expect("an id"),
                provider: "kowhai".parse().expect("an id"),
                provider_name: "Kōwhai <Payroll>".into(),
                name: "Kōwhai & Co".into(),
                kind,
                redirect_uris: vec![RedirectUri::register(uri, kind).expect("an allowed URI")],
                secrets,
                algorithm: Algorithm::Es256,
            })
        };
        Found {
            keyring: Arc::new(Keyring::new(vec![key])),
            clients: [
                client("kowhai", ClientKind::Cloud, cloud, vec![Digest::of(SECRET)]),
                client("weka", ClientKind::Native, native, Vec::new()),
            ],
            family: "a-family".parse().expect("an id"),
            logon: "ana.tui".parse().expect("an id"),
        }
    }

    fn granted(&self) -> Granted {
        Granted { subject: subject(), logon: self.logon.clone(), family: self.family.clone() }
    }
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn subject() -> Subject {
    Subject::from_random([7; 16])
}

/// After everything that is asked about.
fn later(now: UnixTime) -> UnixTime {
    at(now.as_secs() + 600)
}

impl Keys for Found {
    fn keyring(&self) -> Arc<Keyring> {
        self.keyring.clone()
    }
}

impl Clients for Found {
    fn client(&self, id: &str) -> Option<Arc<Client>> {
        self.clients.iter().find(|client| client.id.as_str() == id).cloned()
    }
}

impl Revocations for Found {
    fn is_family_revoked(&self, _: &TokenFamily) -> bool {
        false
    }

    fn is_token_revoked(&self, jti: &str) -> bool {
        jti.ends_with("revoked")
    }
}

impl Customers for Found {
    fn log_in(&self, user_id: &str, password: &Secret<String>) -> Result<Option<Customer>, Unavailable> {
        let found = self.customer(&subject())?;
        Ok(found.filter(|customer| user_id == customer.logon.as_str() && password.expose() == "password"))
    }

    fn customer(&self, _: &Subject) -> Result<Option<Customer>, Unavailable> {
        let (logon, name) = (self.logon.clone(), "Ana <Tui>".to_owned());
        Ok(Some(Customer { subject: subject(), logon, name, second_step: SecondStep::Totp }))
    }

    fn totp_key(&self, _: &Subject) -> Result<Option<Secret<Vec<u8>>>, Unavailable> {
        Ok(Some(Secret::new(vec![7; 20])))
    }
}

/// A code `code`, a refresh token `refresh`, and a login behind every cookie.
impl Grants for Found {
    fn authorise(&self, _: &Authorisation, _: UnixTime) -> Result<Authorised, Unavailable> {
        Err(Unavailable::new("nothing is kept"))
    }

    fn redeem(
        &self,
        redemption: &Redemption,
        _: UnixTime,
    ) -> Result<Result<Granted, CodeFault>, Unavailable> {
        let is_known = redemption.code == Digest::of("code");
        Ok(if is_known { Ok(self.granted()) } else { Err(CodeFault::Unknown) })
    }

    fn refresh(
        &self,
        presented: &Digest,
        _: &ClientId,
        _: &Digest,
        _: Duration,
        _: UnixTime,
    ) -> Result<Result<Granted, RefreshFault>, Unavailable> {
        let is_known = *presented == Digest::of("refresh");
        Ok(if is_known { Ok(self.granted()) } else { Err(RefreshFault::Unknown) })
    }

    fn refresh_token(&self, token: &Digest) -> Result<Option<RefreshToken>, Unavailable> {
        let found = RefreshToken {
            family: self.family.clone(),
            client: self.clients[0].id.clone(),
            subject: subject(),
            logon: self.logon.clone(),
            expires_at: at(u64::MAX),
            spent_at: None,
            is_revoked: false,
        };
        Ok((*token == Digest::of("refresh")).then_some(found))
    }

    fn revoke_refresh_token(
        &self,
        token: &Digest,
        _: &ClientId,
        _: UnixTime,
    ) -> Result<Option<TokenFamily>, Unavailable> {
        Ok((*token == Digest::of("refresh")).then(|| self.family.clone()))
    }

    fn revoke_access_token(&self, _: &str, _: UnixTime, _: UnixTime) -> Result<(), Unavailable> {
        Ok(())
    }

    fn consents(&self, _: &Subject, now: UnixTime) -> Result<Vec<Consent>, Unavailable> {
        let client = self.clients[0].id.clone();
        Ok(vec![Consent { client, since: at(0), expires_at: later(now) }])
    }

    fn withdraw(&self, _: &Subject, _: &ClientId, _: UnixTime) -> Result<bool, Unavailable> {
        Ok(true)
    }

    fn begin_session(&self, _: &Digest, _: &Session, _: UnixTime) -> Result<(), Unavailable> {
        Ok(())
    }

    fn session(&self, _: &Digest, now: UnixTime) -> Result<Option<Session>, Unavailable> {
        Ok(Some(Session { subject: subject(), logon: self.logon.clone(), expires_at: later(now) }))
    }

    fn end_session(&self, _: &Digest) -> Result<(), Unavailable> {
        Ok(())
    }

    fn spend(&self, _: &Digest, _: UnixTime, _: UnixTime) -> Result<bool, Unavailable> {
        Ok(true)
    }

    fn attempts(&self, _: &Digest, _: UnixTime) -> Result<Attempts, Unavailable> {
        Ok(Attempts::default())
    }

    fn note_failure(&self, _: &[Digest], _: Duration, _: UnixTime) -> Result<(), Unavailable> {
        Ok(())
    }

    fn forget_failures(&self, _: &Digest) -> Result<(), Unavailable> {
        Ok(())
    }
}
