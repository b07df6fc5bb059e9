//! Leaving: what was begun is written, and the last own vertex is handed on.
//!
//! Gossip that waits in a connection's queue is lost with the connection. So a node that is told to
//! stop first finishes its writes, and then asks its peers for their heads until one of them shows
//! that it has the node's last vertex; it answers requests meanwhile, so that a peer which learns
//! of the vertex by that question gets it. With nobody connected, or after
//! [`limits::LEAVE_MS_MAX`], it goes at once: the next start brings the vertex to the others.
//!
//! Blobs are not waited for: an update whose weights left with its author is one update less.

use super::commands::stopped_problem;
use super::peers::Asked;
use super::writing::Entry;
use super::{Node, Phase};
use crate::clock::Now;
use crate::effect::Effect;
use crate::event::{Event, Reply};
use crate::identity::TransportId;
use crate::limits;
use crate::message::Request;

/// How far leaving has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaving {
    /// When it ends whatever happens to the last vertex.
    until_ms: u64,
    /// When peers are asked next.
    ask_ms: u64,
}

impl Node {
    pub(super) fn start_leaving(&mut self, now: Now) {
        if matches!(self.phase, Phase::Stopping(_)) {
            return;
        }
        let until_ms = now.mono_ms.saturating_add(limits::LEAVE_MS_MAX);
        self.phase = Phase::Stopping(Leaving { until_ms, ask_ms: now.mono_ms });
    }

    /// When leaving goes on.
    pub(super) fn leave_ms(&self) -> Option<u64> {
        match self.phase {
            Phase::Stopping(leaving) => Some(leaving.ask_ms.min(leaving.until_ms)),
            _ => None,
        }
    }

    /// Ends the node when nothing is being written any more and nothing is to be handed on.
    pub(super) fn leave(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Phase::Stopping(leaving) = self.phase else { return };
        if self.entry == Entry::Outside {
            let commands = self.writer.drop_queue();
            self.drop_commands(&commands, &stopped_problem(), out);
        }
        if !self.writer.is_idle() && !self.writer.is_failing() {
            return;
        }
        if self.unshared.is_some() && now.mono_ms < leaving.until_ms {
            let heirs: Vec<_> = self.peers.known().map(|(peer, _, _)| peer.clone()).collect();
            if !heirs.is_empty() {
                return self.ask_heirs(&heirs, leaving, now, out);
            }
        }
        self.stop(out);
    }

    /// Asks who may have the last own vertex.
    fn ask_heirs(
        &mut self,
        heirs: &[TransportId],
        leaving: Leaving,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if now.mono_ms < leaving.ask_ms {
            return;
        }
        let ask_ms = now.mono_ms.saturating_add(limits::LEAVE_ASK_MS);
        self.phase = Phase::Stopping(Leaving { ask_ms, ..leaving });
        for peer in heirs {
            if !self.peers.is_asked(peer, |asked| *asked == Asked::Heads) {
                let heads = Request::Heads(self.own_heads(peer));
                self.request(peer, Asked::Heads, &heads, now, out);
            }
        }
    }

    fn stop(&mut self, out: &mut Vec<Effect>) {
        self.phase = Phase::Stopped;
        let stops = self.commands.take_stops();
        let open = self.commands.take_open().into_iter().chain(self.groups.take_open());
        let open = open.chain(self.onion.asks.take_open());
        for command in open {
            out.push(Effect::Reply { command, result: Err(stopped_problem()) });
        }
        for (peer, _) in self.peers.iter() {
            let reason = "this node stops".to_owned();
            out.push(Effect::Disconnect { peer: peer.clone(), reason });
        }
        out.push(Effect::Emit(Event::Stopped));
        let done = |command| Effect::Reply { command, result: Ok(Reply::Done) };
        out.extend(stops.into_iter().map(done));
    }
}
