//! The family of small scenarios: nothing breaks, and whatever should break does within a hundred.
//!
//! `SEED` is the first seed (1) and `SEEDS` how many there are (150);
//! `npm run sim -- --scenario small --seeds 100000 --jobs 2` runs more. Of what a scenario draws,
//! everything has to be reached by the first few hundred: what no seed reaches is not tested.

use std::collections::BTreeSet;

use synaptic_mesh::dag::mutant::Check;
use synaptic_mesh::sim::byzantine::{ATTACKS, Attack, SNAPSHOT_ATTACKS, VOTE_ATTACKS};
use synaptic_mesh::sim::checker::{ONE_ITEM, OneItem};
use synaptic_mesh::sim::scenario::{Fault, Mutant};
use synaptic_mesh::sim::trace::Trace;
use synaptic_mesh::sim::{self, Invariant, Scenario, World, catalogue};

/// Seeds within which too many attackers have to be caught (count).
const SEEDS_MAX: u64 = 100;
/// The same for a defect of one check, which few scenarios touch (count).
const DEFECT_SEEDS_MAX: u64 = 500;

#[test]
fn every_invariant_holds_in_small_scenarios() {
    let (first, count) = (super::number("SEED", 1), super::number("SEEDS", 150));
    for seed in first..first + count {
        let scenario = catalogue::small(seed, None);
        assert_eq!(Scenario::from_json(&scenario.to_json()).unwrap(), scenario);
        let report = sim::run(&scenario);
        assert!(
            report.is_ok(),
            "SEED={seed}: {}\nnpm run sim -- --scenario small --seed {seed} --shrink",
            report.to_text()
        );
    }
}

/// Each defect of `controls` and `finality`, on whatever the seeds draw.
#[test]
fn every_defect_is_caught_by_small_scenarios() {
    let broken = [
        Mutant::SendBeforePersist,
        Mutant::ForgetfulDisk,
        Mutant::NoExchange,
        Mutant::Skip(Check::Prev),
        Mutant::Skip(Check::Lamport),
        Mutant::Skip(Check::Parents),
        Mutant::Skip(Check::OwnVotes),
        Mutant::Skip(Check::Quorum),
        Mutant::Skip(Check::Report),
        Mutant::Skip(Check::Root),
        Mutant::Skip(Check::Reopened),
    ];
    for mutant in broken {
        let found = (1..=DEFECT_SEEDS_MAX).find_map(|seed| {
            let scenario = catalogue::small(seed, None);
            let violation = sim::run(&Scenario { mutant: Some(mutant), ..scenario }).violation?;
            Some((seed, violation.invariant))
        });
        let (seed, invariant) = found.expect("some seed shows the defect");
        println!("{mutant:?}: caught with seed {seed} by: {invariant}");
        let report = sim::run(&catalogue::small(seed, None));
        assert!(report.is_ok(), "seed {seed} without {mutant:?}: {}", report.to_text());
    }
}

#[test]
fn more_attackers_than_a_committee_bears_decide_one_key_twice() {
    let found = (1..=SEEDS_MAX).find_map(|seed| {
        let decisions: Vec<Box<dyn Invariant>> = vec![Box::new(OneItem::default())];
        let scenario = catalogue::beyond(seed, None);
        let report = World::with(scenario, Trace::hash_only(), decisions).run();
        Some((seed, report.violation.filter(|violation| violation.invariant == ONE_ITEM)?))
    });
    let (seed, violation) = found.expect("two honest members decide differently");
    println!("beyond: caught with seed {seed}: {violation}");
}

#[test]
fn small_scenarios_reach_every_fault_and_every_attack() {
    let (mut faults, mut attacks) = (BTreeSet::new(), BTreeSet::new());
    for scenario in (1..400).map(|seed| catalogue::small(seed, None)) {
        for fault in &scenario.faults {
            let value = serde_json::to_value(fault).unwrap();
            faults.insert(value["kind"].as_str().unwrap().to_owned());
            if let Fault::Byzantine { attack, .. } = fault {
                attacks.insert(attack.name());
            }
        }
        if let Some(committee) = &scenario.committee {
            let attack = committee.weight(|node| scenario.is_byzantine(node));
            assert!(attack <= committee.spare_weight(), "{}", scenario.name);
        }
    }
    let all = [ATTACKS, VOTE_ATTACKS, SNAPSHOT_ATTACKS].concat();
    assert_eq!(attacks, all.iter().map(Attack::name).collect::<BTreeSet<_>>());
    let kinds = "byzantine crash crash-in-write degrade freeze full late leave lie partition skew \
                 slow-disk throttle";
    assert_eq!(faults, kinds.split(' ').map(str::to_owned).collect());
}

/// Who comes late to members that dropped what was first takes a snapshot, from among liars.
#[test]
fn late_joiners_take_snapshots_although_some_are_false() {
    for seed in 1..=3 {
        let scenario = catalogue::named("late-joiners", None, seed).unwrap();
        let report = sim::run(&scenario);
        assert!(report.is_ok(), "seed {seed}: {}", report.to_text());
        let counted = |cause: &str| {
            report.counters.iter().find(|(known, _)| *known == cause).map_or(0, |(_, count)| *count)
        };
        println!("seed {seed}: {:?}", report.counters);
        assert!(report.figure("vertices dropped by one member, most") > 100, "seed {seed}");
        assert!(counted("snapshot-taken") >= 2, "seed {seed}: {}", report.to_text());
        let lies = ["peer-false-snapshot", "peer-wrong-blob", "snapshot-certificate"];
        assert!(lies.iter().any(|lie| counted(lie) > 0), "seed {seed}: {}", report.to_text());
        assert!(report.figure("holds ended") > 5, "seed {seed}: {}", report.to_text());
    }
}
