//! One state of what client certificates are judged by: approved roots and revocation lists.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::OnceLock;

use rustls_pki_types::TrustAnchor;
use webpki::CertRevocationList;

use crate::{ApprovedRoot, Crl, CrlPolicy, Error};

/// Approved roots and revocation lists, arranged for judging paths. Never changes; a change makes a new one.
#[derive(Debug)]
pub(crate) struct Store {
    roots: Vec<ApprovedRoot>,
    pub(crate) groups: Vec<Group>,
    crls: Vec<Crl>,
    /// What judging found first of a list that cannot be used.
    pub(crate) unusable_list: OnceLock<String>,
}

/// The roots of one [`CrlPolicy`]: webpki judges a path by one policy at a time.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) policy: CrlPolicy,
    pub(crate) anchors: Vec<TrustAnchor<'static>>,
    members: Vec<usize>,
}

impl Store {
    pub(crate) fn new(roots: Vec<ApprovedRoot>, mut crls: Vec<Crl>) -> Result<Store, Error> {
        let mut seen = HashSet::new();
        for root in &roots {
            if !seen.insert(root.der().as_ref()) {
                return Err(Error::DuplicateRoot { name: root.name().clone() });
            }
        }
        // webpki takes the first list that covers a certificate: of two, the newer one.
        crls.sort_by_key(|crl| Reverse(crl.this_update()));
        let groups = CrlPolicy::ALL.into_iter().filter_map(|policy| {
            let (members, anchors): (Vec<_>, Vec<_>) = roots
                .iter()
                .enumerate()
                .filter(|(_, root)| root.crl_policy() == policy)
                .map(|(index, root)| (index, root.anchor.clone()))
                .unzip();
            (!anchors.is_empty()).then_some(Group { policy, anchors, members })
        });
        let groups = groups.collect();
        Ok(Store { groups, roots, crls, unusable_list: OnceLock::new() })
    }

    /// The root whose anchor this is.
    pub(crate) fn root_of(&self, anchor: &TrustAnchor<'_>) -> Option<&ApprovedRoot> {
        self.groups.iter().find_map(|group| {
            let at = group.anchors.iter().position(|own| std::ptr::eq(own, anchor))?;
            self.roots.get(*group.members.get(at)?)
        })
    }

    pub(crate) fn roots(&self) -> &[ApprovedRoot] {
        &self.roots
    }

    pub(crate) fn crls(&self) -> &[Crl] {
        &self.crls
    }

    /// The lists as webpki takes them.
    pub(crate) fn lists(&self) -> Vec<&CertRevocationList<'static>> {
        self.crls.iter().map(|crl| &*crl.list).collect()
    }
}
