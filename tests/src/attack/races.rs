//! Codes and refresh tokens that many present at once: one of them wins, and what it won is ended by the others (OA-8, OA-12).

use serde_json::Value;

use super::trial::{Came, Trial, ensure, survived};
use crate::case::{Given, Request};
use crate::judge::text;
use crate::oauth::{Done, OAuthRecipe, Step};
use crate::{Error, Target};

pub(super) const TRIALS: &[Trial] = &[
    Trial {
        name: "races::code_that_many_redeem_at_once",
        attacks: &["C07"],
        title: "Fifty redeem one code at once: one has tokens, and they end with the second use",
        body: |target| {
            let form = "grant_type=authorization_code&code=${code}&redirect_uri=${redirect_uri|form}&code_verifier=${verifier}";
            one_wins(target, &[Done::Authorise], form)
        },
    },
    Trial {
        name: "races::refresh_token_that_many_use_at_once",
        attacks: &["C10", "C11", "C14"],
        title: "Fifty use one refresh token at once: one has a successor, and it ends with the second use",
        body: |target| {
            let form = "grant_type=refresh_token&refresh_token=${refresh_token}";
            one_wins(target, &[Done::Authorise, Done::Redeem], form)
        },
    },
];

/// How many at once.
const CONNECTIONS: usize = 50;

fn one_wins(target: &Target, steps: &[Done], form: &str) -> Result<Came, Error> {
    if target.dev().oauth.is_none() {
        return Ok(Came::NotRun("dev.json names no authorization server".into()));
    }
    let answers = target.race(&posted(steps, form), CONNECTIONS)?;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == 200);
    ensure(won.len() == 1, || format!("{} of {CONNECTIONS} won", won.len()))?;
    let refused = lost.iter().all(|(status, body)| *status == 401 && body.contains("invalid_grant"));
    ensure(refused, || format!("the others came to {lost:?}"))?;
    // Those that came second have ended what the first one got.
    let next = won.first().and_then(|(_, body)| serde_json::from_str::<Value>(body).ok()).unwrap_or_default();
    let next = text(&next, "refresh_token");
    ensure(!next.is_empty(), || "the winner has no refresh token".into())?;
    let after = target.race(&posted(&[], &format!("grant_type=refresh_token&refresh_token={next}")), 1)?;
    let after: Vec<u16> = after.into_iter().map(|(status, _)| status).collect();
    ensure(after == [401], || format!("the winner's successor is answered {after:?}"))?;
    survived(format!("1 of {CONNECTIONS} won, and what it won has ended"))
}

/// A token request of the demo's first cloud client, after these steps.
fn posted(steps: &[Done], form: &str) -> Given {
    let steps = steps.iter().copied().map(Step::Done).collect();
    let request = Request {
        path: "/gateway3/oauth/token".into(),
        headers: vec!["Authorization: Basic ${basic}".into()],
        form: Some(form.into()),
        ..Request::default()
    };
    Given { oauth: Some(OAuthRecipe { steps, ..OAuthRecipe::default() }), request, ..Given::default() }
}
