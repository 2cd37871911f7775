//! The registry: what enrolment says, in memory, for every request to read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use irgw_core::{ClientId, Environment, Links, Logon, Missing, OwnerId, ProviderId, Thumbprint, TokenFamily};
use irgw_m2m::{Credential, SigningCerts};
use irgw_oauth::grants::Revocations;
use irgw_oauth::registration::{Client, Clients};
use irgw_tls::{Enrolment, Enrolments};

use crate::revision::Revision;
use crate::snapshot::Snapshot;
use crate::sql::Transaction;
use crate::{Error, Store};

/// What enrolment says about one environment, in memory.
///
/// A look-up reads one immutable snapshot: no lock, no I/O, and a cost that does not grow with what is enrolled. A change
/// makes the next snapshot, which shares all it can with the one before. A credential takes about 700 bytes (an elliptic
/// key) to 900 (RSA-2048), a revoked one or another environment's about 130.
#[derive(Debug)]
pub struct Registry {
    snapshot: ArcSwap<Snapshot>,
    /// Held while the next snapshot is made.
    refreshing: Mutex<()>,
    loaded: Instant,
    /// When the database last said that the snapshot is the newest: nanoseconds since `loaded`.
    confirmed: AtomicU64,
}

impl Registry {
    /// Reads all that is enrolled, to serve `environment`.
    ///
    /// # Errors
    /// Faults of the database.
    pub fn load(store: &Store, environment: Environment) -> Result<Arc<Registry>, Error> {
        let loaded = Instant::now();
        let snapshot = store.read(|transaction| Snapshot::load(transaction, environment))?;
        Ok(Arc::new(Registry {
            snapshot: ArcSwap::from_pointee(snapshot),
            refreshing: Mutex::new(()),
            loaded,
            confirmed: AtomicU64::new(0),
        }))
    }

    /// Reads what changed since the last time, and nothing else.
    ///
    /// # Errors
    /// Faults of the database; the registry then still says what it said before.
    pub fn refresh(&self, store: &Store) -> Result<Refreshed, Error> {
        store.read(|transaction| self.refresh_in(transaction))
    }

    /// The same, in the transaction that `transaction` is in.
    pub(crate) fn refresh_in(&self, transaction: &Transaction<'_>) -> Result<Refreshed, Error> {
        // Taken before the question, so that the answer is at least this fresh.
        let asked = Instant::now();
        let _one_at_a_time = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.snapshot.load();
        let stored = Revision::current(transaction)?;
        let refreshed = if stored == current.revision {
            Refreshed::Unchanged
        } else {
            let (next, rows) = if current.revision.precedes(transaction)? {
                current.advance(transaction)?
            } else {
                // Another history than ours: a copy was put back, so nothing that we know need be true.
                let next = Snapshot::load(transaction, current.environment)?;
                let rows = next.client_certs.len() + next.signing_certs.len();
                (next, rows)
            };
            self.snapshot.store(Arc::new(next));
            Refreshed::Changed { revision: stored.value, rows }
        };
        self.confirm(asked);
        Ok(refreshed)
    }

    /// Notes that the snapshot was the newest at `asked`.
    pub(crate) fn confirm(&self, asked: Instant) {
        let nanoseconds = asked.saturating_duration_since(self.loaded).as_nanos();
        self.confirmed.fetch_max(u64::try_from(nanoseconds).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long ago, at `now`, the database last confirmed that this is what is enrolled.
    ///
    /// Beyond `max_staleness` a node answers 503 rather than admit somebody who may be revoked (OA-16).
    pub fn staleness(&self, now: Instant) -> Duration {
        let confirmed = self.loaded + Duration::from_nanos(self.confirmed.load(Ordering::Relaxed));
        now.saturating_duration_since(confirmed)
    }

    /// The environment that is served.
    pub fn environment(&self) -> Environment {
        self.snapshot.load().environment
    }

    /// The revision of the last change that was read.
    pub fn revision(&self) -> u64 {
        self.snapshot.load().revision.value
    }

    /// How much there is.
    pub fn size(&self) -> Size {
        let snapshot = self.snapshot.load();
        Size {
            client_certs: snapshot.client_certs.len(),
            signing_certs: snapshot.signing_certs.len(),
            owners: snapshot.owners.len(),
            clients: snapshot.clients.len(),
            revocations: snapshot.revoked.len(),
        }
    }
}

impl Enrolments for Registry {
    fn by_common_name(&self, common_name: &str) -> Result<Arc<Enrolment>, Missing> {
        self.snapshot.load().client_certs.find(common_name).ok_or(Missing::Unknown)?.held()
    }
}

impl SigningCerts for Registry {
    fn by_sha256(&self, thumbprint: &Thumbprint) -> Result<Arc<Credential>, Missing> {
        self.snapshot.load().signing_certs.find(thumbprint).ok_or(Missing::Unknown)?.held()
    }

    fn by_sha1(&self, thumbprint: &[u8; 20]) -> Result<Arc<Credential>, Missing> {
        self.snapshot.load().by_sha1.find(thumbprint).ok_or(Missing::Unknown)?.held()
    }
}

impl Links for Registry {
    fn acts_for(&self, provider: &ProviderId, owner: &OwnerId) -> bool {
        let snapshot = self.snapshot.load();
        snapshot.owners.find(owner).is_some_and(|links| links.providers.binary_search(provider).is_ok())
    }

    fn has_logon(&self, owner: &OwnerId, logon: &Logon) -> bool {
        let snapshot = self.snapshot.load();
        snapshot.owners.find(owner).is_some_and(|links| links.logons.binary_search(logon).is_ok())
    }

    fn belongs_to(&self, client: &ClientId, provider: &ProviderId) -> bool {
        self.client(client.as_str()).is_some_and(|client| client.provider == *provider)
    }
}

impl Clients for Registry {
    fn client(&self, id: &str) -> Option<Arc<Client>> {
        self.snapshot.load().clients.find(id)?.held().ok()
    }
}

impl Revocations for Registry {
    fn is_family_revoked(&self, family: &TokenFamily) -> bool {
        self.snapshot.load().revoked.is_family_revoked(family)
    }

    fn is_token_revoked(&self, jti: &str) -> bool {
        self.snapshot.load().revoked.is_token_revoked(jti)
    }
}

/// What a refresh found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// Nothing had changed.
    Unchanged,
    /// Something had, and is in force now.
    Changed {
        /// The revision that was reached.
        revision: u64,
        /// How many rows were read.
        rows: usize,
    },
}

/// How much a registry holds, revoked credentials and those of other environments included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Common Names.
    pub client_certs: usize,
    /// Signing certificates.
    pub signing_certs: usize,
    /// Resource owners with links.
    pub owners: usize,
    /// OAuth clients.
    pub clients: usize,
    /// Families and access tokens that are revoked, in all environments, some of them beyond their time.
    pub revocations: usize,
}
