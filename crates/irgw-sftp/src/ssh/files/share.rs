//! A folder that is served, and how full it is.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::{Errno, Result};

use super::jail::{Jail, measure};
use super::{Files, Policy};

/// A folder that is served under a policy, to any number of sessions.
#[derive(Debug, Clone)]
pub struct Share(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    jail: Jail,
    policy: Policy,
    /// The bytes of all files, as far as we know: others may take files out of the folder.
    used_bytes: Mutex<u64>,
}

impl Share {
    /// Serves the folder at `root`, which stays the same folder when it is given another name.
    ///
    /// # Errors
    /// When it is not a folder that can be opened and, if there is a quota, measured.
    pub fn open(root: &Path, policy: Policy) -> std::io::Result<Share> {
        let jail = Jail::open(root, policy.may_link, policy.max_name_bytes)?;
        let used = match policy.quota_bytes {
            Some(_) => measure(jail.root().try_clone_to_owned()?, 0)?,
            None => 0,
        };
        Ok(Share(Arc::new(Inner { jail, policy, used_bytes: Mutex::new(used) })))
    }

    /// One client's session.
    pub fn session(&self) -> Files {
        Files::new(self.clone())
    }

    pub(crate) fn jail(&self) -> &Jail {
        &self.0.jail
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// Room for this many bytes more, which are counted as used from now on.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<()> {
        let Some(quota) = self.0.policy.quota_bytes.filter(|_| bytes > 0) else { return Ok(()) };
        let mut used = self.0.used_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |used: u64| used.checked_add(bytes).filter(|after| *after <= quota);
        // A request that could never be met is refused unmeasured.
        if fits(0).is_none() {
            return Err(Errno::DQUOT);
        }
        if fits(*used).is_none() {
            *used = measure(self.0.jail.root().try_clone_to_owned().map_err(|_| Errno::MFILE)?, 0)?;
        }
        *used = fits(*used).ok_or(Errno::DQUOT)?;
        Ok(())
    }

    /// This many bytes are used no longer.
    pub(crate) fn release(&self, bytes: u64) {
        let mut used = self.0.used_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_sub(bytes);
    }
}
