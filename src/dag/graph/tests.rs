//! The graph: acceptance, parking, equivocation, bounds, and independence of the order of arrival.

mod covered;
mod entrants;

use proptest::prelude::*;

use super::*;
use crate::dag::tests::{Author, NETWORK, NOW, fork, graph_of, insert, note, peer, put_on};
use crate::dag::{Fault, NetworkId};
use crate::rng::Rng;

fn names(vertices: &[SignedVertex]) -> Vec<VertexId> {
    vertices.iter().map(SignedVertex::id).collect()
}

/// Parents that parked vertices wait for and that are not parked themselves.
fn missing(graph: &Graph) -> Vec<VertexId> {
    graph.orphans.awaited().filter(|id| !graph.orphans.contains(id)).copied().collect()
}

/// A chain of `count` vertices by one author, the identity first.
fn chain(author: &Author, count: usize) -> Vec<SignedVertex> {
    let mut graph = graph_of(&[author]);
    for number in 1..count {
        author.write(&mut graph, vec![note(u8::try_from(number % 256).unwrap())]);
    }
    graph.iter().cloned().collect()
}

/// A vertex like `vertex`, with one field changed and signed by its author as a liar would.
fn resigned(
    author: &Author,
    vertex: &SignedVertex,
    change: impl FnOnce(&mut Vertex),
) -> SignedVertex {
    let mut vertex = vertex.vertex().clone();
    change(&mut vertex);
    author.sign(&vertex)
}

#[test]
fn a_chain_is_accepted_and_its_end_is_the_only_head() {
    let author = Author::new(1);
    let vertices = chain(&author, 5);
    let mut graph = Graph::new(NETWORK);
    for vertex in &vertices {
        assert_eq!(insert(&mut graph, vertex), Ok(Insert::Accepted(vec![vertex.id()])));
        assert_eq!(insert(&mut graph, vertex), Ok(Insert::Duplicate));
    }
    assert_eq!(graph.heads(), vec![vertices[4].id()]);
    let chain = graph.author(&author.id).unwrap();
    assert_eq!((chain.tip, chain.next_seq), (vertices[4].citation(), 5));
    assert_eq!((chain.at(2), chain.at(5)), (Some(vertices[2].id()), None));
    assert_eq!(graph.iter().map(SignedVertex::id).collect::<Vec<_>>(), names(&vertices));
    assert_eq!((graph.len(), graph.lamport_max), (5, 5));
}

#[test]
fn a_new_vertex_joins_every_head_and_knows_its_place() {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&a, &b]);
    let vertex = a.next(&graph, vec![note(1)]);
    assert!(vertex.vertex().parent_ids().eq(graph.heads()));
    assert_eq!((vertex.vertex().seq, vertex.vertex().lamport), (1, 2));
    insert(&mut graph, &vertex).unwrap();
    assert_eq!(graph.heads(), vec![vertex.id()]);
}

#[test]
fn at_most_sixteen_heads_are_joined_the_own_last_vertex_always() {
    let authors: Vec<Author> = (1..=20).map(Author::new).collect();
    let mut graph = graph_of(&authors.iter().collect::<Vec<_>>());
    let me = &authors[19];
    let first = me.next(&graph, vec![note(1)]);
    assert_eq!(first.vertex().parents.len(), limits::VERTEX_PARENTS_MAX);
    assert!(first.vertex().parents.contains(&me.identity().citation()));
    insert(&mut graph, &first).unwrap();
    let second = me.write(&mut graph, vec![note(2)]);
    assert_eq!(second.vertex().parents.len(), 1 + 4, "the rest is joined one vertex later");
    assert_eq!(graph.heads(), vec![second.id()]);
}

#[test]
fn children_wait_for_their_parents_and_come_out_in_causal_order() {
    let author = Author::new(1);
    let vertices = chain(&author, 5);
    let mut graph = Graph::new(NETWORK);
    for index in [4, 2, 3, 1] {
        let missing = match insert(&mut graph, &vertices[index]) {
            Ok(Insert::Parked { missing }) => missing,
            other => panic!("{other:?}"),
        };
        let expected = if index == 3 { vec![] } else { vec![vertices[index - 1].id()] };
        assert_eq!(missing, expected, "a parked parent is not asked for again");
        assert_eq!(insert(&mut graph, &vertices[index]), Ok(Insert::Duplicate));
    }
    assert_eq!((graph.parked(), missing(&graph)), (4, vec![vertices[0].id()]));
    let accepted = insert(&mut graph, &vertices[0]).unwrap();
    assert_eq!(accepted, Insert::Accepted(names(&vertices)));
    assert_eq!((graph.parked(), missing(&graph)), (0, vec![]));
}

#[test]
fn a_vertex_of_another_network_is_refused() {
    let author = Author::new(1);
    let mut graph = Graph::new(NetworkId::from_bytes([8; 32]));
    let error = insert(&mut graph, &author.identity()).unwrap_err();
    assert_eq!((error.code(), error.fault()), ("vertex-wrong-network", Fault::WrongNetwork));
    assert!(graph.is_empty());
}

#[test]
fn what_is_said_of_a_parent_has_to_be_in_it() {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&a, &b]);
    let of_b = b.write(&mut graph, vec![note(1)]);
    let good = a.next(&graph, vec![note(2)]);
    let lies: [fn(&mut Citation); 4] = [
        |cited| cited.lamport -= 1,
        |cited| cited.seq += 1,
        |cited| cited.seq -= 1,
        |cited| cited.author = Author::new(1).id,
    ];
    for (index, lie) in lies.into_iter().enumerate() {
        let bad = resigned(&a, &good, |v| {
            let cited = v.parents.iter_mut().find(|cited| cited.id == of_b.id()).unwrap();
            lie(cited);
            v.lamport = 1 + v.parents.iter().map(|cited| cited.lamport).max().unwrap();
        });
        let error = insert(&mut graph, &bad).unwrap_err();
        assert_eq!(error, Error::Citation { id: of_b.id() }, "row {index}");
        assert!(!error.fault().blames_sender(), "who knows a later checkpoint may have taken it");
    }
    assert_eq!(insert(&mut graph, &good), Ok(Insert::Accepted(vec![good.id()])));
}

#[test]
fn a_key_that_does_not_hash_to_the_author_is_never_believed() {
    let (victim, mallory) = (Author::new(1), Author::new(2));
    let mut fields = mallory.identity().vertex().clone();
    fields.author = victim.id;
    // Signed by hand: the honest path refuses to.
    let bytes = crate::dag::cbor::encode(&fields).unwrap();
    let claim = crate::dag::vertex::Claim(NETWORK, victim.id, 0, VertexId::of(&bytes)).encode();
    let signature = mallory.key.sign(crate::crypto::sign::Context::Vertex, &claim, [0; 32]);
    let bad = SignedVertex::from_parts(bytes, signature).unwrap();
    let error = insert(&mut Graph::new(NETWORK), &bad).unwrap_err();
    assert_eq!(error.code(), "vertex-identity");
}

#[test]
fn a_binding_must_verify_and_counts_if_it_is_newer() {
    let author = Author::new(1);
    let mut graph = graph_of(&[&author]);
    assert_eq!(graph.author(&author.id).unwrap().binding.epoch, 0);
    author.write(&mut graph, vec![Payload::Binding(author.binding(3))]);
    author.write(&mut graph, vec![note(1)]);
    assert_eq!(graph.author(&author.id).unwrap().binding.epoch, 3);
    for epoch in [0, 3, 2] {
        author.write(&mut graph, vec![Payload::Binding(author.binding(epoch))]);
        assert_eq!(graph.author(&author.id).unwrap().binding.epoch, 3);
    }
    let foreign = author.next(&graph, vec![Payload::Binding(Author::new(2).binding(9))]);
    assert_eq!(insert(&mut graph, &foreign).unwrap_err().fault(), Fault::BadSignature);
    assert_eq!(graph.author(&author.id).unwrap().binding.epoch, 3);
}

#[test]
fn a_bad_signature_is_refused_before_parking() {
    let author = Author::new(1);
    let vertices = chain(&author, 4);
    let mut graph = graph_of(&[&author]);
    let wrong = vertices[2].signature().clone();
    let bad = SignedVertex::from_parts(vertices[3].bytes().to_vec(), wrong).unwrap();
    assert_eq!(insert(&mut graph, &bad).unwrap_err().fault(), Fault::BadSignature);
    assert_eq!(graph.parked(), 0);
    assert!(matches!(insert(&mut graph, &vertices[3]), Ok(Insert::Parked { .. })));
}

#[test]
fn a_forged_vertex_of_an_unknown_author_is_found_out_when_the_key_arrives() {
    let author = Author::new(1);
    let vertices = chain(&author, 2);
    let wrong = vertices[0].signature().clone();
    let forged = SignedVertex::from_parts(vertices[1].bytes().to_vec(), wrong).unwrap();
    let mut graph = Graph::new(NETWORK);
    assert!(matches!(insert(&mut graph, &forged), Ok(Insert::Parked { .. })));
    insert(&mut graph, &vertices[0]).unwrap();
    let notices = graph.drain_notices();
    assert!(
        matches!(&notices[..], [Notice::Rejected { id, error, .. }]
            if *id == vertices[1].id() && error.fault() == Fault::BadSignature),
        "{notices:?}"
    );
    assert_eq!(
        insert(&mut graph, &vertices[1]),
        Ok(Insert::Accepted(vec![vertices[1].id()])),
        "the forgery does not keep the true vertex out"
    );
}

#[test]
fn a_vertex_of_an_unknown_author_on_somebody_elses_chain_is_refused_when_its_parents_arrive() {
    let (known, unknown) = (Author::new(1), Author::new(2));
    let vertices = chain(&known, 2);
    let stray = resigned(&unknown, &vertices[1], |v| {
        v.author = unknown.id;
        put_on(v, &[&vertices[1]]);
        v.parents[0].author = unknown.id;
    });
    let mut graph = graph_of(&[&known]);
    assert!(matches!(insert(&mut graph, &stray), Ok(Insert::Parked { .. })));
    insert(&mut graph, &vertices[1]).unwrap();
    let notices = graph.drain_notices();
    assert!(
        matches!(&notices[..], [Notice::Rejected { error: Error::Citation { .. }, .. }]),
        "{notices:?}"
    );
    assert_eq!(insert(&mut graph, &stray).unwrap_err().code(), "vertex-citation");
    assert_eq!(graph.len(), 2);
}

#[test]
fn a_made_up_author_cannot_have_a_fork_accepted() {
    let liar = Author::new(2);
    let mut graph = graph_of(&[&liar]);
    let (one, other) = (fork(&liar, 1), fork(&liar, 2));
    let cites = resigned(&Author::new(3), &other, |v| {
        (v.author, v.seq, v.lamport) = (Author::new(3).id, 2, 3);
        let id = VertexId::of(b"made up");
        v.prev = Some(id);
        let made_up = Citation { id, author: v.author, seq: 1, lamport: 2 };
        v.parents = vec![other.citation(), made_up];
        v.parents.sort_unstable();
    });
    insert(&mut graph, &one).unwrap();
    assert!(matches!(insert(&mut graph, &cites), Ok(Insert::Parked { .. })));
    assert!(matches!(insert(&mut graph, &other), Ok(Insert::Equivocated(_))));
}

#[test]
fn what_waits_for_an_invalid_vertex_is_dropped_with_it() {
    let author = Author::new(1);
    let vertices = chain(&author, 2);
    let foreign = Payload::Binding(Author::new(2).binding(1));
    let bad = resigned(&author, &vertices[1], |v| v.payloads = vec![foreign]);
    let child = resigned(&author, &vertices[1], |v| put_on(v, &[&bad]));
    let mut graph = graph_of(&[&author]);
    assert!(matches!(insert(&mut graph, &child), Ok(Insert::Parked { .. })));
    assert_eq!(insert(&mut graph, &bad).unwrap_err().fault(), Fault::BadSignature);
    assert_eq!((graph.parked(), missing(&graph)), (0, vec![]));
}

#[test]
fn two_vertices_for_one_position_end_their_author() {
    let (honest, liar) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&honest, &liar]);
    let (one, other) = (fork(&liar, 1), fork(&liar, 2));
    insert(&mut graph, &one).unwrap();
    let Ok(Insert::Equivocated(proof)) = insert(&mut graph, &other) else { panic!("a proof") };
    assert_eq!(proof.verify(), Ok(()));
    assert_eq!((proof.author(), proof.seq()), (liar.id, 1));
    assert_eq!(graph.equivocated(&liar.id), Some(1));
    assert_eq!(graph.drain_notices(), vec![Notice::Equivocation(proof.clone())]);
    assert!(!graph.contains(&other.id()), "the second is not kept");

    let error = insert(&mut graph, &other).unwrap_err();
    assert_eq!((error.code(), error.fault()), ("author-ended", Fault::Ended));
    assert!(!error.fault().blames_sender(), "who forwards it may not know");
    assert!(graph.next_vertex(liar.id, vec![note(3)], NOW).is_err());

    assert!(!graph.has_proof(&liar.id));
    honest.write(&mut graph, vec![proof.to_payload()]);
    assert!(graph.has_proof(&liar.id));
}

#[test]
fn a_proof_in_the_history_ends_the_author_for_whoever_reads_it() {
    let (honest, liar) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&honest, &liar]);
    let next = liar.next(&graph, vec![note(9)]);
    let proof = EquivocationProof::of(&fork(&liar, 1), &fork(&liar, 2), liar.key.public()).unwrap();
    honest.write(&mut graph, vec![proof.to_payload()]);
    assert_eq!(insert(&mut graph, &next).unwrap_err().code(), "author-ended");
    assert_eq!(graph.drain_notices(), vec![Notice::Equivocation(proof)]);
    assert!(graph.has_proof(&liar.id), "so that nobody has to write it again");
}

#[test]
fn a_forged_proof_ends_its_author_nowhere() {
    let (mallory, victim) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&mallory, &victim]);
    let proof =
        EquivocationProof::of(&fork(&victim, 1), &fork(&victim, 2), victim.key.public()).unwrap();
    let Payload::Equivocation { public_key, first, mut second } = proof.to_payload() else {
        panic!("a proof")
    };
    *second.last_mut().unwrap() ^= 1;
    let forged = Payload::Equivocation { public_key, first, second };
    let vertex = mallory.next(&graph, vec![forged]);
    assert_eq!(insert(&mut graph, &vertex).unwrap_err().fault(), Fault::BadSignature);
    assert_eq!(graph.equivocated(&victim.id), None);
}

/// Keys and proofs against them cost nothing to make up, and every dropped vertex says which are
/// behind it.
#[test]
fn a_proof_against_who_is_not_among_the_parents_is_refused() {
    let (mallory, liar, nobody) = (Author::new(1), Author::new(2), Author::new(3));
    let mut graph = graph_of(&[&mallory, &liar]);
    let proof = |of: &Author| {
        let proof = EquivocationProof::of(&fork(of, 1), &fork(of, 2), of.key.public());
        vec![proof.unwrap().to_payload()]
    };
    let refused = graph.next_vertex(mallory.id, proof(&nobody), NOW).unwrap_err();
    assert_eq!(refused.code(), "equivocation-proof", "and is not written here");
    let next = mallory.next(&graph, vec![note(1)]);
    let made_up = resigned(&mallory, &next, |v| v.payloads = proof(&nobody));
    let uncited = resigned(&mallory, &next, |v| {
        put_on(v, &[&mallory.identity()]);
        v.payloads = proof(&liar);
    });
    for vertex in [made_up, uncited] {
        let error = insert(&mut graph, &vertex).unwrap_err();
        assert_eq!((error.code(), error.fault()), ("equivocation-proof", Fault::Invalid));
    }
    assert_eq!((graph.ended().len(), graph.len()), (0, 2), "it ends nobody");
    let cited = resigned(&mallory, &next, |v| v.payloads = proof(&liar));
    assert_eq!(insert(&mut graph, &cited), Ok(Insert::Accepted(vec![cited.id()])));
}

#[test]
fn an_own_proof_cites_the_accused_among_however_many_heads() {
    let authors: Vec<Author> = (1..=40).map(Author::new).collect();
    let mut graph = graph_of(&authors.iter().collect::<Vec<_>>());
    let liars = authors.iter().rev().take(3);
    let proof = |of: &Author| EquivocationProof::of(&fork(of, 1), &fork(of, 2), of.key.public());
    let proofs = liars.clone().map(|liar| proof(liar).unwrap().to_payload()).collect();
    let vertex = authors[0].write(&mut graph, proofs);
    assert_eq!(vertex.vertex().parents.len(), limits::VERTEX_PARENTS_MAX);
    assert!(liars.clone().all(|liar| graph.has_proof(&liar.id)));
}

#[test]
fn a_fork_that_somebody_cites_is_accepted_on_both_sides() {
    let (here, there, liar) = (Author::new(1), Author::new(2), Author::new(3));
    // Two halves of a network, each told another story by the liar.
    let mut left = graph_of(&[&here, &there, &liar]);
    let mut right = graph_of(&[&here, &there, &liar]);
    let (one, other) = (fork(&liar, 1), fork(&liar, 2));
    insert(&mut left, &one).unwrap();
    insert(&mut right, &other).unwrap();
    let cites_one = here.write(&mut left, vec![note(1)]);
    let cites_other = there.write(&mut right, vec![note(2)]);

    // The halves meet.
    assert!(matches!(insert(&mut left, &other), Ok(Insert::Equivocated(_))));
    let Ok(Insert::Parked { missing }) = insert(&mut left, &cites_other) else { panic!("parked") };
    assert_eq!(missing, vec![other.id()]);
    let accepted = insert(&mut left, &other).unwrap();
    assert_eq!(accepted, Insert::Accepted(vec![other.id(), cites_other.id()]));
    assert!(matches!(insert(&mut right, &cites_one), Ok(Insert::Parked { .. })));
    assert!(matches!(insert(&mut right, &one), Ok(Insert::Accepted(_))));
    assert_eq!(left.heads(), right.heads());

    // After a proof nothing new of the liar is taken, unless somebody goes on citing it.
    let proof = EquivocationProof::of(&one, &other, liar.key.public()).unwrap();
    let told = here.write(&mut left, vec![proof.to_payload()]);
    let late = resigned(&liar, &one, |v| put_on(v, &[&one, &told]));
    assert_eq!(insert(&mut left, &late).unwrap_err().code(), "author-ended");
    let accomplice = resigned(&there, &cites_other, |v| put_on(v, &[&cites_other, &late]));
    assert!(matches!(insert(&mut left, &accomplice), Ok(Insert::Parked { .. })));
    let accepted = insert(&mut left, &late).unwrap();
    assert_eq!(accepted, Insert::Accepted(vec![late.id(), accomplice.id()]));
}

#[test]
fn what_others_accepted_of_an_ended_author_is_taken_in_answers() {
    let (honest, liar) = (Author::new(1), Author::new(2));
    let (mut knows, mut late) = (graph_of(&[&honest, &liar]), graph_of(&[&honest, &liar]));
    let (one, other) = (fork(&liar, 1), fork(&liar, 2));
    insert(&mut late, &one).unwrap();
    // The branch is long, and only its end is cited.
    let branch: Vec<SignedVertex> = (3..23).map(|n| liar.write(&mut late, vec![note(n)])).collect();
    let cites = honest.write(&mut late, vec![note(1)]);
    insert(&mut knows, &other).unwrap();
    assert!(matches!(insert(&mut knows, &one), Ok(Insert::Equivocated(_))));
    // Nobody gossips it to who knows. In an answer it comes as it was accepted, oldest first.
    assert_eq!(insert(&mut knows, &branch[0]).unwrap_err().code(), "author-ended");
    let peer = Source::Answer(TransportId::from_bytes(&[1, 9]).unwrap());
    for vertex in [&one].into_iter().chain(&branch).chain([&cites]) {
        let inserted = knows.insert(vertex.clone(), &peer, NOW).unwrap();
        assert!(matches!(inserted, Insert::Accepted(_)), "{inserted:?}");
    }
}

#[test]
fn ending_an_author_drops_what_only_the_author_cites() {
    let liar = Author::new(2);
    let mut graph = graph_of(&[&liar]);
    let (one, other) = (fork(&liar, 1), fork(&liar, 2));
    let child = resigned(&liar, &other, |v| put_on(v, &[&other]));
    insert(&mut graph, &one).unwrap();
    assert!(matches!(insert(&mut graph, &child), Ok(Insert::Parked { .. })));
    assert!(matches!(insert(&mut graph, &other), Ok(Insert::Equivocated(_))));
    assert_eq!((graph.parked(), graph.len()), (0, 2));
}

#[test]
fn unproven_vertices_of_one_peer_are_few() {
    let mut graph = Graph::new(NETWORK);
    let vertices: Vec<SignedVertex> = (1..=40).map(|seed| fork(&Author::new(seed), 1)).collect();
    let results: Vec<_> = vertices.iter().map(|vertex| insert(&mut graph, vertex)).collect();
    let parked = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(parked, limits::ORPHANS_UNPROVEN_PER_PEER_MAX);
    let error = results.last().unwrap().clone().unwrap_err();
    assert_eq!((error.code(), error.fault()), ("orphans-full", Fault::Full));
    assert!(graph.insert(vertices[39].clone(), &peer(1), NOW).is_ok(), "another peer has its own");
}

#[test]
fn one_author_cannot_fill_the_pool() {
    let author = Author::new(1);
    let vertices = chain(&author, limits::ORPHANS_PER_AUTHOR_MAX + 3);
    let mut graph = graph_of(&[&author]);
    for vertex in &vertices[2..] {
        let _ = insert(&mut graph, vertex);
    }
    assert_eq!(graph.parked(), limits::ORPHANS_PER_AUTHOR_MAX);
}

/// A simulated member flooded its own share, and what others had built on its earlier vertices
/// never came.
#[test]
fn an_author_that_fills_its_share_keeps_nobody_waiting() {
    let (flooder, other) = (Author::new(1), Author::new(2));
    let vertices = chain(&flooder, limits::ORPHANS_PER_AUTHOR_MAX + 5);
    let mut graph = graph_of(&[&flooder, &other]);
    for vertex in &vertices[4..] {
        let _ = insert(&mut graph, vertex);
    }
    let error = insert(&mut graph, &vertices[3]).unwrap_err();
    assert_eq!(error.code(), "orphans-full");
    let child =
        resigned(&other, &fork(&other, 1), |v| put_on(v, &[&other.identity(), &vertices[3]]));
    assert!(matches!(insert(&mut graph, &child), Ok(Insert::Parked { .. })));
    assert!(matches!(insert(&mut graph, &vertices[3]), Ok(Insert::Parked { .. })));
    for vertex in &vertices[1..3] {
        insert(&mut graph, vertex).unwrap();
    }
    assert!(graph.contains(&child.id()));
}

#[test]
fn the_pool_is_bounded_and_makes_room_at_the_expense_of_who_fills_it() {
    let authors: Vec<Author> = (1..=12).map(Author::new).collect();
    let mut graph = graph_of(&authors.iter().collect::<Vec<_>>());
    for (index, author) in authors.iter().take(11).enumerate() {
        let sender = peer(u8::try_from(index % 5).unwrap());
        for vertex in &chain(author, 120)[2..] {
            let _ = graph.insert(vertex.clone(), &sender, NOW);
        }
    }
    assert_eq!(graph.parked(), limits::ORPHANS_MAX);
    let newcomer = &chain(&authors[11], 3)[2];
    let outcome = graph.insert(newcomer.clone(), &peer(200), NOW);
    assert!(matches!(outcome, Ok(Insert::Parked { .. })), "{outcome:?}");
    assert_eq!(graph.parked(), limits::ORPHANS_MAX);
    let Source::Peer(first) = peer(0) else { panic!() };
    graph.forget_peer(&first);
    assert!(graph.parked() < limits::ORPHANS_MAX);
}

#[test]
fn one_author_fills_no_more_than_its_share_unless_others_cite_it() {
    let (busy, other) = (Author::new(1), Author::new(2));
    let vertices = chain(&busy, 5);
    let mut graph = Graph::with_share(NETWORK, 3);
    for vertex in vertices[..3].iter().chain([&other.identity()]) {
        insert(&mut graph, vertex).unwrap();
    }
    let error = insert(&mut graph, &vertices[3]).unwrap_err();
    assert_eq!((error.code(), error.fault()), ("author-full", Fault::Full));
    assert!(!error.fault().blames_sender());
    let own = graph.next_vertex(busy.id, vec![note(9)], NOW).unwrap_err();
    assert_eq!(own.code(), "author-full", "nobody would take it");
    // Its own next vertex, sent first, is no reason to take one more.
    assert_eq!(insert(&mut graph, &vertices[4]).unwrap_err().code(), "author-full");
    assert_eq!(insert(&mut graph, &vertices[3]).unwrap_err().code(), "author-full");
    // Somebody who had room for it cites it, and is not cut off for that.
    let mut roomy = graph_of(&[&other]);
    vertices.iter().take(4).for_each(|vertex| drop(insert(&mut roomy, vertex).unwrap()));
    let cites = other.next(&roomy, vec![note(1)]);
    assert!(matches!(insert(&mut graph, &cites), Ok(Insert::Parked { .. })));
    assert_eq!(
        insert(&mut graph, &vertices[3]),
        Ok(Insert::Accepted(vec![vertices[3].id(), cites.id()]))
    );
    assert_eq!(
        view(&graph),
        view(&{
            let mut whole = roomy;
            insert(&mut whole, &cites).unwrap();
            whole
        })
    );
}

#[test]
fn an_own_time_never_goes_back_behind_a_parent_and_nobody_drags_it_far_ahead() {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&a, &b]);
    let time_of =
        |graph: &Graph, now: Now| graph.next_vertex(b.id, vec![note(1)], now).unwrap().time_ms;
    let later = NOW.plus_ms(5_000);
    let ahead = graph.next_vertex(a.id, vec![note(1)], later).unwrap();
    insert(&mut graph, &a.sign(&ahead)).unwrap();
    assert_eq!(time_of(&graph, NOW), later.unix_ms, "a parent's clock was a little ahead");
    assert_eq!(time_of(&graph, NOW.plus_ms(6_000)), NOW.unix_ms + 6_000);
    let century = graph.next_vertex(a.id, vec![note(2)], NOW).unwrap();
    let century = a.sign(&Vertex { time_ms: limits::VERTEX_NUMBER_MAX, ..century });
    insert(&mut graph, &century).expect("valid all the same");
    assert_eq!(time_of(&graph, NOW), NOW.unix_ms + limits::TIME_AHEAD_MS_MAX);
}

#[test]
fn parked_vertices_are_forgotten_after_a_while() {
    let author = Author::new(1);
    let vertices = chain(&author, 3);
    let mut graph = graph_of(&[&author]);
    insert(&mut graph, &vertices[2]).unwrap();
    assert_eq!(graph.expire(NOW.plus_ms(limits::ORPHAN_AGE_MS_MAX)), 0);
    assert_eq!(graph.expire(NOW.plus_ms(limits::ORPHAN_AGE_MS_MAX + 1)), 1);
    assert_eq!((graph.parked(), missing(&graph)), (0, vec![]));
}

#[test]
fn a_vertex_from_a_far_future_is_not_parked() {
    let author = Author::new(1);
    let vertices = chain(&author, 3);
    let mut graph = graph_of(&[&author]);
    let at = |lamport: u64| {
        resigned(&author, &vertices[2], |v| {
            (v.lamport, v.parents[0].lamport) = (lamport, lamport - 1);
        })
    };
    let error = insert(&mut graph, &at(limits::LAMPORT_WINDOW + 2)).unwrap_err();
    assert_eq!(error.fault(), Fault::FutureLamport);
    let near = at(limits::LAMPORT_WINDOW + 1);
    assert!(matches!(insert(&mut graph, &near), Ok(Insert::Parked { .. })));
}

#[test]
fn an_own_vertex_with_missing_parents_says_that_the_store_is_damaged() {
    let author = Author::new(1);
    let vertices = chain(&author, 3);
    let mut graph = graph_of(&[&author]);
    let error = graph.insert(vertices[2].clone(), &Source::Own, NOW).unwrap_err();
    assert_eq!(error.code(), "store-damaged");
}

#[test]
fn a_stored_history_is_restored_without_checking_signatures_again() {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&a, &b]);
    for number in 0..5 {
        a.write(&mut graph, vec![note(number)]);
        b.write(&mut graph, vec![note(number)]);
    }
    let mut restored = Graph::new(NETWORK);
    for vertex in graph.iter() {
        let read = SignedVertex::decode(&vertex.encode()).unwrap();
        restored.restore(read.clone()).unwrap();
        restored.restore(read).unwrap();
    }
    assert_eq!(restored.heads(), graph.heads());
    assert_eq!(restored.len(), graph.len());
    let next = a.next(&restored, vec![note(9)]);
    assert_eq!(insert(&mut graph, &next), Ok(Insert::Accepted(vec![next.id()])));

    let mut gap = Graph::new(NETWORK);
    let last = graph.iter().last().unwrap().clone();
    assert_eq!(gap.restore(last).unwrap_err().code(), "store-damaged");
}

#[test]
fn a_restored_history_still_knows_who_equivocated() {
    let (honest, liar) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&honest, &liar]);
    insert(&mut graph, &fork(&liar, 1)).unwrap();
    let Ok(Insert::Equivocated(proof)) = insert(&mut graph, &fork(&liar, 2)) else { panic!() };
    honest.write(&mut graph, vec![proof.to_payload()]);
    let mut restored = Graph::new(NETWORK);
    graph.iter().for_each(|vertex| restored.restore(vertex.clone()).unwrap());
    assert_eq!(restored.equivocated(&liar.id), Some(1));
    assert_eq!(insert(&mut restored, &fork(&liar, 2)).unwrap_err().code(), "author-ended");
}

#[test]
fn ancestors_are_what_is_behind_one_side_and_not_behind_the_other() {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&a, &b]);
    let one = a.write(&mut graph, vec![note(1)]);
    let two = b.write(&mut graph, vec![note(2)]);
    let three = a.write(&mut graph, vec![note(3)]);
    let found = |of: &[VertexId], known: &[VertexId]| -> Vec<VertexId> {
        graph.ancestors(of, known).0.iter().map(|signed| signed.id()).collect()
    };
    assert_eq!(found(&[three.id()], &[one.id()]), vec![two.id(), three.id()]);
    assert_eq!(found(&[three.id()], &[three.id()]), vec![]);
    assert_eq!(found(&[three.id()], &[]).len(), 5);
    assert_eq!(found(&[VertexId::of(b"unknown")], &[]), vec![]);
    assert_eq!(found(&[one.id()], &[VertexId::of(b"unknown"), b.identity().id()]).len(), 2);
}

/// Everything about a graph that must not depend on the order of arrival: its timeline, its heads,
/// and each author's last vertex, next position and epoch.
type View = (Vec<Key>, Vec<VertexId>, Vec<(AuthorId, VertexId, u64, u32)>);

fn view(graph: &Graph) -> View {
    let chains = graph
        .chains
        .iter()
        .map(|(id, chain)| (*id, chain.tip.id, chain.next_seq, chain.binding.epoch))
        .collect();
    (graph.timeline().iter().collect(), graph.heads(), chains)
}

/// Offers vertices again and again, in a new random order each time, as peers would, until nothing
/// more is accepted.
fn deliver(vertices: &[SignedVertex], rng: &mut Rng) -> Graph {
    let mut graph = Graph::new(NETWORK);
    let mut order: Vec<&SignedVertex> = vertices.iter().collect();
    loop {
        let before = graph.len();
        rng.shuffle(&mut order);
        for vertex in &order {
            let _ = insert(&mut graph, vertex);
        }
        if graph.len() == before && graph.parked() == 0 {
            return graph;
        }
        assert!(graph.len() > before || graph.parked() > 0);
    }
}

/// A history of several authors who do not always know the latest, all joined by one last vertex.
fn history(authors: &[Author], steps: usize, liars: usize, rng: &mut Rng) -> Vec<SignedVertex> {
    let everybody: Vec<&Author> = authors.iter().collect();
    let mut replicas: Vec<Graph> = authors.iter().map(|_| graph_of(&everybody)).collect();
    let pick = |rng: &mut Rng, count: usize| {
        usize::try_from(rng.below(u32::try_from(count).unwrap())).unwrap()
    };
    for step in 0..steps {
        let who = pick(rng, authors.len());
        // A liar writes on top of somebody else's view, where its last vertex may be missing.
        let view = if who < liars { pick(rng, authors.len()) } else { who };
        let number = u8::try_from(step % 256).unwrap();
        if let Ok(fields) = replicas[view].next_vertex(authors[who].id, vec![note(number)], NOW) {
            let vertex = authors[who].sign(&fields);
            let _ = insert(&mut replicas[view], &vertex);
        }
        let (from, to) = (pick(rng, authors.len()), pick(rng, authors.len()));
        let known: Vec<SignedVertex> = replicas[from].iter().cloned().collect();
        for _ in 0..2 {
            for vertex in &known {
                let _ = insert(&mut replicas[to], vertex);
            }
        }
    }
    // What no honest author came to know is nobody's duty to keep.
    let mut last = Graph::new(NETWORK);
    for _ in 0..3 {
        for replica in &replicas[liars..] {
            for vertex in replica.iter() {
                let _ = insert(&mut last, vertex);
            }
        }
    }
    let honest = authors.last().unwrap();
    while last.heads().len() > 1 {
        honest.write(&mut last, vec![note(0)]);
    }
    last.iter().cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_order_of_arrival_gives_the_same_graph(seed: u64) {
        let mut rng = Rng::from_u64(seed);
        let authors: Vec<Author> = (1..=4).map(Author::new).collect();
        let vertices = history(&authors, 24, 0, &mut rng);
        let (one, other) = (deliver(&vertices, &mut rng), deliver(&vertices, &mut rng));
        prop_assert_eq!(one.len(), vertices.len());
        prop_assert_eq!(view(&one), view(&other));
    }

    #[test]
    fn any_order_of_arrival_gives_the_same_graph_even_with_liars(seed: u64) {
        let mut rng = Rng::from_u64(seed);
        let authors: Vec<Author> = (1..=4).map(Author::new).collect();
        let vertices = history(&authors, 24, 2, &mut rng);
        let (one, other) = (deliver(&vertices, &mut rng), deliver(&vertices, &mut rng));
        prop_assert_eq!(one.len(), vertices.len());
        prop_assert_eq!(view(&one), view(&other));
    }

    #[test]
    fn what_is_behind_what_is_what_a_plain_walk_finds(seed: u64, liars in 0_usize..3) {
        let mut rng = Rng::from_u64(seed);
        let authors: Vec<Author> = (1..=4).map(Author::new).collect();
        let vertices = history(&authors, 24, liars, &mut rng);
        let graph = deliver(&vertices, &mut rng);
        // Whatever is behind each vertex, by name, itself included.
        let mut past: BTreeMap<VertexId, BTreeSet<VertexId>> = BTreeMap::new();
        for signed in graph.iter() {
            let before = signed.vertex().parent_ids().flat_map(|id| past[&id].clone());
            let mut all: BTreeSet<VertexId> = before.collect();
            all.insert(signed.id());
            past.insert(signed.id(), all);
        }
        for (head, behind) in &past {
            for id in past.keys() {
                prop_assert_eq!(graph.is_behind(id, &[*head]), behind.contains(id));
            }
            let (found, _) = graph.ancestors(&[*head], &[]);
            prop_assert_eq!(found.len(), behind.len());
        }
        let unknown = VertexId::of(b"unknown");
        prop_assert!(!graph.is_behind(&unknown, &graph.heads()));
        // The timeline is a causal order: whatever is behind a vertex comes before it.
        let place: BTreeMap<VertexId, usize> =
            graph.timeline().iter().enumerate().map(|(place, key)| (key.id, place)).collect();
        prop_assert_eq!(place.len(), graph.len());
        for (head, behind) in &past {
            prop_assert!(behind.iter().all(|id| place[id] <= place[head]));
        }
    }
}
