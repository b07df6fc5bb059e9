//! What a committee certifies for those who do not have the history.

use serde::{Deserialize, Serialize};

use crate::crypto::hash::Digest;
use crate::crypto::sign::{Context, PublicKey, Signature, SigningKey};
use crate::dag::vote::Seats;
use crate::dag::{Citation, cbor};
use crate::identity::NetworkId;

/// Domain of the names of checkpoints.
const CHECKPOINT_DOMAIN: &str = "synaptic-mesh 2026 checkpoint v2";
/// Domain of the root of a frontier.
const FRONTIER_DOMAIN: &str = "synaptic-mesh 2026 frontier v1";

/// A cut of the history and of what was decided. Each holds the hash of the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The network.
    pub network: NetworkId,
    /// The epoch whose committee signs it.
    pub epoch: u64,
    /// Its place among the checkpoints of the network, from 1.
    pub height: u64,
    /// Name of the one before; 32 zero bytes at height 1.
    #[serde(with = "serde_bytes")]
    pub prev: [u8; 32],
    /// Root of the state that all decisions up to here lead to.
    #[serde(with = "serde_bytes")]
    pub state_root: [u8; 32],
    /// Decisions up to here (count).
    pub decided: u64,
    /// Root of the mountain range of these decisions, in the order of checkpoints and keys.
    #[serde(with = "serde_bytes")]
    pub decided_root: [u8; 32],
    /// Hash of the ids of the frontier: vertices whose causal past is what was seen.
    #[serde(with = "serde_bytes")]
    pub frontier_root: [u8; 32],
    /// The committee of the next epoch, if this checkpoint ends its own.
    pub next: Option<Seats>,
    /// Digest of the snapshot ([`crate::snapshot::Manifest`]) at this height, in what members sign.
    /// 32 zero bytes in what the engine keeps, which does not hold the history.
    #[serde(with = "serde_bytes")]
    pub snapshot: [u8; 32],
}

impl Checkpoint {
    /// Its name, which does not depend on the snapshot.
    pub fn id(&self) -> [u8; 32] {
        Digest::derive(CHECKPOINT_DOMAIN, &[&self.sealed([0; 32]).encode()]).0
    }

    /// The same with the digest of a snapshot: what is signed.
    #[must_use]
    pub fn sealed(&self, snapshot: [u8; 32]) -> Self {
        Self { snapshot, ..self.clone() }
    }

    /// The signed bytes.
    fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("byte strings and numbers always encode")
    }

    /// A member's signature over all of it. `hedge` is fresh randomness.
    pub fn sign(&self, key: &SigningKey, hedge: [u8; 32]) -> Signature {
        key.sign(Context::Checkpoint, &self.encode(), hedge)
    }

    /// Verifies a member's signature.
    ///
    /// # Errors
    /// The half that does not verify.
    pub fn verify(
        &self,
        key: &PublicKey,
        signature: &Signature,
    ) -> Result<(), crate::crypto::sign::Error> {
        key.verify(Context::Checkpoint, &self.encode(), signature)
    }

    /// The hash that [`Checkpoint::frontier_root`] is of the ids of these, which are ascending.
    pub fn root_of_frontier(frontier: &[Citation]) -> [u8; 32] {
        let bytes: Vec<u8> = frontier.iter().flat_map(|cited| cited.id.to_cid_bytes()).collect();
        Digest::derive(FRONTIER_DOMAIN, &[&bytes]).0
    }
}
