//! Answering other nodes' requests.
//!
//! Each request has exactly one answer. A rate is checked before anything is read, and whoever did
//! not say hello gets nothing. Blobs that are not in memory are read from the store first; how many
//! requests may wait for that is bounded for each peer.

use std::collections::BTreeMap;

use super::Node;
use super::offence::Offence;
use super::peers::Asked;
use crate::clock::Now;
use crate::dag::{BlobId, VertexId};
use crate::effect::Effect;
use crate::identity::TransportId;
use crate::limits;
use crate::message::{
    BlobPiece, Hello, Ranges, Refusal, Refused, Request, Response, Vertices, WantAncestors,
    WantBlob, WantVertices,
};
use crate::sync::{self, Want, negentropy};

/// Requests whose answer has to wait.
#[derive(Debug, Default)]
pub(super) struct Serving {
    /// Requests for blobs that are being read from the store.
    blobs: BTreeMap<BlobId, Vec<Waiting>>,
    /// Requests that came before this node could introduce itself.
    early: Vec<(TransportId, u64, Vec<u8>)>,
}

#[derive(Debug)]
struct Waiting {
    peer: TransportId,
    token: u64,
    offset: u64,
}

impl Serving {
    /// Gives back the requests that came too early.
    pub(super) fn take_early(&mut self) -> Vec<(TransportId, u64, Vec<u8>)> {
        std::mem::take(&mut self.early)
    }

    /// Forgets the requests of a peer that is gone.
    pub(super) fn forget_peer(&mut self, peer: &TransportId) {
        self.early.retain(|(known, _, _)| known != peer);
        for waiting in self.blobs.values_mut() {
            waiting.retain(|waiting| waiting.peer != *peer);
        }
        self.blobs.retain(|_, waiting| !waiting.is_empty());
    }

    /// How many requests wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.early.len() + self.blobs.values().map(Vec::len).sum::<usize>()
    }
}

impl Node {
    /// A peer asks something.
    pub(super) fn on_request(
        &mut self,
        peer: &TransportId,
        token: u64,
        bytes: &[u8],
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(from) = self.peers.get_mut(peer) else {
            return refuse(token, Refusal::Identity, out);
        };
        let is_known = from.is_known();
        if !from.requests.take(now.mono_ms, limits::REQUEST_BURST, limits::REQUESTS_PER_SECOND) {
            refuse(token, Refusal::Busy, out);
            return self.penalise(peer, Offence::RequestFlood, now, out);
        }
        if !self.introduced {
            if self.serving.early.len() < limits::PEERS_MAX {
                self.serving.early.push((peer.clone(), token, bytes.to_vec()));
                return;
            }
            return refuse(token, Refusal::Busy, out);
        }
        let request = match Request::decode(bytes) {
            Ok(request) => request,
            Err(error) => {
                self.counters.count(error.code());
                refuse(token, Refusal::Malformed, out);
                return self.penalise(peer, Offence::Malformed, now, out);
            }
        };
        match request {
            Request::Hello(hello) => self.serve_hello(peer, token, &hello, now, out),
            _ if !is_known => {
                refuse(token, Refusal::Identity, out);
                // A peer that was greeted may ask before its own hello has come all the way.
                if !self.peers.is_asked(peer, |asked| *asked == Asked::Hello) {
                    self.penalise(peer, Offence::Early, now, out);
                }
            }
            Request::Heads(heads) => {
                let own = self.own_heads(peer);
                respond(token, &Response::Heads(own), out);
                self.on_heads(peer, &heads, now);
            }
            Request::Vertices(WantVertices { ids, height }) => {
                let is_missing = |id: &VertexId| !self.graph.contains(id);
                if height < self.pruning.dropped_to && ids.iter().any(is_missing) {
                    self.counters.count("asked-for-dropped");
                    return refuse(token, Refusal::Dropped, out);
                }
                self.serve_vertices(peer, token, &Want::Vertices { ids }, now, out);
            }
            Request::Ancestors(WantAncestors { of, known }) => {
                self.serve_vertices(peer, token, &Want::Ancestors { of, known }, now, out);
            }
            Request::Ranges(ranges) => self.serve_ranges(peer, token, &ranges, now, out),
            Request::Blob(want) => self.serve_blob(peer, token, want, out),
            Request::Polls(polls) => self.serve_polls(peer, token, &polls, now, out),
            Request::Snapshot(want) => self.serve_snapshot(peer, token, want, now, out),
        }
    }

    fn serve_hello(
        &mut self,
        peer: &TransportId,
        token: u64,
        hello: &Hello,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        match self.on_hello(peer, hello, now, out) {
            Ok(()) => {
                let own = self.own_hello(peer, now);
                respond(token, &Response::Hello(own), out);
            }
            Err(why) => {
                refuse(token, why.refusal, out);
                self.turn_away(peer, &why, now, out);
            }
        }
    }

    /// What a walk over the history costs is known afterwards, so a peer may walk while it has not
    /// spent more than its share. Whoever comes late has much to walk: it is told to wait, and not
    /// blamed.
    pub(super) fn may_walk(
        &mut self,
        peer: &TransportId,
        token: u64,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> bool {
        let Some(from) = self.peers.get_mut(peer) else { return false };
        if from.walks.has_one(now.mono_ms, limits::WALK_BURST, limits::WALK_PER_SECOND) {
            return true;
        }
        self.counters.count("walk-rate");
        refuse(token, Refusal::Busy, out);
        false
    }

    pub(super) fn has_walked(&mut self, peer: &TransportId, cost: usize) {
        if let Some(from) = self.peers.get_mut(peer) {
            from.walks.spend(cost);
        }
    }

    fn serve_vertices(
        &mut self,
        peer: &TransportId,
        token: u64,
        want: &Want,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if !self.may_walk(peer, token, now, out) {
            return;
        }
        let served = sync::serve(&self.graph, want);
        let (walked, more) = (served.walked, served.more);
        let vertices = served.vertices.iter().map(|signed| signed.encode().into()).collect();
        self.has_walked(peer, walked);
        respond(token, &Response::Vertices(Vertices { vertices, more }), out);
    }

    /// Costs a peer from the same share as a walk.
    fn serve_ranges(
        &mut self,
        peer: &TransportId,
        token: u64,
        ranges: &Ranges,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if !self.may_walk(peer, token, now, out) {
            return;
        }
        let frame = Some(limits::RANGES_BYTES_MAX);
        match negentropy::answer(self.graph.uncovered(), &ranges.message, frame) {
            Ok((message, cost)) => {
                self.has_walked(peer, cost);
                respond(token, &Response::Ranges(Ranges { message }), out);
            }
            Err(error) => {
                self.counters.count(error.code());
                refuse(token, Refusal::Malformed, out);
                self.penalise(peer, Offence::Malformed, now, out);
            }
        }
    }

    fn serve_blob(
        &mut self,
        peer: &TransportId,
        token: u64,
        want: WantBlob,
        out: &mut Vec<Effect>,
    ) {
        let WantBlob { blob, offset } = want;
        if self.is_unrevealed(&blob) {
            return refuse(token, Refusal::Unknown, out);
        }
        if let Some(bytes) = self.blobs.get(&blob) {
            return respond(token, &piece(&bytes, offset), out);
        }
        if !self.blobs.is_local(&blob) {
            return refuse(token, Refusal::Unknown, out);
        }
        let Some(from) = self.peers.get_mut(peer) else { return };
        if from.serving >= limits::SERVING_PER_PEER_MAX {
            return refuse(token, Refusal::Busy, out);
        }
        from.serving += 1;
        let waiting = Waiting { peer: peer.clone(), token, offset };
        self.serving.blobs.entry(blob).or_default().push(waiting);
        if self.blobs.start_load(&blob) {
            out.push(Effect::LoadBlob { blob });
        }
    }

    /// The store answered: so can the requests that waited for it, and the runs go on.
    pub(super) fn on_blob_loaded(
        &mut self,
        blob: BlobId,
        bytes: Option<Vec<u8>>,
        out: &mut Vec<Effect>,
    ) {
        let loaded = self.blobs.loaded(blob, bytes);
        if loaded.is_none() {
            self.counters.count("store-blob-lost");
        }
        for Waiting { peer, token, offset } in self.serving.blobs.remove(&blob).unwrap_or_default()
        {
            if let Some(from) = self.peers.get_mut(&peer) {
                from.serving = from.serving.saturating_sub(1);
            }
            match &loaded {
                Some(bytes) => respond(token, &piece(bytes, offset), out),
                None => refuse(token, Refusal::Unknown, out),
            }
        }
        self.commands.loaded(&blob, loaded.as_ref());
        self.mark_runs();
    }

    /// Lets every run have a look: a blob came or was lost.
    pub(super) fn mark_runs(&mut self) {
        for following in self.following.values_mut() {
            following.dirty = true;
        }
    }
}

fn piece(bytes: &[u8], offset: u64) -> Response {
    let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
    let rest = rest.unwrap_or_default();
    let end = rest.len().min(limits::BLOB_PIECE_BYTES_MAX);
    Response::Blob(BlobPiece {
        total: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        bytes: rest.get(..end).unwrap_or_default().to_vec(),
    })
}

/// Answers a request.
pub(super) fn respond(token: u64, response: &Response, out: &mut Vec<Effect>) {
    out.push(Effect::Respond { token, bytes: response.encode() });
}

/// Answers a request with no.
pub(super) fn refuse(token: u64, reason: Refusal, out: &mut Vec<Effect>) {
    respond(token, &Response::Refused(Refused { reason }), out);
}
