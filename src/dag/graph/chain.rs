//! One author's chain, and the rules a vertex has to keep towards its causal past.

use std::collections::BTreeMap;

use super::{Graph, Notice, Source};
use crate::crypto::sign::{PublicKey, SUITE};
use crate::dag::{Citation, EquivocationProof, Error, Payload, SignedVertex, VertexId};
use crate::identity::{AuthorId, Binding};

/// What a graph knows about one author.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The author's composite key, from its identity vertex.
    pub key: PublicKey,
    /// The author's last accepted or covered vertex: the greatest position, then the greatest id.
    pub tip: Citation,
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

    /// Accepted vertices that were not dropped from a position on, with their positions.
    pub(super) fn from(&self, seq: u64) -> impl Iterator<Item = (u64, VertexId)> {
        self.slots.range(seq..).map(|(seq, id)| (*seq, *id))
    }

    /// Positions up to one at which there is a vertex that was not dropped (count).
    pub(super) fn count_to(&self, seq: u64) -> usize {
        self.slots.range(..=seq).count()
    }

    /// Goes on after what is covered, if that is further.
    pub(super) fn go_on_from(&mut self, covered: Option<Citation>) {
        let Some(tip) = covered else { return };
        if (tip.seq, tip.id) > (self.tip.seq, self.tip.id) {
            (self.tip, self.next_seq) = (tip, tip.seq + 1);
        }
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

    /// Refuses a vertex at a covered position: it was dropped, or has no effect. Until the position
    /// is settled it is taken if somebody else has it: it may be the other side of a fork.
    pub(super) fn check_covered(&self, vertex: &SignedVertex, from: &Source) -> Result<(), Error> {
        let (author, seq) = (vertex.vertex().author, vertex.vertex().seq);
        if !self.coverage.has(&author, seq) {
            return Ok(());
        }
        if !self.coverage.has_settled(&author, seq) && self.is_backed(vertex, from) {
            return Ok(());
        }
        Err(Error::Covered { author, seq })
    }

    /// What is cited at a covered position that is not settled, and is not here: what is there may
    /// be another vertex, and the two a proof.
    pub(super) fn forks_cited(&self, vertex: &SignedVertex) -> Vec<VertexId> {
        let is_fork = |cited: &&Citation| {
            let (author, seq) = (&cited.author, cited.seq);
            self.coverage.has(author, seq)
                && !self.coverage.has_settled(author, seq)
                && self.coverage.tip(author) != Some(**cited)
                && !self.contains(&cited.id)
        };
        vertex.vertex().parents.iter().filter(is_fork).map(|cited| cited.id).collect()
    }

    /// Authors that are known to have equivocated, each with the position.
    pub fn ended(&self) -> impl ExactSizeIterator<Item = (AuthorId, u64)> {
        self.ended.iter().map(|(author, seq)| (*author, *seq))
    }

    /// Takes back who was known to have equivocated when vertices were dropped.
    pub fn restore_ended(&mut self, ended: &[(AuthorId, u64)]) {
        for (author, seq) in ended {
            self.mark_ended(*author, *seq);
        }
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

    /// A proof stands behind a vertex of the accused: anybody can make up keys and proofs against
    /// them, and who is known to be ended is remembered.
    pub(super) fn check_accused(vertex: &SignedVertex) -> Result<(), Error> {
        let fields = vertex.vertex();
        for payload in &fields.payloads {
            let Some(proof) = proof_in(payload).transpose()? else { continue };
            if !fields.parents.iter().any(|cited| cited.author == proof.author()) {
                return Err(unknown_accused());
            }
        }
        Ok(())
    }

    /// First vertices of those that these payloads accuse: what a vertex with them has to cite.
    pub(super) fn accused_by(&self, payloads: &[Payload]) -> Result<Vec<Citation>, Error> {
        let first = |proof: Result<EquivocationProof, Error>| {
            let chain = self.chains.get(&proof?.author());
            let first = chain.and_then(|chain| self.get(&chain.at(0)?));
            first.map(SignedVertex::citation).ok_or_else(unknown_accused)
        };
        payloads.iter().filter_map(proof_in).map(first).collect()
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
        self.check_entry(vertex)
    }

    /// Enters a vertex into its author's chain, and what its payloads say about chains.
    pub(super) fn extend_chain(&mut self, vertex: &SignedVertex) -> Result<(), Error> {
        let (fields, id) = (vertex.vertex(), vertex.id());
        if let Some((key, binding)) = identity_of(vertex)? {
            if !self.chains.contains_key(&fields.author) {
                self.count_entrant(vertex);
            }
            self.chains.entry(fields.author).or_insert_with(|| Chain {
                key,
                tip: vertex.citation(),
                next_seq: 0,
                binding,
                vertices: 0,
                bytes: 0,
                slots: BTreeMap::new(),
            });
        }
        let covered = self.coverage.tip(&fields.author);
        let chain = self
            .chains
            .get_mut(&fields.author)
            .ok_or(Error::Identity { reason: "the author's chain begins with its identity" })?;
        chain.vertices += 1;
        chain.bytes += vertex.size_bytes();
        chain.slots.entry(fields.seq).or_insert(id);
        chain.next_seq = chain.next_seq.max(1);
        chain.go_on_from(covered);
        chain.go_on_from(Some(vertex.citation()));
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
    let Some(Payload::Identity { suite, public_key, binding, .. }) =
        vertex.vertex().payloads.first()
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
