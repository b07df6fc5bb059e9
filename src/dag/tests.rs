//! Vertices: round trips, golden names, and every way of damaging one. The fixtures here serve the
//! tests of the graph and of the floors above.

use proptest::prelude::*;

use super::*;
use crate::aggregation::{Rule, Settings};
use crate::clock::Now;
use crate::compression;
use crate::crypto::sign::{Signature, SigningKey};
use crate::identity::{AuthorId, Secrets, Terms, TransportId};
use crate::limits;
use crate::masking;
use crate::neural::{Activation, Layer, Loss, Shape, Specification};
use crate::privacy;

/// The network of every fixture.
pub(crate) const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);
/// The time of every fixture.
pub(crate) const NOW: Now = Now { mono_ms: 1_000, unix_ms: 1_700_000_000_000 };

/// An author with its key, grown from one byte.
pub(crate) struct Author {
    pub(crate) key: SigningKey,
    pub(crate) id: AuthorId,
    pub(crate) transport: TransportId,
}

impl Author {
    pub(crate) fn new(seed: u8) -> Self {
        let secrets = Secrets::from_entropy([seed; 96]);
        let key = secrets.signing_key();
        Self { id: AuthorId::of(key.public()), transport: secrets.transport_id(), key }
    }

    pub(crate) fn binding(&self, epoch: u32) -> Binding {
        let terms = Terms {
            transport: self.transport.clone(),
            epoch,
            valid_from_ms: NOW.unix_ms,
            valid_until_ms: NOW.unix_ms + 86_400_000,
        };
        Binding::sign(&self.key, &NETWORK, terms, [0; 32]).unwrap()
    }

    pub(crate) fn identity(&self) -> SignedVertex {
        let vertex = Vertex::identity(NETWORK, self.key.public(), self.binding(0), NOW.unix_ms);
        self.sign(&vertex)
    }

    pub(crate) fn sign(&self, vertex: &Vertex) -> SignedVertex {
        SignedVertex::sign(vertex, &self.key, [0; 32]).unwrap()
    }

    /// The author's next vertex on top of everything in `graph`, not inserted.
    pub(crate) fn next(&self, graph: &Graph, payloads: Vec<Payload>) -> SignedVertex {
        self.sign(&graph.next_vertex(self.id, payloads, NOW).unwrap())
    }

    /// Writes and inserts the author's next vertex.
    pub(crate) fn write(&self, graph: &mut Graph, payloads: Vec<Payload>) -> SignedVertex {
        let vertex = self.next(graph, payloads);
        assert_eq!(insert(graph, &vertex), Ok(Insert::Accepted(vec![vertex.id()])));
        vertex
    }
}

/// Inserts as if a peer had sent it.
pub(crate) fn insert(graph: &mut Graph, vertex: &SignedVertex) -> Result<Insert, Error> {
    graph.insert(vertex.clone(), &peer(0), NOW)
}

/// A peer, grown from one byte.
pub(crate) fn peer(seed: u8) -> Source {
    Source::Peer(TransportId::from_bytes(&[1, seed]).unwrap())
}

/// A graph with the identities of these authors in it.
pub(crate) fn graph_of(authors: &[&Author]) -> Graph {
    let mut graph = Graph::new(NETWORK);
    for author in authors {
        insert(&mut graph, &author.identity()).unwrap();
    }
    graph
}

/// A statement that needs nothing else: leaving a run that need not exist.
pub(crate) fn note(number: u8) -> Payload {
    Payload::RunLeave { run: VertexId::of(&[number]) }
}

/// A small run.
pub(crate) fn spec() -> RunSpec {
    RunSpec {
        name: "iris-1".to_owned(),
        model: Specification {
            inputs: Shape::Flat(4),
            layers: vec![Layer::dense(8, Activation::Relu), Layer::dense(3, Activation::Softmax)],
            loss: Loss::CrossEntropy,
        },
        seed: u64::MAX,
        classes: ["setosa", "versicolor", "virginica"].map(str::to_owned).to_vec(),
        scaling: Scaling { offset: vec![5.84, 3.05, 3.76, 1.2], scale: vec![1.2, 2.3, 0.57, 1.3] },
        rounds: 20,
        epochs: 2,
        batch: 16,
        learning_rate: 0.1,
        momentum: 0.9,
        quorum: 3,
        updates_min: 2,
        deadline_ms: 10_000,
        aggregation: None,
        server_momentum: None,
        compression: None,
        privacy: None,
        masking: None,
        worker_momentum: None,
        reference: None,
        commit_reveal: false,
    }
}

/// One payload of every kind but the identity.
fn every_payload() -> Vec<Payload> {
    let (run, base) = (VertexId::of(b"run"), VertexId::of(b"base"));
    let mut updates = vec![VertexId::of(b"u1"), VertexId::of(b"u2")];
    updates.sort_unstable();
    let (one, other) = (fork(&Author::new(9), 1), fork(&Author::new(9), 2));
    let proof = EquivocationProof::of(&one, &other, Author::new(9).key.public()).unwrap();
    vec![
        Payload::Binding(Author::new(1).binding(1)),
        Payload::RunStart(spec()),
        Payload::RunJoin { run, samples: 150, key: None },
        Payload::RunLeave { run },
        Payload::Update(Update {
            run,
            base,
            round: 1,
            samples: 150,
            delta: BlobId::of(b"delta"),
            delta_bytes: 268,
            cohort: None,
            reveal: None,
        }),
        Payload::Aggregate(Aggregate {
            run,
            base,
            round: 1,
            updates,
            weights: BlobId::of(b"weights"),
            weights_bytes: 268,
        }),
        proof.to_payload(),
    ]
}

/// Citations of these vertices, as a vertex has them for parents.
pub(crate) fn cite(parents: &[&SignedVertex]) -> Vec<Citation> {
    let mut cited: Vec<Citation> = parents.iter().map(|signed| signed.citation()).collect();
    cited.sort_unstable();
    cited
}

/// Puts a vertex on top of these, the first of which is its author's.
pub(crate) fn put_on(vertex: &mut Vertex, parents: &[&SignedVertex]) {
    vertex.parents = cite(parents);
    vertex.prev = parents.first().map(|signed| signed.id());
    vertex.seq = parents.first().map_or(0, |signed| signed.vertex().seq + 1);
    vertex.lamport = 1 + vertex.parents.iter().map(|cited| cited.lamport).max().unwrap_or(0);
}

/// One of several vertices for position 1 of an author's chain.
pub(crate) fn fork(author: &Author, number: u8) -> SignedVertex {
    let graph = graph_of(&[author]);
    author.next(&graph, vec![note(number)])
}

fn rich() -> SignedVertex {
    let author = Author::new(1);
    // A proof of equivocation stands behind a vertex of the accused.
    author.next(&graph_of(&[&author, &Author::new(2), &Author::new(9)]), every_payload())
}

/// Signs a vertex without the checks of the honest path; for what a hostile author can send.
pub(crate) fn sign_anything(key: &SigningKey, vertex: &Vertex) -> Vec<u8> {
    let bytes = cbor::encode(vertex).unwrap();
    let claim =
        vertex::Claim(vertex.network, vertex.author, vertex.seq, VertexId::of(&bytes)).encode();
    let signature = key.sign(crate::crypto::sign::Context::Vertex, &claim, [0; 32]);
    cbor::encode_pair(&bytes, signature.as_bytes())
}

#[test]
fn a_vertex_with_every_payload_survives_the_wire() {
    let vertex = rich();
    let encoded = vertex.encode();
    assert_eq!(SignedVertex::decode(&encoded).unwrap(), vertex);
    assert!(encoded.len() <= vertex.encoded_bytes());
    assert_eq!(vertex.verify(Author::new(1).key.public()), Ok(()));
}

#[test]
fn names_never_change() {
    // Whoever changes an encoding changes the name of every vertex ever written: then VERSION and
    // the protocol ids change too.
    assert_eq!(
        Author::new(1).id.to_string(),
        "qxqmtkpb323stlxkdcll2bkyvljwouwned35nz46a47ps4wibwgq"
    );
    assert_eq!(
        Author::new(1).identity().id().to_string(),
        "bafyr4icdyz3qck52hepavwniczhoq6st3agg3phlpkkaf562xpujmepmte"
    );
    assert_eq!(
        rich().id().to_string(),
        "bafyr4ie5v7djwydrb6xgz6gtngzvjpojtpa7ycborekzeqgr4ovwjwzt2q"
    );
}

#[test]
fn ids_are_links_of_one_codec_and_hash() {
    let id = VertexId::of(b"x");
    assert_eq!(id.to_string().parse::<VertexId>(), Ok(id));
    assert!(id.to_string().starts_with("bafyr4i"));
    assert!(BlobId::of(b"x").to_string().starts_with("bafkr4i"));
    assert!(id.to_string().parse::<BlobId>().is_err());
    let bounds = cbor::Bounds { bytes_max: 100, items_max: 2, depth_max: 0 };
    let link = cbor::encode(&id).unwrap();
    assert_eq!(link.len(), 41);
    assert_eq!(cbor::decode::<VertexId>(&link, &bounds).unwrap(), id);
    assert!(cbor::decode::<BlobId>(&link, &bounds).is_err(), "another codec");
    let bytes = cbor::encode(serde_bytes::Bytes::new(&id.to_cid_bytes())).unwrap();
    assert!(cbor::decode::<VertexId>(&bytes, &bounds).is_err(), "bytes that are no link");
}

#[test]
fn either_half_of_a_signature_can_not_be_missing() {
    let author = Author::new(1);
    let vertex = rich();
    for (range, code) in [(0..3309, "signature-ml-dsa"), (3309..3373, "signature-ed25519")] {
        let mut signature = *vertex.signature().as_bytes();
        signature[range].fill(0);
        let signature = Signature::from_bytes(&signature).unwrap();
        let bad = SignedVertex::from_parts(vertex.bytes().to_vec(), signature).unwrap();
        let mut graph = graph_of(&[&author, &Author::new(2), &Author::new(9)]);
        let error = insert(&mut graph, &bad).unwrap_err();
        assert_eq!((error.code(), error.fault()), (code, Fault::BadSignature));
        assert_eq!(bad.id(), vertex.id(), "the name does not depend on the signature");
        assert!(matches!(insert(&mut graph, &vertex), Ok(Insert::Accepted(_))));
    }
}

#[test]
fn a_wire_form_of_any_other_shape_is_refused() {
    let encoded = rich().encode();
    let (bytes, signature) = (rich().bytes().to_vec(), rich().signature().as_bytes().to_vec());
    let longer = cbor::encode(&[bytes.as_slice(), &signature, &[]].map(serde_bytes::Bytes::new));
    for (case, what) in [
        (Vec::new(), "nothing"),
        (encoded[..encoded.len() - 1].to_vec(), "truncated"),
        ([encoded.as_slice(), &[0]].concat(), "longer"),
        (longer.unwrap(), "three entries"),
        (cbor::encode_pair(&bytes, &signature[1..]), "a short signature"),
        (cbor::encode_pair(&signature, &bytes), "swapped"),
        (cbor::encode_pair(&[], &signature), "an empty vertex"),
        (cbor::encode_pair(&[0xa0], &signature), "an empty map"),
        (cbor::encode_pair(&vec![0; limits::VERTEX_BYTES_MAX + 1], &signature), "too large"),
        (vec![0; 10 << 20], "ten megabytes"),
    ] {
        let error = SignedVertex::decode(&case).unwrap_err();
        assert_eq!(error.fault(), Fault::Malformed, "{what}: {error}");
    }
}

/// A change that a hostile author makes before signing.
type Change = fn(&mut Vertex);

#[test]
fn every_local_rule_is_held_against_a_hostile_author() {
    let author = Author::new(1);
    let table: [(Change, &str); 30] = [
        (|v| v.version = 1, "vertex-version"),
        (|v| v.seq = 0, "vertex-identity"),
        (|v| v.seq = 1 << 53, "vertex-range"),
        (|v| v.lamport = 0, "vertex-range"),
        (|v| v.lamport = u64::MAX, "vertex-range"),
        (|v| v.time_ms = u64::MAX, "vertex-range"),
        (|v| v.prev = None, "vertex-chain"),
        (|v| v.prev = Some(VertexId::of(b"elsewhere")), "vertex-chain"),
        (|v| v.parents.clear(), "vertex-chain"),
        (
            |v| v.prev = v.parents.iter().map(|p| p.id).find(|id| Some(*id) != v.prev),
            "vertex-chain",
        ),
        (|v| v.seq += 1, "vertex-chain"),
        (|v| v.lamport += 1, "vertex-lamport"),
        (|v| v.parents[0].lamport += 1, "vertex-lamport"),
        (|v| v.parents[0].lamport = u64::MAX, "vertex-range"),
        (|v| v.parents[0].seq = u64::MAX, "vertex-range"),
        (
            |v| {
                let prev = v.prev;
                let own = v.parents.iter_mut().find(|parent| Some(parent.id) == prev);
                own.unwrap().author = Author::new(2).id;
            },
            "vertex-chain",
        ),
        (|v| v.parents.reverse(), "vertex-order"),
        (|v| v.parents.push(v.parents[1]), "vertex-order"),
        (
            |v| {
                let cited = v.parents[0];
                v.parents = (0..17).map(|n| Citation { id: VertexId::of(&[n]), ..cited }).collect();
            },
            "vertex-range",
        ),
        (|v| v.payloads.clear(), "vertex-range"),
        (|v| v.payloads = vec![note(0); 129], "vertex-range"),
        (
            |v| v.payloads.push(Author::new(1).identity().vertex().payloads[0].clone()),
            "vertex-identity",
        ),
        (
            |v| v.payloads.push(Payload::RunJoin { run: VertexId::of(b""), samples: 0, key: None }),
            "vertex-range",
        ),
        (|v| change_update(v, |u| u.delta_bytes = 0), "vertex-range"),
        (|v| change_aggregate(v, |a| a.weights_bytes = 6), "vertex-weights-bytes"),
        (|v| change_update(v, |u| u.delta_bytes = u32::MAX), "vertex-range"),
        (|v| change_update(v, |u| u.round = 0), "vertex-range"),
        (|v| change_aggregate(v, |a| a.updates.reverse()), "vertex-order"),
        (|v| change_aggregate(v, |a| a.updates.clear()), "vertex-range"),
        (|v| change_proof(v), "equivocation-proof"),
    ];
    for (index, (change, code)) in table.into_iter().enumerate() {
        let mut vertex = rich().vertex().clone();
        change(&mut vertex);
        let error = SignedVertex::decode(&sign_anything(&author.key, &vertex)).unwrap_err();
        assert_eq!(error.code(), code, "row {index}: {error}");
        assert!(error.fault().blames_sender());
        let own = SignedVertex::sign(&vertex, &author.key, [0; 32]).unwrap_err();
        assert_eq!(own, error, "an author learns what everybody else would say");
    }
}

fn change_update(vertex: &mut Vertex, change: impl Fn(&mut Update)) {
    for payload in &mut vertex.payloads {
        if let Payload::Update(update) = payload {
            change(update);
        }
    }
}

fn change_aggregate(vertex: &mut Vertex, change: impl Fn(&mut Aggregate)) {
    for payload in &mut vertex.payloads {
        if let Payload::Aggregate(aggregate) = payload {
            change(aggregate);
        }
    }
}

/// Makes the proof's halves name one vertex.
fn change_proof(vertex: &mut Vertex) {
    for payload in &mut vertex.payloads {
        if let Payload::Equivocation { first, second, .. } = payload {
            second.clone_from(first);
        }
    }
}

/// A change that puts a run out of its bounds.
type Spoil = fn(&mut RunSpec);

/// No data set fits such a run, so nobody could train for it.
fn two_classes_of_one_output(spec: &mut RunSpec) {
    spec.classes.truncate(2);
    spec.model.layers = vec![Layer::dense(1, Activation::Linear)];
    spec.model.loss = Loss::Mse;
}

fn compression(bits: u32, keep: u32) -> compression::Settings {
    compression::Settings { bits, keep }
}

fn sparse_medians(spec: &mut RunSpec) {
    spec.updates_min = 3;
    spec.aggregation = Some(rule(Rule::Median, 1, 0.0));
    spec.compression = Some(compression(4, 1_000_000));
    assert_eq!(spec.validate(), Ok(()), "all values have a middle");
    spec.compression = Some(compression(4, 999_999));
}

fn rule(rule: Rule, byzantine: u32, radius: f32) -> Settings {
    Settings { rule, byzantine, radius, mixing: false }
}

/// Trusted rows of zeros, of the first class.
fn reference(rows: usize) -> Reference {
    Reference { inputs: vec![0; rows * 16], labels: vec![0; rows * 4] }
}

/// A second of everybody's time is what a round's trusted update may take.
fn endless_reference(spec: &mut RunSpec) {
    spec.epochs = limits::NEURAL_EPOCHS_MAX;
    spec.model.layers.insert(0, Layer::dense(1_000, Activation::Relu));
    spec.reference = Some(reference(1_000));
}

fn masked(spec: &mut RunSpec, clip: f32, threshold: u8) {
    spec.updates_min = 3;
    spec.masking = Some(masking::Settings { clip, threshold });
}

fn two_masked(spec: &mut RunSpec) {
    masked(spec, 16.0, 66);
    spec.updates_min = 2;
}

fn masked_median(spec: &mut RunSpec) {
    masked(spec, 16.0, 66);
    assert_eq!(spec.validate(), Ok(()));
    spec.aggregation = Some(rule(Rule::Median, 1, 0.0));
}

fn masked_and_compressed(spec: &mut RunSpec) {
    masked(spec, 16.0, 66);
    spec.compression = Some(compression(8, 10_000));
}

fn masked_and_trusting(spec: &mut RunSpec) {
    masked(spec, 16.0, 66);
    spec.reference = Some(reference(3));
}

fn masked_and_large(spec: &mut RunSpec) {
    masked(spec, 16.0, 66);
    spec.model.layers.insert(0, Layer::dense(800, Activation::Relu));
    spec.model.layers.insert(0, Layer::dense(800, Activation::Relu));
}

fn privacy(clip: f32, noise: f32, delta: f32) -> privacy::Settings {
    privacy::Settings { clip, noise, delta }
}

/// Runs of before there were rules are read as they were written, and written the same.
#[test]
fn a_run_without_options_says_nothing_of_them() {
    let bounds = cbor::Bounds { bytes_max: 65_536, items_max: 16_384, depth_max: 8 };
    let encoded = |spec: RunSpec| cbor::encode(&Payload::RunStart(spec)).unwrap();
    let says = |bytes: &[u8], name: &[u8]| bytes.windows(name.len()).any(|part| part == name);
    let options: [&[u8]; 8] = [
        b"masking",
        b"aggregation",
        b"mixing",
        b"server_momentum",
        b"compression",
        b"privacy",
        b"worker_momentum",
        b"reference",
    ];
    let names = |bytes: &[u8]| options.iter().any(|name| says(bytes, name));
    let plain = encoded(spec());
    let mut ruled = spec();
    ruled.updates_min = 3;
    ruled.server_momentum = Some(0.7);
    ruled.compression = Some(compression(8, 10_000));
    ruled.privacy = Some(privacy(1.0, 0.5, 1.0e-5));
    ruled.worker_momentum = Some(0.9);
    let mut trusting = ruled.clone();
    trusting.reference = Some(reference(3));
    assert_eq!(trusting.validate(), Ok(()));
    let beside_a_rule = Some(rule(Rule::CenteredClipping, 1, 0.5));
    let both = RunSpec { aggregation: beside_a_rule, ..trusting.clone() };
    assert_eq!(both.validate().unwrap_err().code(), "run-reference");
    ruled.aggregation = Some(rule(Rule::CenteredClipping, 1, 0.5));
    assert_eq!(ruled.validate(), Ok(()));
    let with_rule = encoded(ruled.clone());
    assert!(!names(&plain) && names(&with_rule));
    let read = |bytes: &[u8]| cbor::decode::<Payload>(bytes, &bounds).unwrap();
    assert_eq!(read(&plain), Payload::RunStart(spec()));
    assert_eq!(read(&with_rule), Payload::RunStart(ruled));
    assert_eq!(read(&encoded(trusting.clone())), Payload::RunStart(trusting));
    // A null is another way to say nothing, and refused like every second encoding.
    let mut null = plain.clone();
    null[0] += 1;
    let at = null.windows(9).position(|name| name == b"\x6bdeadline").unwrap();
    null.splice(at..at, *b"\x6baggregation\xf6");
    assert!(cbor::decode::<Payload>(&null, &bounds).is_err());
}

#[test]
fn every_bound_of_a_run_is_checked() {
    let table: [(Spoil, &str); 52] = [
        (|s| s.name.clear(), "vertex-range"),
        (|s| s.name = "a".repeat(65), "vertex-range"),
        (|s| s.name = "Iris".to_owned(), "vertex-range"),
        (|s| s.name = "iris\u{e9}".to_owned(), "vertex-range"),
        (|s| s.model.inputs = Shape::Flat(0), "run-model"),
        (|s| s.scaling.offset.clear(), "run-model"),
        (|s| s.classes = vec!["a".to_owned()], "run-model"),
        (two_classes_of_one_output, "run-model"),
        // A node computes initial weights of dense layers only.
        (|s| s.model.layers.insert(0, Layer::Flatten), "run-model"),
        (|s| s.classes[0] = "a".repeat(65), "vertex-range"),
        (|s| s.rounds = 0, "vertex-range"),
        (|s| s.rounds = u32::MAX, "vertex-range"),
        (|s| s.epochs = 0, "vertex-range"),
        (|s| s.batch = 0, "vertex-range"),
        (|s| s.learning_rate = 0.0, "vertex-range"),
        (|s| s.learning_rate = -1.0, "vertex-range"),
        (|s| s.momentum = 1.0, "vertex-range"),
        (|s| s.quorum = 0, "vertex-range"),
        (|s| s.quorum = 257, "vertex-range"),
        (|s| s.updates_min = 4, "vertex-range"),
        (|s| s.deadline_ms = 1, "vertex-range"),
        // No server momentum has one encoding, too: no field.
        (|s| s.server_momentum = Some(0.0), "vertex-range"),
        (|s| s.server_momentum = Some(1.0), "vertex-range"),
        (|s| s.server_momentum = Some(f32::NAN), "vertex-range"),
        (|s| s.compression = Some(compression(0, 10_000)), "run-compression"),
        (|s| s.compression = Some(compression(9, 10_000)), "run-compression"),
        (|s| s.compression = Some(compression(8, 0)), "run-compression"),
        // The middle of what most members leave out is nothing.
        (sparse_medians, "run-compression"),
        (|s| s.worker_momentum = Some(0.0), "vertex-range"),
        (|s| s.worker_momentum = Some(1.0), "vertex-range"),
        (|s| s.reference = Some(reference(0)), "run-reference"),
        // 20 bytes each, of 40 KiB.
        (|s| s.reference = Some(reference(2_100)), "run-reference"),
        (
            |s| s.reference = Some(Reference { labels: vec![9, 0, 0, 0], ..reference(1) }),
            "run-reference",
        ),
        (|s| s.reference = Some(Reference { inputs: vec![0; 7], ..reference(1) }), "run-reference"),
        (
            |s| s.reference = Some(Reference { inputs: vec![0xff; 16], ..reference(1) }),
            "run-reference",
        ),
        (endless_reference, "run-reference"),
        // Secure aggregation: bounds, enough members, and nothing that looks at single updates.
        (|s| masked(s, 0.0, 66), "run-masking"),
        (|s| masked(s, 16.0, 95), "run-masking"),
        (two_masked, "vertex-range"),
        (masked_median, "run-masking"),
        (masked_and_compressed, "run-masking"),
        (masked_and_trusting, "run-masking"),
        (masked_and_large, "run-masking"),
        (|s| s.privacy = Some(privacy(0.0, 1.0, 1.0e-5)), "run-privacy"),
        (|s| s.privacy = Some(privacy(1.0, 0.0, 1.0e-5)), "run-privacy"),
        (|s| s.privacy = Some(privacy(1.0, 1.0, 1.0)), "run-privacy"),
        // The mean has one encoding, and holds against nobody.
        (|s| s.aggregation = Some(rule(Rule::Mean, 0, 0.0)), "run-aggregation"),
        (|s| s.aggregation = Some(rule(Rule::Median, 1, -1.0)), "run-aggregation"),
        (|s| s.aggregation = Some(rule(Rule::Median, 1, f32::NAN)), "run-aggregation"),
        // Rounds close with 2 of 3 updates, and these rules need 3, 5 and ever more.
        (|s| s.aggregation = Some(rule(Rule::Median, 1, 0.0)), "vertex-range"),
        (|s| s.aggregation = Some(rule(Rule::Krum, 1, 0.0)), "vertex-range"),
        (|s| s.aggregation = Some(rule(Rule::Bulyan, u32::MAX, 0.0)), "vertex-range"),
    ];
    assert_eq!(spec().validate(), Ok(()));
    for (index, (change, code)) in table.into_iter().enumerate() {
        let mut spec = spec();
        change(&mut spec);
        let error = spec.validate().unwrap_err();
        assert_eq!(error.code(), code, "row {index}: {error}");
    }
    let mut regression = spec();
    regression.classes.clear();
    assert_eq!(regression.validate(), Ok(()));
}

#[test]
fn floats_keep_their_bits_and_nothing_but_f32_is_read() {
    let mut spec = spec();
    spec.scaling.offset = vec![f32::MIN_POSITIVE, f32::MAX, 1.0e-45, -0.0];
    let author = Author::new(1);
    let vertex = author.next(&graph_of(&[&author]), vec![Payload::RunStart(spec)]);
    let Payload::RunStart(read) = &vertex.vertex().payloads[0] else { panic!("a run") };
    let bits: Vec<u32> = read.scaling.offset.iter().map(|value| value.to_bits()).collect();
    assert_eq!(bits, [0x0080_0000, 0x7f7f_ffff, 1, 0], "DAG-CBOR has no negative zero");
    assert_eq!(SignedVertex::decode(&vertex.encode()).unwrap(), vertex);

    // The same vertex with a learning rate that lies between two f32 values.
    let mut bytes = vertex.bytes().to_vec();
    let exact = f64::from(0.1_f32).to_be_bytes();
    let at = bytes.windows(8).position(|window| window == exact).unwrap();
    bytes[at + 7] ^= 1;
    let error = SignedVertex::from_parts(bytes, vertex.signature().clone()).unwrap_err();
    assert_eq!(error.code(), "vertex-not-canonical");
}

#[test]
fn infinite_and_missing_numbers_are_not_signed() {
    let author = Author::new(1);
    let graph = graph_of(&[&author]);
    for value in [f32::NAN, f32::INFINITY] {
        let mut spec = spec();
        spec.momentum = value;
        let vertex = graph.next_vertex(author.id, vec![Payload::RunStart(spec)], NOW).unwrap();
        assert!(SignedVertex::sign(&vertex, &author.key, [0; 32]).is_err());
    }
}

#[test]
fn a_vertex_that_is_too_large_is_refused_by_its_author_already() {
    let author = Author::new(1);
    let graph = graph_of(&[&author]);
    let mut spec = spec();
    spec.model.inputs = Shape::Flat(4_000);
    spec.scaling = Scaling::identity(4_000);
    let vertex = graph.next_vertex(author.id, vec![Payload::RunStart(spec)], NOW).unwrap();
    let error = SignedVertex::sign(&vertex, &author.key, [0; 32]).unwrap_err();
    assert_eq!(error.code(), "vertex-too-large");
    assert!(error.to_string().contains("65536"), "{error}");
}

#[test]
fn nobody_signs_in_another_name() {
    let (author, mallory) = (Author::new(1), Author::new(2));
    let graph = graph_of(&[&author, &mallory]);
    let vertex = graph.next_vertex(author.id, vec![note(1)], NOW).unwrap();
    let error = SignedVertex::sign(&vertex, &mallory.key, [0; 32]).unwrap_err();
    assert_eq!(error.code(), "vertex-identity");
}

#[test]
fn the_largest_proof_fits_a_vertex() {
    // Two vertices of full size: the proof holds their names, not their bytes.
    let author = Author::new(3);
    let graph = graph_of(&[&author]);
    let large = |number: u8| {
        let payloads = vec![Payload::Binding(author.binding(u32::from(number))); 17];
        SignedVertex::sign(
            &graph.next_vertex(author.id, payloads, NOW).unwrap(),
            &author.key,
            [0; 32],
        )
        .unwrap()
    };
    let (one, other) = (large(1), large(2));
    assert!(one.bytes().len() > 55_000);
    let proof = EquivocationProof::of(&one, &other, author.key.public()).unwrap();
    let payload = proof.to_payload();
    assert!(cbor::encode(&payload).unwrap().len() < 10_000);
    let Payload::Equivocation { public_key, first, second } = &payload else { panic!("a proof") };
    let read = EquivocationProof::from_fields(public_key, first, second).unwrap();
    assert_eq!(read, proof);
    assert_eq!(read.verify(), Ok(()));
}

#[test]
fn a_proof_about_somebody_else_or_nothing_does_not_verify() {
    let (accused, mallory) = (Author::new(3), Author::new(4));
    let (one, other) = (fork(&accused, 1), fork(&accused, 2));
    let proof = EquivocationProof::of(&one, &other, accused.key.public()).unwrap();
    assert!(EquivocationProof::of(&one, &one, accused.key.public()).is_none());
    assert!(EquivocationProof::of(&one, &fork(&mallory, 1), accused.key.public()).is_none());
    let Payload::Equivocation { public_key, first, second } = proof.to_payload() else { panic!() };
    let swapped = EquivocationProof::from_fields(&public_key, &second, &first).unwrap_err();
    assert_eq!(swapped.code(), "equivocation-proof");
    let foreign = mallory.key.public().as_bytes();
    let framed = EquivocationProof::from_fields(foreign, &first, &second).unwrap();
    assert_eq!(framed.verify().unwrap_err().code(), "vertex-identity");
    let mut forged = first.clone();
    *forged.last_mut().unwrap() ^= 1;
    let forged = EquivocationProof::from_fields(&public_key, &forged, &second).unwrap();
    assert_eq!(forged.verify().unwrap_err().fault(), Fault::BadSignature);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_byte_anywhere_is_never_accepted(
        at in any::<proptest::sample::Index>(), xor in 1..=255_u8,
    ) {
        let author = Author::new(1);
        let mut graph = graph_of(&[&author]);
        let mut encoded = author.next(&graph, vec![note(1), Payload::RunStart(spec())]).encode();
        let at = at.index(encoded.len());
        encoded[at] ^= xor;
        if let Ok(vertex) = SignedVertex::decode(&encoded) {
            prop_assert!(insert(&mut graph, &vertex).is_err());
        }
        prop_assert_eq!(graph.len(), 1);
        prop_assert_eq!(graph.parked(), 0);
    }

    #[test]
    fn arbitrary_bytes_are_no_vertex(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(SignedVertex::decode(&bytes).is_err());
        let signature = Signature::from_bytes(&[0; 3373]).unwrap();
        prop_assert!(SignedVertex::from_parts(bytes, signature).is_err());
    }

    #[test]
    fn random_runs_survive_the_wire(
        seed: u64,
        offset in proptest::collection::vec(-1.0e30_f32..1.0e30, 4),
        learning_rate in 1.0e-9_f32..100.0,
        momentum in 0.0_f32..0.999,
        rounds in 1..=limits::RUN_ROUNDS_MAX,
        name in "[a-z0-9-]{1,64}",
    ) {
        let mut spec = spec();
        spec.scaling.offset = offset;
        let spec = RunSpec { name, seed, rounds, learning_rate, momentum, ..spec };
        let bounds = cbor::Bounds { bytes_max: 65_536, items_max: 16_384, depth_max: 8 };
        let bytes = cbor::encode(&Payload::RunStart(spec.clone())).unwrap();
        prop_assert_eq!(cbor::decode::<Payload>(&bytes, &bounds).unwrap(), Payload::RunStart(spec));
    }
}
