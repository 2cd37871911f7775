//! What an operator changes of clients, customers and keys by command while the gateway runs: in force within a second.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use irgw_core::{ClientKind, Environment};
use irgw_tests::{Dev, Local};
use libtest_mimic::{Completion, Trial};
use serde_json::Value;

use crate::Result;
use crate::environments::{Environments, ensure, eventually};
use crate::refresh::{Asker, Families, cloud_client, text_of};
use crate::tools::{ask, curl, irgw_in};

/// OA-16.
const ONE_SECOND: Duration = Duration::from_secs(1);

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Local) -> Result| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("changes::{name}"), move || {
            body(&environments.another(Environment::Test)?)
        })
    };
    vec![
        trial("disabled_client_ends", disabled_client_ends),
        trial("disabled_customer_ends", disabled_customer_ends),
        trial("two_secrets_are_good_until_one_is_ended", two_secrets_are_good_until_one_is_ended),
        trial("next_key_signs_and_the_old_ones_tokens_stay_good", next_key_signs),
        trial("ended_key_ends_its_tokens", ended_key_ends_its_tokens),
    ]
}

/// What a client holds that was authorised a moment ago.
struct Held {
    asker: Asker,
    access: String,
    refresh: String,
}

impl Held {
    fn of(local: &Local) -> Result<Held> {
        let first = Families::of(local)?.begin()?;
        let mut asker = Asker::connect(local.dev())?;
        let (access, refresh) = refreshed(&mut asker, &first)?;
        ensure(is_admitted(local.dev(), &access)?, || "a new access token is not admitted".into())?;
        Ok(Held { asker, access, refresh })
    }

    /// Waits a second at most until the access token is good nowhere, then expects this of the refresh token.
    fn expect_end(mut self, dev: &Dev, status: u16, error: &str) -> Result {
        eventually(ONE_SECOND, || is_admitted(dev, &self.access), |admitted| !admitted)?;
        let (answered, body) = self.asker.refresh(&self.refresh)?;
        ensure((answered, text_of(&body, "error")) == (status, error), || {
            format!("the refresh comes to {answered} {body}")
        })?;
        Ok(Completion::Completed)
    }
}

fn refreshed(asker: &mut Asker, token: &str) -> Result<(String, String)> {
    let (status, body) = asker.refresh(token)?;
    ensure(status == 200, || format!("the refresh comes to {status} {body}"))?;
    Ok((text_of(&body, "access_token").to_owned(), text_of(&body, "refresh_token").to_owned()))
}

fn is_admitted(dev: &Dev, access: &str) -> Result<bool> {
    let (status, answer) = ask(dev, "/gateway/account/1", &format!("Bearer {access}"), &[])?;
    let refused = status == "400" && answer.contains("EV1020");
    ensure(status == "200" || refused, || format!("the gateway answers {status}: {answer}"))?;
    Ok(!refused)
}

/// Runs a command that must succeed; what it printed.
fn change(local: &Local, arguments: &[&str]) -> Result<String> {
    let ran = irgw_in(local, arguments)?;
    ensure(ran.code == Some(0), || format!("irgw {}: {}", arguments.join(" "), ran.err))?;
    Ok(ran.out)
}

/// C15.
fn disabled_client_ends(local: &Local) -> Result {
    let held = Held::of(local)?;
    change(local, &["client", "disable", &cloud_client(local.dev())?.client_id])?;
    held.expect_end(local.dev(), 400, "invalid_client")
}

/// C13.
fn disabled_customer_ends(local: &Local) -> Result {
    let held = Held::of(local)?;
    let listed: Value = serde_json::from_str(&change(local, &["customer", "list", "--json"])?)?;
    let first = listed.pointer("/customers/0/user_id").and_then(Value::as_str).unwrap_or_default();
    change(local, &["customer", "disable", first])?;
    held.expect_end(local.dev(), 401, "invalid_grant")
}

/// OA-2, C13: what is issued stays good whatever secret the client shows.
fn two_secrets_are_good_until_one_is_ended(local: &Local) -> Result {
    let held = Held::of(local)?;
    let id = cloud_client(local.dev())?.client_id.clone();
    let printed = change(local, &["client", "rotate-secret", &id])?;
    let secret = printed.lines().nth(1).ok_or("no secret was printed")?.to_owned();
    let mut changed_over = local.dev().clone();
    for client in changed_over.providers.iter_mut().flat_map(|provider| &mut provider.clients) {
        if client.kind == ClientKind::Cloud && client.client_id == id {
            client.client_secret.clone_from(&secret);
        }
    }
    let (mut old, mut new) = (held.asker, Asker::connect(&changed_over)?);
    eventually(ONE_SECOND, || new.is_active(&held.access), |active| *active)?;
    ensure(old.is_active(&held.access)?, || "the old secret ended".into())?;
    let (_, refresh) = refreshed(&mut new, &held.refresh)?;
    let (_, refresh) = refreshed(&mut old, &refresh)?;
    change(local, &["client", "end-old-secret", &id])?;
    eventually(ONE_SECOND, || old.is_active(&held.access), |active| !active)?;
    let (status, body) = old.refresh(&refresh)?;
    ensure((status, text_of(&body, "error")) == (401, "invalid_client"), || {
        format!("the ended secret comes to {status} {body}")
    })?;
    refreshed(&mut new, &refresh)?;
    Ok(Completion::Completed)
}

/// OA-10, C18: the key id in a token is that of the key in the set that verifies it.
fn next_key_signs(local: &Local) -> Result {
    let mut held = Held::of(local)?;
    let before = kid(&held.access)?;
    let printed = change(local, &["key", "rotate", "--at-once"])?;
    let next = printed.lines().next().unwrap_or_default().to_owned();
    ensure(next != before, || "the key is the old one".into())?;
    eventually(ONE_SECOND, || published(local.dev()), |keys| keys.contains(&next))?;
    let (access, _) = refreshed(&mut held.asker, &held.refresh)?;
    ensure(kid(&access)? == next, || "the old key still signs".into())?;
    ensure(published(local.dev())?.contains(&before), || "the old key is published no more".into())?;
    for token in [&access, &held.access] {
        ensure(is_admitted(local.dev(), token)?, || format!("refused: {token}"))?;
    }
    Ok(Completion::Completed)
}

/// OA-10, G06: somebody else may know it.
fn ended_key_ends_its_tokens(local: &Local) -> Result {
    let mut held = Held::of(local)?;
    change(local, &["key", "rotate", "--end-old"])?;
    eventually(ONE_SECOND, || is_admitted(local.dev(), &held.access), |admitted| !admitted)?;
    let (access, _) = refreshed(&mut held.asker, &held.refresh)?;
    ensure(is_admitted(local.dev(), &access)?, || "the new key's token is not admitted".into())?;
    ensure(!published(local.dev())?.contains(&kid(&held.access)?), || "the ended key is published".into())?;
    Ok(Completion::Completed)
}

/// The `kid` of a token's header.
fn kid(token: &str) -> Result<String> {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap_or_default())?;
    let header: Value = serde_json::from_slice(&header)?;
    Ok(text_of(&header, "kid").to_owned())
}

/// The key ids in the server's JWKS.
fn published(dev: &Dev) -> Result<Vec<String>> {
    let url = format!("{}/gateway3/oauth/jwks", dev.listeners.desktop.base_url);
    let answer = curl(dev, None, &url, &[])?;
    let body = answer.text.rsplit("\r\n\r\n").next().unwrap_or_default();
    let set: Value = serde_json::from_str(body)?;
    let keys = set.get("keys").and_then(Value::as_array).into_iter().flatten();
    Ok(keys.map(|key| text_of(key, "kid").to_owned()).collect())
}
