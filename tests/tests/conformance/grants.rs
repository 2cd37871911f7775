//! Codes and refresh tokens that many present at once: one of them wins, and what it won is ended by the others (OA-8, OA-12).

use std::sync::Arc;

use irgw_core::Environment;
use irgw_tests::{Given, Target};
use libtest_mimic::{Completion, Trial};

use crate::Result;
use crate::environments::{Environments, ensure};
use crate::tools::member;

/// How many at once.
const CONNECTIONS: usize = 50;

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, steps: &'static str, form: &'static str| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("grants::{name}"), move || {
            one_wins(&*environments.target(Environment::Test)?, steps, form)
        })
    };
    vec![
        trial(
            "code_that_many_redeem_at_once",
            "\"authorise\"",
            "grant_type=authorization_code&code=${code}&redirect_uri=${redirect_uri|form}&code_verifier=${verifier}",
        ),
        trial(
            "refresh_token_that_many_use_at_once",
            "\"authorise\", \"redeem\"",
            "grant_type=refresh_token&refresh_token=${refresh_token}",
        ),
    ]
}

fn one_wins(target: &Target, steps: &str, form: &str) -> Result {
    let answers = target.race(&posted(steps, form)?, CONNECTIONS)?;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == 200);
    ensure(won.len() == 1, || format!("{} of {CONNECTIONS} won", won.len()))?;
    let refused = lost.iter().all(|(status, body)| *status == 401 && body.contains("invalid_grant"));
    ensure(refused, || format!("the others came to {lost:?}"))?;
    // Those that came second have ended what the first one got.
    let next = won.first().map(|(_, body)| body.as_str()).unwrap_or_default();
    let next: serde_json::Value = serde_json::from_str(next)?;
    let next = member(&next, "refresh_token");
    ensure(!next.is_empty(), || "the winner has no refresh token".into())?;
    let after = target.race(&posted("", &format!("grant_type=refresh_token&refresh_token={next}"))?, 1)?;
    ensure(after.iter().all(|(status, _)| *status == 401), || format!("the winner goes on: {after:?}"))?;
    Ok(Completion::Completed)
}

/// A token request of the demo's first cloud client, after these steps.
fn posted(steps: &str, form: &str) -> Result<Given> {
    let headers = "[\"Authorization: Basic ${basic}\"]";
    let request = format!("path = \"/gateway3/oauth/token\"\nheaders = {headers}\nform = \"{form}\"");
    Ok(toml::from_str(&format!("oauth = {{ steps = [{steps}] }}\n[request]\n{request}"))?)
}
