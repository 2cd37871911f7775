//! A client certificate by recipe: a provider's own, or one issued for the case, right but for what the recipe says.

use std::path::Path;

use ring::digest;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::der::{
    self, bit_string, explicit, implicit, integer, named_bits, octets, oid, sequence, set, tlv, truth,
};
use crate::dev::{Dev, Provider};
use crate::key::{Key, fill};
use crate::template::Values;
use crate::{Error, dev};

/// Which client certificate the caller shows.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum CertificateRecipe {
    /// `providers[0]`: that provider's own, with its intermediates. `providers[0].batch`: its second one. `none`: none.
    Named(String),
    /// One issued for the case.
    Issued(Box<Changes>),
}

impl Default for CertificateRecipe {
    fn default() -> CertificateRecipe {
        CertificateRecipe::Named("providers[0]".into())
    }
}

/// What is different from a good certificate of `providers[0]`, issued by the target's client CA a minute ago.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Changes {
    /// Who issues it.
    pub issuer: Issuer,
    /// The subject's key: `p256`, `p384`, `p521`, or one that must be refused: `rsa1024`, `ed25519`, `p192`, `secp256k1`, `dsa` and such.
    pub key: String,
    /// The Common Names of the subject.
    pub common_names: Vec<String>,
    /// The string type of the Common Names: `utf8`, `printable`, `ia5`, `t61`, `bmp`, `universal`.
    pub string_type: String,
    /// All Common Names in one relative distinguished name, beside an organisational unit.
    pub multi_valued: bool,
    /// subjectAltName entries: `dns:NAME`, `email:NAME`, `uri:NAME`; none: no extension.
    pub san: Vec<String>,
    /// extendedKeyUsage: `client-auth`, `server-auth`, `email`, `code-signing`, `any`; none: no extension.
    pub eku: Vec<String>,
    /// keyUsage: `digital-signature`, `key-encipherment`, `key-cert-sign`; none: no extension.
    pub ku: Vec<String>,
    /// basicConstraints says that it is a CA.
    pub ca: bool,
    /// An extension that nobody knows, critical.
    pub unknown_critical: bool,
    /// keyUsage is there twice.
    pub duplicate_extension: bool,
    /// notBefore, in seconds since the Unix epoch.
    pub not_before: String,
    /// notAfter, likewise.
    pub not_after: String,
    /// The X.509 version, 1 or 3.
    pub version: u8,
    /// Another signature algorithm than was used: `sha1`, `md5`.
    pub signature: Option<String>,
    /// The last byte of the signature is changed.
    pub tampered: bool,
    /// How many certificates that have nothing to do with it are sent after it.
    pub junk: usize,
    /// The intermediates are not sent.
    pub alone: bool,
    /// It is on the client CA's revocation list.
    pub revoked: bool,
}

impl Default for Changes {
    fn default() -> Changes {
        Changes {
            issuer: Issuer::ClientCa,
            key: "p256".into(),
            common_names: vec!["${cn}".into()],
            string_type: "utf8".into(),
            multi_valued: false,
            san: Vec::new(),
            eku: vec!["client-auth".into()],
            ku: vec!["digital-signature".into()],
            ca: false,
            unknown_critical: false,
            duplicate_extension: false,
            not_before: "${now-60}".into(),
            not_after: "${now+86400}".into(),
            version: 3,
            signature: None,
            tampered: false,
            junk: 0,
            alone: false,
            revoked: false,
        }
    }
}

/// Who issues a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Issuer {
    /// The target's client CA.
    ClientCa,
    /// The certificate's own key.
    Itself,
    /// An authority that nobody approved; its certificate is sent along.
    UnknownCa,
    /// An authority with the client CA's name and another key.
    Impostor,
    /// An authority that the client CA itself certified, with no keyCertSign.
    SubCaWithoutKeyCertSign,
    /// An authority that the client CA itself certified, with no basicConstraints.
    SubCaWithoutBasicConstraints,
    /// An end-entity certificate that the client CA issued.
    EndEntity,
}

/// A client certificate, ready for a handshake.
#[derive(Debug)]
pub(crate) struct ClientIdentity {
    /// The end-entity certificate, then the intermediates.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub(crate) key: Key,
}

/// Who signs, as seen from the certificate.
struct Authority {
    name: Vec<u8>,
    key_id: Vec<u8>,
    key: Key,
    /// Sent after the end-entity certificate.
    chain: Vec<CertificateDer<'static>>,
}

impl CertificateRecipe {
    /// Makes the certificate; `None` when the caller shows none.
    pub(crate) fn make(&self, dev: &Dev, values: &Values) -> Result<Option<ClientIdentity>, Error> {
        match self {
            CertificateRecipe::Named(name) if name == "none" => Ok(None),
            CertificateRecipe::Named(name) => match name.strip_suffix(".batch") {
                None => {
                    let provider = provider(dev, name)?;
                    own(&provider.certificate, &provider.key).map(Some)
                }
                Some(name) => {
                    let batch = provider(dev, name)?.batch.as_ref();
                    let batch = batch
                        .ok_or_else(|| Error::recipe(format_args!("{name} has no batch certificate")))?;
                    own(&batch.certificate, &batch.key).map(Some)
                }
            },
            CertificateRecipe::Issued(changes) => changes.issue(dev, values).map(Some),
        }
    }
}

/// `providers[N]`.
pub(crate) fn provider<'a>(dev: &'a Dev, name: &str) -> Result<&'a Provider, Error> {
    let index = name.strip_prefix("providers[").and_then(|rest| rest.strip_suffix(']'));
    let index: Option<usize> = index.and_then(|index| index.parse().ok());
    index
        .and_then(|index| dev.providers.get(index))
        .ok_or_else(|| Error::recipe(format_args!("the target has no {name:?}")))
}

fn own(certificate: &Path, key: &Path) -> Result<ClientIdentity, Error> {
    let pem = std::fs::read(key).map_err(Error::file(key))?;
    Ok(ClientIdentity { chain: read_chain(certificate)?, key: Key::from_pem(&pem)? })
}

/// The certificates of a PEM file.
pub(crate) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| Error::content(path, error))?.collect();
    chain.map_err(|error| Error::content(path, error))
}

impl Changes {
    fn issue(&self, dev: &Dev, values: &Values) -> Result<ClientIdentity, Error> {
        let key = Key::generate(&self.key)?;
        let authority = match self.issuer {
            Issuer::ClientCa => client_ca(dev)?,
            Issuer::Itself => Authority {
                name: self.subject(values)?,
                key_id: key_id(&key.spki()),
                key: Key::generate("p256")?,
                chain: Vec::new(),
            },
            Issuer::UnknownCa => unknown_ca(name("Nobody's CA"), values)?,
            Issuer::Impostor => unknown_ca(client_ca(dev)?.name, values)?,
            Issuer::SubCaWithoutKeyCertSign | Issuer::SubCaWithoutBasicConstraints | Issuer::EndEntity => {
                sub_ca(self.issuer, client_ca(dev)?, values)?
            }
        };
        let signer = if self.issuer == Issuer::Itself { &key } else { &authority.key };
        let mut chain = vec![self.certificate(&key, &authority, signer, values)?];
        if !self.alone {
            chain.extend(authority.chain);
        }
        for number in 0..self.junk {
            chain.extend(unknown_ca(name(&format!("CA {number}")), values)?.chain);
        }
        if self.revoked {
            revoke(dev, chain.first(), values)?;
        }
        Ok(ClientIdentity { chain, key })
    }

    fn certificate(
        &self,
        key: &Key,
        authority: &Authority,
        signer: &Key,
        values: &Values,
    ) -> Result<CertificateDer<'static>, Error> {
        let spki = key.spki();
        let (mut algorithm, _) = signer.sign_x509(&[])?;
        if let Some(name) = &self.signature {
            algorithm = weak_algorithm(name)?;
        }
        let mut fields = Vec::new();
        if self.version == 3 {
            fields.push(explicit(0, &integer(&[2])));
        }
        fields.extend([
            serial(),
            algorithm.clone(),
            authority.name.clone(),
            validity(&self.not_before, &self.not_after, values)?,
        ]);
        fields.extend([self.subject(values)?, spki.clone()]);
        if self.version == 3 {
            fields.push(explicit(3, &sequence(&self.extensions(&spki, authority, values)?)));
        }
        let tbs = sequence(&fields);
        let (_, mut signature) = signer.sign_x509(&tbs)?;
        if self.tampered
            && let Some(last) = signature.last_mut()
        {
            *last ^= 1;
        }
        Ok(CertificateDer::from(sequence(&[tbs, algorithm, bit_string(&signature)])))
    }

    fn subject(&self, values: &Values) -> Result<Vec<u8>, Error> {
        let organisation = sequence(&[oid("2.5.4.10"), tlv(0x0c, b"Conformance")]);
        let mut attributes = vec![organisation];
        for common_name in &self.common_names {
            let text = values.text(common_name)?;
            attributes.push(sequence(&[oid("2.5.4.3"), directory_string(&self.string_type, &text)?]));
        }
        if self.multi_valued {
            attributes.sort();
            return Ok(sequence(&[set(&attributes)]));
        }
        Ok(sequence(&attributes.into_iter().map(|attribute| set(&[attribute])).collect::<Vec<_>>()))
    }

    fn extensions(&self, spki: &[u8], authority: &Authority, values: &Values) -> Result<Vec<Vec<u8>>, Error> {
        let mut extensions = vec![
            extension("2.5.29.14", false, &octets(&key_id(spki))),
            extension("2.5.29.35", false, &sequence(&[implicit(0, &authority.key_id)])),
            basic_constraints(self.ca),
        ];
        if !self.ku.is_empty() {
            let bits = self.ku.iter().map(|usage| key_usage(usage)).collect::<Result<Vec<_>, _>>()?;
            let usage = extension("2.5.29.15", true, &named_bits(&bits));
            if self.duplicate_extension {
                extensions.push(usage.clone());
            }
            extensions.push(usage);
        }
        if !self.eku.is_empty() {
            let purposes =
                self.eku.iter().map(|purpose| key_purpose(purpose)).collect::<Result<Vec<_>, _>>()?;
            extensions.push(extension("2.5.29.37", false, &sequence(&purposes)));
        }
        if !self.san.is_empty() {
            let names = self
                .san
                .iter()
                .map(|name| general_name(&values.text(name)?))
                .collect::<Result<Vec<_>, _>>()?;
            extensions.push(extension("2.5.29.17", false, &sequence(&names)));
        }
        if self.unknown_critical {
            extensions.push(extension("1.3.6.1.4.1.32473.1", true, &tlv(5, &[])));
        }
        Ok(extensions)
    }
}

fn client_ca(dev: &Dev) -> Result<Authority, Error> {
    let dev::ClientCa { certificate, key, .. } = &dev.client_ca;
    let own = read_chain(certificate)?;
    let der = own.first().ok_or_else(|| Error::content(certificate, "there is no certificate in it"))?;
    let (_, x509) = X509Certificate::from_der(der).map_err(|error| Error::content(certificate, error))?;
    let key_id = key_id(x509.public_key().raw);
    let name = x509.subject().as_raw().to_vec();
    // The providers' files have the whole path: what stands after their end-entity certificates.
    let intermediates = match dev.providers.first() {
        Some(provider) => read_chain(&provider.certificate)?.into_iter().skip(1).collect(),
        None => own,
    };
    let pem = std::fs::read(key).map_err(Error::file(key))?;
    Ok(Authority { name, key_id, key: Key::from_pem(&pem)?, chain: intermediates })
}

fn unknown_ca(name: Vec<u8>, values: &Values) -> Result<Authority, Error> {
    let key = Key::generate("p256")?;
    let key_id = key_id(&key.spki());
    let parent = Authority {
        name: name.clone(),
        key_id: key_id.clone(),
        key: Key::generate("p256")?,
        chain: Vec::new(),
    };
    let certificate = ca_certificate(&name, &key, &parent, &key, Issuer::UnknownCa, values)?;
    Ok(Authority { name, key_id, key, chain: vec![certificate] })
}

fn sub_ca(kind: Issuer, parent: Authority, values: &Values) -> Result<Authority, Error> {
    let name = name("Sub CA");
    let key = Key::generate("p256")?;
    let certificate = ca_certificate(&name, &key, &parent, &parent.key, kind, values)?;
    let chain = std::iter::once(certificate).chain(parent.chain).collect();
    Ok(Authority { name, key_id: key_id(&key.spki()), key, chain })
}

/// The certificate of an authority, or of what passes itself off as one.
fn ca_certificate(
    name: &[u8],
    key: &Key,
    parent: &Authority,
    signer: &Key,
    kind: Issuer,
    values: &Values,
) -> Result<CertificateDer<'static>, Error> {
    let spki = key.spki();
    let (algorithm, _) = signer.sign_x509(&[])?;
    let usage: &[u8] = match kind {
        Issuer::SubCaWithoutKeyCertSign => &[6],
        Issuer::EndEntity => &[0],
        _ => &[5, 6],
    };
    let mut extensions = vec![
        extension("2.5.29.14", false, &octets(&key_id(&spki))),
        extension("2.5.29.35", false, &sequence(&[implicit(0, &parent.key_id)])),
        extension("2.5.29.15", true, &named_bits(usage)),
    ];
    if kind != Issuer::SubCaWithoutBasicConstraints {
        extensions.push(basic_constraints(kind != Issuer::EndEntity));
    }
    let tbs = sequence(&[
        explicit(0, &integer(&[2])),
        serial(),
        algorithm.clone(),
        parent.name.clone(),
        validity("${now-3600}", "${now+86400}", values)?,
        name.to_vec(),
        spki,
        explicit(3, &sequence(&extensions)),
    ]);
    let (_, signature) = signer.sign_x509(&tbs)?;
    Ok(CertificateDer::from(sequence(&[tbs, algorithm, bit_string(&signature)])))
}

/// Puts a certificate on the client CA's revocation list, beside those that are there.
fn revoke(dev: &Dev, certificate: Option<&CertificateDer<'_>>, values: &Values) -> Result<(), Error> {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let path = dev.client_ca.crl.as_ref().ok_or_else(|| Error::recipe("the target has no client_ca.crl"))?;
    let der = certificate.ok_or_else(|| Error::recipe("nothing to revoke"))?;
    let (_, x509) = X509Certificate::from_der(der).map_err(Error::recipe)?;
    let old = std::fs::read(path).map_err(Error::file(path))?;
    let old = pem_or_der(old, "X509 CRL");
    let (_, list) = x509_parser::revocation_list::CertificateRevocationList::from_der(&old)
        .map_err(|error| Error::content(path, error))?;
    let number =
        list.crl_number().map(x509_parser::num_bigint::BigUint::to_bytes_be).unwrap_or_else(|| vec![1]);
    let mut serials: Vec<Vec<u8>> =
        list.iter_revoked_certificates().map(|entry| entry.raw_serial().to_vec()).collect();
    serials.push(x509.raw_serial().to_vec());
    let der = revocation_list(&client_ca(dev)?, &serials, &number, values)?;
    replace(path, pem("X509 CRL", &der).as_bytes())
}

fn revocation_list(
    authority: &Authority,
    serials: &[Vec<u8>],
    number: &[u8],
    values: &Values,
) -> Result<Vec<u8>, Error> {
    let now = seconds("${now}", values)?;
    let (algorithm, _) = authority.key.sign_x509(&[])?;
    let revoked: Vec<_> =
        serials.iter().map(|serial| sequence(&[integer(serial), der::time(now - 60)])).collect();
    let number: Vec<u8> = number.iter().copied().chain([0]).collect();
    let extensions = sequence(&[
        extension("2.5.29.35", false, &sequence(&[implicit(0, &authority.key_id)])),
        extension("2.5.29.20", false, &integer(&number)),
    ]);
    let tbs = sequence(&[
        integer(&[1]),
        algorithm.clone(),
        authority.name.clone(),
        der::time(now - 60),
        der::time(now + 30 * 86_400),
        sequence(&revoked),
        explicit(0, &extensions),
    ]);
    let (_, signature) = authority.key.sign_x509(&tbs)?;
    Ok(sequence(&[tbs, algorithm, bit_string(&signature)]))
}

/// Writes a file by rename, so that nobody reads half of it.
fn replace(path: &Path, contents: &[u8]) -> Result<(), Error> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, contents).map_err(Error::file(&beside))?;
    std::fs::rename(&beside, path).map_err(Error::file(path))
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn pem_or_der(bytes: Vec<u8>, label: &str) -> Vec<u8> {
    use base64::Engine;
    let Ok(text) = std::str::from_utf8(&bytes) else { return bytes };
    let body = text
        .split_once(&format!("-----BEGIN {label}-----"))
        .and_then(|(_, rest)| rest.split_once("-----END"));
    let Some((body, _)) = body else { return bytes };
    let body: String = body.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap_or(bytes)
}

/// SHA-256 and SHA-1 of a certificate, in hex.
pub(crate) fn thumbprints(der: &[u8]) -> (String, String) {
    let sha256 = digest::digest(&digest::SHA256, der);
    let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der);
    (crate::template::to_hex(sha256.as_ref()), crate::template::to_hex(sha1.as_ref()))
}

/// RFC 5280 §4.2.1.2, the first method, over the BIT STRING of the SubjectPublicKeyInfo.
fn key_id(spki: &[u8]) -> Vec<u8> {
    let bits = x509_parser::x509::SubjectPublicKeyInfo::from_der(spki)
        .map(|(_, info)| info.subject_public_key.data.to_vec());
    let bits = bits.unwrap_or_else(|_| spki.to_vec());
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &bits).as_ref().to_vec()
}

fn name(common_name: &str) -> Vec<u8> {
    sequence(&[set(&[sequence(&[oid("2.5.4.3"), tlv(0x0c, common_name.as_bytes())])])])
}

fn serial() -> Vec<u8> {
    let mut serial = [0; 16];
    fill(&mut serial);
    serial[0] = serial[0] & 0x7f | 1;
    integer(&serial)
}

fn seconds(template: &str, values: &Values) -> Result<i64, Error> {
    let text = values.text(template)?;
    text.parse().map_err(|_| Error::recipe(format_args!("{text:?} is not a time in seconds")))
}

fn validity(not_before: &str, not_after: &str, values: &Values) -> Result<Vec<u8>, Error> {
    Ok(sequence(&[der::time(seconds(not_before, values)?), der::time(seconds(not_after, values)?)]))
}

fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![oid(id)];
    parts.extend(critical.then(truth));
    parts.push(octets(value));
    sequence(&parts)
}

fn basic_constraints(ca: bool) -> Vec<u8> {
    let value = if ca { sequence(&[truth()]) } else { sequence(&[]) };
    extension("2.5.29.19", true, &value)
}

fn weak_algorithm(name: &str) -> Result<Vec<u8>, Error> {
    match name {
        "sha1" => Ok(sequence(&[oid("1.2.840.10045.4.1")])),
        "md5" => Ok(sequence(&[oid("1.2.840.113549.1.1.4"), tlv(5, &[])])),
        _ => Err(Error::recipe(format_args!("{name:?} is no signature algorithm"))),
    }
}

fn key_usage(name: &str) -> Result<u8, Error> {
    match name {
        "digital-signature" => Ok(0),
        "key-encipherment" => Ok(2),
        "key-cert-sign" => Ok(5),
        _ => Err(Error::recipe(format_args!("{name:?} is no key usage"))),
    }
}

fn key_purpose(name: &str) -> Result<Vec<u8>, Error> {
    match name {
        "server-auth" => Ok(oid("1.3.6.1.5.5.7.3.1")),
        "client-auth" => Ok(oid("1.3.6.1.5.5.7.3.2")),
        "code-signing" => Ok(oid("1.3.6.1.5.5.7.3.3")),
        "email" => Ok(oid("1.3.6.1.5.5.7.3.4")),
        "any" => Ok(oid("2.5.29.37.0")),
        _ => Err(Error::recipe(format_args!("{name:?} is no key purpose"))),
    }
}

fn general_name(text: &str) -> Result<Vec<u8>, Error> {
    match text.split_once(':') {
        Some(("email", name)) => Ok(implicit(1, name.as_bytes())),
        Some(("dns", name)) => Ok(implicit(2, name.as_bytes())),
        Some(("uri", name)) => Ok(implicit(6, name.as_bytes())),
        _ => Err(Error::recipe(format_args!("{text:?} is no general name"))),
    }
}

fn directory_string(kind: &str, text: &str) -> Result<Vec<u8>, Error> {
    let wide =
        |bytes: usize| text.chars().flat_map(move |c| u32::from(c).to_be_bytes().into_iter().skip(4 - bytes));
    Ok(match kind {
        "utf8" => tlv(0x0c, text.as_bytes()),
        "printable" => tlv(0x13, text.as_bytes()),
        "t61" => tlv(0x14, text.as_bytes()),
        "ia5" => tlv(0x16, text.as_bytes()),
        "bmp" => tlv(0x1e, &wide(2).collect::<Vec<_>>()),
        "universal" => tlv(0x1c, &wide(4).collect::<Vec<_>>()),
        _ => return Err(Error::recipe(format_args!("{kind:?} is no string type"))),
    })
}
