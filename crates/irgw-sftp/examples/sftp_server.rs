//! An SFTP server on standard input and output, as OpenSSH's `sftp-server` is, for the tests of SFTP clients.
//!
//! ```text
//! sftp_server FOLDER
//! ```
//!
//! Paths are within the folder, as if it were the root of the file system.

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use irgw_sftp::ssh::files::{Policy, Share, serve_blocking};

    let folder = std::env::args_os().nth(1).ok_or("usage: sftp_server FOLDER")?;
    let share = Share::open(std::path::Path::new(&folder), Policy::general())?;
    serve_blocking(std::io::stdin().lock(), std::io::stdout().lock(), share.session())?;
    Ok(())
}

#[cfg(not(unix))]
fn main() {}
