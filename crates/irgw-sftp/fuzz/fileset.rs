//! What must hold for any bytes: shared by the fuzz targets and the test that runs their corpora.

use std::io::Cursor;

use irgw_sftp::fileset::{Caps, ChildFile, ControlFile, Counts, FileName, FileTransfer, check_zip};

/// A name that is read is one component of plain ASCII, and prints as it was given.
pub fn file_name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(name) = text.parse::<FileName>() {
        assert_eq!(name.to_string(), text);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')));
        assert!(!text.starts_with('.') && text.bytes().filter(|byte| *byte == b'.').count() == 1);
    }
}

/// A control file that is read prints to one that reads the same.
pub fn control_file(data: &[u8]) {
    if let Ok(control) = ControlFile::parse(data) {
        let printed = control.to_xml();
        assert_eq!(ControlFile::parse(printed.as_bytes()), Ok(control));
    }
}

/// A zip that passes has not cost more than it may.
pub fn zip(data: &[u8]) {
    let caps = Caps { inflated_bytes: 1 << 20, ratio: 100 };
    if let Ok(checked) = check_zip(Cursor::new(data), &listed(), &caps) {
        assert!(checked.inflated_bytes() <= caps.inflated_bytes);
        assert_eq!(*checked.transfer(), listed());
    }
}

/// What the archives of the corpus hold: two members with a transaction and a period each.
pub fn listed() -> FileTransfer {
    let counts = Counts { records: 1, periods: 1 };
    let names = [
        "DAILY_AGENT_IRD_132000001_0_201908220930300000_NZT.xml",
        "DAILY_CUSTOMER_0_201908220930300000_NZT.xml",
    ];
    let children = names.map(|name| ChildFile { name: name.parse().expect("a name of the feed"), counts });
    FileTransfer {
        name: "DAILY_PROVIDER_1500131086_0_201908220930300000_NZT.zip".parse().expect("a name of the feed"),
        counts: Counts { records: 2, periods: 2 },
        children: children.to_vec(),
    }
}
