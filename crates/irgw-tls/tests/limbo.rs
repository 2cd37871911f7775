//! The profile against x509-limbo's core set: what must fail fails, what must pass passes, and every difference is
//! wanted.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use std::io::Write as _;

#[path = "limbo/mod.rs"]
mod limbo_cases;

use limbo_cases::{Expected, cases, differences};

/// A06, A07, A09, A10.
#[test]
fn profile_judges_as_limbo_does_but_where_a_reason_is_given() {
    let Some(cases) = cases() else {
        // Not println: libtest keeps what a passing test prints.
        let _ = std::io::stderr().write_all(b"SKIPPED: the x509-limbo vectors are not there\n");
        return;
    };
    let mut unused = differences();
    let (mut right, mut accepted, mut unexplained) = (0, Vec::new(), Vec::new());
    for case in &cases {
        let outcome = case.run();
        let as_expected = outcome.is_ok() == (case.expected_result == Expected::Success);
        let explained = unused.remove(&case.id);
        if as_expected {
            right += 1;
            if let Some(difference) = explained {
                unexplained.push(format!("{}: no longer differs ({})", case.id, difference.reason));
            }
            continue;
        }
        if outcome.is_ok() {
            accepted.push(case.id.clone());
        }
        if explained.is_none() {
            unexplained.push(format!("{}: expected {:?}, got {outcome:?}", case.id, case.expected_result));
        }
    }
    unexplained.extend(unused.keys().map(|id| format!("{id}: there is no such case")));
    let outside: Vec<_> = accepted.iter().filter(|id| !id.starts_with("webpki::")).collect();
    println!(
        "{right} of {} right; wrongly accepted: {accepted:?}; outside webpki:: {outside:?}",
        cases.len()
    );
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    assert!(outside.len() <= 3, "wrongly accepted: {outside:?}");
    assert!(right >= 155, "only {right} right");
}
