//! How many connections one listener holds at once, in all and of one address (D10, D19).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::throttle::neighbourhood;

/// A listener's connections.
#[derive(Debug)]
pub(crate) struct Crowd {
    slots: Arc<Semaphore>,
    of_one_address: usize,
    seats: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The room of one connection.
#[derive(Debug)]
pub(crate) struct Slot {
    _permit: OwnedSemaphorePermit,
}

impl Crowd {
    /// At most `limit` connections, and `of_one_address` from one address (an IPv6 address counts as its /64).
    pub(crate) fn new(limit: usize, of_one_address: usize) -> Crowd {
        let slots = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Crowd { slots, of_one_address, seats: Arc::default() }
    }

    /// Waits for room.
    pub(crate) async fn room(&self) -> Slot {
        let permit = self.slots.clone().acquire_owned().await;
        Slot { _permit: permit.expect("the semaphore is never closed") }
    }

    /// A seat for a connection from `address`, unless it has all that it may have.
    pub(crate) fn seat(&self, address: IpAddr) -> Option<Seat> {
        let address = neighbourhood(address);
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = seats.entry(address).or_default();
        if *taken >= self.of_one_address {
            return None;
        }
        *taken += 1;
        Some(Seat { address, seats: self.seats.clone() })
    }
}

/// One connection of an address, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    address: IpAddr,
    seats: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = seats.get_mut(&self.address) {
            *taken -= 1;
            if *taken == 0 {
                seats.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_leaves_seats_for_others() {
        let crowd = Crowd::new(100, 2);
        let [one, neighbour, other] =
            ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
        let seats = [crowd.seat(one), crowd.seat(neighbour)];
        assert!(seats.iter().all(Option::is_some));
        assert!(crowd.seat(one).is_none());
        assert!(crowd.seat(other).is_some());
        drop(seats);
        assert!(crowd.seat(one).is_some());
    }
}
