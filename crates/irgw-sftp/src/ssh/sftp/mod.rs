//! SFTP version 3 from the client's end (draft-ietf-secsh-filexfer-02): what a delivery and a pull need, and nothing more.

mod download;
mod error;
mod list;
mod name;
pub(crate) mod packet;
mod remote;
mod upload;
mod wire;

pub use error::{Breach, Error, Limited, Operation};
pub use list::{ListLimits, Listing};
pub use name::{FileName, Folder, InvalidName, RemotePath};
pub use remote::{Remote, RemoteFile};
pub use upload::Start;
