//! A P-521 signing certificate: the one key that ring, and so rcgen, cannot make.

use std::str::FromStr;

use irgw_core::Secret;
use p521::ecdsa::{DerSignature, SigningKey};
use p521::elliptic_curve::Generate;
use p521::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use time::{Duration, OffsetDateTime};
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder, Result};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::{DateTime, Encode, EncodePem};
use x509_cert::ext::pkix::{KeyUsage, KeyUsages};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};

use super::DevError;
use super::authority::Issued;

/// A self-signed certificate for signing tokens.
pub(super) fn signing(
    name: &str,
    from: OffsetDateTime,
    validity: Duration,
) -> std::result::Result<Issued, DevError> {
    let secret = p521::SecretKey::try_generate().map_err(|_| DevError::Random)?;
    let pem = secret.to_pkcs8_pem(LineEnding::LF).map_err(|_| DevError::NoP521Certificate)?;
    let key = SigningKey::from(&secret);
    let certificate =
        self_signed(name, &key, from, from + validity).map_err(|_| DevError::NoP521Certificate)?;
    Ok(Issued {
        certificate: certificate.to_pem(LineEnding::LF).map_err(|_| DevError::NoP521Certificate)?,
        der: certificate.to_der().map_err(|_| DevError::NoP521Certificate)?,
        key: Secret::new(pem.to_string()),
    })
}

fn self_signed(
    name: &str,
    key: &SigningKey,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> Result<x509_cert::Certificate> {
    let time = |time: OffsetDateTime| {
        let seconds = u64::try_from(time.unix_timestamp()).unwrap_or(0);
        DateTime::from_unix_duration(std::time::Duration::from_secs(seconds)).map(Time::from)
    };
    let spki = key.verifying_key().to_public_key_der().map_err(|error| match error {
        p521::pkcs8::spki::Error::Asn1(error) => error.into(),
        other => x509_cert::builder::Error::PublicKey(other),
    })?;
    let spki = SubjectPublicKeyInfoOwned::try_from(spki.as_bytes())?;
    let profile = Signing(Name::from_str(&format!("CN={name}"))?);
    let validity = Validity::new(time(from)?, time(to)?);
    let builder = CertificateBuilder::new(profile, SerialNumber::from(1_u32), validity, spki)?;
    builder.build::<_, DerSignature>(key)
}

/// Self-signed, for digital signatures.
struct Signing(Name);

impl BuilderProfile for Signing {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }

    fn get_subject(&self) -> Name {
        self.0.clone()
    }

    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> Result<Vec<Extension>> {
        Ok(vec![KeyUsage(KeyUsages::DigitalSignature.into()).to_extension(tbs.subject(), &[])?])
    }
}
