//! Dropping old vertices, and what stays of them.
//!
//! Of a dropped vertex stays a *stub*: its name, its author and position, its Lamport time, the
//! epoch of the author's binding at that point, and against whom proofs of equivocation are behind
//! it. That is everything that the rules ask about a vertex behind another one. So a graph that
//! dropped vertices, whichever they are, accepts the same further ones as a graph that did not, and
//! has the same timeline, heads and chains: pruning is a matter of room, never of agreement.
//!
//! What it cannot do any more is show them: [`Graph::get`] has nothing for a stub, and for a second
//! vertex at the position of a dropped one there is no proof to give to others. The author is ended
//! here all the same.
//!
//! Never dropped are heads, and what states identities, bindings and proofs. A stub takes some 140
//! bytes of memory, with its place in the timeline, and 36 of a store ([`super::packed`]), where a
//! vertex of votes takes four thousand of both; [`limits::GRAPH_STUBS_MAX`] bounds them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::accused::{Lists, Set};
use super::{Graph, Key, packed};
use crate::dag::{Error, Payload, SignedVertex, VertexId};
use crate::identity::AuthorId;
use crate::limits;

/// The place of the empty set in the lists of a floor.
const NOBODY: u32 = 0;

/// What stays of a dropped vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stub {
    pub(super) id: VertexId,
    /// Place in the list of authors.
    pub(super) author: u32,
    pub(super) seq: u64,
    pub(super) lamport: u64,
    /// Epoch of the author's last binding up to here.
    pub(super) epoch: u32,
    /// Place in the list of sets of accused authors.
    pub(super) accused: u32,
}

/// Everything that was dropped.
#[derive(Debug)]
pub(super) struct Floor {
    /// Ascending by id.
    stubs: Vec<Stub>,
    /// Authors, and sets of those with a proof against them somewhere in a past; the first set is
    /// empty.
    lists: Lists,
    /// The last stub of each author and the position after it.
    tips: BTreeMap<AuthorId, (u64, VertexId)>,
    /// Places of vertices with stubs as parents that come after proofs, and of the sets of those.
    after: BTreeMap<usize, BTreeSet<u32>>,
    /// Vertices that were kept when one that cites them was dropped: they are no heads.
    cited: BTreeSet<VertexId>,
}

/// What stays of the vertices that one pruning dropped, to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stubs {
    authors: Vec<AuthorId>,
    accused: Vec<Set>,
    cited: Vec<VertexId>,
    #[serde(rename = "packed", with = "packed")]
    list: Vec<Stub>,
}

impl Stubs {
    /// Nothing.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Vertices (count).
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Their names and authors, in their order; those of no listed author are passed over.
    pub fn names(&self) -> impl Iterator<Item = (VertexId, AuthorId)> {
        self.list.iter().filter_map(|stub| {
            let author = usize::try_from(stub.author).ok().and_then(|at| self.authors.get(at))?;
            Some((stub.id, *author))
        })
    }

    /// Adds those of `others` that are wanted, which come from a layer.
    ///
    /// # Errors
    /// [`Error::Stubs`] when they name what they do not list.
    pub fn extend(
        &mut self,
        others: &Stubs,
        is_wanted: impl Fn(&VertexId) -> bool,
    ) -> Result<(), Error> {
        let mut lists =
            Lists::of(std::mem::take(&mut self.authors), std::mem::take(&mut self.accused));
        let listed = others.lists();
        let mut adopt = |stub: &Stub| {
            if is_wanted(&stub.id) {
                self.list.push(stub.adopted(&listed, &mut lists)?);
            } else if listed.author(stub.author).is_none() || listed.set(stub.accused).is_none() {
                return None;
            }
            Some(())
        };
        let adopted = others.list.iter().try_for_each(&mut adopt);
        (self.authors, self.accused) = (lists.authors, lists.sets);
        adopted.ok_or_else(damaged)
    }

    fn lists(&self) -> Lists {
        Lists::of(self.authors.clone(), self.accused.clone())
    }

    /// Takes out the first stubs, so many at most; what is cited stays here.
    #[must_use]
    pub fn take(&mut self, count: usize) -> Self {
        let rest = self.list.split_off(count.min(self.list.len()));
        let list = std::mem::replace(&mut self.list, rest);
        let (authors, accused) = (self.authors.clone(), self.accused.clone());
        let first = Self { authors, accused, cited: Vec::new(), list };
        let mut listed = Self::empty();
        if listed.extend(&first, |_| true).is_ok() { listed } else { first }
    }

    /// The kept vertices that one of these cites.
    pub fn into_cited(self) -> Vec<VertexId> {
        self.cited
    }

    /// Says which vertices that are kept whole are cited by one of these.
    pub fn cite(&mut self, kept: Vec<VertexId>) {
        self.cited = kept;
    }
}

impl Floor {
    pub(super) fn new() -> Self {
        Self {
            stubs: Vec::new(),
            lists: Lists::of(Vec::new(), vec![Set::default()]),
            tips: BTreeMap::new(),
            after: BTreeMap::new(),
            cited: BTreeSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.stubs.len()
    }

    pub(super) fn get(&self, id: &VertexId) -> Option<&Stub> {
        let place = self.stubs.binary_search_by(|stub| stub.id.cmp(id)).ok()?;
        self.stubs.get(place)
    }

    pub(super) fn author(&self, stub: &Stub) -> Option<AuthorId> {
        self.lists.author(stub.author)
    }

    /// The last stub of an author and the position after it.
    pub(super) fn tip(&self, author: &AuthorId) -> Option<(u64, VertexId)> {
        self.tips.get(author).copied()
    }

    /// Whether a vertex with these parents comes after a proof against `author` that is behind one
    /// of their stubs.
    pub(super) fn is_after_proof(&self, parents: &[VertexId], author: &AuthorId) -> bool {
        let mut stubs = parents.iter().filter_map(|id| self.get(id));
        stubs.any(|stub| self.lists.is_in(stub.accused, author))
    }

    /// Places of vertices that come after such a proof.
    pub(super) fn places_after_proof(&self, author: &AuthorId) -> impl Iterator<Item = usize> {
        let is_after = |sets: &BTreeSet<u32>| sets.iter().any(|set| self.lists.is_in(*set, author));
        self.after.iter().filter(move |(_, sets)| is_after(sets)).map(|(place, _)| *place)
    }

    /// Whether a vertex was kept when one that cites it was dropped.
    pub(super) fn is_cited(&self, id: &VertexId) -> bool {
        self.cited.contains(id)
    }

    /// Vertices that were kept when one that cites them was dropped.
    pub(super) fn cited(&self) -> Vec<VertexId> {
        self.cited.iter().copied().collect()
    }

    /// Notes a vertex that was accepted at a place.
    pub(super) fn note(&mut self, place: usize, parents: &[VertexId]) {
        let stubs = parents.iter().filter_map(|id| self.get(id));
        let sets: BTreeSet<u32> =
            stubs.map(|stub| stub.accused).filter(|set| *set != NOBODY).collect();
        if !sets.is_empty() {
            self.after.insert(place, sets);
        }
    }

    /// Notes kept vertices that dropped ones cite, and forgets those that were dropped since.
    fn cite(&mut self, kept: &[VertexId]) {
        let mut cited = std::mem::take(&mut self.cited);
        cited.extend(kept);
        cited.retain(|id| self.get(id).is_none());
        self.cited = cited;
    }

    /// Adds stubs; those that are there already change nothing.
    fn add(&mut self, new: Vec<Stub>) {
        for stub in &new {
            let Some(author) = self.author(stub) else { continue };
            let tip = (stub.seq + 1, stub.id);
            let known = self.tips.entry(author).or_insert(tip);
            *known = tip.max(*known);
        }
        self.stubs.extend(new);
        self.stubs.sort_unstable_by_key(|stub| stub.id);
        self.stubs.dedup_by_key(|stub| stub.id);
    }
}

/// What the rules ask about each place of a graph, found in causal order.
pub(super) struct Fold {
    epochs: Vec<u32>,
    accused: Vec<u32>,
}

impl Graph {
    /// Whether a vertex was accepted and dropped.
    pub fn is_dropped(&self, id: &VertexId) -> bool {
        self.floor.get(id).is_some()
    }

    /// Number of dropped vertices.
    pub fn dropped(&self) -> usize {
        self.floor.len()
    }

    /// Drops accepted vertices that are behind `frontier`, are not among the `keep` that came last,
    /// and of which `is_past` says that nobody needs to read them again. Gives what stays of them,
    /// and their names; nothing when there are none.
    ///
    /// Costs a walk over the graph, which is rebuilt.
    pub fn prune(
        &mut self,
        frontier: &[VertexId],
        keep: usize,
        is_past: impl Fn(&SignedVertex) -> bool,
    ) -> Option<(Stubs, Vec<VertexId>)> {
        let mut covered = vec![false; self.order.len()];
        self.mark_past(frontier, &mut covered, |_| ());
        // What is behind a dropped vertex was behind an earlier frontier.
        let cited = self.floor.cited();
        self.mark_past(&cited, &mut covered, |_| ());
        let last = self.order.len().saturating_sub(keep);
        let room = limits::GRAPH_STUBS_MAX.saturating_sub(self.floor.len());
        let old = self.order.iter().zip(covered).take(last).enumerate();
        let unwanted = old.filter(|(_, (vertex, covered))| {
            *covered && !states_for_good(vertex) && !self.is_head(vertex) && is_past(vertex)
        });
        let places: BTreeSet<usize> = unwanted.map(|(place, _)| place).take(room).collect();
        if places.is_empty() {
            return None;
        }
        let fold = self.fold_pasts();
        let mut stubs = Vec::with_capacity(places.len());
        for place in &places {
            stubs.extend(self.stub_of(*place, &fold));
        }
        let cited = self.kept_parents(&places);
        let batch = self.pack(&stubs, cited.clone());
        let ids = stubs.iter().map(|stub| stub.id).collect();
        self.floor.add(stubs);
        self.floor.cite(&cited);
        self.rebuild_without(&places);
        Some((batch, ids))
    }

    /// Takes back what an earlier pruning left, before any vertex is restored.
    ///
    /// # Errors
    /// [`Error::Stubs`] when it is no output of [`Graph::prune`].
    pub fn restore_stubs(&mut self, stubs: &Stubs) -> Result<(), Error> {
        if self.floor.len() + stubs.len() > limits::GRAPH_STUBS_MAX {
            return Err(Error::Stubs { reason: "they are more than a graph remembers" });
        }
        let (listed, lists) = (stubs.lists(), &mut self.floor.lists);
        let adopted = stubs.list.iter().map(|stub| stub.adopted(&listed, lists));
        let new: Vec<Stub> = adopted.collect::<Option<_>>().ok_or_else(damaged)?;
        for stub in &new {
            self.timeline.insert(Key { lamport: stub.lamport, id: stub.id });
            self.lamport_max = self.lamport_max.max(stub.lamport);
        }
        self.floor.add(new);
        self.floor.cite(&stubs.cited);
        Ok(())
    }

    /// Authors that are known to have equivocated, each with the position.
    pub fn ended(&self) -> impl ExactSizeIterator<Item = (AuthorId, u64)> {
        self.ended.iter().map(|(author, seq)| (*author, *seq))
    }

    /// Takes back who was known to have equivocated when vertices were dropped, after all stubs and
    /// vertices are there; also finds who did in what was accepted since.
    pub fn restore_ended(&mut self, ended: &[(AuthorId, u64)]) {
        for (author, seq) in ended {
            self.mark_ended(*author, *seq);
        }
        let filled: BTreeSet<(AuthorId, u64)> = self
            .floor
            .stubs
            .iter()
            .filter_map(|stub| Some((self.floor.author(stub)?, stub.seq)))
            .collect();
        let twice: Vec<(AuthorId, u64)> = self
            .order
            .iter()
            .map(|signed| (signed.vertex().author, signed.vertex().seq))
            .filter(|place| filled.contains(place))
            .collect();
        for (author, seq) in twice {
            self.mark_ended(author, seq);
        }
    }

    fn is_head(&self, signed: &SignedVertex) -> bool {
        let lamport = signed.vertex().lamport;
        self.heads.contains(&Key { lamport, id: signed.id() })
    }

    /// Epoch and accused authors at every place.
    pub(super) fn fold_pasts(&mut self) -> Fold {
        let mut fold = Fold { epochs: Vec::new(), accused: Vec::new() };
        let mut lists = std::mem::take(&mut self.floor.lists);
        for signed in &self.order {
            let at = |id: &VertexId| match (self.index.get(id), self.floor.get(id)) {
                (Some(place), _) => fold
                    .epochs
                    .get(*place)
                    .zip(fold.accused.get(*place))
                    .map(|(epoch, accused)| (*epoch, *accused)),
                (None, Some(stub)) => Some((stub.epoch, stub.accused)),
                (None, None) => None,
            };
            let fields = signed.vertex();
            let own = super::chain::bindings(signed).last().map(|binding| binding.epoch);
            let before = fields.prev.as_ref().and_then(at).map(|(epoch, _)| epoch);
            let sets: BTreeSet<u32> =
                fields.parents.iter().filter_map(at).map(|(_, accused)| accused).collect();
            let carried: BTreeSet<AuthorId> = self.accused_in(signed).collect();
            let set = match sets.first() {
                Some(only) if sets.len() == 1 && carried.is_empty() => *only,
                _ => {
                    let mut union = Set::default();
                    for set in sets.iter().filter_map(|set| lists.set(*set)) {
                        union.extend(set);
                    }
                    for author in &carried {
                        union.insert(lists.place_of(*author));
                    }
                    lists.place_of_set(&union)
                }
            };
            fold.epochs.push(own.or(before).unwrap_or_default());
            fold.accused.push(set);
        }
        self.floor.lists = lists;
        fold
    }

    /// Whom the proofs in a vertex accuse.
    fn accused_in(&self, signed: &SignedVertex) -> impl Iterator<Item = AuthorId> {
        let id = signed.id();
        let carries = signed
            .vertex()
            .payloads
            .iter()
            .any(|payload| matches!(payload, Payload::Equivocation { .. }));
        let proofs = self.proofs.iter().filter(move |(_, ids)| carries && ids.contains(&id));
        proofs.map(|(author, _)| *author)
    }

    pub(super) fn stub_of(&mut self, place: usize, fold: &Fold) -> Option<Stub> {
        let signed = self.order.get(place)?;
        let (id, fields) = (signed.id(), signed.vertex());
        let (seq, lamport) = (fields.seq, fields.lamport);
        let author = self.floor.lists.place_of(fields.author);
        let (epoch, accused) = (*fold.epochs.get(place)?, *fold.accused.get(place)?);
        Some(Stub { id, author, seq, lamport, epoch, accused })
    }

    /// Parents of the vertices at these places that are not there themselves.
    fn kept_parents(&self, places: &BTreeSet<usize>) -> Vec<VertexId> {
        let parents = places.iter().filter_map(|place| self.parents.get(*place)).flatten();
        let kept: BTreeSet<usize> = parents.filter(|at| !places.contains(at)).copied().collect();
        kept.iter().filter_map(|place| self.order.get(*place)).map(SignedVertex::id).collect()
    }

    /// Stubs for a store, with lists of their own.
    pub(super) fn pack(&self, stubs: &[Stub], cited: Vec<VertexId>) -> Stubs {
        let mut lists = Lists::default();
        let adopted = stubs.iter().filter_map(|stub| stub.adopted(&self.floor.lists, &mut lists));
        let list = adopted.collect();
        Stubs { authors: lists.authors, accused: lists.sets, cited, list }
    }

    /// Takes the vertices at these places out.
    fn rebuild_without(&mut self, places: &BTreeSet<usize>) {
        let order = std::mem::take(&mut self.order);
        self.index.clear();
        self.parents.clear();
        self.floor.after.clear();
        self.cover.drop_at(places);
        for (place, signed) in order.into_iter().enumerate() {
            let (id, fields) = (signed.id(), signed.vertex());
            if places.contains(&place) {
                self.bytes -= signed.size_bytes();
                if let Some(chain) = self.chains.get_mut(&fields.author) {
                    chain.drop_at(fields.seq, &id, signed.size_bytes());
                }
                continue;
            }
            let parents = fields.parents.iter().filter_map(|id| self.index.get(id)).copied();
            self.parents.push(parents.collect());
            self.floor.note(self.order.len(), &fields.parents);
            self.index.insert(id, self.order.len());
            self.order.push(signed);
        }
    }
}

impl Stub {
    /// The same stub with places in other lists; `None` if it names what its own do not list.
    fn adopted(&self, from: &Lists, to: &mut Lists) -> Option<Self> {
        let (author, accused) = to.adopt(from, self.author, self.accused)?;
        Some(Self { author, accused, ..*self })
    }
}

fn damaged() -> Error {
    Error::Stubs { reason: "they name an author or a set that is not listed" }
}

/// Whether a vertex states something that is never old.
fn states_for_good(signed: &SignedVertex) -> bool {
    let mut payloads = signed.vertex().payloads.iter();
    payloads.any(|payload| {
        matches!(
            payload,
            Payload::Identity { .. } | Payload::Binding(_) | Payload::Equivocation { .. }
        )
    })
}

#[cfg(test)]
impl Stubs {
    /// Records that no pruning makes: lists cut off.
    pub(super) fn damaged(&self) -> [Self; 2] {
        let (mut nobody, mut set) = (self.clone(), self.clone());
        nobody.authors.clear();
        set.accused.clear();
        [nobody, set]
    }

    /// Stubs of an author that nobody else is, in one chain from `first` on.
    pub(super) fn invented(first: u64, count: usize) -> Self {
        let stub = |seq: u64| Stub {
            id: VertexId::of(&seq.to_be_bytes()),
            author: 0,
            seq,
            lamport: seq / 1_000,
            epoch: 0,
            accused: 0,
        };
        let list = (first..).take(count).map(stub).collect();
        let authors = vec![AuthorId::from_bytes([9; 32])];
        Self { authors, accused: vec![Set::default()], cited: Vec::new(), list }
    }
}
