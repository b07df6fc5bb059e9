//! X-Wing: a key encapsulation of ML-KEM-768 and X25519 that is safe while one of the two is.
//!
//! By draft-connolly-cfrg-xwing-kem, which has had the same bytes since version 06; the crate
//! `x-wing` computes it from the same `ml-kem` and `x25519-dalek` that the channel uses, and is
//! held to the draft's vectors in `tests/vectors`. A secret key is a seed of 32 bytes, expanded for
//! each use (50 us).
//!
//! A wrong ciphertext of the right length is not an error but another secret (implicit rejection):
//! who seals something with that finds it by the tag. Like the draft this does not refuse points of
//! small order: the secret then rests on ML-KEM alone.

use ml_kem::array::Array;
use x_wing::{Decapsulate as _, Decapsulator as _, KeyExport as _};
use zeroize::{Zeroize as _, Zeroizing};

use super::secret::Secret;

/// Bytes of a public key: ML-KEM-768 1,184 and X25519 32.
pub const KEY_BYTES: usize = x_wing::ENCAPSULATION_KEY_SIZE;
/// Bytes of a ciphertext: ML-KEM-768 1,088 and X25519 32.
pub const CIPHERTEXT_BYTES: usize = x_wing::CIPHERTEXT_SIZE;
/// Bytes of a secret key.
pub const SEED_BYTES: usize = x_wing::DECAPSULATION_KEY_SIZE;
/// Bytes of the randomness of one encapsulation: ML-KEM-768 32 and X25519 32.
pub const COINS_BYTES: usize = x_wing::ENCAPSULATION_RANDOMNESS_SIZE;

/// A shared secret; erased when dropped.
pub type Shared = Zeroizing<[u8; 32]>;

/// The bytes are no public key: a wrong length, or numbers that FIPS 203, section 7.2 refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no X-Wing public key: {KEY_BYTES} bytes are needed, with all numbers of ML-KEM below 3329"
)]
pub struct NoKey;

/// A secret key; erased when dropped.
pub struct DecapsulationKey(Box<x_wing::DecapsulationKey>);

impl std::fmt::Debug for DecapsulationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DecapsulationKey(redacted)")
    }
}

impl DecapsulationKey {
    /// The key that grows from a seed.
    pub fn from_seed(seed: &Secret<SEED_BYTES>) -> Self {
        Self(Box::new(x_wing::DecapsulationKey::from(*seed.expose())))
    }

    /// The public key to it.
    pub fn public(&self) -> [u8; KEY_BYTES] {
        self.0.encapsulation_key().to_bytes().into()
    }

    /// The secret in a ciphertext; another one when it was not made for this key.
    pub fn decapsulate(&self, ciphertext: &[u8; CIPHERTEXT_BYTES]) -> Shared {
        erased(self.0.decapsulate(&Array(*ciphertext)))
    }
}

/// A public key that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncapsulationKey(Box<x_wing::EncapsulationKey>);

impl EncapsulationKey {
    /// Reads a public key of [`KEY_BYTES`] bytes.
    ///
    /// # Errors
    /// [`NoKey`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NoKey> {
        x_wing::EncapsulationKey::try_from(bytes).map(|key| Self(Box::new(key))).map_err(|_| NoKey)
    }

    /// Makes a secret and the ciphertext that carries it to the holder of this key. `coins` are
    /// fresh randomness: using them twice shows both secrets to be made alike.
    pub fn encapsulate(&self, coins: &[u8; COINS_BYTES]) -> ([u8; CIPHERTEXT_BYTES], Shared) {
        let mut coins = Array(*coins);
        let (ciphertext, shared) = self.0.encapsulate_deterministic(&coins);
        coins.as_mut_slice().zeroize();
        (ciphertext.into(), erased(shared))
    }
}

/// Copies a secret to where it is erased.
fn erased(mut shared: x_wing::SharedKey) -> Shared {
    let secret = Zeroizing::new(shared.into());
    shared.as_mut_slice().zeroize();
    secret
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use serde_json::Value;

    use super::*;

    const VECTORS: &str = include_str!("../../tests/vectors/xwing.json");

    fn bytes<const N: usize>(case: &Value, name: &str) -> [u8; N] {
        let hex = case[name].as_str().unwrap();
        HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
    }

    fn cases() -> Vec<Value> {
        serde_json::from_str(VECTORS).unwrap()
    }

    fn key(case: &Value) -> DecapsulationKey {
        DecapsulationKey::from_seed(&Secret::copy_from(&bytes(case, "seed")))
    }

    #[test]
    fn keys_ciphertexts_and_secrets_are_those_of_the_draft() {
        assert_eq!(cases().len(), 3);
        for case in cases() {
            let key = key(&case);
            assert_eq!(key.public(), bytes(&case, "pk"));
            let public = EncapsulationKey::from_bytes(&key.public()).unwrap();
            let (ciphertext, shared) = public.encapsulate(&bytes(&case, "eseed"));
            assert_eq!(ciphertext, bytes(&case, "ct"));
            assert_eq!(*shared, bytes(&case, "ss"));
            assert_eq!(*key.decapsulate(&ciphertext), bytes(&case, "ss"));
        }
    }

    /// The control of the test above: each part of a ciphertext counts.
    #[test]
    fn a_changed_ciphertext_or_another_key_gives_another_secret() {
        let [first, second, _] = <[Value; 3]>::try_from(cases()).unwrap();
        for place in [0, 1_087, 1_088, CIPHERTEXT_BYTES - 1] {
            let mut ciphertext = bytes(&first, "ct");
            ciphertext[place] ^= 1;
            assert_ne!(*key(&first).decapsulate(&ciphertext), bytes(&first, "ss"), "{place}");
        }
        assert_ne!(*key(&second).decapsulate(&bytes(&first, "ct")), bytes(&first, "ss"));
    }

    #[test]
    fn bytes_that_are_no_key_are_refused() {
        let public = key(&cases()[0]).public();
        for length in [0, KEY_BYTES - 1, 1_184] {
            assert_eq!(EncapsulationKey::from_bytes(&public[..length]), Err(NoKey));
        }
        let mut unreduced = public;
        // The first number of ML-KEM's vector is 12 bits: 4,095 is above 3,328.
        unreduced[0] = 0xff;
        unreduced[1] |= 0x0f;
        assert_eq!(EncapsulationKey::from_bytes(&unreduced), Err(NoKey));
        assert!(EncapsulationKey::from_bytes(&public).is_ok());
    }

    #[test]
    fn a_secret_key_never_shows_in_debug() {
        assert_eq!(format!("{:?}", key(&cases()[0])), "DecapsulationKey(redacted)");
    }
}
