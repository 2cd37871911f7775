//! Tokens that this end signs, each used until it is about to end (M2M-1 to M2M-10).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use irgw_core::{Logon, Thumbprint, UnixTime};
use irgw_m2m::error::CertificateFault;
use irgw_m2m::{NewToken, SigningCert, SigningKey, sign};
use irgw_oauth::client::Skew;
use irgw_oauth::opaque::{NAME_CHARS, draw};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::Error;
use crate::credential::Proof;

/// Signs M2M tokens for one resource owner.
///
/// A token is sent with each request for three quarters of its life: the gateway checks the signature of a token that it
/// remembers once (M2M-10).
#[derive(Debug)]
pub struct Signer {
    key: SigningKey,
    thumbprint: Thumbprint,
    issuer: String,
    logon: Option<Logon>,
    lifetime: Duration,
    is_single_use: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    skew: Skew,
    kept: Option<(Proof, UnixTime)>,
}

const LIFETIME: Duration = Duration::from_secs(900);

impl Signer {
    /// Signs with the key of a certificate that the gateway has enrolled, or will, as the issuer that was agreed (M2M-5): tokens
    /// of fifteen minutes, for the resource owner's own access. Both are read from PEM, and the certificate is checked as it
    /// is at enrolment (M2M-4, M2M-8).
    ///
    /// # Errors
    /// [`Error::Sign`] when a part cannot be read or used, [`Error::KeyOfAnother`].
    pub fn from_pem(
        key: &[u8],
        certificate: &[u8],
        issuer: impl Into<String>,
        now: UnixTime,
    ) -> Result<Signer, Error> {
        let key = SigningKey::from_pem(key).map_err(Error::Sign)?;
        let der = CertificateDer::from_pem_slice(certificate);
        let der = der.map_err(|_| Error::Sign(irgw_m2m::Error::Certificate(CertificateFault::Encoding)))?;
        let certificate = SigningCert::enrol(&der, now).map_err(Error::Sign)?;
        Signer::new(key, &certificate, issuer)
    }

    /// The same from parts that are at hand.
    ///
    /// # Errors
    /// [`Error::KeyOfAnother`].
    pub fn new(
        key: SigningKey,
        certificate: &SigningCert,
        issuer: impl Into<String>,
    ) -> Result<Signer, Error> {
        if !key.is_key_of(certificate) {
            return Err(Error::KeyOfAnother);
        }
        Ok(Signer {
            key,
            thumbprint: certificate.thumbprint(),
            issuer: issuer.into(),
            logon: None,
            lifetime: LIFETIME,
            is_single_use: false,
            state: Mutex::default(),
        })
    }

    /// The same with the delegations of a myIR logon, `startLogon` (M2M-7).
    #[must_use]
    pub fn for_logon(self, logon: Logon) -> Signer {
        Signer { logon: Some(logon), ..self }
    }

    /// The same with tokens of another lifetime: whole seconds, 1 second to 8 hours (M2M-6). Another shows when it signs.
    #[must_use]
    pub fn with_lifetime(self, lifetime: Duration) -> Signer {
        Signer { lifetime, ..self }
    }

    /// The same with a token of its own, and a `jti` in it, for each request: for a gateway that asks for single use (M2M-10).
    #[must_use]
    pub fn single_use(self) -> Signer {
        Signer { is_single_use: true, ..self }
    }

    /// The token for a request that is sent at `now` by this machine's clock.
    pub(crate) fn proof(&self, now: Duration) -> Result<Proof, Error> {
        let mut state = self.state();
        let now = state.skew.server_time(now);
        match &state.kept {
            Some((kept, until)) if !self.is_single_use && now < *until => Ok(kept.clone()),
            _ => self.signed(&mut state, now),
        }
    }

    /// Another token, where there is reason to think that it fares better than `refused`: that one was kept for some time, or
    /// the gateway's clock is not where it was thought to be.
    pub(crate) fn renewed(
        &self,
        refused: &Proof,
        skew: Option<Skew>,
        now: Duration,
    ) -> Result<Option<Proof>, Error> {
        let mut state = self.state();
        let is_news = skew.is_some_and(|skew| skew != state.skew);
        state.skew = skew.unwrap_or(state.skew);
        if refused.is_new && !is_news {
            return Ok(None);
        }
        let now = state.skew.server_time(now);
        self.signed(&mut state, now).map(Some)
    }

    fn signed(&self, state: &mut State, now: UnixTime) -> Result<Proof, Error> {
        let jti = self.is_single_use.then(|| draw(NAME_CHARS)).transpose().map_err(|_| Error::Randomness)?;
        let token = NewToken {
            thumbprint: self.thumbprint,
            issuer: &self.issuer,
            start_logon: self.logon.as_ref(),
            issued_at: now,
            lifetime: self.lifetime,
            jti: jti.as_ref().map(|name| name.expose().as_str()),
        };
        let proof = Proof::new(&sign(&token, &self.key).map_err(Error::Sign)?)?;
        let until = now.as_secs().saturating_add(self.lifetime.as_secs() / 4 * 3);
        let until = UnixTime::since_unix_epoch(Duration::from_secs(until));
        state.kept = Some((proof.clone().kept(), until));
        Ok(proof)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // What a panic could leave half done is replaced whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
