//! The trials of the attack pack, each at a gateway whose deadlines are short, and whether the pack covers every attack.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use irgw_core::Environment;
use irgw_tests::attack::{Attacks, Came, Pack, attack, trials as pack_trials, uncovered};
use irgw_tests::{Case, Outcome, Requirements, Selection, Skips, Target, attempt, folder, run};
use libtest_mimic::{Completion, Trial};
use serde_json::Value;

use crate::environments::{Environments, ensure};
use crate::{Result, skipped};

/// Deadlines that are short, so that what is held up ends within the trial; rates that no trial reaches.
const LIMITS: &str = "[limits]\nhandshake_seconds = 1\nheader_seconds = 1\nbody_idle_seconds = 1\nidle_seconds = 2\n\
                      requests_per_second = 100000\nburst = 100000\n";

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let one = |trial: irgw_tests::attack::Trial| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("attacks::{}", trial.name), move || {
            // What takes all places of the demo provider's file server would keep other trials from it.
            if trial.name.starts_with("peers::") {
                let local = Arc::new(environments.another(Environment::Test)?);
                return carried_out(&trial, &Target::local(local)?);
            }
            // Fifty handshakes one after the other outlast a short deadline.
            if trial.name.starts_with("races::") {
                return carried_out(&trial, &*environments.target(Environment::Test)?);
            }
            let local = environments.local(Environment::Test)?;
            let name = format!("attack-{}", trial.name.replace("::", "-"));
            let (dev, _gateway) = local.serve(&name, LIMITS.parse()?)?;
            carried_out(&trial, &Target::served(dev)?)
        })
    };
    let mut all: Vec<Trial> = pack_trials().into_iter().map(one).collect();
    for (name, body) in [
        (
            "refusal_that_reached_the_backing_service_is_told",
            refusal_that_reached_the_backing_service_is_told as fn(&_) -> _,
        ),
        ("request_that_nothing_admits_is_told", request_that_nothing_admits_is_told),
        ("report_says_how_everything_came_out", report_says_how_everything_came_out),
    ] {
        let environments = environments.clone();
        all.push(Trial::ignorable_test(format!("attacks::{name}"), move || body(&environments)));
    }
    all.push(Trial::test("coverage::every_attack_has_a_case_a_trial_or_a_test", || {
        let open = uncovered(&Pack::read()?);
        ensure(open.is_empty(), || open.join("\n"))
    }));
    all
}

fn carried_out(trial: &irgw_tests::attack::Trial, target: &Target) -> Result {
    match trial.run(target)? {
        Came::Survived(_) => Ok(Completion::Completed),
        Came::NotRun(reason) => Ok(skipped(&reason)),
    }
}

/// A case that asks for a refusal of what is good: the backing service sees it, and that is a failure of its own kind.
fn refusal_that_reached_the_backing_service_is_told(environments: &Environments) -> Result {
    let text = "rule = \"M2M-6\"\ntitle = \"t\"\n[given.token]\n[expect]\nstatus = 400\ncode = \"EV1020\"";
    let case = Case { name: "attacks/reached".into(), text: toml::from_str(text)? };
    let target = environments.target(Environment::Test)?;
    let result = attempt(&target, &case, &Skips::default());
    let Outcome::Reached { seen, wrong, .. } = &result.outcome else {
        return Err(format!("it came out as {:?}", result.outcome).into());
    };
    ensure(seen.len() == 1 && seen.iter().all(|seen| seen.starts_with("GET /gateway/account/1 (")), || {
        format!("{seen:?}")
    })?;
    ensure(!wrong.is_empty(), || "nothing else is wrong".into())?;
    let report = run(&target, &[case], &Skips::default(), &Selection::default());
    ensure(!report.is_clean() && report.counts.failed == 0 && report.counts.reached == 1, || {
        report.to_text()
    })?;
    ensure(report.to_junit().contains("<failure type=\"reached-the-backing-service\""), || {
        report.to_junit()
    })?;
    Ok(Completion::Completed)
}

/// What gets to the backing service past the gateway is found by its log, and fails the whole run.
fn request_that_nothing_admits_is_told(environments: &Environments) -> Result {
    let local = Arc::new(environments.another(Environment::Test)?);
    let json: Value = serde_json::from_slice(&std::fs::read(local.folder().join("dev.json"))?)?;
    let address = json.get("sample_service").and_then(Value::as_str).ok_or("no sample service")?;
    let address = address.trim_start_matches("http://").to_owned();
    let target = Target::local(local)?;
    let clean = attack(&target, &Pack::read()?, Some("B16"), |_| {});
    ensure(clean.is_clean() && clean.backing_is_watched, || clean.to_text())?;
    let past = |_: &str| {
        let request = b"GET /gateway/account/past HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let mut stream = TcpStream::connect(&address).expect("the sample service listens");
        stream.write_all(request).expect("it reads");
        stream.read_to_end(&mut Vec::new()).expect("it answers");
    };
    let report = attack(&target, &Pack::read()?, Some("B16"), past);
    ensure(!report.is_clean(), || report.to_text())?;
    let told = report.unadmitted.iter().all(|line| line.starts_with("GET /gateway/account/past "));
    ensure(told && report.unadmitted.len() == 1, || format!("{:?}", report.unadmitted))?;
    ensure(report.to_text().contains("REACHED THE BACKING SERVICE"), || report.to_text())?;
    Ok(Completion::Completed)
}

/// The pages and the JUnit files hold every id, every rule and every case, and nothing from elsewhere.
fn report_says_how_everything_came_out(environments: &Environments) -> Result {
    let target = environments.target(Environment::Test)?;
    let attacks = Attacks::read(&folder().join("attacks.toml"))?;
    let report = attack(&target, &Pack::read()?, Some("B16"), |_| {});
    let page = report.to_html(&attacks);
    ensure(
        page.contains("<th scope=\"row\">B16</th>") && !page.contains("<th scope=\"row\">B17</th>"),
        || page.clone(),
    )?;
    sound(&page)?;

    let cases = Case::read_all(&folder().join("cases"))?;
    let skips = Skips::read(&folder().join("skips.toml"))?;
    let requirements = Requirements::read(&folder().join("requirements.toml"))?;
    let only = Selection { only: Some("M2M-6".into()), progress: None };
    let report = run(&target, &cases, &skips, &only);
    let page = report.to_html(&requirements, &skips);
    for result in &report.results {
        ensure(page.contains(&result.name), || format!("{} is not in the page", result.name))?;
        ensure(report.to_junit().contains(&format!("name=\"{}\"", result.name)), || report.to_junit())?;
    }
    for rule in requirements.rules() {
        ensure(page.contains(&format!("<h3 id=\"{rule}\">{rule}</h3>")), || {
            format!("{rule} is not in the page")
        })?;
    }
    ensure(page.contains("TOKEN=$(cat") && page.contains("--cacert"), || "no lines for a shell".into())?;
    sound(&page)
}

/// Every table has a caption, every link leads to somewhere in the page, and nothing is fetched or run.
fn sound(page: &str) -> Result {
    let count = |text: &str| page.matches(text).count();
    ensure(count("<table>") == count("<caption>") && count("<h1>") == 1, || {
        "a table without a caption".into()
    })?;
    for forbidden in ["<script", "src=", "url(", "@import", "<link", "javascript:"] {
        ensure(!page.contains(forbidden), || format!("the page has {forbidden}"))?;
    }
    for link in page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        let target = link.strip_prefix('#').ok_or_else(|| format!("{link} leads out of the page"))?;
        ensure(page.contains(&format!("id=\"{target}\"")), || format!("{link} leads nowhere"))?;
    }
    for (open, close) in
        [("<table>", "</table>"), ("<tr>", "</tr>"), ("<details>", "</details>"), ("<td>", "</td>")]
    {
        ensure(count(open) == count(close), || format!("{open} and {close} do not fit"))?;
    }
    Ok(Completion::Completed)
}
