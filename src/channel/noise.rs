//! The symmetric half of the Noise protocol framework, revision 34, section 5: a cipher with a
//! counter, and the running hash and chaining key that bind every byte of a handshake.
//!
//! `ChaCha20-Poly1305` (RFC 8439) and SHA-256; names and order of operations are the
//! specification's. Nothing here knows who speaks or what a message means.

use chacha20poly1305::aead::generic_array::GenericArray;
use chacha20poly1305::{AeadInPlace, ChaCha20Poly1305, KeyInit};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Error;

/// Bytes of an authentication tag.
pub const TAG_BYTES: usize = 16;
/// Bytes of SHA-256.
pub(super) const HASH_BYTES: usize = 32;
/// Bytes of a block of SHA-256, for HMAC.
const BLOCK_BYTES: usize = 64;
const NONCE_BYTES: usize = 12;
/// The nonce that the specification keeps for [`Cipher::rekey`].
const NONCE_REKEY: u64 = u64::MAX;

type Hash = [u8; HASH_BYTES];
type Key = Zeroizing<[u8; 32]>;

/// `CipherState`: a key, and the number of messages it has been used for. The key is erased when
/// dropped.
pub struct Cipher {
    aead: ChaCha20Poly1305,
    nonce: u64,
}

impl Cipher {
    fn new(key: &Key) -> Self {
        Self { aead: ChaCha20Poly1305::new(GenericArray::from_slice(key.as_ref())), nonce: 0 }
    }

    /// How many messages it has sealed or opened.
    pub fn used(&self) -> u64 {
        self.nonce
    }

    /// `EncryptWithAd`: encrypts `buffer[from..]` in place and appends the tag.
    ///
    /// # Errors
    /// [`Error::Exhausted`] after 2^64 - 1 messages.
    pub(super) fn seal(
        &mut self,
        ad: &[u8],
        buffer: &mut Vec<u8>,
        from: usize,
    ) -> Result<(), Error> {
        let nonce = self.next()?;
        let plain = buffer.get_mut(from..).unwrap_or_default();
        let tag =
            self.aead.encrypt_in_place_detached(&nonce, ad, plain).map_err(|_| Error::Exhausted)?;
        self.nonce += 1;
        buffer.extend_from_slice(&tag);
        Ok(())
    }

    /// `DecryptWithAd`: checks the tag at the end of `sealed`, decrypts the rest in place and
    /// returns it. A message that does not authenticate leaves the counter as it was.
    ///
    /// # Errors
    /// [`Error::Tag`] when it does not authenticate, [`Error::Exhausted`] after 2^64 - 1 messages.
    pub(super) fn open<'a>(&mut self, ad: &[u8], sealed: &'a mut [u8]) -> Result<&'a [u8], Error> {
        let nonce = self.next()?;
        let length = sealed.len().checked_sub(TAG_BYTES).ok_or(Error::Tag)?;
        let (text, tag) = sealed.split_at_mut(length);
        self.aead
            .decrypt_in_place_detached(&nonce, ad, text, GenericArray::from_slice(tag))
            .map_err(|_| Error::Tag)?;
        self.nonce += 1;
        Ok(text)
    }

    /// `Rekey`, section 11.3: a new key that does not lead back to the old one. The counter
    /// goes on.
    pub(super) fn rekey(&mut self) {
        let mut key: Key = Zeroizing::new([0; 32]);
        let nonce = nonce(NONCE_REKEY);
        // The tag is cut off, as the specification says.
        let _tag = self
            .aead
            .encrypt_in_place_detached(&nonce, &[], key.as_mut())
            .expect("32 bytes are within what ChaCha20 can encrypt");
        self.aead = ChaCha20Poly1305::new(GenericArray::from_slice(key.as_ref()));
    }

    fn next(&self) -> Result<chacha20poly1305::Nonce, Error> {
        if self.nonce == NONCE_REKEY { Err(Error::Exhausted) } else { Ok(nonce(self.nonce)) }
    }

    /// `SetNonce`, for tests of what happens at the end.
    #[cfg(test)]
    pub(super) fn set_nonce(&mut self, nonce: u64) {
        self.nonce = nonce;
    }
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cipher({} used, redacted)", self.nonce)
    }
}

/// 32 bits of zeros, then the counter, little-endian (section 12.3).
fn nonce(counter: u64) -> chacha20poly1305::Nonce {
    let mut nonce = [0; NONCE_BYTES];
    for (to, from) in nonce.iter_mut().skip(4).zip(counter.to_le_bytes()) {
        *to = from;
    }
    nonce.into()
}

/// `SymmetricState`: the chaining key `ck`, the hash `h` of all that was said, and the cipher, once
/// there is a key.
pub(super) struct Symmetric {
    chaining: Key,
    hash: Hash,
    cipher: Option<Cipher>,
}

impl Symmetric {
    /// `InitializeSymmetric`, then `MixHash(prologue)`.
    pub(super) fn new(protocol: &str, prologue: &[u8]) -> Self {
        let name = protocol.as_bytes();
        let mut hash = [0; HASH_BYTES];
        match hash.get_mut(..name.len()) {
            Some(start) => start.copy_from_slice(name),
            None => hash = Sha256::digest(name).into(),
        }
        let mut state = Self { chaining: Zeroizing::new(hash), hash, cipher: None };
        state.mix_hash(prologue);
        state
    }

    pub(super) fn mix_hash(&mut self, data: &[u8]) {
        self.hash = Sha256::new().chain_update(self.hash).chain_update(data).finalize().into();
    }

    pub(super) fn mix_key(&mut self, input: &[u8; 32]) {
        let (chaining, key) = hkdf(&self.chaining, input);
        self.chaining = chaining;
        self.cipher = Some(Cipher::new(&key));
    }

    /// `EncryptAndHash` of `buffer[from..]`, in place; without a key it is only hashed.
    pub(super) fn seal(&mut self, buffer: &mut Vec<u8>, from: usize) -> Result<(), Error> {
        if let Some(cipher) = &mut self.cipher {
            cipher.seal(&self.hash, buffer, from)?;
        }
        self.mix_hash(buffer.get(from..).unwrap_or_default());
        Ok(())
    }

    /// `DecryptAndHash`, with a copy: what is decrypted in handshakes is short.
    pub(super) fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let mut text = sealed.to_vec();
        if let Some(cipher) = &mut self.cipher {
            let length = cipher.open(&self.hash, &mut text)?.len();
            text.truncate(length);
        }
        self.mix_hash(sealed);
        Ok(text)
    }

    /// `Split`: the initiator's cipher for sending, the responder's, and the handshake hash.
    pub(super) fn split(self) -> (Cipher, Cipher, Hash) {
        let (first, second) = hkdf(&self.chaining, &[]);
        (Cipher::new(&first), Cipher::new(&second), self.hash)
    }
}

impl std::fmt::Debug for Symmetric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Symmetric(redacted)")
    }
}

/// HKDF (RFC 5869) as section 4.3 of the specification has it: two outputs.
fn hkdf(chaining: &Key, input: &[u8]) -> (Key, Key) {
    let secret = hmac(chaining, &[input]);
    let first = hmac(&secret, &[&[1]]);
    let second = hmac(&secret, &[first.as_ref(), &[2]]);
    (first, second)
}

/// HMAC-SHA256 (RFC 2104) with a key of 32 bytes, which is shorter than a block.
fn hmac(key: &Key, parts: &[&[u8]]) -> Key {
    let pad = |byte: u8| {
        let mut block = Zeroizing::new([byte; BLOCK_BYTES]);
        for (to, from) in block.iter_mut().zip(key.iter()) {
            *to ^= from;
        }
        Sha256::new().chain_update(block.as_ref())
    };
    let inner = parts.iter().fold(pad(0x36), Sha256::chain_update);
    let inner: Key = Zeroizing::new(inner.finalize().into());
    Zeroizing::new(pad(0x5c).chain_update(inner.as_ref()).finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(text.as_bytes()).expect("hex")
    }

    /// RFC 4231, test case 1, its key of 20 bytes filled up with zeros: HMAC pads keys with them.
    #[test]
    fn hmac_gives_what_rfc_4231_says() {
        let mut key: Key = Zeroizing::new([0; 32]);
        key.iter_mut().take(20).for_each(|byte| *byte = 0x0b);
        let expected = hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        assert_eq!(hmac(&key, &[b"Hi ", b"There"]).as_ref(), expected.as_slice());
    }

    /// RFC 8439, section 2.8.2, with a counter that Noise cannot have: key and tag by the crate.
    #[test]
    fn a_nonce_is_four_zeros_and_the_counter_in_little_endian() {
        assert_eq!(nonce(0x0102).as_slice(), [0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn the_last_nonce_is_never_used_for_a_message() {
        let mut cipher = Cipher::new(&Zeroizing::new([7; 32]));
        cipher.set_nonce(u64::MAX - 1);
        assert_eq!(cipher.seal(&[], &mut vec![1], 0), Ok(()));
        assert_eq!(cipher.seal(&[], &mut vec![1], 0), Err(Error::Exhausted));
        assert_eq!(cipher.open(&[], &mut [0; 17]), Err(Error::Exhausted));
    }

    #[test]
    fn a_forged_message_leaves_the_counter_as_it_was() {
        let key = Zeroizing::new([7; 32]);
        let (mut sender, mut receiver) = (Cipher::new(&key), Cipher::new(&key));
        let mut sealed = b"text".to_vec();
        sender.seal(b"ad", &mut sealed, 0).expect("seals");
        let mut forged = sealed.clone();
        forged[0] ^= 1;
        assert_eq!(receiver.open(b"ad", &mut forged), Err(Error::Tag));
        assert_eq!(receiver.open(b"other", &mut sealed.clone()), Err(Error::Tag));
        assert_eq!(receiver.open(b"ad", &mut [0; 15]), Err(Error::Tag));
        assert_eq!(receiver.open(b"ad", &mut sealed), Ok(b"text".as_slice()));
    }
}
