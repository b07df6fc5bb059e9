//! An adaptive binary range coder: bits in, as few bytes as their probabilities allow out.
//!
//! After G. N. N. Martin, "Range encoding" (1979), with carries as LZMA's encoder has them. What
//! is not LZMA's: a probability is the mean of a fast and a slow one, the leading byte that is
//! always zero is left out, and so are the zeros at the end, which a decoder reads where there is
//! nothing more. Integers only, so that everybody has the same bits.
//!
//! The decoder takes any bytes, and reads no more of them than the caller asks bits for. It goes
//! through the same ranges as the encoder, so that at the end it knows which bytes the encoder
//! would have written, and whether these are those: what was coded has one encoding.

/// Bits of a probability in the coder, and of what its two halves count in.
const SCALE_BITS: u32 = 16;
const COUNT_BITS: u32 = 22;
/// How fast the halves follow: each bit moves one by a 16th of the way, the other by a 128th. The
/// first learns from the hundreds of values of a small model, the second from a large one's.
const FAST: u32 = 4;
const SLOW: u32 = 7;
/// Below it the range takes another byte.
const RANGE_MIN: u32 = 1 << 24;

/// How likely it is that a bit is 0. It follows what it sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Model {
    fast: u32,
    slow: u32,
}

impl Model {
    /// Neither is likelier.
    pub(super) const EVEN: Self = Self { fast: 1 << (COUNT_BITS - 1), slow: 1 << (COUNT_BITS - 1) };

    /// A bit that is 1 so many times of a million.
    pub(super) fn of_ones(per_million: u32) -> Self {
        let zeros = u64::from(1_000_000_u32.saturating_sub(per_million));
        let zeros = u32::try_from((zeros << COUNT_BITS) / 1_000_000).unwrap_or(u32::MAX);
        // As far from certain as it gets by following.
        let zeros = zeros.clamp(1 << SLOW, (1 << COUNT_BITS) - (1 << SLOW));
        Self { fast: zeros, slow: zeros }
    }

    /// What of a range means 0. Neither half comes nearer to 0 or 1 than its rate leaves, so that
    /// their mean is 1 to 65,534 parts of 65,536.
    fn bound(self, range: u32) -> u32 {
        (range >> SCALE_BITS) * ((self.fast + self.slow) >> (COUNT_BITS + 1 - SCALE_BITS))
    }

    fn follow(&mut self, bit: bool) {
        for (half, rate) in [(&mut self.fast, FAST), (&mut self.slow, SLOW)] {
            if bit {
                *half -= *half >> rate;
            } else {
                *half += ((1 << COUNT_BITS) - *half) >> rate;
            }
        }
    }
}

/// Bits that become bytes.
#[derive(Debug)]
pub(super) struct Encoder {
    low: u64,
    range: u32,
    /// The last byte, to which a carry may come, and how many of 255 follow it.
    held: u8,
    follow: usize,
    bytes: Vec<u8>,
    /// Whether the leading zero was left out.
    begun: bool,
}

impl Encoder {
    pub(super) fn new() -> Self {
        let bytes = Vec::new();
        Self { low: 0, range: u32::MAX, held: 0, follow: 0, bytes, begun: false }
    }

    pub(super) fn bit(&mut self, model: &mut Model, bit: bool) {
        let bound = model.bound(self.range);
        self.take(bound, bit);
        model.follow(bit);
    }

    /// Bits of which nothing is known, the highest first.
    pub(super) fn plain(&mut self, value: u32, bits: u32) {
        for place in (0..bits).rev() {
            self.take(self.range >> 1, (value >> place) & 1 == 1);
        }
    }

    fn take(&mut self, bound: u32, bit: bool) {
        if bit {
            self.low += u64::from(bound);
            self.range -= bound;
        } else {
            self.range = bound;
        }
        while self.range < RANGE_MIN {
            self.range <<= 8;
            self.shift();
        }
    }

    /// Moves the highest byte out, once no carry can reach it.
    fn shift(&mut self) {
        let [_, _, _, carry, high, ..] = self.low.to_be_bytes();
        if carry != 0 || high != u8::MAX {
            if self.begun {
                self.bytes.push(self.held.wrapping_add(carry));
            }
            self.begun = true;
            let filler = u8::MAX.wrapping_add(carry);
            self.bytes.resize(self.bytes.len() + self.follow, filler);
            self.follow = 0;
            self.held = high;
        } else {
            self.follow += 1;
        }
        self.low = (self.low & 0x00ff_ffff) << 8;
    }

    /// The bytes: of all that mean the same, those with the most zeros at the end, left out.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.low = roundest(self.low, self.range);
        for _ in 0..5 {
            self.shift();
        }
        // One byte stays in any case: nothing at all cannot be sent.
        let used = self.bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1;
        self.bytes.truncate(used);
        self.bytes
    }
}

/// Of the numbers of a range the one with the most zeros at the end.
fn roundest(low: u64, range: u32) -> u64 {
    let last = low + u64::from(range) - 1;
    let ending = |zeros: u32| (last >> zeros) << zeros;
    let zeros = (0..=32).rev().find(|zeros| ending(*zeros) >= low);
    ending(zeros.unwrap_or(0))
}

/// Bytes that become bits again.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    bytes: &'a [u8],
    /// Bytes taken, those behind the end included.
    taken: usize,
    /// As the encoder's.
    low: u64,
    range: u32,
    /// How far into the range the bytes point.
    code: u32,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { bytes, taken: 0, low: 0, range: u32::MAX, code: 0 };
        for _ in 0..4 {
            decoder.next();
        }
        decoder
    }

    pub(super) fn bit(&mut self, model: &mut Model) -> bool {
        let bound = model.bound(self.range);
        let bit = self.take(bound);
        model.follow(bit);
        bit
    }

    pub(super) fn plain(&mut self, bits: u32) -> u32 {
        (0..bits).fold(0, |value, _| (value << 1) | u32::from(self.take(self.range >> 1)))
    }

    /// Whether the bytes are those that the encoder makes of the bits read.
    pub(super) fn is_done(&self) -> bool {
        let is_short = self.bytes.last() != Some(&0) || self.bytes.len() == 1;
        let is_roundest = self.low + u64::from(self.code) == roundest(self.low, self.range);
        is_short && is_roundest && (1..=self.taken).contains(&self.bytes.len())
    }

    fn take(&mut self, bound: u32) -> bool {
        let bit = self.code >= bound;
        if bit {
            self.code -= bound;
            self.low += u64::from(bound);
            self.range -= bound;
        } else {
            self.range = bound;
        }
        while self.range < RANGE_MIN {
            self.range <<= 8;
            self.low = (self.low & 0x00ff_ffff) << 8;
            self.next();
        }
        bit
    }

    fn next(&mut self) {
        let byte = self.bytes.get(self.taken).copied().unwrap_or(0);
        self.taken += 1;
        self.code = (self.code << 8) | u32::from(byte);
    }
}
