//! Anonymous questions of others: passing them on, answering them, and bringing replies back.
//!
//! A cell comes from a peer and goes to one; the reply takes the same way. Whose question it is, no
//! relay is told. What is refused ([`onion::Error`]), too fast or of no use is dropped: its sender
//! gets an empty answer, which says nothing. Where the next hop is missing or silent, this node
//! answers in its place, so that the asker knows whom to avoid.

use std::collections::BTreeMap;

use serde_bytes::ByteBuf;

use super::Node;
use super::asking::Asks;
use super::peers::Peer;
use crate::clock::Now;
use crate::effect::{Effect, RequestFailed};
use crate::event::{Event, Problem};
use crate::identity::{AuthorId, TransportId};
use crate::limits;
use crate::node::config::Relaying;
use crate::onion::{self, Answer, Handled, HopKeys, NameState, Question, Seen, Step, Way};
use crate::rate::Bucket;

/// Anonymous questions, of others and own ones.
#[derive(Debug)]
pub(super) struct Onion {
    seen: Seen,
    /// How fast cells come, from all and from each.
    all: Bucket,
    /// How fast questions are answered.
    answers: Bucket,
    rates: BTreeMap<TransportId, Bucket>,
    circuits: BTreeMap<u64, Circuit>,
    pub(super) asks: Asks,
    /// The last number of a circuit or a path.
    last: u64,
}

/// A cell that was passed on, until its reply is back.
#[derive(Debug)]
struct Circuit {
    token: u64,
    keys: HopKeys,
    from: AuthorId,
    to: AuthorId,
}

impl Onion {
    pub(super) fn new(now: Now) -> Self {
        Self {
            seen: Seen::default(),
            all: Bucket::new(now.mono_ms),
            answers: Bucket::new(now.mono_ms),
            rates: BTreeMap::new(),
            circuits: BTreeMap::new(),
            asks: Asks::default(),
            last: 0,
        }
    }

    /// Forgets a peer that is gone.
    pub(super) fn forget_peer(&mut self, peer: &TransportId) {
        self.rates.remove(peer);
    }

    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl Node {
    /// A peer hands over a cell.
    pub(super) fn on_cell(
        &mut self,
        peer: &TransportId,
        token: u64,
        bytes: &[u8],
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let from = self.peers.get(peer).and_then(Peer::author).filter(|_| self.introduced);
        let Some(from) = from else {
            self.counters.count("onion-before-hello");
            return out.push(Effect::Respond { token, bytes: Vec::new() });
        };
        if let Err(code) = self.take_cell(peer, from, token, bytes, now, out) {
            self.counters.count(code);
            self.log_cell(Way::Dropped(code), from, None, bytes, &[], out);
            out.push(Effect::Respond { token, bytes: Vec::new() });
        }
    }

    fn take_cell(
        &mut self,
        peer: &TransportId,
        from: AuthorId,
        token: u64,
        bytes: &[u8],
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<(), &'static str> {
        if self.config.relaying == Relaying::Off {
            return Err("onion-off");
        }
        let rate = self.onion.rates.entry(peer.clone());
        let rate = rate.or_insert_with(|| Bucket::new(now.mono_ms));
        let (burst, per_second) = (limits::ONION_CELLS_BURST, limits::ONION_CELLS_PER_SECOND);
        let own = rate.take(now.mono_ms, burst, per_second);
        let (burst, per_second) =
            (limits::ONION_CELLS_ALL_BURST, limits::ONION_CELLS_ALL_PER_SECOND);
        if !own || !self.onion.all.take(now.mono_ms, burst, per_second) {
            return Err("onion-rate");
        }
        let peeled = onion::peel(&self.config.network, &self.me, self.mailbox.secret(), bytes);
        let peeled = peeled.map_err(|error| error.code())?;
        let is_new = self.onion.seen.take(peeled.period, peeled.seen, now.unix_ms);
        is_new.map_err(|error| error.code())?;
        let keys = peeled.keys;
        match peeled.step {
            Step::Exit { question } => {
                self.counters.count("onion-answered");
                self.log_cell(Way::Exit, from, None, bytes, &question, out);
                let (burst, per_second) =
                    (limits::ONION_ANSWERS_BURST, limits::ONION_ANSWERS_PER_SECOND);
                let answer = if self.onion.answers.take(now.mono_ms, burst, per_second) {
                    self.answer_question(&question)
                } else {
                    refused("onion-busy", "too many questions at once; ask again in a moment")
                };
                let nonce = self.onion_nonce();
                let reply = keys.answer(&answer.encode(), nonce).map_err(|error| error.code())?;
                out.push(Effect::Respond { token, bytes: reply });
            }
            Step::Forward { next, cell } => {
                self.log_cell(Way::Forward, from, Some(next), bytes, &cell, out);
                let circuit = Circuit { token, keys, from, to: next };
                self.forward_cell(circuit, cell, now, out);
            }
        }
        Ok(())
    }

    /// Passes a cell on, or says that this cannot be done.
    fn forward_cell(&mut self, circuit: Circuit, cell: Vec<u8>, now: Now, out: &mut Vec<Effect>) {
        let to = self.peers.of_author(&circuit.to).filter(|_| circuit.to != circuit.from).cloned();
        let is_full = self.onion.circuits.len() >= limits::ONION_CIRCUITS_MAX;
        let number = self.onion.next();
        let opened = to.filter(|_| !is_full).and_then(|peer| {
            let request = self.peers.open_cell(&peer, number, now.mono_ms)?;
            Some((peer, request))
        });
        match opened {
            Some((peer, request)) => {
                self.counters.count("onion-forwarded");
                self.onion.circuits.insert(number, circuit);
                out.push(Effect::Cell { peer, request, bytes: cell });
            }
            None => self.lose_cell(circuit, out),
        }
    }

    fn onion_nonce(&mut self) -> [u8; onion::NONCE_BYTES] {
        let mut nonce = [0; onion::NONCE_BYTES];
        self.rng.fill(&mut nonce);
        nonce
    }

    /// Says to the asker, in a reply like any other, that the way ends here.
    fn lose_cell(&mut self, circuit: Circuit, out: &mut Vec<Effect>) {
        self.counters.count("onion-lost");
        let nonce = self.onion_nonce();
        let bytes = circuit.keys.answer(&Answer::Lost.encode(), nonce).unwrap_or_default();
        out.push(Effect::Respond { token: circuit.token, bytes });
    }

    /// The next hop of a cell replied, or will not.
    pub(super) fn on_cell_back(
        &mut self,
        circuit: u64,
        result: Result<Vec<u8>, RequestFailed>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(known) = self.onion.circuits.remove(&circuit) else {
            return self.on_own_reply(circuit, result, now, out);
        };
        let Some(received) = result.ok().filter(|bytes| bytes.len() == onion::REPLY_BYTES) else {
            return self.lose_cell(known, out);
        };
        let logged = (self.config.relaying == Relaying::Log).then(|| received.clone());
        let Circuit { token, keys, from, to } = known;
        // Its size was looked at above.
        let bytes = keys.pass_back(received).unwrap_or_default();
        if let Some(received) = logged {
            self.log_cell(Way::Back, to, Some(from), &received, &bytes, out);
        }
        out.push(Effect::Respond { token, bytes });
    }

    /// Tells the application everything that is known of a cell, where its owner wants that.
    fn log_cell(
        &self,
        way: Way,
        from: AuthorId,
        to: Option<AuthorId>,
        received: &[u8],
        sent: &[u8],
        out: &mut Vec<Effect>,
    ) {
        if self.config.relaying == Relaying::Log {
            let (received, sent) = (received.to_vec(), sent.to_vec());
            let handled = Handled { way, from, to, received, sent };
            out.push(Effect::Emit(Event::Cell(Box::new(handled))));
        }
    }

    fn answer_question(&self, question: &[u8]) -> Answer {
        let answer = match Question::decode(question) {
            None => Err(unreadable()),
            Some(Question::Proof { item }) => {
                self.prove(&item).map(|proof| Answer::Proof { proof: ByteBuf::from(proof) })
            }
            Some(Question::Name { label }) => self.name_state(&label).map(Answer::Name),
        };
        let answer = answer.unwrap_or_else(|problem| refused(problem.code, &problem.message));
        let bytes = answer.encode().len();
        if bytes > onion::ANSWER_BYTES_MAX {
            let error = onion::Error::AnswerTooLong { bytes };
            return refused(error.code(), &error.to_string());
        }
        answer
    }

    fn name_state(&self, label: &str) -> Result<NameState, Problem> {
        let view = self.name_view(label)?;
        let held = view.held.as_ref();
        Ok(NameState {
            owner: held.map(|name| name.owner),
            version: held.map_or(0, |name| name.version),
            expires: held.map_or(0, |name| name.expires),
            addresses: held.map(|name| name.addresses.clone()).unwrap_or_default(),
            height: view.height,
            name: view.name,
        })
    }
}

fn refused(code: &str, message: &str) -> Answer {
    let message = message.chars().take(limits::ONION_REFUSAL_CHARS_MAX).collect();
    Answer::Refused { code: code.to_owned(), message }
}

fn unreadable() -> Problem {
    Problem {
        code: "onion-question",
        message: "this node does not know such questions".to_owned(),
        hint: "ask a node of the same version".to_owned(),
    }
}
