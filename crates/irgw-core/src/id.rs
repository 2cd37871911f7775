//! Identifiers of the parties, as types that cannot be mixed up.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::InvalidId;

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        ///
        /// 1 to 128 bytes of UTF-8 without control characters; cheap to clone.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and wraps an identifier.
            ///
            /// # Errors
            /// When the text is empty, longer than 128 bytes or holds a control character.
            pub fn new(text: &str) -> Result<$name, InvalidId> {
                check(text)?;
                Ok($name(text.into()))
            }

            /// The identifier's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<$name, InvalidId> {
                $name::new(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
                $name::new(&text).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

identifiers! {
    /// A digital service provider (ENV-1): the party that a client certificate names.
    ProviderId
    /// A resource owner (ENV-1): the party whose identity an M2M transaction runs under.
    OwnerId
    /// An OAuth client (RFC 6749 §2.2).
    ClientId
    /// A myIR logon: the user id by which a customer, or somebody acting for one, logs in.
    Logon
    /// The name of a row of the service table.
    ServiceName
    /// A family of OAuth tokens: all that came from one login (OA-13).
    TokenFamily
}

const LIMIT_BYTES: usize = 128;

fn check(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > LIMIT_BYTES {
        return Err(InvalidId::TooLong(LIMIT_BYTES));
    }
    match text.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, _)) => Err(InvalidId::Control(at)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifier_is_short_text_without_control_characters() {
        assert_eq!(ProviderId::new(""), Err(InvalidId::Empty));
        assert_eq!(ProviderId::new("a\nb"), Err(InvalidId::Control(1)));
        assert_eq!(ProviderId::new(&"x".repeat(129)), Err(InvalidId::TooLong(128)));
        assert_eq!(ProviderId::new("Kōwhai Payroll").map(|id| id.to_string()), Ok("Kōwhai Payroll".into()));
    }
}
