//! What a set is called.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::wire;
use crate::fileset::{ControlName, NameFault};

/// The name of a set: that of its control file without `_CONTROL.xml`. One path component of printable ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetName(pub ControlName);

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.0, f)
    }
}

impl FromStr for SetName {
    type Err = NameFault;

    fn from_str(text: &str) -> Result<SetName, NameFault> {
        format!("{text}_CONTROL.xml").parse().map(SetName)
    }
}

impl Serialize for SetName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        wire::text::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for SetName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<SetName, D::Error> {
        wire::text::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_comes_back_and_is_one_component() {
        let text = "DAILY_PROVIDER_1500131086_1_201908220930308507_NZT";
        let name: SetName = text.parse().unwrap();
        assert_eq!(name.to_string(), text);
        assert_eq!(name.0.to_string(), format!("{text}_CONTROL.xml"));
        for bad in ["", "..", "../x", "DAILY_PROVIDER_1500131086_1_201908220930308507_NZT_CONTROL.xml"] {
            assert!(bad.parse::<SetName>().is_err(), "{bad}");
        }
    }
}
