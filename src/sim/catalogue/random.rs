//! Random scenarios of some minutes: whatever the seed draws.
//!
//! A random scenario draws its own knobs (swarm testing, Groce et al., 2012): most have a few kinds
//! of faults, so that some have only those that matter together.

use super::{empty, finish, training};
use crate::limits;
use crate::rng::Rng;
use crate::sim::byzantine::{ATTACKS, VOTE_ATTACKS};
use crate::sim::random::Tree;
use crate::sim::scenario::{Committee, Crypto, Direction, Fault, Latency, Network, Scenario};

/// A scenario drawn from a seed; small ones mostly, as they fail in ways that can be understood.
pub fn random(seed: u64, nodes: Option<usize>) -> Scenario {
    let mut rng = Tree::new(seed).stream("random scenario", 0, 0);
    let most = if rng.below(8) == 0 { 40 } else { 14 };
    let drawn = 3 + rng.below(most) as usize;
    let mut scenario = empty(&format!("random {seed}"), nodes.unwrap_or(drawn), seed);
    // One in a hundred signs for real: the stub leaves out nothing that a fault can reach.
    if rng.below(100) == 0 {
        scenario.crypto = Crypto::Real;
    }
    scenario.network = random_network(&mut rng);
    scenario.disk.write_ms = 1 + u64::from(rng.below(60));
    scenario.workload.statements_per_minute = 10 + u64::from(rng.below(600));
    scenario.workload.until_ms = 90_000;
    let knobs: Vec<bool> = (0..FAULT_KINDS).map(|_| rng.below(3) == 0).collect();
    for _ in 0..rng.below(24) {
        let kind = rng.below(FAULT_KINDS) as usize;
        if knobs[kind] {
            let fault = random_fault(kind, scenario.nodes, &MINUTES, &mut rng);
            scenario.faults.push(fault);
        }
    }
    limit_attackers(&mut scenario);
    if rng.below(2) == 0 {
        let members = 1 + rng.below(8) as usize;
        scenario.workload.runs = vec![training(&scenario, 15_000, members, 1 + rng.below(5))];
    }
    scenario.bounds.converge_ms = 180_000;
    random_committee(&mut scenario);
    finish(&mut scenario);
    scenario
}

/// A third of the random scenarios decide. Drawn from a stream of its own: what else a seed draws
/// is as it would be without.
fn random_committee(scenario: &mut Scenario) {
    let mut rng = Tree::new(scenario.seed).stream("random committee", 0, 0);
    if rng.below(3) > 0 || scenario.nodes < limits::COMMITTEE_MIN {
        return;
    }
    let heavy = rng.below(3) == 0;
    let mut members: Vec<usize> = (0..scenario.nodes).collect();
    rng.shuffle(&mut members);
    members.truncate(limits::COMMITTEE_MIN + rng.below(12) as usize);
    let mut weigh = |node| (node, if heavy { 1 + rng.below(5) } else { 1 });
    let mut chosen = Committee {
        members: members.into_iter().map(&mut weigh).collect(),
        balances: (0..scenario.nodes).map(|node| (node, 10_000)).collect(),
        checkpoint_ms: None,
    };
    if rng.below(2) == 0 {
        random_liars(scenario, &chosen, &mut rng);
    }
    let attacks = |scenario: &Scenario, chosen: &Committee| {
        chosen.weight(|node| scenario.is_byzantine(node)) > chosen.spare_weight()
    };
    // Who attacks already may weigh too much: then some of them are no members.
    while attacks(scenario, &chosen) {
        let place = chosen.members.iter().position(|(node, _)| scenario.is_byzantine(*node));
        chosen.members.remove(place.unwrap_or(0));
    }
    if chosen.members.len() < limits::COMMITTEE_MIN {
        return;
    }
    widen_uplinks(scenario, chosen.members.len());
    scenario.committee = Some(chosen);
    scenario.workload.items_per_minute = u64::from(rng.below(60));
    scenario.workload.transfers_per_minute = u64::from(rng.below(60));
    scenario.workload.contests_per_minute = u64::from(rng.below(12));
    random_upkeep(scenario);
}

/// Each member forwards every vote, 4 kB with its signature, to half a dozen others: what is
/// decided in a second takes hundreds of KiB of each uplink, and thinner ones take minutes.
pub(super) fn widen_uplinks(scenario: &mut Scenario, members: usize) {
    let thin = scenario.network.uplink_kib_s > 0;
    let least_kib_s = if thin { 128 * members as u64 } else { 0 };
    scenario.network.uplink_kib_s = scenario.network.uplink_kib_s.max(least_kib_s);
}

/// In half of those that decide members drop old vertices, in half names are prolonged, and in half
/// epochs end. Drawn from a stream of its own, as above.
fn random_upkeep(scenario: &mut Scenario) {
    let mut rng = Tree::new(scenario.seed).stream("random upkeep", 0, 0);
    if rng.below(2) == 0 {
        let kept = 64 + rng.below(1_000);
        scenario.kept = Some(kept as usize);
        // A few checkpoints.
        scenario.generation_bytes = Some(2_048 + u64::from(kept % 16) * 1_024);
        // Who comes back finds somebody that has it all.
        scenario.keepers = (0..scenario.nodes).step_by(3).collect();
    }
    scenario.workload.renewals = rng.below(2) == 0;
    if rng.below(2) == 0 {
        let count = 1 + rng.below(3);
        let at_ms = |_| 20_000 + u64::from(rng.below(60_000));
        scenario.workload.epochs_ms = (0..count).map(at_ms).collect();
    }
}

/// Members that attack finality, as many as the committee bears besides those who attack already.
fn random_liars(scenario: &mut Scenario, chosen: &Committee, rng: &mut Rng) {
    for (node, weight) in &chosen.members {
        let weighs = chosen.weight(|node| scenario.is_byzantine(node)) + u64::from(*weight);
        let taken = *node == 0 || scenario.is_byzantine(*node);
        let attackers = (0..scenario.nodes).filter(|node| scenario.is_byzantine(*node)).count();
        let many = attackers >= (scenario.nodes - 1) / 3;
        if taken || many || weighs > chosen.spare_weight() || rng.below(2) == 0 {
            continue;
        }
        let attack = VOTE_ATTACKS[rng.below(VOTE_ATTACKS.len() as u32) as usize];
        let at_ms = 1_000 + u64::from(rng.below(60_000));
        scenario.faults.push(Fault::Byzantine { at_ms, node: *node, attack });
    }
}

pub(super) fn random_network(rng: &mut Rng) -> Network {
    let latency = match rng.below(3) {
        0 => Latency::Constant { ms: 1 + u64::from(rng.below(200)) },
        1 => Latency::Lognormal {
            median_ms: 1 + u64::from(rng.below(100)),
            sigma_milli: 100 + rng.below(900),
        },
        _ => Latency::Regions {
            matrix_ms: vec![vec![5, 45, 110], vec![45, 5, 80], vec![110, 80, 5]],
        },
    };
    let sometimes = |rng: &mut Rng, max| if rng.below(3) == 0 { rng.below(max) } else { 0 };
    Network {
        latency,
        loss_per_mille: sometimes(rng, 60),
        duplicate_per_mille: sometimes(rng, 200),
        uplink_kib_s: if rng.below(4) == 0 { 64 + u64::from(rng.below(1_000)) } else { 0 },
        tabs_per_mille: sometimes(rng, 700),
        start_interval_ms: u64::from(rng.below(500)),
    }
}

/// Kinds of faults that [`random`] draws from, and that [`random_fault`] knows (count).
const FAULT_KINDS: u32 = 11;
pub(super) const FAULT_KINDS_ALL: u32 = 13;

/// When faults begin, and how long they last.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "a unit ends a name")]
pub(super) struct Pace {
    pub(super) begin_ms: u32,
    pub(super) last_ms: u32,
    pub(super) down_ms: u32,
    pub(super) delay_ms: u32,
}

/// That of [`random`].
const MINUTES: Pace = Pace { begin_ms: 80_000, last_ms: 40_000, down_ms: 30_000, delay_ms: 4_000 };

pub(super) fn random_fault(kind: usize, nodes: usize, pace: &Pace, rng: &mut Rng) -> Fault {
    let node = rng.below(nodes as u32) as usize;
    let at_ms = 1_000 + u64::from(rng.below(pace.begin_ms));
    let until_ms = at_ms + 100 + u64::from(rng.below(pace.last_ms));
    let down_ms = 1 + u64::from(rng.below(pace.down_ms));
    let group = |rng: &mut Rng| {
        let mut group: Vec<usize> = (0..nodes).collect();
        rng.shuffle(&mut group);
        group.truncate(1 + rng.below(nodes as u32 - 1) as usize);
        group.sort_unstable();
        group
    };
    match kind {
        0 => {
            let direction = match rng.below(4) {
                0 => Direction::Outward,
                1 => Direction::Inward,
                _ => Direction::Both,
            };
            Fault::Partition { at_ms, until_ms, group: group(rng), direction }
        }
        1 => Fault::Degrade {
            at_ms,
            until_ms,
            group: group(rng),
            loss_per_mille: rng.below(500),
            delay_ms: rng.below(pace.delay_ms),
        },
        2 => Fault::Crash { at_ms, node, down_ms: Some(down_ms) },
        3 => Fault::CrashInWrite { at_ms, node, down_ms },
        4 => Fault::Leave { at_ms, node, away_ms: down_ms },
        5 => Fault::Freeze { at_ms, until_ms, node, dies: rng.below(2) == 0 },
        6 => Fault::Throttle { at_ms, until_ms, node },
        7 => Fault::Full { at_ms, until_ms, node },
        8 => Fault::Lie { at_ms, until_ms, node },
        9 => Fault::Skew { node, ms: i64::from(rng.below(7_200_000)) - 3_600_000 },
        10 => {
            let attack = ATTACKS[rng.below(ATTACKS.len() as u32) as usize];
            Fault::Byzantine { at_ms, node, attack }
        }
        11 => {
            let write_ms = 1 + u64::from(rng.below(3_000));
            Fault::SlowDisk { at_ms, until_ms, node, write_ms }
        }
        // The first one is whom the others dial.
        _ => Fault::Late { at_ms, node: node.max(1) },
    }
}

/// At most a third of the members attack, and never the first one, whose address all know:
/// histories become equal among honest members that are connected, and more attackers can keep them
/// apart.
fn limit_attackers(scenario: &mut Scenario) {
    let max = (scenario.nodes - 1) / 3;
    let mut attackers = std::collections::BTreeSet::new();
    scenario.faults.retain(|fault| match fault {
        Fault::Byzantine { node: 0, .. } => false,
        Fault::Byzantine { node, .. } => {
            attackers.contains(node) || (attackers.len() < max && attackers.insert(*node))
        }
        _ => true,
    });
}
