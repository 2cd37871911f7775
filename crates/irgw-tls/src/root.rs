//! What goes on the approved list (TLS-4), and what each entry on it admits (TLS-8, TLS-9).

use std::str::FromStr;
use std::sync::Arc;

use irgw_core::UnknownName;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};

use crate::certificate::Certificate;
use crate::profile::{self, Traits};
use crate::{Error, Flaw, IssuerPin, Place};

/// A root certificate that client certificates may lead to.
///
/// It was checked when it was made: a certificate authority's, version 3, basicConstraints critical, with a
/// subjectKeyIdentifier, a key that TLS-5 accepts and no unknown critical extension. Its dates are judged with every
/// path, and when it is put on the list. Its own signature is not looked
/// at: the list vouches for it (RFC 5280 §6.1.1), and several public roots still carry a SHA-1 one.
#[derive(Debug, Clone)]
pub struct ApprovedRoot {
    name: Arc<str>,
    der: CertificateDer<'static>,
    client_eku: ClientEku,
    crl_policy: CrlPolicy,
    pub(crate) anchor: TrustAnchor<'static>,
    pub(crate) pin: IssuerPin,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    pub(crate) traits: Traits,
}

impl ApprovedRoot {
    /// Checks a root, under the default settings: `clientAuth` required, revocation lists used where they are loaded.
    ///
    /// `name` is what logs call it, e.g. its file or `Amazon: Amazon Root CA 1`.
    ///
    /// # Errors
    /// [`Error::Root`] says what is wrong with it.
    pub fn new(name: &str, der: CertificateDer<'static>, now: UnixTime) -> Result<ApprovedRoot, Error> {
        let root = ApprovedRoot::of_any_date(name, der)?;
        root.check_date(now)?;
        Ok(root)
    }

    /// The same for a root that may have been put on the list long ago: whether it is in date is left to
    /// [`ApprovedRoot::check_date`], and to every judgement of a path.
    ///
    /// # Errors
    /// [`Error::Root`] says what is wrong with it.
    pub fn of_any_date(name: &str, der: CertificateDer<'static>) -> Result<ApprovedRoot, Error> {
        let refused = |flaw| Error::Root { name: name.into(), fault: Place::Root.has(flaw) };
        let certificate = Certificate::parse(&der).map_err(|fault| refused(fault.flaw))?;
        let traits = profile::root(&certificate).map_err(refused)?;
        let anchor = webpki::anchor_from_trusted_cert(&der)
            .map_err(|error| refused(Flaw::Invalid(error.to_string())))?
            .to_owned();
        let facts = certificate.facts();
        Ok(ApprovedRoot {
            name: name.into(),
            pin: IssuerPin::of_spki(&webpki::spki_for_anchor(&anchor)),
            anchor,
            not_before: facts.not_before,
            not_after: facts.not_after,
            traits,
            client_eku: ClientEku::default(),
            crl_policy: CrlPolicy::default(),
            der: der.clone(),
        })
    }

    /// Whether it is in date at `now`. Nothing under a root that is not is accepted.
    ///
    /// # Errors
    /// [`Error::Root`].
    pub fn check_date(&self, now: UnixTime) -> Result<(), Error> {
        let now = now.as_secs();
        let flaw = match () {
            () if now < self.not_before => Flaw::NotYetValid { not_before: self.not_before },
            () if now > self.not_after => Flaw::Expired { not_after: self.not_after },
            () => return Ok(()),
        };
        Err(Error::Root { name: self.name.clone(), fault: Place::Root.has(flaw) })
    }

    /// Checks all CERTIFICATE blocks of a PEM file. From the second on, names have `#2`, `#3`, … appended.
    ///
    /// # Errors
    /// When there is no such block, or as [`ApprovedRoot::new`].
    pub fn from_pem(name: &str, pem: &[u8], now: UnixTime) -> Result<Vec<ApprovedRoot>, Error> {
        let roots = ApprovedRoot::from_pem_of_any_date(name, pem)?;
        roots.iter().try_for_each(|root| root.check_date(now))?;
        Ok(roots)
    }

    /// The same without a look at dates, as [`ApprovedRoot::of_any_date`].
    ///
    /// # Errors
    /// When there is no such block, or as [`ApprovedRoot::of_any_date`].
    pub fn from_pem_of_any_date(name: &str, pem: &[u8]) -> Result<Vec<ApprovedRoot>, Error> {
        let expected = "a root certificate";
        let ders: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|_| Error::Pem { expected })?;
        if ders.is_empty() {
            return Err(Error::Pem { expected });
        }
        ders.into_iter()
            .enumerate()
            .map(|(index, der)| match index {
                0 => ApprovedRoot::of_any_date(name, der),
                _ => ApprovedRoot::of_any_date(&format!("{name}#{}", index + 1), der),
            })
            .collect()
    }

    /// The roots of one owner in the Mozilla list, e.g. `Amazon` or `Let's Encrypt`; case does not matter.
    ///
    /// A root of the owner that does not meet the checks any more (expired, say) is left out.
    ///
    /// # Errors
    /// [`Error::UnknownOwner`], whose text lists the owners that are allowed; [`Error::NoRootLeft`] for one that the
    /// list has no root of any more (Entrust, GeoTrust, Thawte), whose text names the owner to approve instead.
    pub fn mozilla(owner: &str, now: UnixTime) -> Result<Vec<ApprovedRoot>, Error> {
        crate::mozilla::roots(owner, now)
    }

    /// The owners that [`ApprovedRoot::mozilla`] knows.
    pub fn owners() -> impl Iterator<Item = &'static str> {
        crate::mozilla::owners()
    }

    /// The same root with another setting of [`ClientEku`] (TLS-8).
    pub fn with_client_eku(self, client_eku: ClientEku) -> ApprovedRoot {
        ApprovedRoot { client_eku, ..self }
    }

    /// The same root with another setting of [`CrlPolicy`] (TLS-9).
    pub fn with_crl_policy(self, crl_policy: CrlPolicy) -> ApprovedRoot {
        ApprovedRoot { crl_policy, ..self }
    }

    /// What logs call it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The certificate.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// Which extended key usage its certificates need.
    pub fn client_eku(&self) -> ClientEku {
        self.client_eku
    }

    /// What is asked of revocation lists.
    pub fn crl_policy(&self) -> CrlPolicy {
        self.crl_policy
    }

    /// notAfter, in seconds since the Unix epoch; from then on nothing under this root is accepted.
    pub fn not_after(&self) -> UnixTime {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(self.not_after))
    }
}

/// Which extended key usage a client certificate under a root needs (TLS-8). Each setting admits what the one before
/// it does.
///
/// `anyExtendedKeyUsage` names no purpose and counts for none on an end-entity certificate. On an intermediate it
/// limits nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ClientEku {
    /// `clientAuth` must be there.
    #[default]
    ClientAuth,
    /// `clientAuth` or `serverAuth`.
    ServerAuthAccepted,
    /// Either of them, or no such extension at all.
    AbsentAccepted,
}

impl ClientEku {
    /// The name in configuration: `client-auth`, `server-auth-accepted`, `absent-accepted`.
    pub const fn name(self) -> &'static str {
        match self {
            ClientEku::ClientAuth => "client-auth",
            ClientEku::ServerAuthAccepted => "server-auth-accepted",
            ClientEku::AbsentAccepted => "absent-accepted",
        }
    }
}

impl FromStr for ClientEku {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<ClientEku, UnknownName> {
        [ClientEku::ClientAuth, ClientEku::ServerAuthAccepted, ClientEku::AbsentAccepted]
            .into_iter()
            .find(|setting| setting.name() == text)
            .ok_or(UnknownName { kind: "client_eku setting" })
    }
}

/// What is asked of revocation lists for the certificates under a root (TLS-9). A revoked certificate is refused
/// under every setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum CrlPolicy {
    /// Where a list covers a certificate it must not have expired; a certificate that no list covers is accepted.
    #[default]
    WhereLoaded,
    /// Every certificate of the path, the root aside, must be covered by a list that has not expired.
    Required,
    /// An expired list still counts: what it revokes is refused, what it does not is accepted.
    StaleAccepted,
}

impl CrlPolicy {
    pub(crate) const ALL: [CrlPolicy; 3] =
        [CrlPolicy::WhereLoaded, CrlPolicy::Required, CrlPolicy::StaleAccepted];

    /// The name in configuration: `where-loaded`, `required`, `stale-accepted`.
    pub const fn name(self) -> &'static str {
        match self {
            CrlPolicy::WhereLoaded => "where-loaded",
            CrlPolicy::Required => "required",
            CrlPolicy::StaleAccepted => "stale-accepted",
        }
    }
}

impl FromStr for CrlPolicy {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<CrlPolicy, UnknownName> {
        CrlPolicy::ALL
            .into_iter()
            .find(|setting| setting.name() == text)
            .ok_or(UnknownName { kind: "crl policy" })
    }
}
