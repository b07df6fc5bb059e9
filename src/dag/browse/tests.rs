//! Pages against a plain list, and verification against histories that lie.

use super::*;
use crate::dag::Insert;
use crate::dag::tests::{Author, NETWORK, NOW, fork, graph_of, insert, note};

/// Two authors in turn, `count` vertices besides their identities.
fn history(count: u8) -> (Graph, [Author; 2]) {
    let authors = [Author::new(1), Author::new(2)];
    let mut graph = graph_of(&[&authors[0], &authors[1]]);
    for number in 0..count {
        authors[usize::from(number % 2)].write(&mut graph, vec![note(number)]);
    }
    (graph, authors)
}

fn page(
    graph: &Graph,
    before: Option<VertexId>,
    author: Option<String>,
    limit: u32,
) -> Vec<VertexId> {
    match browse(graph, &Query::Log { before, author, limit }) {
        Ok(Answer::Log(vertices)) => vertices.iter().map(SignedVertex::id).collect(),
        other => panic!("{other:?}"),
    }
}

/// Every page, one after the other.
fn all(graph: &Graph, author: Option<&str>, limit: u32) -> Vec<VertexId> {
    let mut ids: Vec<VertexId> = Vec::new();
    loop {
        let next = page(graph, ids.last().copied(), author.map(str::to_owned), limit);
        if next.is_empty() {
            return ids;
        }
        assert!(next.len() <= usize::try_from(limit).unwrap());
        ids.extend(next);
    }
}

#[test]
fn pages_are_the_history_backwards_whatever_their_size() {
    let (graph, authors) = history(9);
    let mut plain: Vec<Key> = graph
        .iter()
        .map(|signed| Key { lamport: signed.vertex().lamport, id: signed.id() })
        .collect();
    plain.sort();
    let plain: Vec<VertexId> = plain.into_iter().rev().map(|key| key.id).collect();
    for limit in [1, 2, 5, 11, 100] {
        assert_eq!(all(&graph, None, limit), plain, "{limit}");
        let own = |id: &VertexId| graph.get(id).unwrap().vertex().author == authors[0].id;
        let expected: Vec<VertexId> = plain.iter().copied().filter(own).collect();
        assert_eq!(all(&graph, Some(&authors[0].id.to_string()), limit), expected);
    }
    assert_eq!(page(&graph, None, None, 0), []);
}

/// A page begins behind a vertex: what arrives between two pages neither repeats nor hides any.
#[test]
fn what_arrives_between_two_pages_shifts_nothing() {
    let (mut graph, authors) = history(6);
    let plain = all(&graph, None, 100);
    let first = page(&graph, None, None, 3);
    let late = Author::new(9);
    insert(&mut graph, &late.identity()).unwrap();
    authors[1].write(&mut graph, vec![note(200)]);
    let rest: Vec<VertexId> = page(&graph, first.last().copied(), None, 100)
        .into_iter()
        .filter(|id| graph.get(id).unwrap().vertex().author != late.id)
        .collect();
    assert_eq!([first, rest].concat(), plain);
}

#[test]
fn a_vertex_is_found_by_the_beginning_of_its_id() {
    let (graph, _) = history(4);
    let ids: Vec<VertexId> = graph.iter().map(SignedVertex::id).collect();
    let show = |text: &str| browse(&graph, &Query::Show { id: text.to_owned() });
    for id in &ids {
        let text = id.to_string();
        for text in [text.as_str(), &text[..30]] {
            let Ok(Answer::Show(shown)) = show(text) else { panic!("{text}") };
            assert_eq!(shown.vertex.id(), *id);
            let named =
                |child: &&SignedVertex| child.vertex().parent_ids().any(|parent| parent == *id);
            let children: Vec<VertexId> =
                graph.iter().filter(named).map(SignedVertex::id).collect();
            assert_eq!(shown.children, children);
        }
    }
    let common = &ids[0].to_string()[..4];
    assert!(matches!(show(common), Err(Unknown::Ambiguous { count: 6, .. })));
    for text in ["", "zzz", &VertexId::of(b"elsewhere").to_string()] {
        assert_eq!(show(text).unwrap_err().code(), "no-such-vertex", "{text:?}");
    }
    let log = Query::Log { before: None, author: Some("zzz".to_owned()), limit: 1 };
    assert_eq!(browse(&graph, &log).unwrap_err().code(), "no-such-author");
    let before = Query::Log { before: Some(VertexId::of(b"x")), author: None, limit: 1 };
    assert_eq!(browse(&graph, &before).unwrap_err().code(), "no-such-vertex");
}

#[test]
fn figures_are_those_of_a_count_by_hand() {
    let (mut graph, authors) = history(5);
    let equivocator = Author::new(3);
    insert(&mut graph, &equivocator.identity()).unwrap();
    insert(&mut graph, &fork(&equivocator, 1)).unwrap();
    assert!(matches!(insert(&mut graph, &fork(&equivocator, 2)), Ok(Insert::Equivocated(_))));
    let Ok(Answer::Stats(stats)) = browse(&graph, &Query::Stats) else { panic!() };
    assert_eq!(stats.vertices, wide(graph.len()));
    assert_eq!(stats.kinds["identity"], 3);
    assert_eq!(stats.kinds.values().sum::<u64>(), stats.vertices, "one payload in each");
    assert_eq!(stats.authors[&authors[0].id].vertices, 4);
    assert_eq!(stats.authors[&authors[0].id].equivocated, None);
    assert_eq!(stats.authors[&equivocator.id].equivocated, Some(1));
    let bytes: u64 = stats.authors.values().map(|share| share.bytes).sum();
    assert_eq!(bytes, stats.bytes);
    assert_eq!(stats.authors[&authors[0].id].latest_ms, NOW.unix_ms);
}

/// Faults of a history by pieces of two.
fn faults(graph: &Graph) -> Vec<Fault> {
    let (mut from, mut faults) = (0, Vec::new());
    loop {
        let Ok(Answer::Verified(piece)) = browse(graph, &Query::Verify { from, limit: 2 }) else {
            panic!()
        };
        assert_eq!(piece.total, wide(graph.len()));
        faults.extend(piece.faults);
        if piece.done == piece.total {
            return faults;
        }
        assert_eq!(piece.done, from + 2);
        from = piece.done;
    }
}

/// The trusted path into a graph believes signatures; this does not.
#[test]
fn a_signature_that_was_restored_is_verified_again() {
    let (graph, authors) = history(5);
    assert_eq!(faults(&graph), []);
    let mut restored = Graph::new(NETWORK);
    let forged = graph.iter().nth(4).unwrap();
    for signed in graph.iter() {
        let signed = if signed == forged {
            // The same bytes, and so the same id, with a signature of something else.
            let signature = graph.iter().nth(6).unwrap().signature().clone();
            SignedVertex::from_parts(signed.bytes().to_vec(), signature).unwrap()
        } else {
            signed.clone()
        };
        restored.restore(signed).unwrap();
    }
    let found = faults(&restored);
    assert_eq!(found.iter().map(|fault| fault.id).collect::<Vec<_>>(), [forged.id()]);
    let key =
        authors.iter().find(|author| author.id == forged.vertex().author).unwrap().key.public();
    let again = restored.get(&forged.id()).unwrap();
    assert_eq!(found[0].code, again.verify(key).unwrap_err().code());
}

#[test]
fn a_history_is_read_from_records_in_any_order_and_what_is_damaged_is_named() {
    let (graph, authors) = history(5);
    let mut records: Vec<Vec<u8>> = graph.iter().map(SignedVertex::encode).collect();
    records.reverse();
    let (read_back, damaged) = read(NETWORK, &records, Coverage::default());
    assert_eq!((all(&read_back, None, 100), damaged), (all(&graph, None, 100), Vec::new()));

    // One record is not CBOR any more, and what follows it has lost its parent.
    let tip = graph.author(&authors[0].id).unwrap().tip.id;
    let at = records.iter().position(|bytes| *bytes == graph.get(&tip).unwrap().encode()).unwrap();
    records[at].truncate(40);
    let (rest, damaged) = read(NETWORK, &records, Coverage::default());
    assert!(!rest.contains(&tip));
    assert_eq!((damaged[0].record, damaged[0].id), (wide(at), None));
    assert_eq!(rest.len() + damaged.len(), graph.len());
    let elsewhere = read(NetworkId::from_bytes([8; 32]), &records, Coverage::default()).1;
    assert_eq!(elsewhere.len(), records.len(), "of another network");
}

#[test]
fn a_store_without_old_vertices_is_read_and_verified_with_what_stays_of_them() {
    let author = Author::new(1);
    let mut graph = graph_of(&[&author]);
    for number in 0..6 {
        author.write(&mut graph, vec![note(number)]);
    }
    let whole: Vec<Vec<u8>> = graph.iter().map(SignedVertex::encode).collect();
    let frontier = [graph.author(&author.id).unwrap().tip];
    (0..4).for_each(|_| drop(graph.cover(&[&frontier])));
    let dropped = graph.prune(2, |_| true).len();
    let kept: Vec<Vec<u8>> = graph.iter().map(SignedVertex::encode).collect();
    // What was dropped may not have left the store yet.
    for (records, lacks) in [(&kept, dropped), (&whole, 0)] {
        let (read_back, damaged) = read(NETWORK, records, graph.coverage().clone());
        assert_eq!((read_back.dropped(), damaged.len()), (lacks, 0));
        let Ok(Answer::Verified(verified)) =
            browse(&read_back, &Query::Verify { from: 0, limit: 100 })
        else {
            panic!("no answer")
        };
        assert_eq!((verified.done, verified.faults.len()), (wide(records.len()), 0));
        let log = browse(&read_back, &Query::Log { before: None, author: None, limit: 100 });
        assert!(matches!(log, Ok(Answer::Log(page)) if page.len() == records.len()));
    }
    let (_, damaged) = read(NETWORK, &kept, Coverage::default());
    assert!(!damaged.is_empty(), "without them parents are missing");
}
