//! Keys of one hop, and the way back.
//!
//! ```text
//! exit      ciphertext and tag of the padded answer under its `answer` key, and the nonce
//! middle    that, XOR the keystream of its `back` key
//! first     that, XOR the keystream of its `back` key
//! ```
//!
//! The asker takes layers off until a tag is right. A hop that speaks for itself uses its `answer`
//! key as the exit does, so its place on the path shows, and nobody can speak for another one. A
//! hop answers a cell once; but one that was started anew remembers none, so an answer has a nonce
//! of its own, and two of them to the same cell say nothing about each other.

use chacha20poly1305::aead::generic_array::GenericArray;
use chacha20poly1305::{AeadInPlace as _, ChaCha20Poly1305, KeyInit as _};
use zeroize::Zeroizing;

use super::{ANSWER_ROOM, Error, HOPS, REPLY_BYTES, SLOT_BYTES, TAG_BYTES, padded, unpadded};
use crate::crypto::hpke::Exporter;

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;

/// The nonce of cells and layers: their keys are used for one message.
const NONCE: [u8; NONCE_BYTES] = [0; NONCE_BYTES];

/// A key of ChaCha20-Poly1305; erased when dropped.
#[derive(Clone)]
pub(super) struct Key(Zeroizing<[u8; 32]>);

impl Key {
    fn exported(exporter: &Exporter, name: &[u8]) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        exporter.export(name, key.as_mut());
        Self(key)
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(GenericArray::from_slice(self.0.as_ref()))
    }

    /// Encrypts in place; gives the tag.
    pub(super) fn seal(&self, aad: &[u8], bytes: &mut [u8]) -> [u8; TAG_BYTES] {
        self.seal_by(&NONCE, aad, bytes)
    }

    /// The same by a nonce of the caller's.
    fn seal_by(&self, nonce: &[u8; NONCE_BYTES], aad: &[u8], bytes: &mut [u8]) -> [u8; TAG_BYTES] {
        self.cipher()
            .encrypt_in_place_detached(GenericArray::from_slice(nonce), aad, bytes)
            .expect("a cell is shorter than the 256 GiB of one nonce")
            .into()
    }

    /// Decrypts in place.
    pub(super) fn open(&self, aad: &[u8], bytes: &mut [u8], tag: &[u8; 16]) -> Result<(), Error> {
        self.open_by(&NONCE, aad, bytes, tag)
    }

    fn open_by(
        &self,
        nonce: &[u8; NONCE_BYTES],
        aad: &[u8],
        bytes: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), Error> {
        let tag = GenericArray::from_slice(tag);
        self.cipher()
            .decrypt_in_place_detached(GenericArray::from_slice(nonce), aad, bytes, tag)
            .map_err(|_| Error::Altered)
    }

    /// XORs the keystream, the same that [`Key::seal`] uses; the tag is not needed.
    pub(super) fn apply(&self, bytes: &mut [u8]) {
        let _tag = self.seal(&[], bytes);
    }
}

/// What a hop and the asker share for one cell.
pub(super) struct Secrets {
    pub(super) cell: Key,
    /// What the hop puts behind the header.
    pub(super) filler: Zeroizing<[u8; SLOT_BYTES]>,
    /// What the hop remembers the cell by.
    pub(super) seen: [u8; 16],
    pub(super) hop: HopKeys,
}

impl Secrets {
    pub(super) fn new(exporter: &Exporter) -> Self {
        let (mut filler, mut seen) = (Zeroizing::new([0; SLOT_BYTES]), [0; 16]);
        exporter.export(b"filler", filler.as_mut());
        exporter.export(b"seen", &mut seen);
        let answer = Key::exported(exporter, b"answer");
        let hop = HopKeys { answer, back: Key::exported(exporter, b"back") };
        Self { cell: Key::exported(exporter, b"cell"), filler, seen, hop }
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(redacted)")
    }
}

/// With what a hop answers a cell: once, by one of the two ways.
#[derive(Clone)]
pub struct HopKeys {
    answer: Key,
    back: Key,
}

impl std::fmt::Debug for HopKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HopKeys(redacted)")
    }
}

impl HopKeys {
    /// A reply of this hop's own, of [`REPLY_BYTES`]. The nonce is random.
    ///
    /// # Errors
    /// [`Error::AnswerTooLong`].
    pub fn answer(self, answer: &[u8], nonce: [u8; NONCE_BYTES]) -> Result<Vec<u8>, Error> {
        let too_long = Error::AnswerTooLong { bytes: answer.len() };
        let mut reply = padded(answer, ANSWER_ROOM).ok_or(too_long)?;
        let tag = self.answer.seal_by(&nonce, &[], &mut reply);
        reply.extend_from_slice(&tag);
        reply.extend_from_slice(&nonce);
        Ok(reply)
    }

    /// Passes back what the next hop replied, under a layer of this hop's.
    ///
    /// # Errors
    /// [`Error::Size`].
    pub fn pass_back(self, mut reply: Vec<u8>) -> Result<Vec<u8>, Error> {
        if reply.len() != REPLY_BYTES {
            return Err(Error::Size { bytes: reply.len() });
        }
        self.back.apply(&mut reply);
        Ok(reply)
    }
}

/// With what the asker opens the reply.
#[derive(Debug)]
pub struct Back(pub(super) [HopKeys; HOPS]);

impl Back {
    /// The answer in a reply, and which hop gave it, counted from the asker: 2 is the exit.
    ///
    /// # Errors
    /// [`Error::Size`]; [`Error::Altered`] when no hop of the path made it; [`Error::Content`] when
    /// it is not padded as it must be.
    pub fn open(self, reply: &[u8]) -> Result<(usize, Vec<u8>), Error> {
        if reply.len() != REPLY_BYTES {
            return Err(Error::Size { bytes: reply.len() });
        }
        let mut layered = reply.to_vec();
        for (place, keys) in self.0.iter().enumerate() {
            let mut plain = Zeroizing::new(layered.clone());
            let opened = plain.split_last_chunk_mut().is_some_and(|(sealed, nonce)| {
                let sealed = sealed.split_last_chunk_mut::<TAG_BYTES>();
                sealed.is_some_and(|(body, tag)| keys.answer.open_by(nonce, &[], body, tag).is_ok())
            });
            if opened {
                let body = plain.get(..ANSWER_ROOM).unwrap_or_default();
                return Ok((place, unpadded(body).ok_or(Error::Content)?.to_vec()));
            }
            keys.back.apply(&mut layered);
        }
        Err(Error::Altered)
    }
}
