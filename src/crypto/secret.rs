//! Bytes that must not outlive their use.
//!
//! A [`Secret`] keeps its bytes in one heap block, so that moving the value moves a pointer and
//! leaves no copy of the bytes on an old stack frame; the block is overwritten with zeros when the
//! value is dropped. It has no `Clone`, no comparison and a `Debug` that prints nothing of it.
//!
//! What it does not do: it cannot erase copies that the caller made before handing the bytes over,
//! what the allocator swapped to disk, or the copies a JavaScript host keeps.

use std::fmt;

use zeroize::ZeroizeOnDrop;

/// `N` secret bytes, zeroed when dropped and never printed.
///
/// ```
/// use synaptic_mesh::crypto::secret::Secret;
///
/// let secret = Secret::copy_from(&[7; 32]);
/// assert_eq!(secret.expose(), &[7; 32]);
/// assert_eq!(format!("{secret:?}"), "Secret(32 bytes, redacted)");
/// ```
#[derive(ZeroizeOnDrop)]
pub struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// Copies the secret out of a longer buffer, which stays the caller's to erase.
    pub fn copy_from(bytes: &[u8; N]) -> Self {
        let mut secret = Self(Box::new([0; N]));
        secret.0.copy_from_slice(bytes);
        secret
    }

    /// The bytes themselves. The name is long on purpose: each call is a place to look at.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({N} bytes, redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_length_and_nothing_else() {
        let text = format!("{:?}", Secret::copy_from(&[0xab; 64]));
        assert_eq!(text, "Secret(64 bytes, redacted)");
    }

    #[test]
    fn copying_leaves_the_same_bytes() {
        assert_eq!(Secret::copy_from(&[3; 32]).expose(), &[3; 32]);
    }
}
