//! One member: its host, its disk, its node while it runs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use super::gossip::Message;
use super::{Event, World};
use crate::crypto::hash::Digest;
use crate::crypto::sign::{SigningKey, stub};
use crate::effect::Input;
use crate::identity::{AuthorId, Secrets, TransportId};
use crate::limits;
use crate::neural::Dataset;
use crate::node::{Config, Node, Relaying};
use crate::rng::Rng;
use crate::sim::byzantine::Strategy;
use crate::sim::checker::{Broken, Fact, Peek, Violation};
use crate::sim::disk::Disk;
use crate::sim::random::Tree;
use crate::sim::scenario::{Crypto, Mutant, Scenario};
use crate::sim::workload::tiny_data;

/// Inputs that wait while a host stands still (count); a socket's buffers hold no more.
const HELD_MAX: usize = 4_096;
/// Members whose addresses a join link has (count).
const BOOTSTRAP_COUNT: usize = 3;

/// One member.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what is wrong with a host is independent")]
pub(super) struct Host {
    pub(super) secrets: Secrets,
    pub(super) key: SigningKey,
    pub(super) author: AuthorId,
    pub(super) transport: TransportId,
    pub(super) address: String,
    /// Whether others can dial it.
    pub(super) listens: bool,
    pub(super) honest: bool,
    pub(super) state: Option<Node>,
    /// Counts starts and ends, so that what was meant for an earlier life is dropped.
    pub(super) life: u64,
    pub(super) timer: u64,
    pub(super) disk: Disk,
    /// The store has no room, or says so of writes that are durable.
    pub(super) full: bool,
    pub(super) lies: bool,
    pub(super) write_ms: u64,
    /// Ends within the next write, and starts again after so many milliseconds.
    pub(super) crash_in_write: Option<u64>,
    /// Connected members; whether the link is part of gossip's mesh.
    pub(super) links: BTreeMap<usize, bool>,
    /// When the other side of a link that ended hears of it, in microseconds.
    pub(super) parting_us: BTreeMap<usize, u64>,
    pub(super) seen: BTreeSet<Digest>,
    pub(super) seen_order: VecDeque<(u64, Digest)>,
    /// Messages without a verdict, and who sent them.
    pub(super) awaiting: BTreeMap<u64, (usize, Rc<Message>)>,
    pub(super) frozen: bool,
    pub(super) throttled: bool,
    held: VecDeque<Input>,
    pub(super) skew_ms: i64,
    pub(super) strategy: Option<Box<dyn Strategy>>,
    pub(super) data: Dataset,
    pub(super) train_ms: u64,
    /// The host's own stream.
    pub(super) rng: Rng,
    /// Inputs since the last second.
    pub(super) inputs: u64,
    /// How much of its history the checker has seen, dropped vertices counted.
    pub(super) looked_at: usize,
}

impl Host {
    pub(super) fn new(number: usize, scenario: &Scenario, tree: Tree) -> Self {
        let mut entropy = [0; 96];
        tree.stream("identity", number as u64, 0).fill(&mut entropy);
        if scenario.crypto == Crypto::Stub {
            entropy.iter_mut().zip(stub::MARK).for_each(|(to, from)| *to = from);
        }
        let secrets = Secrets::from_entropy(entropy);
        let (key, transport) = (secrets.signing_key(), secrets.transport_id());
        let mut rng = tree.stream("host", number as u64, 0);
        let is_tab = rng.below(1_000) < scenario.network.tabs_per_mille;
        Self {
            author: AuthorId::of(key.public()),
            address: format!("/dns4/member-{number}/tcp/443/wss/p2p/{transport}"),
            // The first one can always be dialled, or nobody could begin.
            listens: number == 0 || !is_tab,
            honest: !scenario.is_byzantine(number),
            write_ms: scenario.disk.write_ms,
            data: tiny_data(tree.stream("data", number as u64, 0)),
            secrets,
            key,
            transport,
            state: None,
            life: 0,
            timer: 0,
            disk: Disk::default(),
            full: false,
            lies: false,
            crash_in_write: None,
            links: BTreeMap::new(),
            parting_us: BTreeMap::new(),
            seen: BTreeSet::new(),
            seen_order: VecDeque::new(),
            awaiting: BTreeMap::new(),
            frozen: false,
            throttled: false,
            held: VecDeque::new(),
            skew_ms: 0,
            strategy: None,
            train_ms: 50,
            rng,
            inputs: 0,
            looked_at: 0,
        }
    }

    pub(super) fn peek(&self) -> Peek<'_> {
        Peek {
            state: self.state.as_ref(),
            honest: self.honest,
            awake: self.state.is_some() && !self.frozen,
            inputs: self.inputs,
            writes: self.disk.under_way(),
        }
    }

    /// Keeps an input for when the host goes on.
    pub(super) fn hold(&mut self, input: Input) {
        if self.held.len() < HELD_MAX {
            self.held.push_back(input);
        }
    }

    /// An attack on votes takes those of its node from now on.
    pub(super) fn begin_lying(&mut self) {
        if let (Some(state), Some(strategy)) = (&mut self.state, &self.strategy)
            && strategy.lies()
        {
            state.intercept_votes();
        }
    }

    /// What the process had in memory is gone.
    fn forget(&mut self) {
        self.state = None;
        self.life += 1;
        self.timer += 1;
        self.links.clear();
        self.seen.clear();
        self.seen_order.clear();
        self.awaiting.clear();
        self.held.clear();
        self.looked_at = 0;
        self.frozen = false;
    }
}

impl World {
    /// Makes a node from what the disk has.
    pub(super) fn start(&mut self, node: usize) {
        if self.hosts[node].state.is_some() {
            return;
        }
        let now = self.now(node);
        let config = Config {
            network: self.network_id,
            genesis: self.genesis.clone(),
            ticket: None,
            name: "simulation".to_owned(),
            bootstrap: self.bootstrap(node),
            advertise: Vec::new(),
            history: self.scenario.history(node),
            relaying: Relaying::default(),
            generation_bytes: self.scenario.generation_bytes(),
        };
        let host = &mut self.hosts[node];
        let mut entropy = [0; 32];
        // A stream for each life: what one draws does not change the next.
        self.tree.stream("entropy", node as u64, host.life).fill(&mut entropy);
        let made = Node::new(config, &host.secrets, host.disk.restored(), entropy, now);
        self.trace.note(self.now_us, Some(node), "start");
        let state = match made {
            Ok(state) => state,
            Err(error) if host.honest => {
                let what = format!("it does not start from its disk: {error}");
                let broken = Broken { node: Some(node), vertex: None, what };
                let at_ms = self.now_us / 1_000;
                let invariant = "a member starts from what its disk has";
                return self.checker.fail(Violation { invariant, at_ms, broken });
            }
            Err(_) => return,
        };
        if host.honest {
            self.checker.observe(self.now_us / 1_000, &Fact::Started { node, state: &state });
        }
        host.life += 1;
        host.state = Some(state);
        host.begin_lying();
        let addresses = if host.listens { vec![host.address.clone()] } else { Vec::new() };
        self.look_at_history(node);
        self.give(node, Input::Started);
        self.give(node, Input::Listening { addresses });
    }

    /// Addresses of members that started before, as a join link has them.
    fn bootstrap(&self, node: usize) -> Vec<String> {
        let mut rng = self.tree.stream("bootstrap", node as u64, 0);
        let earlier = u32::try_from(node).unwrap_or(u32::MAX);
        let mut addresses = Vec::new();
        for _ in 0..4 * BOOTSTRAP_COUNT {
            let host = &self.hosts[rng.below(earlier) as usize];
            let address = host.address.clone();
            if node > 0 && host.listens && !addresses.contains(&address) {
                addresses.push(address);
            }
            if addresses.len() == BOOTSTRAP_COUNT {
                break;
            }
        }
        let is_there = |other: &usize| {
            let scenario = &self.scenario;
            let has_started = scenario.starts_ms(*other) < scenario.starts_ms(node);
            self.hosts[*other].listens && has_started && !scenario.is_byzantine(*other)
        };
        let mut there = (0..node).filter(is_there).map(|other| &self.hosts[other].address);
        if node > 0 && !there.clone().any(|address| addresses.contains(address)) {
            // A link to attackers alone, or to who is not there yet, leads nowhere.
            let first = there.next().unwrap_or(&self.hosts[0].address);
            if !addresses.contains(first) {
                addresses.push(first.clone());
            }
        }
        addresses
    }

    /// The process of a member ends without a word.
    pub(super) fn crash(&mut self, node: usize, down_ms: Option<u64>) {
        if self.hosts[node].state.is_none() {
            return;
        }
        self.trace.note(self.now_us, Some(node), "crash");
        let host = &mut self.hosts[node];
        let under_way = u32::try_from(host.disk.under_way()).unwrap_or(u32::MAX);
        let kept = host.rng.below(under_way + 1) as usize;
        if self.scenario.mutant == Some(Mutant::ForgetfulDisk) {
            let tip = host.state.as_ref().and_then(|state| state.graph().author(&host.author));
            if let Some(tip) = tip.map(|chain| chain.tip) {
                host.disk.lose_vertex(&tip.id);
            }
        }
        host.disk.cut(kept, &mut self.pool);
        self.end(node, down_ms);
    }

    /// A member's process is gone; its connections end.
    pub(super) fn end(&mut self, node: usize, down_ms: Option<u64>) {
        for peer in self.peers(node) {
            self.unlink(node, peer);
        }
        let host = &mut self.hosts[node];
        // What it began when its connections ended is begun by nobody.
        host.disk.cut(0, &mut self.pool);
        host.forget();
        if let Some(down_ms) = down_ms {
            let at_us = self.now_us + down_ms.max(1) * 1_000;
            self.schedule(at_us, Event::Start { node });
        }
    }

    pub(super) fn freeze(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        host.frozen = host.state.is_some();
    }

    /// The host goes on and takes in what came meanwhile.
    pub(super) fn thaw(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        if !std::mem::take(&mut host.frozen) {
            return;
        }
        let (life, held) = (host.life, std::mem::take(&mut host.held));
        for input in held {
            self.schedule(self.now_us, Event::Input { node, life, input });
        }
    }

    pub(super) fn peers(&self, node: usize) -> Vec<usize> {
        self.hosts[node].links.keys().copied().collect()
    }

    /// A write under way ended, one way or the other.
    pub(super) fn written(&mut self, node: usize, life: u64) {
        use crate::effect::StoreFailed;
        let early = self.scenario.mutant == Some(Mutant::SendBeforePersist);
        let host = &mut self.hosts[node];
        if host.life != life {
            return;
        }
        let failed = |full| {
            let message = "the simulated store says no".to_owned();
            Err(StoreFailed { full, message })
        };
        let (number, result) = if host.full {
            (host.disk.refuse(), failed(true))
        } else {
            let result = if host.lies { failed(false) } else { Ok(()) };
            (host.disk.complete(&mut self.pool), result)
        };
        let Some(write) = number else { return };
        if !early {
            self.hand(node, life, Input::Persisted { write, result });
        }
    }

    /// Whether a host takes one more connection from outside.
    pub(super) fn has_room(&self, node: usize) -> bool {
        self.hosts[node].links.len() < limits::CONNECTIONS_INBOUND_MAX as usize
    }
}
