//! A graph that dropped vertices goes on exactly as one that did not.

use super::*;

/// Everything about a graph that must not depend on what it dropped.
type Whole = (View, Vec<AuthorId>, u64);

fn whole(graph: &Graph) -> Whole {
    let ended = graph.ended().map(|(author, _)| author).collect();
    (view(graph), ended, graph.lamport_max)
}

/// Drops vertices at random, whatever they are; what stays of them is added to `batches`.
fn drop_some(graph: &mut Graph, rng: &mut Rng, batches: &mut Vec<Stubs>) -> Vec<VertexId> {
    let salt = rng.below(256);
    let chosen = |signed: &SignedVertex| !(u32::from(signed.id().0.0[0]) ^ salt).is_multiple_of(3);
    let keep = usize::try_from(rng.below(6)).unwrap();
    let Some((stubs, ids)) = graph.prune(&graph.heads(), keep, chosen) else { return Vec::new() };
    assert!(ids.iter().all(|id| graph.get(id).is_none() && graph.contains(id)));
    batches.push(stubs);
    ids
}

/// The graph that a node makes of what its store has.
pub(super) fn restored(graph: &Graph, batches: &[Stubs]) -> Graph {
    let mut again = Graph::new(NETWORK);
    for stubs in batches {
        let bytes = crate::dag::cbor::encode(stubs).unwrap();
        let bounds =
            crate::dag::cbor::Bounds { bytes_max: 1 << 20, items_max: 4_096, depth_max: 8 };
        let stubs: Stubs = crate::dag::cbor::decode(&bytes, &bounds).unwrap();
        again.restore_stubs(&stubs).unwrap();
    }
    let mut kept: Vec<&SignedVertex> = graph.iter().collect();
    kept.sort_by_key(|signed| (signed.vertex().lamport, signed.id()));
    for signed in kept {
        again.restore(signed.clone()).unwrap();
    }
    again.restore_ended(&graph.ended().collect::<Vec<_>>());
    again
}

/// Whether a vertex was taken in, was there, waits, or was refused.
fn outcome(graph: &mut Graph, vertex: &SignedVertex) -> String {
    let ended = graph.ended().len();
    match insert(graph, vertex) {
        Ok(Insert::Accepted(ids)) => format!("{ids:?}"),
        Ok(Insert::Duplicate) => "duplicate".to_owned(),
        Ok(Insert::Parked { missing }) => format!("waits for {missing:?}"),
        Ok(Insert::Equivocated(proof)) => format!("ended {} {ended}", proof.author()),
        Err(Error::Ended { author, .. }) => format!("ended {author} {ended}"),
        Err(error) => error.code().to_owned(),
    }
}

fn sorted(mut ids: Vec<VertexId>) -> Vec<VertexId> {
    ids.sort_unstable();
    ids
}

#[test]
fn what_is_dropped_is_known_and_gone() {
    let author = Author::new(1);
    let vertices = chain(&author, 6);
    let mut graph = graph_of(&[&author]);
    for vertex in &vertices[1..] {
        insert(&mut graph, vertex).unwrap();
    }
    let before = (graph.size_bytes(), graph.timeline().len());
    let (_, ids) = graph.prune(&graph.heads(), 2, |_| true).unwrap();
    assert_eq!(ids, names(&vertices[1..4]), "not the identity, and not the newest two");
    assert_eq!((graph.len(), graph.dropped()), (3, 3));
    let freed: usize = vertices[1..4].iter().map(SignedVertex::size_bytes).sum();
    assert_eq!((graph.size_bytes(), graph.timeline().len()), (before.0 - freed, before.1));
    assert_eq!(insert(&mut graph, &vertices[2]), Ok(Insert::Duplicate));
    assert!(graph.is_dropped(&vertices[2].id()) && graph.get(&vertices[2].id()).is_none());
    assert!(graph.is_behind(&vertices[2].id(), &graph.heads()));
    assert_eq!(graph.prune(&graph.heads(), 0, |_| true).map(|(_, ids)| ids.len()), Some(1));
    assert_eq!(graph.len(), 2, "a head stays whatever happens");
    assert_eq!(graph.prune(&graph.heads(), 0, |_| true), None);
    author.write(&mut graph, vec![note(9)]);
    assert_eq!(graph.author(&author.id).unwrap().next_seq, 7);
}

#[test]
fn only_what_is_behind_the_frontier_is_dropped() {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&a, &b]);
    let first = a.write(&mut graph, vec![note(1)]);
    let second = b.write(&mut graph, vec![note(2)]);
    let third = a.write(&mut graph, vec![note(3)]);
    let (_, ids) = graph.prune(&[second.id()], 0, |_| true).unwrap();
    assert_eq!(ids, vec![first.id(), second.id()]);
    assert_eq!(graph.heads(), vec![third.id()]);
    let mut other = graph_of(&[&a, &b]);
    insert(&mut other, &first).unwrap();
    let unknown = third.id();
    assert_eq!(other.prune(&[unknown], 0, |_| true), None, "an unknown frontier covers nothing");
}

/// What had been kept was never found again behind the frontier: the way there had been dropped.
#[test]
fn what_was_kept_when_its_children_were_dropped_can_be_dropped_later() {
    let author = Author::new(1);
    let mut graph = graph_of(&[&author]);
    let kept = author.write(&mut graph, vec![note(0)]);
    for number in 1..6 {
        author.write(&mut graph, vec![note(number)]);
    }
    let (stubs, ids) = graph.prune(&graph.heads(), 1, |signed| signed.id() != kept.id()).unwrap();
    assert!(ids.len() == 4 && graph.get(&kept.id()).is_some());
    let mut again = restored(&graph, &[stubs]);
    for graph in [&mut graph, &mut again] {
        assert_eq!(graph.heads().len(), 1);
        let (_, ids) = graph.prune(&graph.heads(), 1, |_| true).unwrap();
        assert_eq!(ids, vec![kept.id()]);
    }
}

#[test]
fn a_second_vertex_for_a_dropped_position_ends_its_author() {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&a, &b]);
    let twin = a.next(&graph, vec![note(8)]);
    let first = a.write(&mut graph, vec![note(1)]);
    b.write(&mut graph, vec![note(2)]);
    assert!(graph.prune(&graph.heads(), 0, |signed| signed.id() == first.id()).is_some());
    let error = insert(&mut graph, &twin).unwrap_err();
    assert_eq!((error.code(), graph.equivocated(&a.id)), ("author-ended", Some(1)));
    assert!(graph.equivocated(&b.id).is_none());
}

#[test]
fn rules_hold_towards_dropped_parents() {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&a, &b]);
    a.write(&mut graph, vec![Payload::Binding(a.binding(3))]);
    let of_a = a.write(&mut graph, vec![note(1)]);
    let of_b = b.write(&mut graph, vec![note(2)]);
    b.write(&mut graph, vec![note(3)]);
    graph.prune(&graph.heads(), 0, |_| true).unwrap();
    assert!(graph.is_dropped(&of_a.id()) && graph.is_dropped(&of_b.id()));
    let good = a.next(&graph, vec![note(4)]);
    assert_eq!(good.vertex().prev, Some(of_a.id()));
    let table: [(&str, SignedVertex); 5] = [
        (
            "vertex-lamport",
            resigned(&a, &good, |v| {
                (v.parents, v.lamport) = (vec![of_a.id()], of_a.vertex().lamport + 2);
            }),
        ),
        ("vertex-chain", resigned(&a, &good, |v| v.seq += 1)),
        (
            "vertex-chain",
            resigned(&a, &good, |v| {
                v.prev = Some(of_b.id());
                v.parents.push(of_b.id());
                v.parents.sort_unstable();
            }),
        ),
        (
            "binding-epoch",
            resigned(&a, &good, |v| {
                v.payloads = vec![Payload::Binding(a.binding(3))];
            }),
        ),
        (
            "binding-epoch",
            resigned(&a, &good, |v| {
                v.payloads = vec![Payload::Binding(a.binding(2))];
            }),
        ),
    ];
    for (index, (code, bad)) in table.into_iter().enumerate() {
        assert_eq!(insert(&mut graph, &bad).unwrap_err().code(), code, "row {index}");
    }
    assert_eq!(insert(&mut graph, &good), Ok(Insert::Accepted(vec![good.id()])));
}

/// Each vertex after one more proof has other proofs behind it. Lists of names in full would take
/// the square of their number: 130 kB here, and more than a store takes at some 700.
#[test]
fn stubs_behind_ever_more_proofs_stay_small() {
    let authors: Vec<Author> = (1..=90).map(Author::new).collect();
    let mut graph = graph_of(&authors.iter().collect::<Vec<_>>());
    let liars = &authors[1..];
    for liar in liars {
        let proof = EquivocationProof::of(&fork(liar, 1), &fork(liar, 2), liar.key.public());
        authors[0].write(&mut graph, vec![proof.unwrap().to_payload()]);
        authors[0].write(&mut graph, vec![note(1)]);
    }
    let heads = graph.heads();
    let layer = graph.cover(&[&heads]).remove(0).0;
    let (stubs, ids) = graph.prune(&heads, 0, |_| true).unwrap();
    assert_eq!(ids.len(), liars.len() - 1, "all but those with proofs, and the last");
    for stubs in [&layer.stubs, &stubs] {
        let bytes = crate::dag::cbor::encode(stubs).unwrap().len();
        let most = 90 * authors.len() + (40 + authors.len() / 8 + 4) * stubs.len();
        assert!(bytes <= most, "{bytes} bytes of {} stubs", stubs.len());
    }
    let pruned = restored(&graph, &[stubs]);
    for (place, liar) in liars.iter().enumerate() {
        for near in [place.saturating_sub(1), place, ids.len() - 1] {
            let stub = ids[near.min(ids.len() - 1)];
            let next = resigned(liar, &fork(liar, 3), |v| {
                v.parents = sorted(vec![liar.identity().id(), stub]);
                v.lamport = 1 + pruned.place_of(&stub).unwrap().2;
            });
            let is_after = graph.check_past(&next).is_err();
            assert_eq!(pruned.check_past(&next).is_err(), is_after);
            assert_eq!(is_after, place <= near.min(ids.len() - 1), "{place} {near}");
        }
    }
}

#[test]
fn what_comes_after_a_proof_is_refused_through_dropped_vertices() {
    let (a, b, c) = (Author::new(1), Author::new(2), Author::new(3));
    let mut graph = graph_of(&[&a, &b, &c]);
    let twin = a.next(&graph, vec![note(8)]);
    let first = a.write(&mut graph, vec![note(1)]);
    let Ok(Insert::Equivocated(proof)) = insert(&mut graph, &twin) else { panic!("no proof") };
    let before = b.write(&mut graph, vec![note(2)]);
    b.write(&mut graph, vec![proof.to_payload()]);
    let after = b.write(&mut graph, vec![note(3)]);
    b.write(&mut graph, vec![note(4)]);
    let mut pruned = restored(&graph, &[]);
    let (stubs, ids) = pruned.prune(&pruned.heads(), 0, |_| true).unwrap();
    let batches = [stubs];
    assert!(ids.contains(&after.id()) && ids.contains(&before.id()) && ids.contains(&first.id()));
    // Somebody else cites it, so nothing but its past can speak against it.
    for (parent, is_taken) in [(&before, true), (&after, false)] {
        let of_a = a.sign(&Vertex {
            seq: 2,
            prev: Some(first.id()),
            parents: sorted(vec![first.id(), parent.id()]),
            lamport: 1 + parent.vertex().lamport,
            ..first.vertex().clone()
        });
        let of_c = c.sign(&Vertex {
            parents: sorted(vec![c.identity().id(), of_a.id()]),
            lamport: 1 + of_a.vertex().lamport,
            ..c.next(&graph, vec![note(5)]).vertex().clone()
        });
        for (from, batches) in [(&graph, &[][..]), (&pruned, &batches[..])] {
            let mut graph = restored(from, batches);
            assert!(matches!(insert(&mut graph, &of_c), Ok(Insert::Parked { .. })));
            let taken = insert(&mut graph, &of_a);
            let expected = if is_taken {
                Ok(Insert::Accepted(vec![of_a.id(), of_c.id()]))
            } else {
                Err(Error::Ended { author: a.id, seq: 1 })
            };
            assert_eq!(taken, expected);
        }
    }
}

#[test]
fn damaged_stubs_are_refused() {
    let author = Author::new(1);
    let mut graph = graph_of(&[&author]);
    for number in 0..3 {
        author.write(&mut graph, vec![note(number)]);
    }
    let (stubs, _) = graph.prune(&graph.heads(), 0, |_| true).unwrap();
    for damaged in stubs.damaged() {
        let error = Graph::new(NETWORK).restore_stubs(&damaged).unwrap_err();
        assert_eq!(error.code(), "store-damaged");
    }
    Graph::new(NETWORK).restore_stubs(&stubs).unwrap();
}

#[test]
fn at_the_bound_of_stubs_the_newest_stay_whole_and_nothing_is_lost() {
    let room = 3;
    let stubs = Stubs::invented(0, limits::GRAPH_STUBS_MAX - room);
    let author = Author::new(1);
    let vertices = chain(&author, 9);
    let mut graph = Graph::new(NETWORK);
    graph.restore_stubs(&stubs).unwrap();
    insert(&mut graph, &author.identity()).unwrap();
    for vertex in &vertices[1..8] {
        insert(&mut graph, vertex).unwrap();
    }
    // Of six that could be dropped, the oldest three find room.
    let (_, ids) = graph.prune(&graph.heads(), 0, |_| true).unwrap();
    assert_eq!(sorted(ids), sorted(names(&vertices[1..=room])));
    assert_eq!(graph.dropped(), limits::GRAPH_STUBS_MAX);
    assert_eq!(graph.prune(&graph.heads(), 0, |_| true), None);
    assert!(vertices[1..8].iter().all(|signed| graph.contains(&signed.id())));
    // It goes on, and takes no more stubs from anywhere.
    insert(&mut graph, &vertices[8]).unwrap();
    assert_eq!(graph.heads(), vec![vertices[8].id()]);
    let (before, more) = (graph.timeline().len(), Stubs::invented(1 << 30, 1));
    assert!(matches!(graph.restore_stubs(&more), Err(Error::Stubs { .. })));
    assert!(matches!(graph.adopt_stubs(&more), Err(Error::Stubs { .. })));
    assert_eq!((graph.dropped(), graph.timeline().len()), (limits::GRAPH_STUBS_MAX, before));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_graph_that_drops_goes_on_like_one_that_does_not(seed: u64, liars in 0_usize..3) {
        let mut rng = Rng::from_u64(seed);
        let authors: Vec<Author> = (1..=4).map(Author::new).collect();
        let mut vertices = history(&authors, 20, liars, &mut rng);
        // What honest authors did not come to know is offered, too: the other side of each fork.
        let known: Vec<SignedVertex> = vertices.clone();
        for vertex in known.iter().filter(|signed| signed.vertex().seq > 0) {
            if rng.below(6) == 0 {
                let who = authors.iter().find(|author| author.id == vertex.vertex().author);
                vertices.push(resigned(who.unwrap(), vertex, |v| v.payloads = vec![note(250)]));
            }
        }
        let (mut full, mut pruned) = (Graph::new(NETWORK), Graph::new(NETWORK));
        let (mut batches, mut dropped) = (Vec::new(), 0);
        let mut order: Vec<&SignedVertex> = vertices.iter().collect();
        for round in 0..4 {
            if round > 0 {
                rng.shuffle(&mut order);
            }
            for vertex in &order {
                let expected = outcome(&mut full, vertex);
                prop_assert_eq!(outcome(&mut pruned, vertex), expected);
                prop_assert_eq!(whole(&pruned), whole(&full));
                if rng.below(8) == 0 {
                    dropped += drop_some(&mut pruned, &mut rng, &mut batches).len();
                    prop_assert_eq!(whole(&pruned), whole(&full));
                }
                if rng.below(16) == 0 && pruned.parked() == 0 && full.parked() == 0 {
                    pruned = restored(&pruned, &batches);
                    prop_assert_eq!(whole(&pruned), whole(&full));
                }
            }
        }
        prop_assert_eq!(pruned.len() + pruned.dropped(), full.len());
        prop_assert_eq!(pruned.dropped(), dropped);
        prop_assert!(dropped > 0);
    }
}
