//! A real browser in front of the pages that customers see (OA-7, OA-19): Chromium, driven by the scripts of tests/browser.

use std::sync::{Arc, Mutex, PoisonError};

use irgw_core::{ClientKind, Environment, UnixTime};
use irgw_oauth::opaque::Digest;
use irgw_oauth::signing::Algorithm;
use irgw_store::{NewClient, Store};
use irgw_tests::{Local, folder};
use libtest_mimic::{Completion, Failed, Trial};

use crate::environments::{Environments, installed};
use crate::peers::{With, copied, node, run};
use crate::tools::provider;
use crate::{Result, skipped};

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, script: &'static str| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("browser::{name}"), move || walk(&environments, script))
    };
    vec![
        trial("pages_work_without_javascript", "without_javascript.mjs"),
        trial("pages_are_accessible", "accessible.mjs"),
        trial("keyboard_is_enough", "keyboard.mjs"),
        trial("pages_hold_against_attacks", "attacks.mjs"),
    ]
}

/// One browser at a time: it takes the memory and the cores of many trials.
static TURN: Mutex<()> = Mutex::new(());

fn walk(environments: &Environments, script: &str) -> Result {
    let (Some(chromium), Some(_)) = (installed("chromium"), installed("chromedriver")) else {
        return Ok(skipped(
            "Chromium and its driver are not installed (apt install chromium chromium-driver)",
        ));
    };
    let mut command = match node("axe-core")? {
        With::Nothing(reason) => return Ok(skipped(reason)),
        With::Program(node) => node,
    };
    let local = environments.another(Environment::Test)?;
    let client = hostile_client(&local)?;
    let shots = std::env::var_os("IRGW_SCREENSHOTS")
        .map_or_else(|| folder().join("../target/screenshots"), std::path::PathBuf::from);
    std::fs::create_dir_all(&shots)?;
    let place = copied(&local, "browser", script)?;
    command.arg(place.join(script)).arg(local.folder().join("dev.json")).arg(client);
    command.env("IRGW_CHROMIUM", chromium).env("IRGW_SCREENSHOTS", std::path::absolute(shots)?);
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    run(&local, &mut command, script)?;
    Ok(Completion::Completed)
}

/// The id of a client whose name is a script (C23).
fn hostile_client(local: &Local) -> Result<String> {
    let owner = &provider(local.dev(), 0)?.id;
    let id = format!("{owner}-hostile");
    let new = NewClient {
        id: id.parse().map_err(Failed::from)?,
        provider: owner.parse().map_err(Failed::from)?,
        environment: Environment::Test,
        name: "<script>document.title='x'</script>".to_owned(),
        kind: ClientKind::Cloud,
        algorithm: Algorithm::default(),
        redirect_uris: vec!["https://hostile.example.nz/callback".to_owned()],
        // Of no secret that anybody knows: the client only begins the flow.
        secret: Digest::of(&id),
    };
    Store::open_existing(&local.folder().join("irgw.sqlite"))?.add_client(&new, UnixTime::now())?;
    Ok(id)
}
