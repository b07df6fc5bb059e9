//! Questions about a vertex's causal past.
//!
//! A walk goes by place, not by name: places of parents are smaller than those of their children,
//! so nothing before the place of what is looked for can lead to it, and one bit for each place in
//! between remembers what was seen. Where both are on one author's chain their positions decide at
//! once. Measured against a vector of positions for each vertex, which answers at once but takes
//! authors x vertices x 4 bytes (1 GiB at the bounds of a graph): `benches/dag.rs`.

use std::collections::BTreeSet;

use super::Graph;
use crate::dag::{Error, SignedVertex, VertexId};

impl Graph {
    /// Whether a replica with these heads has the accepted vertex `id`. Heads that are not
    /// accepted here say nothing about it, and neither does anything about one that is not here.
    ///
    /// Costs a walk over what was accepted after `id`, and nothing on one author's chain.
    pub fn is_behind(&self, id: &VertexId, heads: &[VertexId]) -> bool {
        let Some(target) = self.index.get(id).copied() else { return false };
        let open = self.places(heads);
        let chained = |place: &usize| self.is_chained(target, *place);
        open.iter().any(chained) || self.reaches(open, &BTreeSet::from([target]))
    }

    /// Whether two accepted vertices are on one author's chain, the first not after the second. An
    /// author that equivocated has a tree, about which positions say nothing.
    fn is_chained(&self, first: usize, second: usize) -> bool {
        let vertex = |place: usize| self.order.get(place).map(SignedVertex::vertex);
        let (Some(first), Some(second)) = (vertex(first), vertex(second)) else { return false };
        first.author == second.author
            && first.seq <= second.seq
            && !self.ended.contains_key(&first.author)
    }

    /// Whether one of `targets` is in `open` or behind it.
    fn reaches(&self, mut open: Vec<usize>, targets: &BTreeSet<usize>) -> bool {
        let (Some(floor), Some(top)) = (targets.first().copied(), open.iter().max().copied())
        else {
            return false;
        };
        let mut seen = vec![0_u64; top.saturating_sub(floor) / 64 + 1];
        while let Some(place) = open.pop() {
            let Some(above) = place.checked_sub(floor) else { continue };
            if targets.contains(&place) {
                return true;
            }
            let Some(word) = seen.get_mut(above / 64) else { continue };
            let bit = 1 << (above % 64);
            if *word & bit == 0 {
                *word |= bit;
                open.extend(self.parents.get(place).into_iter().flatten());
            }
        }
        false
    }

    fn places(&self, ids: &[VertexId]) -> Vec<usize> {
        ids.iter().filter_map(|id| self.index.get(id)).copied().collect()
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

    /// The vertex `last`, the vertices `of` and everything behind them; in causal order, with
    /// `last` at the end. Where something cites what is not here, as what never was can be cited
    /// once its place is covered, the vertex that has that place instead is among them, with its
    /// past.
    ///
    /// # Errors
    /// [`Error::Restore`] when nothing here has such a place, as a part of the past was dropped, or
    /// when something among them follows `last`.
    pub fn whole_past(
        &self,
        of: &[VertexId],
        last: &VertexId,
    ) -> Result<Vec<&SignedVertex>, Error> {
        let (mut marks, mut past) = (vec![false; self.order.len()], Vec::new());
        let mut open: Vec<VertexId> = of.iter().chain([last]).copied().collect();
        if let Some(gone) = open.iter().find(|id| !self.contains(id)) {
            return Err(Error::Restore { id: *gone, missing: 1 });
        }
        while !open.is_empty() {
            let from = past.len();
            let next = std::mem::take(&mut open);
            self.mark_past(&next, &mut marks, |at| past.extend(self.order.get(at)));
            for signed in past.get(from..).unwrap_or_default() {
                let beside = signed.vertex().parents.iter().filter(|cited| !self.has_cited(cited));
                for cited in beside {
                    let chain = self.author(&cited.author);
                    let other = chain.and_then(|chain| chain.at(cited.seq));
                    open.push(other.ok_or(Error::Restore { id: signed.id(), missing: 1 })?);
                }
            }
        }
        let follows =
            |signed: &&SignedVertex| signed.vertex().parents.iter().any(|cited| cited.id == *last);
        if let Some(signed) = past.iter().copied().find(follows) {
            return Err(Error::Restore { id: signed.id(), missing: 1 });
        }
        past.sort_by_key(|signed| (signed.id() == *last, signed.citation().key()));
        Ok(past)
    }

    /// Marks the places of `from` and of everything behind them that is not marked yet.
    pub(super) fn mark_past(
        &self,
        from: &[VertexId],
        marks: &mut [bool],
        mut found: impl FnMut(usize),
    ) {
        let mut open = self.places(from);
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
