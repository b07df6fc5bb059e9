//! Secrets that two members agree on by their public keys, and what is sealed with them.
//!
//! X25519 (RFC 7748); from what it gives, BLAKE3 in its mode for deriving keys makes a key for one
//! use, with everything that use is bound to. `ChaCha20-Poly1305` (RFC 8439) seals shares: one
//! message for each key, so the nonce is zero.

use chacha20poly1305::aead::generic_array::GenericArray;
use chacha20poly1305::{AeadInPlace as _, ChaCha20Poly1305, KeyInit as _, Nonce};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::Error;
use crate::crypto::hash::Digest;

/// Bytes of a secret key, a public key and a key that was agreed on.
pub const KEY_BYTES: usize = 32;
/// A public key, which everybody may know.
pub type Public = [u8; KEY_BYTES];
/// A secret key, or what was agreed on; erased when dropped.
pub type Secret = Zeroizing<[u8; KEY_BYTES]>;
/// Bytes by which a sealed message is longer.
pub const TAG_BYTES: usize = 16;

/// The public key of a secret one.
pub fn public_of(secret: &[u8; KEY_BYTES]) -> Public {
    PublicKey::from(&StaticSecret::from(*secret)).to_bytes()
}

/// Whether secrets can be agreed on with a public key: those of low order leave no choice.
pub fn is_usable(public: &Public) -> bool {
    let any = StaticSecret::from([1; KEY_BYTES]);
    any.diffie_hellman(&PublicKey::from(*public)).was_contributory()
}

/// What the holders of two keys agree on, for one use: `context` separates uses, `parts` are what
/// this one is bound to, the same for both.
///
/// # Errors
/// [`Error::Key`] for a public key that leaves no choice to the secret one (RFC 7748, section 6.1).
pub fn agree(
    secret: &[u8; KEY_BYTES],
    public: &Public,
    context: &'static str,
    parts: &[&[u8]],
) -> Result<Secret, Error> {
    let shared = StaticSecret::from(*secret).diffie_hellman(&PublicKey::from(*public));
    if !shared.was_contributory() {
        return Err(Error::Key);
    }
    let all: Vec<&[u8]> =
        std::iter::once(shared.as_bytes().as_slice()).chain(parts.iter().copied()).collect();
    Ok(Zeroizing::new(Digest::derive(context, &all).0))
}

/// Seals a message with a key of one use.
///
/// # Panics
/// For a message of more than 256 GiB.
pub fn seal(key: &Secret, message: &[u8]) -> Vec<u8> {
    let mut sealed = message.to_vec();
    let tag = ChaCha20Poly1305::new(GenericArray::from_slice(key.as_slice()))
        .encrypt_in_place_detached(&Nonce::default(), &[], &mut sealed)
        .expect("a few bytes are within what ChaCha20 can encrypt");
    sealed.extend_from_slice(&tag);
    sealed
}

/// Opens what was sealed.
///
/// # Errors
/// [`Error::Sealed`] for another key, or other bytes.
pub fn open(key: &Secret, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let length = sealed.len().checked_sub(TAG_BYTES).ok_or(Error::Sealed)?;
    let (message, tag) = sealed.split_at(length);
    let mut message = Zeroizing::new(message.to_vec());
    ChaCha20Poly1305::new(GenericArray::from_slice(key.as_slice()))
        .decrypt_in_place_detached(
            &Nonce::default(),
            &[],
            &mut message,
            GenericArray::from_slice(tag),
        )
        .map_err(|_| Error::Sealed)?;
    Ok(message)
}
