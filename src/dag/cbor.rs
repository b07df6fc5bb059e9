//! Reading and writing canonical DAG-CBOR from strangers.
//!
//! DAG-CBOR is the deterministic subset of CBOR that IPLD uses: definite lengths, shortest heads,
//! text keys in length-first order, 64-bit finite floats, and tag 42 for links as the only tag.
//! <https://ipld.io/specs/codecs/dag-cbor/spec/>
//!
//! Bytes of a peer pass two gates. [`scan`] walks the heads without allocating anything and holds
//! size, nesting and item count to the caller's [`Bounds`], so that a claimed length never becomes
//! an allocation. Then [`decode`] builds the value, encodes it again and compares: what is not the
//! one canonical encoding of its value is refused, whatever a lenient decoder let through (unknown
//! fields, floats that do not fit `f32`, bytes where a link belongs). O(n) time each.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::Bytes;
use serde_ipld_dagcbor::ser::{BufWriter, Serializer};

/// Deepest nesting [`scan`] can follow, lists and maps together.
pub const DEPTH_MAX: usize = 16;

/// Bytes of the heads of a list and of two byte strings, at most.
const PAIR_HEADS_BYTES: usize = 11;

/// What an encoding may claim before it is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the whole encoding.
    pub bytes_max: usize,
    /// Items of every kind together: numbers, strings, links, lists, maps, keys.
    pub items_max: usize,
    /// Nesting of lists and maps, at most [`DEPTH_MAX`].
    pub depth_max: usize,
}

/// Why bytes are not the canonical encoding of the wanted value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More bytes than allowed.
    #[error("{bytes} bytes where at most {bytes_max} are allowed")]
    TooLarge {
        /// Bytes that were there.
        bytes: usize,
        /// Bytes that are allowed.
        bytes_max: usize,
    },
    /// The bytes are not DAG-CBOR.
    #[error("no valid DAG-CBOR at byte {offset}: {reason}")]
    Syntax {
        /// Byte at which reading stopped.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// DAG-CBOR, but not of the wanted shape.
    #[error("the fields are not as expected: {reason}")]
    Shape {
        /// The decoder's reason.
        reason: String,
    },
    /// The value has another, canonical encoding.
    #[error("not the canonical encoding: it differs from byte {offset} on")]
    NotCanonical {
        /// First byte that differs.
        offset: usize,
    },
}

/// Encodes a value as DAG-CBOR.
///
/// # Errors
/// [`Error::Shape`] for what DAG-CBOR cannot say: a float that is not finite.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    encode_within(value, 0)
}

/// The same, with room for so many bytes from the start.
pub(crate) fn encode_within<T: Serialize + ?Sized>(
    value: &T,
    bytes: usize,
) -> Result<Vec<u8>, Error> {
    let mut serializer = Serializer::new(BufWriter::new(Vec::with_capacity(bytes)));
    value.serialize(&mut serializer).map_err(|error| Error::Shape { reason: error.to_string() })?;
    Ok(serializer.into_inner().into_inner())
}

/// The list of two byte strings, the form of everything that is signed bytes and a signature.
pub(super) fn encode_pair(first: &[u8], second: &[u8]) -> Vec<u8> {
    let bytes = first.len() + second.len() + PAIR_HEADS_BYTES;
    encode_within(&(Bytes::new(first), Bytes::new(second)), bytes)
        .expect("two byte strings always encode")
}

/// Decodes the canonical encoding of one value and nothing else.
///
/// # Errors
/// Any [`Error`]; it never panics and allocates no more than a fixed multiple of the bounds.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8], bounds: &Bounds) -> Result<T, Error> {
    scan(bytes, bounds)?;
    // The decoder's own words name its types, which tell a reader nothing.
    let value: T = serde_ipld_dagcbor::from_slice(bytes).map_err(|_| Error::Shape {
        reason: "one is missing, unknown or of another kind".to_owned(),
    })?;
    let again = encode_within(&value, bytes.len())?;
    if again == bytes {
        return Ok(value);
    }
    let offset = again.iter().zip(bytes).take_while(|(left, right)| left == right).count();
    Err(Error::NotCanonical { offset })
}

/// Walks over exactly one DAG-CBOR item and checks every head against `bounds`.
///
/// # Errors
/// [`Error::TooLarge`] or [`Error::Syntax`] with the offset of the offending head.
pub fn scan(bytes: &[u8], bounds: &Bounds) -> Result<(), Error> {
    if bytes.len() > bounds.bytes_max {
        return Err(Error::TooLarge { bytes: bytes.len(), bytes_max: bounds.bytes_max });
    }
    let mut cursor = Cursor { bytes, offset: 0 };
    // Items still expected on each level; the outermost level expects one.
    let mut open = [0_u64; DEPTH_MAX + 1];
    let mut depth = 0;
    let mut items = 0;
    set(&mut open, 0, 1);
    loop {
        while get(&open, depth) == 0 {
            if depth == 0 {
                return cursor.end();
            }
            depth -= 1;
        }
        let left = get(&open, depth) - 1;
        set(&mut open, depth, left);
        items += 1;
        let offset = cursor.offset;
        if items > bounds.items_max {
            return Err(Error::Syntax { offset, reason: "more items than allowed" });
        }
        if let Some(children) = cursor.item()? {
            depth += 1;
            if depth > bounds.depth_max.min(DEPTH_MAX) {
                return Err(Error::Syntax { offset, reason: "nested deeper than allowed" });
            }
            set(&mut open, depth, children);
        }
    }
}

fn get(open: &[u64; DEPTH_MAX + 1], depth: usize) -> u64 {
    open.get(depth).copied().unwrap_or(0)
}

fn set(open: &mut [u64; DEPTH_MAX + 1], depth: usize, items: u64) {
    if let Some(level) = open.get_mut(depth) {
        *level = items;
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl Cursor<'_> {
    /// Reads one head with its string, if it has one; gives the number of children of a list or
    /// map (keys and values count one each).
    fn item(&mut self) -> Result<Option<u64>, Error> {
        let start = self.offset;
        let wrong = |reason| Err(Error::Syntax { offset: start, reason });
        let (major, argument) = self.head()?;
        match major {
            2 | 3 => {
                self.skip(argument)?;
                Ok(None)
            }
            4 => Ok(Some(self.children(argument, 1)?)),
            5 => Ok(Some(self.children(argument, 2)?)),
            6 if argument == 42 => match self.head()? {
                (2, length) => {
                    self.skip(length)?;
                    Ok(None)
                }
                _ => wrong("a link is a byte string under tag 42"),
            },
            6 => wrong("a tag other than 42"),
            // Numbers, booleans, null: nothing follows the head.
            _ => Ok(None),
        }
    }

    /// Reads a head: major type and argument. Simple values and floats are read whole here.
    fn head(&mut self) -> Result<(u8, u64), Error> {
        let start = self.offset;
        let wrong = |reason| Err(Error::Syntax { offset: start, reason });
        let first = self.byte()?;
        let (major, short) = (first >> 5, first & 0x1f);
        if major == 7 {
            return match short {
                20..=22 => Ok((major, 0)),
                27 => self.big_endian(8).map(|bits| (major, bits)),
                _ => wrong("a simple value other than false, true, null and a 64-bit float"),
            };
        }
        let (argument, shortest_over) = match short {
            0..=23 => return Ok((major, u64::from(short))),
            24 => (self.big_endian(1)?, 23),
            25 => (self.big_endian(2)?, u64::from(u8::MAX)),
            26 => (self.big_endian(4)?, u64::from(u16::MAX)),
            27 => (self.big_endian(8)?, u64::from(u32::MAX)),
            _ => return wrong("an indefinite or reserved length"),
        };
        if argument <= shortest_over {
            return wrong("a head that is longer than needed");
        }
        Ok((major, argument))
    }

    fn children(&self, count: u64, each: u64) -> Result<u64, Error> {
        let left = u64::try_from(self.bytes.len() - self.offset).unwrap_or(u64::MAX);
        // Every child takes a byte at least, so a larger claim cannot be true.
        match count.checked_mul(each) {
            Some(children) if children <= left => Ok(children),
            _ => Err(Error::Syntax { offset: self.offset, reason: "more items than bytes" }),
        }
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let byte = self.bytes.get(self.offset).copied();
        let byte = byte.ok_or(Error::Syntax { offset: self.offset, reason: "ends too early" })?;
        self.offset += 1;
        Ok(byte)
    }

    fn big_endian(&mut self, count: usize) -> Result<u64, Error> {
        let mut value = 0;
        for _ in 0..count {
            value = (value << 8) | u64::from(self.byte()?);
        }
        Ok(value)
    }

    fn skip(&mut self, length: u64) -> Result<(), Error> {
        let left = self.bytes.len() - self.offset;
        match usize::try_from(length) {
            Ok(length) if length <= left => {
                self.offset += length;
                Ok(())
            }
            _ => {
                Err(Error::Syntax { offset: self.offset, reason: "a string longer than the rest" })
            }
        }
    }

    fn end(&self) -> Result<(), Error> {
        if self.offset == self.bytes.len() {
            return Ok(());
        }
        Err(Error::Syntax { offset: self.offset, reason: "bytes after the end" })
    }
}

#[cfg(test)]
mod tests;
