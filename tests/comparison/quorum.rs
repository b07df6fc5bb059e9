//! A network of the quorum engine: a committee of at most 31, everybody else hears it by gossip.
//!
//! Active faulty members vote for each item, report the key as contested with and without an item,
//! tell half of the members one thing at once and the other half much later, and never lead.

use std::rc::Rc;

use synaptic_mesh::clock::Now;
use synaptic_mesh::consensus::{Committee, Config, Input, Item, Output, Record, State};
use synaptic_mesh::dag::vote::{Decision, Vote, Votes};
use synaptic_mesh::dag::{Citation, Payload, SignedVertex, Vertex, VertexId, cbor};
use synaptic_mesh::identity::AuthorId;
use synaptic_mesh::ledger;
use synaptic_mesh::rng::Rng;

use crate::sampled::{NETWORK, item, key, signing_key};
use crate::world::{Actions, COMMITTEE, Case, Fault, Nodes, Outcome, Plan, World};

/// A vertex on its way.
pub(crate) struct Sent {
    number: usize,
    record: Record,
    bytes: usize,
}

pub(crate) struct Quorum<'a> {
    plan: &'a Plan,
    fault: Fault,
    engines: Vec<State>,
    members: usize,
    names: usize,
    /// By node: whether it has the vertex of a number.
    seen: Vec<Vec<bool>>,
    rng: Rng,
}

fn author(node: usize) -> AuthorId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&u64::try_from(node).unwrap().to_be_bytes());
    AuthorId::from_bytes(bytes)
}

/// Bytes of a vertex with these payloads and two parents besides its own last one.
fn vertex_bytes(payloads: Vec<Payload>) -> usize {
    let id = |number: u8| VertexId::of(&[number]);
    let author = AuthorId::of(signing_key(0).public());
    let cited = |number| Citation { id: id(number), author, seq: 999, lamport: 99_999 };
    let mut parents = vec![cited(0), cited(1), cited(2)];
    parents.sort_unstable();
    let vertex = Vertex {
        version: synaptic_mesh::dag::VERSION,
        network: NETWORK,
        author,
        seq: 1_000,
        prev: Some(id(0)),
        parents,
        lamport: 100_000,
        time_ms: 1_763_000_000_000,
        payloads,
    };
    let signed = SignedVertex::sign(&vertex, &signing_key(0), [0; 32]).expect("a sound vertex");
    signed.encoded_bytes()
}

/// Bytes of a vertex with these votes, without making a signature each time: all vertices have the
/// same frame.
fn bytes_of(votes: &[Votes]) -> usize {
    thread_local! {
        static FRAME: usize = vertex_bytes(vec![Payload::RunLeave { run: VertexId::of(&[]) }]);
    }
    let votes = votes.iter().map(|votes| cbor::encode(votes).expect("votes encode").len() + 8);
    FRAME.with(|frame| *frame) + votes.sum::<usize>()
}

/// Runs one case with one seed.
pub(crate) fn run(case: &Case, config: Config, seed: u64) -> Outcome {
    let plan = Plan::new(case, seed);
    let mut nodes = Quorum::new(case, config, &plan, seed);
    let items = [0, 1].map(|number| {
        let (id, author) = (item(number), author(usize::MAX));
        let item = Item { id, author, keys: vec![key()], seats: None, operation: None };
        nodes.vertex(usize::MAX, vec![item], Vec::new())
    });
    World::new(&mut nodes, *case, &plan, seed).run(&items)
}

impl<'a> Quorum<'a> {
    fn new(case: &Case, config: Config, plan: &'a Plan, seed: u64) -> Self {
        let members = case.nodes.min(COMMITTEE);
        let committee = Committee::new(0, (0..members).map(|node| (author(node), 1)).collect());
        let committee = committee.expect("four or more");
        let ledger = ledger::State::new(&ledger::Genesis::default()).expect("nothing is minted");
        let engine = |node| {
            State::new(config, NETWORK, Some(committee.clone()), author(node), ledger.clone())
        };
        Self {
            plan,
            fault: case.faulty.1,
            engines: (0..case.nodes).map(engine).collect(),
            members,
            names: 0,
            seen: vec![Vec::new(); case.nodes],
            rng: Rng::from_u64_stream(seed, 3),
        }
    }

    fn vertex(&mut self, by: usize, items: Vec<Item>, votes: Vec<Votes>) -> Rc<Sent> {
        self.names += 1;
        let number = self.names;
        let id = VertexId::of(&u64::try_from(number).unwrap().to_be_bytes());
        let bytes = bytes_of(&votes);
        // Its place in the graph is of no consequence here.
        let record = Record { id, author: author(by), seq: 0, lamport: 1, items, votes };
        Rc::new(Sent { number, record, bytes })
    }

    /// Whether the node sees this vertex for the first time.
    fn is_new(&mut self, node: usize, number: usize) -> bool {
        let seen = &mut self.seen[node];
        if seen.len() <= number {
            seen.resize(number + 1, false);
        }
        !std::mem::replace(&mut seen[number], true)
    }

    /// What a faulty member says about each item it hears of.
    fn scheme(&mut self, node: usize, sent: &Sent, act: &mut Actions<Rc<Sent>>) {
        if self.fault == Fault::Silent || node >= self.members {
            return;
        }
        for item in &sent.record.items {
            let decision = Decision(key(), item.id);
            let support = vec![Vote::Lock(decision), Vote::Commit(decision)];
            for votes in [
                support,
                vec![Vote::Contested(key(), None)],
                vec![Vote::Contested(key(), Some(item.id))],
            ] {
                let vertex = self.vertex(node, vec![], vec![Votes { epoch: 0, votes }]);
                act.signed += 1;
                for to in (0..self.members).filter(|to| *to != node) {
                    let late = self.rng.below(2) == 0;
                    let held_ms = if late { u64::from(self.rng.below(1_500)) } else { 0 };
                    act.sends.push((to, vertex.clone(), vertex.bytes, held_ms));
                }
            }
        }
    }
}

impl Nodes for Quorum<'_> {
    type Message = Rc<Sent>;

    fn handle(
        &mut self,
        node: usize,
        message: Option<(usize, Rc<Sent>)>,
        now_ms: u64,
        act: &mut Actions<Rc<Sent>>,
    ) {
        if let Some((_, sent)) = &message
            && !self.is_new(node, sent.number)
        {
            return;
        }
        if self.plan.faulty[node] {
            return message.iter().for_each(|(_, sent)| self.scheme(node, sent, act));
        }
        // Everybody checks the signature of every vertex, and passes on what is new.
        if let Some((from, sent)) = &message {
            act.checked += 1;
            let to = self.plan.gossip(node, *from).filter(|_| sent.record.items.is_empty());
            act.sends.extend(to.map(|to| (to, sent.clone(), sent.bytes, 0)));
        }
        let input = message.map_or(Input::Tick, |(_, sent)| Input::Record(sent.record.clone()));
        self.step(node, input, now_ms, act);
    }
}

impl Quorum<'_> {
    fn step(&mut self, node: usize, input: Input, now_ms: u64, act: &mut Actions<Rc<Sent>>) {
        let now = Now { mono_ms: now_ms, unix_ms: 0 };
        let (mut out, mut said) = (Vec::new(), Vec::new());
        self.engines[node].handle(now, input, &mut out);
        for output in out {
            match output {
                Output::Vote { vote, .. } => said.push(vote),
                Output::Decided(Decision(_, decided)) => {
                    act.decided = (0..2).find(|number| item(*number) == decided);
                }
                Output::WakeAt(at_ms) => act.wake_ms = Some(at_ms),
                _ => {}
            }
        }
        if said.is_empty() {
            return;
        }
        let vertex = self.vertex(node, vec![], vec![Votes { epoch: 0, votes: said }]);
        act.signed += 1;
        // To the other members at once, to everybody else by gossip.
        let mut to: Vec<usize> = (0..self.members).filter(|to| *to != node).collect();
        let others = self.plan.links[node].iter().copied();
        to.extend(others.filter(|to| *to >= self.members));
        act.sends.extend(to.into_iter().map(|to| (to, vertex.clone(), vertex.bytes, 0)));
        // It counts here, too, once it is written.
        self.is_new(node, vertex.number);
        self.step(node, Input::Record(vertex.record.clone()), now_ms, act);
    }
}
