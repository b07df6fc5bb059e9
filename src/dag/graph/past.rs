//! Questions about a vertex's causal past.

use std::collections::BTreeSet;

use super::Graph;
use crate::dag::{SignedVertex, VertexId};

impl Graph {
    /// Whether any of `targets`, all of them accepted, is in the causal past of `vertex`, whose
    /// parents are accepted.
    pub(super) fn is_after_any(&self, vertex: &SignedVertex, targets: &BTreeSet<VertexId>) -> bool {
        self.reaches(vertex.vertex().parents.clone(), targets)
    }

    /// Whether a replica with these heads has the accepted vertex `id`. Heads that are not
    /// accepted here say nothing about it.
    pub fn is_behind(&self, id: &VertexId, heads: &[VertexId]) -> bool {
        let heads = heads.iter().filter(|head| self.contains(head)).copied().collect();
        self.reaches(heads, &BTreeSet::from([*id]))
    }

    /// Whether one of `targets` is in `open` or behind it. Walks no further down than the lowest
    /// target.
    fn reaches(&self, mut open: Vec<VertexId>, targets: &BTreeSet<VertexId>) -> bool {
        let floor = targets.iter().map(|id| self.lamport(id)).min().unwrap_or(u64::MAX);
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if targets.contains(&id) {
                return true;
            }
            if self.lamport(&id) > floor && seen.insert(id) {
                open.extend(self.get(&id).into_iter().flat_map(|signed| &signed.vertex().parents));
            }
        }
        false
    }

    /// The vertices `of` and everything behind them that is not one of `known` or behind one of
    /// those; causal order, the oldest first. Ids that are not accepted are passed over. Also says
    /// how many vertices were walked over, which is what it cost: every one behind `of` and
    /// `known`, once.
    pub fn ancestors(&self, of: &[VertexId], known: &[VertexId]) -> (Vec<&SignedVertex>, usize) {
        let mut covered = vec![false; self.order.len()];
        let mut walked = 0;
        self.mark_past(known, &mut covered, |_| walked += 1);
        let mut places = Vec::new();
        self.mark_past(of, &mut covered, |place| places.push(place));
        walked += places.len();
        places.sort_unstable();
        (places.into_iter().filter_map(|place| self.order.get(place)).collect(), walked)
    }

    /// Marks the places of `from` and of everything behind them that is not marked yet.
    fn mark_past(&self, from: &[VertexId], marks: &mut [bool], mut found: impl FnMut(usize)) {
        let mut open: Vec<usize> =
            from.iter().filter_map(|id| self.index.get(id)).copied().collect();
        while let Some(place) = open.pop() {
            let Some(mark) = marks.get_mut(place) else { continue };
            if *mark {
                continue;
            }
            *mark = true;
            found(place);
            open.extend(self.parents.get(place).into_iter().flatten());
        }
    }
}
