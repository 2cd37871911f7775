//! What a client may do with the files that are served.

/// What a client may do in the folder that it is let into. What is not permitted is answered with "permission denied".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Files may be read and folders listed.
    pub may_read: bool,
    /// Files may be removed, and moved whatever their name.
    pub may_delete: bool,
    /// Files that are there may be written to, truncated, and replaced by a rename.
    pub may_overwrite: bool,
    /// Folders may be made and removed.
    pub may_change_folders: bool,
    /// Symbolic links may be made, read and followed, all within the folder, as if it were the root of the file system.
    pub may_link: bool,
    /// The ending of a name by which a file is its uploader's to do with as it likes until it has its final name.
    pub partial_suffix: Option<&'static str>,
    /// The folder, right below the root, whose files the client may remove: it fetches them.
    pub outbox: Option<&'static str>,
    /// The bytes of all files together.
    pub quota_bytes: Option<u64>,
    /// Files and folders open at once.
    pub max_handles: usize,
    /// Bytes of a name.
    pub max_name_bytes: usize,
}

impl Policy {
    /// Everything, within the folder.
    pub fn general() -> Policy {
        Policy {
            may_read: true,
            may_delete: true,
            may_overwrite: true,
            may_change_folders: true,
            may_link: true,
            partial_suffix: None,
            outbox: None,
            quota_bytes: None,
            max_handles: 64,
            max_name_bytes: 255,
        }
    }

    /// A letter box: files come in and stay as they came. Names that end in `.part` are still under way.
    pub fn inbox(quota_bytes: u64) -> Policy {
        Policy {
            may_delete: false,
            may_overwrite: false,
            may_change_folders: false,
            may_link: false,
            partial_suffix: Some(".part"),
            quota_bytes: Some(quota_bytes),
            max_handles: 16,
            ..Policy::general()
        }
    }

    /// Whether a file that is there may be changed.
    pub(crate) fn may_change(&self, name: &str) -> bool {
        self.may_overwrite || self.is_partial(name)
    }

    /// Whether a file may lose its name.
    pub(crate) fn may_unname(&self, name: &str) -> bool {
        self.may_delete || self.is_partial(name)
    }

    /// Whether a file at this normalised path may be removed, because it is there to be fetched.
    pub(crate) fn may_fetch_away(&self, path: &str) -> bool {
        let in_folder =
            path.strip_prefix('/').and_then(|path| path.rsplit_once('/')).map(|(folder, _)| folder);
        in_folder.is_some() && in_folder == self.outbox
    }

    fn is_partial(&self, name: &str) -> bool {
        self.partial_suffix.is_some_and(|suffix| name.len() > suffix.len() && name.ends_with(suffix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outbox_is_one_folder() {
        let policy = Policy { outbox: Some("outbox"), ..Policy::inbox(1) };
        for (path, may) in [
            ("/outbox/a", true),
            ("/outbox/b/a", false),
            ("/a", false),
            ("/inbox/a", false),
            ("/outbox", false),
        ] {
            assert_eq!(
                (policy.may_fetch_away(path), Policy::inbox(1).may_fetch_away(path)),
                (may, false),
                "{path}"
            );
        }
    }

    #[test]
    fn inbox_keeps_what_has_its_final_name() {
        let inbox = Policy::inbox(1);
        for (name, is_partial) in
            [("a.zip", false), ("a.zip.part", true), (".part", false), ("a.PART", false)]
        {
            assert_eq!((inbox.may_change(name), inbox.may_unname(name)), (is_partial, is_partial), "{name}");
        }
    }
}
