//! What is fuzzed of snapshots: certificates, manifests, chunks, and the layers in them.

use synaptic_mesh::consensus::{Onward, Sealed};
use synaptic_mesh::dag::{Citation, Coverage, Graph, SignedVertex, Source};
use synaptic_mesh::snapshot::{Entry, Log, Manifest, check_chain, entries_of};

use super::{NETWORK, NOW, fixture};

/// A part of a snapshot. What is read is written as the same bytes; a certificate that verifies is
/// the sound one; layers of whatever kind leave a graph that still takes vertices.
pub(crate) fn snapshot(data: &[u8]) {
    let fixture = fixture();
    if let Ok(sealed) = Sealed::decode(data) {
        assert_eq!(sealed.encode(), data);
        if let Ok(checkpoint) = sealed.verify(&NETWORK, &fixture.genesis.committee) {
            assert_eq!(checkpoint, fixture.proof.last.checkpoint, "certified, and never signed");
        }
    }
    let sealed = fixture.proof.last.checkpoint.sealed(Manifest::digest_of(data));
    if let Ok(manifest) = Manifest::open(data, &sealed) {
        assert_eq!(manifest.encode(), data);
        assert_eq!(manifest.height, sealed.height);
    }
    let mut entries = entries_of(data).unwrap_or_default();
    entries.extend(Entry::decode(data));
    if check_chain(&entries, &fixture.proof.last.checkpoint).is_ok() {
        assert_eq!(entries.len(), 1, "one checkpoint is known");
    }
    for entry in &entries {
        let mut graph = filled(fixture.history.get(..2).expect("two identities"));
        graph.adopt_coverage(Coverage::of([&entry.layer].into_iter()));
        for vertex in &fixture.history {
            let _ = graph.insert(vertex.clone(), &Source::Own, NOW);
        }
        graph.cover(&[&heads(&graph)]);
    }
}

fn filled(history: &[SignedVertex]) -> Graph {
    let mut graph = Graph::new(NETWORK);
    for vertex in history {
        graph.insert(vertex.clone(), &Source::Own, NOW).expect("a sound history");
    }
    graph
}

fn heads(graph: &Graph) -> Vec<Citation> {
    let heads = graph.heads();
    heads.iter().filter_map(|id| graph.get(id)).map(SignedVertex::citation).collect()
}

/// A certificate, an entry, a chunk, and a manifest of them.
pub(super) fn parts() -> Vec<Vec<u8>> {
    let fixture = fixture();
    let mut graph = filled(&fixture.history);
    let first = vec![fixture.history.first().expect("two identities").citation()];
    let heads = heads(&graph);
    let frontiers: [&[Citation]; 2] = [&first, &heads];
    let layers = graph.cover(&frontiers);
    let onward = Onward {
        slot: 1,
        first_leader: 2,
        closing: None,
        settled: vec![fixture.proof.decision],
        items: Vec::new(),
    };
    let mut log = Log::default();
    let mut manifests = Vec::new();
    for layer in layers {
        let checkpoint = fixture.proof.last.checkpoint.clone();
        let decisions = vec![fixture.proof.decision];
        log.push(&Entry { checkpoint, decisions, items: Vec::new(), layer });
        manifests.push(log.manifest(onward.clone()));
    }
    let tails = manifests.iter().filter_map(|manifest| manifest.tail.last());
    let mut all: Vec<Vec<u8>> = tails.map(|entry| entry.to_vec()).collect();
    all.extend(manifests.iter().map(Manifest::encode));
    all.push(chunk(&manifests));
    let (keys, certificate) = (fixture.proof.keys.clone(), fixture.proof.last.clone());
    all.push(Sealed { keys, certificate }.encode());
    all
}

/// All entries of the last manifest as a chunk.
fn chunk(manifests: &[Manifest]) -> Vec<u8> {
    let tail = manifests.last().map(|manifest| &manifest.tail);
    synaptic_mesh::dag::cbor::encode(&tail.expect("two manifests")).expect("byte strings encode")
}
