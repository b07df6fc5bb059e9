//! `ChaCha` with 12 rounds as a stream of words: RFC 8439 section 2.3 with fewer rounds, a 64-bit
//! block counter and a 64-bit stream number (Bernstein's original layout).
//!
//! Plain code in a few hundred bytes of wasm, where the vectorised crate takes six thousand. The
//! tests hold it to that crate word by word.

/// Words of a block.
const WORDS: usize = 16;

/// The generator: a key, a stream, and where it is.
#[derive(Clone)]
pub(super) struct ChaCha12 {
    key: [u32; 8],
    stream: u64,
    counter: u64,
    block: [u32; WORDS],
    used: usize,
}

impl ChaCha12 {
    /// The beginning of a stream.
    pub(super) fn new(key: [u8; 32], stream: u64) -> Self {
        let mut words = [0; 8];
        for (word, bytes) in words.iter_mut().zip(key.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Self { key: words, stream, counter: 0, block: [0; WORDS], used: WORDS }
    }

    /// The next word.
    pub(super) fn next(&mut self) -> u32 {
        if self.used >= WORDS {
            self.refill();
        }
        let word = self.block.get(self.used).copied().unwrap_or_default();
        self.used += 1;
        word
    }

    /// Computes the next block.
    fn refill(&mut self) {
        let [k0, k1, k2, k3, k4, k5, k6, k7] = self.key;
        let ([c0, c1], [s0, s1]) = (halves(self.counter), halves(self.stream));
        let start = [
            0x6170_7865,
            0x3320_646e,
            0x7962_2d32,
            0x6b20_6574, // "expand 32-byte k"
            k0,
            k1,
            k2,
            k3,
            k4,
            k5,
            k6,
            k7,
            c0,
            c1,
            s0,
            s1,
        ];
        self.block = rounds(start);
        for (word, start) in self.block.iter_mut().zip(start) {
            *word = word.wrapping_add(start);
        }
        self.counter = self.counter.wrapping_add(1);
        self.used = 0;
    }
}

/// Six times two rounds: four columns, then four diagonals.
///
/// Written out over sixteen variables: indices into an array would keep it in memory, four times
/// slower.
fn rounds(block: [u32; WORDS]) -> [u32; WORDS] {
    let [
        mut x0,
        mut x1,
        mut x2,
        mut x3,
        mut x4,
        mut x5,
        mut x6,
        mut x7,
        mut x8,
        mut x9,
        mut x10,
        mut x11,
        mut x12,
        mut x13,
        mut x14,
        mut x15,
    ] = block;
    for _ in 0..6 {
        [x0, x4, x8, x12] = quarter([x0, x4, x8, x12]);
        [x1, x5, x9, x13] = quarter([x1, x5, x9, x13]);
        [x2, x6, x10, x14] = quarter([x2, x6, x10, x14]);
        [x3, x7, x11, x15] = quarter([x3, x7, x11, x15]);
        [x0, x5, x10, x15] = quarter([x0, x5, x10, x15]);
        [x1, x6, x11, x12] = quarter([x1, x6, x11, x12]);
        [x2, x7, x8, x13] = quarter([x2, x7, x8, x13]);
        [x3, x4, x9, x14] = quarter([x3, x4, x9, x14]);
    }
    [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15]
}

/// The quarter round, RFC 8439 section 2.1.
#[inline]
fn quarter([mut a, mut b, mut c, mut d]: [u32; 4]) -> [u32; 4] {
    for (turn_d, turn_b) in [(16, 12), (8, 7)] {
        a = a.wrapping_add(b);
        d = (d ^ a).rotate_left(turn_d);
        c = c.wrapping_add(d);
        b = (b ^ c).rotate_left(turn_b);
    }
    [a, b, c, d]
}

/// Low and high half.
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "takes the halves")]
fn halves(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng as _};

    use super::*;

    proptest! {
        #[test]
        fn the_words_are_those_of_rand_chacha(key: [u8; 32], stream: u64) {
            let mut ours = ChaCha12::new(key, stream);
            let mut theirs = ChaCha12Rng::from_seed(key);
            theirs.set_stream(stream);
            for _ in 0..100 {
                prop_assert_eq!(ours.next(), theirs.next_u32());
            }
        }
    }
}
