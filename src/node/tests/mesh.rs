//! A mesh in memory: nodes, links, stores and trainers on one virtual clock, all from one seed.
//!
//! Time jumps to the next delivery. Faults are plain fields: messages get lost, links cut, stores
//! filled, nodes crashed at any write. The driver also is an auditor: it records every own vertex a
//! node ever sends and fails when two of them share a place in a chain.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Now;
use crate::consensus::Sealed;
use crate::crypto::hash::Digest;
use crate::dag::cbor::{self, Bounds};
use crate::dag::invite::Ticket;
use crate::dag::{BlobId, NetworkId, RunSpec, SignedVertex, VertexId};
use crate::effect::{
    Command, Effect, Input, Job, RequestFailed, StoreFailed, TrainedUpdate, Verdict, Write,
};
use crate::event::{Channel, Event, Problem, Reply, RunView};
use crate::federated::Run;
use crate::genesis::{Engine, Genesis};
use crate::identity::{AuthorId, Secrets, TransportId};
use crate::limits;
use crate::message::{Ballots, Refusal, Refused, Request, Response};
use crate::neural::{
    self, Activation, Dataset, Labels, Layer, LocalTraining, Loss, Scaling, Shape,
};
use crate::node::{Config, History, Node, Relaying, Restored};
use crate::rng::Rng;
use crate::sampling::{Answer, Ballot};
use crate::units::MicroCredits;

/// Milliseconds since 1970 at the start of the virtual clock.
pub(super) const UNIX_MS: u64 = 1_763_000_000_000;

/// Nodes and what is between them.
pub(super) struct Mesh {
    pub(super) members: Vec<Member>,
    pub(super) now_ms: u64,
    pub(super) faults: Faults,
    pub(super) rng: Rng,
    pub(super) network: NetworkId,
    pub(super) genesis: Option<Genesis>,
    pub(super) ticket: Option<Ticket>,
    pub(super) generation_bytes: u64,
    deliveries: BTreeMap<(u64, u64), Delivery>,
    sequence: u64,
    tokens: BTreeMap<u64, (usize, u64, u64)>,
    last_token: u64,
    gossip: BTreeMap<u64, Vec<u8>>,
    /// Requests that were sent, by asker and kind.
    pub(super) asked: BTreeMap<(usize, &'static str), usize>,
    /// Own vertices that were sent, by author and position.
    sent: BTreeMap<(AuthorId, u64), VertexId>,
}

/// What goes wrong.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    /// Of a thousand messages, so many are lost.
    pub(super) lost_per_mille: u32,
    /// Messages take up to so many milliseconds more.
    pub(super) jitter_ms: u32,
    /// Links between the two groups are cut.
    pub(super) cut: Option<BTreeSet<usize>>,
    /// Corrupts each blob piece that this member sends.
    pub(super) liar: Option<usize>,
    /// This member tells everybody in polls that it prefers what they do: nobody changes sides.
    pub(super) flatterer: Option<usize>,
    /// These members tell this about snapshots.
    pub(super) snapshot_liars: BTreeSet<usize>,
    pub(super) snapshot_lie: Option<SnapshotLie>,
    /// Dials are never answered.
    pub(super) deaf: bool,
}

/// What is wrong with what liars hand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SnapshotLie {
    /// Another manifest than the certified one.
    Manifest,
    /// A certificate of something that nobody signed.
    Certificate,
    /// Signatures of others than the committee.
    Signers,
    /// Chunks with other bytes.
    Chunks,
    /// Nothing is open.
    Closed,
    /// No vertices: they were dropped.
    Dropped,
    /// Whole vertices whose signatures are wrong.
    Vertices,
    /// There is nothing.
    Silence,
}

pub(super) struct Member {
    pub(super) node: Option<Node>,
    pub(super) secrets: Secrets,
    pub(super) store: Store,
    pub(super) data: Dataset,
    pub(super) events: Vec<Event>,
    pub(super) replies: BTreeMap<u64, Result<Reply, Problem>>,
    pub(super) links: BTreeSet<usize>,
    pub(super) effects: u64,
    pub(super) train: Trainer,
    pub(super) clock_skew_ms: i64,
    pub(super) listens: bool,
    pub(super) history: History,
    life: u64,
    timer: u64,
    seen: BTreeSet<Digest>,
    last_command: u64,
}

/// How a member trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trainer {
    /// On its data, taking so many milliseconds.
    Honest(u64),
    /// Never answers.
    Silent,
    /// Gives values that are no numbers.
    Diverges,
    /// Turns its update round, ten times as long, and claims as many samples as can be.
    Lies,
}

/// A store that survives its node.
#[derive(Debug, Default, Clone)]
pub(super) struct Store {
    pub(super) vertices: BTreeMap<VertexId, Vec<u8>>,
    pub(super) blobs: BTreeMap<BlobId, Vec<u8>>,
    pub(super) meta: BTreeMap<String, Vec<u8>>,
    pub(super) is_full: bool,
    pub(super) writes: u64,
    /// Crash at this write: before it is applied, or after it and before it is acknowledged.
    pub(super) crash: Option<(u64, Crash)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crash {
    BeforeWrite,
    BeforeAnswer,
    AfterAnswer,
}

#[derive(Debug)]
enum Delivery {
    To { member: usize, life: u64, input: Input },
    Timer { member: usize, life: u64, timer: u64 },
    Gossip { member: usize, from: usize, message: u64 },
    Crash { member: usize, life: u64 },
}

impl Mesh {
    /// Members with their data, none of them running.
    pub(super) fn new(seed: u64, members: usize) -> Self {
        let mut rng = Rng::from_u64(seed);
        let mut network = [0; 32];
        rng.fill(&mut network);
        let mut mesh = Self {
            members: Vec::new(),
            now_ms: 1_000,
            faults: Faults::default(),
            network: NetworkId::from_bytes(network),
            genesis: None,
            ticket: None,
            generation_bytes: limits::SNAPSHOT_GENERATION_BYTES,
            deliveries: BTreeMap::new(),
            sequence: 0,
            tokens: BTreeMap::new(),
            last_token: 0,
            gossip: BTreeMap::new(),
            asked: BTreeMap::new(),
            sent: BTreeMap::new(),
            rng,
        };
        for index in 0..members {
            mesh.add_member(index);
        }
        mesh
    }

    /// Members of which the first few are the committee of the network, with these weights. Each
    /// has a thousandth of a credit.
    pub(super) fn deciding(seed: u64, members: usize, weights: &[u32]) -> Self {
        let mut mesh = Self::new(seed, members);
        let seats = mesh.members.iter().map(|member| member.secrets.author()).zip(weights);
        let seats = seats.map(|(author, weight)| (author, *weight)).collect();
        let balance = |member: &Member| (member.secrets.author(), MicroCredits(1_000));
        let balances = mesh.members.iter().map(balance).collect();
        let genesis = Genesis::new(seats, balances, [7; 32]).unwrap();
        mesh.network = genesis.network();
        mesh.genesis = Some(genesis);
        mesh
    }

    /// Members of which the first few are those that polls draw from, with these weights.
    pub(super) fn sampling(seed: u64, members: usize, weights: &[u32]) -> Self {
        let mut mesh = Self::new(seed, members);
        let seats = mesh.members.iter().map(|member| member.secrets.author()).zip(weights);
        let seats = seats.map(|(author, weight)| (author, *weight)).collect();
        let engine = Engine::QrAvalanche;
        let genesis = Genesis::with_engine(engine, seats, Vec::new(), [7; 32]).unwrap();
        mesh.network = genesis.network();
        mesh.genesis = Some(genesis);
        mesh
    }

    /// Members that run and know the first one's address, connected with one another.
    pub(super) fn running(seed: u64, members: usize) -> Self {
        let mut mesh = Self::new(seed, members);
        for index in 0..members {
            mesh.start(index);
        }
        mesh.run_for(10_000);
        mesh
    }

    pub(super) fn add_member(&mut self, index: usize) {
        let mut entropy = [0; 96];
        self.rng.fill(&mut entropy);
        self.members.push(Member {
            node: None,
            secrets: Secrets::from_entropy(entropy),
            store: Store::default(),
            data: tiny_data(u64::try_from(index).unwrap()),
            events: Vec::new(),
            replies: BTreeMap::new(),
            links: BTreeSet::new(),
            effects: 0,
            train: Trainer::Honest(50),
            clock_skew_ms: 0,
            listens: true,
            history: History::default(),
            life: 0,
            timer: 0,
            seen: BTreeSet::new(),
            last_command: 0,
        });
    }

    pub(super) fn network(&self) -> NetworkId {
        self.network
    }

    pub(super) fn now(&self, member: usize) -> Now {
        let skew_ms = self.members[member].clock_skew_ms;
        let unix_ms = (UNIX_MS + self.now_ms).checked_add_signed(skew_ms).unwrap();
        Now { mono_ms: self.now_ms, unix_ms }
    }

    pub(super) fn node(&self, member: usize) -> &Node {
        self.members[member].node.as_ref().expect("the member runs")
    }

    pub(super) fn transport(&self, member: usize) -> TransportId {
        self.members[member].secrets.transport_id()
    }

    pub(super) fn address(&self, member: usize) -> String {
        format!("/ip4/127.0.0.1/tcp/{}/ws/p2p/{}", 4_100 + member, self.transport(member))
    }

    /// Makes a node from what the member's store has; it knows the address of member 0.
    pub(super) fn start(&mut self, member: usize) {
        let bootstrap = if member == 0 { Vec::new() } else { vec![self.address(0)] };
        self.start_with(member, bootstrap);
    }

    pub(super) fn start_with(&mut self, member: usize, bootstrap: Vec<String>) {
        let node = self.make(member, bootstrap).expect("the store is in order");
        let listens = self.members[member].listens;
        let addresses = if listens { vec![self.address(member)] } else { Vec::new() };
        let this = &mut self.members[member];
        this.node = Some(node);
        this.life += 1;
        this.links.clear();
        this.seen.clear();
        self.give(member, Input::Started);
        self.give(member, Input::Listening { addresses });
    }

    pub(super) fn make(
        &mut self,
        member: usize,
        bootstrap: Vec<String>,
    ) -> Result<Node, crate::node::Error> {
        let mut entropy = [0; 32];
        self.rng.fill(&mut entropy);
        let config = Config {
            network: self.network,
            genesis: self.genesis.clone(),
            ticket: self.ticket.clone(),
            name: "test".to_owned(),
            bootstrap,
            advertise: Vec::new(),
            history: self.members[member].history,
            relaying: Relaying::Log,
            generation_bytes: self.generation_bytes,
        };
        let now = self.now(member);
        let this = &self.members[member];
        let meta: Vec<(String, Vec<u8>)> = this.store.meta.clone().into_iter().collect();
        let chunks = crate::node::chunks_of(&meta);
        let restored = Restored {
            chunks: chunks.iter().filter_map(|id| this.store.blobs.get(id).cloned()).collect(),
            vertices: this.store.vertices.values().cloned().collect(),
            blobs: this
                .store
                .blobs
                .iter()
                .map(|(id, bytes)| (*id, bytes.len().try_into().unwrap()))
                .collect(),
            meta,
        };
        Node::new(config, &this.secrets, restored, entropy, now)
    }

    /// The process of a member ends without a word.
    pub(super) fn crash(&mut self, member: usize) {
        self.members[member].node = None;
        self.members[member].life += 1;
        for other in std::mem::take(&mut self.members[member].links) {
            self.members[other].links.remove(&member);
            let peer = self.transport(member);
            self.post(other, 1, Input::Disconnected { peer, reason: "connection lost".to_owned() });
        }
    }

    /// Cuts the links between a group and the rest.
    pub(super) fn cut(&mut self, group: &[usize]) {
        let group: BTreeSet<usize> = group.iter().copied().collect();
        for one in 0..self.members.len() {
            for other in self.members[one].links.clone() {
                if group.contains(&one) != group.contains(&other) {
                    self.unlink(one, other);
                }
            }
        }
        self.faults.cut = Some(group);
    }

    pub(super) fn heal(&mut self) {
        self.faults.cut = None;
    }

    pub(super) fn unlink(&mut self, one: usize, other: usize) {
        if self.members[one].links.remove(&other) {
            self.members[other].links.remove(&one);
            let (first, second) = (self.transport(one), self.transport(other));
            self.post(
                one,
                1,
                Input::Disconnected { peer: second, reason: "connection lost".to_owned() },
            );
            self.post(
                other,
                1,
                Input::Disconnected { peer: first, reason: "connection lost".to_owned() },
            );
        }
    }

    /// Sends a command and gives its number.
    pub(super) fn command(&mut self, member: usize, request: Command) -> u64 {
        self.members[member].last_command += 1;
        let command = self.members[member].last_command;
        self.give(member, Input::Command { command, request });
        command
    }

    /// Sends a command and runs until it is answered.
    pub(super) fn ask(&mut self, member: usize, request: Command) -> Result<Reply, Problem> {
        let command = self.command(member, request);
        for _ in 0..10_000 {
            if let Some(reply) = self.members[member].replies.remove(&command) {
                return reply;
            }
            self.run_for(10);
        }
        panic!("command {command} of member {member} was never answered");
    }

    pub(super) fn start_run(&mut self, member: usize, spec: RunSpec) -> VertexId {
        let samples = self.samples(member);
        let request = Command::StartRun { spec: Box::new(spec), samples };
        match self.ask(member, request) {
            Ok(Reply::Run(view)) => view.run,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn join(&mut self, member: usize, run: &VertexId) -> RunView {
        let samples = self.samples(member);
        match self.ask(member, Command::JoinRun { run: run.to_string(), samples }) {
            Ok(Reply::Run(view)) => *view,
            other => panic!("{other:?}"),
        }
    }

    /// Makes every member's training take so long.
    pub(super) fn train_for(&mut self, ms: u64) {
        for member in &mut self.members {
            member.train = Trainer::Honest(ms);
        }
    }

    pub(super) fn samples(&self, member: usize) -> u32 {
        self.members[member].data.rows().try_into().unwrap()
    }

    /// Runs until nothing is due for so many milliseconds of virtual time.
    pub(super) fn run_for(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        while let Some((&(at_ms, sequence), _)) = self.deliveries.first_key_value() {
            if at_ms > until_ms {
                break;
            }
            let delivery = self.deliveries.remove(&(at_ms, sequence)).unwrap();
            self.now_ms = self.now_ms.max(at_ms);
            self.deliver(delivery);
        }
        self.now_ms = until_ms;
    }

    /// Runs until `done`, at most so many milliseconds; says whether it came to that.
    pub(super) fn run_until(&mut self, ms: u64, mut done: impl FnMut(&Self) -> bool) -> bool {
        let until_ms = self.now_ms + ms;
        while self.now_ms < until_ms {
            if done(self) {
                return true;
            }
            self.run_for(20);
        }
        done(self)
    }

    /// Runs until these members have finished a run.
    pub(super) fn finish(&mut self, run: &VertexId, members: &[usize], ms: u64) {
        let all = |mesh: &Self| {
            members
                .iter()
                .all(|member| mesh.node(*member).runs().get(run).is_some_and(Run::is_finished))
        };
        if !self.run_until(ms, all) {
            let state = |member: &usize| {
                let node = self.node(*member);
                let round = node.runs().get(run).map(Run::round);
                format!("{member}: {round:?} {:?}", node.counters.snapshot())
            };
            let states: Vec<String> = members.iter().map(state).collect();
            panic!("the run did not finish in {ms} ms: {states:#?}");
        }
    }

    /// Hands an input to a node now.
    pub(super) fn give(&mut self, member: usize, input: Input) {
        self.poke(member, input);
    }

    /// Hands an input to a node now; gives what it led to, which is carried out as well.
    pub(super) fn poke(&mut self, member: usize, input: Input) -> Vec<Effect> {
        let now = self.now(member);
        let this = &mut self.members[member];
        let Some(node) = this.node.as_mut() else { return Vec::new() };
        if let Input::Gossip { message, bytes, .. } = &input {
            this.seen.insert(Digest::of(bytes));
            self.gossip.insert(*message, bytes.clone());
        }
        let mut out = Vec::new();
        node.handle(now, input, &mut out);
        self.members[member].effects += u64::try_from(out.len()).unwrap();
        for effect in &out {
            self.carry_out(member, effect.clone());
        }
        out
    }

    /// Hands an input to a node after a while.
    pub(super) fn post(&mut self, member: usize, after_ms: u64, input: Input) {
        let life = self.members[member].life;
        self.schedule(after_ms, Delivery::To { member, life, input });
    }

    fn schedule(&mut self, after_ms: u64, delivery: Delivery) {
        self.sequence += 1;
        self.deliveries.insert((self.now_ms + after_ms, self.sequence), delivery);
    }

    fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::To { member, life, input } => {
                if self.members[member].life == life {
                    self.give(member, input);
                }
            }
            Delivery::Timer { member, life, timer } => {
                let this = &self.members[member];
                if this.life == life && this.timer == timer {
                    self.give(member, Input::Tick);
                }
            }
            Delivery::Gossip { member, from, message } => {
                self.deliver_gossip(member, from, message);
            }
            Delivery::Crash { member, life } => {
                if self.members[member].life == life {
                    self.crash(member);
                }
            }
        }
    }

    fn deliver_gossip(&mut self, member: usize, from: usize, message: u64) {
        let bytes = self.gossip[&message].clone();
        let linked = self.members[member].links.contains(&from);
        if linked && self.members[member].seen.insert(Digest::of(&bytes)) {
            let peer = self.transport(from);
            self.give(member, Input::Gossip { peer, message, bytes });
        }
    }

    fn latency_ms(&mut self) -> u64 {
        5 + u64::from(self.rng.below(self.faults.jitter_ms.max(1)))
    }

    fn is_lost(&mut self) -> bool {
        self.rng.below(1_000) < self.faults.lost_per_mille
    }

    fn member_of(&self, peer: &TransportId) -> Option<usize> {
        (0..self.members.len()).find(|index| self.transport(*index) == *peer)
    }

    fn carry_out(&mut self, member: usize, effect: Effect) {
        match effect {
            Effect::Dial { address } => self.dial(member, address),
            Effect::Disconnect { peer, .. } => {
                if let Some(other) = self.member_of(&peer) {
                    self.unlink(member, other);
                }
            }
            Effect::Request { peer, request, bytes } => {
                self.request(member, &peer, request, bytes);
            }
            Effect::Tell { peer, request, bytes } => {
                self.tell(member, &peer, request, bytes);
            }
            Effect::Cell { peer, request, bytes } => {
                self.carry(member, &peer, request, |peer, token| Input::Cell {
                    peer,
                    token,
                    bytes,
                });
            }
            Effect::Respond { token, bytes } => self.respond(member, token, bytes),
            Effect::Publish { bytes } => {
                self.audit(member, &bytes);
                self.last_token += 1;
                self.members[member].seen.insert(Digest::of(&bytes));
                self.gossip.insert(self.last_token, bytes);
                self.forward(member, self.last_token);
            }
            Effect::Verdict { message, verdict, .. } => {
                if verdict == Verdict::Accept {
                    self.forward(member, message);
                }
            }
            Effect::Persist(write) => self.persist(member, write),
            Effect::LoadBlob { blob } => {
                let bytes = self.members[member].store.blobs.get(&blob).cloned();
                self.post(member, 1, Input::BlobLoaded { blob, bytes });
            }
            Effect::Train(job) => self.train(member, &job),
            Effect::Reply { command, result } => {
                let before = self.members[member].replies.insert(command, result);
                assert!(before.is_none(), "command {command} was answered twice");
            }
            Effect::Emit(event) => self.members[member].events.push(event),
            Effect::SetTimer { at_mono_ms } => {
                self.members[member].timer += 1;
                let (life, timer) = (self.members[member].life, self.members[member].timer);
                let after_ms = at_mono_ms.saturating_sub(self.now_ms);
                self.schedule(after_ms, Delivery::Timer { member, life, timer });
            }
        }
    }

    fn dial(&mut self, member: usize, address: String) {
        if self.faults.deaf {
            return;
        }
        let other = (0..self.members.len()).find(|index| self.address(*index) == address);
        let reachable = other.filter(|other| {
            let cut = self.faults.cut.as_ref();
            let crosses = cut.is_some_and(|cut| cut.contains(&member) != cut.contains(other));
            *other != member
                && self.members[*other].listens
                && self.members[*other].node.is_some()
                && !crosses
        });
        let Some(other) = reachable else {
            let reason = "unreachable".to_owned();
            return self.post(member, 20, Input::DialFailed { address, reason });
        };
        self.link(member, other);
    }

    /// Connects two members as if the first had dialled.
    pub(super) fn link(&mut self, member: usize, other: usize) {
        let address = self.address(other);
        if self.members[member].links.insert(other) {
            self.members[other].links.insert(member);
            let (dialler, listener) = (self.transport(member), self.transport(other));
            let channel = Channel::Classical;
            let remote = "/ip4/127.0.0.1/tcp/50000/ws".to_owned();
            let inbound =
                Input::Connected { peer: dialler, address: remote, outbound: false, channel };
            self.post(other, 5, inbound);
            let outbound = Input::Connected { peer: listener, address, outbound: true, channel };
            self.post(member, 5, outbound);
        }
    }

    fn request(&mut self, member: usize, peer: &TransportId, request: u64, bytes: Vec<u8>) {
        let kind = kind(&bytes);
        if self.carry(member, peer, request, |peer, token| Input::Request { peer, token, bytes }) {
            *self.asked.entry((member, kind)).or_default() += 1;
        }
    }

    fn tell(&mut self, member: usize, peer: &TransportId, request: u64, bytes: Vec<u8>) {
        self.carry(member, peer, request, |peer, token| Input::Told { peer, token, bytes });
    }

    /// Brings what expects an answer to another member, or says later that it could not.
    fn carry(
        &mut self,
        member: usize,
        peer: &TransportId,
        request: u64,
        input: impl FnOnce(TransportId, u64) -> Input,
    ) -> bool {
        let other = self.member_of(peer).filter(|other| self.members[member].links.contains(other));
        let fail = |result| Input::Response { request, result: Err(result) };
        let Some(other) = other else {
            self.post(member, 1, fail(RequestFailed::Disconnected));
            return false;
        };
        if self.is_lost() {
            self.post(member, 5_000, fail(RequestFailed::Timeout));
            return false;
        }
        self.last_token += 1;
        let token = self.last_token;
        self.tokens.insert(token, (member, self.members[member].life, request));
        let (peer, after_ms) = (self.transport(member), self.latency_ms());
        self.post(other, after_ms, input(peer, token));
        true
    }

    fn respond(&mut self, member: usize, token: u64, mut bytes: Vec<u8>) {
        // A token of a test that plays a peer itself has nobody behind it.
        let Some((to, life, request)) = self.tokens.remove(&token) else { return };
        if self.faults.liar == Some(member)
            && let Ok(Response::Blob(mut piece)) = Response::decode(&bytes)
        {
            piece.bytes.iter_mut().for_each(|byte| *byte ^= 1);
            bytes = Response::Blob(piece).encode();
        }
        if self.faults.flatterer == Some(member)
            && let Ok(Response::Ballots(ballots)) = Response::decode(&bytes)
        {
            bytes = self.flatter(member, to, &ballots).encode();
        }
        if self.faults.snapshot_liars.contains(&member)
            && let Some(lie) = self.faults.snapshot_lie
        {
            bytes = lie.tell(bytes);
        }
        if let Ok(Response::Vertices(answer)) = Response::decode(&bytes) {
            answer.vertices.iter().for_each(|bytes| self.audit(member, bytes));
        }
        let result = Ok(bytes);
        let after_ms = self.latency_ms();
        let input = Input::Response { request, result };
        self.schedule(after_ms, Delivery::To { member: to, life, input });
    }

    /// The answers of a member as they would be if it preferred what the asker does.
    fn flatter(&self, by: usize, to: usize, ballots: &Ballots) -> Response {
        let key = self.members[by].secrets.signing_key();
        let asker = self.members[to].secrets.author();
        let engine = self.members[to].node.as_ref().map(|node| &node.deciding.engine);
        let flattered = ballots.answers.iter().map(|bytes| {
            let ballot = Answer::decode(bytes).unwrap().ballot;
            let sampled = engine.and_then(|engine| engine.sampled());
            let preference = sampled.and_then(|sampled| sampled.engine.preference(&ballot.key));
            let ballot = Ballot { preference, ..ballot };
            ballot.sign(&self.network, &asker, &key, [4; 32]).encode().into()
        });
        Response::Ballots(Ballots { answers: flattered.collect() })
    }

    fn forward(&mut self, member: usize, message: u64) {
        for other in self.members[member].links.clone() {
            if !self.is_lost() {
                let after_ms = self.latency_ms();
                let from = member;
                self.schedule(after_ms, Delivery::Gossip { member: other, from, message });
            }
        }
    }

    /// Fails when a member sends two own vertices of one place, or one that is not durable.
    fn audit(&mut self, member: usize, bytes: &[u8]) {
        let signed = SignedVertex::decode(bytes).unwrap();
        let (author, seq, id) = (signed.vertex().author, signed.vertex().seq, signed.id());
        let this = &self.members[member];
        if author != this.secrets.author() {
            return;
        }
        assert!(this.store.vertices.contains_key(&id), "sent before it was durable");
        let before = self.sent.insert((author, seq), id);
        assert!(before.is_none_or(|before| before == id), "member {member} equivocated at {seq}");
    }

    fn persist(&mut self, member: usize, write: Write) {
        let life = self.members[member].life;
        let store = &mut self.members[member].store;
        store.writes += 1;
        let crash = store.crash.filter(|(at, _)| *at == store.writes).map(|(_, crash)| crash);
        if crash == Some(Crash::BeforeWrite) {
            return self.schedule(0, Delivery::Crash { member, life });
        }
        let number = write.write;
        if store.is_full {
            let failed = StoreFailed { full: true, message: "no space left".to_owned() };
            let input = Input::Persisted { write: number, result: Err(failed) };
            return self.post(member, 2, input);
        }
        if !fits_batch(&write) {
            let failed = StoreFailed { full: false, message: "too much at once".to_owned() };
            let input = Input::Persisted { write: number, result: Err(failed) };
            return self.post(member, 2, input);
        }
        store.vertices.extend(write.vertices);
        store.blobs.extend(write.blobs);
        store.meta.extend(write.meta);
        for id in &write.removed {
            store.vertices.remove(id);
        }
        for id in &write.removed_blobs {
            store.blobs.remove(id);
        }
        if crash == Some(Crash::BeforeAnswer) {
            return self.schedule(0, Delivery::Crash { member, life });
        }
        self.post(member, 2, Input::Persisted { write: number, result: Ok(()) });
        if crash == Some(Crash::AfterAnswer) {
            self.schedule(2, Delivery::Crash { member, life });
        }
    }

    fn train(&mut self, member: usize, job: &Job) {
        let this = &self.members[member];
        let number = job.job;
        match this.train {
            Trainer::Silent => {}
            Trainer::Honest(after_ms) => {
                let update = train(job, &this.data);
                self.post(member, after_ms, Input::Trained { job: number, result: Ok(update) });
            }
            Trainer::Diverges => {
                let mut update = train(job, &this.data);
                update.delta[..4].copy_from_slice(&f32::NAN.to_le_bytes());
                self.post(member, 10, Input::Trained { job: number, result: Ok(update) });
            }
            Trainer::Lies => {
                let mut update = train(job, &this.data);
                for value in update.delta.as_chunks_mut::<4>().0 {
                    *value = (-10.0 * f32::from_le_bytes(*value)).to_le_bytes();
                }
                update.samples = limits::RUN_SAMPLES_MAX;
                self.post(member, 10, Input::Trained { job: number, result: Ok(update) });
            }
        }
    }
}

impl SnapshotLie {
    /// An answer as a liar would give it.
    fn tell(self, bytes: Vec<u8>) -> Vec<u8> {
        let lie = match (self, Response::decode(&bytes)) {
            (Self::Manifest, Ok(Response::Snapshot(mut offer))) => {
                if let Some(last) = offer.manifest.last_mut() {
                    *last ^= 1;
                }
                Response::Snapshot(offer)
            }
            (Self::Certificate | Self::Signers, Ok(Response::Snapshot(mut offer))) => {
                let middle = offer.certificate.len() / 2;
                match self {
                    // A state root is among the first bytes after the keys and signatures.
                    Self::Certificate => offer.certificate = reseal(&offer.certificate),
                    _ => offer.certificate[middle] ^= 1,
                }
                Response::Snapshot(offer)
            }
            (Self::Closed, Ok(Response::Snapshot(mut offer))) => {
                offer.open.clear();
                Response::Snapshot(offer)
            }
            (Self::Chunks, Ok(Response::Blob(mut piece))) => {
                piece.bytes.iter_mut().for_each(|byte| *byte ^= 1);
                Response::Blob(piece)
            }
            (Self::Vertices, Ok(Response::Vertices(mut answer))) => {
                // The signature is at the end, outside what the name is the hash of.
                for vertex in &mut answer.vertices {
                    if let Some(last) = vertex.last_mut() {
                        *last ^= 1;
                    }
                }
                Response::Vertices(answer)
            }
            (Self::Dropped, Ok(Response::Vertices(_))) => {
                Response::Refused(Refused { reason: Refusal::Dropped })
            }
            (Self::Silence, Ok(Response::Snapshot(_))) => {
                Response::Refused(Refused { reason: Refusal::Unknown })
            }
            _ => return bytes,
        };
        lie.encode()
    }
}

/// A certificate of another state, with the signatures of the true one.
fn reseal(certificate: &[u8]) -> Vec<u8> {
    let bounds = Bounds { bytes_max: certificate.len(), items_max: 10_000, depth_max: 12 };
    let mut sealed: Sealed = cbor::decode(certificate, &bounds).unwrap();
    sealed.certificate.checkpoint.state_root[0] ^= 1;
    sealed.encode()
}

/// Whether a store takes a write as one batch.
fn kind(request: &[u8]) -> &'static str {
    match Request::decode(request).expect("nodes send what they can read") {
        Request::Hello(_) => "hello",
        Request::Heads(_) => "heads",
        Request::Vertices(_) => "vertices",
        Request::Ancestors(_) => "ancestors",
        Request::Ranges(_) => "ranges",
        Request::Blob(_) => "blob",
        Request::Polls(_) => "polls",
        Request::Snapshot(_) => "snapshot",
    }
}

fn fits_batch(write: &Write) -> bool {
    let vertices = write.vertices.iter().map(|(_, bytes)| (32, bytes.len()));
    let blobs = write.blobs.iter().map(|(_, bytes)| (32, bytes.len()));
    let meta = write.meta.iter().map(|(name, bytes)| (name.len(), bytes.len()));
    let removed = write.removed.len() + write.removed_blobs.len();
    let removed = std::iter::repeat_n((32, 0), removed);
    let records: Vec<(usize, usize)> = vertices.chain(blobs).chain(meta).chain(removed).collect();
    records.len() <= limits::STORE_BATCH_OPERATIONS_MAX
        && records.iter().map(|(key, value)| key + value).sum::<usize>()
            <= limits::STORE_BATCH_BYTES_MAX
        && records.iter().all(|(_, value)| *value <= limits::STORE_VALUE_BYTES_MAX)
}

/// Trains as a host does.
pub(super) fn train(job: &Job, data: &Dataset) -> TrainedUpdate {
    let base = neural::weights_of_bytes(&job.base_weights, job.spec.model.parameter_count());
    let training = LocalTraining {
        epochs: job.spec.epochs,
        batch: job.spec.batch,
        learning_rate: job.spec.learning_rate,
        momentum: job.spec.momentum,
        seed: job.seed,
    };
    let result = neural::train_update(&job.spec.model, &base.unwrap(), data, training).unwrap();
    TrainedUpdate {
        delta: neural::bytes_of_weights(&result.delta),
        samples: result.samples,
        loss: result.loss as f32,
        accuracy: result.accuracy.map(|accuracy| accuracy as f32),
    }
}

/// Points of the plane in two classes, split by a line that every member sees another part of.
pub(super) fn tiny_data(seed: u64) -> Dataset {
    let mut rng = Rng::from_u64(seed + 100);
    let rows = 24 + usize::try_from(seed % 5).unwrap();
    let values: Vec<f32> = (0..rows * 2).map(|_| rng.uniform_f32() * 2.0 - 1.0).collect();
    let classes =
        values.chunks(2).map(|point| u32::from(point[0] + 0.5 * point[1] > 0.0)).collect();
    let names = vec!["below".to_owned(), "above".to_owned()];
    Dataset::from_parts(2, values, Labels::Classes(classes), names).unwrap()
}

/// A run over [`tiny_data`].
pub(super) fn tiny_run(rounds: u32, quorum: u32) -> RunSpec {
    RunSpec {
        name: "tiny".to_owned(),
        model: neural::Specification {
            inputs: Shape::Flat(2),
            layers: vec![Layer::dense(4, Activation::Tanh), Layer::dense(2, Activation::Softmax)],
            loss: Loss::CrossEntropy,
        },
        seed: 7,
        classes: vec!["below".to_owned(), "above".to_owned()],
        scaling: Scaling::identity(2),
        rounds,
        epochs: 2,
        batch: 8,
        learning_rate: 0.3,
        momentum: 0.0,
        quorum,
        updates_min: quorum.min(2),
        deadline_ms: 3_000,
        aggregation: None,
        server_momentum: None,
        compression: None,
        privacy: None,
        masking: None,
        worker_momentum: None,
        reference: None,
        commit_reveal: false,
    }
}
