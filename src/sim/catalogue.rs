//! Scenarios by name, and random ones by seed.
//!
//! What a name stands for is here; families of which each seed draws another one are below.

mod random;
mod small;

use super::byzantine::{ATTACKS, Attack, VOTE_ATTACKS};
use super::random::Tree;
use super::scenario::{
    Bounds, Committee, Crypto, Direction, Disk, Fault, Latency, Network, Scenario, Training,
    Workload,
};
use crate::limits;
use crate::rng::Rng;

/// A named scenario: its name, how many members it has by default, and what it shows.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Members, unless said otherwise.
    pub nodes: usize,
    /// What it shows, for people.
    pub shows: &'static str,
    make: fn(&mut Scenario, &mut Rng),
}

/// Every named scenario.
pub const ENTRIES: &[Entry] = &[
    Entry {
        name: "partition-heal",
        nodes: 100,
        shows: "half of the members are cut off for 40 s, both halves go on, and all agree after",
        make: partition_heal,
    },
    Entry {
        name: "calm",
        nodes: 100,
        shows: "an hour of moderate load, nothing fails",
        make: calm,
    },
    Entry { name: "crowd", nodes: 1_000, shows: "a thousand members for a minute", make: crowd },
    Entry {
        name: "crashes",
        nodes: 20,
        shows: "processes end within writes, and never contradict themselves",
        make: crashes,
    },
    Entry {
        name: "tabs",
        nodes: 20,
        shows: "pages in the background: late timers, frozen, killed",
        make: tabs,
    },
    Entry {
        name: "disks",
        nodes: 12,
        shows: "stores without room, slow ones, and stores that lie about failing",
        make: disks,
    },
    Entry {
        name: "attacks",
        nodes: 20,
        shows: "a quarter of the members attack, each in another way",
        make: attacks,
    },
    Entry {
        name: "finality",
        nodes: 16,
        shows: "a committee of ten decides while its members crash and the others come and go",
        make: finality,
    },
    Entry {
        name: "double-spend",
        nodes: 10,
        shows: "just under a third of a committee attacks, with votes and with double spends",
        make: double_spend,
    },
    Entry {
        name: "late-joiners",
        nodes: 10,
        shows: "members drop what those need that come late, and some hand them false snapshots",
        make: late_joiners,
    },
    Entry {
        name: "storage",
        nodes: 5,
        shows: "an hour of a thousand payments a minute: what members that drop votes store",
        make: storage,
    },
    Entry {
        name: "soak",
        nodes: 50,
        shows: "a day of a committee while members come and go: storage and memory",
        make: soak,
    },
];

/// Families of scenarios that are drawn from their seeds: name, members, and what they are for.
pub const FAMILIES: &[(&str, &str, &str)] = &[
    ("random", "3-43", "whatever the seed draws"),
    ("small", "4-7", "whatever the seed draws, in hundredths of a second: for many seeds"),
    ("beyond", "4-7", "the same with one attacker too many for the committee: S1 breaks"),
];

pub use random::random;
pub use small::{beyond, small};

/// A named scenario with so many members (its own number for `None`), or one of a family.
pub fn named(name: &str, nodes: Option<usize>, seed: u64) -> Option<Scenario> {
    match name {
        "random" => return Some(random(seed, nodes)),
        "small" => return Some(small(seed, nodes)),
        "beyond" => return Some(beyond(seed, nodes)),
        _ => {}
    }
    let entry = ENTRIES.iter().find(|entry| entry.name == name)?;
    let mut scenario = empty(name, nodes.unwrap_or(entry.nodes).max(2), seed);
    let mut rng = Tree::new(seed).stream("catalogue", 0, 0);
    (entry.make)(&mut scenario, &mut rng);
    finish(&mut scenario);
    Some(scenario)
}

fn empty(name: &str, nodes: usize, seed: u64) -> Scenario {
    Scenario {
        name: name.to_owned(),
        seed,
        nodes,
        horizon_ms: 0,
        crypto: Crypto::Stub,
        network: Network::default(),
        disk: Disk::default(),
        committee: None,
        kept: None,
        generation_bytes: None,
        keepers: Vec::new(),
        workload: Workload::default(),
        faults: Vec::new(),
        bounds: Bounds::default(),
        mutant: None,
    }
}

/// The horizon is the earliest that lets everything become equal.
fn finish(scenario: &mut Scenario) {
    let enough_ms = scenario.quiet_ms() + scenario.bounds.converge_ms + 1_000;
    scenario.horizon_ms = scenario.horizon_ms.max(enough_ms);
    scenario.bounds.vertices_min = scenario.bounds.vertices_min.max(scenario.nodes / 2);
}

fn training(scenario: &Scenario, at_ms: u64, members: usize, rounds: u32) -> Training {
    let members: Vec<usize> =
        (0..scenario.nodes).filter(|node| !scenario.is_byzantine(*node)).take(members).collect();
    let founder = members.first().copied().unwrap_or(0);
    Training { at_ms, founder, members, rounds, deadline_ms: 5_000, train_ms: 200 }
}

fn started_ms(scenario: &Scenario) -> u64 {
    scenario.network.start_interval_ms * scenario.nodes as u64
}

fn partition_heal(scenario: &mut Scenario, rng: &mut Rng) {
    let begin_ms = started_ms(scenario) + 18_000;
    let mut members: Vec<usize> = (0..scenario.nodes).collect();
    rng.shuffle(&mut members);
    members.truncate(scenario.nodes / 2);
    members.sort_unstable();
    scenario.faults.push(Fault::Partition {
        at_ms: begin_ms,
        until_ms: begin_ms + 40_000,
        group: members,
        direction: Direction::Both,
    });
    scenario.workload.statements_per_minute = 120;
    scenario.workload.until_ms = begin_ms + 45_000;
    scenario.workload.runs = vec![training(scenario, begin_ms - 10_000, 6, 4)];
    scenario.bounds.rounds_min = 4;
}

fn calm(scenario: &mut Scenario, _: &mut Rng) {
    scenario.workload.statements_per_minute = scenario.nodes as u64;
    scenario.workload.until_ms = 3_600_000;
    scenario.workload.runs = vec![training(scenario, 60_000, 16, 20)];
    scenario.bounds.rounds_min = 20;
}

fn crowd(scenario: &mut Scenario, _: &mut Rng) {
    scenario.network.start_interval_ms = 10;
    scenario.workload.statements_per_minute = 300;
    scenario.workload.until_ms = started_ms(scenario) + 15_000;
    scenario.bounds.converge_ms = 30_000;
    scenario.horizon_ms = 60_000;
}

fn crashes(scenario: &mut Scenario, rng: &mut Rng) {
    for node in 0..scenario.nodes {
        for _ in 0..3 {
            let at_ms = 10_000 + u64::from(rng.below(120_000));
            let down_ms = 100 + u64::from(rng.below(20_000));
            scenario.faults.push(Fault::CrashInWrite { at_ms, node, down_ms });
        }
    }
    scenario.workload.statements_per_minute = 240;
    scenario.workload.until_ms = 160_000;
    scenario.workload.runs = vec![training(scenario, 8_000, 6, 10)];
    scenario.bounds.rounds_min = 10;
}

fn tabs(scenario: &mut Scenario, rng: &mut Rng) {
    scenario.network.tabs_per_mille = 500;
    for node in 1..scenario.nodes {
        let at_ms = 10_000 + u64::from(rng.below(60_000));
        let until_ms = at_ms + 5_000 + u64::from(rng.below(90_000));
        scenario.faults.push(match node % 3 {
            0 => Fault::Throttle { at_ms, until_ms, node },
            1 => Fault::Freeze { at_ms, until_ms, node, dies: false },
            _ => Fault::Freeze { at_ms, until_ms, node, dies: true },
        });
    }
    scenario.workload.statements_per_minute = 120;
    scenario.workload.until_ms = 160_000;
    scenario.workload.runs = vec![training(scenario, 8_000, 6, 10)];
    scenario.bounds.rounds_min = 5;
    scenario.bounds.converge_ms = 90_000;
}

fn disks(scenario: &mut Scenario, rng: &mut Rng) {
    for node in 0..scenario.nodes {
        let at_ms = 10_000 + u64::from(rng.below(60_000));
        let until_ms = at_ms + 1_000 + u64::from(rng.below(60_000));
        scenario.faults.push(match node % 3 {
            0 => Fault::Full { at_ms, until_ms, node },
            1 => Fault::Lie { at_ms, until_ms, node },
            _ => Fault::SlowDisk { at_ms, until_ms, node, write_ms: 3_000 },
        });
        scenario.faults.push(Fault::Crash { at_ms: at_ms + 700, node, down_ms: Some(3_000) });
    }
    scenario.workload.statements_per_minute = 240;
    scenario.workload.until_ms = 140_000;
    scenario.bounds.converge_ms = 120_000;
}

fn attacks(scenario: &mut Scenario, rng: &mut Rng) {
    let count = scenario.nodes / 4;
    let mut kinds = ATTACKS.to_vec();
    rng.shuffle(&mut kinds);
    for place in 0..count {
        let node = scenario.nodes - 1 - place;
        let attack = kinds[place % kinds.len()];
        scenario.faults.push(Fault::Byzantine { at_ms: 10_000, node, attack });
    }
    scenario.workload.statements_per_minute = 240;
    scenario.workload.until_ms = 120_000;
    scenario.workload.runs = vec![training(scenario, 20_000, 6, 6)];
    scenario.bounds.rounds_min = 6;
}

/// The first `members` decide with equal weights, and everybody has credits.
fn committee(scenario: &Scenario, members: usize) -> Committee {
    Committee {
        members: (0..members.min(scenario.nodes)).map(|node| (node, 1)).collect(),
        balances: (0..scenario.nodes).map(|node| (node, 1_000_000)).collect(),
        checkpoint_ms: None,
    }
}

fn finality(scenario: &mut Scenario, rng: &mut Rng) {
    let members = (scenario.nodes * 2 / 3).max(4);
    scenario.committee = Some(committee(scenario, members));
    for node in 0..scenario.nodes {
        for _ in 0..2 {
            let at_ms = 10_000 + u64::from(rng.below(80_000));
            let away_ms = 500 + u64::from(rng.below(15_000));
            scenario.faults.push(if node < members {
                Fault::CrashInWrite { at_ms, node, down_ms: away_ms }
            } else {
                Fault::Leave { at_ms, node, away_ms }
            });
        }
    }
    scenario.workload.items_per_minute = 60;
    scenario.workload.transfers_per_minute = 60;
    scenario.workload.contests_per_minute = 12;
    scenario.workload.until_ms = 110_000;
    scenario.bounds.converge_ms = 40_000;
}

fn double_spend(scenario: &mut Scenario, rng: &mut Rng) {
    let all = committee(scenario, scenario.nodes);
    let mut kinds = VOTE_ATTACKS.to_vec();
    kinds.retain(|kind| *kind != Attack::DoubleSpend);
    rng.shuffle(&mut kinds);
    for place in 0..all.spare_weight() as usize {
        let node = scenario.nodes - 1 - place;
        let attack = if place == 0 { Attack::DoubleSpend } else { kinds[place % kinds.len()] };
        scenario.faults.push(Fault::Byzantine { at_ms: 8_000, node, attack });
    }
    scenario.committee = Some(all);
    scenario.workload.items_per_minute = 30;
    scenario.workload.transfers_per_minute = 60;
    scenario.workload.contests_per_minute = 30;
    scenario.workload.until_ms = 60_000;
    scenario.bounds.converge_ms = 40_000;
}

/// The last third starts when what was first is dropped, and one of it ends within a write. As many
/// of the committee as it bears lie to them.
fn late_joiners(scenario: &mut Scenario, rng: &mut Rng) {
    let members = (scenario.nodes - scenario.nodes / 3).max(limits::COMMITTEE_MIN);
    let mut chosen = committee(scenario, members);
    chosen.checkpoint_ms = Some(2_000);
    let liars = chosen.members.iter().rev().take(chosen.spare_weight() as usize);
    let attack = Attack::FalseSnapshots;
    scenario.faults.extend(liars.map(|(node, _)| Fault::Byzantine {
        at_ms: 5_000,
        node: *node,
        attack,
    }));
    scenario.committee = Some(chosen);
    for node in members..scenario.nodes {
        let at_ms = 40_000 + u64::from(rng.below(30_000));
        scenario.faults.push(Fault::Late { at_ms, node });
    }
    let (node, at_ms) = (scenario.nodes - 1, 40_000 + u64::from(rng.below(34_000)));
    scenario.faults.push(Fault::CrashInWrite { at_ms, node, down_ms: 1_000 });
    scenario.kept = Some(40);
    scenario.workload.statements_per_minute = 30;
    scenario.workload.transfers_per_minute = 120;
    scenario.workload.holds_per_minute = 30;
    scenario.workload.epochs_ms = vec![25_000];
    scenario.workload.until_ms = 80_000;
    scenario.bounds.converge_ms = 120_000;
}

/// What is measured: equal members, a round trip of 50 ms, one message of fifty up to 100 ms late,
/// nothing else that goes wrong, and so many of the members silent from the start on.
pub fn undisturbed(scenario: &Scenario, silent: usize) -> Scenario {
    let mut quiet = scenario.clone();
    quiet.committee = Some(committee(&quiet, quiet.nodes.min(limits::COMMITTEE_MAX)));
    quiet.network = Network {
        latency: Latency::Tailed { ms: 25, late_per_mille: 20, late_ms: 100 },
        ..Network::default()
    };
    let silence = |place| Fault::Byzantine {
        at_ms: 3_000,
        node: quiet.nodes - 1 - place,
        attack: Attack::Silent,
    };
    quiet.faults = (0..silent).map(silence).collect();
    quiet.workload = Workload {
        items_per_minute: 30,
        contests_per_minute: 30,
        until_ms: 40_000,
        ..Workload::default()
    };
    quiet.bounds.converge_ms = 20_000;
    quiet.horizon_ms = 0;
    finish(&mut quiet);
    quiet
}

fn storage(scenario: &mut Scenario, _: &mut Rng) {
    let mut all = committee(scenario, limits::COMMITTEE_MIN);
    all.balances.iter_mut().for_each(|(_, amount)| *amount = 1_000_000_000);
    scenario.committee = Some(all);
    scenario.kept = Some(limits::HISTORY_VERTICES_KEPT_BRIEF);
    scenario.workload.transfers_per_minute = 1_000;
    scenario.workload.until_ms = 3_600_000;
}

fn soak(scenario: &mut Scenario, rng: &mut Rng) {
    const DAY_MS: u64 = 86_400_000;
    let mut at_ms = 300_000;
    while at_ms < DAY_MS - 600_000 {
        let node = 1 + rng.below(scenario.nodes as u32 - 1) as usize;
        let away_ms = 30_000 + u64::from(rng.below(1_200_000));
        scenario.faults.push(if rng.below(2) == 0 {
            Fault::Leave { at_ms, node, away_ms }
        } else {
            Fault::Crash { at_ms, node, down_ms: Some(away_ms) }
        });
        at_ms += 60_000 + u64::from(rng.below(240_000));
    }
    let deciding = committee(scenario, 7);
    scenario.committee = Some(deciding);
    // Some 35 vertices a minute: who was away for as long as anybody is can still catch up.
    scenario.kept = Some(1_000);
    scenario.workload.transfers_per_minute = 1;
    scenario.workload.until_ms = DAY_MS - 400_000;
    scenario.bounds.converge_ms = 120_000;
    // Who left shortly before the end is back by then.
    scenario.faults.retain(|fault| fault.end_ms() < DAY_MS - 130_000);
    scenario.horizon_ms = DAY_MS;
}
