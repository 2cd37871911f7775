//! The succession of the keys that sign access tokens: by command, and by age (OA-10, G06).

use std::time::Duration;

use irgw_core::{Environment, Secret, UnixTime};
use irgw_oauth::grants::ACCESS_LIFETIME;
use irgw_oauth::signing::{Algorithm, SigningKey};
use irgw_oauth::vault::Vault;
use irgw_store::{NewTokenKey, Store, TokenKey};

use crate::rsa_key::{self, NoRsaKey};

/// How soon a new key signs, and what becomes of the tokens of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    /// It is announced for an hour, and theirs are good until they expire.
    Announced,
    /// It signs now: who verifies tokens must ask for unknown keys. Theirs are good until they expire.
    AtOnce,
    /// It signs now, and theirs are refused from now on.
    EndOld,
}

/// What a rotation did.
#[derive(Debug)]
pub(crate) struct Rotated {
    /// The new key's `kid`.
    pub(crate) id: String,
    /// Since when it signs.
    pub(crate) signs_from: UnixTime,
    /// The keys before it, and until when their tokens are good.
    pub(crate) retired: Vec<(String, UnixTime)>,
}

/// Makes the next key of an algorithm. The first one signs at once: nobody can have learned of it before.
///
/// # Errors
/// [`RotationError`]; nothing was changed.
pub(crate) fn rotate(
    store: &Store,
    vault: &Vault,
    environment: Environment,
    algorithm: Algorithm,
    haste: Haste,
    now: UnixTime,
) -> Result<Rotated, RotationError> {
    let listed = store.list_token_keys(environment)?;
    let is_old = |key: &&TokenKey| key.algorithm == algorithm && !is_over(key, now);
    let old: Vec<_> = listed.iter().filter(is_old).collect();
    let is_first = !old.iter().any(|key| key.signs_from <= now);
    let signs_from = if haste == Haste::Announced && !is_first { after(now, ANNOUNCED) } else { now };
    let until = if haste == Haste::EndOld { now } else { after(signs_from, ACCESS_LIFETIME + SKEW) };
    let (key, pkcs8) = make(algorithm)?;
    let new = NewTokenKey::seal(vault, environment, &key, &pkcs8, signs_from)?;
    let mut retired = Vec::new();
    store.batch(|batch| {
        batch.add_token_key(&new, now)?;
        // Where none signs yet because the clock was set back, those that did sign again when it has caught up.
        let succeeded = old.iter().filter(|key| !is_first || key.signs_from <= now || haste == Haste::EndOld);
        for key in succeeded {
            retired.push((key.id.clone(), batch.retire_token_key(&key.id, until)?));
        }
        Ok(())
    })?;
    Ok(Rotated { id: new.id, signs_from, retired })
}

/// The algorithms whose newest key has been signing for `age` or longer, and the default one while no key of it signs.
pub(crate) fn due(keys: &[TokenKey], age: Duration, now: UnixTime) -> Vec<Algorithm> {
    let of = |algorithm| keys.iter().filter(move |key| key.algorithm == algorithm && !is_over(key, now));
    let is_due = |algorithm: &Algorithm| {
        let newest = of(*algorithm).map(|key| key.signs_from).max();
        let is_old = newest.is_some_and(|signs_from| after(signs_from, age) <= now);
        let none_signs = !of(*algorithm).any(|key| key.signs_from <= now);
        is_old || (none_signs && *algorithm == Algorithm::default())
    };
    Algorithm::ALL.into_iter().filter(is_due).collect()
}

/// Whether a key's last token has expired.
pub(crate) fn is_over(key: &TokenKey, now: UnixTime) -> bool {
    key.verifies_until.is_some_and(|until| until <= now)
}

/// A key and its PKCS#8 form.
fn make(algorithm: Algorithm) -> Result<(SigningKey, Secret<Vec<u8>>), RotationError> {
    if algorithm == Algorithm::Es256 {
        return Ok(SigningKey::generate()?);
    }
    let pkcs8 = rsa_key::generate(RSA_BITS)?;
    Ok((SigningKey::from_pkcs8(algorithm, pkcs8.expose())?, pkcs8))
}

fn after(time: UnixTime, later: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(time.as_secs()).saturating_add(later))
}

/// Why there is no next key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RotationError {
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] irgw_store::Error),
    /// It cannot be made.
    #[error(transparent)]
    Key(#[from] irgw_oauth::Unavailable),
    /// An RSA key cannot be made.
    #[error(transparent)]
    Rsa(#[from] NoRsaKey),
}

/// How long a key is announced before it signs: who keeps a JWK set asks again within an hour.
const ANNOUNCED: Duration = Duration::from_secs(3_600);

/// How far the clocks of who signs and who verifies may be apart.
const SKEW: Duration = Duration::from_secs(120);

/// The size of an RSA key (NIST SP 800-57: beyond 2030).
const RSA_BITS: usize = 3_072;

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn at(days: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000 + days * DAY))
    }

    /// OA-10: by age, each algorithm by itself; what is announced already is not due again.
    #[test]
    fn keys_are_due_by_their_age() {
        let (store, vault, age) =
            (Store::in_memory().unwrap(), Vault::new(&[7; 32]), Duration::from_secs(90 * DAY));
        let due_at = |now| due(&store.list_token_keys(Environment::Test).unwrap(), age, now);
        let due = |days| due_at(at(days));
        let rotate = |algorithm, days| {
            rotate(&store, &vault, Environment::Test, algorithm, Haste::Announced, at(days)).unwrap()
        };
        assert_eq!(due(0), [Algorithm::Es256], "one of the default always signs");
        rotate(Algorithm::Es256, 0);
        rotate(Algorithm::Rs256, 10);
        assert_eq!(due(89), []);
        assert_eq!(due(90), [Algorithm::Es256]);
        let next = rotate(Algorithm::Es256, 90);
        assert_eq!(next.signs_from.as_secs(), at(90).as_secs() + ANNOUNCED.as_secs());
        assert_eq!(due(90), []);
        assert_eq!(due(100), [Algorithm::Rs256]);
        // A clock that was set back finds none that signs yet; what signed before signs again when it is set right.
        let past = UnixTime::since_unix_epoch(Duration::from_secs(1_700_000_000));
        assert_eq!(due_at(past), [Algorithm::Es256]);
        let signing = |now| {
            let keyring = store.keyring(Environment::Test, &vault, now).unwrap();
            keyring.signing(Algorithm::Es256, now).unwrap().id().to_owned()
        };
        let before = signing(at(100));
        super::rotate(&store, &vault, Environment::Test, Algorithm::Es256, Haste::Announced, past).unwrap();
        assert_ne!(signing(past), before);
        assert_eq!(signing(at(100)), before);
    }

    /// G06: the next key of the same second signs, whichever kid is the greater.
    #[test]
    fn key_made_at_once_signs_at_once() {
        for _ in 0..8 {
            let (store, vault) = (Store::in_memory().unwrap(), Vault::new(&[7; 32]));
            let rotate =
                |haste| rotate(&store, &vault, Environment::Test, Algorithm::Es256, haste, at(0)).unwrap().id;
            rotate(Haste::Announced);
            let next = rotate(Haste::AtOnce);
            let keyring = store.keyring(Environment::Test, &vault, at(0)).unwrap();
            assert_eq!(keyring.signing(Algorithm::Es256, at(0)).unwrap().id(), next);
        }
    }
}
