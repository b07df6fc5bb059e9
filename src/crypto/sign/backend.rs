//! The one place that knows which crate computes ML-DSA-65.
//!
//! FIPS 204, "pure" variant with a context string. The trait is as small as the composite needs,
//! so that a replacement (an advisory, a faster verified crate) is one more `impl` and one changed
//! line in `sign.rs`. The tests run a second implementation through the same trait.

use fips204::ml_dsa_65;
use fips204::traits::{KeyGen, SerDes, Signer, Verifier};

/// Bytes of an ML-DSA-65 public key (FIPS 204 table 2).
pub(super) const PUBLIC_KEY_BYTES: usize = 1952;
/// Bytes of an ML-DSA-65 signature (FIPS 204 table 2).
pub(super) const SIGNATURE_BYTES: usize = 3309;

/// One implementation of ML-DSA-65.
pub(super) trait MlDsa65 {
    /// An expanded private key, zeroed when dropped.
    type Signer;
    /// An expanded public key.
    type Verifier: Clone;

    /// Expands the 32-byte seed (`xi` of FIPS 204 algorithm 1) into a key pair.
    fn generate(seed: &[u8; 32]) -> (Self::Signer, [u8; PUBLIC_KEY_BYTES]);

    /// Expands an encoded public key; `None` when it is not one.
    fn verifier(public_key: &[u8; PUBLIC_KEY_BYTES]) -> Option<Self::Verifier>;

    /// Signs `message` (FIPS 204 algorithm 2); `hedge` is the `rnd` of its line 5.
    fn sign(
        signer: &Self::Signer,
        message: &[u8],
        context: &[u8],
        hedge: &[u8; 32],
    ) -> [u8; SIGNATURE_BYTES];

    /// Verifies (FIPS 204 algorithm 3).
    fn verify(
        verifier: &Self::Verifier,
        message: &[u8],
        context: &[u8],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> bool;
}

/// ML-DSA-65 by the `fips204` crate.
#[derive(Debug)]
pub(super) enum Fips204 {}

impl MlDsa65 for Fips204 {
    type Signer = Box<ml_dsa_65::PrivateKey>;
    type Verifier = Box<ml_dsa_65::PublicKey>;

    fn generate(seed: &[u8; 32]) -> (Self::Signer, [u8; PUBLIC_KEY_BYTES]) {
        let (public, private) = ml_dsa_65::KG::keygen_from_seed(seed);
        (Box::new(private), public.into_bytes())
    }

    fn verifier(public_key: &[u8; PUBLIC_KEY_BYTES]) -> Option<Self::Verifier> {
        ml_dsa_65::PublicKey::try_from_bytes(*public_key).ok().map(Box::new)
    }

    fn sign(
        signer: &Self::Signer,
        message: &[u8],
        context: &[u8],
        hedge: &[u8; 32],
    ) -> [u8; SIGNATURE_BYTES] {
        assert!(context.len() <= 255, "an ML-DSA context has at most 255 bytes");
        signer
            .try_sign_with_seed(hedge, message, context)
            .expect("the context is short enough and 814 rejections in a row have odds of 2^-256")
    }

    fn verify(
        verifier: &Self::Verifier,
        message: &[u8],
        context: &[u8],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> bool {
        verifier.verify(message, signature, context)
    }
}
