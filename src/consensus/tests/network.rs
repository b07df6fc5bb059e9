//! Engines on a seeded clock and network, some of them Byzantine.
//!
//! Everything said reaches everybody in the end, as in a history that is synchronised: a lost
//! message is a very late one. Virtual time; the same seed gives the same run.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::clock::Now;
use crate::consensus::state::Mutant;
use crate::consensus::{Committee, Config, Input, Item, Output, Record, State};
use crate::crypto::hash::Digest;
use crate::dag::vote::{Block, ConflictKey, Cut, Decision, ItemId, Locked, Seats, Vote, Votes};
use crate::dag::{Citation, VertexId};
use crate::identity::{AuthorId, NetworkId};
use crate::ledger::{self, Operation};
use crate::rng::Rng;
use crate::units::MicroCredits;

pub(super) const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);

/// What a run is made of.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    /// By place; 0 for who is no member.
    pub(super) weights: Vec<u32>,
    /// Weights in the next epoch, if there is one.
    pub(super) next: Option<Vec<u32>>,
    /// Places of Byzantine members.
    pub(super) byzantine: BTreeSet<usize>,
    /// What these do, as bits: 1 vote for everything, 2 report everything, 4 lead and enter
    /// views as it suits them, 8 put forward cuts that are none, 16 lead each slot and put nothing
    /// forward, in later views in the name of who led before, 32 the same, but decide first what
    /// is asked for. None of it: they are silent.
    pub(super) schemes: u32,
    /// Shortest and longest time of a message, milliseconds.
    pub(super) delay_ms: (u32, u32),
    /// One message in so many takes up to this many milliseconds.
    pub(super) tail: (u32, u32),
    /// Until when messages between the two halves wait; 0 for no partition.
    pub(super) healed_ms: u64,
    pub(super) mutant: Option<Mutant>,
    pub(super) config: Config,
    /// What the genesis gives to wallets 0, 1, ...
    pub(super) wallets: Vec<u64>,
}

enum Event {
    Record(usize, Rc<Record>),
    Wake(usize),
}

pub(super) struct Network {
    rng: Rng,
    pub(super) setup: Setup,
    pub(super) engines: Vec<State>,
    events: BTreeMap<(u64, u64), Event>,
    wakes: Vec<u64>,
    pub(super) now_ms: u64,
    names: u64,
    /// Who decided what when.
    pub(super) decided_ms: Vec<BTreeMap<ConflictKey, (ItemId, u64)>>,
    pub(super) violations: Vec<String>,
    /// Everything that was said, as folded by nobody in particular.
    pub(super) log: Vec<Rc<Record>>,
    /// What Byzantine members know.
    blocks: Vec<Block>,
    candidates: Vec<Item>,
    /// Slots that they led with nothing.
    passed: BTreeSet<(usize, u64, u32)>,
    pub(super) messages: u64,
    /// The last epoch that somebody voted in.
    epoch: u64,
}

pub(super) fn author(place: usize) -> AuthorId {
    let mut bytes = [0; 32];
    bytes[0] = u8::try_from(place).unwrap();
    AuthorId::from_bytes(bytes)
}

/// Somebody with credits and names, who is no member.
pub(super) fn wallet(number: usize) -> AuthorId {
    author(100 + number)
}

/// What these balances make.
pub(super) fn minted(wallets: &[u64]) -> ledger::State {
    let balances = wallets.iter().enumerate().map(|(number, sum)| (wallet(number), *sum));
    let balances = balances.map(|(author, sum)| (author, MicroCredits(sum))).collect();
    ledger::State::new(&ledger::Genesis { balances }).unwrap()
}

pub(super) fn committee(weights: &[u32]) -> Committee {
    Committee::new(0, seats(0, weights).members).unwrap()
}

pub(super) fn seats(epoch: u64, weights: &[u32]) -> Seats {
    let members = weights.iter().enumerate().map(|(place, weight)| (author(place), *weight));
    Seats { epoch, members: members.filter(|(_, weight)| *weight > 0).collect() }
}

/// What a vertex says; its place in the graph is of no consequence here.
pub(super) fn record(
    id: VertexId,
    author: AuthorId,
    items: Vec<Item>,
    votes: Vec<Votes>,
) -> Record {
    Record { id, author, seq: 0, lamport: 1, items, votes }
}

pub(super) fn vertex_id(number: u64) -> VertexId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    VertexId(Digest(bytes))
}

pub(super) fn key(name: &str) -> ConflictKey {
    ConflictKey::derive("test", &[name.as_bytes()])
}

impl Network {
    pub(super) fn new(setup: Setup, seed: u64) -> Self {
        let count = setup.weights.len();
        let engine = |place: usize| {
            let committee = Some(committee(&setup.weights));
            let ledger = minted(&setup.wallets);
            let mut state = State::new(setup.config, NETWORK, committee, author(place), ledger);
            if let Some(mutant) = setup.mutant {
                state.mutate(mutant);
            }
            state
        };
        Self {
            rng: Rng::from_u64(seed),
            engines: (0..count).map(engine).collect(),
            events: BTreeMap::new(),
            wakes: vec![u64::MAX; count],
            now_ms: 0,
            names: 0,
            decided_ms: vec![BTreeMap::new(); count],
            violations: Vec::new(),
            log: Vec::new(),
            blocks: Vec::new(),
            candidates: Vec::new(),
            passed: BTreeSet::new(),
            messages: 0,
            epoch: 0,
            setup,
        }
    }

    pub(super) fn honest(&self) -> Vec<usize> {
        (0..self.engines.len()).filter(|place| !self.setup.byzantine.contains(place)).collect()
    }

    fn name(&mut self) -> VertexId {
        self.names += 1;
        vertex_id(self.names)
    }

    /// An outsider writes an item with these keys; `None` is at once for everybody.
    pub(super) fn submit(&mut self, keys: &[ConflictKey], first_at: Option<usize>) -> ItemId {
        let vertex = self.name();
        self.write(vertex, author(200), keys, None, first_at)
    }

    /// A wallet writes an operation; `None` is at once for everybody.
    pub(super) fn operate(
        &mut self,
        by: usize,
        operation: Operation,
        first_at: Option<usize>,
    ) -> ItemId {
        let vertex = self.name();
        let keys = operation.keys(&wallet(by), &ItemId(vertex, 0));
        self.write(vertex, wallet(by), &keys, Some(operation), first_at)
    }

    fn write(
        &mut self,
        vertex: VertexId,
        author: AuthorId,
        keys: &[ConflictKey],
        operation: Option<Operation>,
        first_at: Option<usize>,
    ) -> ItemId {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        let item = Item { id: ItemId(vertex, 0), author, keys, seats: None, operation };
        self.candidates.push(item.clone());
        let record = record(vertex, author, vec![item], vec![]);
        let record = Rc::new(record);
        self.log.push(record.clone());
        for place in 0..self.engines.len() {
            let delay_ms = match first_at {
                None => self.delay_ms(0, 0),
                Some(first) if first == place => 0,
                Some(first) => self.delay_ms(first, place),
            };
            self.post(delay_ms, Event::Record(place, record.clone()));
        }
        ItemId(vertex, 0)
    }

    /// Every member asks for the committee of the next epoch.
    pub(super) fn submit_next(&mut self) {
        let Some(weights) = self.setup.next.clone() else { return };
        let next = seats(1, &weights);
        for place in 0..self.engines.len() {
            let id = self.name();
            let keys = vec![ConflictKey::derive("epoch", &[&next.epoch.to_be_bytes()])];
            let seats = Some(next.clone());
            let (id, author) = (ItemId(id, 0), author(place));
            let item = Item { id, author, keys, seats, operation: None };
            self.publish(place, record(item.id.0, author, vec![item], vec![]));
        }
    }

    fn post(&mut self, delay_ms: u64, event: Event) {
        self.names += 1;
        self.events.insert((self.now_ms + delay_ms, self.names), event);
    }

    fn delay_ms(&mut self, from: usize, to: usize) -> u64 {
        let (least, most) = self.setup.delay_ms;
        let mut delay_ms = u64::from(least + self.rng.below(most - least + 1));
        let (one_in, tail_ms) = self.setup.tail;
        if one_in > 0 && self.rng.below(one_in) == 0 {
            delay_ms += u64::from(self.rng.below(tail_ms));
        }
        let apart = from % 2 != to % 2 && self.now_ms < self.setup.healed_ms;
        if apart { delay_ms + self.setup.healed_ms - self.now_ms } else { delay_ms }
    }

    /// Runs until this time, or until nothing happens any more.
    pub(super) fn run(&mut self, until_ms: u64) {
        while let Some(((at, _), event)) = self.events.pop_first() {
            if at > until_ms {
                self.post(at.saturating_sub(self.now_ms), event);
                break;
            }
            self.now_ms = at;
            match event {
                Event::Record(place, record) => self.deliver(place, &record),
                Event::Wake(place) => {
                    if self.wakes[place] == at {
                        self.wakes[place] = u64::MAX;
                    }
                    self.step(place, Input::Tick);
                }
            }
        }
    }

    fn deliver(&mut self, place: usize, record: &Rc<Record>) {
        self.messages += 1;
        if self.setup.byzantine.contains(&place) {
            return self.scheme(place, record);
        }
        self.step(place, Input::Record((**record).clone()));
    }

    fn step(&mut self, place: usize, input: Input) {
        let now = Now { mono_ms: self.now_ms, unix_ms: 0 };
        let mut out = Vec::new();
        self.engines[place].handle(now, input, &mut out);
        let mut votes: BTreeMap<u64, Vec<Vote>> = BTreeMap::new();
        let certified = self.engines[place].last_checkpoint().map(|last| last.state_root);
        if certified.is_some_and(|root| root != self.engines[place].certified().root()) {
            self.violations.push(format!("the last checkpoint of {place} has another root"));
        }
        for output in out {
            match output {
                Output::Vote { epoch, vote } => votes.entry(epoch).or_default().push(vote),
                Output::Decided(Decision(key, item)) => self.decided(place, key, item),
                Output::Contradiction { .. } => self.violations.push(format!("{output:?}")),
                Output::WakeAt(at) if at < self.wakes[place] => {
                    self.wakes[place] = at;
                    self.post(at - self.now_ms, Event::Wake(place));
                }
                _ => {}
            }
        }
        if !votes.is_empty() {
            let votes = votes.into_iter().map(|(epoch, votes)| Votes { epoch, votes }).collect();
            let (id, author) = (self.name(), author(place));
            self.publish(place, record(id, author, vec![], votes));
        }
    }

    /// What a member wrote: to itself when it is stored, to the others over the wire.
    fn publish(&mut self, place: usize, record: Record) {
        self.epoch = record.votes.iter().map(|votes| votes.epoch).fold(self.epoch, u64::max);
        let record = Rc::new(record);
        self.log.push(record.clone());
        for to in 0..self.engines.len() {
            let delay_ms = if to == place { 0 } else { self.delay_ms(place, to) };
            self.post(delay_ms, Event::Record(to, record.clone()));
        }
    }

    fn decided(&mut self, place: usize, key: ConflictKey, item: ItemId) {
        for other in self.honest() {
            if let Some((theirs, _)) = self.decided_ms[other].get(&key)
                && *theirs != item
            {
                self.violations.push(format!("{place} and {other} differ on {key:?}"));
            }
        }
        self.decided_ms[place].insert(key, (item, self.now_ms));
    }

    /// What a Byzantine member says on hearing something: it supports everything, shows and hides
    /// certificates at will, and as a leader puts different blocks forward to different members.
    fn scheme(&mut self, place: usize, record: &Record) {
        if record.author == author(place) {
            return;
        }
        let does = |scheme: u32| self.setup.schemes & scheme != 0;
        let (votes, reports, leads, forges) = (does(1), does(2), does(4), does(8));
        let (passes, rests) = (does(16), does(32));
        for item in &record.items {
            for key in &item.keys {
                let lock = Vote::Lock(Decision(*key, item.id));
                let commit = Vote::Commit(Decision(*key, item.id));
                if votes {
                    self.whisper(place, vec![lock, commit]);
                }
                let shown = (self.rng.below(2) == 0).then_some(item.id);
                if reports {
                    self.whisper(place, vec![Vote::Contested(*key, shown)]);
                }
            }
        }
        for vote in record.votes.iter().flat_map(|votes| &votes.votes) {
            if let (Vote::Commit(decision), true) = (vote, forges) {
                self.forge(place, *decision, record.citation());
            }
            match vote {
                // When some may have decided and others not.
                Vote::Contested(key, _) | Vote::Commit(Decision(key, _)) if leads => {
                    self.split(place, *key);
                }
                Vote::Propose(view, block) => {
                    self.blocks.push(block.clone());
                    let (slot, view, id) = (block.slot, *view, block.id());
                    let lock = Vote::LockBlock(slot, view, id);
                    if votes {
                        self.whisper(place, vec![lock, Vote::CommitBlock(slot, view, id)]);
                    }
                }
                // At the end of an epoch it names less than it knows, or more.
                Vote::Close(list) if votes => {
                    let some = list.iter().filter(|_| self.rng.below(2) == 0).copied().collect();
                    self.whisper(place, vec![Vote::Close(some)]);
                }
                Vote::Enter(slot, view, shown) if leads => {
                    self.usurp(place, *slot, *view, *shown);
                }
                Vote::Contested(..) if passes => self.pass_over(place, 0, 0, vec![]),
                Vote::Contested(key, _) if rests => {
                    let claims = self.candidates.iter().find(|item| item.keys.contains(key));
                    let items = claims.map(|item| item.id).into_iter().collect();
                    self.pass_over(place, 0, 0, items);
                }
                Vote::CommitBlock(slot, ..) if passes || rests => {
                    self.pass_over(place, *slot + 1, 0, vec![]);
                }
                Vote::Enter(slot, view, _) if passes => {
                    self.pass_over(place, *slot, *view, vec![]);
                }
                _ => {}
            }
        }
    }

    /// As if it led view 0 of the slot: each half gets a block with another item.
    fn split(&mut self, place: usize, key: ConflictKey) {
        if self.rng.below(3) > 0 {
            return;
        }
        let claims = self.candidates.iter().filter(|item| item.keys.contains(&key));
        let claims: Vec<ItemId> = claims.map(|item| item.id).collect();
        let slot = u64::from(self.rng.below(4) == 0);
        for item in claims {
            let proposer = author(place);
            let block =
                Block { slot, view: 0, proposer, items: vec![item], cut: None, closers: vec![] };
            self.back(place, 0, block);
        }
    }

    /// As if it led the view of the slot: a block with nothing else, to everybody at once; in a
    /// later view as if the leader of the first one had made it.
    fn pass_over(&mut self, place: usize, slot: u64, view: u32, items: Vec<ItemId>) {
        if !self.passed.insert((place, slot, view)) {
            return;
        }
        let first = place.saturating_sub(usize::try_from(view).unwrap());
        let proposer = author(first);
        let block = Block { slot, view: 0, proposer, items, cut: None, closers: vec![] };
        let id = block.id();
        let said = vec![
            Vote::Propose(view, block),
            Vote::LockBlock(slot, view, id),
            Vote::CommitBlock(slot, view, id),
        ];
        let votes = vec![Votes { epoch: self.epoch, votes: said }];
        let (id, author) = (self.name(), author(place));
        self.publish(place, record(id, author, vec![], votes));
    }

    /// As if it led view 0: a checkpoint of this decision alone, whatever it builds on, and as
    /// often as not with a state that it does not lead to.
    fn forge(&mut self, place: usize, decision: Decision, seen: Citation) {
        let (decisions, frontier) = (vec![decision], vec![seen]);
        let honest = &self.engines[self.honest()[0]];
        let state_root = match self.rng.below(2) {
            0 => [0xbd; 32],
            _ => honest.books.after(&decisions, &honest.items).root(),
        };
        let cut = Some(Cut { decisions, frontier, state_root });
        let (slot, proposer) = (u64::from(self.rng.below(3)), author(place));
        let block = Block { slot, view: 0, proposer, items: vec![], cut, closers: vec![] };
        self.back(place, 0, block);
    }

    /// On hearing of a later view: as if it led there, with any block, old or new.
    fn usurp(&mut self, place: usize, slot: u64, view: u32, shown: Option<Locked>) {
        let hidden = if self.rng.below(2) == 0 { None } else { shown };
        self.whisper(place, vec![Vote::Enter(slot, view, hidden)]);
        let mut blocks: Vec<Block> =
            self.blocks.iter().filter(|b| b.slot == slot).cloned().collect();
        for item in self.candidates.clone() {
            let proposer = author(place);
            blocks.push(Block {
                slot,
                view,
                proposer,
                items: vec![item.id],
                cut: None,
                closers: vec![],
            });
        }
        self.rng.shuffle(&mut blocks);
        for block in blocks.into_iter().take(2) {
            self.back(place, view, block);
        }
    }

    /// Puts a block forward in a view and votes for it in every way.
    fn back(&mut self, place: usize, view: u32, block: Block) {
        let (slot, id) = (block.slot, block.id());
        let lock = Vote::LockBlock(slot, view, id);
        let commit = Vote::CommitBlock(slot, view, id);
        self.blocks.push(block.clone());
        self.whisper(place, vec![Vote::Propose(view, block), lock, commit]);
    }

    /// Says something to some at once, to the others much later.
    fn whisper(&mut self, place: usize, votes: Vec<Vote>) {
        let epoch = self.epoch - self.epoch.min(u64::from(self.rng.below(2)));
        let votes = vec![Votes { epoch, votes }];
        let record = record(self.name(), author(place), vec![], votes);
        let record = Rc::new(record);
        self.log.push(record.clone());
        for to in self.honest() {
            let mut delay_ms = self.delay_ms(place, to);
            if self.rng.below(2) == 0 {
                delay_ms += u64::from(self.rng.below(1_500));
            }
            self.post(delay_ms, Event::Record(to, record.clone()));
        }
    }
}
