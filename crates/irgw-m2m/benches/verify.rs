//! What verifying costs beside the bare signature check of the crypto library, and what a look-up costs.
//!
//! ```text
//! cargo bench -p irgw-m2m
//! ```
//!
//! For each algorithm: `bare` is the signature check alone, on the decoded bytes; `cold` is [`irgw_m2m::verify`];
//! `first_use` is the authenticator with a token that it has not seen; `warm` is the authenticator with one of 1,000
//! that it has. `look_up` finds one of so many enrolled certificates by `sub` and judges a remembered token.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use divan::Bencher;
use irgw_core::{Missing, Thumbprint, UnixTime};
use irgw_m2m::{
    Algorithm, Credential, KeyKind, LegacySha1, M2m, NewToken, Options, SigningCert, SigningCertRow,
    SigningCerts, SigningKey, sign, verify,
};
use p521::ecdsa::signature::Verifier as _;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{self, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey, VerificationAlgorithm};
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs8::EncodePrivateKey as _;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

fn main() {
    divan::main();
}

const ALGORITHMS: &[Algorithm] = Algorithm::ALL;

#[divan::bench(args = ALGORITHMS, min_time = 0.5)]
fn bare(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let signer = Signer::new(algorithm);
    let token = signer.token(0);
    let (input, text) = token.rsplit_once('.').expect("a token has dots");
    let signature = URL_SAFE_NO_PAD.decode(text).expect("just encoded");
    let scheme: &dyn VerificationAlgorithm = match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::Es512 => {
            let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(&signer.public).expect("a point");
            let signature = p521::ecdsa::Signature::from_slice(&signature).expect("132 bytes");
            bencher.bench_local(|| key.verify(black_box(input.as_bytes()), &signature).expect("good"));
            return;
        }
    };
    let key = UnparsedPublicKey::new(scheme, &signer.public);
    bencher.bench_local(|| key.verify(black_box(input.as_bytes()), &signature).expect("good"));
}

#[divan::bench(args = ALGORITHMS, min_time = 0.5)]
fn cold(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let signer = Signer::new(algorithm);
    let (token, credential) = (signer.token(0), signer.credential());
    bencher.bench_local(|| verify(black_box(&token), &credential, now()).expect("good"));
}

#[divan::bench(args = ALGORITHMS, min_time = 0.5)]
fn first_use(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let signer = Signer::new(algorithm);
    let token = signer.token(0);
    let options = Options { cache_limit_bytes: 0, ..Options::default() };
    let m2m = M2m::new(Arc::new(Enrolled::of([signer.credential()])), options);
    bencher.bench_local(|| m2m.judge(black_box(&token), now()).expect("good"));
}

#[divan::bench(args = ALGORITHMS, min_time = 0.5)]
fn warm(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let signer = Signer::new(algorithm);
    let tokens: Vec<String> = (0..1_000).map(|n| signer.token(n)).collect();
    let m2m = M2m::new(Arc::new(Enrolled::of([signer.credential()])), Options::default());
    tokens.iter().for_each(|token| drop(m2m.judge(token, now()).expect("good")));
    let mut next = tokens.iter().cycle();
    bencher.bench_local(|| {
        let token = next.next().expect("a cycle has no end");
        m2m.judge(black_box(token), now()).expect("good")
    });
}

#[divan::bench(args = [1_000, 100_000, 1_000_000], min_time = 0.5)]
fn look_up(bencher: Bencher<'_, '_>, enrolled: usize) {
    let signer = Signer::new(Algorithm::Es256);
    let row = signer.credential().cert.row();
    let others = (0..enrolled as u64).map(|n| {
        let mut thumbprint = [0; 32];
        thumbprint[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        let row = SigningCertRow { thumbprint: Thumbprint(thumbprint), ..row.clone() };
        signer.credential_of(SigningCert::restore(row).expect("a row"))
    });
    let m2m = M2m::new(Arc::new(Enrolled::of(others.chain([signer.credential()]))), Options::default());
    let token = signer.token(0);
    bencher.bench_local(|| m2m.judge(black_box(&token), now()).expect("good"));
}

/// 100,000 rows, as at a server's start.
#[divan::bench(sample_count = 10)]
fn restore_100_000(bencher: Bencher<'_, '_>) {
    let row = Signer::new(Algorithm::Es256).credential().cert.row();
    bencher.with_inputs(|| vec![row.clone(); 100_000]).bench_local_values(|rows| {
        rows.into_iter().map(|row| SigningCert::restore(row).expect("a row")).collect::<Vec<_>>()
    });
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600))
}

struct Signer {
    key: SigningKey,
    kind: KeyKind,
    public: Vec<u8>,
}

impl Signer {
    fn new(algorithm: Algorithm) -> Signer {
        let random = SystemRandom::new();
        let curve = |scheme| {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(scheme, &random).expect("randomness");
            let pair = EcdsaKeyPair::from_pkcs8(scheme, pkcs8.as_ref(), &random).expect("just made");
            (pkcs8.as_ref().to_vec(), pair.public_key().as_ref().to_vec())
        };
        let (pkcs8, public) = match algorithm.key_kind() {
            KeyKind::Rsa => {
                let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::UnwrapErr(getrandom::SysRng), 2048)
                    .expect("a key");
                let public = key.to_public_key().to_pkcs1_der().expect("a key").as_bytes().to_vec();
                (key.to_pkcs8_der().expect("a key").as_bytes().to_vec(), public)
            }
            KeyKind::P256 => curve(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            KeyKind::P384 => curve(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            KeyKind::P521 => {
                let mut secret = [0; 66];
                random.fill(&mut secret).expect("randomness");
                secret[0] = 0;
                let key = p521::SecretKey::from_slice(&secret).expect("below the order");
                let public = p521::ecdsa::SigningKey::from(&key).verifying_key().to_sec1_point(false);
                (key.to_pkcs8_der().expect("a key").as_bytes().to_vec(), public.as_bytes().to_vec())
            }
        };
        let pkcs8 = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8));
        let key =
            SigningKey::from_der(&pkcs8).and_then(|key| key.with_algorithm(algorithm)).expect("just made");
        Signer { key, kind: algorithm.key_kind(), public }
    }

    fn credential(&self) -> Credential {
        let row = SigningCertRow {
            thumbprint: Thumbprint([7; 32]),
            sha1_thumbprint: [7; 20],
            key_kind: self.kind,
            public_key: self.public.clone(),
            not_before: UnixTime::since_unix_epoch(Duration::from_secs(1_766_000_000)),
            not_after: UnixTime::since_unix_epoch(Duration::from_secs(1_796_000_000)),
            subject: "O=Digital Service Provider".to_owned(),
            serial: "01".to_owned(),
        };
        self.credential_of(SigningCert::restore(row).expect("a row"))
    }

    fn credential_of(&self, cert: SigningCert) -> Credential {
        Credential {
            cert,
            issuer: "Digital Service Provider".into(),
            owner: "dsp".parse().expect("an id"),
            revision: 1,
            legacy_sha1: LegacySha1::Refused,
        }
    }

    fn token(&self, number: u64) -> String {
        let token = NewToken {
            thumbprint: Thumbprint([7; 32]),
            issuer: "Digital Service Provider",
            start_logon: None,
            issued_at: now(),
            lifetime: Duration::from_secs(900),
            jti: Some(&format!("0f8fad5b-d9cb-469f-a165-{number:012}")),
        };
        sign(&token, &self.key).expect("a good key")
    }
}

#[derive(Debug)]
struct Enrolled(HashMap<Thumbprint, Arc<Credential>>);

impl Enrolled {
    fn of(credentials: impl IntoIterator<Item = Credential>) -> Enrolled {
        Enrolled(credentials.into_iter().map(|one| (one.cert.thumbprint(), Arc::new(one))).collect())
    }
}

impl SigningCerts for Enrolled {
    fn by_sha256(&self, thumbprint: &Thumbprint) -> Result<Arc<Credential>, Missing> {
        self.0.get(thumbprint).cloned().ok_or(Missing::Unknown)
    }

    fn by_sha1(&self, _: &[u8; 20]) -> Result<Arc<Credential>, Missing> {
        Err(Missing::Unknown)
    }
}
