//! A gateway that is killed in the middle of refreshes: what was answered holds, and nothing is half done (OA-12, C11).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use irgw_core::Environment;
use irgw_tests::{Dev, Local};
use libtest_mimic::{Completion, Trial};
use serde_json::Value;

use crate::Result;
use crate::environments::{Environments, ensure};
use crate::refresh::{Asker, Families, LIMITS, State, rounds, text_of};
use crate::tools::PATIENCE;

/// Clients that refresh at once, each with a family of its own.
const CLIENTS: usize = 20;

/// Refreshes in a round; a gateway lives for 1 to twice as many.
const REFRESHES: u32 = 25;

/// Where the moments of the kills come from.
const SEED: u64 = 0x1234_5678_9abc_def1;

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let environments = environments.clone();
    vec![Trial::ignorable_test("kills::what_was_answered_survives_and_nothing_is_half_done", move || {
        kill_again_and_again(&*environments.local(Environment::Test)?)
    })]
}

/// What a client knows of its family.
pub(crate) struct Client {
    /// The token that it has, and may use.
    token: String,
    /// The one that it had before: spent by an exchange whose answer came.
    before: Option<String>,
    /// Whether the token was sent and no answer came.
    pub(crate) in_doubt: bool,
}

impl Client {
    /// One with a family of its own.
    pub(crate) fn of(families: &Families) -> Result<Client> {
        Ok(Client { token: families.begin()?, before: None, in_doubt: false })
    }

    /// Sends the token; the status of the answer. Another one than 200 leaves in doubt what became of the token.
    pub(crate) fn refresh(&mut self, asker: &mut Asker) -> Result<(u16, Value)> {
        self.in_doubt = true;
        let (status, body) = asker.refresh(&self.token)?;
        if status == 200 {
            let next = text_of(&body, "refresh_token").to_owned();
            self.before = Some(std::mem::replace(&mut self.token, next));
            self.in_doubt = false;
        }
        Ok((status, body))
    }
}

fn kill_again_and_again(local: &Local) -> Result {
    let families = Families::of(local)?;
    let mut clients = (0..CLIENTS).map(|_| Client::of(&families)).collect::<Result<Vec<_>>>()?;
    let mut random = SEED;
    let (mut answered, mut kills, mut doubts, mut spent) = (0, 0, 0, 0);
    let wanted = rounds(20)? * REFRESHES;
    while answered < wanted {
        let (dev, gateway) = local.serve("killed", LIMITS.parse()?)?;
        for client in &mut clients {
            if client.in_doubt {
                doubts += 1;
                spent += u32::from(settle(&families, &dev, client)?);
            }
        }
        random = next(random);
        let answers = AtomicU32::new(0);
        let limit = 1 + u32::try_from(random % u64::from(2 * REFRESHES)).unwrap_or(0);
        thread::scope(|scope| {
            let workers: Vec<_> =
                clients.iter_mut().map(|client| scope.spawn(|| use_up(&dev, client, &answers))).collect();
            let deadline = Instant::now() + PATIENCE;
            while answers.load(Ordering::Relaxed) < limit && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
            // A kill in the middle of whatever goes on then: SIGKILL, and it is waited for.
            drop(gateway);
            let ended = workers.into_iter().map(|worker| worker.join().expect("a client does not panic"));
            ended.collect::<Result<Vec<()>>>()
        })?;
        let came = answers.into_inner();
        ensure(came >= limit, || format!("{came} of {limit} refreshes in {PATIENCE:?}"))?;
        (answered, kills) = (answered + came, kills + 1);
        for client in &clients {
            check(&families, client)?;
        }
    }
    // The last ones too: nobody whose answer came is locked out.
    let (dev, _gateway) = local.serve("killed", LIMITS.parse()?)?;
    let mut asker = Asker::connect(&dev)?;
    for client in &mut clients {
        if client.in_doubt {
            settle(&families, &dev, client)?;
        }
        let (status, body) = asker.refresh(&client.token)?;
        ensure(status == 200, || format!("a client whose answer came is refused: {status} {body}"))?;
    }
    families.store.examine()?;
    crate::say(&format!(
        "{answered} refreshes were answered in {kills} lives of the gateway; {doubts} answers were lost, {spent} of them after \
         the commit"
    ));
    Ok(Completion::Completed)
}

/// Refreshes until the gateway is gone.
fn use_up(dev: &Dev, client: &mut Client, answers: &AtomicU32) -> Result<()> {
    let Ok(mut asker) = Asker::connect(dev) else { return Ok(()) };
    loop {
        let Ok((status, body)) = client.refresh(&mut asker) else { return Ok(()) };
        ensure(status == 200, || format!("a live token is refused: {status} {body}"))?;
        answers.fetch_add(1, Ordering::Relaxed);
    }
}

/// After a kill: what was answered is in the database, and what was not is there wholly or not at all.
pub(crate) fn check(families: &Families, client: &Client) -> Result<()> {
    let state = families.state(&client.token)?;
    let whole = if client.in_doubt { &[State::Live, State::Spent][..] } else { &[State::Live] };
    ensure(whole.contains(&state), || format!("a token is {state:?}; in doubt: {}", client.in_doubt))?;
    let before = client.before.as_deref().map(|token| families.state(token)).transpose()?;
    ensure(matches!(before, None | Some(State::Spent)), || format!("the token before is {before:?}"))
}

/// A client without an answer tries again: its token is good, or it was spent, and the family ends. Whether it was.
pub(crate) fn settle(families: &Families, dev: &Dev, client: &mut Client) -> Result<bool> {
    let state = families.state(&client.token)?;
    let (status, body) = client.refresh(&mut Asker::connect(dev)?)?;
    match (state, status) {
        (State::Live, 200) => Ok(false),
        (State::Spent, 401) => {
            let after = families.state(&client.token)?;
            ensure(after == State::Revoked, || {
                format!("the family of a token that came again is {after:?}")
            })?;
            *client = Client::of(families)?;
            Ok(true)
        }
        (state, status) => Err(format!("a token that is {state:?} is answered {status} {body}").into()),
    }
}

/// Marsaglia's xorshift.
pub(crate) fn next(mut state: u64) -> u64 {
    state ^= state << 13;
    state ^= state >> 7;
    state ^ (state << 17)
}
