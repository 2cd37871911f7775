//! The rules of the gateway's profile by id: the reason code of every refusal, audit record and conformance case.

use std::fmt;
use std::str::FromStr;

use crate::UnknownName;

macro_rules! rules {
    ($($variant:ident $id:literal)*) => {
        /// A rule of the gateway's profile, by its id.
        ///
        /// The id is stable: it stands in audit records, in `X-Gateway-Reason` (ERR-1), in conformance cases and in
        /// error messages. What each rule asks for is written in `tests/requirements.toml`.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $(#[doc = $id] $variant,)*
        }

        impl Rule {
            /// Every rule, in the order of the profile.
            pub const ALL: &'static [Rule] = &[$(Rule::$variant,)*];

            /// The id as it is printed: `TLS-6`.
            pub const fn id(self) -> &'static str {
                match self { $(Rule::$variant => $id,)* }
            }
        }
    };
}

rules! {
    Env1 "ENV-1" Env2 "ENV-2" Env3 "ENV-3" Env4 "ENV-4" Env5 "ENV-5"
    Tls1 "TLS-1" Tls2 "TLS-2" Tls3 "TLS-3" Tls4 "TLS-4" Tls5 "TLS-5" Tls6 "TLS-6"
    Tls7 "TLS-7" Tls8 "TLS-8" Tls9 "TLS-9" Tls10 "TLS-10" Tls11 "TLS-11" Tls12 "TLS-12" Ip1 "IP-1"
    Oa1 "OA-1" Oa2 "OA-2" Oa3 "OA-3" Oa4 "OA-4" Oa5 "OA-5" Oa6 "OA-6" Oa7 "OA-7" Oa8 "OA-8" Oa9 "OA-9"
    Oa10 "OA-10" Oa11 "OA-11" Oa12 "OA-12" Oa13 "OA-13" Oa14 "OA-14" Oa15 "OA-15" Oa16 "OA-16" Oa17 "OA-17"
    Oa18 "OA-18" Oa19 "OA-19"
    M2m1 "M2M-1" M2m2 "M2M-2" M2m3 "M2M-3" M2m4 "M2M-4" M2m5 "M2M-5" M2m6 "M2M-6" M2m7 "M2M-7"
    M2m8 "M2M-8" M2m9 "M2M-9" M2m10 "M2M-10" M2m11 "M2M-11"
    Gw1 "GW-1" Gw2 "GW-2" Gw3 "GW-3" Gw4 "GW-4" Gw5 "GW-5" Gw6 "GW-6" Err1 "ERR-1"
    Sftp1 "SFTP-1" Sftp2 "SFTP-2" Sftp3 "SFTP-3" Sftp4 "SFTP-4" Sftp5 "SFTP-5"
    Pgp1 "PGP-1" Pgp2 "PGP-2" Pgp3 "PGP-3"
    File1 "FILE-1" File2 "FILE-2" File3 "FILE-3" File4 "FILE-4"
    Ird1 "IRD-1" Cn1 "CN-1"
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Rule {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Rule, UnknownName> {
        Rule::ALL.iter().copied().find(|rule| rule.id() == text).ok_or(UnknownName { kind: "rule id" })
    }
}

impl serde::Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl<'de> serde::Deserialize<'de> for Rule {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Rule, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_parses_back_to_its_rule() {
        for rule in Rule::ALL {
            assert_eq!(rule.id().parse(), Ok(*rule));
        }
        assert!("tls-6".parse::<Rule>().is_err());
    }
}
