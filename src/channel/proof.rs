//! Who speaks: the message by which a side proves its author and its transport key.
//!
//! ```text
//! offset  bytes
//!      0      1   offers: the channels this side would have taken, one bit each
//!      1  1,984   the author's composite public key
//!  1,985     32   the transport key (Ed25519)
//!  2,017     64   the transport key's signature
//!  2,081  3,373   the author's composite signature
//! ```
//!
//! Both keys sign the same claim, so that neither can be paired with a stranger's: the role, the
//! handshake's hash, the offers and both names of the signer, and, in the initiator's, both names
//! of the responder it means to talk to. The responder's cannot name the initiator, whom it does
//! not know yet; the hash stands for it, because nobody else holds the keys of this handshake.
//!
//! The transport key's signature matters because a peer id that is merely *named* could be
//! anybody's; the author's because Ed25519 alone falls to a quantum computer.

use std::fmt;
use std::sync::Arc;

use ed25519_dalek::Signer as _;
use serde_bytes::Bytes;

use super::noise::HASH_BYTES;
use super::{Error, Peer};
use crate::crypto::sign::{
    Context, PUBLIC_KEY_BYTES, PublicKey, SIGNATURE_BYTES, Signature, SigningKey,
};
use crate::identity::{AuthorId, TransportId};

const TRANSPORT_KEY_BYTES: usize = 32;
const TRANSPORT_SIGNATURE_BYTES: usize = 64;
/// Bytes of a proof.
pub(super) const PROOF_BYTES: usize =
    1 + PUBLIC_KEY_BYTES + TRANSPORT_KEY_BYTES + TRANSPORT_SIGNATURE_BYTES + SIGNATURE_BYTES;
/// What stands before the claim when the transport key signs it: Ed25519 has no contexts.
const TRANSPORT_DOMAIN: &[u8] = b"synaptic-mesh/channel/transport/v1";

/// Makes an author's signatures. The channel holds no author key: whoever keeps it lends this.
pub trait Signer {
    /// The author's key.
    fn public(&self) -> &PublicKey;

    /// A signature in the context of channels; `hedge` is fresh randomness.
    fn sign(&self, claim: &[u8], hedge: [u8; 32]) -> Signature;
}

impl Signer for SigningKey {
    fn public(&self) -> &PublicKey {
        Self::public(self)
    }

    fn sign(&self, claim: &[u8], hedge: [u8; 32]) -> Signature {
        Self::sign(self, Context::Channel, claim, hedge)
    }
}

/// The channels a side would take, one bit each, weaker ones lower.
///
/// The negotiation of protocols (multistream-select) is not authenticated, so somebody in between
/// may strike out the best. Each side therefore signs what it offered, and both refuse a channel
/// that is not the best they have in common. This binds every choice in which a hybrid channel was
/// made; libp2p's noise has no room for it, and is not offered unless the configuration allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offers(u8);

impl Offers {
    /// libp2p's noise.
    pub const CLASSICAL: Self = Self(1);
    /// This protocol.
    pub const HYBRID: Self = Self(2);

    /// From the byte of a proof. Unknown bits are channels of later versions.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The byte of a proof.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `taken` is the best of what both sides offer.
    pub const fn agree_on(self, theirs: Self, taken: Self) -> bool {
        let common = self.0 & theirs.0;
        common.leading_zeros() == taken.0.leading_zeros()
    }
}

/// Which side of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Initiator,
    Responder,
}

/// What a side proves itself with.
#[derive(Clone)]
pub struct Credentials {
    signer: Arc<dyn Signer + Send + Sync>,
    transport: Arc<ed25519_dalek::SigningKey>,
    offers: Offers,
    own: Peer,
}

impl Credentials {
    /// With an author's signer, the seed of the transport key and the channels on offer.
    pub fn new(
        signer: Arc<dyn Signer + Send + Sync>,
        transport_seed: &[u8; 32],
        offers: Offers,
    ) -> Self {
        let transport = ed25519_dalek::SigningKey::from_bytes(transport_seed);
        let own = Peer {
            author: AuthorId::of(signer.public()),
            transport: TransportId::of_ed25519(transport.verifying_key().as_bytes()),
        };
        Self { signer, transport: Arc::new(transport), offers, own }
    }

    /// Who this is.
    pub fn own(&self) -> &Peer {
        &self.own
    }

    /// What is on offer.
    pub fn offers(&self) -> Offers {
        self.offers
    }

    /// The proof for the handshake `hash`; an initiator says to whom.
    pub(super) fn prove(
        &self,
        role: Role,
        hash: &[u8; HASH_BYTES],
        to: Option<&Peer>,
        hedge: [u8; 32],
    ) -> Vec<u8> {
        let claim = claim(role, hash, self.offers, &self.own, to);
        let mut proof = Vec::with_capacity(PROOF_BYTES);
        proof.push(self.offers.bits());
        proof.extend_from_slice(self.signer.public().as_bytes());
        proof.extend_from_slice(self.transport.verifying_key().as_bytes());
        proof.extend_from_slice(&self.transport.sign(&of_transport(&claim)).to_bytes());
        proof.extend_from_slice(self.signer.sign(&claim, hedge).as_bytes());
        proof
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("own", &self.own).finish_non_exhaustive()
    }
}

/// Checks a proof of a peer in `role`, whose offers are compared with `ours`. The cheap checks come
/// first: a forger pays us the least work.
pub(super) fn verify(
    proof: &[u8],
    role: Role,
    hash: &[u8; HASH_BYTES],
    to: Option<&Peer>,
    ours: Offers,
) -> Result<Peer, Error> {
    let length = || Error::Length { what: "a proof", expected: PROOF_BYTES, found: proof.len() };
    let proof: &[u8; PROOF_BYTES] = proof.try_into().map_err(|_| length())?;
    let (&offers, rest) = proof.split_first().ok_or_else(length)?;
    let (author, rest) = rest.split_at(PUBLIC_KEY_BYTES);
    let (transport, rest) = rest.split_first_chunk().ok_or_else(length)?;
    let (by_transport, by_author) = rest.split_first_chunk().ok_or_else(length)?;

    let offers = Offers::from_bits(offers);
    let author = PublicKey::from_bytes(author)?;
    let peer =
        Peer { author: AuthorId::of(&author), transport: TransportId::of_ed25519(transport) };
    let claim = claim(role, hash, offers, &peer, to);
    ed25519_dalek::VerifyingKey::from_bytes(transport)
        .ok()
        .filter(|key| !key.is_weak())
        .and_then(|key| {
            let signature = ed25519_dalek::Signature::from_bytes(by_transport);
            key.verify_strict(&of_transport(&claim), &signature).ok()
        })
        .ok_or(Error::Transport)?;
    author.verify(Context::Channel, &claim, &Signature::from_bytes(by_author)?)?;
    if !ours.agree_on(offers, Offers::HYBRID) {
        return Err(Error::Downgraded);
    }
    Ok(peer)
}

/// What is signed: DAG-CBOR of `[role, hash, offers, author, transport, [author, transport] of the
/// responder or null]`, with role 0 for the initiator and 1 for the responder.
fn claim(
    role: Role,
    hash: &[u8; HASH_BYTES],
    offers: Offers,
    signer: &Peer,
    to: Option<&Peer>,
) -> Vec<u8> {
    let role: u8 = match role {
        Role::Initiator => 0,
        Role::Responder => 1,
    };
    let to = to.map(|to| (&to.author, &to.transport));
    let fields = (role, Bytes::new(hash), offers.bits(), &signer.author, &signer.transport, to);
    serde_ipld_dagcbor::to_vec(&fields).expect("byte strings and integers always encode")
}

fn of_transport(claim: &[u8]) -> Vec<u8> {
    [TRANSPORT_DOMAIN, claim].concat()
}
