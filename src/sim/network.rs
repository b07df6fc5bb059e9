//! What is between the members: when a message arrives, if it does.
//!
//! Each direction of each link has its own random stream, and each message draws the same number of
//! times from it, whether or not it is lost. A sender's messages leave one after the other at the
//! speed of its uplink, those that would wait for longer than they may never; what a partition
//! stops is gone, as after a connection has timed out.

use std::collections::{BTreeMap, BTreeSet};

use super::random::{Tree, lognormal_us};
use super::scenario::{self, Direction, Latency};
use crate::rng::Rng;

/// Microseconds a message to the next process takes at least.
const LATENCY_US_MIN: u64 = 100;

/// Links and what is wrong with them now.
#[derive(Debug)]
pub(super) struct Network {
    tree: Tree,
    model: scenario::Network,
    links: BTreeMap<(usize, usize), Link>,
    uplink_free_us: BTreeMap<usize, u64>,
    /// By the number of the fault.
    cuts: BTreeMap<usize, Cut>,
    degraded: BTreeMap<usize, Degraded>,
    pub(super) sent: u64,
    pub(super) sent_bytes: u64,
    pub(super) lost: u64,
}

#[derive(Debug)]
struct Link {
    rng: Rng,
    base_us: u64,
}

#[derive(Debug)]
struct Cut {
    group: BTreeSet<usize>,
    direction: Direction,
}

#[derive(Debug)]
struct Degraded {
    group: BTreeSet<usize>,
    loss_per_mille: u32,
    delay_ms: u32,
}

/// What is to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) bytes: usize,
    /// How long it waits for the uplink before it is dropped (microseconds).
    pub(super) patience_us: u64,
}

/// How a message fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transit {
    /// It arrives at this time.
    Arrives { at_us: u64 },
    /// It does not.
    Lost,
}

impl Network {
    pub(super) fn new(tree: Tree, model: scenario::Network) -> Self {
        Self {
            tree,
            model,
            links: BTreeMap::new(),
            uplink_free_us: BTreeMap::new(),
            cuts: BTreeMap::new(),
            degraded: BTreeMap::new(),
            sent: 0,
            sent_bytes: 0,
            lost: 0,
        }
    }

    pub(super) fn cut(&mut self, fault: usize, group: &[usize], direction: Direction) {
        let group = group.iter().copied().collect();
        self.cuts.insert(fault, Cut { group, direction });
    }

    pub(super) fn degrade(&mut self, fault: usize, group: &[usize], loss: u32, delay_ms: u32) {
        let group = group.iter().copied().collect();
        self.degraded.insert(fault, Degraded { group, loss_per_mille: loss, delay_ms });
    }

    /// A partition or a bad stretch is over.
    pub(super) fn heal(&mut self, fault: usize) {
        self.cuts.remove(&fault);
        self.degraded.remove(&fault);
    }

    /// Whether nothing gets from one to the other now.
    pub(super) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts.values().any(|cut| {
            match (cut.group.contains(&from), cut.group.contains(&to), cut.direction) {
                (true, false, direction) => direction != Direction::Inward,
                (false, true, direction) => direction != Direction::Outward,
                _ => false,
            }
        })
    }

    /// Whether a message gets lost in one direction or the other.
    pub(super) fn is_cut_either_way(&self, one: usize, other: usize) -> bool {
        self.is_cut(one, other) || self.is_cut(other, one)
    }

    /// Sends a message.
    pub(super) fn send(&mut self, message: Message, now_us: u64) -> Transit {
        let Message { from, to, bytes, patience_us } = message;
        let (latency_us, chance) = self.draw(from, to);
        let busy_until_us = self.uplink_free_us.get(&from).copied().unwrap_or_default();
        self.sent += 1;
        if busy_until_us.saturating_sub(now_us) > patience_us {
            self.lost += 1;
            return Transit::Lost;
        }
        let bytes = bytes as u64;
        self.sent_bytes += bytes;
        let left_us = self.leave(from, bytes, now_us);
        let mut loss = self.model.loss_per_mille;
        let mut delay_us = 0;
        for bad in self.degraded.values() {
            if bad.group.contains(&from) || bad.group.contains(&to) {
                loss = loss.max(bad.loss_per_mille);
                delay_us += u64::from(bad.delay_ms) * u64::from(chance.1);
            }
        }
        if chance.0 < loss || self.is_cut(from, to) {
            self.lost += 1;
            return Transit::Lost;
        }
        Transit::Arrives { at_us: left_us + latency_us + delay_us }
    }

    /// Whether a gossip message on this link arrives twice.
    pub(super) fn duplicates(&mut self, from: usize, to: usize) -> bool {
        let per_mille = self.model.duplicate_per_mille;
        self.link(from, to).rng.below(1_000) < per_mille
    }

    /// The latency without queues and losses, for round trips that are not messages of the node.
    pub(super) fn latency_us(&mut self, from: usize, to: usize) -> u64 {
        self.draw(from, to).0
    }

    fn draw(&mut self, from: usize, to: usize) -> (u64, (u32, u32)) {
        let constant = matches!(self.model.latency, Latency::Constant { .. });
        let tail = match self.model.latency {
            Latency::Tailed { late_per_mille, late_ms, .. } => Some((late_per_mille, late_ms)),
            _ => None,
        };
        let link = self.link(from, to);
        let base_us = link.base_us;
        let jittered_us = lognormal_us(&mut link.rng, base_us, 100);
        let chance = (link.rng.below(1_000), link.rng.below(1_000));
        if let Some((late_per_mille, late_ms)) = tail {
            let varied_us = base_us * (800 + u64::from(link.rng.below(401))) / 1_000;
            let late = link.rng.below(1_000) < late_per_mille;
            let late_us = u64::from(link.rng.below(1_000 * late_ms.max(1)));
            return (varied_us + if late { late_us } else { 0 }, chance);
        }
        (if constant { base_us } else { jittered_us.max(LATENCY_US_MIN) }, chance)
    }

    /// When the last byte has left the sender.
    fn leave(&mut self, from: usize, bytes: u64, now_us: u64) -> u64 {
        if self.model.uplink_kib_s == 0 {
            return now_us;
        }
        let free_us = self.uplink_free_us.entry(from).or_default();
        let takes_us = bytes * 1_000_000 / (self.model.uplink_kib_s * 1_024);
        *free_us = now_us.max(*free_us) + takes_us;
        *free_us
    }

    fn link(&mut self, from: usize, to: usize) -> &mut Link {
        let (tree, latency) = (self.tree, &self.model.latency);
        self.links.entry((from, to)).or_insert_with(|| {
            let rng = tree.stream("link", from as u64, to as u64);
            let base_us = match latency {
                Latency::Constant { ms } | Latency::Tailed { ms, .. } => ms * 1_000,
                Latency::Lognormal { median_ms, sigma_milli } => {
                    // Both directions of a link share their base.
                    let (low, high) = (from.min(to) as u64, from.max(to) as u64);
                    let mut shared = tree.stream("latency", low, high);
                    lognormal_us(&mut shared, median_ms * 1_000, *sigma_milli)
                }
                Latency::Regions { matrix_ms } => {
                    let count = matrix_ms.len();
                    matrix_ms[from % count][to % count] * 1_000
                }
            };
            Link { rng, base_us: base_us.max(LATENCY_US_MIN) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(model: scenario::Network) -> Network {
        Network::new(Tree::new(1), model)
    }

    fn message(from: usize, to: usize, bytes: usize) -> Message {
        Message { from, to, bytes, patience_us: u64::MAX }
    }

    #[test]
    fn an_asymmetric_cut_stops_one_direction() {
        let mut network = network(scenario::Network::default());
        network.cut(0, &[1], Direction::Outward);
        assert_eq!(network.send(message(1, 2, 10), 0), Transit::Lost);
        assert!(matches!(network.send(message(2, 1, 10), 0), Transit::Arrives { .. }));
        assert!(network.is_cut_either_way(2, 1) && !network.is_cut_either_way(2, 3));
        network.heal(0);
        assert!(matches!(network.send(message(1, 2, 10), 0), Transit::Arrives { .. }));
    }

    #[test]
    fn an_uplink_sends_one_byte_after_the_other() {
        let latency = Latency::Constant { ms: 10 };
        let model = scenario::Network { latency, uplink_kib_s: 1, ..scenario::Network::default() };
        let mut network = network(model);
        let arrives = |at_us| Transit::Arrives { at_us };
        assert_eq!(network.send(message(0, 1, 1_024), 0), arrives(1_010_000));
        assert_eq!(network.send(message(0, 2, 1_024), 0), arrives(2_010_000));
        assert_eq!(network.send(message(1, 2, 1_024), 0), arrives(1_010_000));
        assert_eq!(network.send(message(0, 1, 1_024), 9_000_000), arrives(10_010_000));
    }

    #[test]
    fn who_does_not_wait_for_the_uplink_does_not_burden_it() {
        let latency = Latency::Constant { ms: 10 };
        let model = scenario::Network { latency, uplink_kib_s: 1, ..scenario::Network::default() };
        let mut network = network(model);
        network.send(message(0, 1, 1_024), 0);
        let impatient = Message { patience_us: 500_000, ..message(0, 1, 1_024) };
        assert_eq!(network.send(impatient, 499_999), Transit::Lost);
        assert_eq!(network.send(impatient, 500_000), Transit::Arrives { at_us: 2_010_000 });
    }

    #[test]
    fn losses_are_as_many_as_asked_for() {
        let mut network = network(scenario::Network { loss_per_mille: 100, ..Default::default() });
        let lost =
            (0..10_000).filter(|_| network.send(message(0, 1, 1), 0) == Transit::Lost).count();
        assert!((900..1_100).contains(&lost), "{lost}");
        assert_eq!(network.lost, lost as u64);
    }
}
