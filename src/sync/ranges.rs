//! One reconciliation with one peer: messages until the difference is known, then what is missing,
//! by id, oldest first.
//!
//! Everything the peer can make this side do is bounded: messages, time, names of vertices to
//! fetch. A peer that listed a vertex has it; one that does not send it when asked is left alone.

use std::collections::{BTreeMap, BTreeSet};

use super::negentropy::{self, Bound};
use super::{State, Want};
use crate::clock::Now;
use crate::crypto::hash::Digest;
use crate::dag::{Graph, VertexId};
use crate::identity::TransportId;
use crate::limits;

/// What is known so far.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer: TransportId,
    /// The message to send next; none when everything is known.
    next: Option<Vec<u8>>,
    rounds: u32,
    since_mono_ms: u64,
    /// What the peer has and this side lacks, in the peer's order, which is a causal one: by where
    /// the range began, then as listed.
    needs: BTreeMap<(Bound, usize), VertexId>,
    /// The same, by name: frames that are cut list things twice.
    names: BTreeSet<VertexId>,
    listed: usize,
}

impl Session {
    fn new(peer: TransportId, graph: &Graph, now: Now) -> Self {
        Self {
            peer,
            next: Some(negentropy::initiate(graph.uncovered())),
            rounds: 0,
            since_mono_ms: now.mono_ms,
            needs: BTreeMap::new(),
            names: BTreeSet::new(),
            listed: 0,
        }
    }

    /// What to ask next; `None` when nothing is left.
    fn want(&mut self, graph: &Graph) -> Option<Want> {
        if let Some(message) = self.next.take() {
            self.rounds += 1;
            return Some(Want::Ranges { message });
        }
        self.needs.retain(|_, id| !graph.contains(id) && self.names.contains(id));
        let oldest = self.needs.values().take(limits::REQUEST_VERTICES_MAX);
        let mut ids: Vec<VertexId> = oldest.copied().collect();
        ids.sort_unstable();
        (!ids.is_empty()).then_some(Want::Vertices { ids })
    }

    fn hear(
        &mut self,
        message: &[u8],
        graph: &Graph,
        refused: &BTreeSet<VertexId>,
        now: Now,
    ) -> Result<(), negentropy::Error> {
        let frame = Some(limits::RANGES_BYTES_MAX);
        let found = negentropy::reconcile(graph.uncovered(), message, frame)?;
        for need in found.need {
            let id = VertexId(Digest(need.id));
            let room = self.names.len() < limits::RANGES_NEEDED_MAX;
            let wanted = !graph.contains(&id) && !refused.contains(&id);
            if room && wanted && self.names.insert(id) {
                self.listed += 1;
                self.needs.insert((need.from, self.listed), id);
            }
        }
        let on = self.names.len() < limits::RANGES_NEEDED_MAX
            && self.rounds < limits::RANGES_ROUNDS_MAX
            && now.since_ms(self.since_mono_ms) < limits::RANGES_MS_MAX;
        self.next = found.next.filter(|_| on);
        Ok(())
    }
}

impl State {
    /// A peer answered a message of a reconciliation.
    ///
    /// # Errors
    /// What is wrong with the answer; the reconciliation is over then.
    pub fn on_ranges(
        &mut self,
        peer: &TransportId,
        message: &[u8],
        graph: &Graph,
        now: Now,
    ) -> Result<(), negentropy::Error> {
        let Some(state) = self.peers.get_mut(peer) else { return Ok(()) };
        self.under_way.remove(peer);
        let Some(session) = self.ranges.as_mut().filter(|session| session.peer == *peer) else {
            return Ok(());
        };
        let refused = self.refused.iter().copied().collect();
        let heard = session.hear(message, graph, &refused, now);
        if heard.is_err() {
            state.back_off(now);
            self.end_ranges(peer);
        }
        heard
    }

    /// Whether a reconciliation with somebody is under way.
    pub fn is_reconciling(&self) -> bool {
        self.ranges.is_some()
    }

    /// What to ask of this peer for a reconciliation, which begins if it is wanted.
    pub(super) fn want_ranges(
        &mut self,
        peer: &TransportId,
        graph: &Graph,
        now: Now,
    ) -> Option<Want> {
        let apart = self.peers.get(peer).is_some_and(|state| state.apart);
        if self.ranges.is_none() && apart {
            self.ranges = Some(Session::new(peer.clone(), graph, now));
        }
        let session = self.ranges.as_mut().filter(|session| session.peer == *peer)?;
        let want = session.want(graph);
        if want.is_none() {
            self.end_ranges(peer);
        }
        want
    }

    /// What was listed came, or did not: `false` when the peer kept back what it had listed. Of an
    /// answer that was cut, the rest is asked for again.
    pub(super) fn settle_needs(
        &mut self,
        peer: &TransportId,
        asked: &[VertexId],
        came: impl Fn(&VertexId) -> bool,
        is_cut: bool,
    ) -> bool {
        let Some(session) = self.ranges.as_mut().filter(|session| session.peer == *peer) else {
            return true;
        };
        session.names.retain(|id| !asked.contains(id) || !came(id));
        let whole = is_cut || asked.iter().all(came);
        if !whole {
            self.end_ranges(peer);
        }
        whole
    }

    /// Ends the reconciliation with a peer, if there is one.
    pub(super) fn end_ranges(&mut self, peer: &TransportId) {
        self.ranges.take_if(|session| session.peer == *peer);
        if let Some(state) = self.peers.get_mut(peer) {
            state.apart = false;
        }
    }
}
