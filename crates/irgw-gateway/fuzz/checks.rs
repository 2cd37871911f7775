//! What must hold for any bytes: shared by the fuzz targets and the test that runs their corpora.

use std::path::Path;

use irgw_gateway::proxy_header::read;
use irgw_gateway::{Config, NormalPath};

/// A configuration that is refused is refused in one line that can be shown, which begins with the file.
pub fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(problem) = Config::parse(Path::new("/etc/irgw/irgw.toml"), text) {
        let line = problem.to_string();
        assert!(line.starts_with("/etc/irgw/irgw.toml:"), "{line:?}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

/// A path that is accepted has one reading: normalising it again changes nothing, and it holds nothing ambiguous.
pub fn path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(path) = NormalPath::parse(text) else { return };
    let normal = path.as_str();
    assert_eq!(NormalPath::parse(normal).as_ref().map(NormalPath::as_str), Ok(normal));
    assert!(normal.starts_with('/') && normal.is_ascii());
    assert!(!normal.contains("//") && !normal.contains("/./") && !normal.contains("/../"));
    assert!(!normal.contains(['\\', ';', '?', '#', '\0', ' ']));
    assert!(!normal.split('/').any(|segment| segment.ends_with('.')));
    let upper = normal.to_uppercase();
    assert!(!["%2E", "%2F", "%5C", "%3B", "%00", "%25"].iter().any(|pair| upper.contains(pair)));
}

/// Reading a header ends, and consumes no more than its own length.
pub fn proxy_header(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
    let mut rest = data;
    if runtime.block_on(read(&mut rest)).is_ok() {
        let consumed = &data[..data.len() - rest.len()];
        assert!(consumed.ends_with(b"\r\n") || consumed.len() >= 16);
        // Exactly the header: one byte less is no header.
        let mut short = &consumed[..consumed.len() - 1];
        assert!(runtime.block_on(read(&mut short)).is_err());
    }
}
