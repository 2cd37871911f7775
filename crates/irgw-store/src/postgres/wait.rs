//! Waiting for a future on a thread that may not wait for ever, inside an asynchronous runtime or outside.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

/// What the future comes to; `None`: it had not by `deadline`, and is dropped.
///
/// The future must not need a runtime to be polled in. A runtime's own `block_on` panics on the threads of another.
pub(crate) fn wait<T>(future: impl Future<Output = T>, deadline: Instant) -> Option<T> {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future;
    use std::time::Duration;

    #[test]
    fn future_is_waited_for_until_the_deadline() {
        let soon = Instant::now() + Duration::from_secs(30);
        assert_eq!(wait(future::ready(7), soon), Some(7));
        assert_eq!(wait(future::pending::<()>(), Instant::now()), None);
        let mut polled = 0;
        let twice = future::poll_fn(|context| {
            polled += 1;
            context.waker().wake_by_ref();
            if polled < 2 { Poll::Pending } else { Poll::Ready(polled) }
        });
        assert_eq!(wait(twice, soon), Some(2));
    }
}
