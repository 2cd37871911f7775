//! The owners in the Mozilla list whose roots may be approved by name (TLS-4).

use rustls_pki_types::UnixTime;

use crate::certificate::Certificate;
use crate::{ApprovedRoot, Error};

/// An owner whose roots can be approved by name.
struct Owner {
    name: &'static str,
    /// How its roots name themselves: the start of the subject's organisation, then of its Common Name; an empty text
    /// matches all.
    marks: &'static [(&'static str, &'static str)],
    /// Whose roots its certificates lead to since the list has none of its own.
    successor: Option<&'static str>,
}

const OWNERS: [Owner; 8] = [
    Owner {
        name: "Amazon",
        marks: &[("Amazon", ""), ("Starfield Technologies", "Starfield Services Root")],
        successor: None,
    },
    Owner { name: "Comodo", marks: &[("COMODO CA", "")], successor: None },
    Owner { name: "DigiCert", marks: &[("DigiCert", "")], successor: None },
    // Left the list in 2025; sold its public certificates to Sectigo.
    Owner { name: "Entrust", marks: &[("Entrust", "")], successor: Some("Sectigo") },
    // Names of DigiCert's since 2017; the roots of their own left the list in 2020.
    Owner { name: "GeoTrust", marks: &[("GeoTrust", "")], successor: Some("DigiCert") },
    Owner {
        name: "Let's Encrypt",
        marks: &[("Internet Security Research Group", ""), ("ISRG", "")],
        successor: None,
    },
    Owner { name: "Sectigo", marks: &[("Sectigo", ""), ("The USERTRUST Network", "")], successor: None },
    Owner { name: "Thawte", marks: &[("thawte", "")], successor: Some("DigiCert") },
];

/// The names of the owners.
pub(crate) fn owners() -> impl Iterator<Item = &'static str> {
    OWNERS.iter().map(|owner| owner.name)
}

pub(crate) fn roots(name: &str, now: UnixTime) -> Result<Vec<ApprovedRoot>, Error> {
    let Some(owner) = OWNERS.iter().find(|owner| owner.name.eq_ignore_ascii_case(name)) else {
        return Err(Error::UnknownOwner { name: name.into() });
    };
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|der| {
        let certificate = Certificate::parse(der).ok()?;
        let subject = certificate.x509.subject();
        let organisation = subject.iter_organization().next()?.as_str().ok()?;
        let common_name = subject.iter_common_name().next().map_or(Ok(""), |name| name.as_str()).ok()?;
        let theirs = owner
            .marks
            .iter()
            .any(|(by, called)| organisation.starts_with(by) && common_name.starts_with(called));
        theirs.then(|| ApprovedRoot::new(&format!("{}: {common_name}", owner.name), der.clone(), now).ok())?
    });
    let roots: Vec<ApprovedRoot> = roots.collect();
    if roots.is_empty() {
        return Err(Error::NoRootLeft { owner: owner.name, successor: owner.successor });
    }
    Ok(roots)
}
