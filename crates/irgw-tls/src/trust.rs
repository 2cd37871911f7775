//! What client certificates are judged by, replaceable while running (TLS-4 to TLS-10).

use std::sync::Arc;

use arc_swap::ArcSwap;
use irgw_core::Thumbprint;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};

use crate::authority::Authority;
use crate::certificate::{Certificate, Facts};
use crate::memo::Memo;
use crate::path::{self, Judged, Presented};
use crate::store::Store;
use crate::verified::{Refused, Standing};
use crate::{ApprovedRoot, CommonName, Crl, CrlFault, Error, Fault, Flaw, Place, VerifiedCert, digest};

/// Judges client certificates by approved roots and revocation lists.
///
/// Both can be replaced while connections are open: [`ClientTrust::confirm`] then judges their certificates anew. A
/// certificate that was verified is remembered (bounded) for as long as nothing changed and time is inside the window
/// in which the judgement holds, so that the next connection of the same client costs a digest and a look-up. It is
/// remembered with its path: a client that leaves out an intermediate is refused, whether it sent it yesterday or
/// not.
#[derive(Debug)]
pub struct ClientTrust {
    store: ArcSwap<Store>,
    memo: Memo,
    limits: Limits,
}

/// How much a client may send, and how long a path may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Certificates in the message, the end-entity certificate included. *Default* 10.
    pub certificates: usize,
    /// Bytes of all of them together. *Default* 16 KiB.
    pub bytes: usize,
    /// Intermediates of one subject, as there are when an authority is cross-signed. *Default* 3.
    pub namesakes: usize,
    /// Intermediates in the path, self-issued ones not counted. *Default* 6, which is also the most that the
    /// validator follows.
    pub intermediates: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { certificates: 10, bytes: 16 << 10, namesakes: 3, intermediates: 6 }
    }
}

impl ClientTrust {
    /// Trust in these roots, less what these lists revoke, under the default [`Limits`].
    ///
    /// # Errors
    /// [`Error::DuplicateRoot`].
    pub fn new(roots: Vec<ApprovedRoot>, crls: Vec<Crl>) -> Result<ClientTrust, Error> {
        ClientTrust::with_limits(roots, crls, Limits::default())
    }

    /// The same under other limits.
    ///
    /// # Errors
    /// [`Error::DuplicateRoot`].
    pub fn with_limits(
        roots: Vec<ApprovedRoot>,
        crls: Vec<Crl>,
        limits: Limits,
    ) -> Result<ClientTrust, Error> {
        let store = ArcSwap::from_pointee(Store::new(roots, crls)?);
        Ok(ClientTrust { store, memo: Memo::new(MEMO_BYTES), limits })
    }

    /// Replaces roots and lists, for handshakes and for the requests of open connections alike (TLS-9, TLS-10).
    ///
    /// # Errors
    /// [`Error::DuplicateRoot`]; the old ones stay in force.
    pub fn replace(&self, roots: Vec<ApprovedRoot>, crls: Vec<Crl>) -> Result<(), Error> {
        self.store.store(Arc::new(Store::new(roots, crls)?));
        Ok(())
    }

    /// Replaces the revocation lists and keeps the roots.
    pub fn replace_crls(&self, crls: Vec<Crl>) {
        self.store.rcu(|store| {
            Store::new(store.roots().to_vec(), crls.clone()).expect("roots that were distinct still are")
        });
    }

    /// The roots that are in force.
    pub fn roots(&self) -> Vec<ApprovedRoot> {
        self.store.load().roots().to_vec()
    }

    /// The revocation lists that are in force.
    pub fn crls(&self) -> Vec<Crl> {
        self.store.load().crls().to_vec()
    }

    /// Parses revocation lists as [`Crl::parse`], and checks the signature of each whose issuer is known: an approved
    /// root, or an authority of a path that is remembered as good. That of any other is checked when a path is judged.
    ///
    /// # Errors
    /// As [`Crl::parse`], and [`Error::Crl`] with [`CrlFault::BadSignature`].
    pub fn parse_lists(&self, bytes: &[u8]) -> Result<Vec<Crl>, Error> {
        let store = self.store.load();
        let roots = store.roots().iter().map(Authority::from);
        let seen = self.memo.all().into_iter().flat_map(|cert| cert.authorities());
        let known: Vec<Authority> = roots.chain(seen).collect();
        let parse = |der: &CertificateRevocationListDer<'_>| {
            let crl = Crl::from_der(der)?;
            let mut issuers = known.iter().filter(|authority| authority.may_have_issued(&crl)).peekable();
            match issuers.peek().is_none() || issuers.any(|issuer| issuer.signed(der)) {
                true => Ok(crl),
                false => Err(Error::Crl(CrlFault::BadSignature { issuer: crl.issuer_text() })),
            }
        };
        Crl::split(bytes)?.iter().map(parse).collect()
    }

    /// What was found, since lists or roots were last replaced, of a list that cannot be used: nobody whom it should
    /// cover is accepted.
    pub fn unusable_list(&self) -> Option<String> {
        self.store.load().unusable_list.get().cloned()
    }

    /// Judges a client's certificate and the certificates that came with it, in any order, at `now`.
    ///
    /// That the far end holds the key is the handshake's to check, not this function's.
    ///
    /// # Errors
    /// [`Error::Certificate`] names what is wrong and whose certificate it is.
    pub fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Arc<VerifiedCert>, Error> {
        path::measure(end_entity, intermediates, &self.limits)
            .map_err(|fault| Error::certificate(fault, Facts::read(end_entity)))?;
        if let Some(cert) = self.memo.find(&Thumbprint(digest::sha256(end_entity))) {
            // Judged again by the very same certificates it would be refused again.
            let is_same = cert.came_with(intermediates);
            if is_same || cert.is_covered_by(intermediates) {
                match self.confirm(&cert, now) {
                    Ok(()) => return Ok(cert),
                    Err(error) if is_same => return Err(error),
                    Err(_) => {}
                }
            }
        }
        let store = self.store.load_full();
        let certificate = Certificate::parse(end_entity).map_err(|fault| Error::certificate(fault, None))?;
        let refused = |fault| Error::certificate(fault, Some(certificate.facts()));
        let judged = self.judge(&store, &certificate, end_entity, intermediates, now).map_err(refused)?;
        let common_name = name(&certificate, &judged).map_err(refused)?;
        let standing = Standing { store: Arc::downgrade(&store), path: Ok(judged.path) };
        let sent = std::iter::once(end_entity).chain(intermediates);
        let chain = sent.map(|der| der.clone().into_owned()).collect();
        let cert = Arc::new(VerifiedCert::new(common_name, certificate.facts(), chain, standing));
        self.memo.insert(cert.clone());
        Ok(cert)
    }

    /// Judges a path by everything but the Common Name, and remembers nothing: what [`ClientTrust::verify`] rests on,
    /// for certificates that are not named as TLS-6 asks.
    ///
    /// # Errors
    /// As [`ClientTrust::verify`], TLS-6 aside.
    pub fn verify_path(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        self.path_of(end_entity, intermediates, now).map(|_| ())
    }

    /// The same; returns the intermediates of the path.
    pub(crate) fn path_of<'a>(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &'a [CertificateDer<'a>],
        now: UnixTime,
    ) -> Result<Vec<&'a CertificateDer<'a>>, Error> {
        path::measure(end_entity, intermediates, &self.limits)
            .map_err(|fault| Error::certificate(fault, Facts::read(end_entity)))?;
        let certificate = Certificate::parse(end_entity).map_err(|fault| Error::certificate(fault, None))?;
        let judged = self
            .judge(&self.store.load(), &certificate, end_entity, intermediates, now)
            .map_err(|fault| Error::certificate(fault, Some(certificate.facts())))?;
        Ok(judged.path.used.iter().filter_map(|index| intermediates.get(*index)).collect())
    }

    /// Whether a certificate that was verified before still stands: nothing when roots and lists are the same and
    /// `now` is inside the window of the last judgement, else its path is judged again.
    ///
    /// # Errors
    /// As [`ClientTrust::verify`].
    pub fn confirm(&self, cert: &VerifiedCert, now: UnixTime) -> Result<(), Error> {
        let store = self.store.load();
        let standing = cert.standing.load();
        if std::ptr::eq(standing.store.as_ptr(), Arc::as_ptr(&store)) {
            match &standing.path {
                Ok(path) if path.window.contains(now.as_secs()) => return Ok(()),
                Err(refused) if refused.at == now.as_secs() => return Err(refused.error.clone()),
                _ => {}
            }
        }
        let (path, result) = match self.judge_again(&store, cert, now) {
            Ok(judged) => (Ok(judged.path), Ok(())),
            Err(error) => (Err(Refused { at: now.as_secs(), error: error.clone() }), Err(error)),
        };
        cert.standing.store(Arc::new(Standing { store: Arc::downgrade(&store), path }));
        result
    }

    fn judge_again(&self, store: &Store, cert: &VerifiedCert, now: UnixTime) -> Result<Judged, Error> {
        let refused = |fault| Error::certificate(fault, Some(cert.facts().clone()));
        let (end_entity, intermediates) =
            cert.chain.split_first().ok_or_else(|| refused(Place::Path.has(Flaw::UnknownIssuer)))?;
        let certificate = Certificate::parse(end_entity).map_err(refused)?;
        let judged = self.judge(store, &certificate, end_entity, intermediates, now).map_err(refused)?;
        name(&certificate, &judged).map_err(refused)?;
        Ok(judged)
    }

    fn judge(
        &self,
        store: &Store,
        certificate: &Certificate<'_>,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Judged, Fault> {
        let presented = Presented { certificate, end_entity, intermediates };
        path::judge(store, &presented, &self.limits, now).inspect_err(|fault| {
            if let Flaw::BadCrl(_) = fault.flaw {
                let issuer = certificate.facts().issuer;
                store.unusable_list.get_or_init(|| format!("{fault}, for a certificate issued by {issuer}"));
            }
        })
    }
}

/// The Common Name, if it is what TLS-6 asks for and its authorities may certify it.
fn name(certificate: &Certificate<'_>, judged: &Judged) -> Result<CommonName, Fault> {
    let refused = |fault| Place::EndEntity.has(Flaw::CommonName(fault));
    let name = certificate.common_name().map_err(refused)?;
    let dns_names = judged.end_entity.dns_names.as_deref();
    name.is_among(dns_names).map_err(refused)?;
    let admitted = || judged.authorities.iter().all(|authority| authority.names.admits(name.as_str()));
    if dns_names.is_none() && !admitted() {
        return Err(Place::EndEntity.has(Flaw::NameConstraint));
    }
    Ok(name)
}

/// Half of what the memo may hold: some 2,500 clients a generation.
const MEMO_BYTES: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verified::Refused;

    #[test]
    fn what_was_refused_with_the_same_certificates_is_not_judged_twice_in_a_second() {
        let trust = ClientTrust::new(Vec::new(), Vec::new()).unwrap();
        let chain: Box<[CertificateDer<'static>]> =
            Box::from([b"client".to_vec().into(), b"issuer".to_vec().into()]);
        let facts = Facts {
            subject: "CN=a".into(),
            issuer: "CN=b".into(),
            serial: "01".into(),
            thumbprint: Thumbprint(digest::sha256(b"client")),
            not_before: 0,
            not_after: 1,
        };
        let error = Error::certificate(Place::EndEntity.has(Flaw::Revoked), Some(facts.clone()));
        let standing = Standing {
            store: Arc::downgrade(&trust.store.load_full()),
            path: Err(Refused { at: 7, error: error.clone() }),
        };
        let name = CommonName::parse("a").unwrap();
        trust.memo.insert(Arc::new(VerifiedCert::new(name, facts, chain.clone(), standing)));
        let at = |second| UnixTime::since_unix_epoch(std::time::Duration::from_secs(second));
        let verify = |sent, second| trust.verify(&chain[0], sent, at(second)).map(|_| ());
        assert_eq!(verify(&chain[1..], 7), Err(error.clone()));
        assert_ne!(verify(&[], 7), Err(error.clone()), "with others it could be good");
        assert_ne!(verify(&chain[1..], 8), Err(error), "the next second it could be good");
    }
}
