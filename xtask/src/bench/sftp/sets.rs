//! Sets of files: where they lie, under which names, and where they go.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;

pub(super) const PLATFORM: &str = "1500131086";
pub(super) const ENVIRONMENT: &str = "NZT";

/// A set on its way to one provider.
pub(super) struct Set {
    /// Where its files lie.
    pub(super) folder: PathBuf,
    names: Vec<String>,
    /// Where they go, at the server.
    pub(super) inbox: PathBuf,
}

impl Set {
    /// So many zips, which are second names of `zip`, and a control file if one is wanted.
    pub(super) fn link(
        folder: PathBuf,
        zip: &Path,
        zips: usize,
        control: Control,
        inbox: PathBuf,
    ) -> Result<Set, Error> {
        fs::create_dir_all(&folder).map_err(Error::at("make", &folder))?;
        let stem =
            |number: usize| format!("DAILY_PROVIDER_{PLATFORM}_{number}_201908220930305850_{ENVIRONMENT}");
        let mut names = Vec::new();
        for number in 0..zips {
            let name = format!("{}.zip", stem(number));
            fs::hard_link(zip, folder.join(&name)).map_err(Error::at("link", zip))?;
            names.push(name);
        }
        if control == Control::Last {
            let name = format!("{}_CONTROL.xml", stem(zips));
            let path = folder.join(&name);
            fs::write(&path, CONTROL_FILE).map_err(Error::at("write", &path))?;
            names.push(name);
        }
        Ok(Set { folder, names, inbox })
    }

    /// The same files on their way to another provider.
    pub(super) fn to(&self, inbox: PathBuf) -> Set {
        Set { folder: self.folder.clone(), names: self.names.clone(), inbox }
    }

    /// Names and paths, in the order in which they go.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, PathBuf)> {
        self.names.iter().map(|name| (name.as_str(), self.folder.join(name)))
    }

    /// Empties the inbox.
    pub(super) fn clear(&self) -> Result<(), Error> {
        if self.inbox.exists() {
            fs::remove_dir_all(&self.inbox).map_err(Error::at("empty", &self.inbox))?;
        }
        fs::create_dir_all(&self.inbox).map_err(Error::at("make", &self.inbox))
    }

    /// Looks whether every file has arrived, sealed.
    pub(super) fn expect_arrived(&self) -> Result<(), Error> {
        for (name, source) in self.files() {
            let there = self.inbox.join(irgw_sftp::sealed_name(name));
            let size =
                |path: &Path| fs::metadata(path).map(|file| file.len()).map_err(Error::at("look at", path));
            if size(&there)? <= size(&source)? {
                let complaint = format!("has {} cut off", there.display());
                return Err(Error::Server { server: "sshd", complaint });
            }
        }
        Ok(())
    }
}

/// Whether a set has a control file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    None,
    Last,
}

/// A kilobyte or so, as for a set with one zip of few members. Nobody here reads it.
const CONTROL_FILE: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<FileTransfers TotalTransactionCount=\"3\" TotalPeriodCount=\"3\">\n",
    "  <FileTransfer FileName=\"DAILY_PROVIDER_1500131086_0_201908220930305850_NZT.zip\" TransactionCount=\"3\" PeriodCount=\"3\">\n",
    "    <ChildFile FileName=\"DAILY_AGENT_IRD_049091850_0_201908220930305850_NZT.xml\" TransactionCount=\"1\" PeriodCount=\"1\"/>\n",
    "    <ChildFile FileName=\"DAILY_AGENT_IRD_035901981_0_201908220930305850_NZT.xml\" TransactionCount=\"1\" PeriodCount=\"1\"/>\n",
    "    <ChildFile FileName=\"DAILY_CUSTOMER_0_201908220930305850_NZT.xml\" TransactionCount=\"1\" PeriodCount=\"1\"/>\n",
    "  </FileTransfer>\n</FileTransfers>\n"
);
