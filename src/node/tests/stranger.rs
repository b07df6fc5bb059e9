//! A peer played by a test: it can say and sign anything.

use super::mesh::{Mesh, UNIX_MS};
use crate::crypto::sign::SigningKey;
use crate::dag::operation::Operation;
use crate::dag::{self, Citation, NetworkId, Payload, SignedVertex, Vertex, VertexId};
use crate::effect::{Effect, Input, Verdict};
use crate::event::Channel;
use crate::identity::{AuthorId, Binding, Secrets, Terms, TransportId};
use crate::message::{Heads, Hello, Refusal, Refused, Request, Response};
use crate::rng::Rng;

pub(super) struct Stranger {
    pub(super) network: NetworkId,
    pub(super) key: SigningKey,
    pub(super) transport: TransportId,
    pub(super) identity: SignedVertex,
    last_token: u64,
    last_message: u64,
}

impl Stranger {
    pub(super) fn new(seed: u64, network: NetworkId) -> Self {
        let mut entropy = [0; 96];
        Rng::from_u64(seed).fill(&mut entropy);
        let secrets = Secrets::from_entropy(entropy);
        let (key, transport) = (secrets.signing_key(), secrets.transport_id());
        let terms = Terms {
            transport: transport.clone(),
            epoch: 0,
            valid_from_ms: UNIX_MS - 1_000,
            valid_until_ms: UNIX_MS + 1_000_000_000,
        };
        let binding = Binding::sign(&key, &network, terms, [1; 32]).unwrap();
        let vertex = Vertex::identity(network, key.public(), binding, UNIX_MS);
        let identity = SignedVertex::sign(&vertex, &key, [2; 32]).unwrap();
        Self { network, key, transport, identity, last_token: 1 << 32, last_message: 1 << 32 }
    }

    pub(super) fn author(&self) -> AuthorId {
        AuthorId::of(self.key.public())
    }

    /// A vertex after `prev`, with further parents, saying that it leaves a run nobody knows.
    pub(super) fn vertex(&self, prev: &SignedVertex, others: &[&SignedVertex], tag: u8) -> Vertex {
        let run = VertexId::of(&[tag]);
        let all = others.iter().copied().chain([prev]);
        let mut parents: Vec<Citation> = all.map(SignedVertex::citation).collect();
        parents.sort_unstable();
        parents.dedup();
        Vertex {
            version: dag::VERSION,
            network: self.network,
            author: self.author(),
            seq: prev.vertex().seq + 1,
            prev: Some(prev.id()),
            lamport: 1 + parents.iter().map(|parent| parent.lamport).max().unwrap(),
            parents,
            time_ms: UNIX_MS,
            payloads: vec![Payload::RunLeave { run }],
        }
    }

    pub(super) fn sign(&self, vertex: &Vertex) -> SignedVertex {
        SignedVertex::sign(vertex, &self.key, [3; 32]).unwrap()
    }

    pub(super) fn next(&self, prev: &SignedVertex, tag: u8) -> SignedVertex {
        self.sign(&self.vertex(prev, &[], tag))
    }

    /// A second vertex, which states this.
    pub(super) fn paying(&self, operation: Operation) -> SignedVertex {
        let mut vertex = self.vertex(&self.identity, &[], 0);
        vertex.payloads = vec![Payload::Ledger(operation)];
        self.sign(&vertex)
    }

    pub(super) fn hello(&self) -> Hello {
        Hello {
            network: self.network,
            time_ms: UNIX_MS,
            identity: self.identity.encode(),
            binding: None,
            addresses: Vec::new(),
            heads: Heads::default(),
        }
    }

    /// Connects to a member without a word.
    pub(super) fn connect(&self, mesh: &mut Mesh, member: usize) -> Vec<Effect> {
        self.connect_over(mesh, member, Channel::Classical)
    }

    /// Connects over a channel that proved so much.
    pub(super) fn connect_over(
        &self,
        mesh: &mut Mesh,
        member: usize,
        channel: Channel,
    ) -> Vec<Effect> {
        let address = "/ip4/127.0.0.1/tcp/60000/ws".to_owned();
        let peer = self.transport.clone();
        mesh.poke(member, Input::Connected { peer, address, outbound: false, channel })
    }

    /// Connects and says hello.
    pub(super) fn greet(&mut self, mesh: &mut Mesh, member: usize) {
        self.connect(mesh, member);
        let hello = Request::Hello(self.hello());
        assert!(matches!(self.request(mesh, member, &hello), Some(Response::Hello(_))));
    }

    pub(super) fn request(
        &mut self,
        mesh: &mut Mesh,
        member: usize,
        request: &Request,
    ) -> Option<Response> {
        self.request_bytes(mesh, member, request.encode())
    }

    /// Sends a request of any bytes; `None` when it is not answered at once.
    pub(super) fn request_bytes(
        &mut self,
        mesh: &mut Mesh,
        member: usize,
        bytes: Vec<u8>,
    ) -> Option<Response> {
        self.last_token += 1;
        let (peer, token) = (self.transport.clone(), self.last_token);
        let effects = mesh.poke(member, Input::Request { peer, token, bytes });
        effects.iter().find_map(|effect| match effect {
            Effect::Respond { token: answered, bytes } if *answered == token => {
                Some(Response::decode(bytes).unwrap())
            }
            _ => None,
        })
    }

    pub(super) fn refusal(&mut self, mesh: &mut Mesh, member: usize, request: &Request) -> Refusal {
        match self.request(mesh, member, request) {
            Some(Response::Refused(Refused { reason })) => reason,
            other => panic!("{other:?}"),
        }
    }

    /// Gossips bytes and gives the verdict.
    pub(super) fn gossip(&mut self, mesh: &mut Mesh, member: usize, bytes: &[u8]) -> Verdict {
        self.last_message += 1;
        let (peer, message, bytes) = (self.transport.clone(), self.last_message, bytes.to_vec());
        let effects = mesh.poke(member, Input::Gossip { peer, message, bytes });
        let verdict = effects.iter().find_map(|effect| match effect {
            Effect::Verdict { message: judged, verdict, .. } if *judged == message => {
                Some(*verdict)
            }
            _ => None,
        });
        verdict.expect("every message has a verdict")
    }

    /// Whether the effects send this peer away.
    pub(super) fn is_sent_away(&self, effects: &[Effect]) -> bool {
        let mut gone = effects.iter().filter_map(|effect| match effect {
            Effect::Disconnect { peer, .. } => Some(peer),
            _ => None,
        });
        gone.any(|peer| *peer == self.transport)
    }
}
