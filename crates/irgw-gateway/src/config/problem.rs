//! A wrong setting, as one line that names file, line, key and what is allowed.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use irgw_core::printable;

/// Where a setting stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The configuration file.
    pub file: Arc<Path>,
    /// The line, from 1.
    pub line: usize,
    /// The key with its tables: `listener[0].certificate`.
    pub key: String,
}

/// A setting's value and where it stands, so that what is found out later can still name the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl<T> Located<T> {
    /// A problem with this setting. `message` says what is wrong and what is allowed.
    pub fn problem(&self, message: impl fmt::Display) -> Problem {
        Problem { place: Some(self.place.clone()), message: message.to_string() }
    }

    /// The same place with another value.
    pub fn with<U>(&self, value: U) -> Located<U> {
        Located { value, place: self.place.clone() }
    }
}

/// Why a configuration is refused: one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where; `None` for what concerns no single setting.
    pub place: Option<Place>,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl Problem {
    /// A problem that concerns no single setting.
    pub fn general(message: impl fmt::Display) -> Problem {
        Problem { place: None, message: message.to_string() }
    }
}

/// Key and message may repeat what stands in the file, whatever that is.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = printable(&self.message);
        match &self.place {
            Some(Place { file, line, key }) if key.is_empty() => {
                write!(f, "{}:{line}: {message}", file.display())
            }
            Some(Place { file, line, key }) => {
                write!(f, "{}:{line}: {}: {message}", file.display(), printable(key))
            }
            None => f.write_str(&message),
        }
    }
}

impl std::error::Error for Problem {}
