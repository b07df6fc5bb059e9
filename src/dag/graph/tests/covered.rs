//! What is covered is the same for all, and a graph without it goes on as one that has it.

use super::*;
use crate::dag::cbor::{self, Bounds};

/// Everything about two graphs that must not depend on what one of them dropped, where both know
/// the same checkpoints.
type Whole = (Vec<Key>, Vec<(AuthorId, Citation, u64)>, Coverage, u64);

fn whole(graph: &Graph, honest: &[Author]) -> Whole {
    let is_honest = |id: &AuthorId| honest.iter().any(|author| author.id == *id);
    let chains = graph.chains.iter().filter(|(id, _)| is_honest(id));
    let chains = chains.map(|(id, chain)| (*id, chain.tip, chain.next_seq)).collect();
    (graph.uncovered().iter().collect(), chains, graph.coverage().clone(), graph.lamport_max)
}

/// Heads that are not covered: of the others who was restarted does not know that they are heads.
fn open_heads(graph: &Graph) -> Vec<VertexId> {
    let mut heads = graph.heads();
    heads.retain(|id| !graph.is_covered(graph.get(id).unwrap()));
    heads
}

fn tips(graph: &Graph) -> Vec<Citation> {
    graph.heads().iter().map(|id| graph.get(id).unwrap().citation()).collect()
}

/// Covers all there is, so often that it is settled.
fn settle(graph: &mut Graph) {
    for _ in 0..4 {
        let heads = tips(graph);
        assert_eq!(graph.cover(&[&heads]).len(), 1);
    }
}

/// The graph that a node makes of what its store has.
fn restored(graph: &Graph) -> Graph {
    let bytes = cbor::encode(graph.coverage()).unwrap();
    let bounds = Bounds { bytes_max: 1 << 20, items_max: 4_096, depth_max: 8 };
    let mut again = Graph::new(NETWORK);
    again.restore_coverage(cbor::decode(&bytes, &bounds).unwrap());
    let mut kept: Vec<&SignedVertex> = graph.iter().collect();
    kept.sort_by_key(|signed| signed.citation().key());
    for signed in kept {
        again.restore(signed.clone()).unwrap();
    }
    again.restore_ended(&graph.ended().collect::<Vec<_>>());
    again
}

#[test]
fn what_is_settled_can_be_dropped_and_is_not_taken_again() {
    let author = Author::new(1);
    let vertices = chain(&author, 6);
    let mut graph = graph_of(&[&author]);
    for vertex in &vertices[1..] {
        insert(&mut graph, vertex).unwrap();
    }
    let heads = tips(&graph);
    for _ in 0..3 {
        assert_eq!(graph.prune(0, |_| true), vec![], "others may have to fetch it");
        graph.cover(&[&heads]);
        assert!(graph.uncovered().is_empty());
    }
    graph.cover(&[&heads]);
    let before = graph.size_bytes();
    let ids = graph.prune(2, |_| true);
    assert_eq!(ids, names(&vertices[1..4]), "not the identity, and not the newest two");
    assert_eq!((graph.len(), graph.dropped(), graph.accepted()), (3, 3, 6));
    let freed: usize = vertices[1..4].iter().map(SignedVertex::size_bytes).sum();
    assert_eq!((graph.size_bytes(), graph.timeline().len()), (before - freed, 3));
    let error = insert(&mut graph, &vertices[2]).unwrap_err();
    assert_eq!((error.code(), error.fault()), ("vertex-covered", Fault::Old));
    assert!(!error.fault().blames_sender());
    assert_eq!(graph.prune(0, |_| true).len(), 1, "a head stays whatever happens");
    author.write(&mut graph, vec![note(9)]);
    assert_eq!(graph.author(&author.id).unwrap().next_seq, 7);
}

#[test]
fn an_unknown_frontier_covers_nothing_until_it_is_there() {
    let author = Author::new(1);
    let vertices = chain(&author, 3);
    let mut graph = graph_of(&[&author]);
    insert(&mut graph, &vertices[1]).unwrap();
    let (first, last) = (vec![vertices[1].citation()], vec![vertices[2].citation()]);
    let layers = graph.cover(&[&first, &last]);
    assert_eq!((layers.len(), &layers[0].tips), (1, &first));
    assert_eq!(layers[0].lasting.len(), 2);
    assert!(graph.cover(&[&last]).is_empty());
    insert(&mut graph, &vertices[2]).unwrap();
    // What says of a vertex what is not in it covers nothing, either.
    let false_place = Citation { seq: 7, ..vertices[2].citation() };
    assert!(graph.cover(&[&[false_place]]).is_empty());
    let layers = graph.cover(&[&last, &first]);
    assert_eq!((layers.len(), &layers[0].tips, layers[1].tips.len()), (2, &last, 0));
    assert_eq!(graph.covered().count(), graph.len());
}

/// A member that was cut off: what it wrote builds on what others have dropped since.
#[test]
fn what_comes_late_and_builds_on_dropped_vertices_is_accepted_everywhere() {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&a, &b]);
    let mut away = graph_of(&[&a, &b]);
    let old = a.write(&mut graph, vec![note(1)]);
    insert(&mut away, &old).unwrap();
    let late = b.write(&mut away, vec![note(2)]);
    let later = b.write(&mut away, vec![note(3)]);
    for number in 0..5 {
        a.write(&mut graph, vec![note(number)]);
    }
    settle(&mut graph);
    graph.prune(0, |_| true);
    assert!(!graph.contains(&old.id()));
    let mut again = restored(&graph);
    for graph in [&mut graph, &mut again] {
        assert!(matches!(insert(graph, &later), Ok(Insert::Parked { .. })));
        assert_eq!(insert(graph, &late), Ok(Insert::Accepted(vec![late.id(), later.id()])));
        let found = graph.cover(&[&[later.citation()]]).remove(0);
        assert_eq!(found.tips, vec![later.citation()]);
    }
    let honest = [a, b];
    assert_eq!(whole(&graph, &honest), whole(&again, &honest));
}

/// A vertex of `b` that cites what `a` never wrote, at the last of so many places that `a` filled;
/// accepted, as that is covered.
fn leaning(a: &Author, b: &Author, places: u8, graph: &mut Graph) -> SignedVertex {
    for number in 0..places {
        a.write(graph, vec![note(number)]);
    }
    let made_up =
        Citation { id: VertexId::of(b"x"), author: a.id, seq: u64::from(places), lamport: 2 };
    let leans = resigned(b, &fork(b, 1), |v| {
        v.parents = vec![b.identity().citation(), made_up];
        v.parents.sort_unstable();
        v.lamport = 3;
    });
    assert!(matches!(insert(graph, &leans), Ok(Insert::Parked { .. })));
    let heads = tips(graph);
    graph.cover(&[&heads]);
    assert_eq!(graph.release_covered(), vec![leans.id()]);
    leans
}

/// An attacker that cites what never was could keep a run from being exported.
#[test]
fn a_whole_past_has_who_took_the_place_of_what_never_was() {
    // With one place it is before what cites it, with three it is later.
    for places in [1, 3] {
        let (a, b) = (Author::new(1), Author::new(2));
        let mut graph = graph_of(&[&a, &b]);
        let leans = leaning(&a, &b, places, &mut graph);
        let past = graph.whole_past(&[a.identity().id()], &leans.id()).unwrap();
        let past: Vec<SignedVertex> = past.into_iter().cloned().collect();
        assert_eq!(past.len(), 3 + usize::from(places), "identities, a's vertices, and the last");
        assert_eq!(past.last(), Some(&leans));
        for is_told in [true, false] {
            let mut again = Graph::new(NETWORK);
            let is_beside = |cited: &Citation| is_told && cited.id == VertexId::of(b"x");
            let mut taken = past.iter().map(|one| again.restore_beside(one.clone(), is_beside));
            assert_eq!(taken.all(|result| result.is_ok()), is_told);
        }
        let before = a.identity().id();
        assert!(graph.whole_past(&[leans.id()], &before).is_err(), "something follows it");
    }
}

#[test]
fn a_past_of_which_a_part_was_dropped_is_not_whole() {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&a, &b]);
    let leans = leaning(&a, &b, 1, &mut graph);
    assert!(graph.whole_past(&[], &leans.id()).is_ok());
    // The last vertex of a chain is never dropped.
    a.write(&mut graph, vec![note(1)]);
    settle(&mut graph);
    graph.prune(0, |signed| signed.id() != leans.id());
    assert!(graph.author(&a.id).unwrap().at(1).is_none() && graph.contains(&leans.id()));
    assert!(matches!(graph.whole_past(&[], &leans.id()), Err(Error::Restore { .. })));
}

/// A start finds checkpoints again after the vertices.
#[test]
fn what_was_taken_without_its_parents_is_taken_back_with_what_was_covered_then() {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&a, &b]);
    let leans = leaning(&a, &b, 1, &mut graph);
    let heads: Vec<Citation> = graph.coverage().tips().copied().collect();
    assert!(!graph.has_parents(&leans) && graph.has_parents(&a.identity()));
    let mut kept: Vec<SignedVertex> = graph.iter().cloned().collect();
    kept.sort_by_key(|signed| signed.citation().key());
    for is_foreseen in [true, false] {
        let mut again = Graph::new(NETWORK);
        if is_foreseen {
            again.foresee_coverage(graph.coverage().clone());
        }
        let taken = kept.iter().filter(|signed| again.restore((*signed).clone()).is_ok()).count();
        assert_eq!(taken == kept.len(), is_foreseen, "{taken}");
        assert_eq!(again.coverage(), &Coverage::default());
        again.cover(&[&heads]);
        assert_eq!(again.coverage(), graph.coverage());
    }
}

#[test]
fn what_waits_for_a_parent_is_released_when_that_is_covered() {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut full = graph_of(&[&a, &b]);
    let parent = a.write(&mut full, vec![note(1)]);
    let child = b.write(&mut full, vec![note(2)]);
    let grandchild = b.write(&mut full, vec![note(3)]);
    let mut graph = graph_of(&[&a, &b]);
    for waits in [&child, &grandchild] {
        assert!(matches!(insert(&mut graph, waits), Ok(Insert::Parked { .. })));
    }
    assert!(graph.release_covered().is_empty());
    graph.coverage = Coverage::default().then(full.cover(&[&[parent.citation()]]).iter());
    assert_eq!(graph.release_covered(), vec![child.id(), grandchild.id()]);
    assert_eq!(graph.parked(), 0);
    assert_eq!(insert(&mut graph, &parent).unwrap_err().code(), "vertex-covered");
}

/// Nobody remembers the time of what was dropped, so anybody could make one up.
#[test]
fn a_covered_parent_cannot_carry_others_into_the_future() {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&a, &b]);
    for number in 0..4 {
        a.write(&mut graph, vec![note(number)]);
    }
    settle(&mut graph);
    graph.prune(0, |_| true);
    let id = VertexId::of(b"whatever it was");
    let of_b = |lamport: u64| {
        resigned(&b, &fork(&b, 1), |v| {
            v.parents =
                vec![b.identity().citation(), Citation { id, author: a.id, seq: 2, lamport }];
            v.parents.sort_unstable();
            v.lamport = lamport + 1;
        })
    };
    let most = graph.coverage().lamport_max + limits::LAMPORT_WINDOW / 2;
    assert!(matches!(insert(&mut graph, &of_b(most + 1)), Ok(Insert::Parked { .. })));
    assert!(matches!(insert(&mut graph, &of_b(most)), Ok(Insert::Accepted(_))));
}

/// What one vertex says of a parent had let another go on without it, and the two checkpoints after
/// that had been covered by other vertices here than elsewhere.
#[test]
fn what_is_said_falsely_of_a_parent_frees_nobody_else_who_waits_for_it() {
    let (a, honest, liar) = (Author::new(1), Author::new(2), Author::new(3));
    let mut elsewhere = graph_of(&[&a, &honest, &liar]);
    let mut graph = graph_of(&[&a, &honest, &liar]);
    let early = a.write(&mut elsewhere, vec![note(1)]);
    insert(&mut graph, &early).unwrap();
    let waited_for = a.write(&mut elsewhere, vec![note(2)]);
    let cites = resigned(&honest, &fork(&honest, 1), |v| {
        put_on(v, &[&honest.identity(), &waited_for]);
    });
    let lies = resigned(&liar, &fork(&liar, 1), |v| {
        let at_covered = Citation { id: waited_for.id(), ..early.citation() };
        v.parents = vec![liar.identity().citation(), at_covered];
        v.parents.sort_unstable();
        v.lamport = 1 + early.vertex().lamport;
    });
    for waits in [&cites, &lies] {
        assert!(matches!(insert(&mut graph, waits), Ok(Insert::Parked { .. })));
    }
    assert_eq!(graph.cover(&[&[early.citation()]]).len(), 1);
    assert_eq!(graph.release_covered(), vec![lies.id()]);
    assert_eq!((graph.contains(&cites.id()), graph.parked()), (false, 1));
    assert!(graph.cover(&[&[cites.citation()]]).is_empty(), "its past is not here");
    let accepted = insert(&mut graph, &waited_for).unwrap();
    assert_eq!(accepted, Insert::Accepted(vec![waited_for.id(), cites.id()]));
    insert(&mut elsewhere, &cites).unwrap();
    elsewhere.cover(&[&[early.citation()]]);
    let frontier = [cites.citation()];
    assert_eq!(graph.cover(&[&frontier]), elsewhere.cover(&[&frontier]));
}

#[test]
fn the_other_side_of_a_fork_is_taken_until_its_position_is_settled() {
    let (honest, liar) = (Author::new(1), Author::new(2));
    let (one, other) = (fork(&liar, 1), fork(&liar, 2));
    let mut graph = graph_of(&[&honest, &liar]);
    insert(&mut graph, &one).unwrap();
    let mut without = restored(&graph);
    graph.cover(&[&[one.citation()]]);
    honest.write(&mut without, vec![note(5)]);
    let one_there = [one.citation()];
    (0..4).for_each(|_| drop(without.cover(&[&one_there])));
    without.prune(0, |_| true);
    assert!(!without.contains(&one.id()));
    for graph in [&mut graph, &mut without] {
        assert_eq!(insert(graph, &other).unwrap_err().code(), "vertex-covered");
    }
    // What cites the other one is taken, because who dropped the covered one could not tell.
    let cites = resigned(&honest, &fork(&honest, 1), |v| {
        put_on(v, &[&honest.identity(), &other]);
    });
    assert_eq!(insert(&mut graph, &cites), Ok(Insert::Accepted(vec![cites.id()])));
    let Source::Peer(sender) = peer(0) else { panic!() };
    let fork = Notice::Fork { peer: sender.clone(), id: other.id() };
    assert_eq!(graph.drain_notices(), vec![fork]);
    let answer = Source::Answer(sender);
    let taken = graph.insert(other.clone(), &answer, NOW);
    assert_eq!(taken, Ok(Insert::Accepted(vec![other.id()])));
    assert!(matches!(&graph.drain_notices()[..], [Notice::Equivocation(_)]));
    assert_eq!(graph.equivocated(&liar.id), Some(1));
    // Who dropped it has nothing to prove it with.
    assert_eq!(without.insert(other, &answer, NOW).unwrap_err().code(), "vertex-covered");
    assert_eq!(without.equivocated(&liar.id), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_graph_that_drops_goes_on_like_one_that_does_not(seed: u64, liars in 0_usize..3) {
        let mut rng = Rng::from_u64(seed);
        let authors: Vec<Author> = (1..=4).map(Author::new).collect();
        let vertices = history(&authors, 30, liars, &mut rng);
        let (mut full, mut pruned) = (Graph::new(NETWORK), Graph::new(NETWORK));
        let mut dropped = 0;
        let mut order: Vec<&SignedVertex> = vertices.iter().collect();
        for round in 0..6 {
            if round > 0 {
                rng.shuffle(&mut order);
            }
            for vertex in &order {
                let (one, other) = (insert(&mut full, vertex), insert(&mut pruned, vertex));
                let is_news = |outcome: &Result<Insert, Error>| {
                    matches!(outcome, Ok(Insert::Accepted(_) | Insert::Parked { .. }))
                };
                prop_assert_eq!(is_news(&one), is_news(&other), "{:?} {:?}", one, other);
                if rng.below(6) == 0 {
                    let place = rng.below(u32::try_from(full.len()).unwrap());
                    let frontier = full.iter().nth(usize::try_from(place).unwrap());
                    let frontier = [frontier.unwrap().citation()];
                    prop_assert_eq!(full.cover(&[&frontier]), pruned.cover(&[&frontier]));
                    prop_assert_eq!(full.release_covered(), pruned.release_covered());
                    let salt = rng.below(3);
                    let chosen = |signed: &SignedVertex| u32::from(signed.id().0.0[0]) % 3 != salt;
                    dropped += pruned.prune(0, chosen).len();
                }
                if rng.below(16) == 0 && pruned.parked() == 0 && full.parked() == 0 {
                    pruned = restored(&pruned);
                }
                let honest = &authors[liars..];
                prop_assert_eq!(whole(&pruned, honest), whole(&full, honest));
                // The other side of a fork may be dropped: what is open and was cited by it alone
                // is a head again.
                let (kept, all) = (open_heads(&pruned), open_heads(&full));
                prop_assert!(all.iter().all(|head| kept.contains(head)), "{kept:?}, {all:?}");
                prop_assert!(liars > 0 || kept == all, "{kept:?}, {all:?}");
            }
        }
        prop_assert!(dropped > 0 || vertices.len() < 12);
        if liars == 0 {
            prop_assert_eq!(pruned.len() + pruned.dropped(), full.len());
        }
    }

    #[test]
    fn whoever_is_handed_layers_goes_on_like_who_made_them(seed: u64, liars in 0_usize..3) {
        let mut rng = Rng::from_u64(seed);
        let authors: Vec<Author> = (1..=4).map(Author::new).collect();
        let vertices = history(&authors, 30, liars, &mut rng);
        let mut full = deliver(&vertices, &mut rng);
        let all: Vec<Citation> = full.iter().map(SignedVertex::citation).collect();
        let mut layers = Vec::new();
        for step in 1..6 {
            layers.extend(full.cover(&[&[all[all.len() * step / 7]]]));
        }
        let mut late = Graph::new(NETWORK);
        late.adopt_coverage(Coverage::default().then(layers.iter()));
        for signed in full.covered().filter(|signed| signed.vertex().seq == 0) {
            prop_assert!(layers.iter().any(|layer| layer.lasting.contains(&signed.id())));
            late.restore(signed.clone()).unwrap();
        }
        let mut rest: Vec<&SignedVertex> = vertices.iter().collect();
        for _ in 0..30 {
            rng.shuffle(&mut rest);
            for vertex in &rest {
                let _ = insert(&mut late, vertex);
            }
        }
        let open = |graph: &Graph| -> BTreeSet<VertexId> {
            let is_open = |signed: &&SignedVertex| {
                !graph.coverage().has(&signed.vertex().author, signed.vertex().seq)
            };
            graph.iter().filter(is_open).map(SignedVertex::id).collect()
        };
        // What only a fork leads to that nobody covered is nobody's duty to have.
        prop_assert!(open(&late).is_subset(&open(&full)));
        prop_assert!(liars > 0 || open(&late) == open(&full));
        let heads = tips(&full);
        prop_assert_eq!(late.cover(&[&heads]), full.cover(&[&heads]));
    }
}
