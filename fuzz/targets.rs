//! What is fuzzed: everything that reads bytes a peer, a file or a user hands in.
//!
//! A target takes any bytes and must neither panic nor take long; what it accepts, it must write
//! back as the same bytes. cargo-fuzz runs the targets one by one (`npm run fuzz -- TARGET`), and
//! `tests/fuzz_smoke.rs` runs all of them on damaged seeds with every `cargo test`.

mod aggregation;
mod channel;
mod compression;
mod finality;
mod groups;
mod invites;
mod onion;
mod sealed;
mod snapshots;
mod webrtc;

use std::collections::BTreeMap;
use std::sync::OnceLock;

pub(crate) use aggregation::aggregate;
pub(crate) use channel::channel;
pub(crate) use compression::compression;
pub(crate) use finality::{consensus_state, genesis, proof_verify, sampling_state};
pub(crate) use groups::group_state;
pub(crate) use invites::invite;
pub(crate) use onion::onion;
pub(crate) use sealed::sealed;
pub(crate) use snapshots::snapshot;
pub(crate) use webrtc::webrtc;

use synaptic_mesh::clock::Now;
use synaptic_mesh::consensus::{self, Proof};
use synaptic_mesh::crypto::sign::{PublicKey, Signature};
use synaptic_mesh::dag::operation::{Label, Operation};
use synaptic_mesh::dag::{
    BlobId, Graph, Key, NetworkId, Payload, SignedVertex, Source, Timeline, VertexId, car,
};
use synaptic_mesh::effect::{Effect, Input};
use synaptic_mesh::event::Channel;
use synaptic_mesh::federated::replay;
use synaptic_mesh::identity::{AuthorId, Secrets, TransportId};
use synaptic_mesh::message::{
    Heads, Ranges, Request, Response, WantAncestors, WantBlob, WantSnapshot, WantVertices,
};
use synaptic_mesh::neural::dataset::{Dataset, Options};
use synaptic_mesh::neural::fann;
use synaptic_mesh::neural::{Activation, Layer, Loss, Model, Network, Shape, Specification};
use synaptic_mesh::node::{Config, History, Node, Relaying, Restored};
use synaptic_mesh::rng::Rng;
use synaptic_mesh::sync::negentropy;

/// A target: any bytes in, nothing out, no panic.
pub(crate) type Target = fn(&[u8]);

/// Every target, by the name of its file in `fuzz_targets/` and of its regressions.
pub(crate) const TARGETS: &[(&str, Target)] = &[
    ("aggregate", aggregate),
    ("car_read", car_read),
    ("channel", channel),
    ("compression", compression),
    ("consensus_state", consensus_state),
    ("dag_insert", dag_insert),
    ("dataset_parse", dataset_parse),
    ("fann_load", fann_load),
    ("genesis", genesis),
    ("group_state", group_state),
    ("identifiers", identifiers),
    ("invite", invite),
    ("message", message),
    ("model_load", model_load),
    ("node_input", node_input),
    ("proof_verify", proof_verify),
    ("ranges", ranges),
    ("sampling_state", sampling_state),
    ("onion", onion),
    ("sealed", sealed),
    ("secrets", secrets),
    ("signed_vertex", signed_vertex),
    ("snapshot", snapshot),
    ("webrtc", webrtc),
];

const NOW: Now = Now { mono_ms: 1_000, unix_ms: 1_763_000_000_000 };
const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);
/// A node has to be made for every input of `node_input`; more steps would make it slower still.
const STEPS_MAX: usize = 8;
/// A history file: what is read is written again as the same bytes, and nothing else is verified.
pub(crate) fn car_read(data: &[u8]) {
    let report = replay(data);
    assert_eq!(report.ok, report.first_mismatch.is_none());
    let Ok(file) = car::read(data) else { return assert!(!report.ok) };
    let vertices: Vec<&SignedVertex> = file.vertices.iter().map(|entry| &entry.value).collect();
    let blobs = file.blobs.iter().map(|(id, entry)| (*id, entry.value.to_vec())).collect();
    let again = car::write(file.network, file.run, &vertices, &blobs);
    assert_eq!(again.as_deref(), Ok(data), "two files of one history");
}

/// Signed vertices, each behind its length in two bytes, given to a graph one after the other.
pub(crate) fn dag_insert(data: &[u8]) {
    let mut graph = Graph::new(NETWORK);
    let from = Source::Peer(fixture().peer.clone());
    let mut rest = data;
    while let Some(([high, low], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (bytes, next) = after.split_at(length);
        rest = next;
        if let Ok(vertex) = SignedVertex::decode(bytes) {
            let _ = graph.insert(vertex, &from, NOW);
        }
    }
    // Whatever was accepted is closed under "parent of", in causal order, and can be restored.
    let mut restored = Graph::new(NETWORK);
    for vertex in graph.iter() {
        restored.restore(vertex.clone()).expect("what was accepted connects");
    }
    assert_eq!(restored.heads(), graph.heads());
}

/// A table a user picked.
pub(crate) fn dataset_parse(data: &[u8]) {
    if let Ok(table) = Dataset::parse(data, &Options::default()) {
        assert_eq!(table.values().len(), table.rows() * table.features());
        assert!(table.values().iter().all(|value| value.is_finite()));
    }
}

/// A FANN file: what is read runs, and is written as a file that says the same.
pub(crate) fn fann_load(data: &[u8]) {
    let Ok(mut network) = fann::Network::from_file(data) else { return };
    let inputs = vec![0.5; network.inputs()];
    assert_eq!(network.run(&inputs).map(<[f32]>::len), Ok(network.outputs()));
    let again = fann::Network::from_file(&network.to_file()).expect("an own file can be read");
    assert_eq!(again.to_file(), network.to_file());
    assert_eq!(again.connection_count(), network.connection_count());
}

/// Names in their text form.
pub(crate) fn identifiers(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(id) = text.parse::<VertexId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(id) = text.parse::<BlobId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(id) = text.parse::<NetworkId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(id) = text.parse::<AuthorId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(id) = text.parse::<TransportId>() {
        assert_eq!(id.to_string(), text);
    }
}

/// Everything the sync protocol carries.
pub(crate) fn message(data: &[u8]) {
    if let Ok(request) = Request::decode(data) {
        assert_eq!(request.encode(), data);
    }
    if let Ok(response) = Response::decode(data) {
        assert_eq!(response.encode(), data);
    }
}

/// A model file.
pub(crate) fn model_load(data: &[u8]) {
    if let Ok(model) = Model::from_file(data) {
        let again = Model::from_file(&model.to_file()).expect("an own file can be read");
        assert_eq!(again.to_file(), model.to_file());
    }
}

/// What a greeted peer sends to a node: requests, gossip, answers to what was asked.
pub(crate) fn node_input(data: &[u8]) {
    let fixture = fixture();
    let mut node = greeted_node(&fixture.hello);
    let mut asked = Vec::new();
    for (step, chunk) in data.chunks(data.len().div_ceil(STEPS_MAX).max(64)).enumerate() {
        let Some((kind, bytes)) = chunk.split_first() else { return };
        let (peer, bytes) = (fixture.peer.clone(), bytes.to_vec());
        let name = u64::try_from(step).expect("few steps");
        let input = match kind % 3 {
            0 => Input::Request { peer, token: name, bytes },
            1 => Input::Gossip { peer, message: name, bytes },
            _ => match asked.pop() {
                Some(request) => Input::Response { request, result: Ok(bytes) },
                None => Input::Request { peer, token: name, bytes },
            },
        };
        for effect in settle(&mut node, input) {
            if let Effect::Request { request, .. } = effect {
                asked.push(request);
            }
        }
    }
}

/// A message of a reconciliation by ranges, as a question and as an answer: both fit a frame, and
/// the other side can read what is said to it.
pub(crate) fn ranges(data: &[u8]) {
    let (timeline, frame) = (small_timeline(), Some(negentropy::FRAME_BYTES_MIN));
    if let Ok((reply, _)) = negentropy::answer(&timeline, data, frame) {
        assert!(reply.len() <= negentropy::FRAME_BYTES_MIN);
        negentropy::reconcile(&timeline, &reply, frame).expect("an own message can be read");
    }
    if let Ok(found) = negentropy::reconcile(&timeline, data, frame)
        && let Some(next) = found.next
    {
        assert!(next.len() <= negentropy::FRAME_BYTES_MIN);
        negentropy::answer(&timeline, &next, frame).expect("an own message can be read");
    }
}

/// An identity file, a public key and a signature.
pub(crate) fn secrets(data: &[u8]) {
    if let Ok(secrets) = Secrets::decode(data) {
        assert_eq!(secrets.encode().as_slice(), data);
    }
    let _ = PublicKey::from_bytes(data);
    let _ = Signature::from_bytes(data);
}

/// A vertex in its wire form.
pub(crate) fn signed_vertex(data: &[u8]) {
    if let Ok(vertex) = SignedVertex::decode(data) {
        assert_eq!(vertex.encode(), data);
        assert_eq!(VertexId::of(vertex.bytes()), vertex.id());
    }
}

/// Sound inputs of a target, for a fuzzer to start from and for the smoke test to damage.
pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let fixture = fixture();
    let vertices = || fixture.history.iter().map(SignedVertex::encode);
    match target {
        "aggregate" => aggregation::sets(),
        "car_read" => vec![fixture.history_file()],
        "dag_insert" => {
            let forward: Vec<Vec<u8>> = vertices().map(framed).collect();
            vec![forward.concat(), forward.into_iter().rev().collect::<Vec<_>>().concat()]
        }
        "signed_vertex" => vertices().collect(),
        "dataset_parse" => vec![b"a,b,label\n1,2,x\n3,4,y\n5,6e-3,x\n-1,.5,\"y\"\n".to_vec()],
        "fann_load" => small_fanns().iter().map(fann::Network::to_file).collect(),
        "identifiers" => fixture.names(),
        "message" => fixture.requests(),
        "model_load" => vec![small_model().to_file()],
        "node_input" => {
            let kinds = [0_u8, 2].into_iter().cycle();
            let requests = kinds.zip(fixture.requests());
            let gossip = [1_u8].into_iter().cycle().zip(vertices());
            requests.chain(gossip).map(|(kind, bytes)| [vec![kind], bytes].concat()).collect()
        }
        "ranges" => {
            let timeline = small_timeline();
            let everything = vec![negentropy::PROTOCOL_VERSION, 0, 0, 2, 0];
            let frame = Some(negentropy::FRAME_BYTES_MIN);
            let answer = negentropy::answer(&timeline, &everything, frame);
            let (list, _) = answer.expect("a sound question");
            vec![negentropy::initiate(&timeline), everything, list]
        }
        "channel" => channel::conversations(),
        "compression" => compression::updates(),
        "consensus_state" => vec![finality::votes(), finality::payments()],
        "genesis" => finality::beginnings(),
        "sampling_state" => vec![finality::poll_messages()],
        "group_state" => groups::sessions(),
        "invite" => invites::shown(),
        "proof_verify" => vec![fixture.proof.encode()],
        "snapshot" => snapshots::parts(),
        "onion" => onion::messages(),
        "sealed" => sealed::messages(),
        "webrtc" => webrtc::conversations(),
        "secrets" => vec![fixture.secrets.encode().to_vec()],
        _ => Vec::new(),
    }
}

fn small_timeline() -> Timeline {
    let mut timeline = Timeline::new();
    for number in 0..300_u64 {
        timeline.insert(Key { lamport: number / 3, id: VertexId::of(&number.to_be_bytes()) });
    }
    timeline
}

/// Behind its length in two bytes.
fn framed(vertex: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(vertex.len()).expect("a small vertex");
    [length.to_be_bytes().to_vec(), vertex].concat()
}

struct Fixture {
    secrets: Secrets,
    peer: TransportId,
    /// Identities of two authors, and two more vertices of the first.
    history: Vec<SignedVertex>,
    /// The peer's first request.
    hello: Vec<u8>,
    /// Where trust begins, and a proof from there.
    genesis: consensus::Genesis,
    proof: Proof,
}

fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let secrets = Secrets::from_entropy([2; 96]);
        let peer = secrets.transport_id();
        let mut stranger = node(&secrets);
        let mut history = written(settle(&mut stranger, Input::Started));
        let outbound = true;
        let address = format!("/ip4/127.0.0.1/tcp/1/ws/p2p/{peer}");
        let known = Secrets::from_entropy([1; 96]);
        let (other, channel) = (known.transport_id(), Channel::Classical);
        let connected = Input::Connected { peer: other, address, outbound, channel };
        let hello = settle(&mut stranger, connected).into_iter().find_map(|effect| match effect {
            Effect::Request { bytes, .. } => Some(bytes),
            _ => None,
        });
        let mut known = node(&known);
        history.extend(written(settle(&mut known, Input::Started)));
        write_more(&mut history, &secrets);
        let hello = hello.expect("a dialler says hello first");
        let (genesis, proof) = finality::sound_proof();
        Fixture { secrets, peer, history, hello, genesis, proof }
    })
}

/// Two vertices of the first author that follow everything there is.
fn write_more(history: &mut Vec<SignedVertex>, secrets: &Secrets) {
    let mut graph = Graph::new(NETWORK);
    for vertex in &*history {
        graph.insert(vertex.clone(), &Source::Own, NOW).expect("a sound history");
    }
    for number in 0..2 {
        let run = VertexId::of(&[number]);
        let label = Label::new("mesh").expect("a label");
        let renew = Payload::Ledger(Operation::NameRenew { label, version: 1 });
        let payloads =
            vec![Payload::RunJoin { run, samples: 9, key: None }, Payload::RunLeave { run }, renew];
        let vertex = graph.next_vertex(secrets.author(), payloads, NOW).expect("an own chain");
        let signed = SignedVertex::sign(&vertex, &secrets.signing_key(), [0; 32]);
        let signed = signed.expect("a sound vertex");
        graph.insert(signed.clone(), &Source::Own, NOW).expect("a sound vertex");
        history.push(signed);
    }
}

impl Fixture {
    fn history_file(&self) -> Vec<u8> {
        let vertices: Vec<&SignedVertex> = self.history.iter().collect();
        let root = vertices.first().expect("two vertices").id();
        car::write(NETWORK, root, &vertices, &BTreeMap::new()).expect("a sound history")
    }

    fn names(&self) -> Vec<Vec<u8>> {
        let vertex = self.history.first().expect("two vertices");
        let blob = BlobId::of(b"blob").to_string();
        let author = vertex.vertex().author.to_string();
        [vertex.id().to_string(), blob, author, NETWORK.to_string(), self.peer.to_string()]
            .map(String::into_bytes)
            .to_vec()
    }

    fn requests(&self) -> Vec<Vec<u8>> {
        let ids: Vec<VertexId> = self.history.iter().map(SignedVertex::id).collect();
        let blob = BlobId::of(b"blob");
        let requests = [
            Request::Heads(Heads { heads: ids.clone(), peers: Vec::new() }),
            Request::Vertices(WantVertices { ids: ids.clone(), height: 3 }),
            Request::Ancestors(WantAncestors { of: ids.clone(), known: Vec::new() }),
            Request::Ranges(Ranges { message: negentropy::initiate(&small_timeline()) }),
            Request::Blob(WantBlob { blob, offset: 0 }),
            Request::Snapshot(WantSnapshot { epoch: 0, height: 0 }),
        ];
        let encoded = requests.iter().map(Request::encode);
        std::iter::once(self.hello.clone()).chain(encoded).collect()
    }
}

fn node(secrets: &Secrets) -> Node {
    let (bootstrap, advertise) = (Vec::new(), Vec::new());
    let config = Config {
        network: NETWORK,
        genesis: None,
        ticket: None,
        name: String::new(),
        bootstrap,
        advertise,
        history: History::default(),
        relaying: Relaying::default(),
        generation_bytes: synaptic_mesh::limits::SNAPSHOT_GENERATION_BYTES,
    };
    Node::new(config, secrets, Restored::default(), [3; 32], NOW).expect("an empty store is sound")
}

/// A node that runs and has accepted the fixture's peer.
fn greeted_node(hello: &[u8]) -> Node {
    let peer = fixture().peer.clone();
    let mut node = node(&Secrets::from_entropy([1; 96]));
    settle(&mut node, Input::Started);
    let address = "/ip4/127.0.0.1/tcp/1/ws".to_owned();
    let (peer_id, channel) = (peer.clone(), Channel::Classical);
    settle(&mut node, Input::Connected { peer: peer_id, address, outbound: false, channel });
    settle(&mut node, Input::Request { peer, token: u64::MAX, bytes: hello.to_vec() });
    node
}

/// Hands in one input and plays a store that always works.
fn settle(node: &mut Node, input: Input) -> Vec<Effect> {
    let (mut all, mut waiting) = (Vec::new(), vec![input]);
    while let Some(input) = waiting.pop() {
        let mut effects = Vec::new();
        node.handle(NOW, input, &mut effects);
        for effect in effects {
            match &effect {
                Effect::Persist(write) => {
                    waiting.push(Input::Persisted { write: write.write, result: Ok(()) });
                }
                Effect::LoadBlob { blob } => {
                    waiting.push(Input::BlobLoaded { blob: *blob, bytes: None });
                }
                _ => {}
            }
            all.push(effect);
        }
    }
    all
}

/// The vertices among what a node wanted stored.
fn written(effects: Vec<Effect>) -> Vec<SignedVertex> {
    let writes = effects.into_iter().filter_map(|effect| match effect {
        Effect::Persist(write) => Some(write.vertices),
        _ => None,
    });
    let decode = |(_, bytes): (VertexId, Vec<u8>)| {
        SignedVertex::decode(&bytes).expect("a node writes what it can read")
    };
    writes.flatten().map(decode).collect()
}

fn small_model() -> Model {
    let layer = Layer::dense;
    let specification = Specification {
        inputs: Shape::Flat(3),
        layers: vec![layer(4, Activation::Relu), layer(2, Activation::Softmax)],
        loss: Loss::CrossEntropy,
    };
    Model::new(Network::new(&specification, 1).expect("a sound specification"))
}

/// A layered, a sparse and a scaled shortcut network.
fn small_fanns() -> Vec<fann::Network> {
    let mut rng = Rng::from_u64(1);
    let data = fann::Data::new(2, 1, vec![0.0, 1.0, 2.0, 5.0], vec![1.0, 3.0]).expect("two rows");
    let mut shortcut = fann::Network::shortcut(&[2, 2, 1], &mut rng).expect("a small network");
    shortcut.set_scaling(&data, -1.0, 1.0).expect("as many columns");
    let layered = fann::Network::standard(&[3, 2, 2], &mut rng).expect("a small network");
    let sparse = fann::Network::sparse(0.5, &[4, 3, 1], &mut rng).expect("a small network");
    vec![layered, sparse, shortcut]
}
