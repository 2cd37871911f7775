//! What must hold for any bytes: shared by the fuzz targets and the test that runs their corpora.

use std::time::Duration;

use irgw_tls::{ClientTrust, CommonName, Crl, assess};
use rustls_pki_types::{CertificateDer, UnixTime};

/// A name that parses is printable ASCII without a wildcard or a trailing dot, and prints as it was given.
pub fn common_name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(name) = CommonName::parse(text) {
        assert_eq!(name.as_str(), text);
        assert!(text.bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
        assert!(!text.contains('*') && !text.ends_with('.') && !text.is_empty());
        assert!(text.len() <= CommonName::LIMIT_BYTES);
    }
    if let Ok(name) = CommonName::assign([0; 16], text) {
        assert!(name.as_str().len() <= CommonName::ASSIGNED_LIMIT_BYTES);
    }
}

/// Judging any bytes as a certificate ends, and accepts nothing where no root is approved; so does reading them as a
/// list.
pub fn certificate(data: &[u8]) {
    let trust = ClientTrust::new(Vec::new(), Vec::new()).expect("no root is there twice");
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_781_006_400));
    if let Ok(assessment) = assess(&[CertificateDer::from(data)], &trust, now) {
        assert!(!assessment.accepted);
        assert!(!assessment.subject.contains(char::is_control));
    }
    let _ = Crl::parse(data);
}
