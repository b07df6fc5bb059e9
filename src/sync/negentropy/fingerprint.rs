//! A short digest of a range.

use sha2::{Digest as _, Sha256};

use super::message::write_varint;
use crate::dag::Sum;

/// Bytes of a fingerprint: two different ranges share one with a chance of 2^-128.
pub const FINGERPRINT_BYTES: usize = 16;

/// The first half of SHA-256 over the sum of the ids, least significant byte first, and their
/// number as a varint.
pub type Fingerprint = [u8; FINGERPRINT_BYTES];

/// The fingerprint of `count` ids with this sum.
pub(super) fn of(sum: Sum, count: usize) -> Fingerprint {
    let mut bytes = sum.to_bytes().to_vec();
    write_varint(u64::try_from(count).unwrap_or(u64::MAX), &mut bytes);
    let mut short = [0; FINGERPRINT_BYTES];
    short.iter_mut().zip(Sha256::digest(&bytes)).for_each(|(to, from)| *to = from);
    short
}
