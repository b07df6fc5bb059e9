//! The bytes of a message: a version, then ranges, each with its end and what is said about it.
//!
//! Reading is total and allocates nothing: a list of ids is a view of the message.

use super::{Bound, FINGERPRINT_BYTES, Fingerprint, ID_BYTES, Id};

/// The first byte of every message: version 1.
pub const PROTOCOL_VERSION: u8 = 0x61;
/// First bytes that name some version of the protocol.
const VERSIONS: std::ops::RangeInclusive<u8> = 0x60..=0x6f;

const SKIP: u64 = 0;
const FINGERPRINT: u64 = 1;
const IDS: u64 = 2;

/// Why a message was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It ends in the middle of a range.
    #[error("the message ends in the middle of a range")]
    Truncated,
    /// It is of another version of the protocol.
    #[error("negentropy version {found}; only version 1 is spoken")]
    Version {
        /// Which.
        found: u8,
    },
    /// Its first byte names no version.
    #[error("the first byte is {found:#04x}, which names no version of negentropy")]
    NoVersion {
        /// The byte.
        found: u8,
    },
    /// A number is not written in the fewest digits, or has more than 64 bits.
    #[error("a number is not in its shortest form, or has more than 64 bits")]
    Number,
    /// A bound has more bytes of an id than an id has.
    #[error("a bound has {bytes} bytes of an id; an id has {ID_BYTES}")]
    BoundBytes {
        /// How many.
        bytes: u64,
    },
    /// A range says something unknown.
    #[error("a range of mode {found}; 0, 1 and 2 are known")]
    Mode {
        /// Which.
        found: u64,
    },
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Truncated => "ranges-truncated",
            Error::Version { .. } | Error::NoVersion { .. } => "ranges-version",
            Error::Number => "ranges-number",
            Error::BoundBytes { .. } => "ranges-bound",
            Error::Mode { .. } => "ranges-mode",
        }
    }
}

/// One range of a message. It begins where the one before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) upper: Bound,
    pub(super) payload: Payload<'a>,
}

/// What a message says about a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload<'a> {
    /// Nothing more to do.
    Skip,
    Fingerprint(&'a Fingerprint),
    /// All ids that the sender has in it.
    Ids(&'a [Id]),
}

/// Reads a message range by range.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// Time stamps are written as differences.
    timestamp: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'a [u8]) -> Result<Self, Error> {
        match message.split_first() {
            None => Err(Error::Truncated),
            Some((&PROTOCOL_VERSION, rest)) => Ok(Self { rest, timestamp: 0 }),
            Some((found, _)) if VERSIONS.contains(found) => {
                Err(Error::Version { found: found - VERSIONS.start() })
            }
            Some((found, _)) => Err(Error::NoVersion { found: *found }),
        }
    }

    pub(super) fn next_range(&mut self) -> Result<Option<Part<'a>>, Error> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let upper = self.bound()?;
        let payload = match self.varint()? {
            SKIP => Payload::Skip,
            FINGERPRINT => Payload::Fingerprint(self.fingerprint()?),
            IDS => Payload::Ids(self.ids()?),
            found => return Err(Error::Mode { found }),
        };
        Ok(Some(Part { upper, payload }))
    }

    fn bound(&mut self) -> Result<Bound, Error> {
        // Zero is infinity, and behind infinity there is nothing else.
        self.timestamp = match self.varint()?.checked_sub(1) {
            None => u64::MAX,
            Some(more) => self.timestamp.saturating_add(more),
        };
        let bytes = self.varint()?;
        let count = usize::try_from(bytes).map_err(|_| Error::BoundBytes { bytes })?;
        if count > ID_BYTES {
            return Err(Error::BoundBytes { bytes });
        }
        let prefix = self.bytes(count)?;
        Bound::new(self.timestamp, prefix).ok_or(Error::BoundBytes { bytes })
    }

    fn fingerprint(&mut self) -> Result<&'a Fingerprint, Error> {
        self.bytes(FINGERPRINT_BYTES)?.first_chunk().ok_or(Error::Truncated)
    }

    fn ids(&mut self) -> Result<&'a [Id], Error> {
        let count = usize::try_from(self.varint()?).map_err(|_| Error::Truncated)?;
        let bytes = self.bytes(count.checked_mul(ID_BYTES).ok_or(Error::Truncated)?)?;
        Ok(bytes.as_chunks().0)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A number in base 128, the most significant digit first, all but the last marked by bit 7.
    fn varint(&mut self) -> Result<u64, Error> {
        let mut value = 0_u64;
        loop {
            let (byte, rest) = self.rest.split_first().ok_or(Error::Truncated)?;
            self.rest = rest;
            if (value == 0 && *byte == 0x80) || value > u64::MAX >> 7 {
                return Err(Error::Number);
            }
            value = value << 7 | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
    }
}

/// Writes a message range by range.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
    timestamp: u64,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { bytes: vec![PROTOCOL_VERSION], timestamp: 0 }
    }

    pub(super) fn skip(&mut self, upper: &Bound) {
        self.range(upper, SKIP);
    }

    pub(super) fn fingerprint(&mut self, upper: &Bound, fingerprint: &Fingerprint) {
        self.range(upper, FINGERPRINT);
        self.bytes.extend_from_slice(fingerprint);
    }

    pub(super) fn ids(&mut self, upper: &Bound, ids: &[Id]) {
        self.range(upper, IDS);
        write_varint(u64::try_from(ids.len()).unwrap_or(u64::MAX), &mut self.bytes);
        self.bytes.extend_from_slice(ids.as_flattened());
    }

    fn range(&mut self, upper: &Bound, mode: u64) {
        let timestamp = upper.timestamp();
        let coded =
            if timestamp == u64::MAX { 0 } else { timestamp.saturating_sub(self.timestamp) + 1 };
        self.timestamp = timestamp;
        write_varint(coded, &mut self.bytes);
        let prefix = upper.prefix();
        write_varint(u64::try_from(prefix.len()).unwrap_or(u64::MAX), &mut self.bytes);
        self.bytes.extend_from_slice(prefix);
        write_varint(mode, &mut self.bytes);
    }
}

/// Writes a number as [`Reader::varint`] reads it.
pub(super) fn write_varint(value: u64, out: &mut Vec<u8>) {
    let digits = value.max(1).ilog2() / 7;
    for digit in (0..=digits).rev() {
        let bits = (value >> (7 * digit)).to_le_bytes()[0] & 0x7f;
        out.push(if digit > 0 { bits | 0x80 } else { bits });
    }
}
