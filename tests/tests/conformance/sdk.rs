//! The provider's SDK, irgw-client, against the gateway.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use irgw_client::oauth::{ClientConfig, Endpoints, TokenFile, TokenKind};
use irgw_client::tls::ClientIdentity;
use irgw_client::tls::client::ServerRoots;
use irgw_client::{Builder, Client, Error, Login, Reason, Signer, UnixTime};
use irgw_core::{ClientKind, Environment, Rule, Secret};
use irgw_tests::{Dev, Provider, Target, authorise, new_folder};
use libtest_mimic::{Completion, Failed, Trial};

use crate::Result;
use crate::environments::{Environments, ensure};
use crate::refresh::cloud_client;
use crate::tools::provider;

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Target) -> Result| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("sdk::{name}"), move || body(&*environments.target(Environment::Test)?))
    };
    vec![
        trial("signed_requests_get_through_in_every_algorithm", signed_requests_get_through),
        trial("customers_request_gets_through_and_login_ends", customers_request_gets_through),
        trial("refusals_are_read_with_their_rule", refusals_are_read),
    ]
}

/// A client of the cloud channel, as nobody.
fn anonymous(dev: &Dev) -> Result<Builder> {
    let roots = ServerRoots::from_pem(&fs::read(&dev.listeners.cloud.ca_file)?)?;
    Ok(Client::builder(dev.listeners.cloud.base_url.clone()).roots(roots))
}

/// The same as this provider.
fn cloud(dev: &Dev, provider: &Provider) -> Result<Builder> {
    let identity = ClientIdentity::from_pem(&fs::read(&provider.certificate)?, &fs::read(&provider.key)?)?;
    Ok(anonymous(dev)?.identity(identity))
}

fn signer(provider: &Provider, at: usize) -> Result<Signer> {
    let signing = provider.signing.get(at).ok_or("the provider has no such signing certificate")?;
    let (key, certificate) = (fs::read(&signing.key)?, fs::read(&signing.certificate)?);
    Ok(Signer::from_pem(&key, &certificate, signing.issuer.clone(), UnixTime::now())?)
}

fn get(client: &Client, path: &str) -> std::result::Result<(u16, Bytes), Error> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Error::Unsent(error.into()))?;
    let request = Request::get(path).body(Bytes::new()).map_err(|_| Error::Address)?;
    let answer = runtime.block_on(client.send(request))?;
    Ok((answer.status().as_u16(), answer.into_body()))
}

fn signed_requests_get_through(target: &Target) -> Result {
    let dev = target.dev();
    let first = provider(dev, 0)?;
    for at in 0..first.signing.len() {
        // Connections live as long as the runtime that they were made on.
        let client = cloud(dev, first)?.build()?.with(signer(first, at)?);
        for _ in 0..2 {
            let (status, _) = get(&client.clone(), "/gateway/account/1")?;
            ensure(status == 200, || format!("signing certificate {at}: {status}"))?;
        }
    }
    ensure(first.signing.len() >= 5, || "not every algorithm has a certificate".into())?;
    Ok(Completion::Completed)
}

fn customers_request_gets_through(target: &Target) -> Result {
    let dev = target.dev();
    let known = cloud_client(dev)?;
    let customer = dev.customers.iter().find(|customer| customer.totp_secret.is_none());
    let customer = customer.ok_or("every customer has a one-time password")?;
    let issuer =
        dev.oauth.as_ref().map(|oauth| oauth.issuer.trim_end_matches('/')).ok_or("there is no OAuth")?;
    let secret = Some(Secret::new(known.client_secret.clone()));
    let redirects: Vec<_> = known.redirect_uris.iter().map(String::as_str).collect();
    let config = ClientConfig::new(
        &Endpoints::below(issuer),
        known.client_id.parse()?,
        secret,
        &redirects,
        ClientKind::Cloud,
    )?;
    let builder = cloud(dev, provider(dev, 0)?)?;
    let oauth = builder.oauth(config);
    let client = builder.build()?;
    let folder = new_folder()?;
    let path = folder.join("tokens.json");

    let (address, pending) = oauth.begin()?;
    let callback = authorise(target, &address, customer)?;
    let code = pending.finish(&callback, oauth.now())?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let tokens = oauth.redeem(&code).await?;
        let file = TokenFile::at(&path);
        file.store(&oauth, &tokens).await?;
        let customer = client.with(Login::new(oauth.clone(), TokenFile::at(&path)));
        let ask = || Request::get("/gateway/account/1").body(Bytes::new());
        let first = customer.send(ask()?).await?;
        ensure(first.status() == 200, || format!("{}", first.status()))?;

        // The access token is revoked: the gateway calls it bad within a second, and the SDK has another by then.
        oauth.revoke(tokens.access_token(), TokenKind::Access).await?;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let second = customer.send(ask()?).await?;
        ensure(second.status() == 200, || format!("{}", second.status()))?;
        let kept = file.read(&oauth)?.ok_or("the tokens are gone")?;
        ensure(kept.tokens.access_token().expose() != tokens.access_token().expose(), || {
            "the revoked token was accepted".into()
        })?;

        // The login ends: there is nothing to renew with.
        let refresh = kept.tokens.refresh_token().ok_or("a cloud client has a refresh token")?;
        oauth.revoke(refresh, TokenKind::Refresh).await?;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let error = customer.send(ask()?).await.err();
        ensure(matches!(error, Some(Error::Login(_))), || format!("{error:?}"))?;
        Ok::<(), Failed>(())
    })?;
    fs::remove_dir_all(folder)?;
    Ok(Completion::Completed)
}

fn refusals_are_read(target: &Target) -> Result {
    let dev = target.dev();
    let first = provider(dev, 0)?;
    let bare = cloud(dev, first)?.build()?;
    let another = provider(dev, 1)?;
    for (client, path, reason, rule) in [
        (bare.clone(), "/gateway/account/1", Reason::NoToken, Rule::M2m1),
        (bare.clone(), "/gateway/nothing", Reason::Request, Rule::Gw1),
        // The second provider does not act for whom the first one signs for.
        (
            cloud(dev, another)?.build()?.with(signer(first, 0)?),
            "/gateway/account/1",
            Reason::NotPermitted,
            Rule::M2m9,
        ),
    ] {
        let error = get(&client, path).err();
        let refusal = error.as_ref().and_then(Error::refusal);
        let came = refusal.map(|refusal| (refusal.reason, refusal.rule));
        ensure(came == Some((reason, Some(rule))), || format!("{path}: {error:?}"))?;
    }
    // Without a certificate there is no connection that can be used, and nothing is taken for an answer.
    let error = get(&anonymous(dev)?.build()?, "/gateway/account/1").err();
    ensure(matches!(error, Some(Error::Unsent(_) | Error::Unanswered(_))), || format!("{error:?}"))?;
    Ok(Completion::Completed)
}
