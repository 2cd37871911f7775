//! One refresh for each expiry, whoever asks and however often; and none again whose answer was not seen.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::Poll;

use irgw_core::ClientKind;

use super::super::testing::*;
use super::super::{SendFault, Skew};
use super::*;

pub(super) const MARGIN: Duration = Duration::from_secs(60);

pub(super) type Sent = Result<http::Response<Vec<u8>>, SendFault>;

/// Tokens number 0, issued at [`NOW`] for eight hours.
pub(super) fn first() -> Tokens {
    Tokens {
        access_token: Secret::new("access-0".into()),
        refresh_token: Some(Secret::new("refresh-0".into())),
        expires_at: UnixTime::since_unix_epoch(Duration::from_secs(NOW + 28800)),
        skew: Skew::default(),
        scope: None,
    }
}

/// A server that takes each refresh token once: the one numbered `n` for number `n + 1`.
#[derive(Default)]
pub(super) struct Server {
    live: AtomicUsize,
    pub(super) calls: AtomicUsize,
}

impl Server {
    pub(super) fn refresh(&self, body: &[u8]) -> Sent {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let body = String::from_utf8_lossy(body);
        let n: usize = body.rsplit('-').next().unwrap().parse().unwrap();
        let spent = self.live.compare_exchange(n, n + 1, Ordering::SeqCst, Ordering::SeqCst).is_err();
        if spent {
            return answer(
                401,
                r#"{"error":"invalid_grant","error_description":"Refresh token is invalid."}"#,
            );
        }
        issued(n + 1)
    }
}

pub(super) fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    (folder, path)
}

/// The file with [`first`] in it, and whom the server's `script` answers, just before they expire.
pub(super) fn expired(
    path: &Path,
    script: impl FnMut(&http::Request<Vec<u8>>) -> Sent + Send + 'static,
) -> (TokenFile, Client<Scripted>, TestClock) {
    let (client, clock) = client(script);
    let file = TokenFile::at(path);
    block_on(file.store(&client, &first())).unwrap();
    clock.set(NOW + 28800 - 60);
    (file, client, clock)
}

pub(super) fn access(tokens: Result<Tokens, RenewError>) -> String {
    tokens.unwrap().access_token().expose().clone()
}

#[test]
fn refresh_comes_with_the_margin_and_not_before() {
    let (_folder, path) = folder();
    let server = Server::default();
    let (file, client, clock) = expired(&path, move |request| server.refresh(request.body()));
    clock.set(NOW + 28800 - 61);
    assert_eq!(access(block_on(file.fresh(&client, MARGIN))), "access-0");
    assert!(requests(&client).is_empty());
    clock.set(NOW + 28800 - 60);
    assert_eq!(access(block_on(file.fresh(&client, MARGIN))), "access-1");
    assert_eq!(access(block_on(file.fresh(&client, MARGIN))), "access-1");
    assert_eq!(requests(&client).len(), 1);
}

#[test]
fn new_tokens_are_on_disk_before_they_are_handed_out_and_the_mark_before_the_request() {
    let (_folder, path) = folder();
    let seen = path.clone();
    let (file, client, _) = expired(&path, move |_| {
        let text = std::fs::read_to_string(&seen).unwrap();
        assert!(text.contains("\"pending\": {") && text.contains("refresh_token_sha256"), "{text}");
        issued(1)
    });
    block_on(file.fresh(&client, MARGIN)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"refresh-1\"") && text.contains("\"pending\": null"), "{text}");
}

#[cfg(unix)]
#[test]
fn file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = folder();
    // What a crash left, with other permissions.
    std::fs::write(path.with_extension("json.new"), "x").unwrap();
    std::fs::set_permissions(path.with_extension("json.new"), PermissionsExt::from_mode(0o644)).unwrap();
    let (file, client, _) = expired(&path, |_| issued(1));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let exposed = block_on(file.fresh(&client, MARGIN));
    assert!(matches!(exposed, Err(RenewError::File(FileFault::Exposed { mode: 0o640, .. }))), "{exposed:?}");
}

#[test]
fn tokens_are_not_sent_to_another_server() {
    let (_folder, path) = folder();
    let (file, client, _) = expired(&path, |_| issued(1));
    let text = std::fs::read_to_string(&path).unwrap().replace("ir.example.nz", "test.example.nz");
    std::fs::write(&path, text).unwrap();
    let foreign = block_on(file.fresh(&client, MARGIN));
    assert!(matches!(foreign, Err(RenewError::File(FileFault::Foreign { .. }))), "{foreign:?}");
    assert!(requests(&client).is_empty());
}

#[test]
fn file_that_is_none_is_not_replaced_and_not_quoted() {
    let (_folder, path) = folder();
    let (file, client, _) = expired(&path, |_| issued(1));
    for text in ["", "{}", "{\"version\":2}", "\"hunter2", "[1]"] {
        std::fs::write(&path, text).unwrap();
        let error = block_on(file.fresh(&client, MARGIN)).unwrap_err();
        assert!(matches!(error, RenewError::File(FileFault::Malformed { .. })), "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(block_on(file.fresh(&client, MARGIN)), Err(RenewError::Absent)));
}

#[test]
fn refresh_that_the_server_surely_did_not_do_is_tried_again() {
    let (_folder, path) = folder();
    let server = Server::default();
    let mut failures = vec![
        answer(401, r#"{"error":"invalid_client","error_description":"Client is invalid."}"#),
        answer(503, ""),
        Err(SendFault::Unsent(broken())),
    ];
    let (file, client, _) =
        expired(&path, move |request| failures.pop().unwrap_or_else(|| server.refresh(request.body())));
    for _ in 0..3 {
        let failed = block_on(file.fresh(&client, MARGIN));
        assert!(matches!(failed, Err(RenewError::Exchange(_))), "{failed:?}");
        assert!(file.read(&client).unwrap().unwrap().possibly_lost_since.is_none());
    }
    assert_eq!(access(block_on(file.fresh(&client, MARGIN))), "access-1");
}

/// C11: the answer is lost, for every way to lose it; nobody tries again, in this process or the next.
#[test]
fn refresh_whose_answer_was_not_seen_is_never_repeated() {
    let lost: [fn() -> Sent; 5] = [
        || Err(SendFault::Unanswered(broken())),
        || answer(500, ""),
        || answer(502, "<html>"),
        || answer(200, "{\"access_token\":"),
        || answer(200, &" ".repeat(70_000)),
    ];
    for lose in lost {
        let (_folder, path) = folder();
        let (file, client, clock) = expired(&path, move |_| lose());
        let at_first = block_on(file.fresh(&client, MARGIN));
        assert!(matches!(at_first, Err(RenewError::PossiblyLost { cause: Some(_), .. })), "{at_first:?}");
        for file in [file, TokenFile::at(&path)] {
            let again = block_on(file.fresh(&client, MARGIN));
            let Err(RenewError::PossiblyLost { since, cause: None }) = again else { panic!("{again:?}") };
            assert_eq!(since.as_secs(), NOW + 28800 - 60);
        }
        assert_eq!(requests(&client).len(), 1);
        // The old access token goes on to its end, and a new login ends the trouble.
        let file = TokenFile::at(&path);
        assert_eq!(access(block_on(file.fresh(&client, Duration::from_secs(59)))), "access-0");
        block_on(file.store(&client, &first())).unwrap();
        clock.set(NOW);
        assert_eq!(access(block_on(file.fresh(&client, MARGIN))), "access-0");
    }
}

#[test]
fn dropped_refresh_counts_as_lost() {
    let (_folder, path) = folder();
    let (file, client, _) = expired(&path, |_| issued(1));
    struct Never(Arc<AtomicUsize>);
    impl Http for Never {
        async fn send(&self, _: http::Request<Vec<u8>>) -> Sent {
            self.0.fetch_add(1, Ordering::SeqCst);
            std::future::pending().await
        }
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let clock = Arc::new(TestClock::at(NOW + 28800));
    let silent = Client::new(config(ClientKind::Cloud, Some("s3cret")), Never(asked.clone()), clock);
    block_on(async {
        let mut refresh = Box::pin(file.fresh(&silent, MARGIN));
        std::future::poll_fn(|cx| {
            assert!(refresh.as_mut().poll(cx).is_pending());
            match asked.load(Ordering::SeqCst) {
                0 => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })
        .await;
        drop(refresh);
        let next = file.fresh(&client, MARGIN).await;
        assert!(matches!(next, Err(RenewError::PossiblyLost { .. })), "{next:?}");
    });
}

#[test]
fn refused_refresh_token_is_struck_off() {
    let (_folder, path) = folder();
    let server = Server { live: AtomicUsize::new(7), ..Server::default() };
    let (file, client, _) = expired(&path, move |request| server.refresh(request.body()));
    let refused = block_on(file.fresh(&client, MARGIN));
    assert!(matches!(refused, Err(RenewError::Ended(OAuthError::InvalidRefreshToken))), "{refused:?}");
    assert!(matches!(block_on(file.fresh(&client, MARGIN)), Err(RenewError::LoginNeeded)));
    assert_eq!(requests(&client).len(), 1);
}

#[test]
fn token_that_the_gateway_refused_is_renewed_once() {
    let (_folder, path) = folder();
    let server = Server::default();
    let (file, client, clock) = expired(&path, move |request| server.refresh(request.body()));
    clock.set(NOW);
    let stale = Secret::new("access-0".to_owned());
    assert_eq!(access(block_on(file.renew(&client, &stale))), "access-1");
    assert_eq!(access(block_on(file.renew(&client, &stale))), "access-1", "another was quicker");
    assert_eq!(requests(&client).len(), 1);
}

#[test]
fn tokens_that_cannot_be_written_are_handed_over() {
    let (folder, path) = folder();
    let gone = folder.path().to_owned();
    let (file, client, _) = expired(&path, move |_| {
        std::fs::remove_dir_all(&gone).unwrap();
        issued(1)
    });
    let Err(RenewError::NotKept { tokens, .. }) = block_on(file.fresh(&client, MARGIN)) else {
        panic!("the folder is gone")
    };
    assert_eq!(tokens.refresh_token().unwrap().expose(), "refresh-1");
}

#[test]
fn revocation_takes_the_family_and_removes_the_file() {
    let (_folder, path) = folder();
    let mut answers = vec![Ok(http::Response::new(vec![])), answer(503, "")];
    let (file, client, _) = expired(&path, move |_| answers.pop().unwrap());
    assert!(block_on(file.revoke(&client)).is_err());
    assert!(path.exists());
    block_on(file.revoke(&client)).unwrap();
    assert!(!path.exists());
    let sent = requests(&client).pop().unwrap();
    assert_eq!(sent.body(), b"token=refresh-0&token_type_hint=refresh_token");
}

/// Twenty threads, half of which share a `TokenFile` and half of which have their own, over five expiries.
#[test]
fn threads_refresh_once_for_each_expiry() {
    let (_folder, path) = folder();
    let server = Arc::new(Server::default());
    let script = server.clone();
    let (file, client, clock) = expired(&path, move |request| script.refresh(request.body()));
    let (file, client) = (Arc::new(file), Arc::new(client));
    for round in 1..=5 {
        // The test's tokens last for eight hours from the last Date-less answer, by the client's clock.
        let barrier = Barrier::new(20);
        std::thread::scope(|scope| {
            for thread in 0..20 {
                let (file, client, barrier, path) = (&file, &client, &barrier, &path);
                scope.spawn(move || {
                    let own = TokenFile::at(path);
                    let file = if thread % 2 == 0 { file } else { &own };
                    barrier.wait();
                    let got = access(block_on(file.fresh(client, MARGIN)));
                    assert_eq!(got, format!("access-{round}"));
                });
            }
        });
        assert_eq!(server.calls.load(Ordering::SeqCst), round);
        clock.set(client.now().as_secs() + 28800);
    }
}

/// Tasks on one thread: whoever waits for the lock must not stop whoever holds it.
#[test]
fn tasks_of_one_thread_do_not_lock_each_other_out() {
    let (_folder, path) = folder();
    let server = Arc::new(Server::default());
    let script = server.clone();
    let (file, client, _) = expired(&path, move |request| script.refresh(request.body()));
    struct Slow(Client<Scripted>);
    impl Http for Slow {
        async fn send(&self, request: http::Request<Vec<u8>>) -> Sent {
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            self.0.http.send(request).await
        }
    }
    let clock = Arc::new(TestClock::at(NOW + 28800));
    let client = Arc::new(Client::new(config(ClientKind::Cloud, Some("s")), Slow(client), clock));
    let file = Arc::new(file);
    block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..20 {
            let (client, own, file) = (client.clone(), TokenFile::at(&path), file.clone());
            tasks.spawn(async move {
                let file = if task % 2 == 0 { &*file } else { &own };
                access(file.fresh(&client, MARGIN).await)
            });
        }
        assert!(tasks.join_all().await.iter().all(|got| got == "access-1"));
    });
    assert_eq!(server.calls.load(Ordering::SeqCst), 1);
}

#[test]
fn futures_can_move_between_threads() {
    fn is_send(_: &impl Send) {}
    let (_folder, path) = folder();
    let (client, _) = client(|_| issued(1));
    let file = TokenFile::at(&path);
    let tokens = first();
    is_send(&file.fresh(&client, MARGIN));
    is_send(&file.renew(&client, tokens.access_token()));
    is_send(&file.store(&client, &tokens));
    is_send(&file.revoke(&client));
}
