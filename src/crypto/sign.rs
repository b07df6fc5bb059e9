//! Composite signatures: ML-DSA-65 **and** Ed25519, one key, one signature.
//!
//! Exactly `id-MLDSA65-Ed25519-SHA512` of the IETF draft *Composite ML-DSA for use in X.509 PKI*
//! (draft-ietf-lamps-pq-composite-sigs), whose published vectors are in `tests/vectors`. The
//! signature holds as long as one of the two schemes does: a quantum computer ends Ed25519, a
//! mistake in the young lattice scheme or its code ends ML-DSA, and an attacker needs both.
//!
//! ```text
//! M'        = "CompositeAlgorithmSignatures2025" || LABEL || len(ctx) || ctx || SHA-512(M)
//! signature = ML-DSA-65.Sign(M', context = LABEL) || Ed25519.Sign(M')        3309 + 64 bytes
//! key       = ML-DSA-65 public key || Ed25519 public key                     1952 + 32 bytes
//! ```
//!
//! A signature verifies only if both halves do; the Ed25519 half is checked strictly (RFC 8032
//! with canonical encodings and no small-order keys). Every use has its own [`Context`], so a
//! signature made for one purpose never passes for another. Signing is hedged: fresh randomness
//! goes into the ML-DSA half, and a broken random source degrades it to the deterministic variant
//! instead of leaking the key.
//!
//! Costs, one core of a shared EPYC machine: sign 0.7 ms, verify 0.3 ms natively; 1.1 and 0.4 ms
//! in wasm. What this does not do: the draft forbids reusing a component key elsewhere, so the
//! libp2p transport key is a separate key; and wasm gives no constant-time guarantee.

mod backend;
#[cfg(feature = "sim")]
pub mod stub;

use std::fmt;
use std::sync::Arc;

use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha512};
use zeroize::Zeroize;

use backend::{Fips204, MlDsa65};

/// The ML-DSA implementation in use; see decision record 0003.
type Backend = Fips204;

/// Bytes of the secret a key grows from: ML-DSA seed (32), then Ed25519 seed (32).
pub const SEEDS_BYTES: usize = 64;
/// Bytes of a composite public key: ML-DSA-65 (1952), then Ed25519 (32).
pub const PUBLIC_KEY_BYTES: usize = backend::PUBLIC_KEY_BYTES + ED25519_KEY_BYTES;
/// Bytes of a composite signature: ML-DSA-65 (3309), then Ed25519 (64).
pub const SIGNATURE_BYTES: usize = backend::SIGNATURE_BYTES + ED25519_SIGNATURE_BYTES;
/// The number this project gives to the suite `id-MLDSA65-Ed25519-SHA512`.
pub const SUITE: u8 = 1;

const ED25519_KEY_BYTES: usize = 32;
const ED25519_SIGNATURE_BYTES: usize = 64;
/// Domain separator of the draft, section "Composite ML-DSA".
const PREFIX: &[u8] = b"CompositeAlgorithmSignatures2025";
/// The draft's label of this suite; it is the ML-DSA context as well.
const LABEL: &[u8] = b"COMPSIG-MLDSA65-Ed25519-SHA512";

const _: () = assert!(PUBLIC_KEY_BYTES == 1984, "the draft's table of sizes");
const _: () = assert!(SIGNATURE_BYTES == 3373, "the draft's table of sizes");

/// What a signature is for. Each use signs under its own context string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// The bytes of a DAG vertex.
    Vertex,
    /// The tie between an author and a transport key.
    Binding,
    /// A certified cut of the history.
    Checkpoint,
    /// An answer in a poll.
    Poll,
    /// The handshake of a connection.
    Channel,
    /// A capability to enter a permissioned network.
    Invite,
}

impl Context {
    /// The context string that is signed with the message.
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Vertex => b"synaptic-mesh/vertex/v1",
            Self::Binding => b"synaptic-mesh/binding/v1",
            Self::Checkpoint => b"synaptic-mesh/checkpoint/v2",
            Self::Poll => b"synaptic-mesh/poll/v1",
            Self::Channel => b"synaptic-mesh/channel/v1",
            Self::Invite => b"synaptic-mesh/invite/v1",
        }
    }
}

/// Why a key or a signature was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The ML-DSA-65 half does not verify.
    #[error("the ML-DSA-65 half of the signature does not verify; drop the message")]
    MlDsa,
    /// The Ed25519 half does not verify.
    #[error("the Ed25519 half of the signature does not verify; drop the message")]
    Ed25519,
    /// The bytes are no key or signature of this suite.
    #[error("{what} is malformed: {found} bytes where {expected} valid ones are needed")]
    Malformed {
        /// What was being read.
        what: &'static str,
        /// Bytes the suite prescribes.
        expected: usize,
        /// Bytes that were there.
        found: usize,
    },
}

impl Error {
    /// Stable name of the cause.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MlDsa => "signature-ml-dsa",
            Self::Ed25519 => "signature-ed25519",
            Self::Malformed { .. } => "signature-malformed",
        }
    }
}

/// A composite private key, expanded for signing; its parts are zeroed when dropped.
pub struct SigningKey {
    private: Private,
    public: PublicKey,
}

/// What signs.
enum Private {
    Composite {
        ml_dsa: <Backend as MlDsa65>::Signer,
        ed25519: Box<ed25519_dalek::SigningKey>,
    },
    #[cfg(feature = "sim")]
    Stub,
}

impl SigningKey {
    /// Grows the key from its seeds: 32 bytes for ML-DSA, then 32 for Ed25519, as the draft
    /// serialises a private key. The same seeds give the same key.
    pub fn from_seeds(seeds: &[u8; SEEDS_BYTES]) -> Self {
        #[cfg(feature = "sim")]
        if let Some(stub) = stub::signing_key(seeds) {
            return stub;
        }
        let mut ml_dsa_seed = [0; 32];
        let mut ed25519_seed = [0; 32];
        let (first, second) = seeds.split_at(32);
        ml_dsa_seed.copy_from_slice(first);
        ed25519_seed.copy_from_slice(second);

        let (ml_dsa, ml_dsa_public) = Backend::generate(&ml_dsa_seed);
        let ed25519 = ed25519_dalek::SigningKey::from_bytes(&ed25519_seed);
        ml_dsa_seed.zeroize();
        ed25519_seed.zeroize();

        let mut bytes = [0; PUBLIC_KEY_BYTES];
        let (ml_dsa_part, ed25519_part) = bytes.split_at_mut(backend::PUBLIC_KEY_BYTES);
        ml_dsa_part.copy_from_slice(&ml_dsa_public);
        ed25519_part.copy_from_slice(ed25519.verifying_key().as_bytes());
        let expanded = Expanded::Composite {
            ml_dsa: expand_own(&ml_dsa_public),
            ed25519: Box::new(ed25519.verifying_key()),
        };
        let public = PublicKey(Arc::new(Key { bytes, expanded }));
        Self { private: Private::Composite { ml_dsa, ed25519: Box::new(ed25519) }, public }
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message` for the use `context`. `hedge` is fresh randomness; the same hedge gives
    /// the same signature.
    pub fn sign(&self, context: Context, message: &[u8], hedge: [u8; 32]) -> Signature {
        self.sign_raw(context.as_bytes(), message, hedge)
    }

    fn sign_raw(&self, context: &[u8], message: &[u8], mut hedge: [u8; 32]) -> Signature {
        let (ml_dsa, ed25519) = match &self.private {
            Private::Composite { ml_dsa, ed25519 } => (ml_dsa, ed25519),
            #[cfg(feature = "sim")]
            Private::Stub => return stub::sign(&self.public, context, message),
        };
        let representative = representative(context, message);
        let ml_dsa = Backend::sign(ml_dsa, &representative, LABEL, &hedge);
        hedge.zeroize();
        let ed25519 = ed25519.sign(&representative);
        let mut bytes = [0; SIGNATURE_BYTES];
        let (ml_dsa_part, ed25519_part) = bytes.split_at_mut(backend::SIGNATURE_BYTES);
        ml_dsa_part.copy_from_slice(&ml_dsa);
        ed25519_part.copy_from_slice(&ed25519.to_bytes());
        Signature(Arc::new(bytes))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(redacted)")
    }
}

/// A composite public key, both parts decoded and expanded for verification (about 8 KiB). Clones
/// share it.
#[derive(Clone)]
pub struct PublicKey(Arc<Key>);

struct Key {
    bytes: [u8; PUBLIC_KEY_BYTES],
    expanded: Expanded,
}

/// What verifies.
enum Expanded {
    Composite {
        ml_dsa: <Backend as MlDsa65>::Verifier,
        ed25519: Box<ed25519_dalek::VerifyingKey>,
    },
    #[cfg(feature = "sim")]
    Stub,
}

impl PublicKey {
    /// Reads the 1984 bytes of a key.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the length is wrong, the Ed25519 part is not a point of the
    /// curve, or is one of small order (with which one signature fits every message).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        #[cfg(feature = "sim")]
        return stub::shared(bytes, Self::expand);
        #[cfg(not(feature = "sim"))]
        Self::expand(bytes)
    }

    fn expand(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = || Error::Malformed {
            what: "the composite public key",
            expected: PUBLIC_KEY_BYTES,
            found: bytes.len(),
        };
        let bytes: [u8; PUBLIC_KEY_BYTES] = bytes.try_into().map_err(|_| malformed())?;
        let (ml_dsa, ed25519) =
            bytes.split_first_chunk::<{ backend::PUBLIC_KEY_BYTES }>().ok_or_else(malformed)?;
        let ed25519: &[u8; ED25519_KEY_BYTES] = ed25519.try_into().map_err(|_| malformed())?;
        let ml_dsa = Backend::verifier(ml_dsa).ok_or_else(malformed)?;
        let ed25519 = ed25519_dalek::VerifyingKey::from_bytes(ed25519).map_err(|_| malformed())?;
        if ed25519.is_weak() {
            return Err(malformed());
        }
        let expanded = Expanded::Composite { ml_dsa, ed25519: Box::new(ed25519) };
        Ok(Self(Arc::new(Key { bytes, expanded })))
    }

    /// The 1984 bytes of the key.
    pub fn as_bytes(&self) -> &[u8; PUBLIC_KEY_BYTES] {
        &self.0.bytes
    }

    /// Verifies both halves of `signature` over `message` for the use `context`. The Ed25519 half
    /// comes first: it is the cheaper one, so a forger pays us the least work.
    ///
    /// # Errors
    /// [`Error::Ed25519`] or [`Error::MlDsa`] for the half that failed.
    pub fn verify(
        &self,
        context: Context,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), Error> {
        self.verify_raw(context.as_bytes(), message, signature)
    }

    fn verify_raw(
        &self,
        context: &[u8],
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), Error> {
        let (ml_dsa_key, ed25519_key) = match &self.0.expanded {
            Expanded::Composite { ml_dsa, ed25519 } => (ml_dsa, ed25519),
            #[cfg(feature = "sim")]
            Expanded::Stub => return stub::verify(self, context, message, signature),
        };
        let representative = representative(context, message);
        let (ml_dsa, ed25519) = signature.halves();
        ed25519_key
            .verify_strict(&representative, &ed25519_dalek::Signature::from_bytes(ed25519))
            .map_err(|_| Error::Ed25519)?;
        if Backend::verify(ml_dsa_key, &representative, LABEL, ml_dsa) {
            Ok(())
        } else {
            Err(Error::MlDsa)
        }
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, _) = self.as_bytes().split_at(4);
        write!(f, "PublicKey({}..)", data_encoding::HEXLOWER.encode(start))
    }
}

/// A composite signature. Having one says nothing about its validity. Clones share the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature(Arc<[u8; SIGNATURE_BYTES]>);

impl Signature {
    /// Takes the 3373 bytes of a signature.
    ///
    /// # Errors
    /// [`Error::Malformed`] when there are more or fewer bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        match <[u8; SIGNATURE_BYTES]>::try_from(bytes) {
            Ok(bytes) => Ok(Self(Arc::new(bytes))),
            Err(_) => Err(Error::Malformed {
                what: "the composite signature",
                expected: SIGNATURE_BYTES,
                found: bytes.len(),
            }),
        }
    }

    /// The 3373 bytes of the signature.
    pub fn as_bytes(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.0
    }

    fn halves(&self) -> (&[u8; backend::SIGNATURE_BYTES], &[u8; ED25519_SIGNATURE_BYTES]) {
        const PROOF: &str = "the lengths of the halves add up to the signature's length";
        let (ml_dsa, rest) = self.0.split_first_chunk().expect(PROOF);
        (ml_dsa, rest.try_into().expect(PROOF))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, _) = self.0.split_at(4);
        write!(f, "Signature({}..)", data_encoding::HEXLOWER.encode(start))
    }
}

/// Expands a public key that was generated a moment ago.
fn expand_own(public_key: &[u8; backend::PUBLIC_KEY_BYTES]) -> <Backend as MlDsa65>::Verifier {
    Backend::verifier(public_key).expect("a generated key is well formed")
}

/// `M'` of the draft: what both component schemes sign.
fn representative(context: &[u8], message: &[u8]) -> Vec<u8> {
    let context_bytes = u8::try_from(context.len()).expect("a context has at most 255 bytes");
    let mut bytes = Vec::with_capacity(PREFIX.len() + LABEL.len() + 1 + context.len() + 64);
    bytes.extend_from_slice(PREFIX);
    bytes.extend_from_slice(LABEL);
    bytes.push(context_bytes);
    bytes.extend_from_slice(context);
    bytes.extend_from_slice(&Sha512::digest(message));
    bytes
}

#[cfg(test)]
mod tests;
