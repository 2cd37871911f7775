//! Carries out the attacks, one id or all of them.

use std::collections::BTreeSet;
use std::time::Instant;

use super::report::{AttackReport, AttackResult, TrialOutcome, TrialResult, Verdict};
use super::{Attacks, Came, Elsewhere, Trial, trials};
use crate::case::Case;
use crate::report::{CaseResult, Outcome};
use crate::run::causes;
use crate::{Error, Selection, Skips, Target, run};

/// What there is to carry out.
#[derive(Debug)]
pub struct Pack {
    /// The attacks.
    pub attacks: Attacks,
    /// All cases; those without an attack's id are left alone.
    pub cases: Vec<Case>,
    /// What is left out.
    pub skips: Skips,
    /// The tests that carry ids elsewhere.
    pub elsewhere: Elsewhere,
}

impl Pack {
    /// Reads everything from this package and its workspace.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn read() -> Result<Pack, Error> {
        let folder = crate::folder();
        Ok(Pack {
            attacks: Attacks::read(&folder.join("attacks.toml"))?,
            cases: Case::read_all(&folder.join("cases"))?,
            skips: Skips::read(&folder.join("skips.toml"))?,
            elsewhere: Elsewhere::read(&folder.join(".."))?,
        })
    }

    /// The ids that `only` means: an id, a section's letter, or those that a case or trial carries in whose name it is; without it, all.
    fn chosen(&self, only: Option<&str>) -> BTreeSet<String> {
        let all = self.attacks.all().map(|(id, _)| id);
        let Some(only) = only else { return all.map(str::to_owned).collect() };
        let section = self.attacks.sections().iter().any(|section| section.id == only);
        let by_id: BTreeSet<String> =
            all.filter(|id| *id == only || section && id.starts_with(only)).map(str::to_owned).collect();
        if !by_id.is_empty() {
            return by_id;
        }
        let named =
            self.cases.iter().filter(|case| case.name.contains(only)).flat_map(|case| &case.text.attacks);
        let tried = trials().into_iter().filter(|trial| trial.name.contains(only));
        let tried = tried.flat_map(|trial| trial.attacks.iter().map(|id| (*id).to_owned()));
        named.cloned().chain(tried).collect()
    }
}

/// Carries out the attacks that `only` means, first the cases, then the trials one after the other.
///
/// A refusal that reached the backing service is a failure of its own kind: of a case whose request it saw, and of the whole run when
/// it saw any request that no audit record admits.
pub fn attack(
    target: &Target,
    pack: &Pack,
    only: Option<&str>,
    mut progress: impl FnMut(&str),
) -> AttackReport {
    let ids = pack.chosen(only);
    // Neither an id nor a section's letter.
    let is_name = only.is_some_and(|only| !ids.iter().all(|id| id.starts_with(only)));
    let named = |name: &str| !is_name || only.is_some_and(|only| name.contains(only));
    let carries = |case: &&Case| named(&case.name) && case.text.attacks.iter().any(|id| ids.contains(id));
    let tries = |trial: &Trial| named(trial.name) && trial.attacks.iter().any(|id| ids.contains(*id));
    let watch = target.watch();
    let cases: Vec<Case> = pack.cases.iter().filter(carries).cloned().collect();
    progress(&format!("{} cases", cases.len()));
    let cases = run(target, &cases, &pack.skips, &Selection::default()).results;
    let mut tried = Vec::new();
    for trial in trials().into_iter().filter(tries) {
        progress(&format!("{}: {}", trial.attacks.join(" "), trial.name));
        tried.push(carried_out(target, &trial));
    }
    let chosen = pack.attacks.all().filter(|(id, _)| ids.contains(*id));
    let results = chosen.map(|(id, sentence)| result(pack, id, sentence, &cases, &tried)).collect();
    let unadmitted = target.unadmitted(&watch);
    AttackReport::new(target, results, cases, tried, unadmitted)
}

/// Which ids nothing at all covers: no case, no trial, no test elsewhere, and nothing that holds it. Also what carries an id that there
/// is not.
pub fn uncovered(pack: &Pack) -> Vec<String> {
    let trials = trials();
    let carried: BTreeSet<&str> = pack
        .cases
        .iter()
        .flat_map(|case| case.text.attacks.iter().map(String::as_str))
        .chain(trials.iter().flat_map(|trial| trial.attacks.iter().copied()))
        .collect();
    let open = pack.attacks.all().map(|(id, _)| id).filter(|id| {
        !carried.contains(id) && pack.elsewhere.tests(id).is_empty() && pack.attacks.held(id).is_none()
    });
    let open = open.map(|id| format!("{id} has no case, no trial and no test"));
    let unknown = carried.iter().filter(|id| pack.attacks.sentence(id).is_none());
    open.chain(unknown.map(|id| format!("there is no attack {id} in attacks.toml"))).collect()
}

fn carried_out(target: &Target, trial: &Trial) -> TrialResult {
    let began = Instant::now();
    let outcome = match trial.run(target) {
        Ok(Came::Survived(came)) => TrialOutcome::Survived { came },
        Ok(Came::NotRun(reason)) => TrialOutcome::NotRunnable { reason },
        Err(error) => TrialOutcome::Failed { wrong: causes(&error) },
    };
    TrialResult {
        name: trial.name,
        attacks: trial.attacks,
        title: trial.title,
        duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        outcome,
    }
}

fn result(
    pack: &Pack,
    id: &str,
    sentence: &str,
    cases: &[CaseResult],
    trials: &[TrialResult],
) -> AttackResult {
    let cases: Vec<&CaseResult> =
        cases.iter().filter(|case| case.attacks.iter().any(|known| known == id)).collect();
    let trials: Vec<&TrialResult> = trials.iter().filter(|trial| trial.attacks.contains(&id)).collect();
    let count = |is: fn(&Outcome) -> bool| cases.iter().filter(|case| is(&case.outcome)).count();
    let tried = |is: fn(&TrialOutcome) -> bool| trials.iter().filter(|trial| is(&trial.outcome)).count();
    let passed = count(|outcome| matches!(outcome, Outcome::Passed { .. }));
    let survived = tried(|outcome| matches!(outcome, TrialOutcome::Survived { .. }));
    let failed = count(|outcome| matches!(outcome, Outcome::Failed { .. }))
        + tried(|outcome| matches!(outcome, TrialOutcome::Failed { .. }));
    let of_cases = cases.iter().filter_map(|case| match &case.outcome {
        Outcome::NotRunnableRemotely { reason } | Outcome::Skipped { reason } => Some(reason.as_str()),
        Outcome::OtherEnvironment => Some("is for another environment"),
        _ => None,
    });
    let of_trials = trials.iter().filter_map(|trial| match &trial.outcome {
        TrialOutcome::NotRunnable { reason } => Some(reason.as_str()),
        _ => None,
    });
    let reasons: BTreeSet<&str> = of_cases.chain(of_trials).collect();
    let elsewhere: Vec<String> = pack.elsewhere.tests(id).into_iter().map(str::to_owned).collect();
    let held = pack.attacks.held(id).map(str::to_owned);
    let verdict = if count(|outcome| matches!(outcome, Outcome::Reached { .. })) > 0 {
        Verdict::Reached
    } else if failed > 0 {
        Verdict::Failed
    } else if passed + survived > 0 {
        Verdict::Survived
    } else if !reasons.is_empty() {
        Verdict::NotRunnableRemotely
    } else if !elsewhere.is_empty() || held.is_some() {
        Verdict::ElsewhereAlone
    } else {
        Verdict::NotCovered
    };
    let names = |all: Vec<&str>| all.into_iter().map(str::to_owned).collect();
    AttackResult {
        id: id.to_owned(),
        sentence: sentence.to_owned(),
        verdict,
        passed: passed + survived,
        failed,
        not_tried: cases.len() + trials.len()
            - passed
            - survived
            - failed
            - count(|outcome| matches!(outcome, Outcome::Reached { .. })),
        reasons: reasons.into_iter().map(str::to_owned).collect(),
        cases: names(cases.iter().map(|case| case.name.as_str()).collect()),
        trials: names(trials.iter().map(|trial| trial.name).collect()),
        elsewhere,
        held,
    }
}
