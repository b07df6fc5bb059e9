//! A network of `qr-avalanche`.
//!
//! Active faulty members know what every honest node prefers: the balancing attack on liveness.
//! While nearly as many honest nodes prefer one item as the other they say nothing of use, so that
//! polls fail; else they say what fewer prefer.

use synaptic_mesh::clock::Now;
use synaptic_mesh::crypto::sign::SigningKey;
use synaptic_mesh::crypto::sign::stub::MARK;
use synaptic_mesh::dag::VertexId;
use synaptic_mesh::dag::vote::{ConflictKey, Decision, ItemId};
use synaptic_mesh::identity::{AuthorId, NetworkId};
use synaptic_mesh::rng::Rng;
use synaptic_mesh::sampling::{
    Answer, Ballot, Config, Input, Members, Output, PollId, Question, State,
};

use crate::world::{Actions, Case, Fault, Nodes, Outcome, Plan, World};

/// Attackers interfere when the difference is more than one in so many of them.
const SLACK: usize = 4;

pub(crate) const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);

/// What nodes tell each other.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    /// The vertex with the item of this number.
    Item(usize),
    Question(Question),
    Answer(Answer),
}

pub(crate) struct Sampled<'a> {
    plan: &'a Plan,
    fault: Fault,
    engines: Vec<State>,
    keys: Vec<SigningKey>,
    /// Node by author.
    authors: Vec<(AuthorId, usize)>,
    names: Vec<AuthorId>,
    /// Bytes of an answer with and without a preference.
    answer_bytes: usize,
    none_bytes: usize,
    /// What each honest node prefers, and how many of them prefer each item.
    preferences: Vec<Option<ItemId>>,
    counts: [usize; 2],
}

pub(crate) fn key() -> ConflictKey {
    ConflictKey::derive("comparison", &[])
}

/// The item of a number.
pub(crate) fn item(number: usize) -> ItemId {
    ItemId(VertexId::of(&[u8::try_from(number).unwrap()]), 0)
}

/// A key of the simulator: its signatures are as long as real ones.
pub(crate) fn signing_key(number: usize) -> SigningKey {
    let mut seeds = [0; 64];
    seeds[..16].copy_from_slice(&MARK);
    seeds[16..24].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
    SigningKey::from_seeds(&seeds)
}

/// Runs one case with one seed.
pub(crate) fn run(case: &Case, config: Config, seed: u64) -> Outcome {
    let plan = Plan::new(case, seed);
    let mut nodes = Sampled::new(case, config, &plan, seed);
    World::new(&mut nodes, *case, &plan, seed).run(&[Message::Item(0), Message::Item(1)])
}

impl<'a> Sampled<'a> {
    fn new(case: &Case, config: Config, plan: &'a Plan, seed: u64) -> Self {
        let keys: Vec<SigningKey> = (0..case.nodes).map(signing_key).collect();
        let names: Vec<AuthorId> = keys.iter().map(|key| AuthorId::of(key.public())).collect();
        let weights = names.iter().map(|author| (*author, 1)).collect();
        let mut members = Members::new(weights).expect("four or more");
        assert!(keys.iter().all(|key| members.introduce(key.public())));
        let engine = |(stream, author): (u64, &AuthorId)| {
            let rng = Rng::from_u64_stream(seed, 100 + stream);
            State::new(config, NETWORK, members.clone(), *author, rng).expect("sound parameters")
        };
        let engines = (0..).zip(&names).map(engine).collect();
        let mut authors: Vec<_> = names.iter().copied().zip(0..).collect();
        authors.sort_unstable();
        let poll = PollId::from_bytes([0; 16]);
        let bytes = |preference| {
            let ballot = Ballot { poll, key: key(), preference };
            ballot.sign(&NETWORK, &names[0], &keys[0], [0; 32]).encode().len()
        };
        let (answer_bytes, none_bytes) = (bytes(Some(item(0))), bytes(None));
        Self {
            plan,
            fault: case.faulty.1,
            engines,
            keys,
            authors,
            names,
            answer_bytes,
            none_bytes,
            preferences: vec![None; case.nodes],
            counts: [0; 2],
        }
    }

    fn node(&self, author: &AuthorId) -> usize {
        let at = self.authors.binary_search_by_key(author, |(author, _)| *author);
        self.authors[at.expect("a member")].1
    }

    /// What a faulty member says: nothing, or what keeps honest nodes apart.
    fn scheme(&self, node: usize, heard: Option<(usize, Message)>, act: &mut Actions<Message>) {
        let (Fault::Active, Some((asker, Message::Question(question)))) = (self.fault, heard)
        else {
            return;
        };
        let [first, second] = self.counts;
        let attackers = self.plan.faulty.iter().filter(|faulty| **faulty).count();
        let apart = first.abs_diff(second) <= attackers / SLACK;
        let preference = (!apart).then(|| item(usize::from(second < first)));
        let Question { poll, key } = question;
        self.send_answer(node, asker, Ballot { poll, key, preference }, act);
    }

    fn send_answer(&self, node: usize, to: usize, ballot: Ballot, act: &mut Actions<Message>) {
        let answer = ballot.sign(&NETWORK, &self.names[to], &self.keys[node], [0; 32]);
        act.signed += 1;
        let bytes = if ballot.preference.is_some() { self.answer_bytes } else { self.none_bytes };
        act.sends.push((to, Message::Answer(answer), bytes, 0));
    }

    fn count(&mut self, node: usize) {
        let now = self.engines[node].preference(&key());
        let before = std::mem::replace(&mut self.preferences[node], now);
        for (count, number) in self.counts.iter_mut().zip(0..) {
            *count += usize::from(now == Some(item(number)));
            *count -= usize::from(before == Some(item(number)));
        }
    }
}

impl Nodes for Sampled<'_> {
    type Message = Message;

    fn handle(
        &mut self,
        node: usize,
        message: Option<(usize, Message)>,
        now_ms: u64,
        act: &mut Actions<Message>,
    ) {
        if self.plan.faulty[node] {
            return self.scheme(node, message, act);
        }
        let input = match message {
            None => Input::Tick,
            Some((_, Message::Item(number))) => {
                act.checked += 1;
                Input::Item(key(), item(number))
            }
            Some((from, Message::Question(question))) => {
                Input::Question(self.names[from], question)
            }
            Some((from, Message::Answer(answer))) => Input::Answer(self.names[from], answer),
        };
        let checked = self.engines[node].counters().checked;
        let mut out = Vec::new();
        self.engines[node].handle(Now { mono_ms: now_ms, unix_ms: 0 }, input, &mut out);
        act.checked += self.engines[node].counters().checked - checked;
        for output in out {
            match output {
                Output::Ask(to, question) => {
                    let bytes = question.encode().len();
                    let to = self.node(&to);
                    act.sends.push((to, Message::Question(question), bytes, 0));
                }
                Output::Answer(to, ballot) => self.send_answer(node, self.node(&to), ballot, act),
                Output::Decided(Decision(_, decided)) => {
                    act.decided = (0..2).find(|number| item(*number) == decided);
                }
                Output::WakeAt(at_ms) => act.wake_ms = Some(at_ms),
                _ => {}
            }
        }
        self.count(node);
    }
}
