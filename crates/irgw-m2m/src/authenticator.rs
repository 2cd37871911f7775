//! The M2M authenticator: judges the JWT of one request (M2M-1 to M2M-8, ENV-4).

use std::sync::Arc;
use std::time::Duration;

use irgw_core::{Authenticator, Missing, Presented, Proof, Scheme, Thumbprint, UnixTime, Verdict};
use irgw_memo::{Counts as CacheCounts, Memo};

use crate::error::{Error, SubjectFault};
use crate::token::{Claims, Subject, Token};
use crate::verify::{DEFAULT_SKEW, check_own_times, check_remembered, check_signed, has_expired};
use crate::{Credential, LegacySha1, SigningCerts, TOKEN_LIMIT_BYTES};

/// What an operator may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How far a signer's clock may be from ours (M2M-6). Only whole seconds count.
    pub skew: Duration,
    /// How much of a token is checked (ENV-4).
    pub checks: Checks,
    /// Whether a SHA-1 thumbprint is taken for every credential. Where it is refused, a credential whose own enrolment
    /// accepts it is found all the same (M2M-3).
    pub legacy_sha1_thumbprint: LegacySha1,
    /// How much memory remembered tokens may take, in bytes; about 1,500 a token. 0 remembers none. Below
    /// 34 KiB the longest tokens do not fit.
    pub cache_limit_bytes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            skew: DEFAULT_SKEW,
            checks: Checks::Full,
            legacy_sha1_thumbprint: LegacySha1::Refused,
            cache_limit_bytes: 32 * 1024 * 1024,
        }
    }
}

/// How much of a token is checked (ENV-4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Checks {
    /// Everything.
    #[default]
    Full,
    /// The form and the token's own times; not `sub`, not `iss`, not the signature. Only for the mock environment.
    ///
    /// `sub` must still be there, as text. Where it names an enrolled certificate the proof is that owner's, else it
    /// is a claim.
    StructureAndTimes,
}

/// Judges requests by their client-signed JWT.
///
/// Waits for nothing and writes nothing but its own memory of signatures that it found good.
#[derive(Debug)]
pub struct M2m {
    certs: Arc<dyn SigningCerts>,
    options: Options,
    cache: Memo<Remembered>,
}

/// What is remembered of a token: "the signature is good", under which revision of which credential, and the claims.
///
/// Nothing that can change is in here: times, enrolment and revocation are checked at every use.
#[derive(Clone)]
struct Remembered {
    claims: Arc<Claims>,
    thumbprint: Thumbprint,
    revision: u64,
}

/// A token that was accepted.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// What it proves.
    pub proof: Proof,
    /// What it says. For single use: `jti`, and `expires_at` until when to remember it (M2M-10).
    pub claims: Arc<Claims>,
}

impl M2m {
    /// An authenticator over these enrolled certificates.
    pub fn new(certs: Arc<dyn SigningCerts>, options: Options) -> M2m {
        let cache = Memo::new(options.cache_limit_bytes);
        M2m { certs, options, cache }
    }

    /// Judges one token; the order of the checks is that of [`crate::verify`].
    ///
    /// # Errors
    /// The first rule that the token breaks: [`Error::rule`].
    pub fn judge(&self, token: &str, now: UnixTime) -> Result<Accepted, Error> {
        match self.options.checks {
            Checks::Full => self.judge_fully(token, now),
            Checks::StructureAndTimes => self.judge_structure_and_times(token, now),
        }
    }

    /// The verdict on a request, and what the token says when it was accepted.
    ///
    /// For a policy that requires single use: it spends `jti` last, when everything else admitted the request (M2M-10).
    pub fn authenticate_with_claims(&self, presented: &Presented<'_>) -> (Verdict, Option<Arc<Claims>>) {
        let token = match presented.credential {
            irgw_core::Credential::None => return (Verdict::Absent, None),
            irgw_core::Credential::Jwt(token) => token,
            irgw_core::Credential::Bearer(_) | irgw_core::Credential::Other | irgw_core::Credential::Many => {
                return (Verdict::Reject(Error::NotAJwt.into()), None);
            }
        };
        match self.judge(token, presented.now) {
            Ok(Accepted { proof, claims }) => (Verdict::Accept(proof), Some(claims)),
            Err(error) => (Verdict::Reject(error.into()), None),
        }
    }

    /// How the memory of good signatures is doing, for metrics.
    pub fn cache_counts(&self) -> CacheCounts {
        self.cache.counts()
    }

    fn judge_fully(&self, text: &str, now: UnixTime) -> Result<Accepted, Error> {
        // Before the cache: finding a token reads all of it.
        if text.len() > TOKEN_LIMIT_BYTES {
            return Err(Error::TooLong);
        }
        if let Some(known) = self.cache.find(text) {
            let credential = self.enrolled(&known.claims.subject)?;
            // The thumbprint too: a registry that was rebuilt may have given the same revision to another certificate.
            if known.revision == credential.revision && known.thumbprint == credential.cert.thumbprint() {
                check_remembered(&known.claims, &credential, now, self.options.skew)?;
                return Ok(Accepted { proof: owner(&credential, &known.claims), claims: known.claims });
            }
        }
        let token = Token::parse(text)?;
        let credential = self.enrolled(&token.claims.subject)?;
        check_signed(&token, &credential, now, self.options.skew)?;
        let claims = Arc::new(token.claims);
        let known = Remembered {
            claims: claims.clone(),
            thumbprint: credential.cert.thumbprint(),
            revision: credential.revision,
        };
        let is_over = |known: &Remembered| has_expired(known.claims.expires_at, now, self.options.skew);
        self.cache.remember(text, known, is_over);
        Ok(Accepted { proof: owner(&credential, &claims), claims })
    }

    fn judge_structure_and_times(&self, text: &str, now: UnixTime) -> Result<Accepted, Error> {
        let claims = Arc::new(Token::parse(text)?.claims);
        check_own_times(claims.times(), now, self.options.skew)?;
        let proof = match self.enrolled(&claims.subject) {
            Ok(credential) => owner(&credential, &claims),
            Err(_) => {
                Proof::Claim { subject: claims.subject.to_string().into(), logon: claims.start_logon.clone() }
            }
        };
        Ok(Accepted { proof, claims })
    }

    /// M2M-3: the credential that `sub` names, found by nothing else.
    fn enrolled(&self, subject: &Subject) -> Result<Arc<Credential>, Error> {
        match subject {
            Subject::Sha256(thumbprint) => self.certs.by_sha256(thumbprint).map_err(Error::Credential),
            Subject::Sha1(thumbprint) => self.enrolled_by_sha1(thumbprint),
            Subject::Other(_) => Err(Error::Subject(SubjectFault::Form)),
        }
    }

    fn enrolled_by_sha1(&self, thumbprint: &[u8; 20]) -> Result<Arc<Credential>, Error> {
        let found = self.certs.by_sha1(thumbprint);
        match (self.options.legacy_sha1_thumbprint, found) {
            (LegacySha1::Accepted, found) => found.map_err(Error::Credential),
            (LegacySha1::Refused, Ok(credential)) if credential.legacy_sha1 == LegacySha1::Accepted => {
                Ok(credential)
            }
            (LegacySha1::Refused, Err(Missing::OtherEnvironment)) => {
                Err(Error::Credential(Missing::OtherEnvironment))
            }
            (LegacySha1::Refused, _) => Err(Error::Subject(SubjectFault::Sha1)),
        }
    }
}

impl Authenticator for M2m {
    fn scheme(&self) -> Scheme {
        Scheme::M2m
    }

    /// Absent without an Authorization field. A Bearer word before the token, another scheme and a second field are
    /// rejected (M2M-1, B18, B25): whoever asks this authenticator expects a bare JWT.
    fn authenticate(&self, presented: &Presented<'_>) -> Verdict {
        self.authenticate_with_claims(presented).0
    }
}

fn owner(credential: &Credential, claims: &Claims) -> Proof {
    Proof::Owner {
        credential: credential.cert.thumbprint(),
        owner: credential.owner.clone(),
        logon: claims.start_logon.clone(),
    }
}
