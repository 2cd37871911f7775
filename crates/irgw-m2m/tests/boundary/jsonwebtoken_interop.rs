//! The crate `jsonwebtoken` as a signer and a verifier that knows nothing of ours.

use std::sync::Once;

use irgw_m2m::{Algorithm, NewToken, sign, verify};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use ring::rand::SystemRandom;
use ring::signature as r;

use crate::parties::{ES256, ES384, NOW, Party, RS256, RS384, RS512, at};

/// The five that it knows; ES512 it does not.
fn five() -> [&'static Party; 5] {
    [&RS256, &RS384, &RS512, &ES256, &ES384]
}

#[test]
fn what_jsonwebtoken_signs_verifies_here() {
    install();
    for party in five() {
        let mut header = Header::new(theirs(party.algorithm));
        header.kid = Some("M2M".to_owned());
        let payload: serde_json::Value = serde_json::from_str(&party.payload()).unwrap();
        let token = jsonwebtoken::encode(&header, &payload, &encoding_key(party)).unwrap();
        let claims = verify(&token, &party.credential, at(NOW)).unwrap();
        assert_eq!(claims.expires_at, at(NOW + 540), "{}", party.algorithm);
    }
}

#[test]
fn what_is_signed_here_jsonwebtoken_verifies() {
    install();
    for party in five() {
        let token = NewToken {
            thumbprint: party.thumbprint(),
            issuer: "Kōwhai Payroll",
            start_logon: None,
            issued_at: at(NOW),
            lifetime: std::time::Duration::from_secs(600),
            jti: None,
        };
        let token = sign(&token, &party.key()).unwrap();
        let mut validation = Validation::new(theirs(party.algorithm));
        // Its clock is the machine's, the token's is the test's.
        validation.validate_exp = false;
        validation.set_issuer(&["Kōwhai Payroll"]);
        let public = party.credential.cert.row().public_key;
        let key = match party.algorithm.key_kind() {
            irgw_m2m::KeyKind::Rsa => DecodingKey::from_rsa_der(&public),
            _ => DecodingKey::from_ec_der(&public),
        };
        let decoded = jsonwebtoken::decode::<serde_json::Value>(&token, &key, &validation).unwrap();
        assert_eq!(decoded.claims["sub"], party.thumbprint().to_string());
        assert_eq!(decoded.header.kid.as_deref(), Some("M2M"));
        let tampered = token.replacen('.', ".A", 1);
        assert!(jsonwebtoken::decode::<serde_json::Value>(&tampered, &key, &validation).is_err());
    }
}

/// Either constructor keeps the bytes that it is given, and the kind of key that it was told.
fn encoding_key(party: &Party) -> EncodingKey {
    match party.algorithm.key_kind() {
        irgw_m2m::KeyKind::Rsa => EncodingKey::from_rsa_der(&party.pkcs8),
        _ => EncodingKey::from_ec_der(&party.pkcs8),
    }
}

fn theirs(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    algorithm.name().parse().unwrap()
}

/// The crate asks for a provider of signatures; this one is ring, called straight.
fn install() {
    static ONCE: Once = Once::new();
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| {
            Ok(Box::new(RingSigner { algorithm: *algorithm, pkcs8: key.as_bytes().to_vec() }))
        },
        verifier_factory: |algorithm, key| {
            let key = key.try_get_as_bytes().map_err(|_| ErrorKind::InvalidKeyFormat)?;
            Ok(Box::new(RingVerifier { algorithm: *algorithm, key: key.to_vec() }))
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    ONCE.call_once(|| PROVIDER.install_default().unwrap());
}

struct RingSigner {
    algorithm: jsonwebtoken::Algorithm,
    pkcs8: Vec<u8>,
}

impl Signer<Vec<u8>> for RingSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        use jsonwebtoken::Algorithm as A;
        let random = SystemRandom::new();
        let rsa = |padding: &'static dyn r::RsaEncoding| {
            let pair = r::RsaKeyPair::from_pkcs8(&self.pkcs8).map_err(|_| signature::Error::new())?;
            let mut signature = vec![0; pair.public().modulus_len()];
            pair.sign(padding, &random, message, &mut signature).map_err(|_| signature::Error::new())?;
            Ok(signature)
        };
        let curve = |scheme| {
            let pair = r::EcdsaKeyPair::from_pkcs8(scheme, &self.pkcs8, &random)
                .map_err(|_| signature::Error::new())?;
            Ok(pair.sign(&random, message).map_err(|_| signature::Error::new())?.as_ref().to_vec())
        };
        match self.algorithm {
            A::RS256 => rsa(&r::RSA_PKCS1_SHA256),
            A::RS384 => rsa(&r::RSA_PKCS1_SHA384),
            A::RS512 => rsa(&r::RSA_PKCS1_SHA512),
            A::ES256 => curve(&r::ECDSA_P256_SHA256_FIXED_SIGNING),
            A::ES384 => curve(&r::ECDSA_P384_SHA384_FIXED_SIGNING),
            _ => Err(signature::Error::new()),
        }
    }
}

impl JwtSigner for RingSigner {
    fn algorithm(&self) -> jsonwebtoken::Algorithm {
        self.algorithm
    }
}

struct RingVerifier {
    algorithm: jsonwebtoken::Algorithm,
    key: Vec<u8>,
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        use jsonwebtoken::Algorithm as A;
        let scheme: &'static dyn r::VerificationAlgorithm = match self.algorithm {
            A::RS256 => &r::RSA_PKCS1_2048_8192_SHA256,
            A::RS384 => &r::RSA_PKCS1_2048_8192_SHA384,
            A::RS512 => &r::RSA_PKCS1_2048_8192_SHA512,
            A::ES256 => &r::ECDSA_P256_SHA256_FIXED,
            A::ES384 => &r::ECDSA_P384_SHA384_FIXED,
            _ => return Err(signature::Error::new()),
        };
        r::UnparsedPublicKey::new(scheme, &self.key)
            .verify(message, signature)
            .map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> jsonwebtoken::Algorithm {
        self.algorithm
    }
}
