//! Signatures of the simulator: as long as real ones, a hash to make and to check.
//!
//! A key whose seeds begin with [`MARK`] is a *stub key*: its public half begins with the same
//! mark, and its signature is a keyed hash of the message that anybody could compute. That a key is
//! a stub can be seen in its bytes, so one network can have both kinds and nothing is switched
//! globally. This module is compiled with the feature `sim` only; the package's tests look for
//! [`MARK`] in what is shipped, where such keys are malformed like any other noise.
//!
//! It also keeps expanded public keys, so that a thousand nodes of one process share one copy of
//! each: expanding is a pure function of the bytes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Error, Expanded, Key, PUBLIC_KEY_BYTES, Private, PublicKey, SEEDS_BYTES, SIGNATURE_BYTES,
    Signature, SigningKey,
};

/// How seeds and public keys of stub keys begin.
pub const MARK: [u8; 16] = *b"stub-signatures!";

/// Domain of the hash that is the signature.
const DOMAIN: &str = "synaptic-mesh 2026 simulator stub signature v1";
/// Public keys that are kept (count): every author of the largest scenarios several times over.
const KEYS_MAX: usize = 1 << 14;

thread_local! {
    static KEYS: RefCell<BTreeMap<Vec<u8>, PublicKey>> = const { RefCell::new(BTreeMap::new()) };
}

/// The stub key of these seeds, if they are marked as such.
pub(super) fn signing_key(seeds: &[u8; SEEDS_BYTES]) -> Option<SigningKey> {
    let secret = seeds.strip_prefix(&MARK)?;
    let mut bytes = [0; PUBLIC_KEY_BYTES];
    let (mark, rest) = bytes.split_at_mut(MARK.len());
    mark.copy_from_slice(&MARK);
    blake3::Hasher::new_derive_key(DOMAIN).update(secret).finalize_xof().fill(rest);
    Some(SigningKey { private: Private::Stub, public: public(&bytes) })
}

/// The tag, then zeros up to the length of a real signature.
pub(super) fn sign(key: &PublicKey, context: &[u8], message: &[u8]) -> Signature {
    let mut bytes = [0; SIGNATURE_BYTES];
    let tag = tag(key, context, message);
    bytes.iter_mut().zip(tag).for_each(|(to, from)| *to = from);
    Signature(Arc::new(bytes))
}

pub(super) fn verify(
    key: &PublicKey,
    context: &[u8],
    message: &[u8],
    signature: &Signature,
) -> Result<(), Error> {
    let found = signature.as_bytes().split_first_chunk::<32>();
    match found {
        Some((found, rest))
            if *found == tag(key, context, message) && rest.iter().all(|byte| *byte == 0) =>
        {
            Ok(())
        }
        _ => Err(Error::MlDsa),
    }
}

/// The key of these bytes, expanded once for the whole process.
pub(super) fn shared(
    bytes: &[u8],
    expand: impl FnOnce(&[u8]) -> Result<PublicKey, Error>,
) -> Result<PublicKey, Error> {
    if let Some(known) = KEYS.with_borrow(|keys| keys.get(bytes).cloned()) {
        return Ok(known);
    }
    let key = match <&[u8; PUBLIC_KEY_BYTES]>::try_from(bytes) {
        Ok(bytes) if bytes.starts_with(&MARK) => public(bytes),
        _ => expand(bytes)?,
    };
    KEYS.with_borrow_mut(|keys| {
        if keys.len() >= KEYS_MAX {
            keys.clear();
        }
        keys.insert(bytes.to_vec(), key.clone());
    });
    Ok(key)
}

fn public(bytes: &[u8; PUBLIC_KEY_BYTES]) -> PublicKey {
    PublicKey(Arc::new(Key { bytes: *bytes, expanded: Expanded::Stub }))
}

fn tag(key: &PublicKey, context: &[u8], message: &[u8]) -> [u8; 32] {
    // The start of the key identifies it; its context has a length of its own, so no two pairs of
    // context and message give the same bytes.
    let (start, _) = key.as_bytes().split_at(64);
    let length = u64::try_from(context.len()).unwrap_or(u64::MAX).to_le_bytes();
    let mut hasher = blake3::Hasher::new();
    for part in [DOMAIN.as_bytes(), start, &length, context, message] {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::Context;
    use super::*;

    fn key(secret: u8) -> SigningKey {
        let mut seeds = [secret; SEEDS_BYTES];
        seeds.iter_mut().zip(MARK).for_each(|(to, from)| *to = from);
        SigningKey::from_seeds(&seeds)
    }

    #[test]
    fn a_stub_signature_is_of_one_key_one_use_and_one_message() {
        let (one, other) = (key(1), key(2));
        let signature = one.sign(Context::Vertex, b"message", [0; 32]);
        assert!(one.public().verify(Context::Vertex, b"message", &signature).is_ok());
        assert!(one.public().verify(Context::Vertex, b"another", &signature).is_err());
        assert!(one.public().verify(Context::Binding, b"message", &signature).is_err());
        assert!(other.public().verify(Context::Vertex, b"message", &signature).is_err());
        for at in [0, 31, 32, SIGNATURE_BYTES - 1] {
            let mut bytes = *signature.as_bytes();
            bytes[at] ^= 1;
            let changed = Signature::from_bytes(&bytes).unwrap();
            assert!(one.public().verify(Context::Vertex, b"message", &changed).is_err());
        }
    }

    #[test]
    fn a_stub_key_is_read_back_from_its_bytes_and_a_real_one_stays_real() {
        let stub = key(3);
        let read = PublicKey::from_bytes(stub.public().as_bytes()).unwrap();
        assert_eq!(read, *stub.public());
        let genuine = SigningKey::from_seeds(&[3; SEEDS_BYTES]);
        let read = PublicKey::from_bytes(genuine.public().as_bytes()).unwrap();
        let signature = genuine.sign(Context::Vertex, b"message", [0; 32]);
        assert!(read.verify(Context::Vertex, b"message", &signature).is_ok());
        let forged = sign(&read, Context::Vertex.as_bytes(), b"message");
        assert!(read.verify(Context::Vertex, b"message", &forged).is_err());
    }
}
