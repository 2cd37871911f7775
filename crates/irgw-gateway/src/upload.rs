//! How the upload of a request's body goes: told by the body, asked by whoever waits for the answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::body::BodyError;

/// The upload of one request's body. A request without a body has none.
#[derive(Debug)]
pub(crate) struct Upload(Mutex<State>);

#[derive(Debug)]
struct State {
    /// When a piece of the body was passed on last.
    moved: Instant,
    /// How it ended.
    ended: Option<Result<(), BodyError>>,
}

impl Upload {
    pub(crate) fn new() -> Upload {
        Upload(Mutex::new(State { moved: Instant::now(), ended: None }))
    }

    /// A piece was passed on.
    pub(crate) fn move_on(&self) {
        self.state().moved = Instant::now();
    }

    /// The body is at its end, or broke off; the first word counts.
    pub(crate) fn end(&self, how: Result<(), BodyError>) {
        let mut state = self.state();
        state.moved = Instant::now();
        state.ended.get_or_insert(how);
    }

    /// Whether the whole body was passed on.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.state().ended, Some(Ok(())))
    }

    /// What the caller did wrong.
    pub(crate) fn fault(&self) -> Option<BodyError> {
        self.state().ended.as_ref().and_then(|how| how.as_ref().err()).cloned()
    }

    /// Waits until nothing was passed on for this long.
    pub(crate) async fn rests(&self, limit: Duration) {
        loop {
            let moved = self.state().moved;
            tokio::time::sleep_until(moved + limit).await;
            if self.state().moved == moved {
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn rest_is_counted_from_the_last_piece() {
        let upload = Upload::new();
        let began = Instant::now();
        let pieces = async {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(3)).await;
                upload.move_on();
            }
        };
        tokio::join!(pieces, upload.rests(Duration::from_secs(4)));
        assert_eq!(began.elapsed().as_secs(), 19);
    }

    #[test]
    fn first_end_counts() {
        let upload = Upload::new();
        assert!(!upload.is_whole());
        upload.end(Err(BodyError::TooLarge(7)));
        upload.end(Ok(()));
        assert!(!upload.is_whole() && upload.fault().is_some());
    }
}
