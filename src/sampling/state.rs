//! The engine: answers questions, makes polls, counts their answers, reports decisions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::message::{Answer, Ballot, PollId, Question};
use super::poll::Poll;
use super::{Config, Error, Members, Refusal, Snow};
use crate::clock::Now;
use crate::crypto::sign::PublicKey;
use crate::dag::vote::{ConflictKey, Decision, ItemId};
use crate::identity::{AuthorId, NetworkId};
use crate::limits;
use crate::rng::Rng;

/// What happens to the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// This item claims this key, and is valid as far as this node can tell. Which items stand for
    /// a vote is for the caller: what has value belongs to [`crate::consensus`].
    Item(ConflictKey, ItemId),
    /// Somebody asks for this node's preference. Anybody may; how often is for the caller.
    Question(AuthorId, Question),
    /// Somebody answers.
    Answer(AuthorId, Answer),
    /// This member cannot be asked in this poll: there is no connection, or it broke.
    Unreachable(AuthorId, PollId),
    /// Time has passed.
    Tick,
}

/// What the engine asks for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// Put this question to this member.
    Ask(AuthorId, Question),
    /// Sign this ballot for who asked, and send it there.
    Answer(AuthorId, Ballot),
    /// This item has the key. Store it: [`State::restore`] wants it back after a restart.
    Decided(Decision),
    /// An answer did not count.
    Refused(AuthorId, Refusal),
    /// There is no room for this item; it is no candidate here until it is named again.
    Full(ConflictKey, ItemId),
    /// Call again at this time at the latest, monotonic milliseconds.
    WakeAt(u64),
}

/// What happened so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Polls that were begun (count).
    pub polls: u64,
    /// Polls whose result was counted (count), successful or not.
    pub counted: u64,
    /// Signatures of answers that were checked (count).
    pub checked: u64,
    /// Questions that were answered (count).
    pub answered: u64,
    /// Answers that did not count (count), by the reason.
    pub refused: BTreeMap<Refusal, u64>,
}

/// A key that is not decided.
#[derive(Debug)]
struct Conflict {
    snow: Snow,
    candidates: BTreeSet<ItemId>,
    /// Polls in the order in which they were begun, which is the order in which they count.
    polls: VecDeque<Poll>,
    /// Polls that counted in this turn.
    counted: u32,
}

/// One node's view of what is decided.
#[derive(Debug)]
pub struct State {
    config: Config,
    network: NetworkId,
    me: AuthorId,
    members: Members,
    rng: Rng,
    conflicts: BTreeMap<ConflictKey, Conflict>,
    /// Keys whose turn it is to be asked about, at most [`limits::POLLED_KEYS_MAX`].
    polled: BTreeSet<ConflictKey>,
    /// The others, in the order of their turns.
    turns: VecDeque<ConflictKey>,
    rests: bool,
    decided: BTreeMap<ConflictKey, ItemId>,
    /// Polls under way, by name.
    open: BTreeMap<PollId, ConflictKey>,
    /// The last polls that are over: an answer to one is late, and no replay.
    over: VecDeque<PollId>,
    counters: Counters,
}

impl State {
    /// An engine that has seen nothing. `me` need not be a member: who is none asks all the same,
    /// and is never asked. `rng` must be unpredictable to others, or they choose the samples.
    ///
    /// # Errors
    /// [`Error::Config`] for parameters that do not fit each other.
    pub fn new(
        config: Config,
        network: NetworkId,
        members: Members,
        me: AuthorId,
        rng: Rng,
    ) -> Result<Self, Error> {
        config.validate()?;
        Ok(Self {
            config,
            network,
            me,
            members,
            rng,
            conflicts: BTreeMap::new(),
            polled: BTreeSet::new(),
            turns: VecDeque::new(),
            rests: false,
            decided: BTreeMap::new(),
            open: BTreeMap::new(),
            over: VecDeque::new(),
            counters: Counters::default(),
        })
    }

    /// Makes the public key of a member known; whether it is a member's. Without it the member's
    /// answers do not count.
    pub fn introduce(&mut self, key: &PublicKey) -> bool {
        self.members.introduce(key)
    }

    /// Takes in a decision of before this node stopped, before the first [`State::handle`].
    pub fn restore(&mut self, Decision(key, item): Decision) {
        self.decided.insert(key, item);
    }

    /// Forgets a key, decided or not, so that another finds room. Whoever asks is told of no
    /// preference afterwards; if the key is named again here, everything begins anew.
    pub fn forget(&mut self, key: &ConflictKey) {
        self.decided.remove(key);
        self.polled.remove(key);
        self.turns.retain(|waiting| waiting != key);
        if let Some(conflict) = self.conflicts.remove(key) {
            self.close(conflict.polls);
        }
    }

    /// Whether no new polls are begun: while too few members are in reach, all of them would fail,
    /// at the cost of those who are. [`Input::Tick`] goes on when it is over.
    pub fn rest(&mut self, rests: bool) {
        self.rests = rests;
    }

    /// Takes one input and pushes what it leads to.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        let now_ms = now.mono_ms;
        match input {
            Input::Item(key, item) => self.admit(key, item, now_ms, out),
            Input::Question(from, question) => {
                self.counters.answered += 1;
                out.push(Output::Answer(from, self.ballot(question)));
            }
            Input::Answer(from, answer) => {
                if let Err(refusal) = self.take(from, &answer, now_ms) {
                    *self.counters.refused.entry(refusal).or_default() += 1;
                    out.push(Output::Refused(from, refusal));
                    return;
                }
                self.advance(answer.ballot.key, now_ms, out);
            }
            Input::Unreachable(member, poll) => {
                let Some(key) = self.open.get(&poll).copied() else { return };
                if let (Some(place), Some(poll)) = (self.members.place(&member), self.poll(&poll)) {
                    poll.count(place, None);
                    self.advance(key, now_ms, out);
                }
            }
            Input::Tick => {
                let due = |poll: &Poll| now_ms >= poll.until_ms;
                let late = self.conflicts.iter().filter(|(key, open)| {
                    let is_idle = open.polls.is_empty() && self.polled.contains(key);
                    is_idle || open.polls.iter().any(due)
                });
                for key in late.map(|(key, _)| *key).collect::<Vec<_>>() {
                    self.advance(key, now_ms, out);
                }
            }
        }
        self.take_turns(now_ms, out);
        self.wake(out);
    }

    /// The item that a node with this state names when it is asked about a key.
    pub fn preference(&self, key: &ConflictKey) -> Option<ItemId> {
        let open = self.conflicts.get(key).map(|open| open.snow.preference(self.config.rule));
        self.decided.get(key).copied().or(open)
    }

    /// Successful polls in a row (count), for a key that is not decided.
    pub fn confidence(&self, key: &ConflictKey) -> Option<u32> {
        self.conflicts.get(key).map(|open| open.snow.confidence())
    }

    /// Who has a key.
    pub fn decided(&self, key: &ConflictKey) -> Option<ItemId> {
        self.decided.get(key).copied()
    }

    /// Every decision that is remembered, ascending by key.
    pub fn decisions(&self) -> impl ExactSizeIterator<Item = Decision> {
        self.decided.iter().map(|(key, item)| Decision(*key, *item))
    }

    /// Keys that wait for a decision (count).
    pub fn pending(&self) -> usize {
        self.conflicts.len()
    }

    /// Those keys, with the item that is preferred and the successful polls in a row for it
    /// (count).
    pub fn waiting(&self) -> impl Iterator<Item = (Decision, u32)> {
        self.conflicts.iter().map(|(key, open)| {
            let preference = open.snow.preference(self.config.rule);
            (Decision(*key, preference), open.snow.confidence())
        })
    }

    /// Whether a poll is under way.
    pub fn is_open(&self, poll: &PollId) -> bool {
        self.open.contains_key(poll)
    }

    /// The parameters.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    fn ballot(&self, Question { poll, key }: Question) -> Ballot {
        Ballot { poll, key, preference: self.preference(&key) }
    }

    /// Makes an item a candidate, and begins to ask about its key.
    fn admit(&mut self, key: ConflictKey, item: ItemId, now_ms: u64, out: &mut Vec<Output>) {
        if self.decided.contains_key(&key) {
            return;
        }
        let known = self.conflicts.contains_key(&key);
        // Nothing decided is forgotten to make room: another decision might follow.
        let room = self.conflicts.len() < limits::SAMPLED_KEYS_MAX
            && self.conflicts.len() + self.decided.len() < limits::SAMPLED_DECIDED_MAX;
        if !known && !room {
            return out.push(Output::Full(key, item));
        }
        let conflict = self.conflicts.entry(key).or_insert_with(|| Conflict {
            snow: Snow::new(item),
            candidates: BTreeSet::new(),
            polls: VecDeque::new(),
            counted: 0,
        });
        if !known {
            self.turns.push_back(key);
        }
        if conflict.candidates.len() >= limits::SAMPLED_CANDIDATES_MAX {
            return out.push(Output::Full(key, item));
        }
        conflict.candidates.insert(item);
        self.advance(key, now_ms, out);
    }

    /// Checks an answer, the cheap things first, and counts it.
    fn take(&mut self, from: AuthorId, answer: &Answer, now_ms: u64) -> Result<(), Refusal> {
        let place = self.members.place(&from).ok_or(Refusal::Stranger)?;
        let id = answer.ballot.poll;
        let key = match self.open.get(&id) {
            Some(key) => *key,
            None if self.over.contains(&id) => return Err(Refusal::Late),
            None => return Err(Refusal::Unknown),
        };
        let poll = self.poll(&id).ok_or(Refusal::Unknown)?;
        poll.expects(place)?;
        if now_ms >= poll.until_ms {
            return Err(Refusal::Late);
        }
        if answer.ballot.key != key {
            return Err(Refusal::OtherKey);
        }
        let public = self.members.key(place).ok_or(Refusal::Keyless)?;
        self.counters.checked += 1;
        answer.verify(&self.network, &self.me, public).map_err(|_| Refusal::Forged)?;
        let poll = self.poll(&id).ok_or(Refusal::Unknown)?;
        poll.count(place, answer.ballot.preference);
        Ok(())
    }

    fn poll(&mut self, id: &PollId) -> Option<&mut Poll> {
        let conflict = self.conflicts.get_mut(self.open.get(id)?)?;
        conflict.polls.iter_mut().find(|poll| poll.id == *id)
    }

    /// Counts every poll of a key whose turn it is, and begins as many as there should be. A
    /// sample may consist of this node alone, so that a poll is over before it begins.
    fn advance(&mut self, key: ConflictKey, now_ms: u64, out: &mut Vec<Output>) {
        loop {
            self.count_polls(key, now_ms);
            let Some(conflict) = self.conflicts.get(&key) else { return };
            if let Some(item) = conflict.snow.decided() {
                self.decided.insert(key, item);
                self.polled.remove(&key);
                self.turns.retain(|waiting| *waiting != key);
                if let Some(conflict) = self.conflicts.remove(&key) {
                    self.close(conflict.polls);
                }
                return out.push(Output::Decided(Decision(key, item)));
            }
            let open = u32::try_from(conflict.polls.len()).unwrap_or(u32::MAX);
            if open >= self.config.concurrent || self.rests || !self.has_turn(key) {
                return;
            }
            self.ask(key, now_ms, out);
        }
    }

    /// Whether a key is asked about. A long turn ends when others wait: somebody may hold it up.
    fn has_turn(&mut self, key: ConflictKey) -> bool {
        let Some(conflict) = self.conflicts.get(&key) else { return false };
        if conflict.counted >= limits::POLLS_PER_TURN_MAX
            && !self.turns.is_empty()
            && self.polled.remove(&key)
        {
            self.turns.push_back(key);
        }
        self.polled.contains(&key)
    }

    /// Begins to ask about as many keys as there should be.
    fn take_turns(&mut self, now_ms: u64, out: &mut Vec<Output>) {
        while self.polled.len() < limits::POLLED_KEYS_MAX
            && let Some(key) = self.turns.pop_front()
        {
            self.polled.insert(key);
            if let Some(conflict) = self.conflicts.get_mut(&key) {
                conflict.counted = 0;
            }
            self.advance(key, now_ms, out);
        }
    }

    /// Polls count in the order in which they were begun, whichever is over first: otherwise slow
    /// members would choose which results stand in a row.
    fn count_polls(&mut self, key: ConflictKey, now_ms: u64) {
        let Some(conflict) = self.conflicts.get_mut(&key) else { return };
        for poll in &mut conflict.polls {
            poll.expire(now_ms);
        }
        let mut over = VecDeque::new();
        while conflict.polls.front().is_some_and(|poll| poll.is_over(&self.config))
            && let Some(poll) = conflict.polls.pop_front()
        {
            // Members may be ahead of this node; what it does not know it cannot prefer.
            let known = |(item, _): &(ItemId, u32)| conflict.candidates.contains(item);
            conflict.snow.record(&self.config, poll.winner().filter(known));
            self.counters.counted += 1;
            conflict.counted = conflict.counted.saturating_add(1);
            over.push_back(poll);
        }
        self.close(over);
    }

    /// Begins a poll with a sample of its own.
    fn ask(&mut self, key: ConflictKey, now_ms: u64, out: &mut Vec<Output>) {
        let mut bytes = [0; 16];
        self.rng.fill(&mut bytes);
        let question = Question { poll: PollId::from_bytes(bytes), key };
        let sample = self.members.draw(self.config.k, &mut self.rng);
        let until_ms = now_ms.saturating_add(self.config.poll_ms);
        let mut poll = Poll::new(question.poll, until_ms, sample);
        if let Some(place) = self.members.place(&self.me)
            && poll.expects(place).is_ok()
        {
            poll.count(place, self.preference(&key));
        }
        let asked = poll.waiting().filter_map(|place| self.members.at(place));
        out.extend(asked.map(|member| Output::Ask(member, question)));
        self.counters.polls += 1;
        self.open.insert(question.poll, key);
        if let Some(conflict) = self.conflicts.get_mut(&key) {
            conflict.polls.push_back(poll);
        }
    }

    fn close(&mut self, polls: impl IntoIterator<Item = Poll>) {
        for poll in polls {
            self.open.remove(&poll.id);
            self.over.push_back(poll.id);
        }
        let surplus = self.over.len().saturating_sub(limits::POLLS_OVER_MAX);
        self.over.drain(..surplus);
    }

    fn wake(&self, out: &mut Vec<Output>) {
        let polls = self.conflicts.values().flat_map(|conflict| &conflict.polls);
        if let Some(at) = polls.map(|poll| poll.until_ms).min() {
            out.push(Output::WakeAt(at));
        }
    }
}

#[cfg(test)]
impl State {
    /// Goes on with other parameters, whatever they are.
    pub(crate) fn set_config(&mut self, config: Config) {
        self.config = config;
    }

    /// Seats of a member in the first poll of a key.
    pub(super) fn seats(&self, key: &ConflictKey, member: &AuthorId) -> u32 {
        let poll = self.conflicts.get(key).and_then(|conflict| conflict.polls.front());
        let place = self.members.place(member);
        poll.zip(place).map_or(0, |(poll, place)| poll.seats(place))
    }
}
