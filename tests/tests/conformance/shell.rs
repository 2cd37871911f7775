//! A JWT made by a shell script with openssl alone, as a provider's developer would before there is any library.

use std::process::Command;
use std::sync::Arc;

use irgw_core::Environment;
use irgw_tests::{Local, folder};
use libtest_mimic::{Completion, Trial};

use crate::curl::provider;
use crate::environments::{Environments, ensure, installed, irgw, ran, text};
use crate::{Result, skipped};

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let environments = environments.clone();
    vec![Trial::ignorable_test("shell::token_made_by_openssl_alone_is_accepted", move || {
        for program in ["openssl", "curl", "bash"] {
            if installed(program).is_none() {
                return Ok(skipped(&format!("{program} is not installed")));
            }
        }
        token_made_by_openssl_alone_is_accepted(&*environments.local(Environment::Test)?)
    })]
}

fn token_made_by_openssl_alone_is_accepted(local: &Local) -> Result {
    let dev = local.dev();
    let first = provider(dev, 0)?;
    for alg in ["RS256", "RS512", "ES256", "ES384"] {
        let signing =
            first.signing.iter().find(|signing| signing.alg == alg).ok_or("no such signing certificate")?;
        let script = folder().join("tests/conformance/sign.sh");
        let made = ran(Command::new("bash").arg(script).args([
            alg,
            text(&signing.key),
            text(&signing.certificate),
            &signing.issuer,
        ]))?;
        ensure(made.code == Some(0), || format!("{alg}: {}", made.err))?;
        let token = made.out.trim();
        let explained = irgw(&[
            "m2m",
            "inspect",
            token,
            "--certificate",
            text(&signing.certificate),
            "--issuer",
            &signing.issuer,
        ])?;
        ensure(explained.code == Some(0), || format!("{alg}: {}{}", explained.out, explained.err))?;
        let url = format!("{}/gateway/account/1", dev.listeners.cloud.base_url);
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--max-time", "20", "--output", "/dev/null", "--write-out", "%{http_code}"]);
        curl.args(["--cacert", text(&dev.listeners.cloud.ca_file)]);
        curl.args(["--cert", text(&first.certificate), "--key", text(&first.key)]);
        let answer = ran(curl.args(["-H", &format!("Authorization: {token}")]).arg(url))?;
        ensure(answer.out == "200", || format!("{alg}: {} {}", answer.out, answer.err))?;
    }
    Ok(Completion::Completed)
}
