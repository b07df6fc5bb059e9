//! What questions about the causal past cost: a walk by place, as the graph does it, beside a
//! vector of positions for each vertex, which is the fastest there is and takes the most memory.
//!
//! `cargo bench --bench dag`. In `cargo test` it runs once on a small history, and compares the
//! answers of the two, so that it keeps working.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use serde_bytes::Bytes;
use synaptic_mesh::clock::Now;
use synaptic_mesh::crypto::sign::SIGNATURE_BYTES;
use synaptic_mesh::dag::{Citation, Graph, NetworkId, Payload, SignedVertex, Vertex, VertexId};
use synaptic_mesh::identity::{AuthorId, Binding, Secrets, Terms};
use synaptic_mesh::rng::Rng;

const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);
const NOW: Now = Now { mono_ms: 0, unix_ms: 1_700_000_000_000 };
const AUTHORS: u8 = 40;

fn main() {
    let full = std::env::args().any(|argument| argument == "--bench");
    let count = if full { 60_000 } else { 1_500 };
    let mut rng = Rng::from_u64(1);
    let graph = history(count, &mut rng);
    let clocks = clocks(&graph);
    let ids: Vec<VertexId> = graph.iter().map(SignedVertex::id).collect();
    println!("{} vertices of {AUTHORS} authors, seed 1", graph.len());
    let queries = if full { 2_000 } else { 200 };
    for (what, behind) in [("100", 100), ("1,000", 1_000), ("any number of", ids.len())] {
        let pairs: Vec<[usize; 2]> = (0..queries)
            .map(|_| {
                let later = below(&mut rng, ids.len());
                [later - below(&mut rng, behind.min(later + 1)), later]
            })
            .collect();
        let name = |place: usize| ids.get(place).copied().expect("a place");
        let walk = |[one, other]: [usize; 2]| graph.is_behind(&name(one), &[name(other)]);
        let clock = |[one, other]: [usize; 2]| clocks.is_behind(&graph, &name(one), &name(other));
        for pair in &pairs {
            assert_eq!(walk(*pair), clock(*pair), "{pair:?}");
        }
        let (walked, clocked) = (mean_us(&pairs, walk), mean_us(&pairs, clock));
        println!("up to {what} places apart: walk {walked:.2} us, vector {clocked:.2} us");
    }
    println!("vectors take {} bytes per vertex", clocks.bytes / graph.len());
}

fn below(rng: &mut Rng, bound: usize) -> usize {
    let bound = u32::try_from(bound.max(1)).expect("a small number");
    usize::try_from(rng.below(bound)).expect("32 bits fit")
}

fn mean_us(pairs: &[[usize; 2]], mut ask: impl FnMut([usize; 2]) -> bool) -> f64 {
    let start = now();
    for pair in pairs {
        black_box(ask(*pair));
    }
    #[allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "a count of questions")]
    let count = pairs.len() as f64;
    start.elapsed().as_secs_f64() * 1e6 / count
}

#[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn now() -> Instant {
    Instant::now()
}

/// For each vertex and author, how many of the author's vertices it has behind it.
struct Clocks {
    of: BTreeMap<VertexId, Vec<u32>>,
    number: BTreeMap<AuthorId, usize>,
    bytes: usize,
}

fn clocks(graph: &Graph) -> Clocks {
    let mut clocks = Clocks { of: BTreeMap::new(), number: BTreeMap::new(), bytes: 0 };
    for signed in graph.iter() {
        let fields = signed.vertex();
        let next = clocks.number.len();
        let own = *clocks.number.entry(fields.author).or_insert(next);
        let mut clock = vec![0; clocks.number.len()];
        for parent in fields.parent_ids().filter_map(|parent| clocks.of.get(&parent)) {
            clock.iter_mut().zip(parent).for_each(|(to, from)| *to = (*from).max(*to));
        }
        if let Some(own) = clock.get_mut(own) {
            *own = u32::try_from(fields.seq + 1).expect("a short chain");
        }
        clocks.bytes += 4 * clock.len();
        clocks.of.insert(signed.id(), clock);
    }
    clocks
}

impl Clocks {
    fn is_behind(&self, graph: &Graph, id: &VertexId, head: &VertexId) -> bool {
        let fields = graph.get(id).expect("accepted").vertex();
        let number = self.number.get(&fields.author).copied().unwrap_or(usize::MAX);
        let known = self.of.get(head).and_then(|clock| clock.get(number)).copied().unwrap_or(0);
        u64::from(known) > fields.seq
    }
}

/// Authors who write in turn, each on top of its own last vertex and three recent ones. One
/// signature serves all: what comes back from a store is not verified again.
fn history(count: usize, rng: &mut Rng) -> Graph {
    let mut graph = Graph::new(NETWORK);
    let mut last = Vec::new();
    for number in 0..AUTHORS {
        let secrets = Secrets::from_entropy([number + 1; 96]);
        let identity = identity(&secrets);
        last.push(restore(&mut graph, &identity));
    }
    let mut ids = last.clone();
    while graph.len() < count {
        let who = below(rng, last.len());
        let prev = last.get(who).copied().expect("an author");
        let before = graph.get(&prev).expect("accepted").vertex().clone();
        let recent = ids.len().saturating_sub(3 * usize::from(AUTHORS));
        let mut parents = vec![prev];
        for _ in 0..3 {
            parents.extend(ids.get(recent + below(rng, ids.len() - recent)));
        }
        parents.sort_unstable();
        parents.dedup();
        let cited = |id: &VertexId| graph.get(id).map(SignedVertex::citation);
        let parents: Vec<Citation> = parents.iter().filter_map(cited).collect();
        let vertex = Vertex {
            seq: before.seq + 1,
            prev: Some(prev),
            lamport: 1 + parents.iter().map(|parent| parent.lamport).max().unwrap_or(0),
            parents,
            payloads: vec![Payload::RunLeave { run: prev }],
            ..before
        };
        let id = restore(&mut graph, &vertex);
        ids.push(id);
        if let Some(last) = last.get_mut(who) {
            *last = id;
        }
    }
    graph
}

fn identity(secrets: &Secrets) -> Vertex {
    let terms = Terms {
        transport: secrets.transport_id(),
        epoch: 0,
        valid_from_ms: 0,
        valid_until_ms: 86_400_000,
    };
    let key = secrets.signing_key();
    let binding = Binding::sign(&key, &NETWORK, terms, [0; 32]).expect("a day is a fine span");
    Vertex::identity(NETWORK, key.public(), binding, NOW.unix_ms)
}

fn restore(graph: &mut Graph, vertex: &Vertex) -> VertexId {
    let encoded = serde_ipld_dagcbor::to_vec(vertex).expect("plain data");
    let pair = (Bytes::new(&encoded), Bytes::new(&[1; SIGNATURE_BYTES]));
    let bytes = serde_ipld_dagcbor::to_vec(&pair).expect("plain data");
    let signed = SignedVertex::decode(&bytes).expect("a sound vertex");
    let id = signed.id();
    graph.restore(signed).expect("it connects");
    id
}
