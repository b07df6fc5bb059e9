//! What carries a sealed message in the history: for whom, and bytes that only that node can read.
//!
//! Here is the form alone; what is in the bytes is the business of the module `sealed` above. The
//! length is one of three, whatever the text.

use serde::{Deserialize, Serialize};

use super::Error;
use crate::identity::AuthorId;
use crate::limits;

/// Bytes of an author's sealing key: X-Wing, ML-KEM-768 with X25519.
pub const SEALING_KEY_BYTES: usize = 1_216;
/// Bytes of what is sealed beside its padded text: a ciphertext of X-Wing and a tag.
pub const SEAL_BYTES: usize = 1_120 + 16;

/// A message that only one node can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedMessage {
    /// Who can read it.
    pub to: AuthorId,
    /// [`SEAL_BYTES`] and a padded text of one of the [`padded_sizes`].
    #[serde(with = "serde_bytes")]
    pub sealed: Vec<u8>,
}

/// The sizes of padded texts in bytes, ascending.
pub fn padded_sizes() -> impl Iterator<Item = usize> {
    let next = |size: &usize| size.checked_mul(limits::SEALED_PADDED_GROWTH);
    std::iter::successors(Some(limits::SEALED_PADDED_BYTES_MIN), next)
        .take_while(|size| *size <= limits::SEALED_PADDED_BYTES_MAX)
}

impl SealedMessage {
    /// Bytes of the padded text; `None` for a length that no message has.
    pub fn padded_bytes(&self) -> Option<usize> {
        padded_sizes().find(|size| self.sealed.len() == SEAL_BYTES + size)
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        let bytes = self.sealed.len();
        let expected = "1,392, 2,160 or 5,232 bytes";
        self.padded_bytes().map(|_| ()).ok_or(Error::Text { field: "sealed", bytes, expected })
    }
}

/// Checks the length of a sealing key. Whether it is one is found out by who seals with it.
pub(super) fn validate_key(key: &[u8]) -> Result<(), Error> {
    if key.len() == SEALING_KEY_BYTES {
        return Ok(());
    }
    Err(Error::Identity { reason: "its sealing key has another length than 1,216 bytes" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> SealedMessage {
        SealedMessage { to: AuthorId::from_bytes([1; 32]), sealed: vec![0; bytes] }
    }

    #[test]
    fn a_message_has_one_of_three_lengths() {
        for bytes in [1_392, 2_160, 5_232] {
            assert_eq!(message(bytes).validate(), Ok(()), "{bytes}");
        }
        for bytes in [0, 1_391, 1_393, 4_096, 5_233] {
            assert_eq!(message(bytes).validate().unwrap_err().code(), "vertex-range", "{bytes}");
        }
    }

    #[test]
    fn a_sealing_key_has_one_length() {
        assert_eq!(validate_key(&[0; SEALING_KEY_BYTES]), Ok(()));
        for bytes in [0, SEALING_KEY_BYTES - 1, SEALING_KEY_BYTES + 1] {
            assert!(validate_key(&vec![0; bytes]).is_err(), "{bytes}");
        }
    }
}
