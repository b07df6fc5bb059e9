//! What a node does at its limits: it goes on with less, and is whole again when there is room.

use super::mesh::{Mesh, Trainer, tiny_run};
use crate::dag::{BlobId, Payload, VertexId};
use crate::effect::Command;
use crate::federated::Run;
use crate::limits;
use crate::node::Node;

fn node_mut(mesh: &mut Mesh, member: usize) -> &mut Node {
    mesh.members[member].node.as_mut().expect("the member runs")
}

fn round(mesh: &Mesh, member: usize, run: &VertexId) -> u32 {
    mesh.node(member).runs().get(run).map_or(0, Run::round)
}

/// One write with everything in it was more than any store takes at once, and it was repeated, as
/// it was, for ever.
#[test]
fn a_backlog_of_any_size_becomes_durable_write_by_write() {
    let mut mesh = Mesh::running(90, 1);
    mesh.members[0].store.is_full = true;
    let many = u32::try_from(limits::STORE_BATCH_OPERATIONS_MAX).unwrap() + 100;
    let small = (0..many).map(|number| number.to_le_bytes().to_vec());
    let large = (0..10_u8).map(|number| vec![number; limits::BLOB_BYTES_MAX]);
    let blobs: Vec<_> = small.chain(large).map(|bytes| (BlobId::of(&bytes), bytes)).collect();
    for (id, bytes) in &blobs {
        node_mut(&mut mesh, 0).keep_blob(*id, bytes.clone().into());
    }
    mesh.command(0, Command::StartRun { spec: Box::new(tiny_run(3, 2)), samples: 3 });
    mesh.run_for(20_000);
    mesh.members[0].store.is_full = false;
    mesh.run_for(2 * limits::STORE_RETRY_MS_MAX);
    let stored = &mesh.members[0].store.blobs;
    assert!(blobs.iter().all(|(id, _)| stored.contains_key(id)));
    assert_eq!(mesh.node(0).writer.backlog_bytes(), 0);
    assert!(mesh.node(0).runs().iter().next().unwrap().is_member(&mesh.node(0).author()));
}

#[test]
fn an_update_that_found_no_place_in_the_queue_is_trained_again() {
    let mut mesh = Mesh::running(97, 2);
    mesh.members[1].train = Trainer::Honest(3_000);
    let run = mesh.start_run(0, tiny_run(2, 2));
    mesh.run_for(500);
    mesh.join(1, &run);
    mesh.run_for(100);
    mesh.members[1].store.is_full = true;
    let payload = Payload::RunLeave { run: VertexId::of(b"some run") };
    for _ in 0..2 {
        let now_ms = mesh.now_ms;
        while node_mut(&mut mesh, 1).writer.queue(payload.clone(), None, true, now_ms) {}
        // The first of them are taken out into the vertex that cannot be written.
        mesh.run_for(100);
    }
    mesh.run_for(5_000);
    mesh.members[1].store.is_full = false;
    mesh.finish(&run, &[0, 1], 120_000);
}

#[test]
fn a_member_trains_again_when_its_store_does() {
    for seed in 93..97 {
        let mut mesh = Mesh::running(seed, 2);
        mesh.members[0].train = Trainer::Honest(500);
        let run = mesh.start_run(0, tiny_run(3, 2));
        mesh.run_for(500);
        mesh.join(1, &run);
        let me = mesh.node(1).author();
        let has_trained = |mesh: &Mesh| {
            let known = mesh.node(1).runs().get(&run).unwrap();
            known.updates_of(&known.head()).any(|(_, update)| update.author == me)
        };
        assert!(mesh.run_until(5_000, has_trained));
        mesh.members[1].store.is_full = true;
        mesh.run_for(10_000);
        mesh.members[1].store.is_full = false;
        mesh.finish(&run, &[0, 1], 120_000);
    }
}
