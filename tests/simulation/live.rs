//! Looking at a simulation and interfering with it, as a page does.

use synaptic_mesh::sim::byzantine::Attack;
use synaptic_mesh::sim::trace::Trace;
use synaptic_mesh::sim::world::Condition;
use synaptic_mesh::sim::{self, World, catalogue};

#[test]
fn a_watched_simulation_in_small_steps_leaves_the_same_trace() {
    let mut scenario = catalogue::named("partition-heal", Some(8), 3).unwrap();
    // Runs are exported at the end, with messages that nobody looks at any more.
    scenario.workload.runs.clear();
    scenario.bounds.rounds_min = 0;
    let expected = sim::run(&scenario);
    let mut world = World::new(scenario, Trace::hash_only());
    world.watch();
    let (mut flights, mut lost) = (0_u64, 0_u64);
    let count = |number: usize| u64::try_from(number).unwrap();
    for step_ms in (0..=world.horizon_ms()).step_by(35) {
        world.step_until(step_ms);
        let taken = world.take_flights();
        flights += count(taken.len());
        lost += count(taken.iter().filter(|flight| flight.at_us.is_none()).count());
    }
    world.step_until(world.horizon_ms());
    assert_eq!(world.trace_hash(), expected.trace_hash);
    flights += count(world.take_flights().len());
    assert_eq!(flights, expected.figure("messages"));
    assert_eq!(lost, expected.figure("messages lost"));
    assert!(world.finish().is_ok());
}

#[test]
fn every_invariant_holds_whatever_is_clicked() {
    let scenario = catalogue::named("partition-heal", Some(9), 5).unwrap();
    let mut world = World::new(scenario, Trace::hash_only());
    world.step_until(25_000);
    world.kill(2);
    world.corrupt(7, Attack::Equivocate);
    world.cut_off(vec![4, 5]);
    world.kill(99);
    world.step_until(60_000);
    assert_eq!(world.look(2).unwrap().condition, Condition::Down);
    assert_eq!(world.look(7).unwrap().condition, Condition::Byzantine);
    assert!(world.links().all(|(one, other)| (one == 4 || one == 5) == (other == 4 || other == 5)));
    world.restart(2);
    world.heal();
    let end_ms = world.horizon_ms();
    assert!((120_000..1_000_000).contains(&end_ms), "{end_ms}");
    world.step_until(end_ms);
    let vertices = |node| world.look(node).unwrap().vertices;
    assert_eq!(vertices(2), vertices(4));
    let report = world.finish();
    assert!(report.is_ok(), "{}", report.to_text());
}
