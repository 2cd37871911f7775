//! Keys and certificates of openssl, and tokens signed by a shell script with openssl alone.

use std::path::Path;
use std::process::{Command, Output};

use irgw_m2m::{Algorithm, Credential, LegacySha1, NewToken, SigningCert, SigningKey, sign, verify};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime};

/// Runs openssl; `None` with a message where it is not installed.
fn openssl(dir: &Path, arguments: &str) -> Option<Output> {
    match Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output() {
        Ok(output) => {
            assert!(
                output.status.success(),
                "openssl {arguments}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            Some(output)
        }
        Err(error) => {
            crate::skipped(&format!("openssl cannot be run: {error}"));
            None
        }
    }
}

/// How openssl makes a key of each kind, in each of the forms in which one meets it.
const KEYS: &[(&str, &[Algorithm])] = &[
    ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem", RSA),
    ("genrsa -traditional -out key.pem 3072", RSA),
    ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem", &[Algorithm::Es256]),
    ("ecparam -name prime256v1 -genkey -out key.pem", &[Algorithm::Es256]),
    ("ecparam -name prime256v1 -genkey -noout -out key.pem", &[Algorithm::Es256]),
    ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out key.pem", &[Algorithm::Es384]),
    ("ecparam -name secp384r1 -genkey -out key.pem", &[Algorithm::Es384]),
    ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out key.pem", &[Algorithm::Es512]),
    ("ecparam -name secp521r1 -genkey -out key.pem", &[Algorithm::Es512]),
];
const RSA: &[Algorithm] = &[Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512];

#[test]
fn a_script_with_openssl_alone_signs_what_verifies_here() {
    for (make_key, algorithms) in KEYS {
        let dir = tempfile::tempdir().unwrap();
        let Some(credential) = enrol(dir.path(), make_key) else { return };
        for algorithm in *algorithms {
            let token = script(dir.path(), *algorithm, credential.cert.not_before());
            let claims = verify(&token, &credential, credential.cert.not_before()).unwrap();
            assert_eq!(
                claims.start_logon.as_ref().map(|logon| logon.as_str()),
                Some("TomTom123"),
                "{make_key}"
            );
        }
    }
}

#[test]
fn every_form_of_key_that_openssl_writes_is_read() {
    for (make_key, algorithms) in KEYS {
        let dir = tempfile::tempdir().unwrap();
        let Some(credential) = enrol(dir.path(), make_key) else { return };
        let pem = std::fs::read(dir.path().join("key.pem")).unwrap();
        for algorithm in *algorithms {
            let key = SigningKey::from_pem(&pem).unwrap().with_algorithm(*algorithm).unwrap();
            assert!(key.is_key_of(&credential.cert), "{make_key}");
            let token = NewToken {
                thumbprint: credential.cert.thumbprint(),
                issuer: "Digital Service Provider",
                start_logon: None,
                issued_at: credential.cert.not_before(),
                lifetime: std::time::Duration::from_secs(600),
                jti: None,
            };
            let token = sign(&token, &key).unwrap();
            assert!(
                verify(&token, &credential, credential.cert.not_before()).is_ok(),
                "{make_key} {algorithm}"
            );
        }
    }
}

#[test]
fn a_key_under_a_passphrase_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let make =
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:secret -out key.pem";
    if openssl(dir.path(), make).is_some() {
        let pem = std::fs::read(dir.path().join("key.pem")).unwrap();
        assert!(SigningKey::from_pem(&pem).is_err());
    }
}

/// A key and a self-signed certificate of openssl's, enrolled in its first second.
fn enrol(dir: &Path, make_key: &str) -> Option<Credential> {
    openssl(dir, make_key)?;
    openssl(
        dir,
        "req -x509 -key key.pem -subj /O=DSP -days 365 -out cert.pem -config /dev/null -addext keyUsage=digitalSignature",
    )?;
    let der = CertificateDer::from_pem_file(dir.join("cert.pem")).unwrap();
    // The certificate's own notBefore is the test's time: whatever the clock says, openssl set it a moment ago.
    let begin = openssl(dir, "x509 -in cert.pem -noout -startdate -dateopt iso_8601")?;
    let now = start(std::str::from_utf8(&begin.stdout).unwrap());
    let cert = SigningCert::enrol(&der, now).unwrap();
    assert_eq!(cert.not_before(), now);
    Some(Credential {
        cert,
        issuer: "Digital Service Provider".into(),
        owner: "dsp".parse().unwrap(),
        revision: 1,
        legacy_sha1: LegacySha1::Refused,
    })
}

/// `notBefore=2026-01-01 00:00:00Z`, in seconds of the Unix epoch (days from the civil date, after Howard Hinnant).
fn start(line: &str) -> UnixTime {
    let numbers: Vec<u64> = line
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map(|digits| digits.parse().unwrap())
        .collect();
    let [year, month, day, hour, minute, second] = numbers[..] else { panic!("{line}") };
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_era = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let seconds = (day_of_era - 719_468) * 86_400 + hour * 3600 + minute * 60 + second;
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

fn script(dir: &Path, algorithm: Algorithm, now: UnixTime) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sign-with-openssl.sh");
    let (iat, exp) = (now.as_secs().to_string(), (now.as_secs() + 600).to_string());
    let output = Command::new("sh")
        .args([
            script,
            "key.pem",
            "cert.pem",
            algorithm.name(),
            "Digital Service Provider",
            &iat,
            &exp,
            "TomTom123",
        ])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
