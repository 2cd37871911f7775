//! Every order of events around one code, against a model of three fields: redeemed by its client and by another one,
//! refreshed with the newest token and with the first, revoked.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails is to panic")]

mod support;

use irgw_oauth::grants::{CodeFault, Grants, RefreshFault};
use irgw_store::Store;

use support::flow::{authorise, family, id, is_active, open, redeem, refresh};
use support::{NOW, digest};

/// OA-8, OA-12: a family has one live refresh token at most, and none after a replay.
#[test]
fn no_order_of_the_clients_events_leaves_two_live_tokens() {
    in_every_order(&Store::in_memory().unwrap(), &Event::ALL[..4], 6);
}

#[cfg(feature = "postgres")]
#[test]
fn no_order_leaves_two_live_tokens_on_a_server() {
    if let Some(database) = support::postgres::Database::create() {
        in_every_order(&support::connect(&database), &Event::ALL[..4], 4);
    }
}

/// C12: only its own client changes a family.
#[test]
fn another_clients_events_change_nothing_in_any_order() {
    in_every_order(&Store::in_memory().unwrap(), &Event::ALL, 4);
}

/// Lets up to `longest` of the events happen, in every order and with every repetition.
fn in_every_order(store: &Store, events: &[Event], longest: u32) {
    open(store);
    for length in 1..=longest {
        for number in 0..events.len().pow(length) {
            let mut family = Model::begin(store, format!("order {number} of {length}"));
            let mut rest = number;
            for _ in 0..length {
                family.happen(events[rest % events.len()]);
                rest /= events.len();
            }
            family.check();
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Redeem(&'static str),
    RefreshNewest(&'static str),
    RefreshFirst(&'static str),
    Revoke(&'static str),
}

impl Event {
    /// By the code's client, then by another one.
    const ALL: [Event; 8] = [
        Event::Redeem(OWNER),
        Event::RefreshNewest(OWNER),
        Event::RefreshFirst(OWNER),
        Event::Revoke(OWNER),
        Event::Redeem("b"),
        Event::RefreshNewest("b"),
        Event::RefreshFirst("b"),
        Event::Revoke("b"),
    ];
}

const OWNER: &str = "a";

/// What a code and its family must be like.
struct Model<'a> {
    store: &'a Store,
    /// The code's, the family's, and with a number the refresh tokens'.
    name: String,
    events: Vec<Event>,
    /// How many refresh tokens were issued; all but the last are spent.
    issued: usize,
    is_revoked: bool,
}

impl Model<'_> {
    fn begin(store: &Store, name: String) -> Model<'_> {
        authorise(store, OWNER, &name, true, NOW);
        Model { store, name, events: Vec::new(), issued: 0, is_revoked: false }
    }

    fn token(&self, number: usize) -> String {
        format!("{}.{number}", self.name)
    }

    /// Lets it happen in the store, and compares with what must come of it.
    fn happen(&mut self, event: Event) {
        self.events.push(event);
        let newest = self.issued.saturating_sub(1);
        match event {
            Event::Redeem(client) => {
                let told = redeem(self.store, client, &self.name, NOW).map(|granted| granted.family);
                let expected = match (client, self.issued) {
                    (OWNER, 0) => Ok(family(&self.name)),
                    (OWNER, _) => Err(CodeFault::Replayed(family(&self.name))),
                    _ => Err(CodeFault::Unknown),
                };
                assert_eq!(told, expected, "{:?}", self.events);
                self.is_revoked |= matches!(expected, Err(CodeFault::Replayed(_)));
                self.issued += usize::from(expected.is_ok());
            }
            Event::RefreshNewest(client) => self.refresh(client, newest),
            Event::RefreshFirst(client) => self.refresh(client, 0),
            Event::Revoke(client) => {
                let token = digest(&self.token(newest));
                let told = self.store.revoke_refresh_token(&token, &id(client), NOW).unwrap();
                let is_theirs = client == OWNER && self.issued > 0;
                assert_eq!(told, is_theirs.then(|| family(&self.name)), "{:?}", self.events);
                self.is_revoked |= is_theirs;
            }
        }
    }

    fn refresh(&mut self, client: &str, number: usize) {
        let (presented, next) = (self.token(number), self.token(self.issued));
        // What was not issued yet has another's name.
        let presented = if self.issued == 0 { "none".to_owned() } else { presented };
        let told = refresh(self.store, client, &presented, &next, NOW).map(|granted| granted.family);
        let expected = if client != OWNER || self.issued == 0 {
            Err(RefreshFault::Unknown)
        } else if self.is_revoked {
            Err(RefreshFault::Revoked)
        } else if number + 1 < self.issued {
            Err(RefreshFault::Replayed(family(&self.name)))
        } else {
            Ok(family(&self.name))
        };
        assert_eq!(told, expected, "{:?}", self.events);
        self.is_revoked |= matches!(expected, Err(RefreshFault::Replayed(_)));
        self.issued += usize::from(expected.is_ok());
    }

    /// The newest token is active, unless the family is revoked, and no other is.
    fn check(&self) {
        // One beyond: what was refused left nothing behind.
        for number in 0..=self.issued {
            let is_live = number + 1 == self.issued && !self.is_revoked;
            let (token, events) = (self.token(number), &self.events);
            assert_eq!(is_active(self.store, OWNER, &token, NOW), is_live, "{number} after {events:?}");
            assert!(!is_active(self.store, "b", &token, NOW));
        }
    }
}
