//! Looking at a simulation while it runs, and interfering with it: what a page needs.
//!
//! Looking changes nothing: a scenario that is watched leaves the trace of one that is not.
//! Interfering adds faults to the scenario as if it had listed them for this moment.

use super::{Event, World};
use crate::sim::network::{Message, Transit};
use crate::sim::scenario::{Direction, Fault};

/// Messages that are remembered between two looks (count); a picture cannot show more.
const FLIGHTS_MAX: usize = 4_096;
/// When a partition ends that somebody else will end: virtual milliseconds of a year.
const OPEN_END_MS: u64 = 31_536_000_000;

/// A message on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flight {
    /// Who sent it.
    pub from: usize,
    /// To whom.
    pub to: usize,
    /// When, in virtual microseconds.
    pub left_us: u64,
    /// When it arrives; `None` if it is lost.
    pub at_us: Option<u64>,
}

/// How a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It does not run.
    Down,
    /// It runs.
    Up,
    /// Its host stands still.
    Frozen,
    /// It runs, and attacks.
    Byzantine,
}

/// A member as a picture shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// How it is.
    pub condition: Condition,
    /// Vertices in its history (count); 0 while it does not run.
    pub vertices: usize,
    /// Members it is connected to (count).
    pub peers: usize,
}

/// What a member holds, in memory and on its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// Vertices in its history (count).
    pub vertices: u64,
    /// Bytes of them, as a node of its own would hold them.
    pub history_bytes: u64,
    /// Vertices that it dropped (count).
    pub dropped: u64,
    /// Keys that have their item (count).
    pub decided: u64,
    /// Bytes on its disk.
    pub disk_bytes: u64,
    /// Of these, what is neither vertices nor blobs.
    pub meta_bytes: u64,
}

impl World {
    /// What a member holds.
    pub fn holding(&self, node: usize) -> Option<Holding> {
        let host = self.hosts.get(node)?;
        let state = host.state.as_ref();
        let graph = state.map(crate::node::Node::graph);
        let engine = state.and_then(crate::node::Node::consensus);
        let vertices = graph.map_or(0, crate::dag::Graph::len) as u64;
        let history_bytes = graph.map_or(0, crate::dag::Graph::size_bytes) as u64;
        Some(Holding {
            vertices,
            history_bytes,
            dropped: graph.map_or(0, crate::dag::Graph::dropped) as u64,
            decided: engine
                .map_or(0, |engine| engine.forgotten() + engine.decisions().len() as u64),
            disk_bytes: host.disk.size_bytes(),
            meta_bytes: host.disk.meta_bytes(),
        })
    }

    /// The epoch of the committee as a member sees it.
    pub fn epoch(&self, node: usize) -> Option<u64> {
        Some(self.hosts.get(node)?.state.as_ref()?.consensus()?.epoch())
    }

    /// Virtual microseconds since the beginning.
    pub fn now_us(&self) -> u64 {
        self.now_us
    }

    /// When the scenario ends, in virtual milliseconds; faults that are added put it off, and a
    /// partition that nobody has ended yet by years.
    pub fn horizon_ms(&self) -> u64 {
        self.scenario.horizon_ms
    }

    /// The hash of the trace so far, in hexadecimal.
    pub fn trace_hash(&self) -> String {
        self.trace.hash()
    }

    /// How a member is.
    pub fn look(&self, node: usize) -> Option<Look> {
        let host = self.hosts.get(node)?;
        let condition = match (&host.state, host.frozen, &host.strategy) {
            (None, _, _) => Condition::Down,
            (Some(_), true, _) => Condition::Frozen,
            (Some(_), false, Some(_)) => Condition::Byzantine,
            (Some(_), false, None) => Condition::Up,
        };
        let vertices = host.state.as_ref().map_or(0, |state| state.graph().len());
        Some(Look { condition, vertices, peers: host.links.len() })
    }

    /// Connections, each once.
    pub fn links(&self) -> impl Iterator<Item = (usize, usize)> {
        let of = |(node, host): (usize, &super::Host)| {
            host.links
                .keys()
                .filter(move |peer| node < **peer)
                .map(move |peer| (node, *peer))
                .collect::<Vec<_>>()
        };
        self.hosts.iter().enumerate().flat_map(of)
    }

    /// Remembers messages from now on, for [`World::take_flights`].
    pub fn watch(&mut self) {
        self.flights.get_or_insert_default();
    }

    /// Messages that were sent since the last time, at most some thousands.
    pub fn take_flights(&mut self) -> Vec<Flight> {
        self.flights.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Sends a message over the network, and remembers it if somebody looks.
    pub(super) fn transmit(&mut self, message: Message) -> Transit {
        let transit = self.network.send(message, self.now_us);
        if let Some(flights) = &mut self.flights
            && flights.len() < FLIGHTS_MAX
        {
            let at_us = match transit {
                Transit::Arrives { at_us } => Some(at_us),
                Transit::Lost => None,
            };
            let Message { from, to, .. } = message;
            flights.push(Flight { from, to, left_us: self.now_us, at_us });
        }
        transit
    }

    /// A member's process ends without a word, until [`World::restart`].
    pub fn kill(&mut self, node: usize) {
        let at_ms = self.next_ms();
        self.interfere(Fault::Crash { at_ms, node, down_ms: None });
    }

    /// A member starts again from its disk.
    pub fn restart(&mut self, node: usize) {
        if node < self.hosts.len() {
            self.schedule(self.now_us, Event::Start { node });
            self.put_off_the_end();
        }
    }

    /// Nothing gets from these members to the others or back any more, until [`World::heal`].
    pub fn cut_off(&mut self, group: Vec<usize>) {
        let (at_ms, direction) = (self.next_ms(), Direction::Both);
        self.interfere(Fault::Partition { at_ms, until_ms: OPEN_END_MS, group, direction });
    }

    /// All partitions end.
    pub fn heal(&mut self) {
        let now_ms = self.next_ms();
        for index in 0..self.scenario.faults.len() {
            if let Fault::Partition { at_ms, until_ms, .. } = &mut self.scenario.faults[index]
                && (*at_ms..*until_ms).contains(&now_ms)
            {
                *until_ms = now_ms;
                self.schedule(now_ms * 1_000, Event::Fault { index, begins: false });
            }
        }
        self.put_off_the_end();
    }

    /// From now on a member does what an honest one would not.
    pub fn corrupt(&mut self, node: usize, attack: crate::sim::byzantine::Attack) {
        if node >= self.hosts.len() {
            return;
        }
        self.hosts[node].honest = false;
        self.checker.distrust(node);
        let at_ms = self.next_ms();
        self.interfere(Fault::Byzantine { at_ms, node, attack });
    }

    /// Adds a fault, unless it is about somebody who does not exist.
    fn interfere(&mut self, fault: Fault) {
        if fault.nodes().iter().any(|node| *node >= self.hosts.len()) {
            return;
        }
        self.scenario.faults.push(fault);
        self.plan_fault(self.scenario.faults.len() - 1);
        self.put_off_the_end();
    }

    /// Everything has to become equal after the last fault, and has time for it.
    fn put_off_the_end(&mut self) {
        let quiet_ms = self.scenario.quiet_ms().max(self.next_ms());
        self.checker.quieten(quiet_ms);
        let enough_ms = quiet_ms + self.scenario.bounds.converge_ms + 1_000;
        self.scenario.horizon_ms = self.planned_ms.max(enough_ms);
    }

    /// The first whole millisecond that is not over.
    fn next_ms(&self) -> u64 {
        self.now_us.div_ceil(1_000)
    }
}
