//! One refresh token, presented by many at once: exactly one has it, and the family ends for the others' re-use (OA-12, C11).

use std::sync::{Arc, Barrier};
use std::thread;

use irgw_core::Environment;
use irgw_tests::{Dev, Local};
use libtest_mimic::{Completion, Trial};

use crate::Result;
use crate::environments::{Environments, ensure, eventually};
use crate::refresh::{Asker, Families, LIMITS, State, rounds, text_of};
use crate::tools::PATIENCE;

/// How many present the token at once.
const RACERS: usize = 50;

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, nodes: &'static [&'static str]| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("races::{name}"), move || {
            race(&*environments.local(Environment::Test)?, nodes)
        })
    };
    vec![
        trial("one_of_fifty_has_the_token", &["race"]),
        trial("one_of_fifty_has_the_token_over_two_gateways", &["race-one", "race-two"]),
    ]
}

fn race(local: &Local, nodes: &[&str]) -> Result {
    let gateways = nodes.iter().map(|name| Ok(local.serve(name, LIMITS.parse()?)?));
    let gateways = gateways.collect::<Result<Vec<_>>>()?;
    let devs: Vec<&Dev> = gateways.iter().map(|(dev, _)| dev).collect();
    race_over(&Families::of(local)?, &devs)
}

/// The race over these gateways, in whose store the families are.
pub(crate) fn race_over(families: &Families, devs: &[&Dev]) -> Result {
    let askers = (0..RACERS).zip(devs.iter().cycle()).map(|(_, dev)| Asker::connect(dev));
    let mut askers = askers.collect::<Result<Vec<_>>>()?;
    for round in 1..=rounds(20)? {
        let token = families.begin()?;
        let start = Barrier::new(RACERS);
        let answers = thread::scope(|scope| {
            let racer = |asker| {
                let (start, token): (&Barrier, &str) = (&start, &token);
                scope.spawn(move || {
                    start.wait();
                    Asker::refresh(asker, token)
                })
            };
            let racers: Vec<_> = askers.iter_mut().map(racer).collect();
            let joined = racers.into_iter().map(|racer| racer.join().expect("a racer does not panic"));
            joined.collect::<Result<Vec<_>>>()
        })?;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|(status, _)| *status == 200);
        let odd =
            lost.iter().find(|(status, body)| *status != 401 || text_of(body, "error") != "invalid_grant");
        ensure(odd.is_none(), || format!("round {round}: a loser was answered {odd:?}"))?;
        let [(_, winner)] = won[..] else {
            return Err(format!("round {round}: {} of {RACERS} were given a token", won.len()).into());
        };
        let (next, access) = (text_of(winner, "refresh_token"), text_of(winner, "access_token"));
        ensure(families.state(next)? == State::Revoked, || format!("round {round}: the family lives"))?;
        // One racer of each gateway asks: what is revoked is so on both, for access tokens within a second.
        for asker in askers.iter_mut().take(devs.len()) {
            let (status, body) = asker.refresh(next)?;
            ensure(status == 401, || {
                format!("round {round}: the winner's token still gives {status} {body}")
            })?;
        }
        let Some(asker) = askers.first_mut() else { continue };
        eventually(PATIENCE, || asker.is_active(access), |active| !active)?;
    }
    Ok(Completion::Completed)
}
