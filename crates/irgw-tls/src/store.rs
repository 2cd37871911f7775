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
    contested: Vec<Contested>,
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
        Ok(Store { contested: contested(&crls), groups, roots, crls, unusable_list: OnceLock::new() })
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

    /// The lists in the ways in which webpki is to be given them.
    ///
    /// It takes the first list of an issuer's name and refuses when that was not signed by the issuer's key. An authority
    /// that changed its key keeps its name, though, and both keys sign lists. So where lists of one name name several
    /// keys, there is one arrangement for each choice of a key, and none of them has lists of two. The newest list's key
    /// is chosen first. `issuers` are those that the path could have.
    pub(crate) fn arrangements<'a>(&'a self, issuers: &[&[u8]]) -> Vec<Vec<&'a CertRevocationList<'static>>> {
        let mut arrangements: Vec<Vec<&Crl>> = vec![self.crls.iter().collect()];
        for (issuer, keys) in &self.contested {
            if issuers.contains(&&**issuer) {
                let chosen = |crl: &Crl, key: &[u8]| crl.issuer() != &**issuer || crl.key_id() == Some(key);
                let choices = arrangements.iter().flat_map(|lists| {
                    keys.iter().map(|key| lists.iter().copied().filter(|crl| chosen(crl, key)).collect())
                });
                arrangements = choices.take(ARRANGEMENTS).collect();
            }
        }
        let lists = |crls: Vec<&'a Crl>| crls.into_iter().map(|crl| &*crl.list).collect();
        arrangements.into_iter().map(lists).collect()
    }
}

/// The names that lists of several keys share, each with its keys, that of the newest list first. A name with a list that
/// tells no key is left as it is: which key's it is would have to be guessed.
fn contested(crls: &[Crl]) -> Vec<Contested> {
    let mut names: Vec<Contested> = Vec::new();
    for crl in crls {
        let namesakes = crls.iter().filter(|other| other.issuer() == crl.issuer());
        let keys: Option<Vec<&[u8]>> = namesakes.map(Crl::key_id).collect();
        if names.iter().all(|(issuer, _)| **issuer != *crl.issuer())
            && let Some(mut keys) = keys
        {
            let mut seen = HashSet::new();
            keys.retain(|key| seen.insert(*key));
            names.push((crl.issuer().into(), keys.into_iter().map(Into::into).collect()));
        }
    }
    names.retain(|(_, keys)| keys.len() > 1);
    names
}

/// An issuer's name, and the key identifiers that its lists name.
type Contested = (Box<[u8]>, Vec<Box<[u8]>>);

/// How many arrangements are tried at most: two authorities of one path may be changing their keys. A path that would need
/// more is refused.
const ARRANGEMENTS: usize = 4;
