//! The simulated world: members, what is between and below them, and the queue of events.
//!
//! Time is in microseconds, so that two messages of one millisecond have an order; events of one
//! moment happen in the order in which they were scheduled. A member sees milliseconds, as it does
//! in the product.

mod deciding;
mod effects;
mod faults;
mod finish;
mod gossip;
mod host;
mod live;
mod operations;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};
use std::rc::Rc;

use super::checker::{Checker, Fact, Invariant, Peek, Setting, Violation};
use super::disk::Pool;
use super::network::Network;
use super::random::Tree;
use super::scenario::{Mutant, Scenario};
use super::trace::Trace;
use super::{Report, checker};
use crate::clock::Now;
use crate::dag::{NetworkId, mutant};
use crate::effect::{Effect, Input};
use crate::genesis::Genesis;
use crate::identity::TransportId;
use deciding::Deciding;
use gossip::Message;
use host::Host;
pub use live::{Condition, Flight, Holding, Look};
use operations::{Operation, Operations};

/// Milliseconds since 1970 when a simulation begins.
const UNIX_MS: u64 = 1_763_000_000_000;
/// What a member's monotonic clock shows when a simulation begins.
pub(super) const MONO_MS: u64 = 1_000;
/// Microseconds of a second.
const SECOND_US: u64 = 1_000_000;

/// Microseconds between two looks for bytes that no disk holds any more. Arbitrary, sane.
const POOL_SWEEP_US: u64 = 60 * SECOND_US;

/// Milliseconds between two looks whether a scenario can end early, and how many in a row have to
/// find that it can (count): who lost a signature of the last checkpoint hears of it by heads,
/// three times a minute.
const SETTLED_LOOK_MS: u64 = 5_000;
const SETTLED_LOOKS: u32 = 6;

/// A simulation.
#[derive(Debug)]
pub struct World {
    scenario: Scenario,
    tree: Tree,
    trace: Trace,
    checker: Checker,
    now_us: u64,
    events: BinaryHeap<Scheduled>,
    /// Events that were ever scheduled.
    scheduled: u64,
    /// Events that have happened.
    happened: u64,
    hosts: Vec<Host>,
    by_transport: BTreeMap<TransportId, usize>,
    by_address: BTreeMap<String, usize>,
    network_id: NetworkId,
    /// What the network began with, if it has a committee.
    genesis: Option<Genesis>,
    network: Network,
    pool: Pool,
    /// Requests that are not answered, by their tokens.
    exchanges: BTreeMap<u64, Exchange>,
    /// The last number given to a token, a message or a command.
    last_number: u64,
    operations: Operations,
    deciding: Deciding,
    /// Proofs that were verified (count).
    proofs: u64,
    /// When the scenario would end if nobody interfered.
    planned_ms: u64,
    /// Looks in a row at which nothing was waited for, in a scenario that ends early.
    settled: u32,
    /// Messages that were sent, if somebody looks.
    flights: Option<Vec<Flight>>,
    /// Effects of one input, kept for their room.
    scratch: Vec<Effect>,
}

/// A request on its way.
#[derive(Debug)]
struct Exchange {
    from: usize,
    life: u64,
    to: usize,
    /// The asker's name for it.
    request: u64,
    bytes: Vec<u8>,
}

/// Something that will happen.
#[derive(Debug)]
enum Event {
    Start { node: usize },
    Crash { node: usize, life: u64, down_ms: Option<u64> },
    Input { node: usize, life: u64, input: Input },
    Timer { node: usize, life: u64, timer: u64 },
    Gossip { to: usize, from: usize, message: Rc<Message>, again: bool },
    Request { token: u64 },
    Response { token: u64, bytes: Vec<u8> },
    Timeout { token: u64 },
    Connect { from: usize, life: u64, to: usize },
    Written { node: usize, life: u64 },
    Late { node: usize, life: u64, effect: Box<Effect> },
    Fault { index: usize, begins: bool },
    TimedOutLinks { fault: usize },
    Operation(Operation),
    Second,
}

#[derive(Debug)]
struct Scheduled {
    at_us: u64,
    number: u64,
    event: Event,
}

impl Ord for Scheduled {
    /// The earliest is the greatest, as a heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_us, other.number).cmp(&(self.at_us, self.number))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scheduled {}

impl World {
    /// The world of a scenario, at its beginning, with every invariant.
    pub fn new(scenario: Scenario, trace: Trace) -> Self {
        Self::with(scenario, trace, checker::all())
    }

    /// The same with these invariants.
    pub fn with(scenario: Scenario, trace: Trace, invariants: Vec<Box<dyn Invariant>>) -> Self {
        let tree = Tree::new(scenario.seed);
        let mut network_id = [0; 32];
        tree.stream("network", 0, 0).fill(&mut network_id);
        let hosts: Vec<Host> = (0..scenario.nodes).map(|n| Host::new(n, &scenario, tree)).collect();
        let genesis = deciding::genesis(&scenario, &hosts, tree);
        let random = NetworkId::from_bytes(network_id);
        let by = |key: fn(&Host) -> String| hosts.iter().map(key).zip(0..).collect();
        let setting = Setting {
            quiet_ms: scenario.quiet_ms(),
            authors: hosts.iter().map(|host| host.author).zip(0..).collect(),
            honest: (0..scenario.nodes).map(|node| !scenario.is_byzantine(node)).collect(),
            genesis: genesis.clone(),
            scenario: scenario.clone(),
        };
        let mut world = Self {
            network: Network::new(tree, scenario.network.clone()),
            checker: Checker::new(setting, invariants),
            now_us: 0,
            events: BinaryHeap::new(),
            scheduled: 0,
            happened: 0,
            by_transport: hosts.iter().map(|host| host.transport.clone()).zip(0..).collect(),
            by_address: by(|host| host.address.clone()),
            network_id: genesis.as_ref().map_or(random, Genesis::network),
            genesis,
            pool: Pool::default(),
            exchanges: BTreeMap::new(),
            last_number: 0,
            operations: Operations::default(),
            deciding: Deciding::default(),
            proofs: 0,
            planned_ms: scenario.horizon_ms,
            settled: 0,
            flights: None,
            scratch: Vec::new(),
            hosts,
            tree,
            trace,
            scenario,
        };
        world.plan();
        world
    }

    /// Runs to the horizon, or to the first violation, and tells what came of it.
    pub fn run(mut self) -> Report {
        self.run_until(self.scenario.horizon_ms);
        self.finish()
    }

    /// Runs until so many virtual milliseconds have passed, or to the first violation.
    pub fn run_until(&mut self, until_ms: u64) {
        crate::dag::forget_decoded();
        self.step_until(until_ms);
        crate::dag::forget_decoded();
    }

    /// The same for a world that goes on soon, and is the only one of its thread: what was decoded
    /// once is kept until [`World::finish`].
    pub fn step_until(&mut self, until_ms: u64) {
        mutant::skip(match self.scenario.mutant {
            Some(Mutant::Skip(check)) => Some(check),
            _ => None,
        });
        let committee = self.scenario.committee.as_ref();
        crate::consensus::hasten_checkpoints(committee.and_then(|seats| seats.checkpoint_ms));
        while let Some(next) = self.events.peek() {
            let is_over = self.settled >= SETTLED_LOOKS || self.checker.violation().is_some();
            if next.at_us > until_ms * 1_000 || is_over {
                break;
            }
            let Some(Scheduled { at_us, event, .. }) = self.events.pop() else { break };
            self.now_us = at_us;
            self.happened += 1;
            self.happen(event);
        }
        mutant::skip(None);
        crate::consensus::hasten_checkpoints(None);
    }

    /// The first violation so far.
    pub fn violation(&self) -> Option<&Violation> {
        self.checker.violation()
    }

    /// Everything a member has accepted, with what it cites: for pictures.
    pub fn history(&self, node: usize) -> Option<&crate::dag::Graph> {
        self.hosts.get(node)?.state.as_ref().map(crate::node::Node::graph)
    }

    /// Numbers of all members.
    pub fn members(&self) -> impl Iterator<Item = usize> + use<> {
        0..self.hosts.len()
    }

    /// The member that is this author.
    pub fn member(&self, author: &crate::identity::AuthorId) -> Option<usize> {
        self.checker.setting().authors.get(author).copied()
    }

    /// What is certain from the start.
    fn plan(&mut self) {
        for node in 0..self.hosts.len() {
            let at_ms = self.scenario.starts_ms(node);
            self.schedule(at_ms * 1_000, Event::Start { node });
        }
        for index in 0..self.scenario.faults.len() {
            self.plan_fault(index);
        }
        self.plan_operations();
        self.schedule(SECOND_US, Event::Second);
    }

    fn schedule(&mut self, at_us: u64, event: Event) {
        self.scheduled += 1;
        let at_us = at_us.max(self.now_us);
        self.events.push(Scheduled { at_us, number: self.scheduled, event });
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn now(&self, node: usize) -> Now {
        let passed_ms = self.now_us / 1_000;
        let unix_ms = (UNIX_MS + passed_ms).saturating_add_signed(self.hosts[node].skew_ms);
        Now { mono_ms: MONO_MS + passed_ms, unix_ms }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start { node } => self.start(node),
            Event::Crash { node, life, down_ms } => {
                if self.hosts[node].life == life {
                    self.crash(node, down_ms);
                }
            }
            Event::Input { node, life, input } => self.hand(node, life, input),
            Event::Timer { node, life, timer } => {
                if self.hosts[node].timer == timer {
                    self.hand(node, life, Input::Tick);
                }
            }
            Event::Gossip { to, from, message, again } => {
                self.deliver_gossip(to, from, &message, again);
            }
            Event::Request { token } => self.deliver_request(token),
            Event::Response { token, bytes } => self.deliver_response(token, Ok(bytes)),
            Event::Timeout { token } => {
                self.deliver_response(token, Err(crate::effect::RequestFailed::Timeout));
            }
            Event::Connect { from, life, to } => self.connect(from, life, to),
            Event::Written { node, life } => self.written(node, life),
            Event::Late { node, life, effect } => {
                if self.hosts[node].life == life && self.hosts[node].state.is_some() {
                    self.carry_out(node, *effect);
                }
            }
            Event::Fault { index, begins } => self.turn_fault(index, begins),
            Event::TimedOutLinks { fault } => self.time_out_links(fault),
            Event::Operation(operation) => self.operate(operation),
            Event::Second => self.second(),
        }
    }

    /// Hands an input to a member, unless it is another life, or the host stands still.
    fn hand(&mut self, node: usize, life: u64, input: Input) {
        let host = &mut self.hosts[node];
        if host.life != life || host.state.is_none() {
            return;
        }
        if host.frozen {
            return host.hold(input);
        }
        if host.throttled {
            // Pages in the background wake up once per second, each at its own moment.
            let phase_us = node as u64 * 7_919 % SECOND_US;
            let due_us =
                (self.now_us + SECOND_US - 1 - phase_us) / SECOND_US * SECOND_US + phase_us;
            if due_us > self.now_us {
                return self.schedule(due_us, Event::Input { node, life, input });
            }
        }
        self.give(node, input);
    }

    /// Gives an input to a member now and does what it leads to.
    fn give(&mut self, node: usize, input: Input) {
        let now = self.now(node);
        self.trace.input(self.now_us, node, &input);
        let host = &mut self.hosts[node];
        let Some(state) = host.state.as_mut() else { return };
        if let Some(strategy) = &mut host.strategy {
            strategy.on_input(&input);
        }
        host.inputs += 1;
        let life = host.life;
        let mut out = std::mem::take(&mut self.scratch);
        state.handle(now, input, &mut out);
        for effect in out.drain(..) {
            if self.hosts[node].life == life {
                self.act(node, effect);
            }
        }
        self.scratch = out;
        self.lie(node);
        self.look_at_history(node);
    }

    /// Shows the checker what is new in a member's history.
    fn look_at_history(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        let Some(state) = &host.state else { return };
        if !host.honest {
            return;
        }
        // What is new comes last, and is never dropped at once.
        let graph = state.graph();
        let accepted = graph.accepted();
        let new = accepted - std::mem::replace(&mut host.looked_at, accepted);
        for vertex in graph.iter().skip(graph.len().saturating_sub(new)) {
            let fact = Fact::Accepted { node, vertex, state };
            self.checker.observe(self.now_us / 1_000, &fact);
        }
    }

    /// Once per second everybody is looked at, and attacks have a turn.
    fn second(&mut self) {
        self.schedule(self.now_us + SECOND_US, Event::Second);
        self.show(false);
        for host in &mut self.hosts {
            host.inputs = 0;
        }
        if self.now_us.is_multiple_of(POOL_SWEEP_US) {
            self.pool.sweep();
        }
        for node in 0..self.hosts.len() {
            if self.hosts[node].strategy.is_some() && self.hosts[node].state.is_some() {
                self.attack(node, None);
            }
        }
    }

    /// Shows the checker everybody at once.
    fn show(&mut self, end: bool) {
        let at_ms = self.now_us / 1_000;
        let peeks: Vec<Peek<'_>> = self.hosts.iter().map(Host::peek).collect();
        let peeks = peeks.as_slice();
        let fact = if end { Fact::End { peeks } } else { Fact::Second { at_ms, peeks } };
        self.checker.observe(at_ms, &fact);
        if self.scenario.bounds.ends_early && at_ms.is_multiple_of(SETTLED_LOOK_MS) {
            let settled = self.checker.is_settled(at_ms, peeks);
            self.settled = if settled { self.settled + 1 } else { 0 };
        }
    }
}
