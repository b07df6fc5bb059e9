//! Whether a peer is believed that what this node needs was dropped.
//!
//! Its word alone would let anybody make this node take a snapshot, whatever others have. So others
//! are asked for the same; and who keeps the whole history asks all of them.

use std::collections::BTreeSet;

use serde_bytes::ByteBuf;

use super::Node;
use super::config::History;
use super::joining::dropped_problem;
use super::peers::Asked;
use crate::clock::Now;
use crate::dag::{SignedVertex, VertexId};
use crate::effect::Effect;
use crate::identity::TransportId;
use crate::limits;
use crate::message::{Request, Vertices, WantVertices};

/// A peer dropped what is needed here; others are asked for it.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    ids: Vec<VertexId>,
    /// Who says that it dropped it.
    dropped_by: BTreeSet<TransportId>,
    /// Who has not answered yet.
    asked: BTreeSet<TransportId>,
    /// Whether one did not answer, or knows nothing of it: who is in step dropped it too, or has
    /// it.
    contradicted: bool,
}

impl Node {
    /// A peer says that it dropped what this node has not seen. That is its word alone, and others
    /// may have it: some of them are asked, or all if this node keeps the whole history.
    pub(super) fn on_dropped(
        &mut self,
        peer: &TransportId,
        ids: &[VertexId],
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if self.deciding.engine.quorum().is_none() || self.config.deciding().is_none() {
            return self.warn(dropped_problem(), now, out);
        }
        if self.joining.wanted || self.joining.doubt.is_some() {
            return;
        }
        let known = self.peers.known().map(|(other, _, _)| other.clone());
        let mut others: Vec<TransportId> = known.filter(|other| other != peer).collect();
        self.rng.shuffle(&mut others);
        if self.config.history != History::All {
            others.truncate(limits::SNAPSHOT_DOUBT_PEERS_MAX);
        }
        let mut doubt = Doubt {
            ids: ids.to_vec(),
            dropped_by: [peer.clone()].into(),
            // Alone, the word of a peer is not enough to give up what only it may have had.
            contradicted: others.is_empty() && self.config.history == History::All,
            ..Doubt::default()
        };
        for other in others {
            let height = self.whole_to(ids);
            let message = Request::Vertices(WantVertices { ids: ids.to_vec(), height });
            if self.request(&other, Asked::Dropped { ids: ids.to_vec() }, &message, now, out) {
                doubt.asked.insert(other);
            } else {
                doubt.contradicted = true;
            }
        }
        self.joining.doubt = Some(doubt);
        self.settle_doubt(now, out);
    }

    /// A peer that was asked for what another dropped does not give it; it may have dropped it too.
    pub(super) fn on_doubted(
        &mut self,
        peer: &TransportId,
        ids: &[VertexId],
        dropped: bool,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(doubt) = self.joining.doubt.as_mut().filter(|doubt| doubt.ids == ids) else {
            return;
        };
        if doubt.asked.remove(peer) {
            if dropped {
                doubt.dropped_by.insert(peer.clone());
            } else {
                doubt.contradicted = true;
            }
        }
        self.settle_doubt(now, out);
    }

    /// A peer that was asked for what another dropped gives something: if it is that, it is fetched
    /// from there.
    pub(super) fn on_kept(
        &mut self,
        peer: &TransportId,
        ids: &[VertexId],
        answer: &Vertices,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let is_one = |bytes: &ByteBuf| {
            SignedVertex::decode(bytes).is_ok_and(|signed| ids.contains(&signed.id()))
        };
        if !answer.vertices.iter().any(is_one) {
            return self.on_doubted(peer, ids, false, now, out);
        }
        if self.joining.doubt.as_ref().is_some_and(|doubt| doubt.ids == ids) {
            self.joining.doubt = None;
        }
        let missing = ids.iter().filter(|id| !self.graph.contains(id)).copied();
        let missing: Vec<VertexId> = missing.collect();
        self.sync.on_missing(peer, &missing);
    }

    /// Two are believed, and one if there is nobody else. Who keeps the whole history gives none of
    /// it up while anybody may have it.
    fn settle_doubt(&mut self, now: Now, out: &mut Vec<Effect>) {
        let keeps_all = self.config.history == History::All;
        let Some(doubt) = &self.joining.doubt else { return };
        let agree = doubt.dropped_by.len() > 1 && !keeps_all;
        if !agree && !doubt.asked.is_empty() {
            return;
        }
        let is_believed = agree || !doubt.contradicted;
        let Some(doubt) = self.joining.doubt.take() else { return };
        if is_believed {
            self.joining.wanted = true;
            self.joining.lacking = doubt.ids;
            self.joining.progress_ms = now.mono_ms.max(self.joining.not_before_ms);
        } else if keeps_all {
            self.warn(dropped_problem(), now, out);
        }
    }
}
