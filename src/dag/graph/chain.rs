//! One author's chain, and the rules a vertex has to keep towards its causal past.

use std::collections::{BTreeMap, BTreeSet};

use super::{Graph, Notice, Source};
use crate::crypto::sign::{PublicKey, SUITE};
use crate::dag::mutant::{self, Check};
use crate::dag::{EquivocationProof, Error, Payload, SignedVertex, VertexId};
use crate::identity::{AuthorId, Binding};

/// What a graph knows about one author.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The author's composite key, from its identity vertex.
    pub key: PublicKey,
    /// The author's last accepted vertex: the greatest position, then the greatest id.
    pub tip: VertexId,
    /// The position after it.
    pub next_seq: u64,
    /// The author's binding with the greatest epoch.
    pub binding: Binding,
    /// Accepted vertices that were not dropped, and the bytes of them and their signatures.
    pub(super) vertices: usize,
    pub(super) bytes: usize,
    /// Accepted vertices that were not dropped, by position. Where an author equivocated, the first
    /// that was accepted.
    slots: BTreeMap<u64, VertexId>,
}

impl Chain {
    /// The accepted vertex at a position, unless it was dropped.
    pub fn at(&self, seq: u64) -> Option<VertexId> {
        self.slots.get(&seq).copied()
    }

    /// Whether there was a vertex at a position that was dropped.
    fn is_dropped_at(&self, seq: u64) -> bool {
        seq < self.next_seq && !self.slots.contains_key(&seq)
    }

    /// A vertex of so many bytes is dropped.
    pub(super) fn drop_at(&mut self, seq: u64, id: &VertexId, bytes: usize) {
        self.vertices -= 1;
        self.bytes -= bytes;
        if self.slots.get(&seq) == Some(id) {
            self.slots.remove(&seq);
        }
    }
}

/// Whether the author's key was at hand to check a signature with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyed {
    /// The signature was verified.
    Verified,
    /// The author's identity vertex is not accepted yet.
    Unknown,
}

impl Graph {
    /// Verifies the signature if the key is known or in the vertex itself.
    pub(super) fn check_signature(&self, vertex: &SignedVertex) -> Result<Keyed, Error> {
        if let Some(chain) = self.chains.get(&vertex.vertex().author) {
            vertex.verify_by(&chain.key)?;
            return Ok(Keyed::Verified);
        }
        match identity_of(vertex)? {
            Some((key, _)) => {
                vertex.verify_by(&key)?;
                Ok(Keyed::Verified)
            }
            None => Ok(Keyed::Unknown),
        }
    }

    /// The proof that this vertex makes with an accepted one of the same author and position.
    pub(super) fn conflict(&self, vertex: &SignedVertex) -> Option<EquivocationProof> {
        let chain = self.chains.get(&vertex.vertex().author)?;
        let other = self.get(&chain.at(vertex.vertex().seq)?)?;
        EquivocationProof::of(other, vertex, &chain.key)
    }

    /// Ends the author of a vertex for a position at which another one was dropped. There is no
    /// proof to show, so others have to find out for themselves, or hear from who kept the other.
    pub(super) fn check_dropped(
        &mut self,
        vertex: &SignedVertex,
        from: &Source,
    ) -> Result<(), Error> {
        let (author, seq) = (vertex.vertex().author, vertex.vertex().seq);
        if !self.chains.get(&author).is_some_and(|chain| chain.is_dropped_at(seq)) {
            return Ok(());
        }
        self.mark_ended(author, seq);
        // As for any equivocation: what somebody else has is taken.
        if self.is_backed(vertex, from) {
            return Ok(());
        }
        Err(Error::Ended { author, seq })
    }

    /// Ends an author: nothing of it is parked any longer unless somebody else cites it.
    pub(super) fn end(&mut self, proof: &EquivocationProof) {
        if self.mark_ended(proof.author(), proof.seq()) {
            self.notice(Notice::Equivocation(proof.clone()));
        }
    }

    /// Marks an author as ended; whether that is news.
    pub(super) fn mark_ended(&mut self, author: AuthorId, seq: u64) -> bool {
        if let Some(known) = self.ended.get_mut(&author) {
            *known = seq.min(*known);
            return false;
        }
        self.ended.insert(author, seq);
        let ended = &self.ended;
        self.orphans.drop_uncited(|author| ended.contains_key(author));
        true
    }

    /// Checks the rules that depend on the causal past, all of which is accepted.
    pub(super) fn check_past(&self, vertex: &SignedVertex) -> Result<(), Error> {
        let fields = vertex.vertex();
        let lamport = 1 + fields.parents.iter().map(|id| self.lamport(id)).max().unwrap_or(0);
        if fields.lamport != lamport && !mutant::skips(Check::Lamport) {
            return Err(Error::Lamport { found: fields.lamport, expected: lamport });
        }
        if let Some(prev) = fields.prev
            && let Some((found, seq, _)) = self.place_of(&prev)
            && !mutant::skips(Check::Prev)
        {
            if found != fields.author {
                return Err(Error::PrevForeign { prev, found, author: fields.author });
            }
            if fields.seq != seq + 1 {
                return Err(Error::Seq { found: fields.seq, expected: seq + 1 });
            }
        }
        self.check_epochs(vertex)?;
        self.check_accused(vertex)?;
        self.check_not_after_proof(vertex)
    }

    /// A proof stands behind a vertex of the accused. Anybody can make up keys and proofs against
    /// them; what dropped vertices say of proofs has to be bounded by the authors that there are.
    fn check_accused(&self, vertex: &SignedVertex) -> Result<(), Error> {
        let fields = vertex.vertex();
        for payload in &fields.payloads {
            let Some(proof) = proof_in(payload).transpose()? else { continue };
            let author = |id: &VertexId| self.place_of(id).map(|(author, ..)| author);
            if !fields.parents.iter().any(|id| author(id) == Some(proof.author())) {
                return Err(unknown_accused());
            }
        }
        Ok(())
    }

    /// First vertices of those that these payloads accuse: what a vertex with them has to cite.
    pub(super) fn accused_by(&self, payloads: &[Payload]) -> Result<BTreeSet<VertexId>, Error> {
        let first = |proof: Result<EquivocationProof, Error>| {
            let chain = self.chains.get(&proof?.author());
            chain.and_then(|chain| chain.at(0)).ok_or_else(unknown_accused)
        };
        payloads.iter().filter_map(proof_in).map(first).collect()
    }

    /// Whose an accepted vertex is, its position and its Lamport time, even if it was dropped.
    pub fn place_of(&self, id: &VertexId) -> Option<(AuthorId, u64, u64)> {
        if let Some(fields) = self.get(id).map(SignedVertex::vertex) {
            return Some((fields.author, fields.seq, fields.lamport));
        }
        let stub = self.floor.get(id)?;
        Some((self.floor.author(stub)?, stub.seq, stub.lamport))
    }

    /// Verifies what is signed inside the payloads: bindings and equivocation proofs.
    pub(super) fn check_statements(&self, vertex: &SignedVertex) -> Result<(), Error> {
        let fields = vertex.vertex();
        let author = fields.author;
        let wrong = |source| Error::Binding { author, source };
        for payload in &fields.payloads {
            match payload {
                Payload::Identity { .. } => {
                    if let Some((key, binding)) = identity_of(vertex)? {
                        binding.verify(&key, &fields.network).map_err(wrong)?;
                    }
                }
                Payload::Binding(binding) => {
                    let chain = self.chains.get(&author).ok_or(Error::Identity {
                        reason: "a binding comes after the author's identity",
                    })?;
                    binding.verify(&chain.key, &fields.network).map_err(wrong)?;
                }
                Payload::Equivocation { public_key, first, second } => {
                    EquivocationProof::from_fields(public_key, first, second)?.verify()?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Every binding of a vertex has a greater epoch than the one before it on the same branch of
    /// the chain.
    fn check_epochs(&self, vertex: &SignedVertex) -> Result<(), Error> {
        let mut found = bindings(vertex).peekable();
        if vertex.vertex().seq == 0 || found.peek().is_none() {
            return Ok(());
        }
        let mut known = self.epoch_before(vertex);
        for binding in found {
            if known.is_some_and(|known| binding.epoch <= known) {
                return Err(Error::BindingEpoch {
                    found: binding.epoch,
                    known: known.unwrap_or_default(),
                });
            }
            known = Some(binding.epoch);
        }
        Ok(())
    }

    /// The epoch of the last binding before a vertex, walking back along `prev`.
    fn epoch_before(&self, vertex: &SignedVertex) -> Option<u32> {
        let mut prev = vertex.vertex().prev;
        while let Some(id) = prev {
            let Some(signed) = self.get(&id) else {
                return self.floor.get(&id).map(|stub| stub.epoch);
            };
            if let Some(binding) = bindings(signed).last() {
                return Some(binding.epoch);
            }
            prev = signed.vertex().prev;
        }
        None
    }

    /// Enters a vertex into its author's chain, and what its payloads say about chains.
    pub(super) fn extend_chain(&mut self, vertex: &SignedVertex) -> Result<(), Error> {
        let (fields, id) = (vertex.vertex(), vertex.id());
        if let Some((key, binding)) = identity_of(vertex)? {
            self.chains.entry(fields.author).or_insert_with(|| Chain {
                key,
                tip: id,
                next_seq: 0,
                binding,
                vertices: 0,
                bytes: 0,
                slots: BTreeMap::new(),
            });
        }
        let dropped = self.floor.tip(&fields.author);
        let chain = self
            .chains
            .get_mut(&fields.author)
            .ok_or(Error::Identity { reason: "the author's chain begins with its identity" })?;
        chain.vertices += 1;
        chain.bytes += vertex.size_bytes();
        chain.slots.entry(fields.seq).or_insert(id);
        if let Some((next_seq, tip)) = dropped
            && (next_seq, tip) >= (chain.next_seq, chain.tip)
        {
            (chain.next_seq, chain.tip) = (next_seq, tip);
        }
        if (fields.seq + 1, id) >= (chain.next_seq, chain.tip) {
            (chain.next_seq, chain.tip) = (fields.seq + 1, id);
        }
        for binding in bindings(vertex) {
            if binding.epoch > chain.binding.epoch {
                chain.binding = binding.clone();
            }
        }
        for payload in &fields.payloads {
            if let Some(proof) = proof_in(payload).transpose()? {
                self.end(&proof);
                self.proofs.entry(proof.author()).or_default().insert(id);
            }
        }
        Ok(())
    }

    /// An ended author's vertex is invalid when a proof is in its causal past.
    fn check_not_after_proof(&self, vertex: &SignedVertex) -> Result<(), Error> {
        let author = vertex.vertex().author;
        let (Some(proofs), Some(seq)) = (self.proofs.get(&author), self.ended.get(&author)) else {
            return Ok(());
        };
        if self.is_after_any(vertex, proofs, &author) {
            return Err(Error::Ended { author, seq: *seq });
        }
        Ok(())
    }
}

/// The proof that a payload is, if it is one.
fn proof_in(payload: &Payload) -> Option<Result<EquivocationProof, Error>> {
    let Payload::Equivocation { public_key, first, second } = payload else { return None };
    Some(EquivocationProof::from_fields(public_key, first, second))
}

fn unknown_accused() -> Error {
    Error::Proof { reason: "no parent of the vertex is one of the accused" }
}

/// The key and first binding that an identity vertex states; `None` for any other vertex.
fn identity_of(vertex: &SignedVertex) -> Result<Option<(PublicKey, Binding)>, Error> {
    let Some(Payload::Identity { suite, public_key, binding }) = vertex.vertex().payloads.first()
    else {
        return Ok(None);
    };
    if *suite != SUITE {
        return Err(Error::Identity { reason: "its signature suite is unknown to this program" });
    }
    if let Some(key) = vertex.known_key() {
        return Ok(Some((key.clone(), binding.clone())));
    }
    let key = PublicKey::from_bytes(public_key)
        .map_err(|_| Error::Identity { reason: "its public key is malformed" })?;
    let (author, key_of) = (vertex.vertex().author, AuthorId::of(&key));
    if author != key_of {
        return Err(Error::ForeignKey { author, key_of });
    }
    vertex.keep_key(&key);
    Ok(Some((key, binding.clone())))
}

/// The bindings a vertex states, in order.
pub(super) fn bindings(vertex: &SignedVertex) -> impl Iterator<Item = &Binding> {
    vertex.vertex().payloads.iter().filter_map(|payload| match payload {
        Payload::Binding(binding) | Payload::Identity { binding, .. } => Some(binding),
        _ => None,
    })
}
