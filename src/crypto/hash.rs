//! BLAKE3-256 digests and the text and byte forms of the content ids made from them.
//!
//! A content id is a `CIDv1` with multihash code 0x1e (BLAKE3, 32 bytes) and one of two codecs; its
//! text form is multibase base32, lower case, without padding (`b...`). No other codec, hash or
//! base is accepted. Sources: <https://github.com/multiformats/cid>, the multicodec table, RFC 4648
//! section 6. Streams are not hashed here: everything that gets an id is bounded and in memory.

use std::cmp::Ordering;
use std::fmt;

/// A BLAKE3-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Ord for Digest {
    /// The order of the bytes.
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

/// Compares hashes as their bytes. Looking things up by their names is most of what a node does,
/// and hashes nearly always differ within the first eight bytes.
///
/// It is a call: a copy in each map and each sort took a tenth of a node's module.
#[inline(never)]
pub fn compare(left: &[u8; 32], right: &[u8; 32]) -> Ordering {
    let first = |bytes: &[u8; 32]| bytes.first_chunk().copied().map(u64::from_be_bytes);
    first(left).cmp(&first(right)).then_with(|| left.cmp(right))
}

impl PartialOrd for Digest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What the bytes under a content id are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Deterministic CBOR with links: vertices and manifests (multicodec 0x71).
    DagCbor,
    /// Opaque bytes: weights, updates, data (multicodec 0x55).
    Raw,
}

/// Bytes of a binary content id: version, codec, hash code, hash length, digest.
pub const CID_BYTES: usize = 36;

/// Characters of a content id's text form: the multibase letter and 58 of base32.
pub const CID_TEXT_CHARS: usize = 59;

/// Why bytes or text are not a content id of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The binary form has another length.
    #[error("a content id has {CID_BYTES} bytes, this has {0}")]
    Length(usize),
    /// Version, codec, hash code or hash length is another.
    #[error("not a CIDv1 of the expected codec with BLAKE3-256: prefix {0:02x?}")]
    Prefix([u8; 4]),
    /// The text does not begin with `b`, or contains something that is not base32 lower case.
    #[error("a content id in text is 'b' followed by lower-case base32")]
    Text,
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        "content-id-invalid"
    }
}

impl Digest {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The hash of the concatenated `parts` in BLAKE3's key derivation mode.
    ///
    /// `context` separates one use from every other; it is a constant of the program, never input.
    pub fn derive(context: &'static str, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        for part in parts {
            hasher.update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// The binary content id of the bytes this is the hash of.
    pub fn cid_bytes(&self, codec: Codec) -> [u8; CID_BYTES] {
        let mut cid = [0; CID_BYTES];
        for (to, from) in cid.iter_mut().zip(codec.prefix().iter().chain(&self.0)) {
            *to = *from;
        }
        cid
    }

    /// The text content id of the bytes this is the hash of: [`CID_TEXT_CHARS`] characters.
    pub fn cid_text(&self, codec: Codec) -> String {
        let mut text = String::with_capacity(CID_TEXT_CHARS);
        text.push('b');
        text.push_str(&base32_encode(&self.cid_bytes(codec)));
        text
    }

    /// Reads a binary content id of exactly this `codec`.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::Prefix`].
    pub fn from_cid_bytes(bytes: &[u8], codec: Codec) -> Result<Self, Error> {
        let bytes: &[u8; CID_BYTES] = bytes.try_into().map_err(|_| Error::Length(bytes.len()))?;
        let [version, kind, hash, length, digest @ ..] = bytes;
        let prefix = [*version, *kind, *hash, *length];
        if prefix == codec.prefix() { Ok(Self(*digest)) } else { Err(Error::Prefix(prefix)) }
    }

    /// Reads a text content id of exactly this `codec`; the canonical text only.
    ///
    /// # Errors
    /// [`Error::Text`], or as [`Digest::from_cid_bytes`].
    pub fn from_cid_text(text: &str, codec: Codec) -> Result<Self, Error> {
        let digits = text.strip_prefix('b').ok_or(Error::Text)?;
        if digits.len() > CID_TEXT_CHARS {
            return Err(Error::Length(digits.len() * 5 / 8));
        }
        Self::from_cid_bytes(&base32_decode(digits).ok_or(Error::Text)?, codec)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Codec {
    /// The first four bytes of a content id: version 1, codec, BLAKE3, 32 bytes.
    fn prefix(self) -> [u8; 4] {
        match self {
            Codec::DagCbor => [0x01, 0x71, 0x1e, 0x20],
            Codec::Raw => [0x01, 0x55, 0x1e, 0x20],
        }
    }
}

/// The text content id of a blob.
pub fn blob_cid_text(bytes: &[u8]) -> String {
    Digest::of(bytes).cid_text(Codec::Raw)
}

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// RFC 4648 base32 in lower case without padding.
pub fn base32_encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut buffer, mut bits) = (0_u16, 0);
    for byte in bytes {
        buffer = (buffer << 8) | u16::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(digit(buffer >> bits));
        }
    }
    if bits > 0 {
        text.push(digit(buffer << (5 - bits)));
    }
    text
}

/// Reads what [`base32_encode`] writes; `None` for anything else, such as upper case, padding,
/// an impossible length or stray bits at the end.
pub fn base32_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut buffer, mut bits) = (0_u16, 0);
    for character in text.bytes() {
        let value = match character {
            b'a'..=b'z' => character - b'a',
            b'2'..=b'7' => character - b'2' + 26,
            _ => return None,
        };
        buffer = (buffer << 5) | u16::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            let [_, byte] = (buffer >> bits).to_be_bytes();
            bytes.push(byte);
        }
    }
    (bits < 5 && buffer & ((1 << bits) - 1) == 0).then_some(bytes)
}

/// The digit of the lowest five bits.
fn digit(value: u16) -> char {
    BASE32.get(usize::from(value & 31)).map_or('a', |byte| char::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_agrees_with_rfc_4648_and_is_canonical() {
        for (bytes, text) in [
            ("", ""),
            ("f", "my"),
            ("fo", "mzxq"),
            ("foo", "mzxw6"),
            ("foob", "mzxw6yq"),
            ("fooba", "mzxw6ytb"),
            ("foobar", "mzxw6ytboi"),
        ] {
            assert_eq!(base32_encode(bytes.as_bytes()), text);
            assert_eq!(base32_decode(text).unwrap(), bytes.as_bytes());
        }
        for wrong in ["MY", "my======", "mz", "a", "mzx", "m1", "mzxw6yr"] {
            assert_eq!(base32_decode(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_empty_blob_has_its_published_hash_and_id() {
        // The first vector of BLAKE3's test_vectors.json: the hash of nothing.
        assert_eq!(
            format!("{:?}", Digest::of(b"")),
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
        );
        let text = blob_cid_text(b"");
        assert_eq!(text.len(), CID_TEXT_CHARS);
        assert!(text.starts_with("bafkr4i"), "{text}");
        assert_eq!(Digest::from_cid_text(&text, Codec::Raw), Ok(Digest::of(b"")));
    }

    #[test]
    fn another_codec_hash_or_base_is_refused() {
        let digest = Digest::of(b"x");
        let text = digest.cid_text(Codec::DagCbor);
        assert!(matches!(Digest::from_cid_text(&text, Codec::Raw), Err(Error::Prefix(_))));
        assert_eq!(Digest::from_cid_text(&text.to_uppercase(), Codec::Raw), Err(Error::Text));
        assert_eq!(Digest::from_cid_text("", Codec::Raw), Err(Error::Text));
        assert_eq!(Digest::from_cid_text("b", Codec::Raw), Err(Error::Length(0)));
        let mut sha = digest.cid_bytes(Codec::Raw);
        sha[2] = 0x12;
        assert!(matches!(Digest::from_cid_bytes(&sha, Codec::Raw), Err(Error::Prefix(_))));
        assert_eq!(Digest::from_cid_bytes(&sha[..35], Codec::Raw), Err(Error::Length(35)));
    }

    #[test]
    fn contexts_separate_derived_digests() {
        let one = Digest::derive("test one", &[b"ab", b"c"]);
        assert_eq!(one, Digest::derive("test one", &[b"a", b"bc"]));
        assert_ne!(one, Digest::derive("test two", &[b"abc"]));
        assert_ne!(one, Digest::of(b"abc"));
    }
}
