//! What RFC 5280 and TLS-4, TLS-5 and TLS-8 ask of each certificate, and webpki does not look at.

use x509_parser::extensions::{ExtendedKeyUsage, GeneralName, ParsedExtension, X509Extension};
use x509_parser::x509::X509Version;

use crate::certificate::Certificate;
use crate::constraint::NameSpace;
use crate::key::Key;
use crate::{ClientEku, Flaw, dns};

/// What is remembered of a certificate that met the profile.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traits {
    /// Its extended key usage.
    pub(crate) purposes: Purposes,
    /// Its DNS name constraints.
    pub(crate) names: NameSpace,
    /// Its subjectAltName, if there is one: the dNSNames in it.
    pub(crate) dns_names: Option<Vec<Box<str>>>,
    /// There is a keyUsage, and it lacks cRLSign.
    pub(crate) no_crl_sign: bool,
    /// Its pathLenConstraint.
    pub(crate) path_length: Option<u32>,
    /// Its subjectKeyIdentifier.
    pub(crate) key_id: Option<Box<[u8]>>,
}

/// Judges an end-entity certificate.
pub(crate) fn end_entity(certificate: &Certificate<'_>) -> Result<Traits, Flaw> {
    let found = Found::read(certificate)?;
    serial(certificate)?;
    let x509 = &certificate.x509;
    if x509.subject().as_raw() == x509.issuer().as_raw() {
        return Err(Flaw::SelfSigned);
    }
    if found.is_authority {
        return Err(Flaw::AuthorityAsEndEntity);
    }
    if found.constrains_names {
        return Err(Flaw::BadExtension("nameConstraints"));
    }
    if let Some(usage) = found.key_usage {
        if usage.key_cert_sign {
            return Err(Flaw::KeyCertSignOnEndEntity);
        }
        if !usage.digital_signature {
            return Err(Flaw::NoDigitalSignature);
        }
    }
    if found.authority_key_id.is_none() {
        return Err(Flaw::MissingExtension("authorityKeyIdentifier"));
    }
    Ok(found.traits)
}

/// Judges an intermediate certificate.
pub(crate) fn intermediate(certificate: &Certificate<'_>) -> Result<Traits, Flaw> {
    let found = Found::read(certificate)?;
    serial(certificate)?;
    authority(certificate, &found)?;
    if !found.key_usage.is_some_and(|usage| usage.key_cert_sign) {
        return Err(Flaw::NoKeyCertSign);
    }
    if found.authority_key_id.is_none() {
        return Err(Flaw::MissingExtension("authorityKeyIdentifier"));
    }
    Ok(found.traits)
}

/// Judges a root certificate that is put on the approved list, its dates aside.
///
/// A root without keyUsage is taken for one that may sign certificates, as RFC 5280 §6.1.4 (n) has it: TLS-4's demand
/// of keyCertSign is made of what stands in the path.
pub(crate) fn root(certificate: &Certificate<'_>) -> Result<Traits, Flaw> {
    let found = Found::read(certificate)?;
    authority(certificate, &found)?;
    if found.key_usage.is_some_and(|usage| !usage.key_cert_sign) {
        return Err(Flaw::NoKeyCertSign);
    }
    if let Some(oid) = found.unknown_critical {
        return Err(Flaw::UnknownCriticalExtension(oid));
    }
    let is_self_issued = certificate.x509.subject().as_raw() == certificate.x509.issuer().as_raw();
    match (is_self_issued, &found.authority_key_id) {
        (false, None) => return Err(Flaw::MissingExtension("authorityKeyIdentifier")),
        (true, Some(id)) if found.traits.key_id.as_ref() != Some(id) => {
            return Err(Flaw::BadExtension("authorityKeyIdentifier"));
        }
        _ => {}
    }
    Ok(found.traits)
}

fn authority(certificate: &Certificate<'_>, found: &Found) -> Result<(), Flaw> {
    if !found.is_authority {
        return Err(Flaw::NotAnAuthority);
    }
    if !found.critical_constraints {
        return Err(Flaw::Criticality("basicConstraints"));
    }
    if certificate.x509.subject().iter().next().is_none() {
        return Err(Flaw::EmptySubject);
    }
    if found.traits.key_id.is_none() {
        return Err(Flaw::MissingExtension("subjectKeyIdentifier"));
    }
    Ok(())
}

/// The purposes of an extended key usage extension.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Purposes {
    present: Option<Vec<String>>,
    any: bool,
    client_auth: bool,
    server_auth: bool,
}

impl Purposes {
    fn of(usage: &ExtendedKeyUsage<'_>) -> Purposes {
        let named = [
            (usage.any, "anyExtendedKeyUsage"),
            (usage.server_auth, "serverAuth"),
            (usage.client_auth, "clientAuth"),
            (usage.code_signing, "codeSigning"),
            (usage.email_protection, "emailProtection"),
            (usage.time_stamping, "timeStamping"),
            (usage.ocsp_signing, "OCSPSigning"),
        ];
        let names = named.iter().filter(|(there, _)| *there).map(|(_, name)| (*name).to_owned());
        let others = usage.other.iter().map(|oid| oid.to_id_string());
        Purposes {
            present: Some(names.chain(others).collect()),
            any: usage.any,
            client_auth: usage.client_auth,
            server_auth: usage.server_auth,
        }
    }

    /// Judges an end-entity certificate's purposes, limited by those of its authorities, under a root's setting
    /// (TLS-8).
    pub(crate) fn admit<'a>(
        &self,
        authorities: impl IntoIterator<Item = &'a Purposes>,
        setting: ClientEku,
    ) -> Result<(), Flaw> {
        let (mut client, mut server) = match &self.present {
            Some(_) => (self.client_auth, self.server_auth),
            None => (setting == ClientEku::AbsentAccepted, setting == ClientEku::AbsentAccepted),
        };
        for authority in authorities {
            let unlimited = authority.any || authority.present.is_none();
            client &= unlimited || authority.client_auth;
            server &= unlimited || authority.server_auth;
        }
        if client || (server && setting >= ClientEku::ServerAuthAccepted) {
            Ok(())
        } else {
            Err(Flaw::ExtendedKeyUsage(self.present.clone().unwrap_or_default()))
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Usage {
    digital_signature: bool,
    key_cert_sign: bool,
}

/// What is found in any certificate, after the checks that hold for all of them.
#[derive(Debug, Default)]
struct Found {
    traits: Traits,
    key_usage: Option<Usage>,
    is_authority: bool,
    critical_constraints: bool,
    constrains_names: bool,
    authority_key_id: Option<Box<[u8]>>,
    unknown_critical: Option<String>,
}

impl Found {
    fn read(certificate: &Certificate<'_>) -> Result<Found, Flaw> {
        let x509 = &certificate.x509;
        if x509.version() != X509Version::V3 {
            return Err(Flaw::Version);
        }
        if x509.issuer().iter().next().is_none() {
            return Err(Flaw::EmptyIssuer);
        }
        let validity = x509.validity();
        if validity.not_before.timestamp() > validity.not_after.timestamp() {
            return Err(Flaw::InvertedValidity);
        }
        Key::accept(x509.public_key())?;

        let mut found = Found::default();
        let extensions = x509.extensions();
        for (index, extension) in extensions.iter().enumerate() {
            if extensions.iter().skip(index + 1).any(|later| later.oid == extension.oid) {
                return Err(Flaw::DuplicateExtension(extension.oid.to_id_string()));
            }
            found.take(extension)?;
        }
        if x509.subject().iter().next().is_none() && !found.critical_alternative_name(extensions) {
            return Err(Flaw::Criticality("subjectAltName"));
        }
        Ok(found)
    }

    fn take(&mut self, extension: &X509Extension<'_>) -> Result<(), Flaw> {
        let must_be = |critical: bool, name| match extension.critical == critical {
            true => Ok(()),
            false => Err(Flaw::Criticality(name)),
        };
        match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(identifier) => {
                must_be(false, "authorityKeyIdentifier")?;
                self.authority_key_id = identifier.key_identifier.as_ref().map(|id| id.0.into());
            }
            ParsedExtension::SubjectKeyIdentifier(identifier) => {
                must_be(false, "subjectKeyIdentifier")?;
                self.traits.key_id = Some(identifier.0.into());
            }
            ParsedExtension::KeyUsage(usage) => {
                self.traits.no_crl_sign = !usage.crl_sign();
                self.key_usage = Some(Usage {
                    digital_signature: usage.digital_signature(),
                    key_cert_sign: usage.key_cert_sign(),
                });
            }
            ParsedExtension::BasicConstraints(constraints) => {
                self.is_authority = constraints.ca;
                self.traits.path_length = constraints.path_len_constraint;
                self.critical_constraints = extension.critical;
            }
            ParsedExtension::NameConstraints(constraints) => {
                must_be(true, "nameConstraints")?;
                let subtrees = [&constraints.permitted_subtrees, &constraints.excluded_subtrees];
                if subtrees.into_iter().flatten().all(Vec::is_empty) {
                    return Err(Flaw::BadExtension("nameConstraints"));
                }
                self.constrains_names = true;
                self.traits.names =
                    NameSpace::of(constraints).ok_or(Flaw::BadExtension("nameConstraints"))?;
            }
            // Critical it must be, and no policy is processed here; webpki refuses it in the path for the same
            // reason.
            ParsedExtension::PolicyConstraints(_) => {
                must_be(true, "policyConstraints")?;
                self.unknown_critical = Some(extension.oid.to_id_string());
            }
            ParsedExtension::ExtendedKeyUsage(usage) => self.traits.purposes = Purposes::of(usage),
            ParsedExtension::SubjectAlternativeName(names) => {
                self.traits.dns_names = Some(dns_names(&names.general_names)?);
            }
            ParsedExtension::AuthorityInfoAccess(_) => must_be(false, "authorityInfoAccess")?,
            // What is malformed and plays no part in the judgement is ignored as an unknown extension is.
            ParsedExtension::ParseError { .. } => {
                if let Some(name) = known_name(extension) {
                    return Err(Flaw::BadExtension(name));
                }
                if extension.critical {
                    self.unknown_critical = Some(extension.oid.to_id_string());
                }
            }
            _ if extension.critical => self.unknown_critical = Some(extension.oid.to_id_string()),
            _ => {}
        }
        Ok(())
    }

    /// RFC 5280 §4.1.2.6: without a subject, the subjectAltName is there and critical.
    fn critical_alternative_name(&self, extensions: &[X509Extension<'_>]) -> bool {
        let is_name = |extension: &&X509Extension<'_>| {
            matches!(extension.parsed_extension(), ParsedExtension::SubjectAlternativeName(_))
        };
        extensions.iter().find(is_name).is_some_and(|extension| extension.critical)
    }
}

/// The dNSNames, if every name is in a form that RFC 5280 §4.2.1.6 allows.
fn dns_names(names: &[GeneralName<'_>]) -> Result<Vec<Box<str>>, Flaw> {
    let malformed = Flaw::BadExtension("subjectAltName");
    if names.is_empty() {
        return Err(malformed);
    }
    let mut dns_names = Vec::new();
    for name in names {
        match name {
            GeneralName::DNSName(name) if dns::is_presented_name(name) => dns_names.push((*name).into()),
            GeneralName::IPAddress([_, _, _, _]) => {}
            GeneralName::IPAddress(bytes) if bytes.len() == 16 => {}
            GeneralName::DNSName(_) | GeneralName::IPAddress(_) | GeneralName::Invalid(..) => {
                return Err(malformed);
            }
            _ => {}
        }
    }
    Ok(dns_names)
}

/// A positive integer of at most 20 octets (RFC 5280 §4.1.2.2), a leading zero octet not counted. It is not asked of
/// a root: Amazon's Starfield Services Root has the serial number 0.
fn serial(certificate: &Certificate<'_>) -> Result<(), Flaw> {
    let value = match certificate.x509.raw_serial() {
        [0, rest @ ..] => rest,
        [first, ..] if first & 0x80 != 0 => return Err(Flaw::Serial),
        content => content,
    };
    if value.len() <= 20 && value.iter().any(|byte| *byte != 0) { Ok(()) } else { Err(Flaw::Serial) }
}

/// The name of an extension that plays a part in the judgement.
fn known_name(extension: &X509Extension<'_>) -> Option<&'static str> {
    Some(match extension.oid.to_id_string().as_str() {
        "2.5.29.14" => "subjectKeyIdentifier",
        "2.5.29.15" => "keyUsage",
        "2.5.29.17" => "subjectAltName",
        "2.5.29.19" => "basicConstraints",
        "2.5.29.30" => "nameConstraints",
        "2.5.29.31" => "cRLDistributionPoints",
        "2.5.29.35" => "authorityKeyIdentifier",
        "2.5.29.37" => "extKeyUsage",
        "1.3.6.1.5.5.7.1.1" => "authorityInfoAccess",
        _ => return None,
    })
}
