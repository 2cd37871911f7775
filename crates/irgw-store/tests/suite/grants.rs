//! Codes, families, consents, logins, and what is counted: what the contract of [`Grants`] says.

use std::time::Duration;

use irgw_oauth::grants::{Attempts, Authorised, CodeFault, Grants, RefreshFault, Session};

use crate::Fixture;
use crate::support::flow::{
    after, ana, authorise, family, id, is_active, log_in, open, redeem, redemption, refresh,
};
use crate::support::{NOW, client, digest, in_prod};

/// OA-7, C21.
pub(crate) fn transaction_ends_once(Fixture { store, .. }: Fixture) {
    open(&store);
    assert_eq!(authorise(&store, "a", "one", false, NOW), Authorised::NoConsent);
    assert_eq!(redeem(&store, "a", "one", NOW), Err(CodeFault::Unknown));
    assert_eq!(authorise(&store, "a", "one", true, NOW), Authorised::Yes, "the question did not end it");
    assert_eq!(authorise(&store, "a", "one", true, NOW), Authorised::Again);
    assert_eq!(authorise(&store, "a", "two", false, NOW), Authorised::Yes, "the consent stands");
    assert_eq!(authorise(&store, "b", "three", false, NOW), Authorised::NoConsent, "for one client");
    assert_eq!(store.consents(&ana(), NOW).unwrap().len(), 1);
}

/// OA-8: whoever presents a code wrongly does not use it up for its owner.
pub(crate) fn code_is_its_clients_with_its_redirect_uri_and_verifier(Fixture { store, .. }: Fixture) {
    open(&store);
    authorise(&store, "a", "code", true, NOW);
    let redeem_as = |change: fn(&mut irgw_oauth::grants::Redemption)| {
        let mut redemption = redemption("a", "code");
        change(&mut redemption);
        store.redeem(&redemption, NOW).unwrap().map(|_| ())
    };
    assert_eq!(redeem_as(|it| it.client = id("b")), Err(CodeFault::Unknown));
    assert_eq!(redeem_as(|it| it.redirect_uri.push('/')), Err(CodeFault::RedirectUri));
    assert_eq!(redeem_as(|it| it.challenge = Some("challenge".into())), Err(CodeFault::Verifier));
    assert_eq!(redeem_as(|it| it.code = digest("cod")), Err(CodeFault::Unknown));
    assert_eq!(redeem_as(|_| ()), Ok(()));
}

/// OA-8, C07: the second use ends what the first began; another client's use of it does not.
pub(crate) fn code_is_single_use(Fixture { store, .. }: Fixture) {
    open(&store);
    log_in(&store, "a", "one", NOW);
    refresh(&store, "a", "one.0", "one.1", NOW).unwrap();
    assert_eq!(redeem(&store, "b", "one", NOW), Err(CodeFault::Unknown));
    assert!(is_active(&store, "a", "one.1", NOW));
    assert_eq!(redeem(&store, "a", "one", after(86_400)), Err(CodeFault::Replayed(family("one"))));
    assert!(!is_active(&store, "a", "one.1", NOW));
    assert_eq!(refresh(&store, "a", "one.1", "one.2", NOW), Err(RefreshFault::Revoked));
}

/// OA-8, OA-12, OA-7: the last second of validity and the next.
pub(crate) fn code_token_and_consent_end(Fixture { store, .. }: Fixture) {
    open(&store);
    authorise(&store, "a", "late", true, NOW);
    assert_eq!(redeem(&store, "a", "late", after(600)), Err(CodeFault::Expired));
    redeem(&store, "a", "late", after(599)).unwrap();

    let year = 365 * 86_400;
    let issued = |seconds| 599 + seconds;
    assert_eq!(refresh(&store, "a", "late.0", "late.1", after(issued(year))), Err(RefreshFault::Expired));
    refresh(&store, "a", "late.0", "late.1", after(issued(year - 1))).unwrap();
    for n in 1..5 {
        let within_its_year = after((n + 1) * year - n * 10);
        refresh(&store, "a", &format!("late.{n}"), &format!("late.{}", n + 1), within_its_year).unwrap();
    }
    let (last, next) = (after(5 * year - 1), after(5 * year));
    assert!(store.has_consent(&ana(), &id("a"), last).unwrap());
    assert!(!store.has_consent(&ana(), &id("a"), next).unwrap());
    assert_eq!(store.consents(&ana(), next).unwrap(), []);
    assert_eq!(refresh(&store, "a", "late.5", "late.6", next), Err(RefreshFault::Withdrawn));
    refresh(&store, "a", "late.5", "late.6", after(5 * year - 1)).unwrap();
}

/// C10: the newest token of the family is dead with the rest.
pub(crate) fn replay_ends_the_family(Fixture { store, .. }: Fixture) {
    open(&store);
    log_in(&store, "a", "one", NOW);
    log_in(&store, "a", "two", NOW);
    for n in 0..5 {
        refresh(&store, "a", &format!("one.{n}"), &format!("one.{}", n + 1), NOW).unwrap();
    }
    assert_eq!(refresh(&store, "a", "one.2", "x", NOW), Err(RefreshFault::Replayed(family("one"))));
    assert_eq!(refresh(&store, "a", "one.5", "x", NOW), Err(RefreshFault::Revoked));
    assert_eq!(refresh(&store, "a", "x", "y", NOW), Err(RefreshFault::Unknown), "nothing was issued");
    refresh(&store, "a", "two.0", "two.1", NOW).expect("OA-13: another login's family is not touched");
}

/// C12: another client's use of a token, live or spent, changes nothing for its owner.
pub(crate) fn another_clients_use_leaves_the_family_alone(Fixture { store, .. }: Fixture) {
    open(&store);
    log_in(&store, "a", "one", NOW);
    refresh(&store, "a", "one.0", "one.1", NOW).unwrap();
    for token in ["one.0", "one.1"] {
        assert_eq!(refresh(&store, "b", token, "x", NOW), Err(RefreshFault::Unknown));
        assert_eq!(store.revoke_refresh_token(&digest(token), &id("b"), NOW).unwrap(), None);
    }
    refresh(&store, "a", "one.1", "one.2", NOW).unwrap();
}

/// C14: two events in one second stay two.
pub(crate) fn tokens_of_one_second_are_told_apart(Fixture { store, .. }: Fixture) {
    open(&store);
    log_in(&store, "a", "one", NOW);
    refresh(&store, "a", "one.0", "one.1", NOW).unwrap();
    refresh(&store, "a", "one.1", "one.2", NOW).unwrap();
    store.revoke_refresh_token(&digest("one.2"), &id("a"), NOW).unwrap().unwrap();
    log_in(&store, "a", "two", NOW);
    refresh(&store, "a", "two.0", "two.1", NOW).expect("a login in the second of a revocation stands");
    assert_eq!(refresh(&store, "a", "one.2", "one.3", NOW), Err(RefreshFault::Revoked));
}

/// OA-12: the loser of a race is refused and the family lives on, as long as the operator says.
pub(crate) fn grace_spares_the_family(Fixture { store, .. }: Fixture) {
    open(&store);
    log_in(&store, "a", "one", NOW);
    let grace = Duration::from_secs(10);
    let present = |seconds| {
        let next = digest(&format!("next at {seconds}"));
        store.refresh(&digest("one.0"), &id("a"), &next, grace, after(seconds)).unwrap()
    };
    present(0).unwrap();
    assert_eq!(present(9), Err(RefreshFault::JustSpent));
    assert!(is_active(&store, "a", "next at 0", NOW));
    assert_eq!(present(10), Err(RefreshFault::Replayed(family("one"))));
    assert!(!is_active(&store, "a", "next at 0", NOW));
}

/// OA-12, OA-19: what was issued under a consent ends with it, and another consent does not revive it.
pub(crate) fn withdrawn_consent_ends_what_it_allowed(Fixture { store, .. }: Fixture) {
    open(&store);
    log_in(&store, "a", "one", NOW);
    log_in(&store, "a", "two", NOW);
    log_in(&store, "b", "other", NOW);
    authorise(&store, "a", "pending", true, NOW);
    assert!(store.withdraw(&ana(), &id("a"), NOW).unwrap());
    assert!(!store.withdraw(&ana(), &id("a"), NOW).unwrap());
    let clients: Vec<_> = store.consents(&ana(), NOW).unwrap().into_iter().map(|it| it.client).collect();
    assert_eq!(clients, [id("b")]);
    authorise(&store, "a", "later", true, NOW);
    assert_eq!(redeem(&store, "a", "pending", NOW), Err(CodeFault::Unknown));
    for token in ["one.0", "two.0"] {
        assert_eq!(refresh(&store, "a", token, "x", NOW), Err(RefreshFault::Revoked));
    }
    refresh(&store, "b", "other.0", "other.1", NOW).unwrap();
    redeem(&store, "a", "later", NOW).unwrap();
}

/// C13: nothing is issued for a client or a customer that was disabled.
pub(crate) fn disabled_party_is_given_nothing(Fixture { store, .. }: Fixture) {
    open(&store);
    for client in ["a", "b"] {
        log_in(&store, client, &format!("family of {client}"), NOW);
        authorise(&store, client, &format!("code of {client}"), true, NOW);
    }
    store.disable_client(&id("a"), NOW).unwrap();
    assert_eq!(refresh(&store, "a", "family of a.0", "x", NOW), Err(RefreshFault::Revoked));
    assert_eq!(redeem(&store, "a", "code of a", NOW), Err(CodeFault::Withdrawn));
    assert_eq!(authorise(&store, "a", "more", true, NOW), Authorised::NoConsent);
    assert!(is_active(&store, "b", "family of b.0", NOW));

    store.disable_customer(&ana(), NOW).unwrap();
    assert_eq!(refresh(&store, "b", "family of b.0", "x", NOW), Err(RefreshFault::Revoked));
    assert_eq!(redeem(&store, "b", "code of b", NOW), Err(CodeFault::Withdrawn));
    assert_eq!(authorise(&store, "b", "more", true, NOW), Authorised::NoConsent);
    assert!(!store.has_consent(&ana(), &id("b"), NOW).unwrap());
}

/// OA-12: a native client's family has no refresh token, and can be ended all the same.
pub(crate) fn native_familys_consent_can_be_withdrawn(Fixture { store, .. }: Fixture) {
    open(&store);
    authorise(&store, "a", "one", true, NOW);
    let mut redemption = redemption("a", "one");
    redemption.refresh = None;
    store.redeem(&redemption, NOW).unwrap().unwrap();
    let registry = irgw_store::Registry::load(&store, irgw_core::Environment::Test).unwrap();
    store.withdraw(&ana(), &id("a"), NOW).unwrap();
    registry.refresh(&store).unwrap();
    assert!(irgw_oauth::grants::Revocations::is_family_revoked(&*registry, &family("one")));
}

/// ENV-1: a directory of the operator's own keeps its customers elsewhere.
pub(crate) fn customer_of_another_directory_may_log_in(Fixture { store, .. }: Fixture) {
    crate::support::furnish(&store);
    store.add_client(&in_prod(client("a")), NOW).unwrap();
    log_in(&store, "a", "one", NOW);
    refresh(&store, "a", "one.0", "one.1", NOW).unwrap();
}

/// OA-7.
pub(crate) fn login_stands_until_it_ends(Fixture { store, .. }: Fixture) {
    let login = Session { subject: ana(), logon: "ana".parse().unwrap(), expires_at: after(1_800) };
    store.begin_session(&digest("cookie"), &login, NOW).unwrap();
    assert_eq!(store.session(&digest("cooki"), NOW).unwrap(), None);
    assert_eq!(store.session(&digest("cookie"), after(1_799)).unwrap(), Some(login.clone()));
    assert_eq!(store.session(&digest("cookie"), after(1_800)).unwrap(), None);
    let longer = Session { expires_at: after(3_600), ..login };
    store.begin_session(&digest("cookie"), &longer, NOW).unwrap();
    assert_eq!(store.session(&digest("cookie"), after(1_800)).unwrap(), Some(longer));
    store.end_session(&digest("cookie")).unwrap();
    store.end_session(&digest("cookie")).unwrap();
    assert_eq!(store.session(&digest("cookie"), NOW).unwrap(), None);
}

/// C26.
pub(crate) fn key_is_spent_once(Fixture { store, .. }: Fixture) {
    let spend = |key: &str| Grants::spend(&store, &digest(key), after(90), NOW).unwrap();
    assert_eq!([spend("a"), spend("a"), spend("b"), spend("a")], [true, false, true, false]);
}

/// OA-18.
pub(crate) fn failures_are_counted_in_their_window(Fixture { store, .. }: Fixture) {
    let (account, address) = (digest("account"), digest("address"));
    let window = Duration::from_secs(900);
    let under = |key, seconds| store.attempts(key, after(seconds)).unwrap();
    assert_eq!(under(&account, 0), Attempts::default());
    store.note_failure(&[account, address], window, NOW).unwrap();
    store.note_failure(&[account], window, after(5)).unwrap();
    assert_eq!(under(&account, 6), Attempts { failures: 2, last: after(5).as_secs() });
    assert_eq!(under(&address, 6), Attempts { failures: 1, last: NOW.as_secs() });
    assert_eq!((under(&account, 904).failures, under(&account, 905).failures), (2, 0));
    store.note_failure(&[account], window, after(905)).unwrap();
    assert_eq!(under(&account, 906).failures, 1, "what ran out counts no more");
    store.forget_failures(&account).unwrap();
    assert_eq!(under(&account, 906), Attempts::default());
}
