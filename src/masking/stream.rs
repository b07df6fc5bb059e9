//! What a mask is made of: the key stream of `ChaCha20` (RFC 8439), as little-endian words.
//!
//! The key belongs to one cohort and one pair (or one member) of it. The nonce is the round, the
//! number of the tensor and four zero bytes, so the words of no two tensors are the same: a mask
//! that repeats is no mask, because the difference of two masked tensors then is that of the
//! tensors. A [`Pad`] is used up when it is applied.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes made at once.
const BATCH_BYTES: usize = 4_096;

/// A mask that was not applied yet.
#[derive(Debug)]
pub struct Pad {
    key: Key,
    round: u32,
}

/// A key that is never printed.
struct Key(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(redacted)")
    }
}

/// Whether a mask is added or taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Added.
    Plus,
    /// Taken away.
    Minus,
}

impl Pad {
    /// The mask of a key in a round.
    pub fn new(key: Zeroizing<[u8; 32]>, round: u32) -> Self {
        Self { key: Key(key), round }
    }

    /// Applies the mask to the words of a model, whose tensors have so many values each.
    ///
    /// # Panics
    /// When there are more words than values of tensors: the rest would not be masked.
    pub fn apply(self, words: &mut [u64], tensors: &[usize], sign: Sign) {
        let mut rest = words;
        for (tensor, size) in (0_u32..).zip(tensors) {
            let (now, later) = rest.split_at_mut((*size).min(rest.len()));
            self.apply_tensor(now, tensor, sign);
            rest = later;
        }
        assert!(rest.is_empty(), "every value belongs to a tensor, or it would not be masked");
    }

    fn apply_tensor(&self, words: &mut [u64], tensor: u32, sign: Sign) {
        let mut cipher = ChaCha20::new((&*self.key.0).into(), &nonce(self.round, tensor).into());
        let mut batch = [0; BATCH_BYTES];
        for words in words.chunks_mut(BATCH_BYTES / 8) {
            batch.fill(0);
            cipher.apply_keystream(&mut batch);
            let (masks, _) = batch.as_chunks::<8>();
            for (word, mask) in words.iter_mut().zip(masks) {
                let mask = u64::from_le_bytes(*mask);
                *word = match sign {
                    Sign::Plus => word.wrapping_add(mask),
                    Sign::Minus => word.wrapping_sub(mask),
                };
            }
        }
        batch.zeroize();
    }
}

fn nonce(round: u32, tensor: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    let parts = round.to_le_bytes().into_iter().chain(tensor.to_le_bytes());
    nonce.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    nonce
}
