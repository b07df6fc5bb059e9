//! Vertices per second that one core decodes and verifies, and what each step of it costs.
//!
//! `cargo bench --bench verify`. In `cargo test` it runs once, briefly, so that it keeps working.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;

use synaptic_mesh::clock::Now;
use synaptic_mesh::crypto::sign::{Context, SigningKey};
use synaptic_mesh::dag::{Graph, NetworkId, Payload, SignedVertex, Source, Vertex, VertexId};
use synaptic_mesh::identity::{Binding, Secrets, Terms, TransportId};

const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);
const NOW: Now = Now { mono_ms: 0, unix_ms: 1_700_000_000_000 };
/// Payloads of a full vertex (count).
const BATCH: usize = 64;

fn main() {
    let full = std::env::args().any(|argument| argument == "--bench");
    let count = if full { 3_000 } else { 20 };
    let secrets = Secrets::from_entropy([1; 96]);
    let key = secrets.signing_key();
    let encoded = history(&secrets, &key, count, 1);
    let bytes = encoded.iter().map(Vec::len).sum::<usize>() / encoded.len();
    println!("{count} vertices of {bytes} bytes on average, one core");

    let message = [0x5a; 128];
    let signature = key.sign(Context::Vertex, &message, [1; 32]);
    let rounds = count / 2;
    rate("sign (composite)", rounds, |round| {
        let hedge = [u8::try_from(round % 256).unwrap_or_default(); 32];
        black_box(key.sign(Context::Vertex, &message, hedge));
    });
    rate("verify (composite)", rounds, |_| {
        black_box(key.public().verify(Context::Vertex, &message, &signature)).expect("valid");
    });
    let mut turn = encoded.iter().cycle().map(|bytes| SignedVertex::decode(bytes).expect("valid"));
    let mut decode = || turn.next().expect("it goes round and round");
    rate("decode", count, |_| {
        black_box(decode());
    });
    let peer = Source::Peer(TransportId::from_bytes(&[1]).expect("one byte is enough"));
    let mut graph = Graph::new(NETWORK);
    rate("decode + verify + insert", count, |_| {
        graph.insert(decode(), &peer, NOW).expect("accepted");
    });
    assert_eq!(graph.len(), count);
    let mut restored = Graph::new(NETWORK);
    rate("decode + restore", count, |_| {
        restored.restore(decode()).expect("accepted");
    });
    assert_eq!(restored.heads(), graph.heads());
    ingest_batches(&secrets, &key, count / 3);
}

/// Vertices as busy members write them: one signature for many payloads.
fn ingest_batches(secrets: &Secrets, key: &SigningKey, count: usize) {
    let encoded = history(secrets, key, count, BATCH / 2);
    let peer = Source::Peer(TransportId::from_bytes(&[1]).expect("one byte is enough"));
    let mut graph = Graph::new(NETWORK);
    let mut turn = encoded.iter();
    let per_second = rate("the same, 64 payloads each", count, |_| {
        let bytes = turn.next().expect("as many as there are");
        let signed = SignedVertex::decode(bytes).expect("valid");
        graph.insert(signed, &peer, NOW).expect("accepted");
    });
    println!("{:<26} {:>9.0} / s", "  payloads", per_second * 64.0);
}

/// An identity and then vertices of so many pairs of statements each.
fn history(secrets: &Secrets, key: &SigningKey, count: usize, pairs: usize) -> Vec<Vec<u8>> {
    let terms = Terms {
        transport: secrets.transport_id(),
        epoch: 0,
        valid_from_ms: 0,
        valid_until_ms: 86_400_000,
    };
    let binding = Binding::sign(key, &NETWORK, terms, [0; 32]).expect("a day is a fine span");
    let identity = Vertex::identity(NETWORK, key.public(), binding, 0);
    let author = identity.author;
    let mut graph = Graph::new(NETWORK);
    let mut fields = identity;
    for number in 0..count {
        let vertex = SignedVertex::sign(&fields, key, [0; 32]).expect("valid");
        graph.restore(vertex).expect("accepted");
        let run = VertexId::of(&number.to_be_bytes());
        let pair = [Payload::RunJoin { run, samples: 100, key: None }, Payload::RunLeave { run }];
        let payloads = std::iter::repeat_n(pair, pairs).flatten().collect();
        fields = graph.next_vertex(author, payloads, NOW).expect("an own chain");
    }
    graph.iter().map(SignedVertex::encode).collect()
}

/// Runs `step` for each round; prints, and gives, how many went into a second of processor time.
fn rate(what: &str, rounds: usize, mut step: impl FnMut(usize)) -> f64 {
    let clock = Clock::start();
    (0..rounds).for_each(&mut step);
    let seconds = clock.seconds();
    #[allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "a count of rounds")]
    let per_second = rounds as f64 / seconds;
    println!("{what:<26} {per_second:>9.0} / s   {:>8.1} us", 1.0e6 / per_second);
    per_second
}

/// Processor time of this thread where Linux tells it, so that other work on the machine does not
/// count; wall time elsewhere.
struct Clock {
    wall: std::time::Instant,
    processor_ns: Option<u64>,
}

impl Clock {
    #[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    fn start() -> Self {
        Self { wall: std::time::Instant::now(), processor_ns: processor_ns() }
    }

    fn seconds(&self) -> f64 {
        match (self.processor_ns, processor_ns()) {
            (Some(start), Some(end)) if end > start => {
                std::time::Duration::from_nanos(end - start).as_secs_f64()
            }
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }
}

/// The first number of `schedstat` is the time spent on a processor, in nanoseconds.
fn processor_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}
