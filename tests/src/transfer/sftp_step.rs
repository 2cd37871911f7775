//! One operation over SFTP, as a case writes it (SFTP-3).

use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};

/// Why a step was not taken.
pub(super) enum Step {
    Unknown,
    Refused(SftpError),
}

impl From<SftpError> for Step {
    fn from(error: SftpError) -> Step {
        Step::Refused(error)
    }
}

/// Takes a step; what it came to.
pub(super) async fn take(sftp: &RawSftpSession, words: &[&str]) -> Result<String, Step> {
    match words {
        ["write", path, content] => {
            let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE;
            let handle = sftp.open(*path, flags, FileAttributes::empty()).await?.handle;
            let written = sftp.write(handle.as_str(), 0, content.as_bytes().to_vec()).await;
            sftp.close(handle).await?;
            written?;
            Ok("written".into())
        }
        ["read", path] => {
            let handle = sftp.open(*path, OpenFlags::READ, FileAttributes::empty()).await?.handle;
            let data = sftp.read(handle.as_str(), 0, 4096).await?.data;
            sftp.close(handle).await?;
            Ok(format!("read {:?}", String::from_utf8_lossy(&data)))
        }
        ["rename", from, to] => sftp.rename(*from, *to).await.map(|_| "renamed".into()).map_err(Step::from),
        ["remove", path] => sftp.remove(*path).await.map(|_| "removed".into()).map_err(Step::from),
        ["make-folder", path] => {
            sftp.mkdir(*path, FileAttributes::empty()).await.map(|_| "made".into()).map_err(Step::from)
        }
        ["link", path, to] => sftp.symlink(*path, *to).await.map(|_| "linked".into()).map_err(Step::from),
        ["list", path] => {
            let handle = sftp.opendir(*path).await?.handle;
            let mut names = Vec::new();
            loop {
                match sftp.readdir(handle.as_str()).await {
                    Ok(listed) => names.extend(listed.files.into_iter().map(|file| file.filename)),
                    Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => break,
                    Err(error) => return Err(error.into()),
                }
            }
            sftp.close(handle).await?;
            names.sort();
            Ok(format!("listed {}", names.join(" ")))
        }
        _ => Err(Step::Unknown),
    }
}
