//! Where the profile judges otherwise than somebody's vectors expect, each with its reason: the committed lists.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::case::Judged;

/// A list of `xtask/vectors/`. An entry names a case, or a group with every difference of its kind in it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Differences {
    /// Refused here, and why.
    #[serde(default)]
    refused: BTreeMap<String, String>,
    /// Accepted here, and why.
    #[serde(default)]
    accepted: BTreeMap<String, String>,
}

/// Entries that explain nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Unused {
    /// Their cases were judged, and none differs.
    pub(super) stale: Vec<String>,
    /// No case that was judged has such a name.
    pub(super) unknown: Vec<String>,
}

impl Differences {
    /// That of x509-limbo.
    pub(super) fn limbo() -> Differences {
        Differences::parse(include_str!("../../vectors/limbo.toml"))
    }

    /// That of Wycheproof.
    pub(super) fn wycheproof() -> Differences {
        Differences::parse(include_str!("../../vectors/wycheproof.toml"))
    }

    fn parse(text: &str) -> Differences {
        toml::from_str(text).expect("a committed list is as it should be: a test reads it")
    }

    /// Why a case differs, if it does and that is listed.
    pub(super) fn reason(&self, case: &Judged) -> Option<&str> {
        let list = if case.is_wrongly_refused() {
            &self.refused
        } else if case.is_wrongly_accepted() {
            &self.accepted
        } else {
            return None;
        };
        list.iter().find(|(entry, _)| covers(entry, &case.id)).map(|(_, reason)| reason.as_str())
    }

    /// The entries that explain none of these cases.
    pub(super) fn unused(&self, cases: &[Judged]) -> Unused {
        let mut unused = Unused::default();
        let mut sort = |list: &BTreeMap<String, String>, differs: fn(&Judged) -> bool| {
            for entry in list.keys() {
                let mut covered = cases.iter().filter(|case| covers(entry, &case.id)).peekable();
                if covered.peek().is_none() {
                    unused.unknown.push(entry.clone());
                } else if !covered.any(differs) {
                    unused.stale.push(entry.clone());
                }
            }
        };
        sort(&self.refused, Judged::is_wrongly_refused);
        sort(&self.accepted, Judged::is_wrongly_accepted);
        unused
    }
}

/// Whether an entry names this case, or a group that it is in.
fn covers(entry: &str, id: &str) -> bool {
    id.strip_prefix(entry).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::super::case::{Expected, Outcome};
    use super::*;

    fn case(id: &str, expected: Expected, outcome: Outcome) -> Judged {
        Judged { id: id.into(), expected, outcome }
    }

    #[test]
    fn entry_explains_its_own_kind_of_difference_alone() {
        let list = Differences::parse("[refused]\n\"a::b\" = \"why\"\n[accepted]\n\"c::d\" = \"because\"\n");
        let refused = || Outcome::Refused("no".into());
        let cases = [
            case("a::b::1", Expected::Accepted, refused()),
            case("a::b::2", Expected::Refused, Outcome::Accepted),
            case("a::bc::1", Expected::Accepted, refused()),
            case("c::d", Expected::Refused, refused()),
            case("a::b::3", Expected::Accepted, Outcome::Hung),
        ];
        let reasons = cases.each_ref().map(|case| list.reason(case));
        assert_eq!(reasons, [Some("why"), None, None, None, None]);
        assert_eq!(list.unused(&cases), Unused { stale: vec!["c::d".into()], unknown: vec![] });
        assert_eq!(list.unused(&cases[3..4]).unknown, ["a::b"]);
    }
}
