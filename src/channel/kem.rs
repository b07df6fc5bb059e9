//! ML-KEM-768 (FIPS 203), the post-quantum half of the key agreement.
//!
//! By `ml-kem`, which is held to the published Wycheproof vectors in `tests/vectors`. An
//! encapsulation key is checked as FIPS 203, section 7.2 asks before anything is computed with it;
//! a wrong ciphertext of the right length is not an error but another secret (implicit rejection),
//! and the handshake's next tag finds it.

use ml_kem::kem::{Decapsulate as _, KeyExport as _};
use ml_kem::ml_kem_768::{self, DecapsulationKey, EncapsulationKey};
use zeroize::{Zeroize as _, Zeroizing};

use super::Error;

/// Bytes of an encapsulation key.
pub(super) const KEY_BYTES: usize = 1_184;
/// Bytes of a ciphertext.
pub(super) const CIPHERTEXT_BYTES: usize = 1_088;
/// Bytes of the randomness a key pair grows from: `d`, then `z`.
pub(super) const SEED_BYTES: usize = 64;
/// Bytes of the randomness of an encapsulation, `m`.
pub(super) const COINS_BYTES: usize = 32;

/// A key pair for one handshake; erased when dropped.
pub(super) struct Pair(Box<DecapsulationKey>);

impl Pair {
    pub(super) fn from_seed(seed: &[u8; SEED_BYTES]) -> Self {
        let mut seed = ml_kem::Seed::from(*seed);
        let pair = Self(Box::new(DecapsulationKey::from_seed(seed)));
        seed.as_mut_slice().zeroize();
        pair
    }

    /// The encapsulation key.
    pub(super) fn public(&self) -> [u8; KEY_BYTES] {
        self.0.encapsulation_key().to_bytes().into()
    }

    /// The secret behind a ciphertext.
    ///
    /// # Errors
    /// [`Error::Key`] when the ciphertext has another length.
    pub(super) fn decapsulate(&self, ciphertext: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
        let ciphertext = ml_kem_768::Ciphertext::try_from(ciphertext)
            .map_err(|_| Error::Key("an ML-KEM-768 ciphertext of the wrong length"))?;
        Ok(secret(self.0.decapsulate(&ciphertext)))
    }
}

/// Makes a secret and the ciphertext that carries it to the holder of `key`.
///
/// # Errors
/// [`Error::Key`] when the bytes are no encapsulation key.
pub(super) fn encapsulate(
    key: &[u8],
    coins: &[u8; COINS_BYTES],
) -> Result<([u8; CIPHERTEXT_BYTES], Zeroizing<[u8; 32]>), Error> {
    let wrong = Error::Key("no ML-KEM-768 encapsulation key");
    let key = ml_kem::array::Array::try_from(key).map_err(|_| wrong.clone())?;
    let key = EncapsulationKey::new(&key).map_err(|_| wrong)?;
    let mut coins = ml_kem::B32::from(*coins);
    let (ciphertext, shared) = key.encapsulate_deterministic(&coins);
    coins.as_mut_slice().zeroize();
    Ok((ciphertext.into(), secret(shared)))
}

/// Copies a secret to where it is erased.
fn secret(mut shared: ml_kem::SharedKey) -> Zeroizing<[u8; 32]> {
    let secret = Zeroizing::new(shared.into());
    shared.as_mut_slice().zeroize();
    secret
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    #[expect(deprecated, reason = "the vectors have this form, the product has seeds")]
    use ml_kem::ExpandedKeyEncoding as _;
    use serde_json::Value;

    use super::*;

    const KEYGEN: &str =
        include_str!("../../tests/vectors/wycheproof_mlkem_768_keygen_seed_test.trim.json");
    const ENCAPS: &str =
        include_str!("../../tests/vectors/wycheproof_mlkem_768_encaps_test.trim.json");
    const DECAPS: &str = include_str!(
        "../../tests/vectors/wycheproof_mlkem_768_semi_expanded_decaps_test.trim.json"
    );

    fn cases(file: &str) -> Vec<Value> {
        let file: Value = serde_json::from_str(file).unwrap();
        let groups = file["testGroups"].as_array().unwrap().clone();
        groups.iter().flat_map(|group| group["tests"].as_array().unwrap().clone()).collect()
    }

    fn bytes(case: &Value, name: &str) -> Vec<u8> {
        HEXLOWER.decode(case[name].as_str().unwrap().as_bytes()).unwrap()
    }

    #[test]
    fn wycheproof_keys_grow_from_their_seeds() {
        let cases = cases(KEYGEN);
        for case in &cases {
            let pair = Pair::from_seed(bytes(case, "seed").as_slice().try_into().unwrap());
            assert_eq!(pair.public().as_slice(), bytes(case, "ek"));
            #[expect(deprecated, reason = "the vectors have this form, the product has seeds")]
            let expanded = pair.0.to_expanded_bytes();
            assert_eq!(expanded.as_slice(), bytes(case, "dk"));
        }
        assert_eq!(cases.len(), 10);
    }

    #[test]
    fn wycheproof_encapsulations_are_made_and_unreduced_keys_refused() {
        let mut accepted = 0;
        for case in cases(ENCAPS) {
            let coins: [u8; COINS_BYTES] = bytes(&case, "m").try_into().unwrap();
            let made = encapsulate(&bytes(&case, "ek"), &coins);
            assert_eq!(made.is_ok(), case["result"] == "valid", "{}", case["tcId"]);
            if let Ok((ciphertext, secret)) = made {
                assert_eq!(ciphertext.as_slice(), bytes(&case, "c"));
                assert_eq!(secret.as_slice(), bytes(&case, "K"));
                accepted += 1;
            }
        }
        assert_eq!(accepted, 12, "the others are the controls");
    }

    #[test]
    fn wycheproof_ciphertexts_are_opened_and_wrong_lengths_refused() {
        let (mut opened, mut refused) = (0, 0);
        for case in cases(DECAPS) {
            let Ok(expanded) = bytes(&case, "dk").as_slice().try_into() else {
                refused += 1;
                continue;
            };
            #[expect(deprecated, reason = "the vectors have this form, the product has seeds")]
            let key = DecapsulationKey::from_expanded_bytes(&expanded);
            let Ok(key) = key else {
                assert_eq!(case["result"], "invalid", "{}", case["tcId"]);
                refused += 1;
                continue;
            };
            let secret = Pair(Box::new(key)).decapsulate(&bytes(&case, "c"));
            assert_eq!(secret.is_ok(), case["result"] == "valid", "{}", case["tcId"]);
            match secret {
                Ok(secret) => {
                    opened += 1;
                    if let Some(expected) = case["K"].as_str() {
                        assert_eq!(HEXLOWER.encode(secret.as_slice()), expected);
                    }
                }
                Err(_) => refused += 1,
            }
        }
        assert!(opened > 0 && refused > 0, "{opened} opened, {refused} refused");
    }
}
