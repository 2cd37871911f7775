//! The names of files on the way: what is encrypted and signed has `.pgp` behind its own name.

use crate::fileset::{FileName, NameFault};

/// What an encrypted and signed file has behind its name. Neither feed's text gives one; `.pgp` is what providers agree on.
pub const SUFFIX: &str = ".pgp";

/// The name that a file has on the way.
pub fn sealed_name(name: &str) -> String {
    format!("{name}{SUFFIX}")
}

/// The name that a file on the way has when it is opened; `None` for a name without [`SUFFIX`].
///
/// # Errors
/// [`NameFault`]: it is no name of the feeds (FILE-1, FILE-2, E06).
pub fn name_of_sealed(sealed: &str) -> Option<Result<FileName, NameFault>> {
    sealed.strip_suffix(SUFFIX).map(str::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_comes_back() {
        let name = "DAILY_PROVIDER_1500131086_0_201908220930305850_NZT.zip";
        assert_eq!(name_of_sealed(&sealed_name(name)).unwrap().unwrap().to_string(), name);
        assert!(name_of_sealed(name).is_none());
        assert!(name_of_sealed("../x.pgp").unwrap().is_err());
    }
}
