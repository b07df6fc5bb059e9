//! One engine among members that answer as a test says, with real signatures.

use std::collections::BTreeMap;

use super::{Answer, Config, Input, Members, Output, PollId, Question, State};
use crate::clock::Now;
use crate::crypto::hash::Digest;
use crate::crypto::sign::SigningKey;
use crate::dag::VertexId;
use crate::dag::vote::{ConflictKey, ItemId};
use crate::identity::{AuthorId, NetworkId};
use crate::rng::Rng;

mod answers;
mod rules;
mod samples;
mod snow;

const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);

fn key(name: &str) -> ConflictKey {
    ConflictKey::derive("test", &[name.as_bytes()])
}

fn item(number: u8) -> ItemId {
    ItemId(VertexId(Digest([number; 32])), 0)
}

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_seeds(&[seed; 64])
}

fn at(mono_ms: u64) -> Now {
    Now { mono_ms, unix_ms: 0 }
}

/// An engine that is no member itself, so that every seat is somebody else's.
struct Bench {
    state: State,
    me: AuthorId,
    keys: BTreeMap<AuthorId, SigningKey>,
    now_ms: u64,
    /// Questions that nobody has answered yet.
    asked: Vec<(AuthorId, Question)>,
    /// What else came out.
    out: Vec<Output>,
}

impl Bench {
    fn new(config: Config, members: u8) -> Self {
        let keys = (1..=members).map(signing_key);
        let keys: BTreeMap<_, _> = keys.map(|key| (AuthorId::of(key.public()), key)).collect();
        let mut list = Members::new(keys.keys().map(|author| (*author, 1)).collect()).unwrap();
        assert!(keys.values().all(|key| list.introduce(key.public())));
        let me = AuthorId::from_bytes([0; 32]);
        let state = State::new(config, NETWORK, list, me, Rng::from_u64(1)).unwrap();
        Self { state, me, keys, now_ms: 0, asked: Vec::new(), out: Vec::new() }
    }

    fn handle(&mut self, input: Input) {
        let mut out = Vec::new();
        self.state.handle(at(self.now_ms), input, &mut out);
        for output in out {
            match output {
                Output::Ask(member, question) => self.asked.push((member, question)),
                Output::WakeAt(_) => {}
                other => self.out.push(other),
            }
        }
    }

    fn signed(&self, by: &AuthorId, question: Question, preference: Option<ItemId>) -> Answer {
        let ballot = super::Ballot { poll: question.poll, key: question.key, preference };
        ballot.sign(&NETWORK, &self.me, &self.keys[by], [1; 32])
    }

    /// The questions of the oldest poll that is not answered, taken out.
    fn next_poll(&mut self) -> Vec<(AuthorId, Question)> {
        let first = self.asked[0].1.poll;
        self.asked.extract_if(.., |(_, question)| question.poll == first).collect()
    }

    /// Everybody who is asked in the next poll says the same.
    fn poll(&mut self, preference: Option<ItemId>) -> PollId {
        let questions = self.next_poll();
        for (member, question) in &questions {
            let answer = self.signed(member, *question, preference);
            self.handle(Input::Answer(*member, answer));
        }
        // Answers after the end of a poll that ended early are late.
        self.out.retain(|output| *output != Output::Refused(late_of(output), super::Refusal::Late));
        questions[0].1.poll
    }

    fn counted(&self) -> u64 {
        self.state.counters().counted
    }
}

fn late_of(output: &Output) -> AuthorId {
    match output {
        Output::Refused(member, _) => *member,
        _ => AuthorId::from_bytes([0; 32]),
    }
}

/// One poll at a time, so that a test sees the result of each.
fn single() -> Config {
    Config { concurrent: 1, ..Config::default() }
}
