//! Remote names: a folder that an operator configured, a file in it, and nothing that leads elsewhere (SFTP-3).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use irgw_core::is_hidden;

/// The name of a file in its folder: one component, the same for every server and file system.
///
/// 1 to 255 bytes of UTF-8 without `/`, `\`, control characters or others that hide (UAX #9); not `.` or `..`, not beginning
/// with `-`. Which of these names belong to a feed is for the caller to say.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(Arc<str>);

impl FileName {
    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FileName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<FileName, InvalidName> {
        match text {
            "" => Err(InvalidName::Empty),
            "." | ".." => Err(InvalidName::Separator),
            _ if text.len() > 255 => Err(InvalidName::TooLong { limit_bytes: 255 }),
            _ if text.contains(['/', '\\']) => Err(InvalidName::Separator),
            _ if text.starts_with('-') => Err(InvalidName::Option),
            _ => visible(text).map(|text| FileName(text.into())),
        }
    }
}

/// A folder of the server's, as the enrolment has it: absolute, or relative to where the server puts the user.
///
/// 1 to 1,024 bytes of UTF-8 without control characters or others that hide.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folder(Arc<str>);

impl Folder {
    /// The folder's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A file in this folder.
    pub fn file(&self, name: &FileName) -> RemotePath {
        RemotePath { folder: self.clone(), name: name.clone() }
    }
}

impl FromStr for Folder {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Folder, InvalidName> {
        match text {
            "" => Err(InvalidName::Empty),
            _ if text.len() > 1024 => Err(InvalidName::TooLong { limit_bytes: 1024 }),
            _ => visible(text).map(|text| {
                let trimmed = text.trim_end_matches('/');
                Folder(if trimmed.is_empty() { "/" } else { trimmed }.into())
            }),
        }
    }
}

/// Refuses what does not show, and the character that stands for bytes that are not UTF-8: two names could become one.
fn visible(text: &str) -> Result<&str, InvalidName> {
    match text.chars().any(|c| is_hidden(c) || c == char::REPLACEMENT_CHARACTER) {
        true => Err(InvalidName::Hidden),
        false => Ok(text),
    }
}

/// A file in a folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemotePath {
    folder: Folder,
    name: FileName,
}

impl RemotePath {
    /// The folder that it is in.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Its name there.
    pub fn name(&self) -> &FileName {
        &self.name
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.folder.as_str() {
            "/" => write!(f, "/{}", self.name),
            folder => write!(f, "{folder}/{}", self.name),
        }
    }
}

macro_rules! shown_as_text {
    ($($name:ident)*) => {$(
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
    )*};
}

shown_as_text! { FileName Folder }

impl fmt::Debug for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Why a text is not a [`FileName`] or [`Folder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// No characters at all.
    #[error("a name must not be empty")]
    Empty,
    /// Too many bytes.
    #[error("a name has at most {limit_bytes} bytes")]
    TooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// A separator, or a component that leads elsewhere.
    #[error("a file's name is one component, without separators")]
    Separator,
    /// It would be read as an option.
    #[error("a file's name does not begin with a hyphen")]
    Option,
    /// A character that does not show, or bytes that are not UTF-8.
    #[error("a name has only characters that show")]
    Hidden,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn name_is_one_visible_component_e06() {
        let cases = [
            ("DAILY_PROVIDER_1500131086_0_201908220914455213_NZT.zip", Ok(())),
            ("o-ünï.txt", Ok(())),
            ("", Err(InvalidName::Empty)),
            (".", Err(InvalidName::Separator)),
            ("..", Err(InvalidName::Separator)),
            ("../x", Err(InvalidName::Separator)),
            ("/etc/passwd", Err(InvalidName::Separator)),
            ("a/b", Err(InvalidName::Separator)),
            ("a\\b", Err(InvalidName::Separator)),
            ("-rf", Err(InvalidName::Option)),
            ("a\0b", Err(InvalidName::Hidden)),
            ("a\rb", Err(InvalidName::Hidden)),
            ("a\u{202e}piz", Err(InvalidName::Hidden)),
            ("a\u{fffd}", Err(InvalidName::Hidden)),
            (&"x".repeat(4096), Err(InvalidName::TooLong { limit_bytes: 255 })),
        ];
        for (text, verdict) in cases {
            assert_eq!(text.parse::<FileName>().map(drop), verdict, "{text:?}");
        }
    }

    #[test]
    fn path_is_the_folder_and_the_name() {
        let name: FileName = "x.zip".parse().unwrap();
        for (folder, path) in
            [("/", "/x.zip"), ("///", "/x.zip"), ("/in/", "/in/x.zip"), ("in", "in/x.zip"), (".", "./x.zip")]
        {
            assert_eq!(folder.parse::<Folder>().unwrap().file(&name).to_string(), path);
        }
        assert_eq!("in\nbox".parse::<Folder>(), Err(InvalidName::Hidden));
    }

    proptest! {
        #[test]
        fn what_is_accepted_stays_in_its_folder(text in "\\PC{0,20}|[./\\\\a-]{0,6}") {
            if let Ok(name) = text.parse::<FileName>() {
                let path = "/in".parse::<Folder>().unwrap().file(&name).to_string();
                prop_assert_eq!(std::path::Path::new(&path).parent(), Some(std::path::Path::new("/in")));
            }
        }
    }
}
