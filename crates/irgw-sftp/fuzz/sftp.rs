//! What must hold for any bytes of the far end of an SFTP session: shared by the fuzz targets and the test that runs
//! their corpora.

use std::time::Duration;

use irgw_sftp::ssh::files::{Policy, Share, serve_blocking};
use irgw_sftp::ssh::sftp::{Folder, ListLimits, Remote, RemotePath};
use tokio::io::{join, sink};

/// Serving a client of any bytes ends, answers in whole packets, and leaves nothing outside the folder that is served
/// and no more in it than its quota.
pub fn sftp_requests(data: &[u8]) {
    const QUOTA_BYTES: u64 = 1 << 16;
    let outside = tempfile::tempdir().expect("a folder can be made");
    let served = outside.path().join("served");
    for folder in [&served, &served.join("inbox"), &served.join("outbox")] {
        std::fs::create_dir(folder).expect("a folder can be made");
    }
    std::fs::write(served.join("outbox/a.pgp"), b"a file").expect("a file can be written");
    let policy = Policy { outbox: Some("outbox"), ..Policy::inbox(QUOTA_BYTES) };
    let share = Share::open(&served, policy).expect("the folder is there");
    let mut answers = Vec::new();
    let _ = serve_blocking(data, &mut answers, share.session());

    let mut rest = answers.as_slice();
    while let Some((length, packet)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        rest = packet.get(length..).expect("an answer is a whole packet");
    }
    assert!(rest.is_empty());
    let around = std::fs::read_dir(outside.path()).expect("the folder is there").count();
    assert_eq!(around, 1, "something was made outside the folder");
    let inbox = std::fs::read_dir(served.join("inbox")).expect("the folder is there");
    let bytes: u64 =
        inbox.map(|file| file.and_then(|file| file.metadata()).map_or(0, |file| file.len())).sum();
    assert!(bytes <= QUOTA_BYTES, "{bytes}");
}

/// Asking a server of any answers ends, and believes no name that leads elsewhere.
pub fn sftp_answers(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let folder: Folder = "outbox".parse().expect("a folder");
    let limits = ListLimits { names: 1000, bytes: 1 << 16 };
    runtime.block_on(async {
        let stream = join(data, sink());
        let Ok(mut remote) = Remote::open(stream, Duration::from_secs(5)).await else { return };
        let Ok(listing) = remote.list(&folder, limits, |_| true).await else { return };
        assert!(listing.files.len() as u64 <= limits.names);
        for (name, _) in &listing.files {
            assert!(!name.as_str().contains(['/', '\0']) && !matches!(name.as_str(), "" | "." | ".."));
        }
        let Some((name, _)) = listing.files.first() else { return };
        let path: RemotePath = folder.file(name);
        if let Ok(bytes) = remote.download(&path, 1 << 16, &mut sink()).await {
            assert!(bytes <= 1 << 16);
        }
    });
}
