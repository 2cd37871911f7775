//! How fast somebody may guess (OA-18, C24, C26).
//!
//! A browser in which the customer has logged in before is counted by itself: what strangers fail at, from however many
//! addresses, does not make it wait. An attempt during a wait is neither made nor counted.

use std::net::IpAddr;
use std::time::Duration;

use irgw_core::UnixTime;

use super::AuthorizationServer;
use crate::Unavailable;
use crate::customers::{Subject, account};
use crate::opaque::Digest;

/// Under what failures of one attempt are counted.
pub(super) struct Throttle(Vec<Bound>);

struct Bound {
    key: Digest,
    /// So many failures make nobody wait; each one more doubles the wait.
    free: u32,
    longest_secs: u64,
    /// Forgotten when the customer succeeds; what others failed at stays.
    is_own: bool,
}

impl Throttle {
    /// For a password, from a browser that is not known: by account and address, by account, by address.
    pub(super) fn of_password(user_id: &str, address: IpAddr) -> Throttle {
        let (account, network) = (account(user_id), network(address));
        Throttle(vec![
            Bound::own(&format!("login {account}\0{network}"), 5, 60),
            Bound::shared(&format!("account {account}"), 50, 1),
            Bound::shared(&format!("address {network}"), 100, 10),
        ])
    }

    /// For a password, from a browser in which this customer has logged in before.
    pub(super) fn of_known_browser(browser: &str, address: IpAddr) -> Throttle {
        Throttle(vec![
            Bound::own(&format!("known {browser}"), 5, 60),
            Bound::shared(&format!("address {}", network(address)), 100, 10),
        ])
    }

    /// For a one-time password: whoever gets here knows the password, so the account's own bound is the narrow one.
    pub(super) fn of_code(subject: &Subject, address: IpAddr) -> Throttle {
        Throttle(vec![
            Bound::own(&format!("code {subject}"), 20, 60),
            Bound::shared(&format!("address {}", network(address)), 100, 10),
        ])
    }
}

impl Bound {
    fn own(key: &str, free: u32, longest_secs: u64) -> Bound {
        Bound { key: Digest::of(key), free, longest_secs, is_own: true }
    }

    fn shared(key: &str, free: u32, longest_secs: u64) -> Bound {
        Bound { is_own: false, ..Bound::own(key, free, longest_secs) }
    }
}

/// An IPv6 network of 64 bits counts as one address.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            address.segments().get(..4).map(|network| format!("{network:x?}")).unwrap_or_default()
        }
    }
}

impl AuthorizationServer {
    /// Whether an attempt may be made now.
    pub(super) fn may_try(&self, throttle: &Throttle, now: UnixTime) -> Result<bool, Unavailable> {
        for Bound { key, free, longest_secs, .. } in &throttle.0 {
            let attempts = self.state.grants.attempts(key, now)?;
            let over = attempts.failures.saturating_sub(*free);
            if over == 0 {
                // Also where the last failure, on a node whose clock is ahead of this one's, is still to come.
                continue;
            }
            let wait_secs = (1 << over.min(16)).min(*longest_secs);
            if now.as_secs() < attempts.last.saturating_add(wait_secs) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn note_failure(&self, throttle: &Throttle, now: UnixTime) -> Result<(), Unavailable> {
        let keys: Vec<_> = throttle.0.iter().map(|bound| bound.key).collect();
        self.state.grants.note_failure(&keys, WINDOW, now)
    }

    /// Forgets what the customer failed at here.
    pub(super) fn forgive(&self, throttle: &Throttle) -> Result<(), Unavailable> {
        let mut own = throttle.0.iter().filter(|bound| bound.is_own);
        own.try_for_each(|bound| self.state.grants.forget_failures(&bound.key))
    }
}

/// How long a failure is remembered.
const WINDOW: Duration = Duration::from_secs(900);
