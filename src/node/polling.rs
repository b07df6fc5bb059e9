//! Polls between nodes: asks members which items they prefer, and answers them.
//!
//! A sample is drawn over all members, whoever is connected: were it drawn over those in reach, who
//! cuts links would choose it. So members without a connection count as silent until the deadline
//! of the poll. Questions for one member share a request, and keep to a rate below what the member
//! answers. Answers count by their own signature; that they come from the member's connection as
//! well only says whom to blame for a bad one.

use serde_bytes::ByteBuf;

use super::Node;
use super::offence::Offence;
use super::peers::{Asked, Peer};
use super::serving::{refuse, respond};
use crate::clock::Now;
use crate::effect::Effect;
use crate::identity::{AuthorId, TransportId};
use crate::limits;
use crate::message::{Ballots, Polls, Refusal, Request, Response};
use crate::rate::Bucket;
use crate::sampling::{self, Answer, Input, Output, Question};

/// What this node asks a member: a little less than the member answers, whatever the clocks say.
const ASKED_BURST: u32 = limits::POLL_QUESTIONS_BURST / 8 * 7;
const ASKED_PER_SECOND: u32 = limits::POLL_QUESTIONS_PER_SECOND / 8 * 7;

impl Node {
    /// Sends the questions that wait to members that are connected and not too busy.
    pub(super) fn ask_members(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(sampled) = self.deciding.engine.sampled_mut() else { return };
        let mut asks = std::mem::take(&mut sampled.asks);
        for questions in asks.values_mut() {
            questions.retain(|question| sampled.engine.is_open(&question.poll));
        }
        for (member, questions) in &mut asks {
            let connected = self.peers.of_author(member).cloned();
            let ended = self.graph.equivocated(member).is_some();
            let Some(peer) = connected.filter(|_| !ended) else {
                questions.clear();
                continue;
            };
            while self.peers.polls_open(&peer) < limits::POLL_REQUESTS_OPEN_MAX
                && self.peers.is_free(&peer)
            {
                let count = self.may_ask(member, questions.len(), now);
                if count == 0 {
                    break;
                }
                let encoded = questions.drain(..count).map(|question| question.encode().into());
                let polls = Request::Polls(Polls { questions: encoded.collect() });
                self.request(&peer, Asked::Polls, &polls, now, out);
            }
        }
        asks.retain(|_, questions| !questions.is_empty());
        if let Some(sampled) = self.deciding.engine.sampled_mut() {
            sampled.asks = asks;
        }
    }

    /// How many of so many questions may be put to a member now, in one request.
    fn may_ask(&mut self, member: &AuthorId, waiting: usize, now: Now) -> usize {
        let Some(sampled) = self.deciding.engine.sampled_mut() else { return 0 };
        let pace = sampled.paces.entry(*member).or_insert_with(|| Bucket::new(now.mono_ms));
        let most = waiting.min(limits::POLL_QUESTIONS_MAX);
        (0..most).take_while(|_| pace.take(now.mono_ms, ASKED_BURST, ASKED_PER_SECOND)).count()
    }

    /// A peer asks for preferences.
    pub(super) fn serve_polls(
        &mut self,
        peer: &TransportId,
        token: u64,
        polls: &Polls,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let is_member = self.is_member();
        let author = self.peers.get(peer).and_then(Peer::author);
        let sampled = self.deciding.engine.sampled().filter(|_| is_member);
        let (Some(author), Some(_)) = (author, sampled) else {
            return refuse(token, Refusal::Unknown, out);
        };
        if !self.may_answer(peer, polls.questions.len(), now) {
            self.counters.count("poll-rate");
            return refuse(token, Refusal::Busy, out);
        }
        let questions = polls.questions.iter().map(|bytes| Question::decode(bytes));
        let Ok(questions) = questions.collect::<Result<Vec<_>, sampling::Error>>() else {
            self.counters.count("poll-message-malformed");
            refuse(token, Refusal::Malformed, out);
            return self.penalise(peer, Offence::Malformed, now, out);
        };
        let answers = questions.iter().filter_map(|question| self.answer(author, *question, now));
        let answers: Vec<ByteBuf> = answers.collect();
        respond(token, &Response::Ballots(Ballots { answers }), out);
    }

    /// Whether a peer may have so many answers now.
    fn may_answer(&mut self, peer: &TransportId, count: usize, now: Now) -> bool {
        let Some(from) = self.peers.get_mut(peer) else { return false };
        let Some(sampled) = self.deciding.engine.sampled_mut() else { return false };
        let (burst, per_second) = (limits::POLL_QUESTIONS_BURST, limits::POLL_QUESTIONS_PER_SECOND);
        let all = (limits::POLL_ANSWERS_BURST, limits::POLL_ANSWERS_PER_SECOND);
        let may = from.polls.has_one(now.mono_ms, burst, per_second)
            && sampled.answers.has_one(now.mono_ms, all.0, all.1);
        if may {
            from.polls.spend(count);
            sampled.answers.spend(count);
        }
        may
    }

    /// The signed preference of this node.
    fn answer(&mut self, asker: AuthorId, question: Question, now: Now) -> Option<ByteBuf> {
        let sampled = self.deciding.engine.sampled_mut()?;
        let (mut outputs, mut ballot) = (Vec::new(), None);
        sampled.engine.handle(now, Input::Question(asker, question), &mut outputs);
        for output in outputs {
            match output {
                Output::Answer(_, said) => ballot = Some(said),
                other => self.on_sampled(&other),
            }
        }
        let mut hedge = [0; 32];
        self.rng.fill(&mut hedge);
        let answer = ballot?.sign(&self.config.network, &asker, &self.key, hedge);
        Some(answer.encode().into())
    }

    /// A member answers.
    pub(super) fn on_ballots(
        &mut self,
        peer: &TransportId,
        ballots: &Ballots,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(author) = self.peers.get(peer).and_then(Peer::author) else { return };
        if self.graph.equivocated(&author).is_some() {
            return self.counters.count("poll-answer-of-ended");
        }
        let key = self.graph.author(&author).map(|chain| chain.key.clone());
        let Some(sampled) = self.deciding.engine.sampled_mut() else { return };
        if let Some(key) = key {
            sampled.engine.introduce(&key);
        }
        for bytes in &ballots.answers {
            let Ok(answer) = Answer::decode(bytes) else {
                self.counters.count("poll-message-malformed");
                return self.penalise(peer, Offence::Malformed, now, out);
            };
            if !self.take_answer(author, answer, now) {
                self.penalise(peer, Offence::UselessAnswer, now, out);
            }
        }
    }

    /// Counts an answer, if it counts; `false` when only its sender can have made it wrong.
    fn take_answer(&mut self, from: AuthorId, answer: Answer, now: Now) -> bool {
        let wrong =
            [sampling::Refusal::Unasked, sampling::Refusal::OtherKey, sampling::Refusal::Forged];
        let count = |node: &Self| {
            let counters = node.deciding.engine.sampled().map(|s| s.engine.counters());
            let refused = |why| counters.and_then(|c| c.refused.get(&why)).copied().unwrap_or(0);
            wrong.into_iter().map(refused).sum::<u64>()
        };
        let before = count(self);
        self.tell_sampler(Input::Answer(from, answer), now);
        count(self) == before
    }
}
