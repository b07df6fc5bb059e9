//! The picture of a history, read back: as many dots and lines as there are vertices and parents.

use std::collections::BTreeSet;

use synaptic_mesh::dag::mutant::Check;
use synaptic_mesh::dag::{Payload, VertexId};
use synaptic_mesh::sim::byzantine::Attack;
use synaptic_mesh::sim::scenario::{Fault, Mutant};
use synaptic_mesh::sim::trace::Trace;
use synaptic_mesh::sim::{World, catalogue, slice};

/// The names in the picture of a world, once its dots and lines were counted.
fn read(world: &World) -> BTreeSet<VertexId> {
    let svg = slice::svg(world);
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    let titles = svg.split("<title>").skip(1).filter_map(|rest| rest.split(' ').next());
    let shown: BTreeSet<VertexId> = titles.map(|name| name.parse().unwrap()).collect();
    let graphs: Vec<_> = world.members().filter_map(|node| world.history(node)).collect();
    let holds = |id: &&VertexId| graphs.iter().find_map(|graph| graph.get(id));
    let vertices: Vec<_> = shown.iter().filter_map(|id| holds(&id)).collect();
    assert_eq!(vertices.len(), shown.len(), "what is shown is in a history");
    let parents = vertices.iter().flat_map(|signed| signed.vertex().parent_ids());
    let lines = parents.filter(|parent| shown.contains(parent)).count();
    let votes = |payload: &Payload| matches!(payload, Payload::Votes(_));
    let voting = vertices.iter().filter(|signed| signed.vertex().payloads.iter().any(votes));
    assert_eq!(svg.matches("<circle ").count(), shown.len());
    assert_eq!(svg.matches("<line ").count(), lines);
    assert_eq!(svg.matches("text-anchor=\"middle\"").count(), voting.count());
    let authors: BTreeSet<_> = vertices.iter().map(|signed| signed.vertex().author).collect();
    assert_eq!(svg.matches(">member ").count(), authors.len());
    shown
}

#[test]
fn a_picture_shows_the_newest_vertices_with_their_parents_and_votes() {
    let scenario = catalogue::named("finality", Some(6), 1).unwrap();
    let mut world = World::new(scenario, Trace::hash_only());
    world.run_until(30_000);
    let shown = read(&world);
    assert_eq!(shown.len(), slice::VERTICES_MAX);
    assert!(world.history(0).unwrap().heads().iter().all(|head| shown.contains(head)));
    assert!(!slice::svg(&world).contains("#c22"), "nothing is wrong");
}

#[test]
fn a_picture_of_a_violation_shows_what_led_to_it() {
    let mut scenario = catalogue::named("partition-heal", Some(6), 1).unwrap();
    scenario.faults = vec![Fault::Byzantine { at_ms: 5_000, node: 5, attack: Attack::BadVertices }];
    scenario.mutant = Some(Mutant::Skip(Check::Lamport));
    let mut world = World::new(scenario, Trace::hash_only());
    world.run_until(world.horizon_ms());
    let about = world.violation().and_then(|violation| violation.broken.vertex).unwrap();
    let shown = read(&world);
    assert!(shown.contains(&about));
    assert_eq!(slice::svg(&world).matches("#c22").count(), 1);
}
