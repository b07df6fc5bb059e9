//! What a peer can do wrong, and what it costs.
//!
//! Points add up per peer, survive reconnecting and are forgiven slowly; at
//! [`limits::PENALTY_BAN_POINTS`] the peer is disconnected and banned for a while. A peer answers
//! for what it *sends*, never for what it merely forwards in good faith and could not know, and a
//! link that loses what was sent costs a pause and no more.

use std::collections::{BTreeMap, BTreeSet};

use crate::identity::{AuthorId, TransportId};
use crate::limits;

/// A reason to penalise a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offence {
    /// A message that is not one of the protocol's.
    Malformed,
    /// A vertex that no honest node would have accepted, let alone sent on.
    InvalidVertex,
    /// Bytes that are not the blob they were sent as.
    WrongBlob,
    /// A snapshot that no quorum certified.
    FalseSnapshot,
    /// An update of its own that cannot be used.
    BadUpdate,
    /// An answer to something else than what was asked.
    UselessAnswer,
    /// No answer in time.
    Silent,
    /// More requests than the rate allows.
    RequestFlood,
    /// More gossip than the rate allows.
    GossipFlood,
    /// A request before its hello.
    Early,
    /// No hello in time.
    NoHello,
    /// A hello from another network.
    ForeignNetwork,
    /// An identity that is not valid, or not bound to the connection.
    WrongIdentity,
    /// Two own vertices in one place of its chain.
    Equivocation,
}

impl Offence {
    /// Stable name, used as counter and in the reason of a disconnect.
    pub(super) fn code(self) -> &'static str {
        match self {
            Offence::Malformed => "peer-malformed-message",
            Offence::InvalidVertex => "peer-invalid-vertex",
            Offence::WrongBlob => "peer-wrong-blob",
            Offence::FalseSnapshot => "peer-false-snapshot",
            Offence::BadUpdate => "peer-bad-update",
            Offence::UselessAnswer => "peer-useless-answer",
            Offence::Silent => "peer-silent",
            Offence::RequestFlood => "peer-request-flood",
            Offence::GossipFlood => "peer-gossip-flood",
            Offence::Early => "peer-request-before-hello",
            Offence::NoHello => "peer-no-hello",
            Offence::ForeignNetwork => "peer-foreign-network",
            Offence::WrongIdentity => "peer-wrong-identity",
            Offence::Equivocation => "peer-equivocation",
        }
    }

    /// Arbitrary, sane: what cannot happen by accident bans after four, proof of malice at once.
    fn points(self) -> u32 {
        match self {
            Offence::RequestFlood | Offence::GossipFlood => 1,
            Offence::Silent => 5,
            Offence::UselessAnswer | Offence::NoHello => 10,
            Offence::Malformed | Offence::InvalidVertex => 25,
            Offence::WrongBlob | Offence::BadUpdate => 34,
            Offence::Early | Offence::ForeignNetwork | Offence::FalseSnapshot => 50,
            Offence::WrongIdentity | Offence::Equivocation => limits::PENALTY_BAN_POINTS,
        }
    }

    /// How long it bans when it is what fills the measure (milliseconds).
    fn ban_ms(self) -> u64 {
        match self {
            Offence::Silent | Offence::NoHello => limits::SILENCE_BAN_MS,
            _ => limits::BAN_MS,
        }
    }
}

/// Points and bans of peers, connected or not.
#[derive(Debug, Clone, Default)]
pub(super) struct Penalties {
    records: BTreeMap<TransportId, Record>,
    /// Whom the owner wants no connection with; at most [`limits::BANS_MAX`].
    pub(super) banned: BTreeSet<AuthorId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    points: u32,
    at_ms: u64,
    banned_until_ms: u64,
}

impl Penalties {
    /// Adds an offence; `true` when the peer is to be disconnected now.
    pub(super) fn add(&mut self, peer: &TransportId, offence: Offence, now_ms: u64) -> bool {
        self.make_room(peer, now_ms);
        let record = self.records.entry(peer.clone()).or_insert(Record {
            points: 0,
            at_ms: now_ms,
            banned_until_ms: 0,
        });
        record.points = record.points_at(now_ms).saturating_add(offence.points());
        record.at_ms = now_ms;
        if record.points < limits::PENALTY_BAN_POINTS {
            return false;
        }
        record.points = 0;
        record.banned_until_ms = now_ms.saturating_add(offence.ban_ms());
        true
    }

    /// Keeps away from a peer for a while, whatever it did.
    pub(super) fn pause(&mut self, peer: &TransportId, now_ms: u64) {
        self.make_room(peer, now_ms);
        let banned_until_ms = now_ms.saturating_add(limits::SILENCE_BAN_MS);
        let fresh = Record { points: 0, at_ms: now_ms, banned_until_ms };
        let record = self.records.entry(peer.clone()).or_insert(fresh);
        record.banned_until_ms = record.banned_until_ms.max(banned_until_ms);
    }

    /// Whether a peer is banned.
    pub(super) fn is_banned(&self, peer: &TransportId, now_ms: u64) -> bool {
        self.records.get(peer).is_some_and(|record| record.banned_until_ms > now_ms)
    }

    /// How many peers are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Forgets the mildest record when a new one would be one too many.
    fn make_room(&mut self, peer: &TransportId, now_ms: u64) {
        if self.records.len() < limits::PENALTIES_MAX || self.records.contains_key(peer) {
            return;
        }
        let mildest = self
            .records
            .iter()
            .min_by_key(|(_, record)| (record.banned_until_ms, record.points_at(now_ms)))
            .map(|(peer, _)| peer.clone());
        if let Some(peer) = mildest {
            self.records.remove(&peer);
        }
    }
}

impl Record {
    fn points_at(&self, now_ms: u64) -> u32 {
        let minutes = now_ms.saturating_sub(self.at_ms) / 60_000;
        let forgiven = minutes.saturating_mul(u64::from(limits::PENALTY_FORGIVEN_PER_MINUTE));
        self.points.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u16) -> TransportId {
        TransportId::from_bytes(&number.to_be_bytes()).unwrap()
    }

    #[test]
    fn offences_add_up_and_are_forgiven() {
        let mut penalties = Penalties::default();
        for minute in 0..60 {
            assert!(!penalties.add(&peer(1), Offence::UselessAnswer, minute * 60_000));
        }
        for _ in 0..3 {
            assert!(!penalties.add(&peer(2), Offence::InvalidVertex, 0));
        }
        assert!(penalties.add(&peer(2), Offence::InvalidVertex, 0));
        assert!(penalties.is_banned(&peer(2), limits::BAN_MS - 1));
        assert!(!penalties.is_banned(&peer(2), limits::BAN_MS));
        assert!(!penalties.is_banned(&peer(1), 0));
    }

    #[test]
    fn silence_costs_a_pause_and_malice_a_ban() {
        let mut penalties = Penalties::default();
        for (number, offence, ban_ms) in [
            (1, Offence::Silent, limits::SILENCE_BAN_MS),
            (2, Offence::NoHello, limits::SILENCE_BAN_MS),
            (3, Offence::Malformed, limits::BAN_MS),
        ] {
            while !penalties.add(&peer(number), offence, 0) {}
            assert!(penalties.is_banned(&peer(number), ban_ms - 1), "{offence:?}");
            assert!(!penalties.is_banned(&peer(number), ban_ms), "{offence:?}");
        }
    }

    #[test]
    fn memory_is_bounded_and_bans_are_kept() {
        let mut penalties = Penalties::default();
        assert!(penalties.add(&peer(0), Offence::Equivocation, 0));
        for number in 1..5_000 {
            penalties.add(&peer(number), Offence::Silent, 0);
        }
        assert_eq!(penalties.len(), limits::PENALTIES_MAX);
        assert!(penalties.is_banned(&peer(0), 1));
    }
}
