//! When a delivery that failed is tried again (SFTP-4, E16).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use irgw_core::ProviderId;

/// How long deliveries pause after failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    /// After the first failure.
    pub first: Duration,
    /// At most, however often it fails.
    pub longest: Duration,
}

impl Pauses {
    /// The pause after so many failures in a row: twice the one before, by chance a half less to a half more, so that
    /// what failed together is not tried together. `chance` is from 0 to 1.
    pub(crate) fn after(&self, failures: u32, chance: f64) -> Duration {
        let doubled =
            self.first.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
        doubled.min(self.longest).mul_f64(0.5 + chance.clamp(0.0, 1.0))
    }
}

/// The servers that cannot be reached: while one rests, nothing else is tried there.
#[derive(Debug, Default)]
pub(crate) struct Breakers(HashMap<ProviderId, Breaker>);

#[derive(Debug)]
struct Breaker {
    failures: u32,
    rests_until: Instant,
}

impl Breakers {
    /// A server answered.
    pub(crate) fn close(&mut self, provider: &ProviderId) {
        self.0.remove(provider);
    }

    /// A server could not be reached, and its delivery pauses until `until`: after the third time in a row so do its others.
    pub(crate) fn note(&mut self, provider: &ProviderId, until: Instant) {
        let breaker = self.0.entry(provider.clone()).or_insert(Breaker { failures: 0, rests_until: until });
        breaker.failures = breaker.failures.saturating_add(1);
        breaker.rests_until = until;
    }

    /// The providers whose servers rest.
    pub(crate) fn resting(&self, now: Instant) -> impl Iterator<Item = &ProviderId> {
        let rests = move |breaker: &Breaker| breaker.failures >= OPENS_AFTER && breaker.rests_until > now;
        self.0.iter().filter(move |(_, breaker)| rests(breaker)).map(|(provider, _)| provider)
    }
}

const OPENS_AFTER: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses = Pauses { first: Duration::from_secs(5), longest: Duration::from_secs(900) };
        let middle: Vec<_> = (1..=10).map(|failures| pauses.after(failures, 0.5).as_secs()).collect();
        assert_eq!(middle, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!(pauses.after(1, 0.0), Duration::from_millis(2500));
        assert_eq!(pauses.after(1, 1.0), Duration::from_millis(7500));
        assert_eq!(pauses.after(u32::MAX, 0.5), pauses.longest);
    }

    /// E16: a server that is away is not asked for each of its sets.
    #[test]
    fn server_rests_after_the_third_failure_in_a_row() {
        let (mut breakers, now) = (Breakers::default(), Instant::now());
        let (away, other): (ProviderId, ProviderId) = ("p".parse().unwrap(), "q".parse().unwrap());
        let resting = |breakers: &Breakers, at| breakers.resting(at).cloned().collect::<Vec<_>>();
        let later = now + Duration::from_secs(60);
        breakers.note(&other, later);
        for expected in [false, false, true] {
            breakers.note(&away, later);
            assert_eq!(resting(&breakers, now).contains(&away), expected);
        }
        assert_eq!(resting(&breakers, now), std::slice::from_ref(&away));
        assert_eq!(resting(&breakers, later), []);
        breakers.close(&away);
        assert_eq!(resting(&breakers, now), []);
    }
}
