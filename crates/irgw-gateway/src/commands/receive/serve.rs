//! `irgw receive serve`: a file server for Inland Revenue alone (SFTP-1, SFTP-2).

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use irgw_core::{Clock, Rule};
use irgw_sftp::ssh::files::{Policy, Share};
use irgw_sftp::ssh::{Fingerprint, HostPin, PrivateKey};
use tokio::net::TcpListener;

use crate::bounded::{self, Readers};
use crate::commands::CommandError;
use crate::commands::run::runtime;
use crate::commands::signals::Signals;
use crate::transfer::file_server::{Admitted, FileServer};
use crate::transfer::one_line_of;

/// The arguments of `irgw receive serve`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Inland Revenue's key is the only one that is admitted, and the user's name must be the agreed one. No path leads
out of the folder; nothing that has its final name is changed, replaced or removed. Uploads have names that end in .part until
they are whole. There are no shells, no forwarding and no passwords.
Make the host key with: ssh-keygen -t ecdsa -b 256 -N '' -f host.key; Inland Revenue pins it, so keep it.
Put the files to a use with irgw receive watch, which takes them out of the folder."
)]
pub(super) struct ServeArgs {
    /// The address and port to listen at, such as 0.0.0.0:22; port 0 is a free one
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// The folder that is served; Inland Revenue uses the folder inbox in it, unless something else is agreed
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// The server's key, 0600, as ssh-keygen makes it: ECDSA or RSA
    #[arg(long, value_name = "FILE")]
    host_key: PathBuf,
    /// The file that holds the host key's passphrase, one line, 0600
    #[arg(long, value_name = "FILE")]
    host_key_passphrase_file: Option<PathBuf>,
    /// The user that Inland Revenue logs in as
    #[arg(long)]
    user: String,
    /// Inland Revenue's public key: a .pub file, with a second line while it changes its key
    #[arg(long, value_name = "FILE")]
    client_key: PathBuf,
    /// The bytes of all files together
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 30)]
    quota: u64,
}

/// Serves until it is told to stop.
///
/// # Errors
/// When it does not start.
pub(super) fn run(args: &ServeArgs, clock: Arc<dyn Clock>, out: &mut impl Write) -> Result<(), CommandError> {
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let post = Post::open(args, clock).await?;
        writeln!(out, "listening at {} for {}", post.address, args.user)?;
        writeln!(out, "host key {}", post.host_key)?;
        out.flush()?;
        tokio::select! {
            never = post.server.run() => match never {},
            () = signals.stop("there is nothing to re-read; start anew for other keys") => Ok(()),
        }
    });
    runtime.shutdown_background();
    outcome
}

/// A listening server.
pub(super) struct Post {
    pub(super) address: SocketAddr,
    host_key: Fingerprint,
    pub(super) server: FileServer,
}

impl Post {
    /// Reads the keys, opens the folder and listens.
    pub(super) async fn open(args: &ServeArgs, clock: Arc<dyn Clock>) -> Result<Post, CommandError> {
        let passphrase = args.host_key_passphrase_file.as_deref().map(one_line_of).transpose();
        let passphrase = passphrase.map_err(CommandError::unusable)?;
        let host_key = PrivateKey::load(&args.host_key, passphrase.as_ref())
            .map_err(|error| CommandError::caused(error).about(&args.host_key))?;
        let admitted = Admitted { user: args.user.clone(), keys: read_keys(&args.client_key)? };
        let share = Share::open(&args.root, Policy::inbox(args.quota))
            .map_err(|error| CommandError::unusable(error).about(&args.root))?;
        let cannot =
            |error| CommandError::unusable(format_args!("cannot listen at {}: {error}", args.listen));
        let listener = TcpListener::bind(args.listen).await.map_err(cannot)?;
        Ok(Post {
            address: listener.local_addr().map_err(cannot)?,
            host_key: host_key.fingerprint(),
            server: FileServer::new(listener, &host_key, admitted, share, clock),
        })
    }
}

/// The keys of a file of public keys, one a line.
fn read_keys(path: &Path) -> Result<Vec<Fingerprint>, CommandError> {
    let bytes = bounded::read(path, LIMIT_BYTES, Readers::Anybody)
        .map_err(|error| CommandError::unusable(error).about(path))?;
    let refused = |why: &dyn std::fmt::Display| CommandError::refused(Rule::Sftp2, why).about(path);
    let text = str::from_utf8(&bytes).map_err(|_| refused(&"it is not text"))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pins: Vec<HostPin> = lines
        .map(|line| line.parse().map_err(|error| refused(&format_args!("{error}; no options are taken"))))
        .collect::<Result<_, _>>()?;
    match pins.is_empty() {
        true => Err(refused(&"there is no key in it")),
        false => Ok(pins.iter().map(HostPin::fingerprint).collect()),
    }
}

const LIMIT_BYTES: u64 = 64 * 1024;
