//! Faults begin and end.

use super::{Event, World};
use crate::effect::{Command, Input};
use crate::sim::byzantine;
use crate::sim::scenario::Fault;

/// Microseconds after which a connection that carries nothing is given up: two pings, as in the
/// product.
const DEAD_LINK_US: u64 =
    1_000 * (crate::limits::PING_INTERVAL_MS + crate::limits::PING_TIMEOUT_MS);

impl World {
    pub(super) fn plan_fault(&mut self, index: usize) {
        let (begin_ms, end_ms) = match &self.scenario.faults[index] {
            Fault::Partition { at_ms, until_ms, .. }
            | Fault::Degrade { at_ms, until_ms, .. }
            | Fault::Freeze { at_ms, until_ms, .. }
            | Fault::Throttle { at_ms, until_ms, .. }
            | Fault::Full { at_ms, until_ms, .. }
            | Fault::Lie { at_ms, until_ms, .. }
            | Fault::SlowDisk { at_ms, until_ms, .. } => (*at_ms, Some(*until_ms)),
            Fault::Crash { at_ms, .. }
            | Fault::CrashInWrite { at_ms, .. }
            | Fault::Leave { at_ms, .. }
            | Fault::Byzantine { at_ms, .. } => (*at_ms, None),
            // It is looked at when members are started.
            Fault::Late { .. } => return,
            Fault::Skew { .. } => (0, None),
        };
        self.schedule(begin_ms * 1_000, Event::Fault { index, begins: true });
        if let Some(end_ms) = end_ms {
            self.schedule(end_ms * 1_000, Event::Fault { index, begins: false });
        }
    }

    pub(super) fn turn_fault(&mut self, index: usize, begins: bool) {
        let Some(fault) = self.scenario.faults.get(index).cloned() else { return };
        let what = format!("fault {index} {}", if begins { "begins" } else { "ends" });
        self.trace.note(self.now_us, None, &what);
        match fault {
            Fault::Partition { group, direction, .. } if begins => {
                self.network.cut(index, &group, direction);
                let at_us = self.now_us + DEAD_LINK_US;
                self.schedule(at_us, Event::TimedOutLinks { fault: index });
            }
            Fault::Degrade { group, loss_per_mille, delay_ms, .. } if begins => {
                self.network.degrade(index, &group, loss_per_mille, delay_ms);
            }
            Fault::Partition { .. } | Fault::Degrade { .. } => self.network.heal(index),
            Fault::Freeze { node, dies, .. } => self.turn_freeze(index, node, dies, begins),
            Fault::Throttle { node, .. } => self.hosts[node].throttled = begins,
            Fault::Full { node, .. } => self.hosts[node].full = begins,
            Fault::Lie { node, .. } => self.hosts[node].lies = begins,
            Fault::SlowDisk { node, write_ms, .. } => {
                let usual_ms = self.scenario.disk.write_ms;
                self.hosts[node].write_ms = if begins { write_ms } else { usual_ms };
            }
            Fault::Crash { node, down_ms, .. } => self.crash(node, down_ms),
            Fault::CrashInWrite { node, down_ms, .. } => {
                self.hosts[node].crash_in_write = Some(down_ms);
            }
            Fault::Late { .. } => {}
            Fault::Leave { node, away_ms, .. } => self.leave(node, away_ms),
            Fault::Skew { node, ms } => self.hosts[node].skew_ms = ms,
            Fault::Byzantine { node, attack, .. } => {
                self.hosts[node].strategy = Some(byzantine::strategy(attack));
                self.hosts[node].begin_lying();
            }
        }
    }

    fn turn_freeze(&mut self, index: usize, node: usize, dies: bool, begins: bool) {
        if begins {
            self.freeze(node);
            let at_us = self.now_us + DEAD_LINK_US;
            return self.schedule(at_us, Event::TimedOutLinks { fault: index });
        }
        if dies {
            self.hosts[node].frozen = false;
            self.crash(node, Some(1_000));
        } else {
            self.thaw(node);
        }
    }

    /// Connections over which nothing came for too long end, on both sides.
    pub(super) fn time_out_links(&mut self, fault: usize) {
        let (mut dead, count) = (Vec::new(), self.hosts.len());
        for node in 0..count {
            for peer in self.peers(node).into_iter().filter(|peer| node < *peer) {
                let frozen = self.hosts[node].frozen || self.hosts[peer].frozen;
                if frozen || self.network.is_cut_either_way(node, peer) {
                    dead.push((node, peer));
                }
            }
        }
        self.trace.note(self.now_us, None, &format!("fault {fault} ends connections"));
        for (node, peer) in dead {
            self.unlink(node, peer);
        }
    }

    /// The owner stops the node.
    fn leave(&mut self, node: usize, away_ms: u64) {
        if self.hosts[node].state.is_none() {
            return;
        }
        self.operations.away_ms.insert(node, away_ms);
        let command = self.number();
        self.post(node, 0, Input::Command { command, request: Command::Stop });
    }

    /// The node has stopped.
    pub(super) fn stopped(&mut self, node: usize) {
        let away_ms = self.operations.away_ms.remove(&node);
        // What is still on its way to the disk arrives there: the process ended in order.
        let under_way = self.hosts[node].disk.under_way();
        self.hosts[node].disk.cut(under_way, &mut self.pool);
        self.end(node, away_ms);
    }
}
