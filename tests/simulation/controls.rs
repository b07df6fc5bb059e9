//! Negative controls: deliberate defects, each of which some invariant has to catch.
//!
//! A checker that never fails proves nothing. Each control names the invariants that may catch it,
//! tries seeds until one does, and prints which; without the defect the same seed must pass.

use synaptic_mesh::dag::mutant::Check;
use synaptic_mesh::sim::byzantine::Attack;
use synaptic_mesh::sim::checker::OneChain;
use synaptic_mesh::sim::scenario::{Fault, Mutant};
use synaptic_mesh::sim::trace::Trace;
use synaptic_mesh::sim::{self, Invariant, Scenario, World, catalogue, shrink};

/// Seeds within which a defect has to be caught (count).
const SEEDS_MAX: u64 = 20;

/// Runs seeds until the defect is caught; the scenario and the invariant.
fn caught(mutant: Mutant, make: impl Fn(u64) -> Scenario, by: &[&str]) -> Scenario {
    for seed in 1..=SEEDS_MAX {
        let sound = make(seed);
        let report = sim::run(&Scenario { mutant: Some(mutant), ..sound.clone() });
        let Some(violation) = report.violation else { continue };
        println!("{mutant:?}: caught with seed {seed}: {violation}");
        assert!(by.contains(&violation.invariant), "by {:?}", violation.invariant);
        let report = sim::run(&sound);
        assert!(report.is_ok(), "without the defect: {}", report.to_text());
        return Scenario { mutant: Some(mutant), ..sound };
    }
    panic!("{mutant:?} was not caught in {SEEDS_MAX} seeds");
}

fn crashes(seed: u64) -> Scenario {
    catalogue::named("crashes", Some(4), seed).unwrap()
}

fn bad_vertices(seed: u64) -> Scenario {
    let mut scenario = catalogue::named("partition-heal", Some(6), seed).unwrap();
    scenario.faults = vec![Fault::Byzantine { at_ms: 5_000, node: 5, attack: Attack::BadVertices }];
    scenario.workload.runs.clear();
    scenario.bounds.rounds_min = 0;
    scenario
}

/// Most messages get lost until the last statement was made. No connection ends, so only the
/// exchange of heads can bring what gossip did not.
fn lossy(seed: u64) -> Scenario {
    let mut scenario = catalogue::named("partition-heal", Some(8), seed).unwrap();
    let (at_ms, until_ms, group) = (20_000, scenario.workload.until_ms, (0..8).collect());
    let (loss_per_mille, delay_ms) = (900, 0);
    scenario.faults = vec![Fault::Degrade { at_ms, until_ms, group, loss_per_mille, delay_ms }];
    scenario.workload.runs.clear();
    scenario.bounds.rounds_min = 0;
    scenario
}

#[test]
fn sending_before_the_write_is_durable_is_caught() {
    let by = ["S3 honest members never equivocate", "acknowledged vertices survive"];
    caught(Mutant::SendBeforePersist, crashes, &by);
}

/// The same defect, with everything but the rule about chains left aside: a crash between sending
/// and the disk makes the member sign another vertex for the same place.
#[test]
fn equivocation_through_a_crash_is_caught() {
    let found = (1..=SEEDS_MAX).find_map(|seed| {
        let mutant = Some(Mutant::SendBeforePersist);
        let scenario = Scenario { mutant, ..crashes(seed) };
        let chains: Vec<Box<dyn Invariant>> = vec![Box::new(OneChain::default())];
        let report = World::with(scenario, Trace::hash_only(), chains).run();
        report.violation.map(|violation| (seed, violation))
    });
    let (seed, violation) = found.expect("a crash within a write equivocates");
    println!("SendBeforePersist: caught with seed {seed}: {violation}");
    assert_eq!(violation.invariant, "S3 honest members never equivocate");
}

#[test]
fn a_disk_that_forgets_is_caught() {
    let by = ["acknowledged vertices survive", "a member starts from what its disk has"];
    caught(Mutant::ForgetfulDisk, crashes, &by);
}

#[test]
fn leaving_out_the_check_of_the_own_previous_vertex_is_caught() {
    let by = ["histories hold valid vertices only"];
    caught(Mutant::Skip(Check::Prev), bad_vertices, &by);
}

#[test]
fn leaving_out_the_check_of_lamport_times_is_caught() {
    caught(Mutant::Skip(Check::Lamport), bad_vertices, &["histories hold valid vertices only"]);
}

#[test]
fn accepting_without_parents_is_caught() {
    caught(Mutant::Skip(Check::Parents), bad_vertices, &["histories hold valid vertices only"]);
}

#[test]
fn histories_that_stay_apart_are_caught_and_the_scenario_gets_small() {
    let failing = caught(Mutant::NoExchange, lossy, &["L1 histories become equal"]);
    let small = shrink::shrink(&failing, |_| {});
    let report = sim::run(&small);
    assert!(!report.is_ok());
    let (nodes, faults) = (small.nodes, small.faults.len());
    println!("shrunk to {nodes} members, {faults} faults, {} ms", small.horizon_ms);
    assert!(small.nodes < failing.nodes || small.horizon_ms < failing.horizon_ms);
    assert_eq!(Scenario::from_json(&small.to_json()).unwrap(), small, "the file replays");
}
