//! Random faults: crashes that forget, cuts, losses, doubles, detours, changes of the members.
//!
//! The watcher holds election safety, log matching, leader completeness and state machine safety
//! (Figure 3 of the paper) at every step. Each way to break a rule has to be found.

use std::collections::{BTreeMap, BTreeSet};

use super::super::machine::Machine;
use super::super::state::Mutant;
use super::super::*;
use super::cluster::{Cluster, Setup, author};
use super::{CONTROL_SEEDS, SCENARIOS, number};
use crate::rng::Rng;

/// Rounds of faults in a run (count), of a second or two each.
const ROUNDS: u32 = 16;

/// What goes wrong in a run of this seed.
fn setup(seed: u64, mutant: Option<Mutant>) -> Setup {
    let mut rng = Rng::from_u64_stream(seed, 2);
    let members = [3, 3, 4, 5][usize::try_from(rng.below(4)).unwrap()];
    let longest = 20 + rng.below(150);
    Setup {
        members,
        spares: u8::try_from(rng.below(3)).unwrap(),
        loss: [0, 2, 20][usize::try_from(rng.below(3)).unwrap()],
        doubled: rng.below(20),
        latency_ms: (1, longest),
        disk_ms: [5, 60, 300][usize::try_from(rng.below(3)).unwrap()],
        config: Config {
            election_ticks: 6 + rng.below(6),
            heartbeat_ticks: 2,
            retry_ticks: 3,
            deadline_ticks: 30,
            snapshot_entries: 6,
            keep_entries: u64::from(rng.below(4)),
        },
        mutant,
    }
}

/// What clients were told, by the entry that it is about.
type Told = BTreeMap<u64, Operation>;

/// Members crash, are cut off and come back, while everybody asks for changes.
fn faults(seed: u64, mutant: Option<Mutant>) -> Result<(), String> {
    let mut cluster = Cluster::new(setup(seed, mutant), seed);
    let (mut asked, mut token) = (BTreeMap::new(), 0);
    cluster.run(2_000);
    for _ in 0..ROUNDS {
        disturb(&mut cluster);
        for _ in 0..cluster.rng.below(6) {
            let size = u32::from(cluster.size());
            let at = u8::try_from(cluster.rng.below(size)).unwrap();
            token += 1;
            if cluster.runs(at) {
                let operation = change(&mut cluster, at, token);
                asked.insert(token, operation.clone());
                cluster.propose(at, token, operation);
            }
            let longest = [20, 100, 500][usize::try_from(cluster.rng.below(3)).unwrap()];
            let pause = u64::from(cluster.rng.below(longest));
            cluster.run(pause);
            check(&cluster)?;
        }
    }
    cluster.heal();
    (cluster.setup.loss, cluster.setup.doubled) = (0, 0);
    (0..cluster.size())
        .filter(|at| !cluster.runs(*at))
        .collect::<Vec<_>>()
        .into_iter()
        .for_each(|at| cluster.start(at));
    cluster.run(15_000);
    check(&cluster)?;
    let told = told(&cluster, &asked);
    ends_well(&mut cluster, &told)
}

fn disturb(cluster: &mut Cluster) {
    let size = u32::from(cluster.size());
    let at = u8::try_from(cluster.rng.below(size)).unwrap();
    match cluster.rng.below(8) {
        0 | 1 if cluster.runs(at) => {
            cluster.crash(at);
            if cluster.rng.below(2) == 0 {
                cluster.start(at);
            }
        }
        2 => {
            // All at once: what nobody has on disk is gone.
            (0..cluster.size()).for_each(|at| cluster.crash(at));
            (0..cluster.size()).for_each(|at| cluster.start(at));
        }
        3 => cluster.heal(),
        4 => {
            let cluster_size = cluster.size();
            let mut chosen = |_: &u8| cluster.rng.below(2) == 0;
            let part: BTreeSet<u8> = (0..cluster_size).filter(&mut chosen).collect();
            let both_ways = cluster.rng.below(3) > 0;
            cluster.partition(&part, both_ways);
        }
        5 => {
            if let Some(leader) = cluster.leader() {
                cluster.partition(&BTreeSet::from([leader]), true);
            }
        }
        6 => {
            if let Some(leader) = cluster.leader() {
                cluster.step(leader, Input::Transfer(author(at)));
            }
        }
        _ => {
            for at in 0..cluster.size() {
                if !cluster.runs(at) {
                    cluster.start(at);
                }
            }
        }
    }
}

fn change(cluster: &mut Cluster, at: u8, token: u64) -> Operation {
    let membership = cluster.state(at).membership();
    let (version, count) = (membership.version, membership.members.len());
    let size = u32::from(cluster.size());
    let other = u8::try_from(cluster.rng.below(size)).unwrap();
    let task = format!("task {}", cluster.rng.below(12));
    match cluster.rng.below(9) {
        0 if cluster.setup.spares > 0 => Operation::Add { member: author(other), version },
        1 if count > 3 => Operation::Remove { member: author(other), version },
        2 | 3 => Operation::Take { task, version: None },
        4 => Operation::Release { task, version: None },
        5 => Operation::Done { task, version: None },
        _ => Operation::Assign { task, assignee: None, payload: token.to_be_bytes().to_vec() },
    }
}

fn check(cluster: &Cluster) -> Result<(), String> {
    if let Some(broken) = cluster.broken() {
        return Err(broken.to_owned());
    }
    if cluster.logs_match() { Ok(()) } else { Err("two logs do not match".to_owned()) }
}

fn told(cluster: &Cluster, asked: &BTreeMap<u64, Operation>) -> Told {
    let done = cluster.answers.iter().filter_map(|answer| match &answer.result {
        Ok(Ok(version)) => Some((*version, asked[&answer.token].clone())),
        _ => None,
    });
    done.collect()
}

/// Everything that was acknowledged is in the log, and the group works.
fn ends_well(cluster: &mut Cluster, told: &Told) -> Result<(), String> {
    for (version, operation) in told {
        let entry = cluster.committed().get(version);
        let kept = entry.and_then(|entry| entry.request.as_ref()).map(|r| &r.operation);
        if kept != Some(operation) {
            return Err(format!("{operation:?} was acknowledged as {version} and is {kept:?}"));
        }
    }
    let Some(leader) = cluster.leader() else { return Err("no leader in the end".to_owned()) };
    cluster.assign(leader, u64::MAX, "the end");
    cluster.run(5_000);
    if !matches!(cluster.answer(u64::MAX), Some(Ok(_))) {
        return Err(format!("no progress in the end: {:?}", cluster.answer(u64::MAX)));
    }
    check(cluster)?;
    let tasks = |at: u8| cluster.state(at).tasks().cloned().collect::<Vec<_>>();
    for member in &cluster.state(leader).membership().members.clone() {
        let at = member.as_bytes()[0];
        if tasks(at) != tasks(leader) {
            return Err(format!("{at} has other tasks than {leader} in the end"));
        }
    }
    let replayed = replay(cluster);
    if replayed.iter().ne(tasks(leader).iter()) {
        return Err("a request that came twice counted twice".to_owned());
    }
    Ok(())
}

/// The tasks that the committed requests make if of each author only ever later ones count.
fn replay(cluster: &Cluster) -> Vec<Task> {
    let mut machine = Machine::new(&cluster.genesis);
    let mut last = BTreeMap::new();
    for entry in cluster.committed().values() {
        let mut entry = entry.clone();
        if let Some(request) = &entry.request {
            let number = last.entry(request.author).or_insert(0);
            if request.number > *number {
                *number = request.number;
            } else if !request.operation.is_membership() {
                entry.request = None;
            }
        }
        machine.apply(&entry);
    }
    machine.tasks().cloned().collect()
}

#[test]
fn no_fault_breaks_a_promise() {
    let first = number("SEED", 0);
    for seed in first..first + number("SCENARIOS", SCENARIOS) {
        faults(seed, None).unwrap_or_else(|broken| panic!("SEED={seed}: {broken}"));
    }
}

#[test]
fn every_way_to_break_a_rule_is_found() {
    let mutants = [
        Mutant::SendsFirst,
        Mutant::VotesTwice,
        Mutant::VotesForAnyLog,
        Mutant::SmallQuorum,
        Mutant::KeepsConflicts,
        Mutant::Forgetful,
    ];
    for mutant in mutants {
        let found = (0..number("CONTROL_SEEDS", CONTROL_SEEDS))
            .find(|seed| faults(*seed, Some(mutant)).is_err());
        assert!(found.is_some(), "{mutant:?} breaks nothing that is watched");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let run = |seed| {
        let mut cluster = Cluster::new(setup(seed, None), seed);
        for _ in 0..6 {
            disturb(&mut cluster);
            cluster.run(1_500);
        }
        format!("{:?} {:?}", cluster.members, cluster.answers)
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
