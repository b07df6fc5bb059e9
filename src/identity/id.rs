//! The three names of a participant: its author id, its network and its transport key.
//!
//! All three are plain bytes in DAG-CBOR and text everywhere a person or JavaScript sees them:
//! base32 (RFC 4648, lower case, no padding) for author and network, base58btc for the transport
//! key, which is the text libp2p gives a `PeerId`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use super::Error;
use crate::crypto::hash::{self, Digest, base32_decode, base32_encode};
use crate::crypto::sign;
use crate::limits::TRANSPORT_ID_BYTES_MAX;

/// Domain of the author id hash. Changing it changes every author id.
const AUTHOR_ID_DOMAIN: &str = "synaptic-mesh 2026 author id v1";
/// Domain of the ids of networks that have a genesis. Changing it changes every such id.
const GENESIS_DOMAIN: &str = "synaptic-mesh 2026 genesis v1";
/// Characters of 32 bytes in base32.
const ID_TEXT_CHARS: usize = 52;
/// Alphabet of base58btc, as Bitcoin and libp2p write it.
const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// How much of a refused text an error repeats.
const TEXT_SHOWN_CHARS: usize = 80;

/// Name of an author: BLAKE3 of its suite and composite public key, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuthorId(#[serde(with = "serde_bytes")] [u8; 32]);

impl Ord for AuthorId {
    /// The order of the bytes.
    fn cmp(&self, other: &Self) -> Ordering {
        hash::compare(&self.0, &other.0)
    }
}

impl PartialOrd for AuthorId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl AuthorId {
    /// The name that belongs to `key`.
    pub fn of(key: &sign::PublicKey) -> Self {
        let Digest(bytes) = Digest::derive(AUTHOR_ID_DOMAIN, &[&[sign::SUITE], key.as_bytes()]);
        Self(bytes)
    }

    /// Takes the 32 bytes of an author id.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Name of a network, 32 bytes: the hash of its genesis, or drawn at random when it has none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NetworkId(#[serde(with = "serde_bytes")] [u8; 32]);

impl NetworkId {
    /// The name of the network that begins with these bytes.
    pub fn of_genesis(bytes: &[u8]) -> Self {
        Self(Digest::derive(GENESIS_DOMAIN, &[bytes]).0)
    }

    /// Takes the 32 bytes of a network id.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

macro_rules! base32_text {
    ($id:ident, $what:literal) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&base32_encode(&self.0))
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($id), "({})"), self)
            }
        }

        impl FromStr for $id {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                base32_bytes(text).map(Self).ok_or_else(|| Error::Text {
                    what: $what,
                    text: shown(text),
                    expected: "52 characters a-z and 2-7",
                })
            }
        }
    };
}

base32_text!(AuthorId, "node id");
base32_text!(NetworkId, "network id");

/// Name of a transport key: the bytes of a libp2p `PeerId` (a multihash), 1 to 64 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TransportId(#[serde(with = "serde_bytes")] Vec<u8>);

impl TransportId {
    /// Takes the multihash bytes of a libp2p `PeerId`.
    ///
    /// # Errors
    /// [`Error::Length`] for none or more than 64 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() || bytes.len() > TRANSPORT_ID_BYTES_MAX {
            return Err(Error::Length {
                what: "transport id",
                expected: "1 to 64",
                found: bytes.len(),
            });
        }
        Ok(Self(bytes.to_vec()))
    }

    /// The `PeerId` of an Ed25519 public key: its protobuf form under the identity multihash, as
    /// the libp2p peer id specification has it for keys of at most 42 bytes.
    pub fn of_ed25519(public_key: &[u8; 32]) -> Self {
        // Multihash: identity, 36 bytes. Protobuf: field 1 = 1 (Ed25519), field 2 = 32 bytes.
        let mut bytes = vec![0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
        bytes.extend_from_slice(public_key);
        Self(bytes)
    }

    /// The multihash bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for TransportId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
        Self::from_bytes(&bytes).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for TransportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base58_encode(&self.0))
    }
}

impl fmt::Debug for TransportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransportId({self})")
    }
}

impl FromStr for TransportId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        base58_decode(text).and_then(|bytes| Self::from_bytes(&bytes).ok()).ok_or_else(|| {
            Error::Text {
                what: "peer id",
                text: shown(text),
                expected: "the base58 text of 1 to 64 bytes, such as 12D3Koo...",
            }
        })
    }
}

fn base32_bytes(text: &str) -> Option<[u8; 32]> {
    if text.len() != ID_TEXT_CHARS {
        return None;
    }
    base32_decode(text)?.try_into().ok()
}

/// The beginning of a text that came from outside, safe to put into an error.
fn shown(text: &str) -> String {
    text.chars().take(TEXT_SHOWN_CHARS).collect()
}

/// Base conversion by long division, quadratic in the (bounded) length.
fn base58_encode(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut digits: Vec<u8> = Vec::new();
    for &byte in bytes {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = low_byte(carry % 58);
            carry /= 58;
        }
        while carry > 0 {
            digits.push(low_byte(carry % 58));
            carry /= 58;
        }
    }
    let leading = std::iter::repeat_n('1', zeros);
    let rest = digits.iter().rev().filter_map(|digit| BASE58.get(usize::from(*digit)));
    leading.chain(rest.map(|byte| char::from(*byte))).collect()
}

fn base58_decode(text: &str) -> Option<Vec<u8>> {
    // A base58 digit carries 5.86 bits: 88 characters hold 64 bytes, leading zeros take one each.
    if text.is_empty() || text.len() > 2 * TRANSPORT_ID_BYTES_MAX {
        return None;
    }
    let zeros = text.bytes().take_while(|byte| *byte == b'1').count();
    let mut bytes: Vec<u8> = Vec::new();
    for character in text.bytes() {
        let digit = BASE58.iter().position(|known| *known == character)?;
        let mut carry = u32::try_from(digit).ok()?;
        for byte in &mut bytes {
            carry += u32::from(*byte) * 58;
            *byte = low_byte(carry);
            carry >>= 8;
        }
        while carry > 0 {
            bytes.push(low_byte(carry));
            carry >>= 8;
        }
    }
    bytes.extend(std::iter::repeat_n(0, zeros));
    bytes.reverse();
    Some(bytes)
}

fn low_byte(value: u32) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low
}
