//! A group on a seeded clock, network and disks, watched at every step.
//!
//! Messages go through their encoding. A crash loses what was not yet written, and may or may not
//! lose the write under way. The watcher knows every entry that anybody ever took for committed.

use std::collections::{BTreeMap, BTreeSet};

use super::super::election::Role;
use super::super::state::Mutant;
use super::super::*;
use crate::crypto::hash::Digest;
use crate::identity::{AuthorId, NetworkId};
use crate::rng::Rng;

/// What a run is like.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) members: u8,
    /// Authors that are no members at first.
    pub(super) spares: u8,
    /// Messages lost, of 100.
    pub(super) loss: u32,
    /// Messages that come twice, of 100.
    pub(super) doubled: u32,
    /// Shortest and longest way of a message, milliseconds; one of ten takes five times as long.
    pub(super) latency_ms: (u32, u32),
    /// Longest time of a write, milliseconds.
    pub(super) disk_ms: u32,
    pub(super) config: Config,
    pub(super) mutant: Option<Mutant>,
}

/// One author: its engine while it runs, and its disk.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) state: Option<State>,
    disk: BTreeMap<String, Vec<u8>>,
    /// The write under way.
    writing: Option<Write>,
    lives: u64,
    /// Milliseconds between two ticks: clocks differ.
    pub(super) tick_ms: u64,
}

#[derive(Debug)]
enum Event {
    Tick { at: u8, life: u64 },
    Deliver { from: u8, to: u8, bytes: Vec<u8> },
    Written { at: u8, life: u64, number: u64 },
}

/// An answer, as the one who asked sees it.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) at: u8,
    pub(super) token: u64,
    pub(super) result: Result<Outcome, Error>,
    /// The task `t` as this member saw it in that moment.
    pub(super) task: Option<Task>,
}

pub(super) struct Cluster {
    pub(super) setup: Setup,
    pub(super) genesis: Genesis,
    pub(super) members: Vec<Member>,
    pub(super) now_ms: u64,
    pub(super) rng: Rng,
    events: BTreeMap<(u64, u64), Event>,
    count: u64,
    /// Pairs that cannot hear each other, in this direction.
    pub(super) cut: BTreeSet<(u8, u8)>,
    pub(super) answers: Vec<Answer>,
    watcher: Watcher,
}

/// What must never be otherwise.
#[derive(Default)]
struct Watcher {
    leaders: BTreeMap<u64, u8>,
    committed: BTreeMap<u64, Entry>,
    states: BTreeMap<u64, Digest>,
    broken: Option<String>,
}

pub(super) fn author(place: u8) -> AuthorId {
    AuthorId::from_bytes([place; 32])
}

fn place(author: &AuthorId) -> u8 {
    author.as_bytes()[0]
}

/// A good network and good disks.
pub(super) fn quiet(members: u8) -> Setup {
    Setup {
        members,
        spares: 0,
        loss: 0,
        doubled: 0,
        latency_ms: (5, 20),
        disk_ms: 5,
        config: Config { election_ticks: 10, ..Config::default() },
        mutant: None,
    }
}

impl Cluster {
    pub(super) fn new(setup: Setup, seed: u64) -> Self {
        let mut rng = Rng::from_u64_stream(seed, 1);
        let network = NetworkId::from_bytes([7; 32]);
        let founders = (0..setup.members).map(author).collect();
        let genesis = Genesis::new(network, "work", founders, &mut rng).unwrap();
        let (name, bytes) = genesis_record(&genesis);
        let mut cluster = Self {
            members: (0..setup.members + setup.spares)
                .map(|_| Member {
                    state: None,
                    disk: BTreeMap::from([(name.clone(), bytes.clone())]),
                    writing: None,
                    lives: 0,
                    tick_ms: 70 + u64::from(rng.below(80)),
                })
                .collect(),
            setup,
            genesis,
            now_ms: 0,
            rng,
            events: BTreeMap::new(),
            count: 0,
            cut: BTreeSet::new(),
            answers: Vec::new(),
            watcher: Watcher::default(),
        };
        (0..cluster.size()).for_each(|at| cluster.start(at));
        cluster
    }

    pub(super) fn size(&self) -> u8 {
        u8::try_from(self.members.len()).unwrap()
    }

    pub(super) fn state(&self, at: u8) -> &State {
        self.members[usize::from(at)].state.as_ref().expect("it runs")
    }

    pub(super) fn runs(&self, at: u8) -> bool {
        self.members[usize::from(at)].state.is_some()
    }

    /// Whether this author runs, and has not begun anew.
    fn lives(&self, at: u8, life: u64) -> bool {
        self.runs(at) && self.members[usize::from(at)].lives == life
    }

    /// Begins a life of this author with what its disk has.
    pub(super) fn start(&mut self, at: u8) {
        let (seed, mutant) = (self.rng.next_u64(), self.setup.mutant);
        let config = self.setup.config;
        let member = &mut self.members[usize::from(at)];
        let disk: Vec<_> =
            member.disk.iter().map(|(n, bytes)| (n.clone(), bytes.clone())).collect();
        let stored = Stored::restore(&disk).expect("a disk can be read").remove(0);
        let mut state = State::new(config, stored, author(at), Rng::from_u64(seed));
        state.mutant = mutant;
        member.state = Some(state);
        member.lives += 1;
        let (life, tick_ms) = (member.lives, member.tick_ms);
        self.later(tick_ms % 40 + tick_ms, Event::Tick { at, life });
    }

    /// Ends it. Of the write under way all is there afterwards, or nothing.
    pub(super) fn crash(&mut self, at: u8) {
        let lucky = self.rng.below(2) == 0;
        let group = self.genesis.id();
        let member = &mut self.members[usize::from(at)];
        member.state = None;
        if let Some(write) = member.writing.take().filter(|_| lucky) {
            member.disk.extend(write.records(&group));
        }
    }

    /// Cuts the members in two parts, or only in one direction.
    pub(super) fn partition(&mut self, side: &BTreeSet<u8>, both_ways: bool) {
        let all: Vec<u8> = (0..self.size()).collect();
        for (from, to) in all.iter().flat_map(|from| all.iter().map(move |to| (*from, *to))) {
            let leaves = side.contains(&from) && !side.contains(&to);
            let enters = !side.contains(&from) && side.contains(&to);
            if leaves || (both_ways && enters) {
                self.cut.insert((from, to));
            }
        }
    }

    pub(super) fn heal(&mut self) {
        self.cut.clear();
    }

    fn later(&mut self, after_ms: u64, event: Event) {
        self.count += 1;
        self.events.insert((self.now_ms + after_ms, self.count), event);
    }

    /// Lets time pass; ends at once when something is broken.
    pub(super) fn run(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while self.broken().is_none()
            && let Some((at, _)) = self.events.first_key_value()
            && at.0 <= until
        {
            let ((now_ms, _), event) = self.events.pop_first().expect("it is there");
            self.now_ms = now_ms;
            self.happen(event);
        }
        self.now_ms = until;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Tick { at, life } if self.lives(at, life) => {
                self.step(at, Input::Tick);
                self.later(self.members[usize::from(at)].tick_ms, Event::Tick { at, life });
            }
            Event::Written { at, life, number } => {
                let group = self.genesis.id();
                let member = &mut self.members[usize::from(at)];
                if member.lives == life
                    && let Some(write) = member.writing.take()
                {
                    assert_eq!(write.number, number);
                    member.disk.extend(write.records(&group));
                    self.step(at, Input::Persisted(number));
                }
            }
            Event::Deliver { from, to, bytes } if self.runs(to) => {
                let packet = Packet::decode(&bytes).expect("what a member says can be read");
                let Packet::Message { message, .. } = packet else { return };
                self.step(to, Input::Message { from: author(from), message });
            }
            _ => {}
        }
    }

    pub(super) fn step(&mut self, at: u8, input: Input) {
        let mut out = Vec::new();
        let Some(state) = &mut self.members[usize::from(at)].state else { return };
        state.handle(input, &mut out);
        for output in out {
            match output {
                Output::Persist(write) => {
                    let (number, life) = (write.number, self.members[usize::from(at)].lives);
                    assert!(self.members[usize::from(at)].writing.is_none(), "one at a time");
                    self.members[usize::from(at)].writing = Some(write);
                    let after = 1 + u64::from(self.rng.below(self.setup.disk_ms.max(1)));
                    self.later(after, Event::Written { at, life, number });
                }
                Output::Send { to, message } => self.send(at, place(&to), message),
                Output::Answered { token, result } => {
                    let task = self.state(at).task("t").cloned();
                    self.answers.push(Answer { at, token, result, task });
                }
                Output::Changed => {}
            }
        }
        self.watch(at);
    }

    fn send(&mut self, from: u8, to: u8, message: Message) {
        assert_ne!(from, to);
        if self.cut.contains(&(from, to)) || self.rng.below(100) < self.setup.loss {
            return;
        }
        let bytes = Packet::new(&self.genesis, message).encode();
        let copies = 1 + u32::from(self.rng.below(100) < self.setup.doubled);
        for _ in 0..copies {
            let (least, most) = self.setup.latency_ms;
            let slow = if self.rng.below(10) == 0 { 5 } else { 1 };
            let after = u64::from(slow * (least + self.rng.below(most - least + 1)));
            self.later(after, Event::Deliver { from, to, bytes: bytes.clone() });
        }
    }

    /// Who leads in the latest term in which somebody does.
    pub(super) fn leader(&self) -> Option<u8> {
        let leads = |at: &u8| self.runs(*at) && self.state(*at).status().role == "leader";
        (0..self.size()).filter(leads).max_by_key(|at| self.state(*at).term)
    }

    pub(super) fn propose(&mut self, at: u8, token: u64, operation: Operation) {
        self.step(at, Input::Propose { token, operation });
    }

    pub(super) fn assign(&mut self, at: u8, token: u64, task: &str) {
        let operation =
            Operation::Assign { task: task.to_owned(), assignee: None, payload: vec![1, 2, 3] };
        self.propose(at, token, operation);
    }

    pub(super) fn answer(&self, token: u64) -> Option<&Result<Outcome, Error>> {
        self.answers.iter().find(|answer| answer.token == token).map(|answer| &answer.result)
    }

    pub(super) fn broken(&self) -> Option<&str> {
        self.watcher.broken.as_deref()
    }

    pub(super) fn committed(&self) -> &BTreeMap<u64, Entry> {
        &self.watcher.committed
    }

    // ---- the watcher --------------------------------------------------------------------------

    fn watch(&mut self, at: u8) {
        let state = self.members[usize::from(at)].state.as_ref().expect("it runs");
        let watcher = &mut self.watcher;
        let leads = matches!(state.role, Role::Leader(_));
        // Election safety, and completeness of every leader's log.
        if leads && watcher.leaders.insert(state.term, at).is_none() {
            let incomplete = watcher
                .committed
                .values()
                .find(|entry| entry.at.index > state.log.base().index && !state.log.has(entry.at));
            if let Some(entry) = incomplete {
                watcher.broken = Some(format!("leader {at} lacks {:?}", entry.at));
            }
        }
        if leads && watcher.leaders.get(&state.term) != Some(&at) {
            watcher.broken = Some(format!("two leaders of term {}", state.term));
        }
        // Nobody takes anything else for committed than anybody else.
        let from = state.log.base().index + 1;
        for index in from..=state.commit {
            let Some(entry) = state.log.get(index) else {
                watcher.broken = Some(format!("{at} committed {index} and does not have it"));
                break;
            };
            if watcher.committed.entry(index).or_insert_with(|| entry.clone()) != entry {
                watcher.broken = Some(format!("{index} is committed twice"));
            }
        }
        let applied = state.machine.applied.index;
        let digest = Digest::of(&state.machine.encode());
        if *watcher.states.entry(applied).or_insert(digest) != digest {
            watcher.broken = Some(format!("two states at {applied}"));
        }
    }

    /// Log matching: two logs with the same place have the same entries up to it.
    pub(super) fn logs_match(&self) -> bool {
        let running: Vec<&State> = self.members.iter().filter_map(|m| m.state.as_ref()).collect();
        running.iter().all(|left| {
            running.iter().all(|right| {
                let low = left.log.base().index.max(right.log.base().index);
                let high = left.log.last().index.min(right.log.last().index);
                let same = |index: &u64| left.log.at(*index) == right.log.at(*index);
                let Some(top) = (low..=high).rev().find(same) else { return true };
                (low + 1..=top).all(|index| left.log.get(index) == right.log.get(index))
            })
        })
    }
}
