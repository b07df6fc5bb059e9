//! Small random scenarios, of which a core runs dozens in a second: for hunts over many seeds.
//!
//! Four to seven members, nearly always with a committee, for a fraction of a minute until the last
//! fault; checkpoints come sooner and members drop more than in the product, so that snapshots are
//! taken and epochs end in that time. Each draws its own knobs as the larger ones do. Attackers
//! change what they do up to three times.

use super::random::{FAULT_KINDS_ALL, Pace, random_fault, random_network, widen_uplinks};
use super::{empty, finish, training};
use crate::limits;
use crate::rng::Rng;
use crate::sim::byzantine::{ATTACKS, Attack, SNAPSHOT_ATTACKS, VOTE_ATTACKS};
use crate::sim::random::Tree;
use crate::sim::scenario::{Committee, Crypto, Fault, Scenario};

/// When faults begin, and how long they last.
const SECONDS: Pace = Pace { begin_ms: 10_000, last_ms: 6_000, down_ms: 5_000, delay_ms: 1_000 };
/// Milliseconds from the last fault until all agree. Links that are cut count as dead after 25 s,
/// and a member that reaches the others through attackers alone hears of the rest by heads, three
/// times a minute. A lost request is given up after 20 s: where a quorum takes everybody, and each
/// has one link that loses one message in twenty, that came to five minutes in one of a hundred
/// thousand scenarios. Nearly all are done in a twentieth of it.
const CONVERGE_MS: u64 = 600_000;

/// Attacks of who leads, which not many do in so short a time.
const LEADER_ATTACKS: &[Attack] = &[
    Attack::SilentLeader,
    Attack::TwoBlocks,
    Attack::ForkedBlocks,
    Attack::FalseRoots,
    Attack::StaleCertificates,
];

/// A small scenario drawn from a seed; at least four members.
pub fn small(seed: u64, nodes: Option<usize>) -> Scenario {
    let mut rng = Tree::new(seed).stream("small scenario", 0, 0);
    let drawn = limits::COMMITTEE_MIN + rng.below(4) as usize;
    let nodes = nodes.unwrap_or(drawn).max(limits::COMMITTEE_MIN);
    let mut scenario = empty(&format!("small {seed}"), nodes, seed);
    // The stub leaves out nothing that a fault can reach, and real signatures take seconds.
    if rng.below(1_000) == 0 {
        scenario.crypto = Crypto::Real;
    }
    scenario.network = random_network(&mut rng);
    scenario.network.start_interval_ms %= 200;
    scenario.disk.write_ms = 1 + u64::from(rng.below(30));
    scenario.workload.until_ms = 7_000 + u64::from(rng.below(9_000));
    scenario.workload.statements_per_minute = u64::from(rng.below(60));
    scenario.bounds.converge_ms = CONVERGE_MS;
    scenario.bounds.ends_early = true;
    if rng.below(8) > 0 {
        decide(&mut scenario, &mut rng);
    }
    if rng.below(4) > 0 {
        attack(&mut scenario, &mut rng);
    }
    let knobs: Vec<bool> = (0..FAULT_KINDS_ALL).map(|_| rng.below(3) == 0).collect();
    for _ in 0..rng.below(12) {
        let kind = rng.below(FAULT_KINDS_ALL) as usize;
        let fault = random_fault(kind, nodes, &SECONDS, &mut rng);
        // Who attacks was drawn above, with regard to the committee.
        if knobs[kind] && !matches!(fault, Fault::Byzantine { .. }) {
            scenario.faults.push(fault);
        }
    }
    if rng.below(8) == 0 {
        // The last statements are lost: only the exchange of heads brings them.
        let until_ms = scenario.workload.until_ms;
        let (at_ms, group) = (until_ms / 2, (0..nodes).collect());
        let (loss_per_mille, delay_ms) = (900, 0);
        scenario.faults.push(Fault::Degrade { at_ms, until_ms, group, loss_per_mille, delay_ms });
    }
    if rng.below(4) == 0 {
        let members = 1 + rng.below(4) as usize;
        scenario.workload.runs = vec![training(&scenario, 3_000, members, 1 + rng.below(3))];
    }
    finish(&mut scenario);
    scenario
}

/// The same seed with members of the committee that support both sides of every conflict, as many
/// as two quorums share: two honest members may then have different items for one key.
pub fn beyond(seed: u64, nodes: Option<usize>) -> Scenario {
    let mut scenario = small(seed, nodes);
    scenario.name = format!("beyond {seed}");
    let mut rng = Tree::new(seed).stream("beyond", 0, 0);
    scenario.faults.retain(|fault| !matches!(fault, Fault::Byzantine { .. }));
    scenario.workload.runs.clear();
    if scenario.committee.is_none() {
        decide(&mut scenario, &mut rng);
    }
    // A few hundred races: the two sides of most are seen by all in one order.
    scenario.workload.holds_per_minute = 120;
    scenario.workload.contests_per_minute = 300;
    let Some(chosen) = scenario.committee.clone() else { return scenario };
    let all = chosen.weight(|_| true);
    let shared = 2 * (all - chosen.spare_weight()) - all;
    for (node, _) in chosen.members.iter().rev() {
        if chosen.weight(|node| scenario.is_byzantine(node)) < shared {
            let attack = Attack::VoteBoth;
            scenario.faults.push(Fault::Byzantine { at_ms: 1_000, node: *node, attack });
        }
    }
    finish(&mut scenario);
    scenario
}

/// A committee of all members or of most, and what it has to do.
fn decide(scenario: &mut Scenario, rng: &mut Rng) {
    let mut members: Vec<usize> = (0..scenario.nodes).collect();
    rng.shuffle(&mut members);
    if rng.below(2) == 0 {
        members.truncate(limits::COMMITTEE_MIN.max(scenario.nodes - 1));
    }
    let heavy = rng.below(4) == 0;
    let mut weigh = |node| (node, if heavy { 1 + rng.below(3) } else { 1 });
    let members: Vec<(usize, u32)> = members.into_iter().map(&mut weigh).collect();
    widen_uplinks(scenario, members.len());
    // A few are short of credits.
    let rich = |node| (node, if node % 3 == 2 { 2_000 } else { 20_000 });
    let balances = (0..scenario.nodes).map(rich).collect();
    let checkpoint_ms = (rng.below(4) > 0).then(|| 800 + u64::from(rng.below(2_000)));
    scenario.committee = Some(Committee { members, balances, checkpoint_ms });
    let mut sometimes = |max| if rng.below(3) > 0 { u64::from(rng.below(max)) } else { 0 };
    let load = &mut scenario.workload;
    load.items_per_minute = sometimes(20);
    load.transfers_per_minute = sometimes(40);
    load.holds_per_minute = sometimes(40);
    load.contests_per_minute = sometimes(30);
    if rng.below(4) == 0 {
        load.contests_per_minute = 60 + u64::from(rng.below(60));
    }
    if rng.below(3) == 0 {
        let until_ms = load.until_ms as u32;
        let at_ms = |_| 3_000 + u64::from(rng.below(until_ms - 3_000));
        load.epochs_ms = (0..2).map(at_ms).collect();
    }
    if rng.below(2) == 0 {
        drop_vertices(scenario, rng);
    }
}

/// Members drop old vertices, and somebody may come when much is gone.
fn drop_vertices(scenario: &mut Scenario, rng: &mut Rng) {
    let kept = 8 + rng.below(40);
    scenario.kept = Some(kept as usize);
    // One to some checkpoints.
    scenario.generation_bytes = Some(u64::from(kept % 8) * 1_024);
    if rng.below(3) == 0 {
        scenario.keepers = (0..scenario.nodes).step_by(3).collect();
    }
    // Four checkpoints settle what the first one covers.
    scenario.workload.transfers_per_minute = 60;
    scenario.workload.until_ms += 5_000;
    if let Some(chosen) = &mut scenario.committee {
        chosen.checkpoint_ms = Some(400 + u64::from(rng.below(800)));
    }
    if rng.below(4) > 0 {
        let node = 1 + rng.below(scenario.nodes as u32 - 1) as usize;
        let until_ms = scenario.workload.until_ms;
        let at_ms = until_ms * 3 / 4 + u64::from(rng.below(until_ms as u32 / 2));
        scenario.faults.push(Fault::Late { at_ms, node });
    }
}

/// Attackers, as many as the members and the committee bear at most; never the first member, whose
/// address all know.
fn attack(scenario: &mut Scenario, rng: &mut Rng) {
    let mut members: Vec<usize> = (1..scenario.nodes).collect();
    rng.shuffle(&mut members);
    members.truncate((scenario.nodes - 1) / 3);
    for node in members {
        let weighs = |chosen: &Committee| {
            let all = chosen.weight(|other| other == node || scenario.is_byzantine(other));
            all > chosen.spare_weight()
        };
        if scenario.committee.as_ref().is_some_and(weighs) {
            continue;
        }
        for turn in 0..=rng.below(3) {
            let within_ms = if turn == 0 { 3_000 } else { scenario.workload.until_ms as u32 };
            let at_ms = 1_000 + u64::from(rng.below(within_ms));
            let drops = scenario.kept.is_some();
            let kinds = match (rng.below(8), &scenario.committee) {
                (0..2, Some(_)) if drops => SNAPSHOT_ATTACKS,
                (0..3, Some(_)) => LEADER_ATTACKS,
                (3..6, Some(_)) => VOTE_ATTACKS,
                _ => ATTACKS,
            };
            let attack = match kinds[rng.below(kinds.len() as u32) as usize] {
                // A tenth of the others' flood shows the same, and takes a tenth of the time.
                Attack::OrphanFlood { .. } => Attack::OrphanFlood { per_second: 4 },
                attack => attack,
            };
            scenario.faults.push(Fault::Byzantine { at_ms, node, attack });
        }
    }
}
