//! Nodes that compare their histories by ranges, and peers that abuse it.

use super::mesh::Mesh;
use super::stranger::Stranger;
use crate::dag::{SignedVertex, VertexId};
use crate::effect::{Effect, Input};
use crate::limits;
use crate::message::{Heads, Ranges, Refusal, Request, Response, Vertices};

/// Vertices of each stranger's chain.
const LENGTH: usize = 25;

fn chain(seed: u64, mesh: &Mesh) -> Vec<SignedVertex> {
    let stranger = Stranger::new(seed, mesh.network());
    let mut chain = vec![stranger.identity.clone()];
    while chain.len() < LENGTH {
        chain.push(stranger.next(&chain[chain.len() - 1], 0));
    }
    chain
}

fn store(mesh: &mut Mesh, member: usize, vertices: &[SignedVertex]) {
    let vertices = vertices.iter().map(|signed| (signed.id(), signed.encode()));
    mesh.members[member].store.vertices.extend(vertices);
}

/// Ninety authors, of whom each member knows half no further than their first steps.
#[test]
fn histories_that_grew_apart_by_a_thousand_vertices_meet_in_few_round_trips() {
    let mut mesh = Mesh::new(70, 2);
    for seed in 0..90_u8 {
        let chain = chain(u64::from(seed), &mesh);
        let (ahead, behind) = (usize::from(seed % 2), usize::from(1 - seed % 2));
        store(&mut mesh, ahead, &chain);
        store(&mut mesh, behind, &chain[..2]);
    }
    mesh.start(0);
    mesh.start(1);
    let whole = 90 * LENGTH + 2;
    assert!(mesh.node(0).graph().len() < whole - 1_000);
    let met = mesh
        .run_until(60_000, |mesh| (0..2).all(|member| mesh.node(member).graph().len() == whole));
    assert!(met, "{:?}", (0..2).map(|n| mesh.node(n).graph().len()).collect::<Vec<_>>());
    for member in 0..2 {
        let rounds = mesh.asked.get(&(member, "ranges")).copied().unwrap_or(0);
        assert!((1..=8).contains(&rounds), "{rounds} round trips");
        let fetches = mesh.asked.get(&(member, "vertices")).copied().unwrap_or(0);
        assert!(fetches <= 1_100 / limits::REQUEST_VERTICES_MAX + 2, "{fetches} fetches");
        assert!(
            mesh.node(member).counters.snapshot().keys().all(|cause| !cause.starts_with("peer"))
        );
    }
    mesh.run_for(20_000);
    let after = mesh.asked.get(&(0, "ranges")).copied().unwrap_or(0);
    assert!(after < 30, "equal histories are not compared for long: {after}");
}

#[test]
fn messages_that_are_no_ranges_are_refused_and_end_in_a_ban() {
    let mut mesh = Mesh::running(71, 1);
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.greet(&mut mesh, 0);
    let sound = Request::Ranges(Ranges { message: vec![0x61, 0, 0, 2, 0] });
    let answer = stranger.request(&mut mesh, 0, &sound);
    assert!(matches!(answer, Some(Response::Ranges(ranges)) if ranges.message.len() > 64));
    for message in [vec![], vec![0x61, 0, 0, 2, 9], vec![0x61, 0, 0, 7], vec![0x61, 0x80]] {
        assert!(mesh.node(0).peers.get(&stranger.transport).is_some());
        let request = Request::Ranges(Ranges { message });
        assert_eq!(stranger.refusal(&mut mesh, 0, &request), Refusal::Malformed);
    }
    assert!(mesh.node(0).peers.get(&stranger.transport).is_none(), "four times is enough");
    let counters = mesh.node(0).counters.snapshot();
    assert_eq!((counters["ranges-truncated"], counters["peer-banned"]), (2, 1));
}

#[test]
fn comparing_histories_is_paid_for_by_who_asks() {
    let mut mesh = Mesh::running(72, 1);
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.greet(&mut mesh, 0);
    let mut message = vec![0x61];
    for _ in 0..3_000 {
        message.extend([1, 0, 1]);
        message.extend([7; 16]);
    }
    let request = Request::Ranges(Ranges { message });
    assert!(matches!(stranger.request(&mut mesh, 0, &request), Some(Response::Ranges(_))));
    let mut answered = 1;
    while let Some(Response::Ranges(_)) = stranger.request(&mut mesh, 0, &request) {
        answered += 1;
        assert!(answered < 50, "it is told to wait");
    }
    assert!(mesh.node(0).peers.get(&stranger.transport).is_some(), "to ask is no offence");
}

/// The request of a kind that a member has just sent to a peer, with its number.
fn sent(effects: &[Effect], stranger: &Stranger, wanted: impl Fn(&Request) -> bool) -> Option<u64> {
    effects.iter().find_map(|effect| match effect {
        Effect::Request { peer, request, bytes } if *peer == stranger.transport => {
            wanted(&Request::decode(bytes).unwrap()).then_some(*request)
        }
        _ => None,
    })
}

/// A stranger that told as many heads as one can, and the question about ranges that it got.
fn asked_for_ranges(mesh: &mut Mesh) -> (Stranger, u64) {
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.greet(mesh, 0);
    let heads = vec![mesh.node(0).graph().heads()[0]; limits::HEADS_MAX];
    let told = Request::Heads(Heads { heads, peers: Vec::new() }).encode();
    let peer = stranger.transport.clone();
    let effects = mesh.poke(0, Input::Request { peer, token: 1 << 40, bytes: told });
    let request = sent(&effects, &stranger, |request| matches!(request, Request::Ranges(_)));
    (stranger, request.unwrap())
}

#[test]
fn a_peer_that_lists_what_it_does_not_have_costs_one_request() {
    let mut mesh = Mesh::running(73, 1);
    let (stranger, request) = asked_for_ranges(&mut mesh);
    let mut message = vec![0x61, 0, 0, 2, 0x87, 0x68];
    (0..1_000_u16).for_each(|n| message.extend(VertexId::of(&n.to_le_bytes()).0.0));
    let answer = Response::Ranges(Ranges { message }).encode();
    let effects = mesh.poke(0, Input::Response { request, result: Ok(answer) });
    let most = limits::REQUEST_VERTICES_MAX;
    let request = sent(
        &effects,
        &stranger,
        |request| matches!(request, Request::Vertices(want) if want.ids.len() == most),
    );
    let nothing = Response::Vertices(Vertices { vertices: Vec::new(), more: false }).encode();
    let effects = mesh.poke(0, Input::Response { request: request.unwrap(), result: Ok(nothing) });
    assert_eq!(sent(&effects, &stranger, |_| true), None, "nothing more is asked of it");
    let counters = mesh.node(0).counters.snapshot();
    assert_eq!((counters["listed-vertex-kept-back"], counters["peer-useless-answer"]), (1, 1));
    assert!(!mesh.node(0).sync.is_reconciling());
}

#[test]
fn an_answer_that_is_no_ranges_is_the_peers_fault() {
    let mut mesh = Mesh::running(74, 1);
    let (_, request) = asked_for_ranges(&mut mesh);
    let answer = Response::Ranges(Ranges { message: vec![0x61, 0, 0, 9] }).encode();
    mesh.poke(0, Input::Response { request, result: Ok(answer) });
    let counters = mesh.node(0).counters.snapshot();
    assert_eq!((counters["ranges-mode"], counters["peer-malformed-message"]), (1, 1));
    assert!(!mesh.node(0).sync.is_reconciling());
}
