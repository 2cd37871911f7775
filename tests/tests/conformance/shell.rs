//! A JWT made by a shell script with openssl alone, as a provider's developer would before there is any library.

use std::process::Command;
use std::sync::Arc;

use irgw_core::Environment;
use irgw_tests::{Local, folder};
use libtest_mimic::{Completion, Trial};

use crate::environments::{Environments, ensure, installed, irgw, ran, text};
use crate::tools::{ask, provider};
use crate::{Result, skipped};

/// The script that irgw-m2m is tested with too.
const SCRIPT: &str = "../crates/irgw-m2m/tests/sign-with-openssl.sh";

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let environments = environments.clone();
    vec![Trial::ignorable_test("shell::token_made_by_openssl_alone_is_accepted", move || {
        for program in ["openssl", "curl", "sh"] {
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
    for alg in ["RS256", "RS512", "ES256", "ES384", "ES512"] {
        let signing =
            first.signing.iter().find(|signing| signing.alg == alg).ok_or("no such signing certificate")?;
        let now = irgw_core::UnixTime::now().as_secs();
        let made = ran(Command::new("sh").arg(folder().join(SCRIPT)).args([
            text(&signing.key),
            text(&signing.certificate),
            alg,
            &signing.issuer,
            &now.to_string(),
            &(now + 600).to_string(),
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
        let (status, answer) = ask(dev, "/gateway/account/1", token, &[])?;
        ensure(status == "200", || format!("{alg}: {answer}"))?;
    }
    Ok(Completion::Completed)
}
