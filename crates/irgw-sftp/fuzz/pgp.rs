//! What must hold for any bytes as OpenPGP: shared by the fuzz targets and the test that runs their corpora.

use std::sync::OnceLock;
use std::time::Duration;

use irgw_core::UnixTime;
use irgw_sftp::pgp::{Algorithm, CERT_LIMIT_BYTES, Limits, OwnKey, PartnerCert, Quarantine, Terms, decrypt};

/// A certificate that is enrolled can be stored, and is the same when it comes back.
pub fn pgp_certificate(data: &[u8]) {
    if let Ok(partner) = PartnerCert::enrol(data, now(), Terms::default()) {
        let bytes = partner.to_bytes();
        assert!(bytes.len() <= CERT_LIMIT_BYTES);
        let again = PartnerCert::restore(&bytes, &partner.fingerprint(), Terms::default());
        assert_eq!(again.map(|again| again.to_bytes()), Ok(bytes));
        assert!(!partner.user_id().is_some_and(|name| name.contains(char::is_control)));
    }
}

/// No bytes are a message to a key that was made just now.
pub fn pgp_message(data: &[u8]) {
    static PARTIES: OnceLock<(OwnKey, PartnerCert)> = OnceLock::new();
    let (ours, theirs) = PARTIES.get_or_init(|| {
        let year = Duration::from_secs(365 * 24 * 3600);
        let key = |name| OwnKey::generate(name, Algorithm::Curve25519, now(), year).expect("a key is made");
        let theirs = PartnerCert::enrol(&key("theirs").certificate(), now(), Terms::default());
        (key("ours"), theirs.expect("a new certificate is good"))
    });
    let folder = std::env::temp_dir();
    let quarantine = Quarantine::create_in(&folder).expect("a file can be made");
    let limits = Limits { bytes: 1 << 20, ratio: 100 };
    let (keys, signers) = (std::slice::from_ref(ours), std::slice::from_ref(theirs));
    assert!(decrypt(keys, signers, now(), &limits, data, quarantine).is_err());
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000))
}
