//! A token bucket for each provider, so that one's load does not hurt another's (GW-4).

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use irgw_core::ProviderId;

/// Who is charged for a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Payer {
    /// A provider: one bucket over all its connections.
    Provider(ProviderId),
    /// An address, where no certificate names a provider.
    Address(IpAddr),
}

/// The buckets.
#[derive(Debug)]
pub(crate) struct Throttle {
    buckets: RateLimiter<Payer, HashMapStateStore<Payer>, MonotonicClock>,
    clock: MonotonicClock,
    charges: AtomicUsize,
}

/// Full buckets are forgotten after so many charges: strangers' addresses cannot fill the memory.
const SWEEP_CHARGES: usize = 100_000;

impl Throttle {
    /// Buckets that hold `burst` requests and are refilled by `per_second`; both at least one.
    pub(crate) fn new(per_second: u32, burst: u32) -> Throttle {
        let at_least_one = |value| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        let buckets = RateLimiter::new(quota, HashMapStateStore::default(), MonotonicClock);
        Throttle { buckets, clock: MonotonicClock, charges: AtomicUsize::new(0) }
    }

    /// Charges one request.
    ///
    /// # Errors
    /// When the bucket is empty: how long until the next request fits.
    pub(crate) fn charge(&self, payer: &Payer) -> Result<(), Duration> {
        if self.charges.fetch_add(1, Ordering::Relaxed) % SWEEP_CHARGES == SWEEP_CHARGES - 1 {
            self.buckets.retain_recent();
        }
        self.buckets.check_key(payer).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_bucket_refuses_its_payer_alone() {
        let throttle = Throttle::new(1, 3);
        let greedy = Payer::Provider("greedy".parse().unwrap());
        let modest = Payer::Provider("modest".parse().unwrap());
        for _ in 0..3 {
            assert_eq!(throttle.charge(&greedy), Ok(()));
        }
        let wait = throttle.charge(&greedy).unwrap_err();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert_eq!(throttle.charge(&modest), Ok(()));
    }
}
