//! The causal graph of one network: what is accepted, in what order, and what waits for parents.
//!
//! ```text
//!             Duplicate                        Equivocated          Accepted (and what waited)
//!                 ^                                ^                     ^
//!  vertex -> [ known? ] -> [ network ] -> [ signature ] -> [ parents? ] -> [ chain, lamport ]
//!                                                              v
//!                                                            Parked, bounded, until they arrive
//! ```
//!
//! A vertex is *valid* by its own fields alone: it states of each parent whose it is, its position
//! and its time. It is accepted when its parents are, or when checkpoints cover their positions
//! ([`Coverage`]), so what honest authors write is accepted by all, in whatever order it comes.
//! Everything else is policy towards peers: the pool of parked vertices is bounded, and so is the
//! graph.
//!
//! # Equivocation
//! Two vertices of one author for one position *end* the author. From the moment a node knows, it
//! refuses further vertices of that author, with two exceptions. A vertex that another author's
//! vertex cites is fetched and accepted, because that other author may have cited it before it
//! knew, and because its own vertex would be cut off otherwise. And what a peer hands out when it
//! is asked for a past is accepted, because that peer may have accepted it before it knew: answers
//! come in causal order, so what cites such a vertex comes after it. So honest nodes converge: what
//! honest authors cited stays, and nobody honest cites anything new of an ended author. Who goes on
//! citing it lends it a place among its own vertices, at its own rate. In the blocklace (Almog,
//! Shapiro et al., 2024) what comes after a proof is invalid for ever; that asks for the whole past
//! of each vertex, which nobody keeps here.
//!
//! # Cost
//! Insertion is O(log n) per parent, plus one signature check.
//!
//! # Policy
//! One author may fill half of what a node holds ([`limits::AUTHOR_VERTICES_MAX`]); what it writes
//! beyond is refused without blame, unless another author cites it. Vertices of this node's own are
//! no exception: nobody else would take them.
//!
//! # Time
//! `time_ms` is a hybrid clock (Kulkarni et al., *Logical Physical Clocks*, 2014): an honest author
//! never writes an earlier one than those of the parents, nor one that is further ahead of its own
//! clock than [`limits::TIME_AHEAD_MS_MAX`]. So times grow along a chain of honest causes, and who
//! lies about the time drags nobody along. Validity does not depend on it.

mod chain;
mod covered;
mod entrants;
mod orphans;
mod past;
mod restored;
mod room;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::mutant::{self, Check};
use super::{
    Citation, EquivocationProof, Error, Key, Payload, SignedVertex, Timeline, VERSION, Vertex,
    VertexId,
};
use crate::clock::Now;
use crate::identity::{AuthorId, NetworkId, TransportId};
use crate::limits;
use chain::Keyed;
use entrants::Entrants;
use orphans::{Orphan, Orphans};

pub use chain::Chain;
pub use covered::{Coverage, Layer, settled_height};

/// Where a vertex came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// This node wrote it.
    Own,
    /// This peer sent it, whoever wrote it.
    Peer(TransportId),
    /// This peer was asked for it, or for the past of something, and says that it has it.
    Answer(TransportId),
}

/// What became of a vertex.
#[derive(Clone, Debug, PartialEq)]
pub enum Insert {
    /// It is in the graph, and so is every parked vertex it released; causal order.
    Accepted(Vec<VertexId>),
    /// It was there already, accepted or parked.
    Duplicate,
    /// It waits for parents; or they have to be asked for first, because its time is too far ahead
    /// of all that is known here to let it wait.
    Parked {
        /// The parents to ask for: neither accepted nor parked. May be empty.
        missing: Vec<VertexId>,
    },
    /// It contradicts an accepted vertex and was not kept. The author is ended.
    Equivocated(EquivocationProof),
}

/// Something that an insertion brought to light besides its own outcome.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// An author was found to equivocate; the history should carry the proof, unless that is where
    /// it was found.
    Equivocation(EquivocationProof),
    /// A vertex of a peer cites this one, which is not here, at a covered position that is not
    /// settled: another one may be there.
    Fork {
        /// The peer that sent the citing vertex.
        peer: TransportId,
        /// The vertex that is cited.
        id: VertexId,
    },
    /// A parked vertex turned out to be invalid when its parents arrived.
    Rejected {
        /// The peer that sent it.
        peer: TransportId,
        /// The vertex.
        id: VertexId,
        /// Why.
        error: Error,
    },
}

/// The accepted vertices of one network, and those that wait for parents.
#[derive(Debug)]
pub struct Graph {
    network: NetworkId,
    /// Who may be an author.
    entrants: Entrants,
    /// Accepted vertices in causal order; `index` gives each one's place.
    order: Vec<SignedVertex>,
    index: BTreeMap<VertexId, usize>,
    /// Places of each one's parents: walks take ten times as long by name.
    parents: Vec<Box<[usize]>>,
    timeline: Timeline,
    /// Those of them that no checkpoint covers.
    uncovered: Timeline,
    /// What is behind checkpoints.
    coverage: Coverage,
    /// What was when a stored vertex was accepted whose parents are not here.
    foreseen: Coverage,
    /// Oldest first.
    heads: BTreeSet<Key>,
    chains: BTreeMap<AuthorId, Chain>,
    /// Authors known to have equivocated, and at which position.
    ended: BTreeMap<AuthorId, u64>,
    /// Accepted vertices that carry a proof, by the accused.
    proofs: BTreeMap<AuthorId, BTreeSet<VertexId>>,
    orphans: Orphans,
    /// [`limits::AUTHOR_VERTICES_MAX`]; less in tests.
    author_vertices_max: usize,
    /// Greatest accepted Lamport time.
    lamport_max: u64,
    bytes: usize,
    /// Vertices accepted so far.
    accepted: usize,
    /// [`limits::GRAPH_VERTICES_MAX`]; less in tests.
    vertices_max: usize,
    notices: VecDeque<Notice>,
}

impl Graph {
    /// An empty graph.
    pub fn new(network: NetworkId) -> Self {
        Self {
            network,
            entrants: Entrants::default(),
            order: Vec::new(),
            index: BTreeMap::new(),
            parents: Vec::new(),
            timeline: Timeline::new(),
            uncovered: Timeline::new(),
            coverage: Coverage::default(),
            foreseen: Coverage::default(),
            heads: BTreeSet::new(),
            chains: BTreeMap::new(),
            ended: BTreeMap::new(),
            proofs: BTreeMap::new(),
            orphans: Orphans::default(),
            lamport_max: 0,
            bytes: 0,
            accepted: 0,
            vertices_max: limits::GRAPH_VERTICES_MAX,
            author_vertices_max: limits::AUTHOR_VERTICES_MAX,
            notices: VecDeque::new(),
        }
    }

    /// An empty graph with room for fewer vertices.
    #[cfg(test)]
    pub(crate) fn with_room(network: NetworkId, vertices_max: usize) -> Self {
        Self { vertices_max, ..Self::new(network) }
    }

    /// An empty graph with room for fewer vertices of one author.
    #[cfg(test)]
    pub(crate) fn with_share(network: NetworkId, author_vertices_max: usize) -> Self {
        Self { author_vertices_max, ..Self::new(network) }
    }

    /// Takes in a vertex from anywhere: verifies its signature with the author's key from the
    /// identity vertex, checks it against its causal past, and accepts it with everything that
    /// waited for it; or parks it until its parents arrive.
    ///
    /// # Errors
    /// Any rule it breaks. [`Error::fault`] says what that means for the peer.
    pub fn insert(
        &mut self,
        vertex: SignedVertex,
        from: &Source,
        now: Now,
    ) -> Result<Insert, Error> {
        if self.contains(&vertex.id()) || self.orphans.contains(&vertex.id()) {
            return Ok(Insert::Duplicate);
        }
        let fields = vertex.vertex();
        if fields.network != self.network {
            return Err(Error::WrongNetwork { expected: self.network, found: fields.network });
        }
        if let Some(seq) = self.ended.get(&fields.author)
            && !self.is_backed(&vertex, from)
        {
            return Err(Error::Ended { author: fields.author, seq: *seq });
        }
        self.check_covered(&vertex, from)?;
        self.check_room(&vertex, from)?;
        let keyed = self.check_signature(&vertex)?;
        if keyed != Keyed::Unknown
            && let Some(proof) = self.conflict(&vertex)
        {
            self.end(&proof);
            // Asked again: ending the author dropped what only the author itself had cited.
            if !self.is_backed(&vertex, from) {
                return Ok(Insert::Equivocated(proof));
            }
        }
        self.check_share(&vertex)?;
        let missing = self.missing_parents(&vertex);
        if let Some(id) = missing.iter().find(|id| self.contains(id)) {
            // It is here, and something else is said of it than is in it.
            return Err(Error::Citation { id: *id });
        }
        if !missing.is_empty() && !mutant::skips(Check::Parents) {
            return self.park(vertex, from, keyed, missing, now);
        }
        let mut accepted = Vec::new();
        self.check_and_accept(vertex, from, &mut accepted)?;
        self.release(&mut accepted);
        Ok(Insert::Accepted(accepted))
    }

    /// Whether this node's next vertex, whatever its size, will be accepted. Vertices of others
    /// leave one place free, so that what holds when a vertex is signed still holds when it has
    /// been stored.
    ///
    /// # Errors
    /// [`Error::GraphFull`].
    pub fn check_room_for_own(&self) -> Result<(), Error> {
        self.check_bounds(0, 0, limits::SIGNED_VERTEX_BYTES_MAX)
    }

    /// The fields of this author's next vertex: its position, `prev`, the heads as parents (its
    /// own last vertex and the oldest heads when there are more than 16), the Lamport time and the
    /// hybrid one.
    ///
    /// # Errors
    /// [`Error::Identity`] before the author's identity vertex is accepted, [`Error::Ended`] when
    /// the author equivocated, [`Error::AuthorFull`] when it has written its share.
    pub fn next_vertex(
        &self,
        author: AuthorId,
        payloads: Vec<Payload>,
        now: Now,
    ) -> Result<Vertex, Error> {
        let chain = self
            .chains
            .get(&author)
            .ok_or(Error::Identity { reason: "the author has to write its identity first" })?;
        if let Some(seq) = self.ended.get(&author) {
            return Err(Error::Ended { author, seq: *seq });
        }
        self.check_own_share(&author, chain)?;
        let parents = self.next_parents(chain.tip, self.accused_by(&payloads)?);
        let lamport = 1 + parents.iter().map(|parent| parent.lamport).max().unwrap_or(0);
        let time_ms = self.time_after(&parents, now);
        Ok(Vertex {
            version: VERSION,
            network: self.network,
            author,
            seq: chain.next_seq,
            prev: Some(chain.tip.id),
            parents,
            lamport,
            time_ms,
            payloads,
        })
    }

    /// The network.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// An accepted vertex that was not dropped.
    pub fn get(&self, id: &VertexId) -> Option<&SignedVertex> {
        self.index.get(id).and_then(|place| self.order.get(*place))
    }

    /// Whether a vertex is accepted and was not dropped.
    pub fn contains(&self, id: &VertexId) -> bool {
        self.index.contains_key(id)
    }

    /// Accepted vertices that are no other's parent, ascending.
    pub fn heads(&self) -> Vec<VertexId> {
        let mut heads: Vec<VertexId> = self.heads.iter().map(|key| key.id).collect();
        heads.sort_unstable();
        heads
    }

    /// The heads with the greatest Lamport times, at most `count_max`, ascending by id: what is
    /// told to others, as often as every second, of heads that may be thousands.
    pub fn newest_heads(&self, count_max: usize) -> Vec<VertexId> {
        let newest = self.heads.iter().rev().take(count_max);
        let mut newest: Vec<VertexId> = newest.map(|key| key.id).collect();
        newest.sort_unstable();
        newest
    }

    /// What is known about an author.
    pub fn author(&self, author: &AuthorId) -> Option<&Chain> {
        self.chains.get(author)
    }

    /// The position an author is known to have filled twice.
    pub fn equivocated(&self, author: &AuthorId) -> Option<u64> {
        self.ended.get(author).copied()
    }

    /// Whether an accepted vertex already carries a proof against this author.
    pub fn has_proof(&self, author: &AuthorId) -> bool {
        self.proofs.contains_key(author)
    }

    /// Accepted vertices that were not dropped, in the order of acceptance, which is a causal
    /// order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &SignedVertex> + ExactSizeIterator {
        self.order.iter()
    }

    /// The names of the accepted vertices that were not dropped, in the causal order that is the
    /// same on every node that has the same vertices, whatever order they came in: by Lamport time,
    /// then by id.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Those of the timeline that no checkpoint covers: what nodes in step have alike, whatever
    /// they dropped.
    pub fn uncovered(&self) -> &Timeline {
        &self.uncovered
    }

    /// Number of vertices that were accepted since this graph was made, dropped ones among them.
    pub fn accepted(&self) -> usize {
        self.accepted
    }

    /// Number of accepted vertices that were not dropped.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nothing is accepted yet.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Bytes of the accepted vertices and their signatures.
    pub fn size_bytes(&self) -> usize {
        self.bytes
    }

    /// Number of parked vertices.
    pub fn parked(&self) -> usize {
        self.orphans.len()
    }

    /// What insertions brought to light since the last call, oldest first.
    pub fn drain_notices(&mut self) -> Vec<Notice> {
        self.notices.drain(..).collect()
    }

    /// Parents of a vertex on top of `tip`: that, the ones it has to have, and the oldest heads.
    fn next_parents(&self, tip: Citation, needed: Vec<Citation>) -> Vec<Citation> {
        let mut parents: BTreeMap<VertexId, Citation> =
            needed.into_iter().chain([tip]).map(|cited| (cited.id, cited)).collect();
        for key in &self.heads {
            if parents.len() >= limits::VERTEX_PARENTS_MAX {
                break;
            }
            parents.extend(self.get(&key.id).map(|head| (key.id, head.citation())));
        }
        parents.into_values().collect()
    }

    /// The hybrid clock: this host's, or that of a parent which is a little ahead of it.
    fn time_after(&self, parents: &[Citation], now: Now) -> u64 {
        let parents = parents.iter().filter_map(|parent| self.get(&parent.id));
        let ahead_ms = parents.map(|signed| signed.vertex().time_ms).max().unwrap_or(0);
        let most_ms = now.unix_ms.saturating_add(limits::TIME_AHEAD_MS_MAX);
        ahead_ms.clamp(now.unix_ms, most_ms).min(limits::VERTEX_NUMBER_MAX)
    }

    fn park(
        &mut self,
        vertex: SignedVertex,
        from: &Source,
        keyed: Keyed,
        missing: BTreeSet<VertexId>,
        now: Now,
    ) -> Result<Insert, Error> {
        let (Source::Peer(peer) | Source::Answer(peer)) = from else {
            return Err(Error::Restore { id: vertex.id(), missing: missing.len() });
        };
        let wanted = missing.iter().filter(|id| !self.orphans.contains(id)).copied().collect();
        let (found, known) = (vertex.vertex().lamport, self.lamport_max);
        if found > known.saturating_add(limits::LAMPORT_WINDOW) {
            if matches!(from, Source::Answer(_)) {
                return Ok(Insert::Parked { missing: wanted });
            }
            return Err(Error::FutureLamport { found, known, window: limits::LAMPORT_WINDOW });
        }
        self.orphans.expire(now.mono_ms);
        self.orphans.park(Orphan {
            vertex,
            peer: peer.clone(),
            answered: matches!(from, Source::Answer(_)),
            proven: keyed != Keyed::Unknown,
            parked_mono_ms: now.mono_ms,
            missing,
        })?;
        Ok(Insert::Parked { missing: wanted })
    }

    /// Checks what a vertex with a verified signature states, and accepts it: its parents are
    /// accepted or covered. When it is invalid, so is everything that waits for it.
    fn check_and_accept(
        &mut self,
        vertex: SignedVertex,
        from: &Source,
        accepted: &mut Vec<VertexId>,
    ) -> Result<(), Error> {
        let valid = Self::check_accused(&vertex).and_then(|()| self.check_statements(&vertex));
        if let Err(error) = valid {
            self.orphans.drop_dependents(&vertex.id());
            return Err(error);
        }
        self.check_entrants(&vertex, from)?;
        if let Source::Peer(peer) | Source::Answer(peer) = from {
            for id in self.forks_cited(&vertex) {
                self.notice(Notice::Fork { peer: peer.clone(), id });
            }
        }
        self.accept(vertex, from, accepted)
    }

    /// Enters a checked vertex.
    fn accept(
        &mut self,
        vertex: SignedVertex,
        from: &Source,
        accepted: &mut Vec<VertexId>,
    ) -> Result<(), Error> {
        self.check_room(&vertex, from)?;
        let id = vertex.id();
        self.extend_chain(&vertex)?;
        let (key, parents) = (vertex.citation().key(), &vertex.vertex().parents);
        let mut places = Vec::with_capacity(parents.len());
        for parent in parents {
            if self.has_cited(parent) {
                self.heads.remove(&parent.key());
                places.extend(self.index.get(&parent.id));
            }
        }
        self.parents.push(places.into());
        // What is covered was cited, and be it by what was dropped; or its author writes on.
        if !self.is_covered(&vertex) {
            self.heads.insert(key);
            self.uncovered.insert(key);
        }
        self.lamport_max = self.lamport_max.max(key.lamport);
        self.bytes += vertex.size_bytes();
        self.timeline.insert(key);
        self.index.insert(id, self.order.len());
        self.order.push(vertex);
        self.accepted += 1;
        accepted.push(id);
        Ok(())
    }

    /// Accepts, in causal order, what waited for the vertices in `accepted`.
    fn release(&mut self, accepted: &mut Vec<VertexId>) {
        let mut next = 0;
        while let Some(id) = accepted.get(next).copied() {
            next += 1;
            self.prove_orphans(&id);
            for orphan in self.orphans.release(&id) {
                let (peer, id) = (orphan.peer.clone(), orphan.vertex.id());
                if let Err(error) = self.adopt(orphan, accepted) {
                    self.notice(Notice::Rejected { peer, id, error });
                }
            }
        }
    }

    /// An accepted identity brings the key for what was parked of its author.
    fn prove_orphans(&mut self, id: &VertexId) {
        let author = match self.get(id).map(SignedVertex::vertex) {
            Some(fields) if fields.seq == 0 => fields.author,
            _ => return,
        };
        let Some(chain) = self.chains.get(&author) else { return };
        for (orphan, error) in self.orphans.prove(&author, |vertex| vertex.verify_by(&chain.key)) {
            self.notice(Notice::Rejected { peer: orphan.peer, id: orphan.vertex.id(), error });
        }
    }

    /// Checks a parked vertex again, now that its parents are accepted, and accepts it. Its
    /// signature was verified when it came or when its author's identity did; where neither
    /// happened, its `prev` is not the author's, which the check of its past finds.
    fn adopt(&mut self, orphan: Orphan, accepted: &mut Vec<VertexId>) -> Result<(), Error> {
        let Orphan { vertex, peer, answered, .. } = orphan;
        let from = if answered { Source::Answer(peer) } else { Source::Peer(peer) };
        let author = vertex.vertex().author;
        if let Some(proof) = self.conflict(&vertex) {
            self.end(&proof);
        }
        self.check_covered(&vertex, &from)?;
        if let Some(seq) = self.ended.get(&author)
            && !self.is_backed(&vertex, &from)
        {
            return Err(Error::Ended { author, seq: *seq });
        }
        self.check_share(&vertex)?;
        if let Some(id) = self.missing_parents(&vertex).pop_first() {
            return Err(Error::Citation { id });
        }
        self.check_and_accept(vertex, &from, accepted)
    }

    /// Whether somebody else says that it has a vertex of an ended author, by citing it or by
    /// handing it out.
    fn is_backed(&self, vertex: &SignedVertex, from: &Source) -> bool {
        matches!(from, Source::Answer(_)) || self.orphans.is_cited(&vertex.id())
    }

    fn notice(&mut self, notice: Notice) {
        if self.notices.len() >= limits::ORPHANS_MAX {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }
}

#[cfg(test)]
mod tests;
