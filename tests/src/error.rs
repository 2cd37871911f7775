//! What keeps a case from being tried at all.

use std::fmt;
use std::path::PathBuf;

/// Why the cases or the target cannot be used. A case that was tried and came out wrong is no error: see
/// [`crate::Outcome`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it must.
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A recipe names what the target does not have, or contradicts itself.
    Recipe(String),
    /// The target's address cannot be used.
    Target(String),
}

impl Error {
    /// A recipe that cannot be followed.
    pub(crate) fn recipe(problem: impl fmt::Display) -> Error {
        Error::Recipe(problem.to_string())
    }

    /// Wraps a failure to read or write `path`.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { path, source }
    }

    /// What `path` holds cannot be used.
    pub(crate) fn content(path: impl Into<PathBuf>, problem: impl fmt::Display) -> Error {
        Error::Content { path: path.into(), problem: problem.to_string() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::File { path, .. } => write!(f, "cannot use {}", path.display()),
            Error::Content { path, problem } => write!(f, "{}: {problem}", path.display()),
            Error::Recipe(problem) | Error::Target(problem) => f.write_str(problem),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::File { source, .. } => Some(source),
            _ => None,
        }
    }
}
