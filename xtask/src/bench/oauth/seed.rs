//! What the gateway's store is filled with: a client, customers, codes that can be redeemed, families that are live.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use irgw_core::{ClientId, ClientKind, Environment, Logon, ProviderId, TokenFamily, UnixTime};
use irgw_oauth::customers::Subject;
use irgw_oauth::grants::{
    Authorisation, Authorised, CODE_LIFETIME, CONSENT_LIFETIME, Code, Consent, Grants, Redemption,
};
use irgw_oauth::opaque::{CODE_CHARS, Digest, NAME_CHARS, REFRESH_TOKEN_CHARS, draw};
use irgw_oauth::signing::Algorithm;
use irgw_store::{Database, NewClient, NewCustomer, Store};

use super::super::pki;
use crate::Error;

/// The client's id, secret and redirect URI.
pub(super) const CLIENT: &str = "bench";
pub(super) const SECRET: &str = "bench-secret";
pub(super) const REDIRECT_URI: &str = "https://app.bench.example/callback";

/// How many customers the families belong to.
const CUSTOMERS: usize = 100;

/// Threads that fill the store: as many as may write together.
const WRITERS: usize = 32;

type Wrong = Box<dyn std::error::Error + Send + Sync>;

/// The store, with a client and customers.
pub(super) struct Seed {
    store: Store,
    client: ClientId,
    customers: Vec<Subject>,
    now: UnixTime,
}

impl Seed {
    /// Registers the client and the customers of the benchmark's provider.
    pub(super) fn open(database: &Database) -> Result<Seed, Error> {
        Seed::fill(database).map_err(Error::step("register the benchmark's client"))
    }

    fn fill(database: &Database) -> Result<Seed, Wrong> {
        let store = database.open()?;
        let now = pki::now()?;
        let client = ClientId::new(CLIENT)?;
        let new = NewClient {
            id: client.clone(),
            provider: ProviderId::new("bench")?,
            environment: Environment::Test,
            name: "Bench".into(),
            kind: ClientKind::Cloud,
            algorithm: Algorithm::default(),
            redirect_uris: vec![REDIRECT_URI.into()],
            secret: Digest::of(SECRET),
        };
        let subjects = (0..CUSTOMERS).map(|_| random_subject()).collect::<Result<Vec<_>, _>>()?;
        store.batch(|batch| {
            batch.add_client(&new, now)?;
            for (number, subject) in subjects.iter().enumerate() {
                let customer = NewCustomer {
                    subject: subject.clone(),
                    user_id: logon(number),
                    name: "Customer".into(),
                    // Nobody logs in.
                    password: "$argon2id$".into(),
                };
                batch.add_customer(&customer, now)?;
            }
            Ok(())
        })?;
        Ok(Seed { store, client, customers: subjects, now })
    }

    /// So many codes that were not redeemed.
    pub(super) fn codes(&self, count: usize) -> Result<Vec<String>, Error> {
        self.many(count, |number| self.code(number)).map_err(Error::step("make codes"))
    }

    /// The live refresh tokens of so many families.
    pub(super) fn families(&self, count: usize) -> Result<Vec<String>, Error> {
        self.many(count, |number| self.family(number)).map_err(Error::step("make families"))
    }

    /// The same, of customers whose consents [`Seed::withdraw`] leaves.
    pub(super) fn last_families(&self, count: usize) -> Result<Vec<String>, Error> {
        let last = |number| self.family(CUSTOMERS - 1 - number % (CUSTOMERS / 2));
        self.many(count, last).map_err(Error::step("make families"))
    }

    /// Withdraws the consents of the first customers, so that at least `count` families are revoked when each has `each`.
    pub(super) fn withdraw(&self, count: usize, each: usize) -> Result<(), Error> {
        let customers = self.customers.iter().take(count.div_ceil(each.max(1)));
        let withdraw = |subject| self.store.withdraw(subject, &self.client, self.now).map(drop);
        customers.into_iter().try_for_each(withdraw).map_err(Error::step("withdraw consents"))
    }

    /// How many families each customer has when there are so many.
    pub(super) fn each(families: usize) -> usize {
        families / CUSTOMERS
    }

    fn many(
        &self,
        count: usize,
        make: impl Fn(usize) -> Result<String, Wrong> + Sync,
    ) -> Result<Vec<String>, Wrong> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut made = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(made);
                }
                made.push(make(number)?);
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(work)).collect();
            let made = workers.into_iter().map(|worker| worker.join().expect("a worker does not panic"));
            Ok(made.collect::<Result<Vec<Vec<_>>, Wrong>>()?.concat())
        })
    }

    fn code(&self, number: usize) -> Result<String, Wrong> {
        let drawn = draw(CODE_CHARS)?;
        let subject = self.customers.get(number % CUSTOMERS).expect("there are so many customers").clone();
        let later =
            |span: Duration| UnixTime::since_unix_epoch(Duration::from_secs(self.now.as_secs()) + span);
        let consent =
            Consent { client: self.client.clone(), since: self.now, expires_at: later(CONSENT_LIFETIME) };
        let code = Code {
            client: self.client.clone(),
            subject,
            logon: logon(number % CUSTOMERS),
            redirect_uri: REDIRECT_URI.into(),
            challenge: None,
            // A run may take longer than a code's life.
            expires_at: later(CODE_LIFETIME * 60),
            family: None,
        };
        let transaction = (Digest::of(draw(NAME_CHARS)?.expose()), later(CODE_LIFETIME));
        let digest = Digest::of(drawn.expose());
        let authorisation = Authorisation { digest, code, consent: Some(consent), transaction };
        match self.store.authorise(&authorisation, self.now)? {
            Authorised::Yes => Ok(drawn.expose().clone()),
            other => Err(format!("the code was not kept: {other:?}").into()),
        }
    }

    fn family(&self, number: usize) -> Result<String, Wrong> {
        let code = self.code(number)?;
        let refresh = draw(REFRESH_TOKEN_CHARS)?;
        let family: TokenFamily = draw(NAME_CHARS)?.expose().parse()?;
        let redemption = Redemption {
            code: Digest::of(&code),
            client: self.client.clone(),
            redirect_uri: REDIRECT_URI.into(),
            challenge: None,
            family,
            refresh: Some(Digest::of(refresh.expose())),
        };
        self.store.redeem(&redemption, self.now)??;
        Ok(refresh.expose().clone())
    }
}

fn logon(number: usize) -> Logon {
    format!("customer-{number}").parse().expect("it is a well-formed logon")
}

fn random_subject() -> Result<Subject, Wrong> {
    let drawn = Digest::of(draw(NAME_CHARS)?.expose());
    let bytes = drawn.0.get(..16).and_then(|bytes| bytes.try_into().ok());
    Ok(Subject::from_random(bytes.expect("a digest has 32 bytes")))
}
