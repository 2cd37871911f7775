//! What must hold for any bytes: shared by the fuzz target and the test that runs its corpus.

use std::path::Path;

use irgw_tests::Dev;

/// A `dev.json` that cannot be used is refused in one line, which begins with the file.
pub fn dev_json(data: &[u8]) {
    if let Err(error) = Dev::parse(Path::new("dev.json"), data) {
        let line = error.to_string();
        assert!(line.starts_with("dev.json: ") && !line.contains('\n'), "{line:?}");
    }
}
