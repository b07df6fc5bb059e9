//! Proofs of finality for who has no history: certificates out of what members signed.
//!
//! A proof needs the certificate of a checkpoint that holds the decision, and one for each epoch
//! that ended before it. Members sign on their own, a moment after the checkpoint is decided, so a
//! decision can be proven a while after it is final ([`crate::consensus::verify_proof`]).

use std::collections::{BTreeMap, BTreeSet};

use serde_bytes::ByteBuf;

use super::Node;
use super::finality::no_proof;
use crate::consensus::mmr::Path;
use crate::consensus::{Certificate, Checkpoint, Committee, Error, Proof};
use crate::crypto::sign::PublicKey;
use crate::dag::cbor;
use crate::dag::vote::{ConflictKey, Decision, ItemId};
use crate::event::{ItemState, Problem};
use crate::identity::AuthorId;

/// Checkpoints that are tried for one that enough members signed (count): a minute of a busy
/// network; who signs that late is away.
const CHECKPOINTS_TRIED: usize = 8;

impl Node {
    /// The place of a decision among those that checkpoints hold.
    fn leaf_of(&self, decision: &Decision) -> Option<u64> {
        let engine = self.deciding.engine.quorum()?;
        let place = engine.certified_decisions().position(|held| held == decision);
        place.and_then(|place| engine.forgotten().checked_add(u64::try_from(place).ok()?))
    }

    /// The height of the first checkpoint that holds a decision.
    pub(super) fn height_of(&self, key: &ConflictKey, item: &ItemId) -> Option<u64> {
        let leaf = self.leaf_of(&Decision(*key, *item))?;
        let mut checkpoints = self.deciding.engine.quorum()?.checkpoints();
        checkpoints.find(|held| held.decided > leaf).map(|held| held.height)
    }

    /// The encoded [`Proof`] that an item is final.
    pub(super) fn prove(&self, text: &str) -> Result<Vec<u8>, Problem> {
        let engine = self.deciding.engine.quorum().ok_or_else(no_proof)?;
        let view = self.item_view(text)?;
        let (Some(key), ItemState::Final) = (view.keys.first(), view.state) else {
            return Err(not_final(&view.item, view.state));
        };
        let decision = Decision(*key, view.item);
        let Some(leaf) = self.leaf_of(&decision) else {
            let is_old = self.deciding.own.get(&view.item).is_some();
            return Err(if is_old {
                not_final(&view.item, ItemState::Forgotten)
            } else {
                not_certified(&view.item)
            });
        };
        let holding = engine.checkpoints().rev().take_while(|held| held.decided > leaf);
        let last = holding.take(CHECKPOINTS_TRIED).find_map(|held| self.certificate(held).ok());
        let last = last.ok_or_else(|| not_certified(&view.item))?;
        let ended = engine
            .checkpoints()
            .filter(|held| held.next.is_some() && held.epoch < last.checkpoint.epoch);
        let epochs: Result<Vec<Certificate>, Error> =
            ended.map(|held| self.certificate(held)).collect();
        let epochs = epochs.map_err(|_| not_certified(&view.item))?;
        let path = self.path(leaf, last.checkpoint.decided);
        let path = path.ok_or_else(|| not_certified(&view.item))?;
        let keys = self.signers(epochs.iter().chain([&last]));
        Ok(Proof { keys, epochs, last, decision, path }.encode())
    }

    pub(super) fn certificate(&self, checkpoint: &Checkpoint) -> Result<Certificate, Error> {
        let no_signer = BTreeMap::new();
        let engine = self.deciding.engine.quorum();
        let signatures = engine.and_then(|engine| engine.signatures(checkpoint.height));
        let signatures = signatures.unwrap_or(&no_signer);
        let reason = "its committee is not known here";
        let committee = self.committee_of(checkpoint).ok_or(Error::Proof { reason })?;
        let reason = "what is to be certified is not known here";
        if let Some(held) = self.pruning.ends.get(checkpoint) {
            return Ok(held.clone());
        }
        let checkpoint = &self.sealed(checkpoint).ok_or(Error::Proof { reason })?;
        Certificate::collect(checkpoint, committee, |author| self.key_of(author), signatures)
    }

    /// Whether enough signatures of a checkpoint are here to prove it to others.
    #[cfg(feature = "sim")]
    pub(crate) fn is_certified(&self, checkpoint: &Checkpoint) -> bool {
        self.certificate(checkpoint).is_ok()
    }

    pub(super) fn committee_of(&self, checkpoint: &Checkpoint) -> Option<&Committee> {
        self.deciding.committees.get(&checkpoint.epoch)
    }

    fn key_of(&self, author: &AuthorId) -> Option<&PublicKey> {
        self.graph.author(author).map(|chain| &chain.key)
    }

    /// The public keys of all signers, each once.
    pub(super) fn signers<'a>(
        &self,
        certificates: impl Iterator<Item = &'a Certificate>,
    ) -> Vec<ByteBuf> {
        let mut authors = BTreeSet::new();
        for certificate in certificates {
            let committee = self.committee_of(&certificate.checkpoint);
            let members = committee.map_or(&[][..], Committee::members);
            for (place, _) in &certificate.signatures {
                let place = usize::try_from(*place).unwrap_or(usize::MAX);
                authors.extend(members.get(place).map(|(author, _)| *author));
            }
        }
        let key = |author| Some(ByteBuf::from(self.key_of(author)?.as_bytes().to_vec()));
        authors.iter().filter_map(key).collect()
    }

    /// Why a leaf is among the first `leaves` of the mountain range.
    fn path(&self, leaf: u64, leaves: u64) -> Option<Path> {
        let engine = self.deciding.engine.quorum()?;
        if engine.mmr().len() == leaves {
            return engine.mmr().prove(leaf);
        }
        // An earlier checkpoint than the last: the range as it was then.
        let mut then = engine.mmr().first(engine.forgotten())?;
        let count = usize::try_from(leaves.checked_sub(engine.forgotten())?).ok()?;
        for decision in engine.certified_decisions().take(count) {
            then.append(&cbor::encode(decision).ok()?);
        }
        then.prove(leaf)
    }
}

fn not_final(item: &ItemId, state: ItemState) -> Problem {
    let (message, hint) = match state {
        ItemState::Free => (
            format!("{item} is not voted on: it conflicts with nothing"),
            "ask for a proof of a payment, a name or a committee",
        ),
        ItemState::Rejected => (
            format!("{item} lost: another item has one of its keys for good"),
            "nothing can be proven for it; make a new item",
        ),
        ItemState::Forgotten => (
            format!("{item} was decided so long ago that this node has forgotten what was decided"),
            "ask a node that keeps everything (option `history`: `all`)",
        ),
        ItemState::Pending | ItemState::Final => (
            format!("{item} is not final yet"),
            "wait for the event that says it is, then ask again",
        ),
    };
    Problem { code: "not-final", message, hint: hint.to_owned() }
}

fn not_certified(item: &ItemId) -> Problem {
    Problem {
        code: "proof-not-ready",
        message: format!(
            "{item} is final, and no checkpoint that a quorum signed holds it here yet"
        ),
        hint: "checkpoints are made every ten seconds when something was decided; try again then"
            .to_owned(),
    }
}
