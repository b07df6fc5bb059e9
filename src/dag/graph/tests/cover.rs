//! What is covered is the same for all, and enough to go on from.

use super::*;
use crate::dag::graph::Layer;

/// Vertices that frontiers name, later and later ones.
fn frontiers(graph: &Graph, count: usize, rng: &mut Rng) -> Vec<Vec<VertexId>> {
    let all: Vec<VertexId> = graph.timeline().iter().map(|key| key.id).collect();
    let pick = |from: usize, rng: &mut Rng| {
        let span = u32::try_from(all.len() - from).unwrap();
        all[from + usize::try_from(rng.below(span)).unwrap()]
    };
    let frontier = |step: usize, rng: &mut Rng| {
        let from = all.len() * step / (2 * count);
        (0..=rng.below(3)).map(|_| pick(from, rng)).collect()
    };
    (0..count).map(|step| frontier(step, rng)).collect()
}

/// The graph of somebody who was handed layers, with the vertices that it needs whole.
fn handed(layers: &[Layer], tips: &[VertexId], whole: &[SignedVertex]) -> Graph {
    let mut graph = Graph::new(NETWORK);
    let is_whole = |id: &VertexId| whole.iter().any(|signed| signed.id() == *id);
    let mut stubs = Stubs::empty();
    for layer in layers {
        stubs.extend(&layer.stubs, |id| !is_whole(id)).unwrap();
    }
    let cited = whole.iter().map(SignedVertex::id).filter(|id| !tips.contains(id));
    stubs.cite(cited.collect());
    graph.adopt_stubs(&stubs).unwrap();
    for signed in whole {
        graph.restore(signed.clone()).unwrap();
    }
    graph.restore_ended(&[]);
    graph.restore_cover(tips);
    graph
}

#[test]
fn an_unknown_frontier_covers_nothing_until_it_is_there() {
    let author = Author::new(1);
    let vertices = chain(&author, 3);
    let mut graph = graph_of(&[&author]);
    insert(&mut graph, &vertices[1]).unwrap();
    let (first, last) = (vec![vertices[1].id()], vec![vertices[2].id()]);
    let layers = graph.cover(&[&first, &last]);
    assert_eq!((layers.len(), layers[0].0.stubs.len()), (1, 2));
    assert_eq!(layers[0].1, first);
    assert!(graph.cover(&[&last]).is_empty());
    insert(&mut graph, &vertices[2]).unwrap();
    let layers = graph.cover(&[&last, &first]);
    assert_eq!((layers.len(), layers[0].0.stubs.len(), layers[1].0.stubs.len()), (2, 1, 0));
    assert_eq!(graph.covered_tips(), last);
    assert_eq!(graph.covered().count(), graph.len());
}

#[test]
fn stubs_that_name_what_they_do_not_list_change_nothing() {
    let author = Author::new(1);
    let mut graph = graph_of(&[&author]);
    let layer = graph.cover(&[&graph.heads()]).remove(0).0;
    let mut other = Graph::new(NETWORK);
    for damaged in layer.stubs.damaged() {
        assert!(matches!(other.adopt_stubs(&damaged), Err(Error::Stubs { .. })));
        assert!(Stubs::empty().extend(&damaged, |_| true).is_err());
    }
    assert_eq!((other.dropped(), other.timeline().len()), (0, 0));
    other.adopt_stubs(&layer.stubs).unwrap();
    assert_eq!(other.dropped(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn whatever_was_dropped_layers_are_the_same_and_lead_on(seed: u64, liars in 0_usize..3) {
        let mut rng = Rng::from_u64(seed);
        let authors: Vec<Author> = (1..=4).map(Author::new).collect();
        let vertices = history(&authors, 24, liars, &mut rng);
        let (mut full, mut other) = (deliver(&vertices, &mut rng), deliver(&vertices, &mut rng));
        let frontiers = frontiers(&full, 4, &mut rng);
        let named: Vec<&[VertexId]> = frontiers.iter().map(Vec::as_slice).collect();
        let layers = full.cover(&named);
        let mut batches = Vec::new();
        for (frontier, expected) in frontiers.iter().zip(&layers) {
            let found = other.cover(&[frontier]).remove(0);
            prop_assert_eq!(&found, expected);
            let salt = rng.below(256);
            let chosen = |signed: &SignedVertex| {
                !(u32::from(signed.id().0.0[0]) ^ salt).is_multiple_of(3)
            };
            if let Some((stubs, _)) = other.prune(&other.covered_tips(), 0, chosen) {
                batches.push(stubs);
            }
            if rng.below(2) == 0 {
                let tips = other.covered_tips();
                other = pruning::restored(&other, &batches);
                other.restore_cover(&tips);
            }
        }
        let tips = full.covered_tips();
        let covered: BTreeSet<VertexId> = full.covered().map(SignedVertex::id).collect();
        let layers: Vec<Layer> = layers.into_iter().map(|(layer, _)| layer).collect();
        prop_assert_eq!(covered.len(), layers.iter().map(|layer| layer.stubs.len()).sum::<usize>());
        // Whole: what nobody drops, the tips, and some others.
        let is_whole = |signed: &&SignedVertex| {
            let fields = signed.vertex();
            let proves = |payload: &Payload| matches!(payload, Payload::Equivocation { .. });
            fields.seq == 0
                || fields.payloads.iter().any(proves)
                || tips.contains(&signed.id())
                || signed.id().0.0[1].is_multiple_of(4)
        };
        let mut whole: Vec<SignedVertex> = full.covered().filter(is_whole).cloned().collect();
        whole.sort_by_key(|signed| (signed.vertex().lamport, signed.id()));
        let mut late = handed(&layers, &tips, &whole);
        prop_assert_eq!(late.timeline().len(), covered.len());
        prop_assert_eq!(sorted(late.heads()), sorted(tips));
        let mut rest: Vec<&SignedVertex> =
            vertices.iter().filter(|signed| !covered.contains(&signed.id())).collect();
        for _ in 0..30 {
            rng.shuffle(&mut rest);
            for vertex in &rest {
                let _ = insert(&mut late, vertex);
            }
        }
        prop_assert_eq!(view(&late), view(&full));
        let heads = full.heads();
        prop_assert_eq!(late.cover(&[&heads]), full.cover(&[&heads]));
        prop_assert_eq!(other.cover(&[&heads]).len(), 1);
    }
}

fn sorted(mut ids: Vec<VertexId>) -> Vec<VertexId> {
    ids.sort_unstable();
    ids
}
