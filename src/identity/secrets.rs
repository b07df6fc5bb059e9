//! The identity file: the seeds everything secret of a node grows from.
//!
//! ```text
//! offset  bytes
//!      0      4   "SMID"
//!      4      1   version, 1
//!      5      1   signature suite, 1 (ML-DSA-65 with Ed25519)
//!      6      2   zero
//!      8     64   composite seeds: ML-DSA 32, Ed25519 32
//!     72     32   transport seed: Ed25519
//!    104      8   first bytes of BLAKE3 over all before, under its own domain
//! ```
//!
//! A fixed layout, because every byte of it is secret and none may be parsed twice. The check sum
//! finds a damaged disk or a foreign file; it proves nothing about who wrote it. Where the bytes
//! rest (a file of mode 0600, a wrapped record of a browser) is the host's business.

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{AuthorId, Error, TransportId};
use crate::crypto::secret::Secret;
use crate::crypto::sign::{SEEDS_BYTES, SUITE, SigningKey};

/// Bytes of an encoded identity.
pub const SECRETS_BYTES: usize = 112;

const MAGIC: &[u8; 4] = b"SMID";
const VERSION: u8 = 1;
const TRANSPORT_SEED_BYTES: usize = 32;
/// Domain of the sealing key's seed. Changing it makes every sealed message unreadable.
const SEALING_DOMAIN: &str = "synaptic-mesh 2026 sealing key v1";
const SEALING_SEED_BYTES: usize = 32;
const CHECK_DOMAIN: &str = "synaptic-mesh 2026 identity file check v1";
const CHECK_BYTES: usize = 8;
const HEAD: [u8; 8] = [b'S', b'M', b'I', b'D', VERSION, SUITE, 0, 0];
const HEAD_BYTES: usize = HEAD.len();
const BODY_BYTES: usize = HEAD_BYTES + SEEDS_BYTES + TRANSPORT_SEED_BYTES;

const _: () = assert!(BODY_BYTES + CHECK_BYTES == SECRETS_BYTES);

/// The secret half of an identity. Zeroed when dropped; `Debug` shows nothing of it.
#[derive(Debug, ZeroizeOnDrop)]
pub struct Secrets {
    composite: Secret<SEEDS_BYTES>,
    transport: Secret<TRANSPORT_SEED_BYTES>,
}

impl Secrets {
    /// Makes an identity from 96 bytes of fresh entropy (64 for the author, 32 for the transport
    /// key). The same entropy gives the same identity.
    pub fn from_entropy(mut entropy: [u8; SEEDS_BYTES + TRANSPORT_SEED_BYTES]) -> Self {
        let secrets = Self::from_parts(&entropy);
        entropy.zeroize();
        secrets
    }

    /// Reads an identity file.
    ///
    /// # Errors
    /// [`Error::Secrets`] that says which part is wrong; never with a byte of the secret in it.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let refuse = |reason: String| Err(Error::Secrets { reason });
        if !bytes.starts_with(MAGIC) {
            return refuse(format!("its {} bytes do not begin with \"SMID\"", bytes.len()));
        }
        if let Some(version) = bytes.get(MAGIC.len())
            && *version != VERSION
        {
            return refuse(format!("it has version {version}, this program reads {VERSION}"));
        }
        let Ok(bytes) = <&[u8; SECRETS_BYTES]>::try_from(bytes) else {
            return refuse(format!("it has {} bytes instead of {SECRETS_BYTES}", bytes.len()));
        };
        let (body, check) = bytes.split_at(BODY_BYTES);
        if check != check_sum(body) {
            return refuse("its check sum does not fit, so it is damaged".to_owned());
        }
        let (head, seeds) = body.split_at(HEAD_BYTES);
        if head != HEAD {
            return refuse("its suite or reserved bytes are unknown to this program".to_owned());
        }
        Ok(Self::from_parts(seeds))
    }

    /// The bytes of the identity file, zeroed when dropped.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Reserved in full before the first secret byte: growing would leave a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(SECRETS_BYTES));
        bytes.extend_from_slice(&HEAD);
        bytes.extend_from_slice(self.composite.expose());
        bytes.extend_from_slice(self.transport.expose());
        let check = check_sum(&bytes);
        bytes.extend_from_slice(&check);
        bytes
    }

    /// Expands the author's signing key (0.3 ms).
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from_seeds(self.composite.expose())
    }

    /// Seed of the transport key, for the network driver.
    pub fn transport_seed(&self) -> &Secret<TRANSPORT_SEED_BYTES> {
        &self.transport
    }

    /// Seed of the key with which the author reads what is sealed for it, derived from the author's
    /// seeds, so that a copy of the identity file reads its messages too.
    pub fn sealing_seed(&self) -> Secret<SEALING_SEED_BYTES> {
        let mut seed = Zeroizing::new([0; SEALING_SEED_BYTES]);
        let mut hasher = blake3::Hasher::new_derive_key(SEALING_DOMAIN);
        hasher.update(self.composite.expose());
        hasher.finalize_xof().fill(seed.as_mut());
        hasher.zeroize();
        Secret::copy_from(&seed)
    }

    /// Name of the author.
    pub fn author(&self) -> AuthorId {
        AuthorId::of(self.signing_key().public())
    }

    /// Name of the transport key: the libp2p `PeerId`.
    pub fn transport_id(&self) -> TransportId {
        let key = ed25519_dalek::SigningKey::from_bytes(self.transport.expose());
        TransportId::of_ed25519(key.verifying_key().as_bytes())
    }

    fn from_parts(seeds: &[u8]) -> Self {
        const PROOF: &str = "every caller hands in 64 and 32 bytes of seeds";
        let (composite, transport) = seeds.split_first_chunk().expect(PROOF);
        Self {
            composite: Secret::copy_from(composite),
            transport: Secret::copy_from(transport.try_into().expect(PROOF)),
        }
    }
}

fn check_sum(body: &[u8]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    let mut hasher = blake3::Hasher::new_derive_key(CHECK_DOMAIN);
    hasher.update(body);
    hasher.finalize_xof().fill(&mut check);
    hasher.zeroize();
    check
}
