//! What is fuzzed of snapshots: certificates, manifests, starts, chunks, and the layers in them.

use synaptic_mesh::consensus::{Base, Config, Onward, Past, Sealed, State};
use synaptic_mesh::dag::{Citation, Coverage, Graph, SignedVertex, Source, cbor};
use synaptic_mesh::identity::AuthorId;
use synaptic_mesh::ledger;
use synaptic_mesh::snapshot::{Entry, Log, Manifest, Start, check_chain, entries_of};

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
        assert_eq!(manifest.log.height, sealed.height);
    }
    if let Ok(start) = Start::decode(&[data.to_vec()]) {
        assert_eq!(cbor::encode(&start).as_deref(), Ok(data));
        go_on_from(&start);
    }
    let mut entries = entries_of(data).unwrap_or_default();
    entries.extend(Entry::decode(data));
    if check_chain(None, &entries, &fixture.proof.last.checkpoint).is_ok() {
        assert_eq!(entries.len(), 1, "one checkpoint is known");
    }
    for entry in &entries {
        let mut graph = filled(fixture.history.get(..2).expect("two identities"));
        graph.adopt_coverage(Coverage::default().then([&entry.layer].into_iter()));
        for vertex in &fixture.history {
            let _ = graph.insert(vertex.clone(), &Source::Own, NOW);
        }
        graph.cover(&[&heads(&graph)]);
    }
}

/// An engine stands on what the sound start says, and on nothing else.
fn go_on_from(start: &Start) {
    let genesis = ledger::State::new(&ledger::Genesis::default()).expect("nothing is minted");
    let committee = Some(fixture().genesis.committee.clone());
    let me = AuthorId::from_bytes([9; 32]);
    let mut engine = State::new(Config::default(), NETWORK, committee, me, genesis);
    let past = Past::default();
    if engine.resume(Some(start.footing()), &[], past, Vec::new(), NOW).is_ok() {
        let base = &start.base.checkpoint;
        assert_eq!(engine.certified().root(), base.state_root);
        assert_eq!(engine.mmr().root(), base.decided_root);
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

/// A certificate, an entry, a start, a chunk, and manifests of them.
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
    let (mut log, mut all) = (Log::default(), Vec::new());
    for layer in layers {
        let checkpoint = fixture.proof.last.checkpoint.clone();
        let decisions = vec![fixture.proof.decision];
        let entry = Entry { checkpoint, decisions, items: Vec::new(), layer };
        log.push(&entry);
        all.push(cbor::encode(&entry).expect("byte strings encode"));
        all.push(log.manifest(onward.clone()).encode());
    }
    // A chunk, and what the next generation begins with.
    all.extend(log.begin(&start(&graph)).into_iter().map(|(_, bytes)| bytes));
    all.push(log.manifest(onward).encode());
    let (keys, certificate) = (fixture.proof.keys.clone(), fixture.proof.last.clone());
    all.push(Sealed { keys, certificate }.encode());
    all
}

/// What an engine that decided nothing goes on from.
fn start(graph: &Graph) -> Start {
    let genesis = ledger::State::new(&ledger::Genesis::default()).expect("nothing is minted");
    let mut checkpoint = fixture().proof.last.checkpoint.clone();
    (checkpoint.state_root, checkpoint.height, checkpoint.decided) = (genesis.root(), 0, 0);
    checkpoint.decided_root = synaptic_mesh::consensus::Mmr::default().root();
    checkpoint.epoch = fixture().genesis.committee.epoch();
    let ledger = genesis.to_records();
    let base = Base { checkpoint, ends: Vec::new(), peaks: Vec::new(), ledger };
    Start { base, coverage: graph.coverage().clone(), lasting: Vec::new() }
}
