//! DNS name constraints, applied to the Common Name (RFC 5280 §4.2.1.10, TLS-4).
//!
//! webpki applies name constraints to subjectAltNames and not to the Common Name. A certificate without a
//! subjectAltName is still known here by its Common Name, so the constraints of its authorities hold for that.

use x509_parser::extensions::{GeneralName, GeneralSubtree, NameConstraints};

use crate::dns;

/// The DNS names that an authority may certify.
#[derive(Debug, Clone, Default)]
pub(crate) struct NameSpace {
    permitted: Vec<Box<str>>,
    excluded: Vec<Box<str>>,
}

impl NameSpace {
    /// What a name constraints extension says of DNS names; `None` when one is not a DNS name. A leading dot is not
    /// part of the syntax for these (only for URIs), and validators disagree on what it means.
    pub(crate) fn of(constraints: &NameConstraints<'_>) -> Option<NameSpace> {
        Some(NameSpace {
            permitted: dns_names(constraints.permitted_subtrees.as_deref())?,
            excluded: dns_names(constraints.excluded_subtrees.as_deref())?,
        })
    }

    /// Whether the name may be certified.
    pub(crate) fn admits(&self, name: &str) -> bool {
        let within = |base: &str| is_within(name, base);
        !self.excluded.iter().any(|base| within(base))
            && (self.permitted.is_empty() || self.permitted.iter().any(|base| within(base)))
    }
}

fn dns_names(subtrees: Option<&[GeneralSubtree<'_>]>) -> Option<Vec<Box<str>>> {
    let mut names = Vec::new();
    for subtree in subtrees.unwrap_or_default() {
        match &subtree.base {
            GeneralName::DNSName(name) if name.is_empty() || dns::is_host(name) => names.push((*name).into()),
            GeneralName::DNSName(_) | GeneralName::Invalid(..) => return None,
            _ => {}
        }
    }
    Some(names)
}

/// Whether `name` is `base` with zero or more labels before it.
fn is_within(name: &str, base: &str) -> bool {
    let front = name.len().checked_sub(base.len()).and_then(|at| name.split_at_checked(at));
    match front {
        Some((front, back)) => {
            back.eq_ignore_ascii_case(base) && (base.is_empty() || front.is_empty() || front.ends_with('.'))
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_within;

    #[test]
    fn name_is_within_its_own_and_its_parents_subtree() {
        for (name, base, expected) in [
            ("a.example.nz", "example.nz", true),
            ("example.nz", "example.nz", true),
            ("A.EXAMPLE.nz", "example.NZ", true),
            ("badexample.nz", "example.nz", false),
            ("nz", "example.nz", false),
            ("anything", "", true),
        ] {
            assert_eq!(is_within(name, base), expected, "{name} in {base}");
        }
    }
}
