//! What is behind checkpoints, and goes without its vertices.
//!
//! A vertex is *covered* from the first checkpoint on whose frontier has it behind itself. Chains
//! are covered from their beginning, so the last covered position of each author says it all: one
//! [`Citation`] for each author, however long the history is. All who know the same frontiers have
//! the same ones.
//!
//! A vertex says of each parent whose it is, its position and its Lamport time. So a parent at a
//! covered position need not be there, nor be remembered: whatever was to be found out about it,
//! everybody has found out. [`Graph::prune`] drops covered vertices without a trace, and what comes
//! late and builds on them is accepted all the same. Covered positions only grow, so what one node
//! accepts another accepts as soon as it knows the same checkpoints.
//!
//! Of an author that equivocated a covered position may be that of another vertex than the one that
//! is cited. Then the citation leads nowhere, for everybody alike. Until the position is
//! *settled*, a few checkpoints later, the other one is fetched all the same, for what it says,
//! and because the two are a proof; from then on nobody takes it.
//!
//! Cost: covering takes a walk over what is newly covered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::{Graph, Key, Orphans};
use crate::dag::{Citation, Payload, SignedVertex, VertexId};
use crate::identity::AuthorId;
use crate::limits;

/// Checkpoints after which what is covered counts as settled (count): then a quorum has all of it,
/// and had time to be asked for it.
const CHECKPOINTS_BACK: u8 = 3;

/// The height up to which a checkpoint settles what is covered.
pub fn settled_height(height: u64) -> u64 {
    height.saturating_sub(CHECKPOINTS_BACK.into())
}

/// How far a history is covered: what a graph without the vertices goes on from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "CoverageFields", into = "CoverageFields")]
pub struct Coverage {
    /// The last covered vertex of each author.
    tips: BTreeMap<AuthorId, Citation>,
    /// For each of the last checkpoints, the oldest first: of whom it covered vertices, and the
    /// first position of those.
    recent: VecDeque<BTreeMap<AuthorId, u64>>,
    /// The greatest covered Lamport time.
    pub(super) lamport_max: u64,
}

/// Keys of maps are text in DAG-CBOR.
type CoverageFields = (Vec<Citation>, Vec<Vec<(AuthorId, u64)>>, u64);

/// What one frontier covers beyond those before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The last vertex of each author of whom there are any, ascending by author.
    pub tips: Vec<Citation>,
    /// The [lasting](SignedVertex::is_lasting) ones among the vertices, ascending: nodes never drop
    /// them, and whoever is handed a layer needs them whole.
    pub lasting: Vec<VertexId>,
}

impl From<CoverageFields> for Coverage {
    fn from((tips, recent, lamport_max): CoverageFields) -> Self {
        let tips = tips.into_iter().map(|tip| (tip.author, tip)).collect();
        let recent = recent.into_iter().map(|first| first.into_iter().collect()).collect();
        Self { tips, recent, lamport_max }
    }
}

impl From<Coverage> for CoverageFields {
    fn from(Coverage { tips, recent, lamport_max }: Coverage) -> Self {
        let recent = recent.into_iter().map(|first| first.into_iter().collect()).collect();
        (tips.into_values().collect(), recent, lamport_max)
    }
}

impl Coverage {
    /// The last covered vertex of an author.
    pub fn tip(&self, author: &AuthorId) -> Option<Citation> {
        self.tips.get(author).copied()
    }

    /// The last covered vertex of each author.
    pub fn tips(&self) -> impl Iterator<Item = &Citation> {
        self.tips.values()
    }

    /// Covered positions (count).
    pub fn positions(&self) -> u64 {
        self.tips.values().fold(0, |sum, tip| sum.saturating_add(tip.seq).saturating_add(1))
    }

    /// Whether a position of an author is covered.
    pub fn has(&self, author: &AuthorId, seq: u64) -> bool {
        self.tips.get(author).is_some_and(|tip| seq <= tip.seq)
    }

    /// How far these layers, one after the other, cover a history that was covered so far.
    #[must_use]
    pub fn then<'a>(mut self, layers: impl Iterator<Item = &'a Layer>) -> Self {
        for layer in layers {
            self.extend(layer);
        }
        self
    }

    /// Goes on by one layer; gives the first positions that are covered with it.
    fn extend(&mut self, layer: &Layer) -> BTreeMap<AuthorId, u64> {
        let mut before = BTreeMap::new();
        for tip in &layer.tips {
            let known = self.tips.get(&tip.author);
            if known.is_some_and(|known| known.seq >= tip.seq) {
                continue;
            }
            before.insert(tip.author, known.map_or(0, |known| known.seq + 1));
            self.tips.insert(tip.author, *tip);
            self.lamport_max = self.lamport_max.max(tip.lamport);
        }
        self.recent.push_back(before.clone());
        if self.recent.len() > CHECKPOINTS_BACK.into() {
            self.recent.pop_front();
        }
        before
    }

    /// Whether a position was covered some checkpoints ago.
    pub(super) fn has_settled(&self, author: &AuthorId, seq: u64) -> bool {
        let first = self.recent.iter().find_map(|before| before.get(author));
        first.map_or_else(|| self.has(author, seq), |first| seq < *first)
    }
}

impl Graph {
    /// How far it is covered.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Number of covered vertices that are not here, where nobody equivocated.
    pub fn dropped(&self) -> usize {
        let of = |tip: &Citation| {
            let here = self.chains.get(&tip.author).map_or(0, |chain| chain.count_to(tip.seq));
            usize::try_from(tip.seq).unwrap_or(usize::MAX).saturating_add(1).saturating_sub(here)
        };
        self.coverage.tips().map(of).sum()
    }

    /// Covers what is behind these frontiers, one after the other, and gives what each adds; fewer
    /// layers than frontiers when a vertex of the next one is not here.
    pub fn cover(&mut self, frontiers: &[&[Citation]]) -> Vec<Layer> {
        let mut layers = Vec::new();
        for frontier in frontiers {
            let Some(layer) = self.layer_of(frontier) else { break };
            let before = self.coverage.extend(&layer);
            self.forget_covered(&before);
            layers.push(layer);
        }
        layers
    }

    /// What is behind a frontier and not covered; `None` if not all of it is here.
    fn layer_of(&self, frontier: &[Citation]) -> Option<Layer> {
        let mut tips: BTreeMap<AuthorId, Citation> = BTreeMap::new();
        let (mut lasting, mut seen) = (Vec::new(), BTreeSet::new());
        let mut open: Vec<Citation> = frontier.to_vec();
        while let Some(cited) = open.pop() {
            if self.coverage.has(&cited.author, cited.seq) || !seen.insert(cited.id) {
                continue;
            }
            let signed = self.get(&cited.id).filter(|signed| signed.citation() == cited)?;
            let tip = tips.entry(cited.author).or_insert(cited);
            if (cited.seq, cited.id) > (tip.seq, tip.id) {
                *tip = cited;
            }
            if signed.is_lasting() {
                lasting.push(cited.id);
            }
            open.extend(&signed.vertex().parents);
        }
        lasting.sort_unstable();
        Some(Layer { tips: tips.into_values().collect(), lasting })
    }

    /// Takes what is covered, from these positions on, out of what is not.
    fn forget_covered(&mut self, from: &BTreeMap<AuthorId, u64>) {
        let mut ids: Vec<VertexId> = Vec::new();
        for (author, first) in from {
            let Some(chain) = self.chains.get(author) else { continue };
            let covered = chain.from(*first).take_while(|(seq, _)| self.coverage.has(author, *seq));
            ids.extend(covered.map(|(_, id)| id));
        }
        if from.keys().any(|author| self.ended.contains_key(author)) {
            // They filled positions twice, and a chain knows one vertex of each.
            let is_covered = |id: &VertexId| self.get(id).is_some_and(|s| self.is_covered(s));
            ids.extend(self.uncovered.iter().map(|key| key.id).filter(is_covered));
        }
        for id in ids {
            let key = self.get(&id).map(|signed| signed.citation().key());
            key.map(|key| self.uncovered.remove(&key));
        }
    }

    /// Covered vertices that were not dropped.
    pub fn covered(&self) -> impl Iterator<Item = &SignedVertex> {
        self.order.iter().filter(|signed| self.is_covered(signed))
    }

    /// Takes back how far an empty graph was covered.
    pub fn restore_coverage(&mut self, coverage: Coverage) {
        self.lamport_max = self.lamport_max.max(coverage.lamport_max);
        self.coverage = coverage;
    }

    /// Lets an empty graph take vertices back that were accepted when it was covered so far,
    /// although that is found out only after them.
    pub fn foresee_coverage(&mut self, coverage: Coverage) {
        self.foreseen = coverage;
    }

    /// Goes on from checkpoints whose vertices others dropped and this node never had. What was
    /// parked is forgotten and can be fetched again.
    pub fn adopt_coverage(&mut self, coverage: Coverage) {
        self.restore_coverage(coverage);
        for (author, chain) in &mut self.chains {
            chain.go_on_from(self.coverage.tip(author));
        }
        let keys: Vec<Key> = self.covered().map(|signed| signed.citation().key()).collect();
        for key in keys {
            self.uncovered.remove(&key);
            self.heads.remove(&key);
        }
        self.orphans = Orphans::default();
    }

    /// Accepts, in causal order, what waited for parents at positions that are covered now.
    pub fn release_covered(&mut self) -> Vec<VertexId> {
        let mut accepted = Vec::new();
        let mut orphans = std::mem::take(&mut self.orphans);
        let ready = orphans.take_ready(|cited| self.is_satisfied(cited));
        self.orphans = orphans;
        for orphan in ready {
            let (peer, id) = (orphan.peer.clone(), orphan.vertex.id());
            if let Err(error) = self.adopt(orphan, &mut accepted) {
                self.notice(super::Notice::Rejected { peer, id, error });
            }
        }
        self.release(&mut accepted);
        accepted
    }

    /// Whether a vertex is here, or its position is covered.
    pub fn is_known(&self, cited: &Citation) -> bool {
        self.coverage.has(&cited.author, cited.seq) || self.has_cited(cited)
    }

    /// Whether the position of a vertex is covered.
    pub(super) fn is_covered(&self, signed: &SignedVertex) -> bool {
        self.coverage.has(&signed.vertex().author, signed.vertex().seq)
    }

    /// Whether all parents of a vertex are here, as it cites them.
    pub fn has_parents(&self, signed: &SignedVertex) -> bool {
        signed.vertex().parents.iter().all(|cited| self.has_cited(cited))
    }

    /// Whether exactly what is cited is here.
    pub(super) fn has_cited(&self, cited: &Citation) -> bool {
        self.get(&cited.id).is_some_and(|signed| signed.citation() == *cited)
    }

    /// Whether a vertex with this parent may be accepted as far as that goes.
    pub(super) fn is_satisfied(&self, cited: &Citation) -> bool {
        if self.coverage.has(&cited.author, cited.seq) {
            // Nobody remembers its time, and anybody could make up one that carries all others
            // away. The other side of a fork may be a little later than what is covered.
            let most = self.coverage.lamport_max.saturating_add(limits::LAMPORT_WINDOW / 2);
            return cited.lamport <= most;
        }
        self.has_cited(cited)
    }

    /// Parents of a stored vertex that are neither here nor covered, nor were when it was accepted.
    pub fn lost_parents<'a>(
        &'a self,
        vertex: &'a SignedVertex,
    ) -> impl Iterator<Item = &'a Citation> {
        let is_lost = |cited: &&Citation| {
            !self.is_known(cited) && !self.foreseen.has(&cited.author, cited.seq)
        };
        vertex.vertex().parents.iter().filter(is_lost)
    }

    /// Parents of a vertex that are neither here nor covered.
    pub(super) fn missing_parents(&self, vertex: &SignedVertex) -> BTreeSet<VertexId> {
        let parents = vertex.vertex().parents.iter();
        parents.filter(|cited| !self.is_satisfied(cited)).map(|cited| cited.id).collect()
    }

    /// Drops accepted vertices at settled positions that are not among the `keep` that came last,
    /// and of which `is_past` says that nobody needs to read them again. Gives their names.
    ///
    /// Costs a walk over the graph, which is rebuilt.
    pub fn prune(&mut self, keep: usize, is_past: impl Fn(&SignedVertex) -> bool) -> Vec<VertexId> {
        let last = self.order.len().saturating_sub(keep);
        let old = self.order.iter().take(last).enumerate();
        let unwanted = old.filter(|(_, signed)| {
            let (author, seq) = (&signed.vertex().author, signed.vertex().seq);
            self.coverage.has_settled(author, seq)
                && !states_for_good(signed)
                && !self.heads.contains(&signed.citation().key())
                && is_past(signed)
        });
        let places: BTreeSet<usize> = unwanted.map(|(place, _)| place).collect();
        let ids = places.iter().filter_map(|place| self.order.get(*place)).map(SignedVertex::id);
        let ids = ids.collect();
        if !places.is_empty() {
            self.rebuild_without(&places);
        }
        ids
    }

    /// Takes the vertices at these places out.
    fn rebuild_without(&mut self, places: &BTreeSet<usize>) {
        let order = std::mem::take(&mut self.order);
        self.index.clear();
        self.parents.clear();
        for (place, signed) in order.into_iter().enumerate() {
            let (id, fields) = (signed.id(), signed.vertex());
            if places.contains(&place) {
                self.bytes -= signed.size_bytes();
                self.timeline.remove(&signed.citation().key());
                if let Some(chain) = self.chains.get_mut(&fields.author) {
                    chain.drop_at(fields.seq, &id, signed.size_bytes());
                }
                continue;
            }
            let parents = fields.parent_ids().filter_map(|id| self.index.get(&id).copied());
            self.parents.push(parents.collect());
            self.index.insert(id, self.order.len());
            self.order.push(signed);
        }
    }
}

impl Citation {
    /// Its place in time.
    pub(super) fn key(&self) -> Key {
        Key { lamport: self.lamport, id: self.id }
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

/// Whether a vertex states something that is never old.
fn states_for_good(signed: &SignedVertex) -> bool {
    let mut payloads = signed.vertex().payloads.iter();
    payloads.any(|payload| {
        matches!(
            payload,
            Payload::Identity { .. }
                | Payload::Binding(_)
                | Payload::Equivocation { .. }
                | Payload::Revocation { .. }
        )
    })
}
