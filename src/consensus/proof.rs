//! Certificates and proofs for who has no history: from a committee that is trusted, through
//! every change of committee, to one decision.
//!
//! ```text
//!  trusted committee -> certificate that names the next one -> ... -> certificate of a checkpoint
//!                                                                       | decided_root
//!                                                                       v
//!                                                     path of the mountain range -> decision
//! ```
//!
//! Each certificate is a checkpoint with composite signatures of a quorum. They are signatures of
//! their own and not those of vertices, which cover `[network, author, seq, link]` only: a proof by
//! vertices would carry every voter's whole vertex. Signing once per checkpoint keeps that price
//! off the decisions. Public keys travel once per proof; the committee names their hashes.
//!
//! Sizes: 3,378 bytes a signature and 1,987 a key, so 17 KiB per certificate at 7 equal members
//! and 72 KiB at 31. Reading is total and bounded; verifying costs one composite verification
//! (0.3 ms natively, 0.4 in wasm) per signature of a quorum.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::committee::Voters;
use super::mmr::Path;
use super::{Checkpoint, Committee, Error, leaf};
use crate::crypto::sign::{PublicKey, Signature};
use crate::dag::cbor;
use crate::dag::vote::{CheckpointSignature, Decision};
use crate::identity::{AuthorId, NetworkId};
use crate::limits;

/// Bounds of an encoded proof.
const BOUNDS: cbor::Bounds = cbor::Bounds {
    bytes_max: limits::PROOF_BYTES_MAX,
    // A certificate with a whole committee as signers and as the next committee, 600 items.
    items_max: limits::PROOF_EPOCHS_MAX * 600,
    depth_max: 8,
};

/// A checkpoint and the signatures of a quorum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// What is certified.
    pub checkpoint: Checkpoint,
    /// Signers by their places in the committee, ascending.
    pub signatures: Vec<(u32, CheckpointSignature)>,
}

/// Why a decision stands, for who trusts an earlier committee.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Composite public keys of all signers, 1984 bytes each, in any order.
    pub keys: Vec<ByteBuf>,
    /// Certificates that end an epoch each, in order; none while the trusted committee decides.
    pub epochs: Vec<Certificate>,
    /// The checkpoint that holds the decision.
    pub last: Certificate,
    /// The decision.
    pub decision: Decision,
    /// Why it is in the checkpoint.
    pub path: Path,
}

/// A certificate with the keys that it takes to verify it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Composite public keys of all signers, 1984 bytes each, in any order.
    pub keys: Vec<ByteBuf>,
    /// The certificate.
    pub certificate: Certificate,
}

impl Sealed {
    /// Its canonical bytes.
    ///
    /// # Panics
    /// Never: a certificate always encodes.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("byte strings, numbers and links always encode")
    }

    /// Reads canonical bytes, at most [`limits::RESPONSE_BYTES_MAX`], and believes none of them.
    ///
    /// # Errors
    /// [`Error::Encoding`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let bounds = cbor::Bounds { bytes_max: limits::RESPONSE_BYTES_MAX, ..BOUNDS };
        Ok(cbor::decode(bytes, &bounds)?)
    }

    /// Verifies that a committee that is trusted signed the checkpoint, as one of its epoch; gives
    /// the checkpoint.
    ///
    /// # Errors
    /// [`Error`] names the first thing that is wrong.
    pub fn verify(self, network: &NetworkId, committee: &Committee) -> Result<Checkpoint, Error> {
        let Self { keys, certificate } = self;
        if certificate.checkpoint.network != *network {
            return refuse("it is about another network");
        }
        if keys.len() > certificate.signatures.len() {
            return refuse("it has more keys than signers");
        }
        certificate.verify(committee, &read_keys(&keys)?)?;
        Ok(certificate.checkpoint)
    }
}

/// Where trust begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Genesis {
    /// The network.
    pub network: NetworkId,
    /// The committee of the network's start, or of any later epoch that is known to be right.
    pub committee: Committee,
    /// The lowest height that is accepted (count). Members of long ago may have sold their keys:
    /// who was away for longer asks somebody trusted for a later committee.
    pub height_min: u64,
}

impl Certificate {
    /// Makes a certificate of what members wrote, of no more signatures than it needs; those
    /// that do not verify are left out.
    ///
    /// # Errors
    /// [`Error::Weight`] when the valid ones are no quorum yet.
    pub fn collect<'a>(
        checkpoint: &Checkpoint,
        committee: &Committee,
        key: impl Fn(&AuthorId) -> Option<&'a PublicKey>,
        signatures: &BTreeMap<AuthorId, Signature>,
    ) -> Result<Self, Error> {
        let (mut voters, mut valid) = (Voters::default(), Vec::new());
        for (author, signature) in signatures {
            if committee.is_quorum(voters) {
                break;
            }
            let (Some(place), Some(key)) = (committee.place(author), key(author)) else { continue };
            if checkpoint.verify(key, signature).is_ok() && voters.insert(place) {
                let place = u32::try_from(place).unwrap_or(u32::MAX);
                valid.push((place, CheckpointSignature(signature.clone())));
            }
        }
        check_weight(checkpoint, committee, voters)?;
        Ok(Self { checkpoint: checkpoint.clone(), signatures: valid })
    }

    /// Verifies that members of `committee` with the weight of a quorum signed the checkpoint, as
    /// one of their epoch.
    ///
    /// # Errors
    /// [`Error::Proof`], [`Error::Signature`] or [`Error::Weight`].
    pub fn verify(
        &self,
        committee: &Committee,
        keys: &BTreeMap<AuthorId, PublicKey>,
    ) -> Result<(), Error> {
        let (checkpoint, mut voters) = (&self.checkpoint, Voters::default());
        if checkpoint.epoch != committee.epoch() {
            return refuse("a certificate is of another epoch than its committee");
        }
        let places = self.signatures.iter().map(|(place, _)| *place);
        if !places.clone().zip(places.skip(1)).all(|(left, right)| left < right) {
            return refuse("a certificate's signers are not in ascending order");
        }
        // Who lacks the weight costs no signature check.
        let mut signers = Vec::new();
        for (place, signature) in &self.signatures {
            let place = usize::try_from(*place).unwrap_or(usize::MAX);
            let Some((author, _)) = committee.members().get(place) else {
                return refuse("a certificate has a signer that is no member");
            };
            let Some(key) = keys.get(author) else {
                return refuse("the key of a signer is missing");
            };
            voters.insert(place);
            signers.push((key, &signature.0));
        }
        check_weight(checkpoint, committee, voters)?;
        let height = checkpoint.height;
        signers.into_iter().try_for_each(|(key, signature)| {
            checkpoint.verify(key, signature).map_err(|source| Error::Signature { height, source })
        })
    }
}

impl Proof {
    /// Its canonical bytes.
    ///
    /// # Panics
    /// Never: a proof always encodes.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("byte strings, numbers and links always encode")
    }

    /// Reads the canonical bytes of a proof and nothing else.
    ///
    /// # Errors
    /// [`Error::Encoding`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Ok(cbor::decode(bytes, &BOUNDS)?)
    }
}

/// Verifies a proof from nothing but what is trusted; gives the decision and the checkpoint that
/// holds it.
///
/// # Errors
/// [`Error`] names the first thing that is wrong: bytes that are no proof, another network, a
/// checkpoint that is too old, a broken chain of committees, too little weight, a signature that
/// does not verify, or a path that does not lead to the certified root.
pub fn verify_proof(genesis: &Genesis, bytes: &[u8]) -> Result<(Decision, Checkpoint), Error> {
    let proof = Proof::decode(bytes)?;
    let keys = read_keys(&proof.keys)?;
    let (mut committee, mut height) = (genesis.committee.clone(), 0);
    for certificate in &proof.epochs {
        check_place(certificate, genesis, &mut height)?;
        certificate.verify(&committee, &keys)?;
        let Some(seats) = &certificate.checkpoint.next else {
            return refuse("a certificate that should end an epoch names no committee");
        };
        if committee.epoch().checked_add(1) != Some(seats.epoch) {
            return refuse("a committee is for another epoch than the next");
        }
        committee = Committee::of_seats(seats)?;
    }
    check_place(&proof.last, genesis, &mut height)?;
    let checkpoint = &proof.last.checkpoint;
    if checkpoint.height < genesis.height_min {
        return refuse("the checkpoint is older than what is accepted; ask for a newer proof");
    }
    let root = proof.path.root(&leaf(&proof.decision));
    if proof.path.leaves != checkpoint.decided || root != Some(checkpoint.decided_root) {
        return refuse("the decision is not in the checkpoint");
    }
    proof.last.verify(&committee, &keys)?;
    Ok((proof.decision, proof.last.checkpoint))
}

fn read_keys(keys: &[ByteBuf]) -> Result<BTreeMap<AuthorId, PublicKey>, Error> {
    let key = |bytes: &ByteBuf| {
        let key = PublicKey::from_bytes(bytes)
            .map_err(|source| Error::Signature { height: 0, source })?;
        Ok((AuthorId::of(&key), key))
    };
    keys.iter().map(key).collect()
}

/// Certificates are of the network, and each is above the one before.
fn check_place(
    certificate: &Certificate,
    genesis: &Genesis,
    height: &mut u64,
) -> Result<(), Error> {
    if certificate.checkpoint.network != genesis.network {
        return refuse("it is about another network");
    }
    if certificate.checkpoint.height <= *height {
        return refuse("the certificates are not in the order of their heights");
    }
    *height = certificate.checkpoint.height;
    Ok(())
}

fn check_weight(
    checkpoint: &Checkpoint,
    committee: &Committee,
    voters: Voters,
) -> Result<(), Error> {
    if committee.is_quorum(voters) {
        return Ok(());
    }
    let (weight, quorum) = (committee.weight(voters), committee.quorum());
    Err(Error::Weight { height: checkpoint.height, weight, quorum })
}

fn refuse<T>(reason: &'static str) -> Result<T, Error> {
    Err(Error::Proof { reason })
}
