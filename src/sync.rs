//! Catching up: which vertices to ask of whom, and which to send to who asks.
//!
//! Nodes tell each other their *heads*. A head that is not in the graph is *wanted*, and so is the
//! missing parent of a parked vertex. There are two ways to ask, both answered in causal order, so
//! that what arrives can be accepted at once:
//!
//! - by id, for a parent that gossip overtook;
//! - for the *ancestors* of what is wanted, short of what the asker knows: walking back, done by
//!   the peer that has the history, in one round trip per answer instead of one per generation.
//!
//! What the asker knows is sketched as in git's and Bitcoin's exchanges: its heads, vertices it has
//! in common with this peer, and samples of its own history at distances 1, 2, 4, 8... A graph is
//! closed under "parent of" but for what checkpoints cover, so knowing a vertex means knowing
//! everything behind it. What a peer sent counts as common from then on, so every answer moves the
//! exchange forward.
//!
//! [`State`] decides and remembers; it sends nothing and reads no clock. It asks one peer for
//! ancestors at a time (two would send the same) unless that one is slow, backs off from a peer
//! that answers nothing new, and forgets a wanted vertex that was not given in several attempts.
//! What is wanted is kept for each peer that mentioned it, and asked of those alone: an honest peer
//! has what it mentions, and one that makes up names fills its own share and nobody else's.
//!
//! A sketch tells little about histories that grew apart for long, and heads that are too many for
//! one message tell nothing about those left out. Then the two compare their histories by ranges
//! ([`negentropy`]), one peer at a time, and what turns out to be missing is fetched by id.

pub mod negentropy;

mod ranges;
mod serve;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::clock::Now;
use crate::dag::{Graph, VertexId};
use crate::identity::TransportId;
use crate::limits;

pub use serve::{Served, serve};

/// Most samples of the own history in a sketch: distances 1, 2, 4 ... up to 2^16.
const SAMPLES_MAX: usize = 17;
/// Most own heads in a sketch; as many as one vertex can join.
const OWN_HEADS_MAX: usize = limits::VERTEX_PARENTS_MAX;
/// Most common vertices remembered per peer: what a sketch has left.
const COMMON_MAX: usize = limits::HEADS_MAX - SAMPLES_MAX - OWN_HEADS_MAX;

/// What one node asks of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// These vertices, at most [`limits::REQUEST_VERTICES_MAX`], ascending.
    Vertices {
        /// Their names.
        ids: Vec<VertexId>,
    },
    /// These vertices and what is behind them, short of what is known.
    Ancestors {
        /// Whose past, themselves included; at most [`limits::REQUEST_VERTICES_MAX`], ascending.
        of: Vec<VertexId>,
        /// What the asker has, with everything behind it; at most [`limits::HEADS_MAX`],
        /// ascending.
        known: Vec<VertexId>,
    },
    /// How the histories differ. Answered by [`negentropy::answer`], not by [`serve`].
    Ranges {
        /// At most [`limits::RANGES_BYTES_MAX`] bytes.
        message: Vec<u8>,
    },
}

/// One decision: ask this of that peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Whom.
    pub peer: TransportId,
    /// What.
    pub want: Want,
}

/// What came of a request, after everything in the answer was inserted into the graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Names of the vertices in the answer, in its order.
    pub received: Vec<VertexId>,
    /// How many of them were accepted or parked and had not been before.
    pub news: usize,
    /// Whether the peer has more to give for the same request.
    pub more: bool,
    /// Whether the rest of the answer was left for later, which is not the peer's fault.
    pub held: bool,
}

/// What is wanted, who may have it, and what is under way.
#[derive(Debug, Default)]
pub struct State {
    peers: BTreeMap<TransportId, Peer>,
    /// Those of them that something may be asked of: a node looks here after each of its inputs,
    /// and most of the time most peers have nothing that it lacks.
    busy: BTreeSet<TransportId>,
    /// Requests to them, one each; of those that are awaited at most
    /// [`limits::SYNC_REQUESTS_MAX`].
    under_way: BTreeMap<TransportId, UnderWay>,
    /// How many vertices of the graph are wanted no longer by anybody; `None` when that has to be
    /// found out anew.
    arrived: Option<usize>,
    /// Names that the graph refused, oldest first: not asked for again until somebody cites them.
    refused: VecDeque<VertexId>,
    /// The peer that was asked last, so that the next one has its turn.
    last: Option<TransportId>,
    /// The reconciliation by ranges; one at a time, like a walk back.
    ranges: Option<ranges::Session>,
}

#[derive(Debug, Default)]
struct Peer {
    /// Vertices both sides have, none behind another; the newest.
    common: VecDeque<VertexId>,
    /// What it mentioned and is not here: at most [`limits::SYNC_WANTED_PER_PEER_MAX`].
    wanted: BTreeMap<VertexId, Wanted>,
    /// Whether asking by id led to vertices with more missing parents.
    walking: bool,
    /// Whether heads and sketches are not enough to find out what is missing.
    apart: bool,
    /// Answers in a row that brought only what was known, and said that there is more.
    repeats: u32,
    failures: u32,
    not_before_mono_ms: u64,
}

#[derive(Debug)]
struct UnderWay {
    ids: Vec<VertexId>,
    kind: Kind,
    since_mono_ms: u64,
}

/// Why something was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A parent is missing.
    Parents,
    /// Walking back.
    Ancestors,
    /// Comparing histories, or fetching what that has shown to be missing.
    Ranges,
}

#[derive(Debug, Default)]
struct Wanted {
    /// Whether it is the peer's head, so that there may be much behind it.
    head: bool,
    attempts: u32,
    /// Whether the peer answered who asked for it by name, and did not give it.
    absent: bool,
}

impl State {
    /// Nothing known, nothing wanted.
    pub fn new() -> Self {
        Self::default()
    }

    /// A peer told its heads, which replace those it told before; it is followed from now on.
    /// Beyond [`limits::SYNC_PEERS_MAX`] peers a new one is not.
    ///
    /// As many heads as a message holds are not all there are, so histories are compared.
    pub fn on_heads(&mut self, peer: &TransportId, heads: &[VertexId], graph: &Graph) {
        if !self.peers.contains_key(peer) && self.peers.len() >= limits::SYNC_PEERS_MAX {
            return;
        }
        let heads = heads.get(..limits::HEADS_MAX).unwrap_or(heads);
        let known = self.peers.entry(peer.clone()).or_default();
        known.apart |= heads.len() >= limits::HEADS_MAX;
        known.wanted.retain(|id, wanted| !wanted.head || heads.contains(id));
        for head in heads {
            if graph.contains(head) {
                known.share(*head);
            } else if !self.refused.contains(head) {
                known.want(*head, true);
            }
        }
        if known.asks() {
            self.busy.insert(peer.clone());
        }
    }

    /// A vertex from `peer` was parked, waiting for these parents.
    pub fn on_missing(&mut self, peer: &TransportId, missing: &[VertexId]) {
        for id in missing {
            // Somebody cites it, so the graph will take it even if its author is ended.
            self.refused.retain(|refused| refused != id);
            if let Some(known) = self.peers.get_mut(peer) {
                known.want(*id, false);
                self.busy.insert(peer.clone());
            }
        }
        self.arrived = None;
    }

    /// The graph refused a vertex for good, or for as long as nobody cites it. Do not call this
    /// for a bad signature: the same name may come again with a good one.
    pub fn on_refused(&mut self, id: VertexId) {
        for peer in self.peers.values_mut() {
            peer.wanted.remove(&id);
        }
        if !self.refused.contains(&id) {
            self.refused.push_back(id);
        }
        if self.refused.len() > limits::SYNC_REFUSED_MAX {
            self.refused.pop_front();
        }
    }

    /// A peer is gone, and what only it mentioned is forgotten: others that have it will tell so
    /// with their heads.
    pub fn on_disconnected(&mut self, peer: &TransportId) {
        self.end_ranges(peer);
        self.peers.remove(peer);
        self.busy.remove(peer);
        self.under_way.remove(peer);
    }

    /// A request was answered and the answer is in the graph. `false` when the peer kept back a
    /// vertex that it had listed itself in a reconciliation.
    pub fn on_answer(
        &mut self,
        peer: &TransportId,
        answer: &Answer,
        graph: &Graph,
        now: Now,
    ) -> bool {
        let Some(state) = self.peers.get_mut(peer) else { return true };
        let Some(done) = self.under_way.remove(peer) else { return true };
        for id in frontier(&answer.received, graph) {
            state.share(id);
        }
        let parked = answer.received.iter().any(|id| !graph.contains(id));
        state.walking = done.kind == Kind::Parents && parked;
        // Histories that grew apart long ago share more than a sketch can tell, and what is shared
        // comes first: comparing them is cheaper. A peer that does not, and repeats itself without
        // end, is no better than a silent one.
        let repeats = answer.news == 0 && answer.more && !answer.received.is_empty();
        state.repeats = if repeats { state.repeats.saturating_add(1) } else { 0 };
        state.apart |=
            done.kind == Kind::Ancestors && answer.more && answer.news * 2 < answer.received.len();
        if state.asks() {
            self.busy.insert(peer.clone());
        }
        let useful = answer.news > 0 || (repeats && state.repeats <= limits::SYNC_REPEATS_MAX);
        if answer.held {
            state.not_before_mono_ms = now.mono_ms.saturating_add(limits::SYNC_HELD_MS);
        } else if useful {
            state.failures = 0;
        } else {
            state.back_off(now);
        }
        if done.kind == Kind::Ranges {
            let came = |id: &VertexId| answer.received.contains(id) || graph.contains(id);
            let is_cut = answer.held || (answer.more && !answer.received.is_empty());
            return self.settle_needs(peer, &done.ids, came, is_cut);
        }
        let is_whole = done.kind == Kind::Parents && !answer.held && !answer.more;
        for id in done.ids.iter().filter(|_| is_whole) {
            if let Some(wanted) = state.wanted.get_mut(id) {
                wanted.absent = true;
            }
        }
        state.settle(&done, useful || answer.held, graph);
        true
    }

    /// A request failed: no connection, a refusal, an unreadable answer.
    pub fn on_failed(&mut self, peer: &TransportId, graph: &Graph, now: Now) {
        let Some(state) = self.peers.get_mut(peer) else { return };
        let Some(done) = self.under_way.remove(peer) else { return };
        state.back_off(now);
        if done.kind == Kind::Ranges {
            return self.end_ranges(peer);
        }
        state.settle(&done, false, graph);
    }

    /// The next request to make, if there is one; call until `None`.
    pub fn next(&mut self, graph: &Graph, now: Now) -> Option<Ask> {
        self.time_out(graph, now);
        if self.busy.is_empty() {
            self.arrived = Some(graph.len());
            return None;
        }
        if self.awaited(now).count() >= limits::SYNC_REQUESTS_MAX {
            return None;
        }
        self.forget_arrived(graph);
        self.turns().iter().find_map(|peer| self.ask(peer, graph, now))
    }

    /// When to call [`State::next`] again although nothing happened, on the monotonic clock: the
    /// first time-out or end of a back-off after `now`.
    pub fn wake_at_mono_ms(&self, now: Now) -> Option<u64> {
        let idle = self.busy.iter().filter(|peer| !self.under_way.contains_key(*peer));
        let idle = idle.filter_map(|peer| self.peers.get(peer)).filter(|peer| peer.asks());
        let retries = idle.map(|peer| peer.not_before_mono_ms);
        let times = |asked: &UnderWay| {
            [limits::SYNC_SLOW_MS, limits::SYNC_REQUEST_MS_MAX]
                .map(|ms| asked.since_mono_ms.saturating_add(ms))
        };
        let timeouts = self.under_way.values().flat_map(times);
        timeouts.chain(retries).filter(|at_ms| *at_ms > now.mono_ms).min()
    }

    /// Vertices that are wanted and not there yet, counted for each peer that mentioned them.
    pub fn wanted(&self) -> usize {
        self.peers.values().map(|peer| peer.wanted.len()).sum()
    }

    /// Busy peers in the order of their turns: those after the one that was asked last come first.
    fn turns(&self) -> Vec<TransportId> {
        let after = |peer: &&TransportId| self.last.as_ref().is_none_or(|last| *peer > last);
        let (mut first, second): (Vec<&TransportId>, Vec<_>) = self.busy.iter().partition(after);
        first.extend(second);
        first.into_iter().cloned().collect()
    }

    /// What is in the graph now is wanted no longer, and a peer of which nothing is wanted is not
    /// busy.
    fn forget_arrived(&mut self, graph: &Graph) {
        let before = self.arrived.replace(graph.len());
        if before == Some(graph.len()) {
            return;
        }
        let new = before.and_then(|before| graph.len().checked_sub(before));
        let peers = &mut self.peers;
        self.busy.retain(|peer| {
            let Some(state) = peers.get_mut(peer) else { return false };
            match new {
                // Wanted by nobody were the older ones already.
                Some(new) if new < state.wanted.len() => {
                    for signed in graph.iter().rev().take(new) {
                        state.wanted.remove(&signed.id());
                    }
                }
                _ => state.wanted.retain(|id, _| !graph.contains(id)),
            }
            state.asks()
        });
    }

    /// Requests that may be answered soon: a peer that takes its time keeps nobody from asking
    /// another one, for the same too.
    fn awaited(&self, now: Now) -> impl Iterator<Item = &UnderWay> {
        let is_slow =
            move |asked: &UnderWay| now.since_ms(asked.since_mono_ms) >= limits::SYNC_SLOW_MS;
        self.under_way.values().filter(move |asked| !is_slow(asked))
    }

    /// What to ask of this peer now.
    fn ask(&mut self, peer: &TransportId, graph: &Graph, now: Now) -> Option<Ask> {
        let state = self.peers.get(peer)?;
        if self.under_way.contains_key(peer) || now.mono_ms < state.not_before_mono_ms {
            return None;
        }
        if let Some(want) = self.want_ranges(peer, graph, now) {
            return Some(self.asked(peer, want, Kind::Ranges, now));
        }
        let state = self.peers.get(peer)?;
        // What is asked for is sorted.
        let is_asked =
            |id: &VertexId| self.awaited(now).any(|other| other.ids.binary_search(id).is_ok());
        let open = state.wanted.iter().filter(|(id, _)| !is_asked(id));
        // Parents that are missing although a past was sent are not to be had by walking: they are
        // asked for by name, so that a peer that dropped them can say so. Once it said that it
        // has them not, the rest of what it has is not held up by them.
        let has_head = open.clone().any(|(_, wanted)| wanted.head);
        let is_named = |wanted: &Wanted| !wanted.head && (!wanted.absent || !has_head);
        let by_name = !state.walking && open.clone().any(|(_, wanted)| is_named(wanted));
        let open = open.filter(|(_, wanted)| !by_name || !wanted.head);
        let ids: Vec<VertexId> =
            open.map(|(id, _)| *id).take(limits::REQUEST_VERTICES_MAX).collect();
        let ancestors = !by_name;
        let walks = |other: &UnderWay| other.kind == Kind::Ancestors;
        if ids.is_empty() || (ancestors && self.awaited(now).any(walks)) {
            return None;
        }
        if ancestors {
            let known = sketch(graph, &state.common);
            let want = Want::Ancestors { of: ids, known };
            return Some(self.asked(peer, want, Kind::Ancestors, now));
        }
        Some(self.asked(peer, Want::Vertices { ids }, Kind::Parents, now))
    }

    /// Remembers what is being asked.
    fn asked(&mut self, peer: &TransportId, want: Want, kind: Kind, now: Now) -> Ask {
        let ids = match &want {
            Want::Vertices { ids } => ids.clone(),
            Want::Ancestors { of, .. } => of.clone(),
            Want::Ranges { .. } => Vec::new(),
        };
        let request = UnderWay { ids, kind, since_mono_ms: now.mono_ms };
        self.under_way.insert(peer.clone(), request);
        self.last = Some(peer.clone());
        Ask { peer: peer.clone(), want }
    }

    fn time_out(&mut self, graph: &Graph, now: Now) {
        let late =
            |asked: &UnderWay| now.since_ms(asked.since_mono_ms) >= limits::SYNC_REQUEST_MS_MAX;
        let late = self.under_way.iter().filter(|(_, asked)| late(asked));
        let peers: Vec<TransportId> = late.map(|(peer, _)| peer.clone()).collect();
        for peer in peers {
            self.on_failed(&peer, graph, now);
        }
    }
}

impl Peer {
    /// Whether there is something to ask of it, now or later.
    fn asks(&self) -> bool {
        self.apart || !self.wanted.is_empty()
    }

    /// Remembers something it mentioned, if its share has room.
    fn want(&mut self, id: VertexId, head: bool) {
        let room = self.wanted.len() < limits::SYNC_WANTED_PER_PEER_MAX;
        if room || self.wanted.contains_key(&id) {
            let wanted = self.wanted.entry(id).or_default();
            wanted.head |= head;
            wanted.absent &= head;
        }
    }

    /// Counts an attempt for what a request did not bring, and gives up what was asked too often.
    fn settle(&mut self, done: &UnderWay, useful: bool, graph: &Graph) {
        for id in &done.ids {
            if graph.contains(id) {
                self.wanted.remove(id);
                continue;
            }
            let Some(wanted) = self.wanted.get_mut(id).filter(|_| !useful) else { continue };
            wanted.attempts += 1;
            if wanted.attempts >= limits::SYNC_ATTEMPTS_MAX {
                self.wanted.remove(id);
            }
        }
    }

    fn share(&mut self, id: VertexId) {
        if self.common.contains(&id) {
            return;
        }
        if self.common.len() >= COMMON_MAX {
            self.common.pop_front();
        }
        self.common.push_back(id);
    }

    fn back_off(&mut self, now: Now) {
        let doubled = limits::SYNC_BACKOFF_MS_MIN << self.failures.min(16);
        let wait_ms = doubled.min(limits::SYNC_BACKOFF_MS_MAX);
        self.failures = self.failures.saturating_add(1);
        self.not_before_mono_ms = now.mono_ms.saturating_add(wait_ms);
    }
}

/// A sketch of everything in the graph: its newest heads, what is common, and samples.
fn sketch(graph: &Graph, common: &VecDeque<VertexId>) -> Vec<VertexId> {
    let mut known: BTreeSet<VertexId> = common.iter().copied().collect();
    known.extend(graph.newest_heads(OWN_HEADS_MAX));
    let distances = std::iter::successors(Some(1_usize), |distance| distance.checked_mul(2));
    let samples = distances
        .take(SAMPLES_MAX)
        .map_while(|distance| graph.len().checked_sub(distance))
        .filter_map(|place| graph.iter().nth(place))
        .map(crate::dag::SignedVertex::id);
    known.extend(samples);
    known.into_iter().collect()
}

/// The accepted vertices among `ids` that are no parent of another one of them.
fn frontier(ids: &[VertexId], graph: &Graph) -> Vec<VertexId> {
    let accepted: Vec<_> = ids.iter().filter_map(|id| graph.get(id)).collect();
    let parents: BTreeSet<VertexId> =
        accepted.iter().flat_map(|signed| signed.vertex().parent_ids()).collect();
    accepted.iter().map(|signed| signed.id()).filter(|id| !parents.contains(id)).collect()
}

#[cfg(test)]
mod tests;
