//! Mixing: a node's connections change a little all the time.
//!
//! Eight peers are enough for gossip, and who has them looks for no more. Left at that, two parts
//! of a network that were cut from each other, each with members enough, would stay apart for ever;
//! and who has a link to members without room would never get in. So
//!
//! - about once a minute a node with enough peers dials one more, any that it knows of, and parts
//!   from one that it dialled earlier if it has many;
//! - a node that has hardly room for the connections of others parts from some that have been there
//!   for a while, as they know others by then.
//!
//! Members of one group stay connected. Of peers that a node chose itself a few stay, too: or who
//! dials it most would decide alone whom it knows. Probing addresses in this way is what Bitcoin's
//! feeler connections do (Heilman et al., 2015); changing neighbours at random keeps a graph
//! connected (peer sampling, Jelasity et al., 2007).

use super::Node;
use super::peers::Peer;
use crate::clock::Now;
use crate::effect::Effect;
use crate::identity::TransportId;
use crate::limits;

impl Node {
    /// Does what is due, as often as heads are told.
    pub(super) fn mix(&mut self, now: Now, out: &mut Vec<Effect>) {
        let inbound = self.peers.iter().filter(|(_, peer)| !peer.outbound).count();
        for _ in limits::PEERS_INBOUND_EASY..inbound {
            self.part_from_any(|peer| !peer.outbound, limits::PEER_SETTLED_MS, now, out);
        }
        let regular_ms = now.mono_ms.saturating_add(limits::MIX_INTERVAL_MS);
        if now.mono_ms < *self.mix_ms.get_or_insert(regular_ms) {
            return;
        }
        self.mix_ms = Some(regular_ms);
        if self.wants_peers() {
            return;
        }
        // Members that began together do not go on in step.
        let spread_ms = u32::try_from(limits::MIX_INTERVAL_MS).unwrap_or(u32::MAX);
        let early_ms = u64::from(self.rng.below(spread_ms)) / 2;
        self.mix_ms = Some(regular_ms.saturating_sub(early_ms));
        let outbound = self.peers.iter().filter(|(_, peer)| peer.outbound).count();
        if self.peers.len() > limits::PEERS_MANY && outbound > limits::PEERS_CHOSEN {
            self.part_from_any(|peer| peer.outbound, limits::MIX_INTERVAL_MS, now, out);
        }
        let (peers, penalties, own) = (&self.peers, &self.penalties, &self.transport);
        let excluded = |peer: &TransportId| {
            peer == own || peers.get(peer).is_some() || penalties.is_banned(peer, now.mono_ms)
        };
        let address = self.book.any(now.mono_ms, excluded, &mut self.rng);
        out.extend(address.map(|address| Effect::Dial { address }));
    }

    /// Parts from one of these peers at random, if one has been there for so long and nothing is
    /// under way with it.
    fn part_from_any(
        &mut self,
        of: impl Fn(&Peer) -> bool,
        settled_ms: u64,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let is_needed = |peer: &Peer| peer.author().is_some_and(|id| self.groups.needs(&id));
        let settled = self.peers.iter().filter(|(_, peer)| {
            let is_settled = peer.is_idle() && now.since_ms(peer.since_ms) >= settled_ms;
            of(peer) && is_settled && !is_needed(peer)
        });
        let settled: Vec<&TransportId> = settled.map(|(id, _)| id).collect();
        let count = u32::try_from(settled.len()).unwrap_or(u32::MAX);
        let chosen = self.rng.below(count.max(1));
        let chosen = usize::try_from(chosen).ok().and_then(|place| settled.get(place));
        if let Some(peer) = chosen.map(|peer| (*peer).clone()) {
            self.counters.count("peer-changed");
            self.part(&peer, "making room for others", now, out);
        }
    }
}
