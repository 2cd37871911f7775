//! What one provider may ask for: a rate, and requests at once, so that one's load does not hurt another's (GW-4).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use governor::clock::{Clock, MonotonicClock};
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use irgw_core::ProviderId;

/// Who is charged for a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Payer {
    /// A provider: one account over all its connections.
    Provider(ProviderId),
    /// An address, where no certificate names a provider.
    Address(IpAddr),
}

impl Payer {
    /// Who comes from `address`, whoever that is.
    pub(crate) fn at(address: IpAddr) -> Payer {
        Payer::Address(neighbourhood(address))
    }
}

/// An address as one party: an IPv6 subscriber has a whole /64 to call from.
pub(crate) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

/// The accounts.
#[derive(Debug)]
pub(crate) struct Throttle {
    quota: Quota,
    at_once: usize,
    accounts: RwLock<HashMap<Payer, Arc<Account>>>,
    began: Instant,
    charges: AtomicUsize,
}

#[derive(Debug)]
struct Account {
    bucket: RateLimiter<NotKeyed, InMemoryState, MonotonicClock>,
    under_way: AtomicUsize,
    /// Seconds since the throttle began.
    used: AtomicU64,
}

/// Full accounts are forgotten after so many charges: strangers' addresses cannot fill the memory.
const SWEEP_CHARGES: usize = 100_000;

/// Why a request is too much, and when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooMuch {
    /// The bucket is empty until then.
    Rate(Duration),
    /// So many requests are under way.
    AtOnce(usize),
}

impl TooMuch {
    /// How long to wait.
    pub(crate) fn wait(self) -> Duration {
        match self {
            TooMuch::Rate(wait) => wait,
            TooMuch::AtOnce(_) => Duration::from_secs(1),
        }
    }
}

impl std::fmt::Display for TooMuch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TooMuch::Rate(_) => f.write_str("the caller's rate limit is used up"),
            TooMuch::AtOnce(limit) => write!(f, "{limit} requests of the caller are under way"),
        }
    }
}

impl std::error::Error for TooMuch {}

/// A request that was charged, under way until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Arc<Account>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Throttle {
    /// Buckets that hold `burst` requests and are refilled by `per_second`, both at least one; and `at_once` requests
    /// under way.
    pub(crate) fn new(per_second: u32, burst: u32, at_once: usize) -> Throttle {
        let at_least_one = |value| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        let (accounts, charges) = (RwLock::default(), AtomicUsize::new(0));
        Throttle { quota, at_once, accounts, began: Instant::now(), charges }
    }

    /// Charges one request.
    ///
    /// # Errors
    /// When the rate or the number at once is used up.
    pub(crate) fn charge(&self, payer: &Payer) -> Result<Turn, TooMuch> {
        if self.charges.fetch_add(1, Ordering::Relaxed) % SWEEP_CHARGES == SWEEP_CHARGES - 1 {
            self.sweep();
        }
        let account = self.account(payer);
        account.used.store(self.began.elapsed().as_secs(), Ordering::Relaxed);
        let clock = MonotonicClock;
        account.bucket.check().map_err(|until| TooMuch::Rate(until.wait_time_from(clock.now())))?;
        let before = account.under_way.fetch_add(1, Ordering::Relaxed);
        let turn = Turn(account);
        if before < self.at_once { Ok(turn) } else { Err(TooMuch::AtOnce(self.at_once)) }
    }

    fn account(&self, payer: &Payer) -> Arc<Account> {
        let known = self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(payer).cloned();
        known.unwrap_or_else(|| {
            let bucket = RateLimiter::direct_with_clock(self.quota, MonotonicClock);
            let fresh = Account { bucket, under_way: AtomicUsize::new(0), used: AtomicU64::new(0) };
            let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
            accounts.entry(payer.clone()).or_insert_with(|| Arc::new(fresh)).clone()
        })
    }

    /// Forgets the accounts whose bucket is full again and that nobody holds.
    fn sweep(&self) {
        let refilled = self.quota.burst_size_replenished_in().as_secs() + 1;
        let now = self.began.elapsed().as_secs();
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        accounts.retain(|_, account| {
            Arc::strong_count(account) > 1 || now < account.used.load(Ordering::Relaxed) + refilled
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(name: &str) -> Payer {
        Payer::Provider(name.parse().unwrap())
    }

    #[test]
    fn empty_bucket_refuses_its_payer_alone() {
        let throttle = Throttle::new(1, 3, 100);
        let (greedy, modest) = (provider("greedy"), provider("modest"));
        for _ in 0..3 {
            assert!(throttle.charge(&greedy).is_ok());
        }
        let wait = throttle.charge(&greedy).unwrap_err().wait();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert!(throttle.charge(&modest).is_ok());
    }

    /// D19: who keeps many requests open cannot have them all.
    #[test]
    fn requests_at_once_are_bounded_until_one_ends() {
        let throttle = Throttle::new(1000, 1000, 2);
        let (greedy, modest) = (provider("greedy"), provider("modest"));
        let mut turns = vec![throttle.charge(&greedy).unwrap(), throttle.charge(&greedy).unwrap()];
        assert_eq!(throttle.charge(&greedy).unwrap_err(), TooMuch::AtOnce(2));
        assert!(throttle.charge(&modest).is_ok());
        turns.pop();
        assert!(throttle.charge(&greedy).is_ok());
    }

    #[test]
    fn neighbours_in_one_ipv6_network_share_an_account() {
        let throttle = Throttle::new(1, 1, 100);
        let at = |text: &str| Payer::at(text.parse().unwrap());
        assert!(throttle.charge(&at("2001:db8::1")).is_ok());
        assert!(throttle.charge(&at("2001:db8::ffff")).is_err());
        assert!(throttle.charge(&at("2001:db8:0:1::1")).is_ok());
        assert_eq!(at("::ffff:192.0.2.7"), at("192.0.2.7"));
    }

    #[test]
    fn sweep_keeps_what_is_in_use() {
        let throttle = Throttle::new(1000, 1, 100);
        let turn = throttle.charge(&provider("held")).unwrap();
        throttle.sweep();
        assert_eq!(throttle.accounts.read().unwrap().len(), 1);
        drop(turn);
    }
}
