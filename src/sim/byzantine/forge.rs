//! Attacks that sign what no honest member would, and send it to whom they like.

use std::collections::VecDeque;

use super::mute::phantom;
use super::{Action, Context, Strategy};
use crate::crypto::sign::Context as Use;
use crate::dag::{Citation, Payload, SignedVertex, Vertex, VertexId, cbor};
use crate::effect::{Effect, Input};

/// Messages that a replaying member remembers (count).
const REMEMBERED_MAX: usize = 64;

/// Encodes and signs fields whatever they are: [`SignedVertex::sign`] would refuse some.
pub(super) fn sign_anything(vertex: &Vertex, context: &mut Context<'_>) -> Vec<u8> {
    let bytes = cbor::encode(vertex).expect("plain data always encodes");
    let id = VertexId::of(&bytes);
    let claim = cbor::encode(&(vertex.network, vertex.author, vertex.seq, id));
    let mut hedge = [0; 32];
    context.rng.fill(&mut hedge);
    let claim = claim.expect("plain data always encodes");
    let signature = context.key.sign(Use::Vertex, &claim, hedge);
    let pair = (serde_bytes::Bytes::new(&bytes), serde_bytes::Bytes::new(signature.as_bytes()));
    cbor::encode(&pair).expect("plain data always encodes")
}

/// The fields of the core's next vertex, which says nothing of interest.
fn next(context: &mut Context<'_>) -> Option<Vertex> {
    let run = phantom(context);
    let payloads = vec![Payload::RunLeave { run }];
    context.state.graph().next_vertex(context.author, payloads, context.now).ok()
}

pub(super) fn to_all(context: &Context<'_>, bytes: &[u8]) -> Vec<Action> {
    let peers = context.peers.iter();
    peers.map(|peer| Action::Whisper { peer: *peer, bytes: bytes.to_vec() }).collect()
}

/// Every second peer gets one message, the rest another.
pub(super) fn halves(context: &Context<'_>, one: &[u8], other: &[u8]) -> Vec<Action> {
    let half = |(place, peer): (usize, &usize)| Action::Whisper {
        peer: *peer,
        bytes: if place % 2 == 0 { one.to_vec() } else { other.to_vec() },
    };
    context.peers.iter().enumerate().map(half).collect()
}

/// Two vertices in one place, one for every second peer.
#[derive(Debug)]
pub(super) struct Equivocate;

impl Strategy for Equivocate {
    fn on_effect(&mut self, effect: Effect, context: &mut Context<'_>) -> Vec<Action> {
        let Effect::Publish { bytes } = &effect else { return vec![Action::Do(effect)] };
        let Ok(signed) = SignedVertex::decode(bytes) else { return vec![Action::Do(effect)] };
        if signed.vertex().seq == 0 {
            return vec![Action::Do(effect)];
        }
        let mut twin = signed.vertex().clone();
        twin.time_ms += 1;
        let twin = sign_anything(&twin, context);
        halves(context, bytes, &twin)
    }
}

/// Vertices that each break one rule, in turn.
#[derive(Debug, Default)]
pub(super) struct BadVertices {
    turn: u64,
}

impl Strategy for BadVertices {
    fn on_second(&mut self, context: &mut Context<'_>) -> Vec<Action> {
        let Some(mut vertex) = next(context) else { return Vec::new() };
        let Some(prev) = vertex.prev else { return Vec::new() };
        self.turn += 1;
        let graph = context.state.graph();
        let last = graph.iter().next_back().map(SignedVertex::citation);
        let is_other = |signed: &&SignedVertex| signed.vertex().author != context.author;
        let (oldest, newest) = (graph.iter().find(is_other), graph.iter().rfind(is_other));
        match (self.turn % 7, last, oldest, newest) {
            // Its own last vertex is not among the parents.
            (0, Some(last), Some(other), _) => {
                let cited = if last.id == prev { other.citation() } else { last };
                (vertex.parents, vertex.lamport) = (vec![cited], cited.lamport + 1);
            }
            // The chain goes on from somebody else's vertex.
            (1, _, Some(other), _) => {
                let cited = other.citation();
                (vertex.prev, vertex.seq) = (Some(cited.id), cited.seq + 1);
                (vertex.parents, vertex.lamport) = (vec![cited], cited.lamport + 1);
            }
            // A parent that does not exist.
            (2, _, _, _) => {
                let id = phantom(context);
                vertex.parents.retain(|cited| cited.id == prev);
                let next = vertex.parents.first().map(|cited| Citation { id, ..*cited });
                vertex.parents.extend(next.map(|cited| Citation { seq: cited.seq + 1, ..cited }));
                vertex.parents.sort_unstable();
                vertex.lamport = 1 + next.map_or(0, |cited| cited.lamport);
            }
            // What it says of a parent is not in that: the next position, or one of long ago.
            (3, _, _, Some(newest)) => {
                let cited = newest.citation();
                vertex.parents.retain(|cited| cited.id == prev);
                vertex.parents.push(Citation { seq: cited.seq + 1, ..cited });
                vertex.parents.sort_unstable();
                vertex.lamport = 1 + vertex.parents.iter().map(|p| p.lamport).max().unwrap_or(0);
            }
            (4, _, _, Some(newest)) => {
                let cited = newest.citation();
                vertex.parents.retain(|cited| cited.id == prev);
                vertex.parents.push(Citation { seq: 0, lamport: 1, ..cited });
                vertex.parents.sort_unstable();
                vertex.lamport = 1 + vertex.parents.iter().map(|p| p.lamport).max().unwrap_or(0);
            }
            // A position is left out.
            (5, ..) => vertex.seq += 1,
            _ => vertex.lamport += 1,
        }
        let bytes = sign_anything(&vertex, context);
        to_all(context, &bytes)
    }
}

/// Lamport times that would leave no room for others.
#[derive(Debug)]
pub(super) struct FutureLamport;

impl Strategy for FutureLamport {
    fn on_second(&mut self, context: &mut Context<'_>) -> Vec<Action> {
        let Some(mut vertex) = next(context) else { return Vec::new() };
        vertex.lamport = crate::limits::VERTEX_NUMBER_MAX;
        if context.rng.below(2) == 0 {
            let (id, lamport) = (phantom(context), vertex.lamport - 1);
            let cited = Citation { id, author: context.author, seq: 0, lamport };
            vertex.parents.extend([cited]);
            vertex.parents.sort_unstable();
            vertex.parents.truncate(crate::limits::VERTEX_PARENTS_MAX);
        }
        let bytes = sign_anything(&vertex, context);
        to_all(context, &bytes)
    }
}

/// Vertices that wait for parents for ever.
#[derive(Debug)]
pub(super) struct OrphanFlood {
    pub(super) per_second: u32,
}

impl Strategy for OrphanFlood {
    fn on_second(&mut self, context: &mut Context<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        for offset in 0..self.per_second {
            let Some(mut vertex) = next(context) else { break };
            vertex.seq += u64::from(offset);
            let (id, lamport) = (phantom(context), vertex.lamport - 1);
            let seq = vertex.seq - 1;
            vertex.prev = Some(id);
            vertex.parents = vec![Citation { id, author: context.author, seq, lamport }];
            let bytes = sign_anything(&vertex, context);
            actions.extend(to_all(context, &bytes));
        }
        actions
    }
}

/// Says again what was said.
#[derive(Debug, Default)]
pub(super) struct Replay {
    heard: VecDeque<Vec<u8>>,
}

impl Strategy for Replay {
    fn on_input(&mut self, input: &Input) {
        if let Input::Gossip { bytes, .. } = input {
            self.heard.push_back(bytes.clone());
            if self.heard.len() > REMEMBERED_MAX {
                self.heard.pop_front();
            }
        }
    }

    fn on_second(&mut self, context: &mut Context<'_>) -> Vec<Action> {
        let mut again = Vec::new();
        for _ in 0..8 {
            let count = u32::try_from(self.heard.len()).unwrap_or(u32::MAX);
            let place = context.rng.below(count) as usize;
            let Some(bytes) = self.heard.get(place) else { break };
            again.extend(to_all(context, bytes));
        }
        again
    }
}

/// Bytes that are nothing.
#[derive(Debug)]
pub(super) struct Garbage;

impl Strategy for Garbage {
    fn on_effect(&mut self, effect: Effect, context: &mut Context<'_>) -> Vec<Action> {
        let effect = match effect {
            Effect::Respond { token, mut bytes } if context.rng.below(4) == 0 => {
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                bytes.truncate(context.rng.below(length) as usize);
                Effect::Respond { token, bytes }
            }
            other => other,
        };
        vec![Action::Do(effect)]
    }

    fn on_second(&mut self, context: &mut Context<'_>) -> Vec<Action> {
        let mut bytes = vec![0; context.rng.below(256) as usize];
        context.rng.fill(&mut bytes);
        to_all(context, &bytes)
    }
}
