//! What is behind checkpoints: the part of a history that can be handed on without its vertices.
//!
//! A vertex is *covered* from the first checkpoint on whose frontier has it behind itself. The
//! covered part is the same for all who know the same frontiers, and so is every [`Layer`], which
//! is what one more frontier covers: a stub is a function of its vertex and of what is behind that.
//!
//! Cost: a layer takes a walk over what is newly covered, and one over the graph to know which
//! epochs and proofs are behind each vertex; several layers at a time share that one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Graph, Key, Orphans, Stubs};
use crate::dag::{Error, Payload, SignedVertex, VertexId};
use crate::identity::AuthorId;

/// How far a graph is covered.
#[derive(Debug, Default)]
pub(super) struct Cover {
    /// Whether the vertex at each place is.
    marks: Vec<bool>,
    /// Covered vertices that are no covered one's parent.
    tips: BTreeSet<VertexId>,
}

/// What one frontier covers beyond those before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The vertices, in the order of the timeline.
    pub stubs: Stubs,
    /// Places of the [lasting](SignedVertex::is_lasting) ones among them, ascending: nodes never
    /// drop them, and whoever is handed a layer needs them whole.
    pub lasting: Vec<u32>,
}

impl Layer {
    /// Names of the vertices that are needed whole.
    pub fn lasting(&self) -> impl Iterator<Item = VertexId> {
        let is_lasting = |at: &u32| self.lasting.binary_search(at).is_ok();
        (0..).zip(self.stubs.names()).filter(move |(at, _)| is_lasting(at)).map(|(_, (id, _))| id)
    }
}

impl Cover {
    /// A vertex was accepted at the end.
    pub(super) fn extend(&mut self) {
        self.marks.push(false);
    }

    /// Vertices at these places were taken out.
    pub(super) fn drop_at(&mut self, places: &BTreeSet<usize>) {
        let mut place = 0;
        self.marks.retain(|_| {
            place += 1;
            !places.contains(&(place - 1))
        });
    }

    fn is_marked(&self, place: usize) -> bool {
        self.marks.get(place).copied().unwrap_or(true)
    }
}

impl Graph {
    /// Covers what is behind these frontiers, one after the other, and gives what each adds, with
    /// the covered vertices that are then no covered one's parent, ascending; fewer layers than
    /// frontiers when a vertex of the next one is not here.
    pub fn cover(&mut self, frontiers: &[&[VertexId]]) -> Vec<(Layer, Vec<VertexId>)> {
        let known = |frontier: &&&[VertexId]| frontier.iter().all(|id| self.contains(id));
        let known = frontiers.iter().take_while(known).count();
        if known == 0 {
            return Vec::new();
        }
        let fold = self.fold_pasts();
        let mut layers = Vec::with_capacity(known);
        for frontier in frontiers.iter().take(known) {
            let places = self.cover_one(frontier);
            let mut stubs = Vec::with_capacity(places.len());
            let mut lasting = Vec::new();
            for (at, place) in (0..).zip(places) {
                stubs.extend(self.stub_of(place, &fold));
                let signed = self.order.get(place);
                lasting.extend(signed.filter(|signed| signed.is_lasting()).map(|_| at));
            }
            let layer = Layer { stubs: self.pack(&stubs, Vec::new()), lasting };
            layers.push((layer, self.covered_tips()));
        }
        layers
    }

    /// Marks what is behind a frontier; gives the new places in the order of the timeline.
    fn cover_one(&mut self, frontier: &[VertexId]) -> Vec<usize> {
        let mut places = Vec::new();
        let mut open: Vec<usize> =
            frontier.iter().filter_map(|id| self.index.get(id)).copied().collect();
        let tips: Vec<usize> =
            open.iter().copied().filter(|at| !self.cover.is_marked(*at)).collect();
        while let Some(place) = open.pop() {
            if self.cover.is_marked(place) {
                continue;
            }
            if let Some(mark) = self.cover.marks.get_mut(place) {
                *mark = true;
            }
            places.push(place);
            open.extend(self.parents.get(place).into_iter().flatten());
        }
        let id = |place: &usize| self.order.get(*place).map(SignedVertex::id);
        self.cover.tips.extend(tips.iter().filter_map(id));
        for parent in places.iter().filter_map(|at| self.order.get(*at)).flat_map(parents_of) {
            self.cover.tips.remove(parent);
        }
        places.sort_unstable_by_key(|place| self.key_at(*place));
        places
    }

    /// Covered vertices that are no covered one's parent, ascending.
    pub fn covered_tips(&self) -> Vec<VertexId> {
        self.cover.tips.iter().copied().collect()
    }

    /// Covered vertices that were not dropped.
    pub fn covered(&self) -> impl Iterator<Item = &SignedVertex> {
        let marked = self.order.iter().zip(&self.cover.marks).filter(|(_, covered)| **covered);
        marked.map(|(signed, _)| signed)
    }

    /// Takes back how far the graph was covered, after all stubs and vertices are there.
    pub fn restore_cover(&mut self, tips: &[VertexId]) {
        let mut marks = vec![false; self.order.len()];
        self.mark_past(tips, &mut marks, |_| ());
        // What is behind a dropped vertex was covered with it.
        let cited = self.floor.cited();
        self.mark_past(&cited, &mut marks, |_| ());
        self.cover = Cover { marks, tips: tips.iter().copied().collect() };
    }

    /// Takes in vertices that others dropped and this node never had, while it runs: the graph
    /// then accepts what theirs accept. What was parked is forgotten and can be fetched again.
    ///
    /// # Errors
    /// [`Error::Stubs`], and then nothing has changed.
    pub fn adopt_stubs(&mut self, stubs: &Stubs) -> Result<(), Error> {
        self.restore_stubs(stubs)?;
        let cited: Vec<Key> = self.floor.cited().iter().map(|id| self.key_of(*id)).collect();
        for key in cited {
            self.heads.remove(&key);
        }
        let authors: Vec<AuthorId> = self.chains.keys().copied().collect();
        for author in authors {
            let (Some(tip), Some(chain)) = (self.floor.tip(&author), self.chains.get_mut(&author))
            else {
                continue;
            };
            (chain.next_seq, chain.tip) = (chain.next_seq, chain.tip).max(tip);
        }
        self.orphans = Orphans::default();
        Ok(())
    }

    fn key_of(&self, id: VertexId) -> Key {
        Key { lamport: self.lamport(&id), id }
    }

    fn key_at(&self, place: usize) -> Option<Key> {
        let signed = self.order.get(place)?;
        Some(Key { lamport: signed.vertex().lamport, id: signed.id() })
    }
}

impl SignedVertex {
    /// Whether it says anything that checkpoints never make superfluous: all but votes, committees
    /// and operations.
    pub fn is_lasting(&self) -> bool {
        let settles = |payload: &Payload| {
            matches!(payload, Payload::Votes(_) | Payload::Committee(_) | Payload::Ledger(_))
        };
        !self.vertex().payloads.iter().all(settles)
    }
}

fn parents_of(signed: &SignedVertex) -> &[VertexId] {
    &signed.vertex().parents
}
