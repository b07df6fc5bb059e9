//! Members that drop old vertices: what they store is bounded by what they keep, and they agree
//! with those that drop nothing, whatever crashes.

use synaptic_mesh::sim::trace::Trace;
use synaptic_mesh::sim::{Scenario, World, catalogue};

/// A committee on a busy day for three minutes, while members crash within writes. The last member
/// drops nothing.
fn busy(kept: Option<usize>) -> Scenario {
    let mut scenario = catalogue::named("finality", Some(6), 2).unwrap();
    scenario.kept = kept;
    scenario.keepers = vec![5];
    scenario.workload.transfers_per_minute = 240;
    scenario
}

#[test]
fn members_that_drop_vertices_store_less_and_decide_the_same() {
    let mut world = World::new(busy(Some(200)), Trace::hash_only());
    world.run_until(world.horizon_ms());
    let holdings: Vec<_> = world.members().map(|node| world.holding(node).unwrap()).collect();
    let report = world.finish();
    assert!(report.is_ok(), "{}", report.to_text());
    let (keeper, others) = holdings.split_last().unwrap();
    println!("{keeper:?}\n{:?}", others[0]);
    assert_eq!(keeper.dropped, 0);
    for holding in others {
        assert_eq!(holding.vertices + holding.dropped, keeper.vertices, "{holding:?}");
        assert_eq!(holding.decided, keeper.decided, "{holding:?}");
        assert!(holding.dropped > keeper.vertices / 2, "{holding:?}");
        assert!(holding.disk_bytes < keeper.disk_bytes / 2, "{holding:?}");
        // Some 200 for each decision, and a few addresses; nothing for what was dropped.
        let left = 300 * holding.decided + 8_192;
        assert!(holding.meta_bytes < left, "{holding:?}: {left}");
    }
}

/// The control: with all the room there is nobody drops anything.
#[test]
fn members_with_room_drop_nothing() {
    let mut world = World::new(busy(None), Trace::hash_only());
    world.run_until(world.horizon_ms());
    let dropped = world.members().filter_map(|node| world.holding(node)).map(|held| held.dropped);
    assert_eq!(dropped.sum::<u64>(), 0);
    assert!(world.finish().is_ok());
}

/// Epochs end and names are prolonged while members crash and old vertices are dropped.
#[test]
fn epochs_end_and_names_are_prolonged_while_members_crash() {
    let mut scenario = busy(Some(200));
    scenario.workload.renewals = true;
    scenario.workload.epochs_ms = vec![30_000, 60_000];
    let mut world = World::new(scenario, Trace::hash_only());
    world.run_until(world.horizon_ms());
    let epochs = world.members().filter_map(|node| world.epoch(node));
    let epochs: Vec<u64> = epochs.collect();
    let report = world.finish();
    assert!(report.is_ok(), "{}", report.to_text());
    assert_eq!(report.figure("epochs ended"), 2, "{}", report.to_text());
    assert_eq!(epochs, [2; 6]);
    assert!(report.figure("names prolonged") > 0, "{}", report.to_text());
}
