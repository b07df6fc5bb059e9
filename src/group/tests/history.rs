//! What readers and writers saw, held against one copy that does everything at once: the tester
//! of linearizability of `stateright`, on the histories of random runs.

use std::collections::{BTreeMap, BTreeSet};

use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

use super::super::state::Mutant;
use super::super::*;
use super::cluster::{Cluster, Setup, author, quiet};
use super::{CONTROL_SEEDS, number};
use crate::rng::Rng;

/// Histories of the test of reads (count).
const HISTORIES: u64 = 300;
/// Requests in a history (count): the tester tries orders, and these are many.
const REQUESTS: u64 = 24;
/// Requests without an answer after which a history ends (count): each may have come true at any
/// time since, and the tester tries them all.
const LOST_MAX: u64 = 3;

/// One task, as if there were one copy of it and one request at a time.
#[derive(Clone, Debug, Default, PartialEq)]
struct Copy {
    task: Option<TaskState>,
    /// Its version, if anybody has seen it yet.
    version: Option<u64>,
    /// The last version that was seen; later ones are larger.
    last: u64,
}

/// What is asked of it, and by whom.
#[derive(Clone, Debug, PartialEq)]
enum Ask {
    Read,
    Change(AuthorId, Operation),
}

/// What the asker sees.
#[derive(Clone, Debug, PartialEq)]
enum See {
    Task(Option<(TaskState, u64)>),
    Change(Outcome),
}

type AuthorId = crate::identity::AuthorId;

impl SequentialSpec for Copy {
    type Op = Ask;
    type Ret = See;

    /// What a request does that never ended, if it does anything.
    fn invoke(&mut self, ask: &Ask) -> See {
        let Ask::Change(by, operation) = ask else { return See::Task(None) };
        let after = self.after(by, operation);
        if let Ok(state) = after {
            (self.task, self.version) = (Some(state), None);
        }
        See::Change(after.map(|_| 0))
    }

    fn is_valid_step(&mut self, ask: &Ask, see: &See) -> bool {
        match (ask, see) {
            (Ask::Read, See::Task(None)) => self.task.is_none(),
            (Ask::Read, See::Task(Some((state, version)))) => {
                self.task == Some(*state) && self.is_version(*version)
            }
            (Ask::Change(by, operation), See::Change(Ok(version))) => {
                let Ok(state) = self.after(by, operation) else { return false };
                let matches = Self::expected(operation).is_none_or(|seen| self.is_version(seen));
                (self.task, self.version) = (Some(state), None);
                matches && self.is_version(*version)
            }
            (Ask::Change(_, operation), See::Change(Err(Refusal::Version))) => {
                self.task.is_some()
                    && Self::expected(operation).is_some_and(|e| self.version != Some(e))
            }
            (Ask::Change(by, operation), See::Change(Err(refusal))) => {
                self.after(by, operation) == Err(*refusal)
            }
            _ => false,
        }
    }
}

impl Copy {
    /// Whether the version can be this one; from now on it is.
    fn is_version(&mut self, version: u64) -> bool {
        let is = self.version.map_or(version > self.last, |known| version == known);
        (self.version, self.last) = (Some(version), version);
        is
    }

    fn expected(operation: &Operation) -> Option<u64> {
        match operation {
            Operation::Take { version, .. }
            | Operation::Release { version, .. }
            | Operation::Done { version, .. } => *version,
            _ => None,
        }
    }

    /// The rules of tasks, written a second time, for a version that is the expected one.
    fn after(&self, by: &AuthorId, operation: &Operation) -> Result<TaskState, Refusal> {
        if let Operation::Assign { .. } = operation {
            return if self.task.is_some() { Err(Refusal::Exists) } else { Ok(TaskState::Open) };
        }
        let task = self.task.ok_or(Refusal::Unknown)?;
        let sure = Self::expected(operation).is_some();
        match (operation, task) {
            (Operation::Take { .. }, TaskState::Open) => Ok(TaskState::Taken(*by)),
            (Operation::Release { .. }, TaskState::Taken(holder)) if holder == *by || sure => {
                Ok(TaskState::Open)
            }
            (Operation::Done { .. }, TaskState::Taken(holder)) if holder == *by => {
                Ok(TaskState::Done(*by))
            }
            (_, TaskState::Taken(_)) => Err(Refusal::Holder),
            _ => Err(Refusal::State),
        }
    }
}

/// At each member a client that reads and one that changes ask for one thing at a time; one whose
/// request never ended becomes another client, because that request may still come true.
struct Clients {
    tester: LinearizabilityTester<u64, Copy>,
    /// What is not answered, by member and whether it is a read.
    waiting: BTreeMap<(u8, bool), u64>,
    asked: BTreeMap<u64, Ask>,
    next: u64,
    seen: usize,
    /// Requests of which nobody knows what became of them (count).
    lost: u64,
}

impl Clients {
    fn ask(&mut self, cluster: &mut Cluster, at: u8) {
        let (token, task) = (self.next + 1, "t".to_owned());
        let version = cluster.state(at).task("t").map(|task| task.version);
        let version = version.filter(|_| cluster.rng.below(2) == 0);
        let ask = match cluster.rng.below(10) {
            0 => Ask::Change(
                author(at),
                Operation::Assign { task, assignee: None, payload: Vec::new() },
            ),
            1..=3 => Ask::Change(author(at), Operation::Take { task, version }),
            4 | 5 => Ask::Change(author(at), Operation::Release { task, version }),
            _ => Ask::Read,
        };
        let client = (at, ask == Ask::Read);
        if self.waiting.contains_key(&client) || !cluster.runs(at) {
            return;
        }
        self.next = token;
        self.waiting.insert(client, token);
        self.asked.insert(token, ask.clone());
        self.tester.on_invoke(token, ask.clone()).expect("a new client");
        match ask {
            Ask::Read => cluster.step(at, Input::Read { token }),
            Ask::Change(_, operation) => cluster.propose(at, token, operation),
        }
        self.hear(cluster);
    }

    fn hear(&mut self, cluster: &Cluster) {
        for answer in &cluster.answers[self.seen..] {
            self.waiting.retain(|_, token| *token != answer.token);
            let see = match (&self.asked[&answer.token], &answer.result) {
                (Ask::Read, Ok(_)) => {
                    See::Task(answer.task.as_ref().map(|task| (task.state, task.version)))
                }
                (Ask::Change(..), Ok(outcome)) => See::Change(*outcome),
                (_, Err(_)) => {
                    self.lost += u64::from(self.asked[&answer.token] != Ask::Read);
                    continue;
                }
            };
            self.tester.on_return(answer.token, see).expect("it was asked");
        }
        self.seen = cluster.answers.len();
    }
}

/// Whether what clients saw in a run can be explained by one copy.
fn is_linearizable(seed: u64, mutant: Option<Mutant>) -> bool {
    let mut rng = Rng::from_u64_stream(seed, 3);
    let setup = Setup {
        loss: rng.below(6),
        doubled: rng.below(20),
        latency_ms: (1, 20 + rng.below(150)),
        disk_ms: 1 + rng.below(60),
        config: Config {
            election_ticks: 6 + rng.below(4),
            heartbeat_ticks: 2,
            retry_ticks: 3,
            deadline_ticks: 20,
            snapshot_entries: 6,
            keep_entries: 1,
        },
        mutant,
        ..quiet(if rng.below(2) == 0 { 3 } else { 5 })
    };
    let mut cluster = Cluster::new(setup, seed);
    cluster.run(3_000);
    // A tab in the background: a leader that is slow to notice that its time is over.
    if let Some(leader) = cluster.leader().filter(|_| rng.below(2) == 0) {
        cluster.members[usize::from(leader)].tick_ms = 600;
    }
    let tester = LinearizabilityTester::new(Copy::default());
    let (waiting, asked) = (BTreeMap::new(), BTreeMap::new());
    let mut clients = Clients { tester, waiting, asked, next: 0, seen: 0, lost: 0 };
    while clients.next < REQUESTS && clients.lost < LOST_MAX {
        let size = u32::from(cluster.size());
        let at = u8::try_from(cluster.rng.below(size)).unwrap();
        match cluster.rng.below(30) {
            0..=2 => {
                if let Some(leader) = cluster.leader() {
                    cluster.partition(&BTreeSet::from([leader]), true);
                }
            }
            3 => cluster.heal(),
            4 if cluster.runs(at) => {
                cluster.crash(at);
                clients.waiting.remove(&(at, true));
                clients.lost += u64::from(clients.waiting.remove(&(at, false)).is_some());
                cluster.start(at);
            }
            _ => clients.ask(&mut cluster, at),
        }
        let pause = u64::from(cluster.rng.below(250));
        cluster.run(pause);
        clients.hear(&cluster);
    }
    clients.tester.is_consistent()
}

#[test]
fn what_clients_see_is_as_if_there_were_one_copy() {
    let first = number("SEED", 0);
    for seed in first..first + number("HISTORIES", HISTORIES) {
        assert!(is_linearizable(seed, None), "SEED={seed}: no order explains what was seen");
    }
}

#[test]
fn reads_that_nobody_confirms_are_found_out() {
    for mutant in [Mutant::ReadsAtOnce, Mutant::TrustsItself] {
        let found = (0..number("CONTROL_SEEDS", CONTROL_SEEDS))
            .find(|seed| !is_linearizable(*seed, Some(mutant)));
        assert!(found.is_some(), "{mutant:?} is never seen");
    }
}
