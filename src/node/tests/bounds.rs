//! What a node does at its limits: it goes on with less, and is whole again when there is room.

use super::mesh::{Mesh, Trainer, tiny_run};
use super::stranger::Stranger;
use crate::dag::{BlobId, Error, Graph, Payload, SignedVertex, VertexId};
use crate::effect::{Command, Input, Verdict};
use crate::event::Event;
use crate::federated::Run;
use crate::limits;
use crate::message::{Response, Vertices};
use crate::node::{Node, writing};

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
        mesh.give(1, Input::Tick);
        mesh.run_for(10);
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

/// A copy of a member's history in a graph that has room for so many vertices more.
fn with_room(node: &Node, more: usize) -> Graph {
    let mut graph = Graph::with_room(node.graph().network(), node.graph().len() + more);
    node.graph().iter().for_each(|signed| graph.restore(signed.clone()).unwrap());
    graph
}

/// The vertex was signed and stored, then found no place in the history, and the next one was
/// signed for the same position. The driver fails when it sees two.
#[test]
fn a_full_history_ends_writing_and_not_the_identity() {
    let mut mesh = Mesh::running(99, 2);
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.greet(&mut mesh, 0);
    let graph = with_room(mesh.node(0), 2);
    node_mut(&mut mesh, 0).graph = graph;
    // The own vertex is on its way through the store while another one comes in.
    let leave = |number: u8| Payload::RunLeave { run: VertexId::of(&[number]) };
    let now_ms = mesh.now_ms;
    node_mut(&mut mesh, 0).writer.queue(leave(0), None, true, now_ms);
    mesh.give(0, Input::Tick);
    let first = stranger.next(&stranger.identity, 1);
    assert_eq!(stranger.gossip(&mut mesh, 0, &first.encode()), Verdict::Accept);
    let second = stranger.next(&first, 2);
    assert_eq!(stranger.gossip(&mut mesh, 0, &second.encode()), Verdict::Ignore);
    mesh.run_for(1_000);
    let own = |mesh: &Mesh| mesh.node(0).graph().author(&mesh.node(0).author()).unwrap().next_seq;
    assert_eq!(own(&mesh), 2, "the one that was signed in time has its place");
    for _ in 0..3 {
        let spec = Box::new(tiny_run(3, 2));
        let problem = mesh.ask(0, Command::StartRun { spec, samples: 3 }).unwrap_err();
        assert_eq!(problem.code, "history-full");
    }
    assert_eq!((own(&mesh), mesh.node(0).commands.len()), (2, 0));
    let stored = mesh.members[0].store.vertices.len();
    assert_eq!(mesh.node(0).graph().len(), stored, "nothing is stored that is not accepted");
    mesh.crash(0);
    mesh.start(0);
    assert_eq!(own(&mesh), 2);
}

#[test]
fn a_store_with_more_than_a_history_holds_is_opened_as_far_as_it_goes() {
    let mut mesh = Mesh::running(100, 2);
    mesh.start_run(0, tiny_run(3, 2));
    let stored: Vec<Vec<u8>> = mesh.node(0).graph().iter().map(SignedVertex::encode).collect();
    let small = Graph::with_room(mesh.network(), stored.len() - 1);
    let history = writing::restore(small, &mesh.node(0).author(), &stored).unwrap();
    assert_eq!(history.graph.len(), stored.len() - 1);
    assert!(matches!(history.cut, Some(Error::GraphFull { .. })), "the own chain is incomplete");
}

#[test]
fn one_author_cannot_fill_the_history_with_answers_either() {
    let mut mesh = Mesh::running(101, 1);
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.greet(&mut mesh, 0);
    let vertices = [1, 2, 3].map({
        let mut last = stranger.identity.clone();
        move |tag| {
            last = stranger.next(&last, tag);
            last.clone()
        }
    });
    let stranger = Stranger::new(1, mesh.network());
    let now = mesh.now(0);
    while node_mut(&mut mesh, 0).takes_answered(&vertices[0], now) {}
    let before = mesh.node(0).graph().len();
    let (peer, heads) = (stranger.transport.clone(), [vertices[2].id()]);
    let node = node_mut(&mut mesh, 0);
    node.sync.on_heads(&peer, &heads, &node.graph);
    let answer = |mesh: &mut Mesh| {
        mesh.give(0, Input::Tick);
        let bytes = vertices.iter().map(|signed| signed.encode().into()).collect();
        let bytes = Response::Vertices(Vertices { vertices: bytes, more: false }).encode();
        for request in mesh.node(0).peers.requests_to(&peer) {
            mesh.give(0, Input::Response { request, result: Ok(bytes.clone()) });
        }
    };
    answer(&mut mesh);
    assert_eq!(mesh.node(0).graph().len(), before);
    // Once above, until it was spent, and once for the answer.
    assert_eq!(mesh.node(0).counters.snapshot()["answer-author-rate"], 2);
    mesh.now_ms += 1_000;
    answer(&mut mesh);
    assert_eq!(mesh.node(0).graph().len(), before + 3, "a rate delays, it does not condemn");
    assert!(mesh.node(0).peers.get(&peer).is_some());
}

#[test]
fn what_cannot_be_done_now_does_not_spin() {
    let mut mesh = Mesh::new(91, 6);
    mesh.faults.deaf = true;
    let addresses: Vec<String> = (1..6).map(|member| mesh.address(member)).collect();
    mesh.start_with(0, addresses.clone());
    let before = mesh.members[0].effects;
    mesh.run_for(20_000);
    let effects = mesh.members[0].effects - before;
    assert!(effects < 100, "{effects} effects while dials wait for an answer");

    let mut mesh = Mesh::new(92, 6);
    mesh.members[0].store.is_full = true;
    mesh.start_with(0, addresses);
    let before = mesh.members[0].effects;
    mesh.run_for(60_000);
    let effects = mesh.members[0].effects - before;
    assert!(effects < 100, "{effects} effects while the identity cannot be written");
}

#[test]
fn runs_of_others_that_have_ended_make_room_for_watching_new_ones() {
    let mut mesh = Mesh::running(98, 3);
    for number in 0..=limits::RUNS_WATCHED_MAX {
        let mut spec = tiny_run(1, 2);
        spec.name = format!("run-{number}");
        let run = mesh.start_run(0, spec);
        mesh.run_for(500);
        mesh.join(1, &run);
        mesh.finish(&run, &[0, 1], 60_000);
        mesh.run_for(5_000);
        assert_eq!(round(&mesh, 2, &run), 1, "run {number}");
    }
}

/// Whoever has the link can start runs. Every node fetched and kept all the blobs of the first
/// eight, however large.
#[test]
fn runs_of_strangers_fill_no_more_than_their_share_of_the_store() {
    let mut mesh = Mesh::running(102, 3);
    let run = mesh.start_run(0, tiny_run(12, 2));
    mesh.run_for(500);
    mesh.join(1, &run);
    assert!(mesh.run_until(30_000, |mesh| round(mesh, 2, &run) >= 2));
    let following = |mesh: &Mesh| mesh.node(2).following[&run].bytes;
    let stored: usize = mesh.members[2].store.blobs.values().map(Vec::len).sum();
    assert!(following(&mesh) >= stored.try_into().unwrap(), "everything is counted");
    node_mut(&mut mesh, 2).following.get_mut(&run).unwrap().bytes = limits::WATCHED_BYTES_MAX;
    mesh.run_for(50);
    let before = (round(&mesh, 2, &run), mesh.members[2].store.blobs.len());
    mesh.finish(&run, &[0, 1], 60_000);
    mesh.run_for(5_000);
    let after = (round(&mesh, 2, &run), mesh.members[2].store.blobs.len());
    assert!(after.0 <= before.0 + 1 && after.1 <= before.1 + 4, "{before:?} {after:?}");
    let warned = |event: &Event| matches!(event, Event::Warning(p) if p.code == "watching-full");
    assert!(mesh.members[2].events.iter().any(warned));
    // What the owner asks about is not a stranger's any more.
    mesh.command(2, Command::Model { run: run.to_string() });
    mesh.finish(&run, &[2], 60_000);
}
