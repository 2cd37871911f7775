//! The files that client certificates are judged by: approved roots and revocation lists (TLS-4, TLS-9).

use std::sync::Arc;

use irgw_core::UnixTime;
use irgw_tls::{ApprovedRoot, ClientTrust, Crl};

use crate::config::{Problem, RootConfig, RootSource};
use crate::kept::{Alarm, Kept};
use crate::material;
use crate::metrics::Metrics;

/// Every file by itself: one that cannot be used holds up no other, and the last good values of all are in force
/// together.
pub(crate) struct TrustFiles {
    trust: Arc<ClientTrust>,
    entries: Vec<Entry>,
    /// A list that was taken, its issuer's key not being known, and turned out not to be the issuer's.
    unusable_list: Alarm,
}

/// One `[[root]]`.
struct Entry {
    config: RootConfig,
    roots: Kept<Vec<ApprovedRoot>>,
    /// Nothing under a root that is not in date is accepted.
    out_of_date: Alarm,
    lists: Vec<Kept<Vec<Crl>>>,
}

impl TrustFiles {
    /// Reads all of them for the first time. A root that is not in date stays on the list and admits nobody; somebody
    /// else's certificates are no reason not to start.
    ///
    /// # Errors
    /// A problem with the setting that names the file or the owner.
    pub(crate) fn read(configs: &[RootConfig], now: UnixTime) -> Result<TrustFiles, Problem> {
        let mut entries = Vec::new();
        for config in configs {
            let (what, files) = match &config.source {
                RootSource::File(file) => (format!("root {}", file.value.display()), vec![file]),
                RootSource::Mozilla(owner) => (format!("roots of {}", owner.value), vec![]),
            };
            entries.push(Entry {
                config: config.clone(),
                out_of_date: Alarm::new(format!("{what} out of date")),
                roots: Kept::read(what, &files, || material::roots(config, now))?,
                lists: Vec::new(),
            });
        }
        let roots = entries.iter().flat_map(|entry| entry.roots.good().clone()).collect();
        let trust =
            ClientTrust::new(roots, Vec::new()).map_err(|error| Problem::general(material::said(&error)))?;
        for entry in &mut entries {
            for file in &entry.config.crls {
                let what = format!("revocation list {}", file.value.display());
                entry.lists.push(Kept::read(what, &[file], || material::lists(file, &trust))?);
            }
        }
        let files =
            TrustFiles { trust: Arc::new(trust), entries, unusable_list: Alarm::new("revocation lists") };
        files.put_lists_in_force();
        Ok(files)
    }

    /// What the files hold, as it is in force.
    pub(crate) fn trust(&self) -> &Arc<ClientTrust> {
        &self.trust
    }

    /// Whether every root is in date, as one that is newly put on the list has to be (TLS-4).
    ///
    /// # Errors
    /// A problem with the setting that names the first that is not.
    pub(crate) fn check_dates(&self, now: UnixTime) -> Result<(), Problem> {
        for entry in &self.entries {
            if let Some(problem) = entry.out_of_date(now) {
                return Err(match &entry.config.source {
                    RootSource::File(file) => file.problem(problem),
                    RootSource::Mozilla(owner) => owner.problem(problem),
                });
            }
        }
        Ok(())
    }

    /// Reads again what has changed or stands under an alarm, and puts it in force; whether anything was.
    pub(crate) fn look(&mut self, metrics: &Metrics, now: UnixTime) -> bool {
        let trust = &self.trust;
        let (mut other_roots, mut more) = (false, false);
        for entry in &mut self.entries {
            let config = &entry.config;
            let renewed = entry.roots.look(metrics, |former| {
                let roots = material::roots(config, now)?;
                let is_own = |root: &ApprovedRoot| former.iter().any(|own| own.der() == root.der());
                let others = trust.roots().into_iter().filter(|root| !is_own(root));
                trust
                    .replace(others.chain(roots.iter().cloned()).collect(), trust.crls())
                    .map_err(|error| Problem::general(material::said(&error)))?;
                Ok(roots)
            });
            other_roots |= renewed.is_some();
            entry.out_of_date.settle(metrics, entry.out_of_date(now));
        }
        for entry in &mut self.entries {
            for (file, list) in entry.config.crls.iter().zip(&mut entry.lists) {
                let read = list.look(metrics, |former| {
                    let lists = material::lists(file, trust)?;
                    Crl::check_succession(former, &lists)
                        .map_err(|error| file.problem(material::said(&error)))?;
                    Ok(lists)
                });
                more |= read.is_some();
            }
        }
        if more {
            self.put_lists_in_force();
        }
        self.unusable_list.settle(metrics, self.trust.unusable_list());
        other_roots || more
    }

    fn put_lists_in_force(&self) {
        let lists = self.entries.iter().flat_map(|entry| &entry.lists);
        self.trust.replace_crls(lists.flat_map(|list| list.good().clone()).collect());
    }
}

impl Entry {
    /// What is wrong with the dates of its roots.
    fn out_of_date(&self, now: UnixTime) -> Option<String> {
        let wrong = self.roots.good().iter().filter_map(|root| root.check_date(now).err());
        let wrong: Vec<String> = wrong.map(|error| material::said(&error)).collect();
        (!wrong.is_empty()).then(|| wrong.join("; "))
    }
}
